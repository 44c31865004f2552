#!/usr/bin/python3
"""A copy while the daemon runs, a copy put back, a damaged file, other processes at the same files: what is noticed, what is held, and that
nothing is lost or taken back."""
import fcntl
import json
import os
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))
from lab import Connector, Lab  # noqa: E402

SLOW = 4 if os.environ.get("ASAN_OPTIONS") else 1


class Storage(unittest.TestCase):
    def setUp(self) -> None:
        self.lab = self.enterContext(Lab())
        self.connector: Connector = self.lab.connector({"connector": {"drain_seconds": 3}})
        self.people = 0

    def issue(self) -> str:
        self.people += 1
        user = self.lab.user(f"user{self.people}")
        return self.lab.queue(self.lab.issue_request(user, self.lab.device(user, key_kind="ecP256"), key_type="ecP256"))[0]

    def deliver(self, *ids: str) -> None:
        self.lab.wait(*ids, timeout=60 * SLOW)
        for identifier in ids:
            self.assertEqual(self.lab.state(identifier)["result"]["status"], "delivered")

    @property
    def ledger(self) -> Path:
        return Path(self.connector.settings["storage"]["directory"]) / "connector.db"

    @property
    def suspect(self) -> Path:
        return self.ledger.with_name("connector.suspect")

    def damage(self, index: str, at: int, octets: bytes) -> None:
        """The first page of an index, while the daemon is down: what starts does not read issued_serial, a check of the whole file does."""
        with sqlite3.connect(self.ledger) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            page = database.execute("PRAGMA page_size").fetchone()[0]
            root = database.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (index,)).fetchone()[0]
        database.close()
        with self.ledger.open("r+b") as file:
            file.seek((root - 1) * page + at)
            file.write(octets * (page if len(octets) == 1 else 1))

    def leave_log(self) -> None:
        """As a killed process leaves one."""
        log = Path(f"{self.ledger}-wal")
        log.touch(mode=0o600)
        log.write_bytes(b"\0" * 32)

    def put_back(self, copy: Path) -> None:
        for suffix in ("-wal", "-shm"):
            Path(f"{self.ledger}{suffix}").unlink(missing_ok=True)
        shutil.copy(copy, self.ledger)

    def checks(self) -> dict[str, str]:
        return {each["name"]: each["status"] for each in json.loads(self.connector.health()[1])["checks"]}

    def disk(self, fault: str) -> Path:
        """From the next start on; the fault is there as long as the file is."""
        library, there = self.connector.directory / "disk.so", self.connector.directory / fault
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, Path(__file__).with_name("hanging_disk.c")], check=True)
        sanitizer = ":".join(filter(None, (os.environ.get("ASAN_OPTIONS"), "verify_asan_link_order=0")))
        self.connector.environment |= {"LD_PRELOAD": str(library), fault: str(there), "ASAN_OPTIONS": sanitizer}
        there.touch()
        return there

    def revoked(self) -> int:
        ca = Path(self.connector.settings["authority"]["corp"]["directory"]) / "ca.db"
        with sqlite3.connect(f"file:{ca}?mode=ro", uri=True) as database:
            return database.execute("SELECT count(*) FROM issued WHERE revoked_at IS NOT NULL").fetchone()[0]

    def test_a_restored_copy_is_held_until_a_person_accepts_it_and_takes_nothing_back(self) -> None:
        self.deliver(self.issue())
        copy = self.connector.directory / "copy.db"
        self.assertIn("copied and checked", self.connector.command("backup", copy, check=True).stdout)
        self.assertEqual(copy.stat().st_mode & 0o777, 0o600)
        self.assertEqual(self.connector.command("backup", copy).returncode, 1, "a copy is not written over")
        self.assertTrue(any("STO-8013" in line for line in self.connector.audit()))

        # Work that the copy knows nothing of.
        self.deliver(self.issue())
        self.connector.terminate()
        for suffix in ("-wal", "-shm"):
            Path(f"{self.ledger}{suffix}").unlink(missing_ok=True)
        shutil.copy(copy, self.ledger)

        waiting = self.issue()
        self.connector.start(wait_ready=False)
        self.connector.wait_until(lambda: "STO-8008" in self.connector.log(), 40 * SLOW, "the restored copy to be noticed")
        self.connector.wait_until(lambda: "storageRestored" in self.connector.health("/readyz")[1], 40 * SLOW, "it to be shown")
        self.assertEqual(self.connector.health("/readyz")[0], 503)
        self.assertEqual(self.lab.state(waiting)["state"], "queued", "nothing is leased meanwhile")
        self.connector.terminate()
        self.assertEqual(self.lab.state(waiting)["state"], "queued")

        # It is still the old copy: starting and stopping has not made it look well.
        self.connector.start("--accept-restore", timeout=40 * SLOW)
        self.deliver(waiting)
        self.assertTrue(any("STO-8012" in line for line in self.connector.audit()))
        self.assertEqual(self.revoked(), 0, "what was delivered in between is not taken back")
        self.connector.terminate()
        self.connector.start(timeout=40 * SLOW)
        self.deliver(self.issue())

    def test_at_57_a_copy_from_before_a_block_is_noticed(self) -> None:
        """No request has ended since: what was done here by hand is what the audit log has and the copy has not."""
        self.deliver(self.issue())
        copy = self.connector.directory / "unblocked.db"
        self.connector.command("backup", copy, check=True)
        self.connector.command("recipients", "block", "--device", "d-stolen", check=True)
        self.connector.terminate()
        for suffix in ("-wal", "-shm"):
            Path(f"{self.ledger}{suffix}").unlink(missing_ok=True)
        shutil.copy(copy, self.ledger)
        mark = len(self.connector.log())
        self.connector.start(wait_ready=False)
        self.connector.wait_until(lambda: "STO-8008" in self.connector.log()[mark:], 40 * SLOW, "the restored copy to be noticed")
        self.assertIn("of the database; this one has had", self.connector.log()[mark:])
        self.connector.wait_until(lambda: self.connector.health("/readyz")[0] == 503, 20 * SLOW, "not-readiness")
        self.connector.terminate()
        self.connector.start("--accept-restore", timeout=40 * SLOW)
        self.deliver(self.issue())

    def test_what_the_service_holds_is_not_revoked_by_a_copy_that_never_saw_the_certificate(self) -> None:
        ca = Path(self.connector.settings["authority"]["corp"]["directory"]) / "ca.db"
        copies = self.connector.directory / "copies"
        copies.mkdir(mode=0o700)

        # A copy of the moment at which the order may have reached the authority: nobody can write there.
        taken = iter(range(1000))

        def caught() -> bool:
            self.copy = copies / f"{next(taken)}.db"
            self.connector.command("backup", self.copy, check=True)
            with sqlite3.connect(f"file:{self.copy}?mode=ro&immutable=1", uri=True) as database:
                row = database.execute("SELECT stage FROM request WHERE id = ?", (order,)).fetchone()
            database.close()
            return row == ("submitting",)

        with sqlite3.connect(ca, timeout=30, isolation_level=None) as database:
            database.execute("BEGIN IMMEDIATE")
            order = self.issue()
            self.connector.wait_until(caught, 120 * SLOW, "a copy of a request that is being submitted")
            database.execute("ROLLBACK")
        database.close()
        self.deliver(order)
        self.connector.terminate()
        for suffix in ("-wal", "-shm"):
            Path(f"{self.ledger}{suffix}").unlink(missing_ok=True)
        shutil.copy(self.copy, self.ledger)
        os.chmod(self.ledger, 0o600)

        # Given up by hand, by somebody who sees only what the copy tells.
        self.connector.command("requests", "abandon", order, check=True)
        mark = len(self.connector.log())
        self.connector.start("--accept-restore", timeout=40 * SLOW)
        self.connector.wait_until(lambda: self.connector.command_json("requests", "show", order)["stage"] == "closed", 60 * SLOW,
                                  "the order to be over here too")
        self.assertEqual(self.lab.state(order)["reports"][-1]["outcome"], "superseded")
        self.assertIn("the certificate that was looked for is the one the service has", self.connector.log()[mark:])
        self.assertEqual(self.revoked(), 0, "it is the one that the service has")
        self.assertEqual(self.lab.state(order)["result"]["status"], "delivered")

    def test_a_damaged_file_stops_the_work_and_not_the_daemon(self) -> None:
        for _ in range(6):
            self.deliver(self.issue())
        self.connector.kill()
        self.damage("issued_serial", 3, b"\xff\xff")
        self.leave_log()
        self.connector.start(wait_ready=False)
        self.connector.wait_until(lambda: "STO-8010" in self.connector.log(), 60 * SLOW, "the damage to be found")
        self.connector.wait_until(lambda: self.connector.health("/readyz")[0] == 503, 20 * SLOW, "not ready")
        waiting = self.issue()
        self.assertEqual(self.connector.health("/healthz")[0], 200)
        self.assertEqual(self.lab.state(waiting)["state"], "queued")

    def test_a_damaged_page_met_at_work_stops_the_work_for_good(self) -> None:
        for _ in range(3):
            self.deliver(self.issue())
        self.assertEqual(self.connector.terminate(60), 0, "closed in order: nothing is checked at the next start")
        self.assertFalse(Path(f"{self.ledger}-wal").exists())
        self.damage("request_due", 0, b"\xff")
        before = len(self.connector.log())
        self.connector.start(wait_ready=False)
        self.connector.wait_until(lambda: "STO-8010" in self.connector.log()[before:], 60 * SLOW, "the damage to be noticed")
        self.connector.wait_until(lambda: "storageCorrupt" in self.connector.health("/readyz")[1], 20 * SLOW, "it to be shown")
        # A poll that was under way may bring the first, which nobody can take in; no other follows.
        over = time.monotonic() + 2 * self.connector.settings["management"]["poll_wait_seconds"]
        first = self.issue()
        self.connector.wait_until(lambda: self.lab.state(first)["state"] == "leased" or time.monotonic() > over, 20 * SLOW, "that poll to end")
        waiting = self.issue()
        self.assertEqual(self.connector.health("/readyz")[0], 503)
        self.assertEqual(self.connector.health("/healthz")[0], 200)
        self.connector.terminate(60)
        self.assertEqual(self.lab.state(waiting)["state"], "queued", "nothing is leased")
        self.assertEqual(self.lab.state(first)["reports"], [], "and nothing is said of what could not be taken in")
        log = self.connector.log()[before:]
        self.assertNotIn("STO-8001", log, "it is not declared recovered")
        self.assertEqual(log.count("STO-8010"), 1, "and told once")
        self.assertTrue(self.suspect.exists(), "the next start knows")

    def test_known_damage_is_known_to_the_next_start(self) -> None:
        self.deliver(self.issue(), self.issue())
        copy = self.connector.directory / "copy.db"
        self.connector.command("backup", copy, check=True)
        self.connector.kill()
        self.damage("issued_serial", 3, b"\xff\xff")
        self.leave_log()
        self.connector.start(wait_ready=False)
        self.connector.wait_until(lambda: "STO-8010" in self.connector.log(), 60 * SLOW, "the damage to be found")
        self.assertEqual(self.connector.terminate(60), 0)

        waiting = self.issue()
        for suffix in ("-wal", "-shm"):
            Path(f"{self.ledger}{suffix}").unlink(missing_ok=True)  # closed in order: it alone does not call for a check
        before = len(self.connector.log())
        self.connector.start(wait_ready=False)
        self.connector.wait_until(lambda: "STO-8010" in self.connector.log()[before:], 60 * SLOW, "the damage to be told again")
        self.assertEqual(self.connector.health("/readyz")[0], 503)
        self.assertIn("storageCorrupt", self.connector.health("/readyz")[1])
        self.assertEqual(self.connector.terminate(60), 0)
        self.assertEqual(self.lab.state(waiting)["state"], "queued", "nothing was leased")

        # Another database gets out by the same check.
        self.put_back(copy)
        self.connector.start("--accept-restore", timeout=40 * SLOW)
        self.deliver(waiting)
        self.assertFalse(self.suspect.exists())
        self.assertIn("STO-8001", self.connector.log()[before:])

    def test_a_mark_that_nobody_explains_costs_a_check_and_nothing_else(self) -> None:
        orders = [self.issue() for _ in range(10)]
        self.connector.wait_until(lambda: any(self.lab.state(each)["state"] != "queued" for each in orders), 20 * SLOW, "work")
        self.connector.kill()
        self.suspect.touch(mode=0o600)
        self.connector.start(timeout=40 * SLOW)
        self.assertFalse(self.suspect.exists())
        self.deliver(*orders)

    def test_what_the_check_cannot_read_is_told_and_tried_again(self) -> None:
        self.deliver(self.issue())
        self.connector.kill()
        unreadable = self.disk("FAIL_READ")
        before = len(self.connector.log())
        self.connector.start(timeout=40 * SLOW)
        self.connector.wait_until(lambda: "STO-8007" in self.connector.log()[before:], 40 * SLOW, "it to be told")
        self.assertEqual(self.checks()["storageCheck"], "degraded")
        self.deliver(self.issue())
        self.assertEqual(self.connector.terminate(60), 0)

        # Over a restart it is owed before anything is leased.
        waiting = self.issue()
        before = len(self.connector.log())
        self.connector.start(wait_ready=False)
        self.connector.wait_until(lambda: "STO-8007" in self.connector.log()[before:], 40 * SLOW, "it to be told again")
        self.assertEqual(self.connector.health("/readyz")[0], 503)
        self.assertEqual(self.lab.state(waiting)["state"], "queued")
        unreadable.unlink()
        self.connector.wait_ready(60 * SLOW)
        self.deliver(waiting)
        self.assertNotIn("storageCheck", self.checks())
        self.assertFalse(self.suspect.exists())

    def test_a_long_check_takes_no_thread_from_the_work(self) -> None:
        self.connector.configure({"connector": {"crypto_threads": 1}})
        self.deliver(self.issue())
        self.connector.kill()
        self.disk("HANG_READ")
        self.connector.start(timeout=40 * SLOW)
        self.deliver(self.issue())

    def test_sigterm_during_a_long_check_ends_in_time_and_the_check_is_owed(self) -> None:
        self.deliver(self.issue())
        self.connector.kill()
        self.damage("issued_serial", 3, b"\xff\xff")
        self.leave_log()
        hang = self.disk("HANG_READ")
        self.connector.start(timeout=40 * SLOW)
        self.assertEqual(self.connector.terminate(timeout=self.connector.settings["connector"]["drain_seconds"] + 3 * SLOW), 0)
        hang.unlink()
        before = len(self.connector.log())
        self.connector.start(wait_ready=False)
        self.connector.wait_until(lambda: "STO-8010" in self.connector.log()[before:], 60 * SLOW, "the damage to be found")

    def test_a_second_signal_during_a_long_check_ends_at_once(self) -> None:
        self.connector.configure({"connector": {"drain_seconds": 60}})
        self.deliver(self.issue())
        self.connector.kill()
        hang = self.disk("HANG_READ")
        self.connector.start(timeout=40 * SLOW)
        self.connector.process.send_signal(signal.SIGTERM)
        self.connector.wait_until(lambda: self.connector.health("/livez")[0] == 0, 20 * SLOW, "all but the check to be over")
        self.connector.process.send_signal(signal.SIGTERM)
        self.assertEqual(self.connector.wait(5 * SLOW), 1)
        hang.unlink()
        self.connector.start(timeout=40 * SLOW)
        self.deliver(self.issue())

    def holder(self, file: Path, start: int, length: int) -> int:
        """Who holds a POSIX lock there; 0 for nobody."""
        question = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, start, length, 0)
        with file.open("r+b") as opened:
            kind, _, _, _, process = struct.unpack("hhqqi4x", fcntl.fcntl(opened, fcntl.F_GETLK, question))
        return 0 if kind == fcntl.F_UNLCK else process

    def check_locks(self, when: str) -> None:
        """SQLite's locks, without which the next process to close the database removes the log under the daemon's hands."""
        ca = Path(self.connector.settings["authority"]["corp"]["directory"]) / "ca.db"
        for database in (self.ledger, ca):
            self.assertEqual(self.holder(database, 0x40000002, 510), self.connector.process.pid, f"{database.name} {when}: its shared lock")
            self.assertEqual(self.holder(Path(f"{database}-shm"), 128, 1), self.connector.process.pid, f"{database.name} {when}: the log is in use")

    def test_the_daemon_keeps_its_locks_whatever_it_looks_at(self) -> None:
        self.deliver(self.issue())
        self.check_locks("after the start")
        self.connector.command("doctor")
        self.check_locks("after doctor")
        self.assertIn(self.connector.command("authority", "test", "corp").returncode, (0, 3))
        self.check_locks("after authority test")

        # Others open and close the same files, while it works.
        orders: list[str] = []
        for _ in range(4):
            orders += [self.issue(), self.issue()]
            beside = [subprocess.Popen([self.connector.program, "--config", self.connector.config_file, "doctor"], env=self.connector.environment,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(2)]
            with sqlite3.connect(self.ledger, timeout=30) as database:
                database.execute("SELECT count(*) FROM request").fetchone()
            database.close()
            for process in beside:
                process.wait(60 * SLOW)
        self.deliver(*orders)
        self.check_locks("after all of that")
        self.connector.kill()
        self.connector.start(timeout=40 * SLOW)
        known = {row["id"]: row["stage"] for row in self.connector.command_json("requests", "list", "--limit", "100")["requests"]}
        self.assertEqual({known.get(identifier) for identifier in orders}, {"closed"}, "nothing that was written is lost")

    def test_a_cut_file_is_refused_with_what_to_do(self) -> None:
        self.deliver(self.issue())
        self.connector.terminate()
        self.assertFalse(Path(f"{self.ledger}-wal").exists(), "closed in order")
        os.truncate(self.ledger, self.ledger.stat().st_size - 100)
        self.connector.start(wait_ready=False)
        self.assertEqual(self.connector.wait(40 * SLOW), 1)
        self.assertIn("cut off", self.connector.output())
        self.assertIn("restore the last backup", self.connector.output())


if __name__ == "__main__":
    unittest.main(verbosity=2)
