#!/usr/bin/python3
"""The main job through the real program over real TLS: sign, deliver the history, withdraw, survive."""
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))
from lab import Lab  # noqa: E402


class MainJob(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.lab = cls.enterClassContext(Lab())
        cls.connector = cls.lab.connector()

    def test_a_signing_certificate_reaches_its_device_and_fits_its_key(self) -> None:
        alice = self.lab.user("alice")
        phone = self.lab.device(alice)
        opened = self.lab.open(phone, self.lab.issue(alice, phone))
        self.assertEqual(len(opened.identities), 1)
        self.lab.check_clean()

    def test_every_key_type_is_issued(self) -> None:
        bob = self.lab.user("bob")
        laptop = self.lab.device(bob, platform="windows", key_kind="ecP256")
        # One after the other: a device takes packages in the order of their sequence alone.
        for kind in ("rsa2048", "rsa3072", "rsa4096", "ecP256", "ecP384"):
            with self.subTest(kind):
                self.assertEqual(len(self.lab.open(laptop, self.lab.issue(bob, laptop, key_type=kind)).identities), 1)
        self.lab.check_clean()

    def test_the_whole_history_opens_on_both_devices_expired_ones_too(self) -> None:
        carol = self.lab.user("carol")
        history = self.lab.import_history(carol, (2016, 2020, 2025))
        wanted = [each.sha256 for each in history]
        for device in (self.lab.device(carol), self.lab.device(carol, platform="windows")):
            opened = self.lab.open(device, self.lab.deliver(carol, device))
            self.assertEqual([each.sha256 for each in opened.identities], wanted)
        self.lab.check_clean()

    def test_a_withdrawal_is_completed_and_revokes_nothing_delivered(self) -> None:
        dave = self.lab.user("dave")
        phone = self.lab.device(dave)
        self.lab.delivered(self.lab.issue(dave, phone))
        result = self.lab.result(self.lab.withdraw(dave, phone))
        self.assertEqual(result["status"], "completed")
        issued = [row for row in self.connector.command_json("issued", "list")["issued"] if row["device"] == phone.id]
        self.assertEqual([row["revokedAt"] for row in issued], [None])
        self.lab.check_clean()


if __name__ == "__main__":
    unittest.main()
