#!/usr/bin/python3
"""The connector's own certificate: renewed while it runs, in force once it has worked, found again after every end in the middle."""
import os
import sys
import unittest
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))
from lab import Connector, Lab  # noqa: E402

SLOW = 4 if os.environ.get("ASAN_OPTIONS") else 1


class Renewal(unittest.TestCase):
    def setUp(self) -> None:
        self.lab = self.enterContext(Lab())

    def connector(self, **settings: Any) -> Connector:
        self.lab.settings(**settings)
        return self.lab.connector(start=False)

    @staticmethod
    def key(connector: Connector) -> bytes:
        return (connector.directory / "state" / "connector.key").read_bytes()

    def renewed(self, connector: Connector, before: bytes) -> None:
        connector.wait_until(lambda: any("MGT-6022" in line for line in connector.audit()), 20 * SLOW, "the renewal")
        connector.wait_until(lambda: any("SVC-5016" in line for line in connector.audit()), 20 * SLOW, "the new pair in force")
        self.assertNotEqual(self.key(connector), before)
        self.assertFalse(list((connector.directory / "state").glob("*.pending*")))
        connector.wait_ready(20 * SLOW)

    def delivers(self, connector: Connector) -> None:
        since = self.lab.last_call()
        ida = self.lab.user("ida")
        self.lab.delivered(self.lab.issue(ida, self.lab.device(ida, key_kind="ecP256"), key_type="ecP256"))
        self.assertEqual([each for each in self.lab.calls("results", since) if each["status"] != 200], [])

    def orders(self) -> list[int]:
        return [each["status"] for each in self.lab.calls("certificate")]

    def test_from_the_day_that_the_service_named(self) -> None:
        connector = self.connector(renew_after_seconds=0)
        before = self.key(connector)
        connector.start()
        self.renewed(connector, before)
        self.delivers(connector)
        self.assertEqual(self.orders(), [200], "at most hourly, though the new one is due as well")
        self.assertEqual(connector.command("audit", "verify").returncode, 0)

    def test_not_before_that_day(self) -> None:
        connector = self.connector(renew_after_seconds=3600)
        before = self.key(connector)
        connector.start()
        self.delivers(connector)
        self.assertEqual((self.orders(), self.key(connector)), ([], before))

    def test_in_the_last_third_where_no_day_is_known(self) -> None:
        connector = self.connector(certificate_days=0.003)  # ten minutes before now, and four after
        certificate = connector.directory / "state" / "connector.crt"
        certificate.write_bytes(certificate.read_bytes()[certificate.read_bytes().index(b"-----BEGIN"):])
        before = self.key(connector)
        self.lab.settings(certificate_days=90)
        connector.start()
        connector.wait_until(lambda: "MGT-6022" in connector.log(), 20 * SLOW, "the last third")
        self.renewed(connector, before)
        self.delivers(connector)

    def test_a_refused_renewal_leaves_the_one_before_in_force(self) -> None:
        connector = self.connector(renew_after_seconds=0)
        before = self.key(connector)
        self.lab.fault("422", call="certificate")
        connector.start()
        connector.wait_until(lambda: "MGT-6023" in connector.log(), 20 * SLOW, "the refusal")
        self.delivers(connector)
        self.assertEqual(self.key(connector), before)
        connector.terminate()
        connector.start()
        self.renewed(connector, before)
        self.delivers(connector)

    def test_a_lost_answer_is_asked_for_again_and_then_begun_anew(self) -> None:
        connector = self.connector(renew_after_seconds=0)
        before = self.key(connector)
        self.lab.fault("drop-after", call="certificate")
        lives = 0
        # Whoever asks again is told that this key has its certificate already: the second life, or the call itself where its connection was a kept one.
        while lives == 0 or "MGT-6022" not in connector.log():
            if lives:
                connector.terminate()
                connector.log_file.unlink()
            self.assertLess(lives, 3)
            lives += 1
            connector.start()
            connector.wait_until(lambda: "MGT-6022" in connector.log() or "MGT-6023" in connector.log(), 20 * SLOW, "a renewal or its failure")
            self.delivers(connector)
        self.assertGreater(lives, 1, "the answer was lost")
        self.renewed(connector, before)
        self.delivers(connector)

    def test_by_hand_a_certificate_that_has_not_worked_is_not_put_in_force_and_tried_by_the_daemon(self) -> None:
        connector = self.connector()
        before = self.key(connector)
        self.lab.fault("503", call="heartbeat")
        said = connector.command("enroll", "--renew")
        self.assertNotEqual(said.returncode, 0)
        self.assertIn("has not worked yet; it is kept", said.stderr)
        self.assertEqual(self.key(connector), before)
        connector.start()
        self.renewed(connector, before)
        self.delivers(connector)
        self.assertEqual(self.orders(), [200])

    def test_an_end_between_its_first_use_and_the_switch_does_not_lock_it_out(self) -> None:
        connector = self.connector()
        before = self.key(connector)
        self.lab.fault("drop-after", call="heartbeat")
        self.assertNotEqual(connector.command("enroll", "--renew").returncode, 0)
        self.assertEqual(self.key(connector), before, "which the service refuses from now on")
        connector.start(wait_ready=False)
        self.renewed(connector, before)
        self.delivers(connector)

    def test_the_only_one_that_works_is_not_thrown_away_for_a_no_in_passing(self) -> None:
        connector = self.connector()
        before = self.key(connector)
        self.lab.fault("drop-after", call="heartbeat")
        self.assertNotEqual(connector.command("enroll", "--renew").returncode, 0, "it is in use from now on, and nobody has heard so")
        self.lab.fault("404", call="heartbeat", count=2)
        self.assertNotEqual(connector.command("enroll", "--renew").returncode, 0)
        self.lab.good()
        connector.start(wait_ready=False)
        self.renewed(connector, before)
        self.delivers(connector)

    def test_one_that_is_refused_is_dropped_while_the_one_before_works(self) -> None:
        connector = self.connector()
        before = self.key(connector)
        self.lab.fault("401", call="heartbeat")
        said = connector.command("enroll", "--renew")
        self.assertIn("the one before works on", said.stderr)
        self.assertEqual(self.key(connector), before)
        self.assertFalse(list((connector.directory / "state").glob("*.pending*")))
        connector.start()
        self.delivers(connector)

    def test_a_faulty_configuration_does_not_keep_the_new_one_from_being_used(self) -> None:
        connector = self.connector(renew_after_seconds=20)
        before = self.key(connector)
        connector.start()
        connector.config_file.write_text(connector.config_file.read_text() + "\n[nonsense]\n")
        connector.wait_until(lambda: any("MGT-6022" in line for line in connector.audit()), 100 * SLOW, "the renewal")
        self.renewed(connector, before)
        self.delivers(connector)

    def test_a_key_in_a_folder_of_its_own_can_be_renewed(self) -> None:
        self.lab.settings(renew_after_seconds=0)
        connector = self.lab.connector(start=False, enrol=False)
        (connector.directory / "keys").mkdir(mode=0o700)
        connector.configure({"management": {"key": connector.directory / "keys" / "connector.key"}})
        connector.enrol(self.lab.token())
        before = (connector.directory / "keys" / "connector.key").read_bytes()
        connector.start()
        connector.wait_until(lambda: any("MGT-6022" in line for line in connector.audit()), 20 * SLOW, "the renewal")
        self.assertNotEqual((connector.directory / "keys" / "connector.key").read_bytes(), before)
        connector.wait_ready(20 * SLOW)
        self.delivers(connector)


if __name__ == "__main__":
    unittest.main()
