#!/usr/bin/python3
"""A disk that is full, and a database that somebody had his hands in."""
import errno
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))
from lab import Connector, Lab  # noqa: E402


class Disk(unittest.TestCase):
    def test_a_full_disk_loses_nothing(self) -> None:
        lab = self.enterContext(Lab())
        connector = lab.connector(enrol=False, start=False)
        state = connector.directory / "state"
        if os.geteuid() != 0 or shutil.which("mount") is None:
            self.skipped("not root: no small file system can be mounted")
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m,mode=0700", "tmpfs", str(state)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            self.skipped(f"mount is not permitted: {done.stderr.strip()}")
        try:
            self.fill(lab, connector, state)
        finally:
            connector.__exit__()
            subprocess.run(["umount", str(state)], check=True)

    def skipped(self, reason: str) -> None:
        print(f"skipped {self.id()}: {reason}", file=sys.stderr)
        self.skipTest(reason)

    def fill(self, lab: Lab, connector: Connector, state: Path) -> None:
        connector.enrol(lab.token())
        connector.start()
        nora = lab.user("nora")
        phone = lab.device(nora, key_kind="ecP256")
        lab.open(phone, lab.issue(nora, phone, key_type="ecP256"))
        ballast = state / "ballast"
        with ballast.open("wb", buffering=0) as stream:
            try:
                while stream.write(bytes(4096)):
                    pass
            except OSError:
                pass
        orders = [lab.issue(nora, phone, key_type="ecP256") for _ in range(30)]
        connector.wait_until(lambda: connector.health("/readyz")[0] == 503, 10, "not-readiness")
        with self.subTest("the event of a full disk"):
            connector.wait_until(lambda: "STO-8005" in connector.log(), 3, "it")
        with self.subTest("a disk that is still full has not recovered"):
            self.assertNotIn("STO-8001", connector.log())
            self.assertNotIn("STO-8008", connector.log())
        self.assertTrue(connector.running)
        ballast.unlink()
        lab.wait(*orders, timeout=40)
        opened = [lab.result(order) for order in orders]
        self.assertEqual({each["status"] for each in opened}, {"delivered"}, [each.get("error") for each in opened if each["status"] != "delivered"])
        connector.wait_ready(20)
        self.assertEqual(connector.terminate(), 0)
        database = sqlite3.connect(state / "connector.db")
        try:
            self.assertEqual(database.execute("PRAGMA integrity_check").fetchone(), ("ok",))
        finally:
            database.close()
        self.assertEqual(connector.command("audit", "verify").returncode, 0)
        lab.check_clean()

    def on_a_disk(self, library: str, switch: str) -> tuple[Lab, Connector, Path]:
        """A connector whose disk is another while the file exists that the switch names."""
        lab = self.enterContext(Lab())
        connector = lab.connector(start=False)
        disk, file = connector.directory / f"{library}.so", connector.directory / library
        subprocess.run(["cc", "-shared", "-fPIC", "-o", disk, Path(__file__).with_name(f"{library}.c")], check=True)
        sanitizer = ":".join(filter(None, (os.environ.get("ASAN_OPTIONS"), "verify_asan_link_order=0")))
        connector.environment |= {"LD_PRELOAD": str(disk), switch: str(file), "ASAN_OPTIONS": sanitizer}
        connector.start()
        return lab, connector, file

    def test_a_disk_that_refuses_writes_is_told_and_loses_nothing(self) -> None:
        """Read-only, full, broken: by the system's own words, without a file system of its own."""
        lab, connector, fault = self.on_a_disk("failing_disk", "FAULT")
        nora = lab.user("nora")
        phone = lab.device(nora, key_kind="ecP256")
        for number, event in ((errno.EROFS, "STO-8007"), (errno.EIO, "STO-8007"), (errno.ENOSPC, "STO-8005")):
            with self.subTest(errno.errorcode[number]):
                fault.write_text(str(number))
                orders = [lab.issue(nora, phone, key_type="ecP256") for _ in range(5)]
                try:
                    connector.wait_until(lambda: connector.health("/readyz")[0] == 503, 20, "not-readiness")
                    connector.wait_until(lambda: event in connector.log(), 10, event)  # equal lines are held back: once is enough
                    self.assertTrue(connector.running)
                finally:
                    fault.unlink()
                lab.wait(*orders, timeout=60)
                self.assertEqual({lab.result(order)["status"] for order in orders}, {"delivered"})
                connector.wait_ready(20)
        self.assertEqual(connector.terminate(), 0)
        self.assertEqual(connector.command("audit", "verify").returncode, 0)
        lab.check_clean()

    def test_a_disk_that_hangs_is_told_and_loses_nothing(self) -> None:
        lab, connector, hang = self.on_a_disk("hanging_disk", "HANG")
        nora = lab.user("nora")
        phone = lab.device(nora, key_kind="ecP256")
        lab.delivered(lab.issue(nora, phone, key_type="ecP256"))
        hang.touch()
        orders = [lab.issue(nora, phone, key_type="ecP256") for _ in range(5)]
        try:
            connector.wait_until(lambda: connector.health("/readyz")[0] == 503, 40, "not-readiness")
            ledger = next(each for each in json.loads(connector.health()[1])["checks"] if each["name"] == "ledger")
            self.assertEqual((ledger["status"], ledger["detail"]), ("failed", "storageHangs"))
            connector.wait_until(lambda: lab.heartbeats()[-1]["state"] == "notReady", 10, "the service's knowledge")
        finally:
            hang.unlink()
        lab.wait(*orders, timeout=40)
        self.assertEqual({lab.result(order)["status"] for order in orders}, {"delivered"})
        connector.wait_ready(20)
        self.assertIn("STO-8001", connector.log())
        self.assertEqual(connector.terminate(), 0)
        self.assertEqual(connector.command("audit", "verify").returncode, 0)
        lab.check_clean()


