#!/usr/bin/python3
"""Certificates that nobody is to have: revoked in the end, whatever is in the way, and in nobody else's way."""
import hashlib
import os
import sqlite3
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))
from lab import Connector, Lab  # noqa: E402

SLOW = 4 if os.environ.get("ASAN_OPTIONS") else 1


class Orphans(unittest.TestCase):
    config: dict = {}

    @classmethod
    def setUpClass(cls) -> None:
        if cls is Orphans:
            raise unittest.SkipTest("only what the others have in common")
        cls.lab = cls.enterClassContext(Lab())
        cls.connector: Connector = cls.lab.connector(cls.config)
        cls.lab.control.delete("violations")  # what `enroll` said is looked at by test_command_line
        cls.people = 0

    def setUp(self) -> None:
        self.addCleanup(self.lab.good)

    # -- tools --------------------------------------------------------------------------------------------------------
    @property
    def ca(self) -> Path:
        return Path(self.connector.settings["authority"]["corp"]["directory"]) / "ca.db"

    def lock(self) -> sqlite3.Connection:
        """The CA neither answers nor writes until this is rolled back."""
        database = sqlite3.connect(self.ca, timeout=30, isolation_level=None)
        self.addCleanup(database.close)
        database.execute("BEGIN EXCLUSIVE")
        return database

    def certificates(self) -> dict[str, bool]:
        """SHA-256 of all that the CA has ever issued, and whether it is revoked."""
        database = sqlite3.connect(f"file:{self.ca}?mode=ro", uri=True, timeout=10)
        try:
            rows = database.execute("SELECT certificate, revoked_at IS NOT NULL FROM issued").fetchall()
        finally:
            database.close()
        return {hashlib.sha256(row[0]).hexdigest(): bool(row[1]) for row in rows}

    def rows(self) -> list[dict]:
        return self.connector.command_json("requests", "list", "--limit", "1000")["requests"]

    def stage(self, identifier: str) -> str:
        return next((row["stage"] for row in self.rows() if row["id"] == identifier), "unknown")

    def wait_stage(self, identifier: str, *stages: str) -> None:
        self.connector.wait_until(lambda: self.stage(identifier) in stages, 20 * SLOW, f"{identifier} {stages}")

    def request(self) -> dict:
        type(self).people += 1
        user = self.lab.user(f"user{self.people}")
        return self.lab.issue_request(user, self.lab.device(user, key_kind="ecP256"), key_type="ecP256")

    def lines(self, event: str, identifier: str) -> list[str]:
        return [line for line in self.connector.log().splitlines() if event in line and identifier in line]

    def abandoned(self, request: dict) -> str:
        """Issued and packed, then given up by the operator, which the service has not heard yet."""
        self.lab.fault("503", count=-1, call="results", retryAfter=1)
        identifier = self.lab.queue(request)[0]
        self.wait_stage(identifier, "packaged")
        self.connector.command("requests", "abandon", identifier, check=True)
        return identifier

    def told(self, identifier: str) -> None:
        self.lab.good()
        self.connector.wait_until(lambda: self.lines("REV-3060", identifier), 20 * SLOW, "the orphan")


class Limited(Orphans):
    config = {"limits": {"revoke_per_hour": 1}}

    def test_certificates_are_counted_and_not_tries(self) -> None:
        identifier = self.abandoned(self.request())
        ca = self.lock()
        self.told(identifier)
        self.connector.wait_until(lambda: self.lines("REV-3052", identifier), 30 * SLOW, "a try that failed")
        ca.execute("ROLLBACK")
        self.wait_stage(identifier, "closed")
        self.assertEqual(list(self.certificates().values()), [True])
        self.assertEqual(self.lines("KEY-4011", identifier), [])
        # And the next one waits for its hour.
        another = self.abandoned(self.request())
        self.told(another)
        self.connector.wait_until(lambda: self.lines("KEY-4011", another),
                                  20 * SLOW, "the limit")
        self.assertEqual(self.stage(another), "revoking")
        self.assertEqual(sorted(self.certificates().values()), [False, True])


class OrderedAgain(Orphans):
    def test_a_closed_id_is_a_new_order_while_the_old_certificate_waits(self) -> None:
        """management-api, "One order, one record": the result was taken, so the order is over; its orphan is our own business."""
        request = self.request()
        identifier = self.abandoned(request)
        orphan = next(iter(self.certificates()))
        ca = self.lock()
        self.told(identifier)
        self.assertEqual(self.lab.error(identifier)["code"], "abandoned")
        self.wait_stage(identifier, "revoking")
        # What a lease call that is older than our report brings of this id is passed over: that call has to be over.
        self.wait_stage(self.lab.queue(self.request())[0], "accepted", "keyed", "submitting")
        self.lab.queue({**request, "id": identifier})
        self.wait_stage(identifier, "accepted", "keyed", "submitting")
        self.assertEqual([row["stage"] for row in self.rows() if row["id"].startswith(identifier) and row["id"] != identifier], ["revoking"])
        ca.execute("ROLLBACK")
        delivered = self.lab.delivered(identifier, timeout=30 * SLOW)["certificates"][0]["sha256"]
        self.connector.wait_until(lambda: [each for each, revoked in self.certificates().items() if revoked] == [orphan], 30 * SLOW, "the orphan's revocation, and no other")
        # Register and audit log name the order that it was issued for.
        rows = {row["sha256"]: row for row in self.connector.command_json("issued", "list")["issued"]}
        self.assertEqual({rows[each]["request"] for each in (orphan, delivered)}, {identifier})
        self.assertIsNotNone(rows[orphan]["revokedAt"])
        self.assertIsNone(rows[delivered]["revokedAt"])
        self.assertTrue(any("REV-3050" in line and f'"{identifier}"' in line for line in self.connector.audit()))
        self.connector.wait_until(lambda: {row["stage"] for row in self.rows()} == {"closed"}, 20 * SLOW, "everything to be over")
        self.lab.check_clean()


if __name__ == "__main__":
    unittest.main()
