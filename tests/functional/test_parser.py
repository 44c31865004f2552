#!/usr/bin/python3
"""PFX files are parsed in processes of their own: what breaks one of them costs its own file, and nothing else."""
import base64
import os
import signal
import unittest
from pathlib import Path
from typing import Iterator

from adversary import pki
from test_bad_imports import PASSWORD, Imports


def children(parent: int) -> list[int]:
    found = []
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            fields = stat(int(place.name))
            if fields and fields[0] != "Z" and int(fields[1]) == parent:
                found.append(int(place.name))
    return found


def stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; none where the process has gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def confined_at_work(pid: int) -> bool:
    """It has locked itself in, and computed for a fifth of a second: the slow file's, whose cost is near the limit, and no other's."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    fields = stat(pid)
    return "Seccomp:\t2" in status and len(fields) > 11 and fields[0] != "Z" and int(fields[11]) >= 20


class Processes(Imports):
    def keeper(self) -> int:
        assert self.connector.process is not None
        found = children(self.connector.process.pid)
        self.assertEqual(len(found), 1, "the daemon has one child, the parsers' keeper")
        return found[0]

    def busy_parser(self) -> int:
        found: list[int] = []

        def look() -> bool:
            assert self.connector.process is not None
            found[:] = [each for keeper in children(self.connector.process.pid) for each in children(keeper) if confined_at_work(each)]
            return bool(found)
        self.connector.wait_until(look, 60, "a parser at work")
        return found[0]

    def check_event(self, order: str, *words: str) -> None:
        self.check_audited("IMP-2067", *words, request=order)


class Parsers(Processes):
    def test_a_crashed_parser_is_the_files_fault_alone(self) -> None:
        for number in (signal.SIGSEGV, signal.SIGKILL):
            with self.subTest(number.name):
                user, phone = self.person()
                order = self.order(self.lab.records(user, [self.identity(user)], form="slow"), user, phone)
                os.kill(self.busy_parser(), number)
                error = self.check_refused(order, "importInvalid", "PFX")
                self.assertIn(f"signal {number.value}", error["message"])
                self.check_event(order, f"signal {number.value}")
                self.serve_neighbour()
                healthy, tablet = self.person()
                history = self.lab.import_history(healthy, (2019,))
                opened = self.lab.open(tablet, self.lab.deliver(healthy, tablet))
                self.assertEqual([each.sha256 for each in opened.identities], [each.sha256 for each in history])
        self.check_audit_whole()

    def test_the_rest_of_the_history_is_delivered(self) -> None:
        user, phone = self.person()
        good, bad = self.identity(user, 2016), self.identity(user, 2018, slot=1)
        blobs = [base64.b64decode(self.lab.records(user, [each], form=form)[0]["encryptedPfxBlob"])
                 for each, form in ((good, "aes256"), (bad, "slow"))]
        order = self.order(self.lab.records(user, [good, bad], blobs=blobs), user, phone)
        os.kill(self.busy_parser(), signal.SIGSEGV)
        result = self.lab.delivered(order)
        self.assertEqual([each["sha256"] for each in result["certificates"]], [good.sha256])
        self.assertEqual([(each["thumbprint"], each["code"]) for each in result["omitted"]], [(bad.thumbprint, "importInvalid")])
        self.check_event(order, bad.thumbprint)

    def test_a_keeper_that_is_killed_is_replaced_and_the_file_opened_all_the_same(self) -> None:
        user, phone = self.person()
        identity = self.identity(user)
        order = self.order(self.lab.records(user, [identity], form="slow"), user, phone)
        parser = self.busy_parser()
        os.kill(self.keeper(), signal.SIGKILL)
        self.assertEqual([each["sha256"] for each in self.lab.delivered(order)["certificates"]], [identity.sha256])
        self.connector.wait_until(lambda: not confined_at_work(parser), 60, "the parser to go with its keeper")

    def test_neither_key_nor_password_is_in_the_memory_of_those_who_stay(self) -> None:
        user, phone = self.person()
        key = pki.make_key("rsa2048")
        identity = self.identity(user, key=key)
        self.lab.open(phone, self.order(self.lab.records(user, [identity]), user, phone))
        numbers = key.private_numbers()
        canaries = {PASSWORD.encode(), PASSWORD.encode("utf-16-be")}
        for number in (numbers.p, numbers.q, numbers.d):
            octets = number.to_bytes((number.bit_length() + 7) // 8, "big")
            canaries |= {octets[:64], octets[::-1][:64]}  # as ASN.1 has it, and as this machine has it
        assert self.connector.process is not None
        for name, pid in (("daemon", self.connector.process.pid), ("keeper", self.keeper())):
            public = identity.certificate.public_key().public_numbers().n.to_bytes(256, "big")[:64]
            seen_public = False
            for piece in memory(pid):
                seen_public = seen_public or public in piece
                for canary in canaries:
                    self.assertNotIn(canary, piece, name)
            if name == "daemon":
                self.assertTrue(seen_public, "the search itself finds what is there")


class Endings(Processes):
    def test_none_outlives_the_daemon(self) -> None:
        user, phone = self.person()
        self.order(self.lab.records(user, [self.identity(user)], form="slow"), user, phone)
        parser, keeper = self.busy_parser(), self.keeper()
        self.connector.kill()
        self.connector.start()
        self.connector.wait_until(lambda: not stat(keeper) and not stat(parser), 30, "the end of keeper and parser")

    def test_a_signal_for_all_ends_the_daemon_only_after_the_file_is_opened(self) -> None:
        """systemd tells every process of a service to end; the parsers' end is the daemon's to say."""
        self.connector.configure({"connector": {"drain_seconds": 60}})
        self.connector.terminate()
        self.connector.start()
        user, phone = self.person()
        identity = self.identity(user)
        order = self.order(self.lab.records(user, [identity], form="slow"), user, phone)
        parser = self.busy_parser()
        for each in (parser, self.keeper()):
            os.kill(each, signal.SIGTERM)
        self.assertEqual(self.connector.terminate(timeout=60), 0)
        self.connector.start()
        self.assertEqual([each["sha256"] for each in self.lab.delivered(order)["certificates"]], [identity.sha256])
        self.assertEqual([line for line in self.connector.audit() if "IMP-2067" in line and order in line], [])

    def test_the_keeper_is_nobodys_command(self) -> None:
        said = self.connector.command("--help-all")
        self.assertNotIn("parse-pfx", said.stdout)


def memory(pid: int) -> Iterator[bytes]:
    """What may be written by the process, mapping by mapping."""
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as octets:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, rights, *_ = line.split()
            first, last = (int(part, 16) for part in span.split("-"))
            if not rights.startswith("rw"):
                continue
            if last - first > 1 << 30:  # a sanitiser's shadow: no octet of ours stands there as it is
                continue
            octets.seek(first)
            try:
                yield octets.read(last - first)
            except OSError:
                continue  # a guard page


if __name__ == "__main__":
    unittest.main()