class Database(unittest.TestCase):
    """Whoever can write the state directory's database still decides nothing."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.pki = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="pfx-pki-"))

    def setUp(self) -> None:
        # One each: a register that was meddled with stays under suspicion.
        self.start_lab()

    def start_lab(self, **settings: Any) -> None:
        self.lab = self.enterContext(Lab(pki_directory=self.pki, **settings))
        self.connector = self.lab.connector({"recipients": {"binding": "register"}})
        self.people = 0

    @property
    def file(self) -> Path:
        return self.connector.directory / "state" / "connector.db"

    def edit(self, *statements: tuple[str, tuple[Any, ...]]) -> None:
        """While the daemon is down; the WAL is written back on the way."""
        if self.connector.running:
            self.connector.terminate()
        database = sqlite3.connect(self.file)
        try:
            for text, values in statements:
                self.assertNotEqual(database.execute(text, values).rowcount, 0, text)
            database.commit()
        finally:
            database.close()

    def columns(self, text: str, *values: Any) -> list[Any]:
        database = sqlite3.connect(self.file)
        try:
            return database.execute(text, values).fetchall()
        finally:
            database.close()

    def held(self, user: Any = None) -> tuple[Any, Any, str]:
        """A first use of a device, which the register binding holds for a person."""
        self.people += 1
        user = user or self.lab.user(f"person{self.people}")
        phone = self.lab.device(user, key_kind="ecP256")
        order = self.lab.issue(user, phone, key_type="ecP256")
        self.connector.wait_until(lambda: [line for line in self.connector.audit() if "KEY-4003" in line and order in line], 10, "the hold")
        return user, phone, order

    def approve(self, order: str, phone: Any) -> None:
        self.connector.command("requests", "approve", order, "--key", phone.key_sha256[:8], check=True)

    def test_a_database_of_a_newer_version_is_left_alone(self) -> None:
        _, phone, order = self.held()
        self.connector.terminate()
        (version,), = self.columns("PRAGMA user_version")
        self.edit_version(version + 1)
        before = self.file.read_bytes()
        said = self.connector.command("run", timeout=20)
        self.assertEqual(said.returncode, 2, said.stdout + said.stderr)
        self.assertIn("newer version", said.stderr)
        self.assertIn("connector.db", said.stderr)
        self.assertEqual(len(said.stderr.strip().splitlines()), 2, said.stderr)
        self.assertIn("STO-8003", self.connector.log())
        self.assertEqual(self.file.read_bytes(), before, "nothing was written")
        self.edit_version(version)
        self.connector.start()
        self.approve(order, phone)
        self.assertEqual(len(self.lab.open(phone, order).identities), 1)

    def test_another_sealing_key_touches_nothing(self) -> None:
        _, phone, order = self.held()
        self.connector.terminate()
        key = Path(self.connector.settings["sealing"]["key"].removeprefix("file:"))
        right = key.read_bytes()
        before = self.file.read_bytes()
        key.write_bytes(os.urandom(32))
        said = self.connector.command("run", timeout=20)
        self.assertEqual(said.returncode, 2, said.stdout + said.stderr)
        self.assertIn("STO-8009", said.stderr)
        self.assertIn("STO-8009", self.connector.log())
        self.assertEqual(self.file.read_bytes(), before, "nothing was written")
        key.write_bytes(right)
        self.connector.start()
        self.approve(order, phone)
        self.assertEqual(len(self.lab.open(phone, order).identities), 1)
        self.assertNotIn("STO-8004", self.connector.log())

    def edit_version(self, version: int) -> None:
        database = sqlite3.connect(self.file)
        database.execute(f"PRAGMA user_version={version}")
        database.close()

    def test_edited_rows_are_quarantined_and_never_delivered(self) -> None:
        self.start_lab(lease_seconds=20)
        _, _, approved = self.held()
        victim, _, swapped = self.held()
        _, _, mallorys = self.held()
        _, phone, untouched = self.held()
        self.connector.terminate()
        (body, device), = self.columns("SELECT request, device_id FROM request WHERE id=?", mallorys)
        self.edit(("UPDATE request SET stage='accepted', held_reason=NULL, held_detail=NULL, held_since=NULL WHERE id=?", (approved,)),
                  ("UPDATE request SET request=?, device_id=? WHERE id=?", (body, device, swapped)))
        self.connector.start()
        for order in (approved, swapped):
            with self.subTest("quarantined", order=order):
                self.connector.wait_until(lambda: [line for line in self.connector.log().splitlines() if "STO-8004" in line and order in line], 10,
                                          "the event of a quarantined row")
                self.check_audited("STO-8004", order)
        with self.subTest("an untouched neighbour goes on"):
            self.approve(untouched, phone)
            self.assertEqual(len(self.lab.open(phone, untouched).identities), 1)
        for order in (approved, swapped):
            with self.subTest("never delivered", order=order):
                self.assertNotEqual((self.lab.state(order)["result"] or {}).get("status"), "delivered")
        for order in (approved, swapped):
            with self.subTest("nothing is lost: its lease is let go, and leased anew it is judged anew", order=order):
                self.connector.wait_until(lambda: [each for each in self.connector.command_json("requests", "list", "--stage", "held")["requests"]
                                                   if each["id"] == order], 90, "the hold")

    def test_a_register_that_was_written_by_hand_binds_nothing(self) -> None:
        user, phone, order = self.held()
        other, known, first = self.held()
        self.approve(first, known)
        self.lab.delivered(first)
        self.connector.terminate()
        key = bytes.fromhex(phone.key_sha256)
        check = b"\0" * len(self.columns("SELECT check_value FROM pin LIMIT 1")[0][0])
        self.edit(("INSERT INTO pin VALUES (?,?,?,?,?,'register:hand',1,1,?)",
                   (phone.id, user.id, user.upn, key, bytes.fromhex(phone.recipient_sha256), check)),
                  ("INSERT INTO approval VALUES (?,?,?,?,'root',1,4000000000,?)", (user.id, phone.id, key, user.upn, check)),
                  ("INSERT OR REPLACE INTO enrolment_window VALUES (1,1,4000000000,100,0,'root',?)", (check,)))
        self.connector.start()
        again = self.lab.issue(user, phone, key_type="ecP256")
        self.check_not_delivered(again)
        self.assertIsNone(self.lab.state(order)["result"])
        self.lab.check_clean()
        self.check_audited("STO-8004", "pin")

    def test_a_pin_turned_to_another_key_is_not_believed(self) -> None:
        user, phone, order = self.held()
        self.approve(order, phone)
        self.lab.delivered(order)
        thief = self.lab.device(user, phone.id, key_kind="ecP256")
        self.edit(("UPDATE pin SET spki_sha256=? WHERE device=?", (bytes.fromhex(thief.key_sha256), phone.id)))
        self.connector.start()
        stolen = self.lab.issue(user, thief, key_type="ecP256")
        self.check_not_delivered(stolen)
        self.lab.check_clean()
        # It stays so until a person has looked: what is there then is taken as it is, and the word that was given counts again.
        self.connector.terminate()
        self.connector.start("--accept-restore")
        self.check_audited("STO-8012", "what is there is taken as it is")
        self.assertFalse([line for line in self.connector.audit() if "STO-8012" in line and "this one has had" in line], "nothing was restored")
        self.lab.delivered(self.lab.issue(user, phone, key_type="ecP256"))

    def check_not_delivered(self, order: str) -> None:
        """Held, or failed with a code of the contract's table: the service hears of it either way."""
        self.connector.wait_until(lambda: self.lab.state(order)["result"] is not None or [
            line for line in self.connector.audit() if "KEY-4003" in line and order in line], 10, "a hold or a result")
        self.assertNotEqual((self.lab.state(order)["result"] or {}).get("status"), "delivered")

    def check_audited(self, *words: str) -> None:
        self.assertTrue([line for line in self.connector.audit() if all(word in line for word in words)], f"no line in the audit log with {words}")


if __name__ == "__main__":
    unittest.main()
