#!/usr/bin/python3
"""Directories that misbehave: what they have to prove waits, nothing leaves, and nobody else waits with it."""
import json
import shutil
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))
from directory import Slapd  # noqa: E402
from evil_directory import WAYS, EvilDirectory  # noqa: E402
from lab import Connector, Lab  # noqa: E402


def setUpModule() -> None:
    global PKI
    PKI = Path(tempfile.mkdtemp(prefix="pfx-directory-"))
    unittest.addModuleCleanup(shutil.rmtree, PKI, True)


class Evil(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.lab = cls.enterClassContext(Lab(pki_directory=PKI))
        cls.honest = cls.enterClassContext(Slapd(cls.lab.directory / "slapd", cls.lab.pki))
        cls.people = 0
        cls.connector = cls.lab.connector(start=False)

    def person(self):
        type(self).people += 1
        user = self.lab.user(f"user{self.people}")
        device = self.lab.device(user, key_kind="ecP256", flaw="no-user")
        self.honest.device(device.id, self.honest.person(user))
        return user, device

    def started(self, url: str, **section) -> Connector:
        if self.connector.running:
            self.connector.terminate()
        for name in (self.connector.log_file,):
            name.unlink(missing_ok=True)
        self.connector.configure(self.honest.config(url=url, **{"timeout_seconds": 2, **section}))
        self.addCleanup(self.connector.__exit__)
        return self.connector.start()

    def waiting(self, order: str, code: str) -> bool:
        return any("AUTH-7023" in line and order in line and code in line for line in self.connector.log().splitlines())

    def check_waits(self, code: str) -> None:
        """An order waits, an honest neighbour whose request needs no proof is served, and the daemon answers."""
        user, device = self.person()
        order = self.lab.issue(user, device, key_type="ecP256")
        self.connector.wait_until(lambda: self.waiting(order, code), 30, "the order to wait")
        began = time.monotonic()
        neighbour, phone = self.person()
        self.assertEqual(self.lab.result(self.lab.withdraw(neighbour, phone))["status"], "completed")
        self.assertLess(time.monotonic() - began, 10)
        self.assertEqual(self.connector.health("/readyz")[0], 200)
        self.assertEqual(self.lab.state(order)["reports"], [])
        checks = json.loads(self.connector.health("/healthz")[1])["checks"]
        found = next(each for each in checks if each["name"] == "directory")
        self.assertEqual((found["status"], found["detail"]), ("degraded", code))
        audit = [json.loads(line) for line in self.connector.audit()]
        self.assertFalse([line for line in audit if line.get("request") == order and line["event"] in ("KEY-4030", "PKCS-1040", "PKCS-1050")])
        self.lab.withdraw(user, device)
        self.assertEqual(self.lab.control.post("wait", {"ids": [order], "timeoutSeconds": 30})["requests"][order]["state"], "cancelled")

    def test_a_second_address_takes_over_whatever_the_first_does(self) -> None:
        with EvilDirectory(self.lab.pki, "silent") as evil:
            self.started(f"{evil.url} {self.honest.url}", timeout_seconds=4, cache_seconds=0)
            for way in ("silent", *WAYS):
                with self.subTest(way):
                    evil.way = way
                    user, device = self.person()
                    self.lab.open(device, self.lab.issue(user, device, key_type="ecP256"))
            self.assertEqual(evil.followed, 0, "a referral was followed")

    def test_alone_it_keeps_its_requests_waiting_and_nobody_else(self) -> None:
        expected = {"referral": "directoryMisconfigured"}
        with EvilDirectory(self.lab.pki, "silent") as evil:
            for way in ("silent", *WAYS):
                with self.subTest(way):
                    evil.way = way
                    self.started(evil.url, timeout_seconds=1)
                    self.check_waits(expected.get(way, "directoryUnreachable"))
            self.assertGreater(evil.searches, len(WAYS) - 1)
            self.assertEqual(evil.followed, 0, "a referral was followed")

    def test_more_entries_than_asked_for_are_several(self) -> None:
        with EvilDirectory(self.lab.pki, "three") as evil:
            self.started(evil.url)
            user, device = self.person()
            error = self.lab.error(self.lab.issue(user, device, key_type="ecP256"))
            self.assertEqual((error["code"], "several persons" in error["message"]), ("recipientUnbound", True), error)

    def test_another_certificate_is_no_directory(self) -> None:
        for certificate in ("service-foreign", "service-wrong-name", "service-expired"):
            with self.subTest(certificate), EvilDirectory(self.lab.pki, "slow", certificate) as evil:
                self.started(evil.url)
                self.check_waits("directoryUnreachable")
                self.assertEqual(evil.searches, 0, "it was asked")

    def test_the_environment_does_not_weaken_it(self) -> None:
        with EvilDirectory(self.lab.pki, "slow", "service-foreign") as evil:
            self.connector.environment.update(LDAPTLS_REQCERT="never", LDAPTLS_CACERT=str(self.lab.pki.path("foreign-ca.crt")), LDAPREFERRALS="on")
            self.addCleanup(lambda: [self.connector.environment.pop(name) for name in ("LDAPTLS_REQCERT", "LDAPTLS_CACERT", "LDAPREFERRALS")])
            self.started(evil.url)
            self.check_waits("directoryUnreachable")
            self.assertEqual(evil.searches, 0)

    def test_a_wrong_password_and_a_wrong_base(self) -> None:
        wrong = self.lab.directory / "wrong.password"
        wrong.write_text("no\n")
        wrong.chmod(0o600)
        for section, code, word in (({"credential": f"file:{wrong}"}, "directoryRefusedUs", "credential"),
                                    ({"user_base": "ou=Nowhere,dc=corp,dc=example"}, "directoryMisconfigured", "user_base")):
            with self.subTest(section):
                self.started(self.honest.url, **section)
                self.check_waits(code)
                self.assertIn("AUTH-7022", self.connector.log())
                doctor = self.connector.command("doctor")
                self.assertEqual(doctor.returncode, 3)
                lines = [line for line in doctor.stdout.splitlines() if "directory" in line and word in line]
                self.assertTrue(lines, doctor.stdout)
                self.assertNotIn(self.honest.password, doctor.stdout + self.connector.log())

    def test_doctor_finds_a_person(self) -> None:
        self.person()
        self.started(self.honest.url)
        checks = [each for each in json.loads(self.connector.command("doctor", "--json").stdout)["checks"] if each["area"] == "directory"]
        self.assertEqual({each["verdict"] for each in checks}, {"ok"}, checks)
        self.assertTrue(any("is found" in each["detail"] for each in checks), checks)
        trust = self.connector.command("doctor", "--trust").stdout
        self.assertIn("the directory must name that person", trust)
        self.assertIn("managedBy", trust)


if __name__ == "__main__":
    unittest.main()
