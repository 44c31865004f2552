#!/usr/bin/python3
"""The embedded authority looked after: its revocation list kept fresh, revocation by hand, and `authority list|test|resume`."""
import contextlib
import datetime as dt
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))
import pki  # noqa: E402
from cryptography import x509  # noqa: E402
from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from lab import Connector, Lab  # noqa: E402

SLOW = 4 if os.environ.get("ASAN_OPTIONS") else 1
DAY = dt.timedelta(days=1)


class Authorities(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        place = Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="pfx-authorities-")))
        cls.published = place / "www" / "corp.crl"
        cls.published.parent.mkdir()
        cls.lab = cls.enterClassContext(Lab(pki_directory=place / "pki"))
        cls.connector: Connector = cls.lab.connector({"authority": {"corp": {"crl_days": 2, "crl_file": cls.published}}})
        cls.ca = Path(cls.connector.settings["authority"]["corp"]["directory"])
        cls.list = cls.ca / "ca.crl"

    # -- tools --------------------------------------------------------------------------------------------------------
    def issued(self, name: str) -> dict:
        """What the service was told of a new certificate."""
        user = self.lab.user(name)
        identifier = self.lab.issue(user, self.lab.device(user, key_kind="ecP256"), key_type="ecP256")
        certificate = self.lab.delivered(identifier, timeout=30 * SLOW)["certificates"][0]
        self.connector.wait_until(lambda: self.connector.command_json("requests", "show", identifier)["stage"] == "closed", 20 * SLOW, "the end")
        return {**certificate, "request": identifier}

    def facts(self, path: Path) -> tuple[int, dt.datetime, set[str]]:
        """Number, nextUpdate, serials; by a program that is not ours, which verifies it too."""
        subprocess.run(["openssl", "crl", "-in", path, "-inform", "DER", "-CAfile", self.ca / "ca.crt", "-noout"], check=True, capture_output=True)
        parsed = x509.load_der_x509_crl(path.read_bytes())
        number = parsed.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
        return number, parsed.next_update.replace(tzinfo=dt.timezone.utc), {f"{each.serial_number:x}".zfill(2) for each in parsed}

    def grown_old(self, began: dt.timedelta, ends: dt.timedelta) -> int:
        """The list in the authority's folder, as it would be had it been written then; its number."""
        number, _, serials = self.facts(self.list)
        key = serialization.load_pem_private_key((self.ca / "ca.key").read_bytes(), None)
        issuer = x509.load_pem_x509_certificate((self.ca / "ca.crt").read_bytes())
        made = (x509.CertificateRevocationListBuilder().issuer_name(issuer.subject).last_update(pki.now() - began).next_update(pki.now() + ends)
                .add_extension(x509.CRLNumber(number), False))
        for serial in serials:
            made = made.add_revoked_certificate(x509.RevokedCertificateBuilder().serial_number(int(serial, 16)).revocation_date(pki.now() - began).build())
        self.list.write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER))
        return number

    def restart(self) -> None:
        self.connector.terminate()
        self.connector.start(timeout=20 * SLOW)

    def check(self) -> dict:
        return next(each for each in json.loads(self.connector.health()[1])["checks"] if each["name"] == "revocationLists")

    def wait_check(self, status: str) -> dict:
        def there() -> bool:
            with contextlib.suppress(StopIteration):
                return self.check()["status"] == status
            return False
        self.connector.wait_until(there, 20 * SLOW, f"a list that is {status}")
        return self.check()

    def row(self, serial: str) -> dict:
        return next(each for each in self.connector.command_json("issued", "list")["issued"] if each["serialNumber"] == serial)

    def doctor(self, *words: str, code: int = 0) -> dict[str, dict]:
        done = self.connector.command(*(words or ("authority", "test", "corp")), "--json")
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return {each["name"]: each for each in json.loads(done.stdout)["checks"]}

    # -- the list ------------------------------------------------------------------------------------------------------
    def test_the_list_is_there_from_the_start_and_renewed_in_time(self) -> None:
        self.wait_check("ok")
        number, until, _ = self.facts(self.list)
        self.assertLess(abs(until - pki.now() - 2 * DAY), dt.timedelta(minutes=30), "crl_days")
        self.assertEqual(self.published.read_bytes(), self.list.read_bytes())
        self.assertEqual(self.published.stat().st_mode & 0o777, 0o644)
        self.assertIn("number", self.doctor()["authority corp revocation list"]["detail"])
        for name, began, ends, fresh in (("young", DAY / 2, DAY, False), ("half over", 2 * DAY, DAY, True), ("ended", 9 * DAY, -2 * DAY, True),
                                         ("of a clock that was ahead", -DAY, 3 * DAY, True)):
            with self.subTest(name):
                self.connector.terminate()
                number = self.grown_old(began, ends)
                if name == "ended":
                    self.assertIn("its time was over", self.doctor(code=3)["authority corp revocation list"]["detail"])
                told = self.connector.log().count("AUTH-7010")
                self.connector.start(timeout=20 * SLOW)
                self.wait_check("ok")
                now, until, _ = self.facts(self.list)
                self.assertEqual(now, number + 1 if fresh else number)
                self.assertGreater(until, pki.now())
                self.assertEqual(self.connector.log().count("AUTH-7010") - told, 1 if fresh else 0)
                self.connector.wait_until(lambda: self.published.read_bytes() == self.list.read_bytes(), 10 * SLOW, "its copy")

    def test_a_list_that_cannot_be_written(self) -> None:
        self.connector.terminate()
        before, _, _ = self.facts(self.list)
        self.list.unlink()
        self.list.mkdir()
        self.addCleanup(lambda: self.list.rmdir() if self.list.is_dir() else None)
        self.connector.start(timeout=20 * SLOW)
        check = self.wait_check("failed")
        self.assertIn("corp", check["detail"])
        self.assertEqual(json.loads(self.connector.health()[1])["status"], "degraded")
        self.assertEqual(self.connector.health("/readyz")[0], 200, "requests go on")
        line = [each for each in self.connector.log().splitlines() if "AUTH-7011" in each][-1]
        self.assertIn(str(self.list), line)
        self.assertIn("AUTH-7011", self.doctor()["authority corp revocation list"]["mend"])
        self.lab.delivered(self.lab.issue(user := self.lab.user("unlisted"), self.lab.device(user, key_kind="ecP256"), key_type="ecP256"),
                           timeout=30 * SLOW)
        self.list.rmdir()
        self.restart()
        self.wait_check("ok")
        self.assertEqual(self.facts(self.list)[0], before + 1, "also where the old list is lost")

    def test_a_copy_that_cannot_be_written(self) -> None:
        self.connector.terminate()
        aside = self.published.parent.with_name("aside")
        self.published.parent.rename(aside)
        self.addCleanup(lambda: aside.rename(self.published.parent) if aside.exists() else None)
        self.connector.start(timeout=20 * SLOW)
        self.assertIn("cannot be renewed", self.wait_check("degraded")["detail"])
        found = self.doctor(code=3)["authority corp revocation list"]
        self.assertIn(str(self.published), found["detail"])
        self.assertIn(str(self.published.parent), found["mend"])
        serial = self.issued("stale")["serialNumber"]
        done = self.connector.command("local-ca", "revoke", serial, "--directory", self.ca)
        self.assertEqual(done.returncode, 1, "who revokes has to know")
        self.assertIn("the published list is still the old one", done.stderr)
        self.assertIsNotNone(self.row(serial)["revokedAt"])
        aside.rename(self.published.parent)
        self.restart()
        self.wait_check("ok")
        self.assertIn(serial, self.facts(self.published)[2])

    # -- by hand -------------------------------------------------------------------------------------------------------
    def test_revoked_by_hand_beside_the_daemon_and_without(self) -> None:
        for daemon in (True, False):
            with self.subTest(daemon=daemon):
                one = self.issued(f"byhand{daemon}".lower())
                serial = one["serialNumber"]
                self.assertIsNone(self.row(serial)["revokedAt"])
                if not daemon:
                    self.connector.terminate()
                    self.addCleanup(lambda: self.connector.running or self.connector.start(timeout=20 * SLOW))
                command = ("local-ca", "revoke", serial, "--directory", self.ca, "--reason", "keyCompromise", "--json")
                said = json.loads(self.connector.command(*command, check=True).stdout)
                self.assertEqual((said["serialNumber"], said["already"], said["register"]), (serial, False, "marked"))
                self.assertIn(serial, self.facts(self.list)[2])
                self.assertIn(serial, self.facts(self.published)[2])
                first = self.row(serial)["revokedAt"]
                self.assertIsNotNone(first)
                again = json.loads(self.connector.command(*command, check=True).stdout)
                self.assertEqual((again["already"], again["register"]), (True, "marked before"))
                self.assertEqual(self.row(serial)["revokedAt"], first)
                lines = [each for each in self.connector.audit() if "REV-3050" in each and serial in each]
                self.assertEqual(len(lines), 1)
                for word in (one["request"], "keyCompromise", "corp", subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()):
                    self.assertIn(word, lines[0])
                self.assertEqual(self.connector.command("audit", "verify").returncode, 0)
                if not daemon:
                    self.connector.start(timeout=20 * SLOW)

    def test_a_faulty_configuration_keeps_nobody_from_revoking(self) -> None:
        serial = self.issued("faulty")["serialNumber"]
        other = self.connector.directory / "faulty.toml"
        other.write_text("[control]\nsocket = 5\n")
        done = subprocess.run([self.connector.program, "--config", other, "local-ca", "revoke", serial, "--directory", self.ca],
                              capture_output=True, text=True, check=False, timeout=60)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("it is revoked, but the register", done.stderr)
        self.assertIn("faulty.toml:2", done.stderr)
        self.assertEqual(len(done.stderr.strip().splitlines()), 1)
        self.assertIn(serial, self.facts(self.list)[2])
        self.assertIsNone(self.row(serial)["revokedAt"])
        done = self.connector.command("local-ca", "revoke", serial, "--directory", self.ca)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIsNotNone(self.row(serial)["revokedAt"])

    def test_what_the_register_does_not_know(self) -> None:
        apart = self.connector.directory / "another-ca"
        self.connector.command("local-ca", "create", "--directory", apart, "--name", "Another", "--domain", "corp.example", "--root-out",
                               self.connector.directory / "another-root.key", check=True)
        done = self.connector.command("local-ca", "revoke", "4f1c", "--directory", apart)
        self.assertEqual((done.returncode, "issued no certificate" in done.stderr), (1, True))
        self.assertNotIn("4f1c", "\n".join(self.connector.audit()), "what was not revoked is not audited as such")

    # -- authority list, test, resume ----------------------------------------------------------------------------------
    def test_list_and_test_of_one_that_works(self) -> None:
        self.issued("works")
        row = self.connector.command_json("authority", "list")["authorities"][0]
        self.assertEqual({key: row[key] for key in ("name", "type", "state", "inFlight", "concurrency", "parkedUntil")},
                         {"name": "corp", "type": "local", "state": "up", "inFlight": 0, "concurrency": 4, "parkedUntil": None})
        self.assertIsNotNone(row["lastSuccessAt"])
        shown = self.connector.command("authority", "list").stdout
        for word in ("name", "type", "state", "last success", "corp", "local", "up"):
            self.assertIn(word, shown)
        checks = self.doctor()
        self.assertIn("authority corp dry run", checks)
        self.assertTrue(all(name.startswith("authority corp") for name in checks), "of this one alone")
        shown = self.connector.command("authority", "test", "corp")
        self.assertIn("✓ authority corp dry run", shown.stdout)
        self.assertIn("0 faults", shown.stdout)
        done = self.connector.command("authority", "resume", "corp")
        self.assertEqual((done.returncode, "nothing to resume" in done.stderr), (1, True))
        for command in ("test", "resume"):
            done = self.connector.command("authority", command, "nobody")
            self.assertEqual((done.returncode, len(done.stderr.splitlines())), (2, 1), done.stderr)
            self.assertIn("corp", done.stderr, "the ones there are")
        self.assertNotIn("AUTH-7006", "\n".join(self.connector.audit()))

    def test_one_that_is_broken_is_named_with_its_mend(self) -> None:
        key = self.ca / "ca.key"
        aside = key.with_name("aside.key")
        key.rename(aside)
        self.addCleanup(lambda: aside.rename(key) if aside.exists() else None)
        done = self.connector.command("authority", "test", "corp")
        self.assertEqual(done.returncode, 3, done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"✗ authority corp: .*ca\.key.* → ")

    def test_one_whose_database_is_locked_is_not_called_well(self) -> None:
        database = sqlite3.connect(self.ca / "ca.db", isolation_level=None)
        self.addCleanup(database.close)
        database.execute("BEGIN IMMEDIATE")
        done = self.connector.command("authority", "test", "corp")
        self.assertEqual(done.returncode, 3, done.stdout + done.stderr)
        self.assertIn("ca.db", done.stdout)
        database.execute("ROLLBACK")
        self.doctor()

    def test_without_a_daemon(self) -> None:
        self.connector.terminate()
        self.addCleanup(lambda: self.connector.running or self.connector.start(timeout=20 * SLOW))
        self.assertEqual(self.connector.command_json("authority", "list")["authorities"][0]["state"], "unknown")
        self.assertIn("does not run", self.connector.command("authority", "list").stdout)
        self.doctor()
        done = self.connector.command("authority", "resume", "corp")
        self.assertEqual((done.returncode, "no daemon runs" in done.stderr), (1, True))


if __name__ == "__main__":
    unittest.main()
