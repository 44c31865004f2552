#!/usr/bin/python3
"""Whether requests are taken: a service that stops giving them out is seen and stays seen, quiet that is asked for is kept, and no more is taken than there is room for."""
import json
import shutil
import sys
import tempfile
import time
import unittest
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))
from est_ca import EstCa  # noqa: E402
from lab import Connector, Lab  # noqa: E402


def setUpModule() -> None:
    global PKI, SILENT
    PKI = Path(tempfile.mkdtemp(prefix="pfx-leasing-"))
    unittest.addModuleCleanup(shutil.rmtree, PKI, True)
    # Silence is told after three minutes: they pass while the other tests run.
    SILENT = Silent(unittest.enterModuleContext(Lab(pki_directory=PKI)))


class Silent:
    """A connector whose lease calls are put off again and again, while its heartbeats are heard."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.connector = lab.connector()
        self.lab.fault("429", count=-1, call="lease", retryAfter=1)
        self.since = time.monotonic()


def failing(connector: Connector) -> list[str]:
    return [each["name"] for each in json.loads(connector.health("/readyz")[1])["failing"]]


def seconds_between(first: dict[str, Any], second: dict[str, Any]) -> float:
    return float(second["time"] - first["time"])


class Refusals(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.lab = cls.enterClassContext(Lab(pki_directory=PKI))
        cls.connector = cls.lab.connector({"management": {"poll_wait_seconds": 1}})
        cls.connector.wait_until(lambda: cls.lab.heartbeats()[-1]["state"] == "ready", 10, "a ready heartbeat")

    def test_heartbeats_do_not_hide_that_nothing_can_be_leased(self) -> None:
        beats, since = len(self.lab.heartbeats()), self.lab.last_call()
        self.lab.fault("500", count=-1, call="lease")
        self.connector.wait_until(lambda: self.connector.health("/readyz")[0] == 503, 20, "readiness to end")
        seen: set[int] = set()

        def failed_again() -> bool:
            seen.add(self.connector.health("/readyz")[0])
            return sum(each["status"] == 500 for each in self.lab.calls("lease", since=since)) >= 5
        self.connector.wait_until(failed_again, 60, "five lease calls that failed")
        self.assertEqual(seen, {503})
        self.assertEqual(failing(self.connector), ["service"])
        self.assertEqual({each["state"] for each in self.lab.heartbeats()[beats:]}, {"notReady"}, "the service hears nothing else")
        self.assertNotIn("MGT-6002", self.connector.log())
        self.lab.good()
        self.connector.wait_until(lambda: self.connector.health("/readyz")[0] == 200, 40, "readiness")
        self.assertEqual(self.connector.log().count("MGT-6002"), 1)
        self.connector.wait_until(lambda: self.lab.heartbeats()[-1]["state"] == "ready", 10, "a ready heartbeat")


class Quiet(unittest.TestCase):
    def slow(self):
        """A lab with leases of thirty seconds, an authority that keeps orders waiting, and how to make one."""
        lab = self.enterContext(Lab(pki_directory=PKI, lease_seconds=30))
        ca = self.enterContext(EstCa(lab.directory / "est"))
        connector = lab.connector({"authority": {"est": ca.authority()}})
        ca.settings(approval="manual", retry_after="2")
        user = lab.user("nora")
        phone = lab.device(user, key_kind="ecP256")
        return lab, ca, connector, lambda: lab.issue(user, phone, key_type="ecP256", authority="est")

    def test_a_renewal_that_is_put_off_is_put_off_and_in_time_all_the_same(self) -> None:
        lab, ca, connector, order = self.slow()
        lab.fault("429", call="lease-renew", retryAfter=60)
        one = order()
        first, second = lab.wait_for_calls("lease-renew", count=2, timeout=60)[:2]
        self.assertEqual((first["status"], second["status"]), (429, 200))
        self.assertGreaterEqual(seconds_between(first, second), 4, "asked again before it had to be")
        ca.good()
        lab.delivered(one, timeout=60)
        self.assertNotIn("MGT-6009", connector.log(), "the lease was lost")

    def test_quiet_that_is_asked_for_again_and_again_ends_with_each_lease(self) -> None:
        """Two leases of thirty seconds, five minutes of quiet: each is asked for in time, and the third answer is a good one."""
        lab, ca, _, order = self.slow()
        lab.fault("429", call="lease-renew", retryAfter=300, count=2)
        first = order()
        lab.wait_for_calls("lease-renew", count=1, timeout=60)
        second = order()
        calls = lab.wait_for_calls("lease-renew", count=3, timeout=90)[:3]
        self.assertEqual([each["status"] for each in calls], [429, 429, 200])
        self.assertLess(seconds_between(calls[0], calls[2]), 60, "the quiet of five minutes would lose them")
        ca.good()
        lab.wait(first, second, timeout=120)
        self.assertEqual({lab.result(each)["status"] for each in (first, second)}, {"delivered"})

    def test_a_lease_call_that_is_refused_is_followed_by_a_heartbeat_at_once(self) -> None:
        """Whether our credential is good is the heartbeat's question, and a minute is long for leases that have to be renewed."""
        with Lab(pki_directory=PKI) as lab:
            connector = lab.connector()
            since = lab.last_call()
            lab.fault("401", call="lease", count=3)
            user = lab.user("nora")
            phone = lab.device(user, key_kind="ecP256")
            # The first ends the lease call that is under way; the next ones are refused.
            lab.delivered(lab.issue(user, phone, key_type="ecP256"))
            lab.delivered(lab.issue(user, phone, key_type="ecP256"), timeout=45)
            self.assertEqual(sum(each["status"] == 401 for each in lab.calls("lease", since)), 3)
            self.assertIn("MGT-6003", connector.log())

    def test_a_heartbeat_that_is_put_off_is_put_off(self) -> None:
        with Lab(pki_directory=PKI) as lab:
            connector = lab.connector(start=False)
            since = lab.last_call()
            lab.fault("429", call="heartbeat", retryAfter=6)
            connector.start()
            first, second = lab.wait_for_calls("heartbeat", count=2, since=since, timeout=90)[:2]
            self.assertEqual((first["status"], second["status"]), (429, 204))
            self.assertGreaterEqual(seconds_between(first, second), 5)
            self.assertLess(seconds_between(first, second), 30, "and no longer than it was asked to be")
            self.assertIn("SVC-5018", connector.log(), "a change of state is told here all the same")


