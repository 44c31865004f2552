#!/usr/bin/python3
"""Three connectors on one management service and one authority: what one leaves undone when it dies, the others do, once."""
import os
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))
from est_ca import EstCa  # noqa: E402
from lab import Lab  # noqa: E402

SLOW = 4 if os.environ.get("ASAN_OPTIONS") else 1
CONNECTORS = 3


class SideBySide(unittest.TestCase):
    def test_one_dies_and_everything_is_delivered_once(self) -> None:
        lab = self.enterContext(Lab(lease_seconds=8))
        ca = self.enterContext(EstCa(lab.directory / "est"))
        connectors = [lab.connector({"authority": {"est": ca.authority()}}) for _ in range(CONNECTORS)]
        # The service does not take results for now: what a connector dies with has been issued.
        lab.fault("503", count=-1, call="results")
        people = [lab.user(f"user{number}") for number in range(12)]
        devices = {user.upn: lab.device(user, key_kind="ecP256") for user in people}
        histories = {user.upn: lab.import_history(user, (2018, 2021)) for user in people[:4]}
        issues, delivers = {}, {}
        for user in people:
            issues[lab.issue(user, devices[user.upn], key_type="ecP256", authority="est")] = user
            if user.upn in histories:
                delivers[lab.deliver(user, devices[user.upn])] = user
        self.assertEqual(len(issues), len(people))

        names = lab.control.get("connectors")["connectors"]
        self.assertEqual(len(names), CONNECTORS)
        dying = connectors[0]
        dying.wait_until(lambda: dying.metric("requests_pending", stage="packaged") >= 1, 20 * SLOW, "a certificate that waits to be reported")
        dying.kill()
        lab.good()

        done = lab.wait(*issues, *delivers, timeout=60 * SLOW)
        self.assertEqual({each["result"]["status"] for each in done.values()}, {"delivered"}, [each["result"].get("error") for each in done.values()])
        for each in done.values():
            self.assertEqual([report["outcome"] for report in each["reports"]].count("accepted"), 1, "one result is taken, from whomever")
        delivered = set()
        for order, user in issues.items():
            opened = lab.open(devices[user.upn], order).identities
            self.assertEqual(len(opened), 1)
            delivered.add(opened[0].sha256)
        for order, user in delivers.items():
            self.assertEqual([each.sha256 for each in lab.open(devices[user.upn], order).identities], [each.sha256 for each in histories[user.upn]])
        self.assertGreater(len({each["leases"][-1]["connector"] for each in done.values()}), 1, "the work is shared")

        # What the authority has issued beside, for the one that died, is told once it is back: EST has no call to revoke it.
        lost = {each["sha256"] for each in ca.issued()} - delivered
        self.assertNotEqual(lost, set(), "it died with certificates")
        dying.start(timeout=20 * SLOW)
        dying.wait_until(lambda: sum("REV-3051" in line for each in connectors for line in each.audit()) >= len(lost), 60 * SLOW,
                         f"somebody to be told of {len(lost)} certificates")
        for each in connectors:
            self.assertEqual(each.command("audit", "verify").returncode, 0)
        lab.check_clean()


if __name__ == "__main__":
    unittest.main()
