#!/usr/bin/python3
"""The device authority's revocation lists: a revoked device gets nothing, and without a current list nobody of that authority does."""
import datetime as dt
import json
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import test_holds as holds  # noqa: E402
from test_holds import Holding  # noqa: E402

import pki  # noqa: E402
import revocation  # noqa: E402

setUpModule = holds.setUpModule


class Lists(Holding):
    @classmethod
    def setUpClass(cls) -> None:
        if cls is Lists:
            raise unittest.SkipTest("only what the others have in common")
        cls.authority = pki.Pki(holds.PKI).device_ca
        super().setUpClass()

    def refused(self, user, device) -> None:
        error = self.lab.error(self.issue(user, device))
        self.assertEqual((error["code"], error["retryable"]), ("recipientUntrusted", False))
        self.assertIn("its authority has revoked it", error["message"])

    def wait_away(self, identifier: str) -> None:
        """It waits, nobody is asked, and the service hears nothing."""
        self.connector.wait_until(lambda: any("AUTH-7033" in line and identifier in line for line in self.connector.log().splitlines()), 15, "the wait")
        self.assertEqual(self.lab.state(identifier)["reports"], [])

    def check(self) -> dict:
        return next(row for row in json.loads(self.connector.health()[1])["checks"] if row["name"] == "revocation")

    def doctor(self) -> list[dict]:
        return [row for row in json.loads(self.connector.command("doctor", "--json").stdout)["checks"] if row["area"] == "revocation"]


class Files(Lists):
    """crl_files."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.file = holds.PKI / "device-ca.crl"
        if cls is not Lists:
            pki.write(cls.file, revocation.crl(pki.Pki(holds.PKI).device_ca))
        cls.config = {"recipients": {"crl_files": [cls.file]}}
        super().setUpClass()

    def publish(self, *revoked, **how) -> None:
        """And until it is in force: its number stands in doctor's line, the daemon looks every two seconds."""
        pki.write(self.file, revocation.crl(self.authority, [device.certificate for device in revoked], **how))

    def test_a_device_that_is_revoked_gets_nothing_more(self) -> None:
        user, device = self.person()
        neighbour, phone = self.person()
        self.lab.import_history(user, (2020,))
        self.lab.open(device, self.issue(user, device))
        self.lab.open(device, self.lab.deliver(user, device))
        self.publish(device)

        def seen() -> bool:
            result = self.lab.result(self.issue(user, device))
            return result["status"] == "failed" and result["error"]["code"] == "recipientUntrusted"
        self.connector.wait_until(seen, 10, "the new list")
        self.refused(user, device)
        self.assertEqual(self.lab.error(self.lab.deliver(user, device))["code"], "recipientUntrusted")
        self.lab.open(phone, self.issue(neighbour, phone))
        good = self.doctor()
        self.assertEqual([row["verdict"] for row in good], ["ok", "ok"], good)
        self.assertIn("1 certificate revoked", good[0]["detail"])
        self.assertEqual(self.check()["status"], "ok")

    def test_a_stale_list_stops_its_devices_until_there_is_a_new_one(self) -> None:
        user, device = self.person()
        self.lab.open(device, self.issue(user, device))
        self.publish(start=pki.now() - dt.timedelta(seconds=30), end=pki.now() + dt.timedelta(seconds=2))
        self.connector.wait_until(lambda: self.check()["status"] == "degraded", 15, "the list's end")
        self.assertEqual(self.check()["detail"], "crlStale")
        identifier = self.issue(user, device)
        self.wait_away(identifier)
        bad = [row for row in self.doctor() if row["verdict"] == "fault"]
        self.assertEqual(len(bad), 1, bad)
        self.assertIn("was to be renewed by", bad[0]["detail"])
        self.assertTrue(any("AUTH-7031" in line and "crlStale" in line for line in self.connector.log().splitlines()))
        self.assertEqual(self.connector.health("/readyz")[0], 200, "what does not need it goes on")
        self.publish(start=pki.now())
        self.lab.open(device, identifier)
        self.assertTrue(any("AUTH-7030" in line for line in self.connector.log().splitlines()))

    def test_a_list_that_is_gone_or_foreign_is_told_and_the_one_before_serves(self) -> None:
        user, device = self.person()
        self.publish()
        self.lab.open(device, self.issue(user, device))
        foreign = pki.Pki(holds.PKI).foreign_device_ca
        for octets, says in ((revocation.crl(foreign), "signed by no authority"), (b"rubbish", "revocation list"),
                             (revocation.crl(self.authority, start=pki.now() - dt.timedelta(days=2)), "crlOlder")):
            with self.subTest(says):
                pki.write(self.file, octets)
                self.connector.wait_until(lambda: any("AUTH-7032" in line and says in line for line in self.connector.log().splitlines()), 10, "the complaint")
                self.lab.open(device, self.issue(user, device))
        self.publish()


class Addresses(Lists):
    """crl_urls."""

    @classmethod
    def setUpClass(cls) -> None:
        if cls is not Lists:
            cls.server = cls.enterClassContext(revocation.ListServer(b"nothing yet"))
            cls.server.status = 503
            cls.config = {"recipients": {"crl_urls": [cls.server.url]}}
        super().setUpClass()

    def test_it_is_fetched_and_what_it_proves_waits_for_it(self) -> None:
        user, device = self.person()
        lost_user, lost = self.person()
        identifier = self.issue(user, device)
        self.wait_away(identifier)
        self.assertEqual(self.check()["detail"], "crlMissing")
        self.connector.wait_until(lambda: any("AUTH-7032" in line and "answers 503" in line for line in self.connector.log().splitlines()), 10, "the complaint")
        self.assertTrue(any(row["verdict"] == "fault" and "answers 503" in row["detail"] for row in self.doctor()))
        # Elsewhere is not where the operator said; and 20 MiB are no list.
        self.server.status, self.server.headers = 302, {"Location": "http://127.0.0.1:1/other.crl"}
        self.assertTrue(any(row["verdict"] == "fault" and "redirects are refused" in row["detail"] for row in self.doctor()))
        self.server.status, self.server.headers, self.server.body = 200, {}, b"\0" * (20 * 1024 * 1024)
        self.assertTrue(any(row["verdict"] == "fault" and "list http" in row["name"] for row in self.doctor()))
        self.server.body = revocation.crl(self.authority, [lost.certificate])
        self.lab.open(device, identifier, timeout=40)
        self.refused(lost_user, lost)
        self.assertEqual([row["verdict"] for row in self.doctor()], ["ok", "ok"])
        asked = self.server.asked
        self.lab.open(device, self.issue(user, device))
        self.assertEqual(self.server.asked, asked, "not for each request")

    def test_z_an_address_is_plain_http_alone(self) -> None:
        settings = self.connector.settings
        try:
            for url in ("https://pki.corp.example/a.crl", "ldap://pki.corp.example/", "http://", "file:///etc/passwd"):
                self.connector.configure({"recipients": {"crl_urls": [url]}})
                done = self.connector.command("check-config")
                self.assertEqual(done.returncode, 2, url)
                self.assertIn("recipients.crl_urls", done.stdout + done.stderr)
        finally:
            self.connector.settings = settings
            self.connector.configure({})


if __name__ == "__main__":
    unittest.main()
