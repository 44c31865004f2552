#!/usr/bin/python3
"""Death at any moment, lost answers, second instances: every order ends once, and no certificate lives that nobody has."""
import hashlib
import os
import signal
import sqlite3
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))
from lab import Connector, ConnectorError, Lab, LabError  # noqa: E402

ASAN = bool(os.environ.get("ASAN_OPTIONS"))
SLOW = 4 if ASAN else 1


class Lock:
    """Nobody else can write to that database meanwhile: work comes to rest just before its commit."""

    def __init__(self, database: Path, how: str = "IMMEDIATE") -> None:
        self._database: sqlite3.Connection | None = sqlite3.connect(database, timeout=10, isolation_level=None)
        self._database.execute(f"BEGIN {how}")

    def release(self) -> None:
        if self._database is not None:
            self._database.execute("ROLLBACK")
            self._database.close()
        self._database = None


class Restart(unittest.TestCase):
    """One lab, one connector, which each test leaves running and idle."""
    drain_seconds = 3

    @classmethod
    def setUpClass(cls) -> None:
        cls.lab = cls.enterClassContext(Lab())
        cls.connector: Connector = cls.lab.connector({"connector": {"drain_seconds": cls.drain_seconds}, "authority": {"corp": {"concurrency": 32}}})
        # What `enroll` said is looked at by test_command_line.
        cls.lab.control.delete("violations")
        cls.people = 0
        cls.disowned: set[str] = set()

    def setUp(self) -> None:
        self.addCleanup(self.lab.control.delete, "violations")
        self.addCleanup(self.lab.good)
        if not self.connector.running:
            self.connector.start(timeout=20 * SLOW)
        self.odd = self.live() ^ self.accepted()  # what an earlier test has left, if it failed

    # -- tools --------------------------------------------------------------------------------------------------------
    def person(self):
        type(self).people += 1
        user = self.lab.user(f"user{self.people}")
        return user, self.lab.device(user, key_kind="ecP256")

    def issue_request(self, **how):
        user, device = self.person()
        return self.lab.issue_request(user, device, key_type="ecP256", **how)

    def deliver_request(self):
        user, device = self.person()
        self.lab.import_history(user, (2020, 2022))
        return self.lab.deliver_request(user, device)

    def mixed(self, issues: int, deliveries: int) -> list[str]:
        return self.lab.queue(*[self.issue_request() for _ in range(issues)], *[self.deliver_request() for _ in range(deliveries)])

    @property
    def ca(self) -> Path:
        return Path(self.connector.settings["authority"]["corp"]["directory"]) / "ca.db"

    @property
    def ledger(self) -> Path:
        return Path(self.connector.settings["storage"]["directory"]) / "connector.db"

    def certificates(self) -> dict[str, bool]:
        """SHA-256 of all that the CA has ever issued, and whether it is revoked."""
        database = sqlite3.connect(f"file:{self.ca}?mode=ro", uri=True, timeout=10)
        try:
            rows = database.execute("SELECT certificate, revoked_at IS NOT NULL FROM issued").fetchall()
        finally:
            database.close()
        return {hashlib.sha256(row[0]).hexdigest(): bool(row[1]) for row in rows}

    def live(self) -> set[str]:
        return {sha256 for sha256, revoked in self.certificates().items() if not revoked}

    def accepted(self) -> set[str]:
        """SHA-256 of every issued certificate that the service holds for a device; not where a fault made it say otherwise."""
        found: set[str] = set()
        for one in self.lab.control.get("requests")["requests"]:
            if one["kind"] == "pkcs.issue" and one["state"] == "done" and one["id"] not in self.disowned and one["result"]["status"] == "delivered":
                found |= {each["sha256"] for each in one["result"]["certificates"]}
        return found

    def lock(self, database: Path, how: str = "IMMEDIATE") -> "Lock":
        made = Lock(database, how)
        self.addCleanup(made.release)
        return made

    def stage(self, identifier: str) -> str:
        rows = self.connector.command_json("requests", "list", "--limit", "1000")["requests"]
        return next((row["stage"] for row in rows if row["id"] == identifier), "unknown")

    def stages(self, ids) -> list[str]:
        rows = self.connector.command_json("requests", "list", "--limit", "1000")["requests"]
        return [row["stage"] for row in rows if row["id"] in ids]

    def wait_stage(self, identifier: str, stage: str) -> None:
        def there() -> bool:
            try:
                return self.stage(identifier) == stage
            except ConnectorError as error:
                if "exit 75" not in str(error):  # "try again later" is an answer while it starts
                    raise
                return False
        self.connector.wait_until(there, 20 * SLOW, f"{identifier} {stage}")

    def story(self, identifier: str) -> str:
        """What the service heard of a request, and what the log says of it."""
        told = (line for line in self.connector.log().splitlines() if identifier in line or " SVC-" in line)
        return "\n".join([str(self.lab.state(identifier)["reports"]), *told])

    def assert_each_ended_once(self, ids, timeout: float = 40) -> None:
        self.assert_each_ended_once_without_the_ca(ids, timeout)
        self.connector.wait_until(lambda: self.live() ^ self.accepted() == self.odd, 15 * SLOW, "the CA's live certificates to be those delivered")
        self.lab.check_clean()

    def assert_each_ended_once_without_the_ca(self, ids, timeout: float = 40) -> None:
        self.lab.wait(*ids, timeout=timeout * SLOW)
        for identifier in ids:
            with self.subTest(identifier):
                told = self.lab.state(identifier)
                self.assertEqual(told["state"], "done")
                self.assertEqual(told["result"]["status"], "delivered", told["result"].get("error"))
                self.assertEqual([each["outcome"] for each in told["reports"]].count("accepted"), 1)
                self.assertLessEqual({each["outcome"] for each in told["reports"]}, {"accepted", "duplicate"}, self.story(identifier))

    # -- killed -------------------------------------------------------------------------------------------------------
    def test_killed_while_thirty_are_in_work(self) -> None:
        for packaged in (0, 10):
            with self.subTest(packaged=packaged):
                self.lab.fault("503", count=-1, call="results", retryAfter=1)
                ids = self.mixed(20, 10)
                self.connector.wait_until(lambda: len(stages := self.stages(ids)) == 30 and stages.count("packaged") >= packaged, 20 * SLOW, "work")
                self.connector.kill()
                self.lab.good()
                self.assertFalse(any(self.lab.state(each)["state"] == "done" for each in ids))
                self.connector.start(timeout=20 * SLOW)
                self.assert_each_ended_once(ids)

    def test_killed_with_a_lease_in_the_air(self) -> None:
        ids = self.mixed(3, 1)
        self.connector.wait_until(lambda: any(self.lab.state(each)["state"] == "leased" for each in ids), 20, "a lease")
        self.connector.kill()
        self.connector.start(timeout=20 * SLOW)
        # What never came to be known here comes with the next lease, once the service's own time is over.
        self.lab.expire_leases()
        self.assert_each_ended_once(ids)

    def test_killed_when_some_are_done(self) -> None:
        ids = self.mixed(20, 10)
        self.connector.wait_until(lambda: any(self.lab.state(each)["state"] == "done" for each in ids), 20, "a first result")
        self.connector.kill()
        self.connector.start(timeout=20 * SLOW)
        self.lab.expire_leases()
        self.assert_each_ended_once(ids)

    def test_killed_again_and_again(self) -> None:
        ids: list[str] = []
        # Two deaths: a third one sets a request aside that was in work at each of them (the crash suite has those).
        for life in range(2):
            new = self.mixed(6, 2)
            ids += new
            seen = ("leased", "done")[life]
            self.connector.wait_until(lambda: sum(self.lab.state(each)["state"] in (seen, "done") for each in new) > life, 20 * SLOW, seen)
            self.connector.kill()
            self.connector.start(wait_ready=life % 2 == 0, timeout=20 * SLOW)
            self.lab.expire_leases()  # what was on its way here when it died
        self.assert_each_ended_once(ids)

    def test_killed_before_the_ca_has_recorded_the_certificate(self) -> None:
        before = set(self.certificates())
        ca = self.lock(self.ca)
        identifier = self.lab.queue(self.issue_request())[0]
        self.wait_stage(identifier, "submitting")
        self.connector.kill()
        ca.release()
        self.connector.start(timeout=20 * SLOW)
        self.assert_each_ended_once([identifier])
        self.assertEqual(len(set(self.certificates()) - before), 1)

    def killed_between_the_cas_certificate_and_the_ledger(self) -> tuple[str, str]:
        """The order, and the certificate that no record knows."""
        before = set(self.certificates())
        ca = self.lock(self.ca)
        identifier = self.lab.queue(self.issue_request())[0]
        self.wait_stage(identifier, "submitting")
        ledger = self.lock(self.ledger)
        ca.release()
        self.connector.wait_until(lambda: len(set(self.certificates()) - before) == 1, 20 * SLOW, "the CA's certificate")
        self.connector.kill()
        ledger.release()
        certificate, = set(self.certificates()) - before
        return identifier, certificate

    def test_killed_after_the_ca_has_issued_and_before_the_ledger_knows(self) -> None:
        identifier, certificate = self.killed_between_the_cas_certificate_and_the_ledger()
        self.connector.start(timeout=20 * SLOW)
        self.assert_each_ended_once([identifier])
        self.assertEqual({each["sha256"] for each in self.lab.result(identifier)["certificates"]}, {certificate},
                         "the certificate that was there already was not found again")

    def test_the_authority_has_left_the_configuration_when_its_certificate_is_there(self) -> None:
        """Whoever renamed it hears of it; the certificate that nobody has is revoked once its authority is back."""
        kept = self.connector.settings
        identifier, orphan = self.killed_between_the_cas_certificate_and_the_ledger()
        self.connector.configure({"authority": {"corp": None, "renamed": kept["authority"]["corp"]}})
        self.connector.start(timeout=20 * SLOW)
        self.assertEqual(self.lab.error(identifier)["code"], "authorityMisconfigured")
        self.connector.wait_until(lambda: any("REV-3052" in line and identifier in line and "no longer configured: corp" in line
                                              for line in self.connector.log().splitlines()), 20 * SLOW, "what keeps it from being revoked")
        self.assertEqual(self.stage(identifier), "revoking")
        self.connector.terminate()
        self.connector.settings = kept
        self.connector.configure({})
        self.connector.start(timeout=20 * SLOW)
        self.connector.wait_until(lambda: orphan not in self.live(), 30 * SLOW, "the orphan's revocation")
        self.wait_stage(identifier, "closed")

    def test_started_while_another_process_locks_the_cas_database(self) -> None:
        user, device = self.person()
        self.lab.import_history(user, (2020, 2022))
        for how in ("IMMEDIATE", "EXCLUSIVE"):
            with self.subTest(how):
                self.connector.terminate()
                ca = self.lock(self.ca, how)
                self.connector.start(timeout=20 * SLOW)
                issue = self.lab.queue(self.issue_request())[0]
                # What needs no CA is served meanwhile.
                self.assert_each_ended_once_without_the_ca(self.lab.queue(self.lab.deliver_request(user, device)))
                ca.release()
                self.assert_each_ended_once([issue])

    def test_killed_after_the_service_took_the_result(self) -> None:
        self.lab.fault("drop-after", call="results")
        identifier = self.lab.queue(self.issue_request())[0]
        self.lab.wait(identifier)
        self.connector.kill()
        self.connector.start(timeout=20 * SLOW)
        self.wait_stage(identifier, "closed")
        self.assert_each_ended_once([identifier])
        self.assertEqual([each["outcome"] for each in self.lab.state(identifier)["reports"]][0], "accepted")

    # -- lost and doubled messages ------------------------------------------------------------------------------------
    def test_a_lost_lease_answer_brings_the_same_requests_again(self) -> None:
        self.lab.fault("drop-after", call="lease", count=2)
        ids = self.mixed(3, 1)
        self.assert_each_ended_once(ids)
        self.assertEqual({self.lab.state(each)["attempt"] for each in ids}, {1}, "leased anew where the same key had to bring the same answer")

    def test_a_lost_result_answer_is_told_again_and_is_a_duplicate(self) -> None:
        self.lab.fault("drop-after", call="results")
        identifier = self.lab.queue(self.issue_request())[0]
        self.wait_stage(identifier, "closed")
        self.assertEqual([each["outcome"] for each in self.lab.state(identifier)["reports"]], ["accepted", "duplicate"])
        self.assert_each_ended_once([identifier])

    def test_an_omitted_outcome_is_asked_for_again(self) -> None:
        self.lab.fault("omit-outcomes")
        ids = self.mixed(2, 1)
        for identifier in ids:
            self.wait_stage(identifier, "closed")
        self.assert_each_ended_once(ids)

    def test_a_lease_older_than_our_result_begins_no_second_order(self) -> None:
        before = set(self.certificates())
        self.lab.fault("503", count=-1, call="results", retryAfter=1)
        identifier = self.lab.queue(self.issue_request())[0]
        self.wait_stage(identifier, "packaged")
        # The service gives it out once more; its answer is on its way while our result is taken.
        self.lab.good()
        self.lab.fault("late", call="lease")
        self.lab.expire_leases(identifier)
        self.lab.wait(identifier, timeout=40 * SLOW)
        self.wait_stage(identifier, "closed")
        self.lab.good()
        # A later order shows that the late answer has been heard.
        self.assert_each_ended_once([*self.lab.queue(self.issue_request()), identifier])
        self.assertEqual(len(set(self.certificates()) - before), 2)

    def test_a_lease_answer_that_is_read_while_our_result_is_noted_begins_no_second_order(self) -> None:
        before = set(self.certificates())
        self.lab.fault("503", count=-1, call="results", retryAfter=1)
        identifier = self.lab.queue(self.issue_request())[0]
        self.wait_stage(identifier, "packaged")
        self.lab.good()
        self.lab.fault("late", call="results", seconds=2)
        self.lab.fault("late", call="lease", seconds=3)
        self.lab.expire_leases(identifier)
        self.connector.wait_until(lambda: all(each["struck"] for each in self.lab.control.get("faults")["faults"]), 20 * SLOW, "both answers to be late")
        since = self.lab.last_call()
        # The answer to the result comes, its closing waits for the disk, and the lease comes beside it.
        ledger = self.lock(self.ledger)
        try:
            self.lab.wait_for_calls("lease", since=since, timeout=4)
        except LabError:
            pass  # a poller that waits for the disk as well asks for nothing
        ledger.release()
        self.lab.good()
        self.wait_stage(identifier, "closed")
        self.assert_each_ended_once([*self.lab.queue(self.issue_request()), identifier])
        self.assertEqual(len(set(self.certificates()) - before), 2)

    def test_an_outcome_of_somebody_elses_request_is_passed_over(self) -> None:
        self.lab.fault("foreign-outcomes")
        self.assert_each_ended_once(self.mixed(1, 1))

    def test_the_same_request_twice_in_one_lease_is_one_order(self) -> None:
        before = set(self.certificates())
        self.lab.fault("duplicate-leases")
        ids = self.lab.queue(self.issue_request(), self.issue_request())
        self.assert_each_ended_once(ids)
        self.assertEqual(len(set(self.certificates()) - before), 2)

    def test_leases_that_come_expired_or_without_end(self) -> None:
        for fault in ("expired-leases", "far-leases"):
            with self.subTest(fault):
                self.lab.fault(fault)
                self.assert_each_ended_once(self.lab.queue(self.issue_request()))

    def test_a_lease_that_expires_in_the_middle_is_taken_anew_by_the_same_record(self) -> None:
        before = set(self.certificates())
        ca = self.lock(self.ca)
        identifier = self.lab.queue(self.issue_request())[0]
        self.wait_stage(identifier, "submitting")
        self.assertEqual(self.lab.expire_leases(identifier), 1)
        self.connector.wait_until(lambda: self.lab.state(identifier)["attempt"] == 2, 20 * SLOW, "the second lease")
        ca.release()
        self.assert_each_ended_once([identifier])
        told = self.lab.state(identifier)
        self.assertEqual(told["result"]["leaseId"], told["leases"][-1]["leaseId"], "a result carries the newest lease")
        self.assertEqual(len(set(self.certificates()) - before), 1)

    # -- ended in order -----------------------------------------------------------------------------------------------
    def test_sigterm_drains_and_what_is_left_is_done_afterwards(self) -> None:
        ids = self.mixed(20, 5)
        self.connector.wait_until(lambda: len(self.stages(ids)) == len(ids), 20 * SLOW, "work")
        self.assertEqual(self.connector.terminate(timeout=self.drain_seconds + 3 * SLOW), 0)
        self.assertEqual(self.lab.heartbeats()[-1]["state"], "draining")
        self.assertEqual(self.connector.command("audit", "verify").returncode, 0)
        self.connector.start(timeout=20 * SLOW)
        self.assert_each_ended_once(ids)

    def test_sigterm_ends_within_drain_seconds_even_if_the_authority_hangs(self) -> None:
        ca = self.lock(self.ca)
        identifier = self.lab.queue(self.issue_request())[0]
        self.wait_stage(identifier, "submitting")
        try:
            self.assertEqual(self.connector.terminate(timeout=self.drain_seconds + 3 * SLOW), 0)
        finally:
            ca.release()
            if self.connector.running:
                self.connector.kill()
        self.connector.start(timeout=20 * SLOW)
        self.assert_each_ended_once([identifier])

    def test_ended_again_and_again_while_service_and_authority_hang(self) -> None:
        """An end that was asked for is nobody's death: three of them set no request aside."""
        ca = self.lock(self.ca)
        identifier = self.lab.queue(self.issue_request())[0]
        for _ in range(4):
            self.connector.wait_until(lambda: self.connector.command_json("authority", "list")["authorities"][0]["inFlight"] == 1, 30 * SLOW, "work")
            self.lab.fault("hang", count=-1, call="any")
            try:
                self.assertEqual(self.connector.terminate(timeout=self.drain_seconds + 3 * SLOW), 0)
            finally:
                if self.connector.running:
                    self.connector.kill()
            self.lab.good()
            self.connector.start(timeout=20 * SLOW)
        ca.release()
        self.assert_each_ended_once([identifier])
        self.assertEqual(self.lab.result(identifier)["status"], "delivered")

    def test_a_second_sigterm_under_load_ends_at_once_and_loses_nothing(self) -> None:
        ca = self.lock(self.ca)  # the first alone would wait for it
        ids = self.mixed(20, 5)
        self.connector.wait_until(lambda: "submitting" in self.stages(ids), 20 * SLOW, "work")
        before = len(self.connector.log())
        self.connector.process.send_signal(signal.SIGTERM)
        self.connector.wait_until(lambda: "SVC-5012" in self.connector.log()[before:], 20 * SLOW, "the first to be heard")
        self.connector.process.send_signal(signal.SIGTERM)
        self.assertEqual(self.connector.wait(self.drain_seconds), 1)
        ca.release()
        self.assertEqual(self.connector.command("audit", "verify").returncode, 0)
        self.connector.start(timeout=20 * SLOW)
        self.assert_each_ended_once(ids)

    def test_a_second_instance_is_refused(self) -> None:
        second = self.connector.command("run", timeout=20 * SLOW)
        self.assertEqual(second.returncode, 2)
        self.assertEqual(len(second.stderr.strip().splitlines()), 1, second.stderr)
        self.assertIn(str(self.connector.settings["storage"]["directory"]), second.stderr)
        self.assertIn(str(self.connector.process.pid), second.stderr)
        self.assertEqual(self.connector.health("/readyz")[0], 200)
        self.assert_each_ended_once(self.lab.queue(self.issue_request()))

    # -- orphans ------------------------------------------------------------------------------------------------------
    def test_what_the_service_does_not_take_is_revoked(self) -> None:
        for outcome in ("cancelled", "superseded", "rejected"):
            with self.subTest(outcome):
                before, known = self.live(), set(self.certificates())
                self.lab.fault("outcome", outcome=outcome, **({"accepted": ["00" * 32]} if outcome == "superseded" else {}))
                identifier = self.lab.queue(self.issue_request())[0]
                self.disowned.add(identifier)
                self.wait_stage(identifier, "closed")
                new = set(self.certificates()) - known
                self.assertEqual(len(new), 1)
                self.connector.wait_until(lambda: new.isdisjoint(self.live()), 15 * SLOW, "the orphan's revocation")
                self.assertEqual(self.live(), before)
                row = next(row for row in self.connector.command_json("issued", "list")["issued"] if row["sha256"] in new)
                self.assertIsNotNone(row["revokedAt"])

    def test_superseded_by_this_very_certificate_is_no_orphan(self) -> None:
        self.lab.fault("503", count=-1, call="results", retryAfter=1)
        identifier = self.lab.queue(self.issue_request())[0]
        self.wait_stage(identifier, "packaged")
        sha256 = next(row["sha256"] for row in self.connector.command_json("issued", "list")["issued"] if row["request"] == identifier)
        self.lab.good()
        self.lab.fault("outcome", outcome="superseded", accepted=["00" * 32, sha256])
        self.wait_stage(identifier, "closed")
        self.assertIn(sha256, self.live())
        self.assertIsNone(next(row["revokedAt"] for row in self.connector.command_json("issued", "list")["issued"] if row["sha256"] == sha256))

    def test_an_orphan_is_revoked_by_the_next_life_where_this_one_could_not(self) -> None:
        known = set(self.certificates())
        self.lab.fault("503", count=-1, call="results", retryAfter=1)
        identifier = self.lab.queue(self.issue_request())[0]
        self.wait_stage(identifier, "packaged")
        ca = self.lock(self.ca)
        self.lab.control.post("cancel", {"ids": [identifier]})
        self.lab.good()
        self.wait_stage(identifier, "revoking")
        self.connector.kill()
        ca.release()
        new = set(self.certificates()) - known
        self.assertFalse(new.isdisjoint(self.live()))
        self.connector.start(timeout=20 * SLOW)
        self.connector.wait_until(lambda: new.isdisjoint(self.live()), 15 * SLOW, "the orphan's revocation")
        self.wait_stage(identifier, "closed")

    def test_withdrawn_while_packaged(self) -> None:
        known = set(self.certificates())
        user, device = self.person()
        self.lab.fault("503", count=-1, call="results", retryAfter=1)
        identifier = self.lab.issue(user, device, key_type="ecP256")
        self.wait_stage(identifier, "packaged")
        withdrawal = self.lab.withdraw(user, device)
        self.wait_stage(identifier, "refused")
        self.lab.good()
        self.assertEqual(self.lab.result(withdrawal)["status"], "completed")
        self.wait_stage(identifier, "closed")
        told = [each["result"] for each in self.lab.state(identifier)["reports"]]
        self.assertEqual({each["error"]["code"] for each in told if each["status"] == "failed"}, {"withdrawn"})
        self.assertEqual([each for each in told if each["status"] == "delivered"], [], "delivered after the withdrawal")
        new = set(self.certificates()) - known
        self.connector.wait_until(lambda: new.isdisjoint(self.live()), 15 * SLOW, "the orphan's revocation")
        self.assertEqual(len(new), 1)
        self.lab.check_clean()

    def test_withdrawn_while_at_the_authority(self) -> None:
        known = set(self.certificates())
        user, device = self.person()
        ca = self.lock(self.ca)
        identifier = self.lab.issue(user, device, key_type="ecP256")
        self.wait_stage(identifier, "submitting")
        withdrawal = self.lab.withdraw(user, device)
        self.connector.wait_until(lambda: self.stage(withdrawal) in ("packaged", "closed"), 20 * SLOW, "the withdrawal")
        ca.release()
        self.assertEqual(self.lab.result(withdrawal)["status"], "completed")
        self.wait_stage(identifier, "closed")
        new = set(self.certificates()) - known
        self.connector.wait_until(lambda: new.isdisjoint(self.live()), 15 * SLOW, "the orphan's revocation")
        self.assertNotIn("delivered", [each["result"]["status"] for each in self.lab.state(identifier)["reports"]])
        # It was never packed; the register knows it all the same.
        rows = [row for row in self.connector.command_json("issued", "list")["issued"] if row["sha256"] in new]
        self.assertEqual([row["request"] for row in rows], [identifier])
        self.assertIsNotNone(rows[0]["revokedAt"])
        self.lab.check_clean()

    def test_a_withdrawal_leaves_other_devices_and_later_requests_alone(self) -> None:
        user, device = self.person()
        other = self.lab.device(user, key_kind="ecP256")
        self.lab.fault("503", count=-1, call="results", retryAfter=1)
        first = self.lab.issue(user, other, key_type="ecP256")
        withdrawal = self.lab.withdraw(user, device)
        later = self.lab.issue(user, device, key_type="ecP256", createdAt="2099-01-01T00:00:00Z")
        self.wait_stage(withdrawal, "packaged")
        self.lab.good()
        self.assertEqual(self.lab.result(withdrawal)["status"], "completed")
        self.assert_each_ended_once([first, later])



if __name__ == "__main__":
    unittest.main()
