#!/usr/bin/python3
"""A request that was given up after a day, and whose report the service does not take: seen, and revived by a person."""
import os
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))
from est_ca import EstCa  # noqa: E402
from lab import Lab  # noqa: E402
from test_evidence import DAY, preloaded  # noqa: E402


class DeadLetters(unittest.TestCase):
    def test_listed_and_revived(self) -> None:
        with Lab() as lab, EstCa(lab.directory / "est") as ca:
            connector = lab.connector({"authority": {"est": ca.authority(breaker={"failures": 100, "open_seconds": 1})}})
            user = lab.user("nora")
            phone = lab.device(user, key_kind="ecP256")
            ca.fault("status", count=-1, status=503)
            order = lab.issue(user, phone, key_type="ecP256", authority="est")
            connector.wait_until(lambda: sum(each["call"] == "simpleenroll" for each in ca.calls()) >= 5, 120, "the fewest tries")
            connector.terminate()
            # A day is over for the daemon, and for the service with it.
            lab.fault("500", count=-1, call="results")
            lab.settings(date_skew_seconds=2 * DAY)
            honest = connector.environment
            connector.environment = {**honest, "LD_PRELOAD": preloaded(connector.program), "FAKETIME": f"+{2 * DAY}s", "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                                     "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}
            connector.start()
            connector.environment = honest

            def abandoned() -> list[str]:
                return [each["id"] for each in connector.command_json("requests", "list", "--stage", "abandoned")["requests"]]
            connector.wait_until(lambda: abandoned() == [order], 60, "the dead letter")
            connector.wait_until(lambda: "MGT-6012" in connector.log(), 30, "a report that was not taken")
            shown = connector.command("requests", "list", "--stage", "abandoned")
            self.assertEqual(shown.returncode, 0, shown.stderr)
            self.assertIn(order, shown.stdout)
            connector.wait_until(lambda: connector.metric("requests_pending", stage="abandoned") == 1, 10, "the metric")
            self.assertEqual((ca.issued(), lab.state(order)["reports"]), ([], []))

            ca.good()
            self.assertNotEqual(connector.command_json("requests", "retry", order)["stage"], "abandoned")
            lab.good()
            self.assertEqual(len(lab.open(phone, order, timeout=60).identities), 1)
            self.assertEqual(abandoned(), [])
            self.assertEqual(len(ca.issued()), 1)
            self.assertEqual(len(lab.state(order)["reports"]), 1, "the service never heard that it was given up")
            lab.check_clean()


if __name__ == "__main__":
    unittest.main(verbosity=2)
