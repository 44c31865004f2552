#!/usr/bin/python3
"""What waits too long: a hold that nobody ends, and a package that the service does not take. Days pass by a clock that is set."""
import json
import os
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))
from lab import Lab  # noqa: E402
from test_evidence import DAY, preloaded  # noqa: E402

WAIT = 30


class Patience(unittest.TestCase):
    def setUp(self) -> None:
        self.lab = self.enterContext(Lab(lease_seconds=600))
        self.connector = self.lab.connector({"recipients": {"binding": "register", "hold_days": 7}, "storage": {"keep_undelivered_days": 1}}, start=False)
        self.honest = dict(self.connector.environment)
        self.connector.start()

    def days_later(self, days: int) -> None:
        self.connector.terminate()
        self.lab.settings(date_skew_seconds=days * DAY)
        options = f"{os.environ.get('ASAN_OPTIONS', '')}:verify_asan_link_order=0"
        self.connector.environment = {**self.honest, "LD_PRELOAD": preloaded(self.connector.program), "FAKETIME": f"+{days * DAY}s",
                                      "FAKETIME_DONT_FAKE_MONOTONIC": "1", "ASAN_OPTIONS": options}
        self.connector.start()
        self.connector.environment = self.honest

    def stages(self) -> dict[str, str]:
        return {row["id"]: row["stage"] for row in self.connector.command_json("requests", "list")["requests"]}

    def wait_stage(self, order: str, stage: str) -> None:
        self.connector.wait_until(lambda: self.stages()[order] == stage, WAIT, f"{order} {stage}")

    def audited(self, event: str) -> list[str]:
        return [line["request"] for line in map(json.loads, self.connector.audit()) if line["event"] == event]

    def approve(self, order: str, device) -> None:
        done = self.connector.command("requests", "approve", order, "--key", device.key_sha256[:8])
        self.assertEqual(done.returncode, 0, done.stderr)

    def order(self, name: str):
        user = self.lab.user(name)
        device = self.lab.device(user, key_kind="ecP256")
        order = self.lab.issue(user, device, key_type="ecP256")
        self.wait_stage(order, "held")
        return order, device

    def test_each_wait_has_its_own_time(self) -> None:
        self.lab.fault("503", count=-1, call="results", retryAfter=1)
        old, old_device = self.order("old")
        self.approve(old, old_device)
        self.wait_stage(old, "packaged")
        late, late_device = self.order("late")
        forgotten, _ = self.order("forgotten")
        self.days_later(2)
        self.approve(late, late_device)
        self.wait_stage(late, "packaged")
        # Old and late are looked at together.
        self.days_later(2)
        # The first look comes before the service's Date has confirmed the clock, the next a minute later.
        self.connector.wait_until(lambda: self.audited("KEY-4031"), 120, "KEY-4031")
        self.assertEqual(self.audited("KEY-4031"), [old])
        self.lab.good()
        self.assertEqual(self.connector.command("requests", "retry", late).returncode, 0)
        self.lab.open(late_device, late, timeout=WAIT)
        error = self.lab.error(old, timeout=WAIT)
        self.assertEqual((error["code"], error["retryable"]), ("abandoned", False))
        self.assertIn("keep_undelivered_days", error["message"])
        self.connector.wait_until(lambda: old in self.audited("REV-3050"), WAIT, "its certificate was issued for nobody: revoked")
        self.assertEqual(self.audited("REV-3050"), [old])

        self.assertEqual(self.stages()[forgotten], "held")
        self.days_later(8)
        error = self.lab.error(forgotten, timeout=120)
        self.assertEqual((error["code"], error["retryable"]), ("approvalNeeded", True))
        self.assertEqual(self.audited("KEY-4005"), [forgotten])


if __name__ == "__main__":
    unittest.main()
