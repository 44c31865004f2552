#!/usr/bin/python3
"""A batch with one bad member is halved until the culprit is alone; an answer too large halves what is asked for."""
import json
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))
from lab import Lab  # noqa: E402

WAIT = 60


class Batches(unittest.TestCase):
    def setUp(self) -> None:
        self.lab = self.enterContext(Lab())
        self.connector = self.lab.connector({"management": {"batch": 40, "poll_wait_seconds": 1}}, start=False)
        user = self.lab.user("alice")
        device = self.lab.device(user, key_kind="ecP256")
        self.orders = self.lab.queue(*[self.lab.issue_request(user, device, key_type="ecP256") for _ in range(12)])

    def test_an_answer_that_is_too_large_halves_what_is_asked_for(self) -> None:
        self.lab.fault("too-large", whileMaxRequestsAbove=10, count=-1, call="lease")
        self.connector.start(wait_ready=False)
        self.lab.wait(*self.orders, timeout=WAIT)
        self.assertEqual({self.lab.result(order)["status"] for order in self.orders}, {"delivered"})
        fault, = self.lab.control.get("faults")["faults"]
        self.assertGreaterEqual(fault["struck"], 2, "40 and 20 at least")

    def test_a_result_that_is_refused_keeps_no_other_back(self) -> None:
        culprit, *others = self.orders
        self.lab.fault("400", call="results", count=-1, containing=culprit)
        self.connector.start(wait_ready=False)
        self.lab.wait(*others, timeout=WAIT)
        self.connector.wait_until(lambda: any(line["event"] == "MGT-6013" for line in map(json.loads, self.connector.audit())), WAIT, "MGT-6013")
        refused = [line for line in map(json.loads, self.connector.audit()) if line["event"] == "MGT-6013"]
        self.assertEqual([line["request"] for line in refused], [culprit])
        row, = [row for row in self.connector.command_json("requests", "list")["requests"] if row["id"] == culprit]
        self.assertEqual(row["stage"], "packaged", "its package is kept")
        self.lab.good()
        self.assertEqual(self.connector.command("requests", "retry", culprit).returncode, 0)
        self.lab.delivered(culprit, timeout=WAIT)
        self.assertEqual(len(self.connector.command_json("issued", "list")["issued"]), 12)


if __name__ == "__main__":
    unittest.main()