class HighWater(unittest.TestCase):
    def test_no_more_is_taken_than_there_is_room_for_and_all_is_delivered(self) -> None:
        most = 10
        with Lab(pki_directory=PKI) as lab, EstCa(lab.directory / "est") as ca:
            connector = lab.connector({"connector": {"max_pending": most}, "authority": {"est": ca.authority()}})
            ca.settings(approval="manual", retry_after="1")
            user = lab.user("nora")
            phone = lab.device(user, key_kind="ecP256")
            lab.control.delete("violations")
            since = lab.last_call()
            orders = lab.queue(*[lab.issue_request(user, phone, key_type="ecP256", authority="est") for _ in range(25)])
            connector.wait_until(lambda: "MGT-6010" in connector.log(), 30, "the pause")
            self.assertEqual(sum(json.loads(connector.health()[1])["queue"].values()), most)
            self.assertEqual(json.loads(connector.health()[1])["status"], "degraded")
            self.assertEqual(connector.health("/readyz")[0], 200)
            self.assertIn("max_pending", next(each["detail"] for each in json.loads(connector.health()[1])["checks"] if each["name"] == "backlog"))
            ca.good()
            lab.wait(*orders, timeout=120)
            self.assertEqual({lab.result(each)["status"] for each in orders}, {"delivered"})
            log = connector.log()
            self.assertGreaterEqual(log.count("MGT-6011"), 1)
            resumed = [int(line.split("pending=")[1].split()[0]) for line in log.splitlines() if "MGT-6011" in line]
            self.assertLessEqual(max(resumed), most * 8 // 10)
            self.assertLessEqual(max(each.get("items", 0) for each in lab.calls("lease", since=since)), most)
            connector.wait_until(lambda: json.loads(connector.health()[1])["status"] == "ready", 20, "readiness without reserve")
            lab.check_clean()


class Silence(unittest.TestCase):
    def test_zz_minutes_without_an_answered_lease_are_a_fault(self) -> None:
        lab, connector = SILENT.lab, SILENT.connector
        connector.wait_until(lambda: connector.health("/readyz")[0] == 503, 240, "the silence to be told")
        self.assertGreater(time.monotonic() - SILENT.since, 170, "a service may be busy for a while")
        self.assertEqual(failing(connector), ["leasing"])
        connector.wait_until(lambda: lab.heartbeats()[-1]["state"] == "notReady", 10, "the service to hear of it")
        self.assertEqual(connector.log().count("MGT-6027"), 1)
        lab.good()
        connector.wait_until(lambda: connector.health("/readyz")[0] == 200, 90, "readiness")
        self.assertEqual(connector.log().count("MGT-6027"), 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
