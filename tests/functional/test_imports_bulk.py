#!/usr/bin/python3
"""Imports at scale: lists and folders, interrupted and gone on with, reported, and harmless whatever stands in them."""
import contextlib
import csv
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))
import pfx  # noqa: E402
import pki  # noqa: E402
from lab import Lab  # noqa: E402

PASSWORD = "Tr0ub4dor & three"
WAIT = 60


class Bulk(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        temporary = tempfile.TemporaryDirectory(prefix="pfx-bulk-")
        cls.addClassCleanup(temporary.cleanup)
        cls.place = Path(temporary.name)
        cls.lab = cls.enterClassContext(Lab(cls.place / "lab"))
        cls.connector = cls.lab.connector()
        cls.people = 0

    def setUp(self) -> None:
        self.addCleanup(self.lab.good)
        self.folder = Path(tempfile.mkdtemp(dir=self.place))
        self.word = self.folder / "word.txt"
        pki.write(self.word, PASSWORD.encode() + b"\n", private=True)

    def person(self):
        type(self).people += 1
        return self.lab.user(f"bulk{self.people}")

    def file(self, name: str, user, year: int = 2020, password: str = PASSWORD, form: str = "aes256", **how) -> pki.Identity:
        how.setdefault("key", self.lab.pki.shared_key("rsa2048", year % 3))
        identity = pki.corporate_certificate(self.lab.pki, user.upn, year, **how)
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_bytes(pfx.export(identity, password, form))
        return identity

    def write_list(self, rows, name: str = "people.csv", header=("file", "password-file", "upn", "purpose")) -> Path:
        text = io.StringIO()
        csv.writer(text).writerows([header, *rows])
        (self.folder / name).write_text(text.getvalue())
        return self.folder / name

    def run_bulk(self, *arguments, code: int = 0):
        done = self.connector.command("import", "add", *arguments, "--key", "ImportKey1", "--json", timeout=WAIT)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        self.assertNotIn(PASSWORD, done.stdout + done.stderr)
        return json.loads(done.stdout) if done.stdout else done.stderr

    def report(self, stem: str = "people.report"):
        """The same rows out of both reports."""
        document = json.loads((self.folder / f"{stem}.json").read_text())
        table = list(csv.DictReader(io.StringIO((self.folder / f"{stem}.csv").read_text(), newline="")))
        self.assertEqual([row["outcome"] for row in table], [row["outcome"] for row in document["rows"]])
        return document["rows"], table

    def stored(self, user) -> list[dict]:
        return self.lab.control.get(f"imports?userPrincipalName={user.upn}")["records"]

    def counts(self, answer) -> dict:
        return {name: count for name, count in answer["counts"].items() if count}


class Lists(Bulk):
    def test_what_was_added_is_one_history_and_the_device_gets_it(self) -> None:
        alice, bob = self.person(), self.person()
        first, second = self.file("a/one.pfx", alice, 2018), self.file("a/two, \"new\".p12", alice, 2020)
        self.file("bob.pfx", bob, password="hunter2 and more")
        (self.folder / "bob.txt").write_text("hunter2 and more\r\n")
        rows = [("a/one.pfx", "word.txt", alice.upn, "smimeEncryption"), ("a/two, \"new\".p12", "word.txt", alice.upn.upper(), "smimeEncryption"),
                ("bob.pfx", "bob.txt", bob.upn, "smimeEncryption")]
        self.assertEqual(self.counts(self.run_bulk("--csv", self.write_list(rows))), {"added": 3})
        device = self.lab.device(alice, key_kind="ecP256")
        opened = self.lab.open(device, self.lab.deliver(alice, device), timeout=WAIT)
        self.assertEqual([each.sha256 for each in opened.identities], [first.sha256, second.sha256])
        self.assertEqual(len(self.stored(bob)), 1)

    def test_a_second_run_changes_nothing_and_says_so(self) -> None:
        people = [self.person() for _ in range(4)]
        rows = []
        for user in people:
            for year in (2018, 2020, 2022):
                self.file(f"{user.upn}-{year}.pfx", user, year)
                rows.append((f"{user.upn}-{year}.pfx", "word.txt", user.upn, "smimeEncryption"))
        path = self.write_list(rows)
        self.assertEqual(self.counts(self.run_bulk("--csv", path)), {"added": 12})
        self.assertFalse((self.folder / "people.import-state").exists(), "nothing is left to go on with")
        first = [self.stored(user) for user in people]
        since = self.lab.last_call()
        done = self.connector.command("import", "add", "--csv", path, "--key", "ImportKey1")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("12 unchanged", done.stdout)
        self.assertIn("nothing was changed", done.stdout)
        self.assertEqual([self.stored(user) for user in people], first)
        calls = self.lab.calls("admin", since)
        self.assertEqual([call["method"] for call in calls], ["GET"] * 4, "the store is asked once for each person, not for each row")
        self.assertTrue(all("userPrincipalName=" in call["path"] for call in calls))

    def test_each_statement_names_the_whole_history(self) -> None:
        user = self.person()
        old = self.lab.import_history(user, (2010,))
        new = [self.file(f"{year}.pfx", user, year) for year in (2016, 2018, 2020)]
        self.run_bulk("--csv", self.write_list([(f"{year}.pfx", "word.txt", user.upn, "smimeEncryption") for year in (2016, 2018, 2020)]), "--jobs", "3")
        expected = sorted(each.sha256 for each in [*old, *new])
        lines = [self.statement(record) for record in self.stored(user) if record["thumbprint"] != old[0].thumbprint]
        self.assertEqual([line[6] for line in lines], [",".join(expected)] * 3)
        self.assertEqual(len({line[7] for line in lines}), 1, "one sequence for what was signed in one go")

    def statement(self, record) -> list[str]:
        import base64
        import openssl
        with openssl.secrets(cms=base64.b64decode(record["importerSignature"])) as files:
            said, _ = openssl.run("cms", "-verify", "-inform", "DER", "-in", files["cms"], "-noverify", "-certfile", self.lab.pki.path("importer.crt"),
                                  "-nointern", "-binary")
        return said.decode().split("\n")

    def test_dry_run_says_everything_and_sends_nothing(self) -> None:
        user = self.person()
        self.file("good.pfx", user)
        (self.folder / "bad.pfx").write_bytes(b"nothing")
        path = self.write_list([("good.pfx", "word.txt", user.upn, "smimeEncryption"), ("bad.pfx", "word.txt", user.upn, "smimeEncryption")])
        self.connector.terminate()
        self.addCleanup(self.connector.start)
        since = self.lab.last_call()
        answer = self.run_bulk("--csv", path, "--dry-run", code=1)
        self.assertEqual(self.counts(answer), {"checked": 1, "refused": 1})
        self.assertEqual(self.report()[0][0]["subject"].count("CN="), 1)
        # The long poll of the daemon that has just gone is noticed late.
        self.assertEqual([call for call in self.lab.calls(since=since) if call["call"] != "lease"], [])
        self.assertEqual(self.stored(user), [])
        self.assertFalse((self.folder / "people.import-state").exists())

    def test_other_content_needs_replace(self) -> None:
        user, clean = self.person(), self.person()
        identity = self.file("one.pfx", user)
        self.file("two.pfx", clean)
        self.lab.store(self.lab.records(user, [identity], importer=self.lab.pki.foreign_importer))
        before = self.stored(user)
        path = self.write_list([("one.pfx", "word.txt", user.upn, "smimeEncryption"), ("two.pfx", "word.txt", clean.upn, "smimeEncryption")])
        self.assertEqual(self.counts(self.run_bulk("--csv", path, code=1)), {"added": 1, "refused": 1})
        self.assertIn("--replace", self.report()[0][0]["reason"])
        self.assertEqual(self.stored(user), before)
        self.assertEqual(self.counts(self.run_bulk("--csv", path, "--replace")), {"replaced": 1, "unchanged": 1})
        self.assertNotEqual(self.stored(user), before)

    def test_a_report_writes_over_nothing_but_a_report(self) -> None:
        user = self.person()
        self.file("one.pfx", user)
        path = self.write_list([("one.pfx", "word.txt", user.upn, "smimeEncryption")])
        before = Path(path).read_bytes()
        other = self.folder / "budget.csv"
        other.write_text("year,sum\n")
        for name, kept, text in ((str(path).removesuffix(".csv"), Path(path), before), (str(self.folder / "budget"), other, other.read_bytes())):
            done = self.run_bulk("--csv", path, "--report", name, code=2)
            self.assertIn("--report", done if isinstance(done, str) else str(done))
            self.assertEqual(kept.read_bytes(), text)
        self.assertEqual(self.stored(user), [])

    def test_a_folder_too_deep_is_refused_by_name(self) -> None:
        user = self.person()
        self.file(f"history/{user.upn}/smimeEncryption/2018/a.pfx", user)
        self.assertEqual(self.counts(self.run_bulk("--folder", self.folder / "history", "--password-file", self.folder / "word.txt", code=1)), {"refused": 1})

    def test_a_409_is_looked_into(self) -> None:
        """The store says that a record is there which it did not list."""
        same, other = self.person(), self.person()
        self.file("same.pfx", same)
        path = self.write_list([("same.pfx", "word.txt", same.upn, "smimeEncryption")])
        self.run_bulk("--csv", path)
        before = self.stored(same)
        self.lab.fault("patch", call="admin", set={"value": []})
        self.assertEqual(self.counts(self.run_bulk("--csv", path)), {"unchanged": 1})
        self.assertEqual(self.stored(same), before)
        identity = self.file("other.pfx", other)
        self.lab.store(self.lab.records(other, [identity], importer=self.lab.pki.foreign_importer))
        before = self.stored(other)
        path = self.write_list([("other.pfx", "word.txt", other.upn, "smimeEncryption")])
        self.lab.fault("patch", call="admin", set={"value": []})
        self.assertEqual(self.counts(self.run_bulk("--csv", path, code=1)), {"refused": 1})
        self.assertEqual(self.stored(other), before)
        self.lab.fault("patch", call="admin", set={"value": []})
        self.assertEqual(self.counts(self.run_bulk("--csv", path, "--replace")), {"replaced": 1})

    def test_an_answer_lost_is_no_second_record(self) -> None:
        """The record is stored, its answer is not received: the next attempt finds its own."""
        user = self.person()
        self.file("one.pfx", user)
        path = self.write_list([("one.pfx", "word.txt", user.upn, "smimeEncryption")])
        self.lab.fault("drop-after", call="admin", withBody=True)
        self.assertEqual(self.counts(self.run_bulk("--csv", path)), {"added": 1})
        first = self.stored(user)
        self.lab.store(self.lab.records(user, [self.file("two.pfx", user, 2018)], importer=self.lab.pki.foreign_importer))
        path = self.write_list([("two.pfx", "word.txt", user.upn, "smimeEncryption")])
        self.lab.fault("drop-after", call="admin", withBody=True)
        self.assertEqual(self.counts(self.run_bulk("--csv", path, "--replace")), {"replaced": 1})
        self.assertEqual(len(self.stored(user)), 2)
        self.assertEqual(self.stored(user)[0], first[0])

    def test_what_the_store_refused_stands_in_no_list(self) -> None:
        """Else it would be missed on the connector's host for ever. The first, the second, the last of three is refused."""
        for spared in range(3):
            with self.subTest(spared=spared):
                user = self.person()
                files = [self.file(f"{user.upn}-{year}.pfx", user, year) for year in (2016, 2017, 2018)]
                path = self.write_list([(f"{user.upn}-{year}.pfx", "word.txt", user.upn, "smimeEncryption") for year in (2016, 2017, 2018)])
                self.lab.fault("413", call="admin", withBody=True, spare=spared)
                self.assertEqual(self.counts(self.run_bulk("--csv", path, code=1)), {"added": 2, "failed": 1})
                self.assertEqual(self.newest_list(user), sorted(each.sha256 for each in files if each is not files[spared]))
                device = self.lab.device(user, key_kind="ecP256")
                self.assertEqual(len(self.lab.open(device, self.lab.deliver(user, device), timeout=WAIT).identities), 2)
                self.assertEqual(self.counts(self.run_bulk("--csv", path)), {"added": 1, "unchanged": 2})
                self.assertEqual(self.newest_list(user), sorted(each.sha256 for each in files))

    def test_what_the_store_refused_of_files_stands_in_no_list(self) -> None:
        user = self.person()
        files = [self.file(f"{year}.pfx", user, year) for year in (2016, 2017, 2018)]
        self.lab.fault("413", call="admin", withBody=True, spare=1)
        done = self.add_files(user, 2016, 2017, 2018, 2018)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual(self.newest_list(user), [files[0].sha256])
        done = self.add_files(user, 2016, 2017, 2016, 2018)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual([row["outcome"] for row in json.loads(done.stdout)["certificates"]], ["unchanged", "added", "duplicate", "added"])
        self.assertEqual(self.newest_list(user), sorted(each.sha256 for each in files))

    def test_what_may_be_stored_stays_in_the_list(self) -> None:
        """An answer that is lost says nothing of the record: a list without it would let the service hide it."""
        user = self.person()
        files = [self.file(f"{year}.pfx", user, year) for year in (2016, 2017)]
        self.lab.fault("drop-after", call="admin", withBody=True, spare=1)
        self.assertNotEqual(self.add_files(user, 2016, 2017).returncode, 0)
        self.assertEqual(len(self.stored(user)), 2)
        self.assertEqual(self.newest_list(user), sorted(each.sha256 for each in files))
        self.assertEqual(self.add_files(user, 2016, 2017).returncode, 0)
        self.assertEqual(self.newest_list(user), sorted(each.sha256 for each in files))

    def add_files(self, user, *years: int):
        return self.connector.command("import", "add", *(str(self.folder / f"{year}.pfx") for year in years), "--user", user.upn, "--purpose", "smimeEncryption",
                                      "--key", "ImportKey1", "--password-file", str(self.word), "--json")

    def newest_list(self, user) -> list[str]:
        newest = max((self.statement(record) for record in self.stored(user)), key=lambda lines: int(lines[7]))
        return newest[6].split(",")

    def test_an_interrupt_is_heeded_while_the_store_is_listed(self) -> None:
        """A list of pages without end, each other than the one before."""
        user = self.person()
        self.file("one.pfx", user)
        path = self.write_list([("one.pfx", "word.txt", user.upn, "smimeEncryption")])
        self.lab.fault("next-link", call="admin", count=-1, url=f"{self.lab.url}/imported-certificates?page={{n}}", seconds=1)
        since = self.lab.last_call()
        process = self.start(path)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.lab.wait_for_calls("admin", 2, since, timeout=WAIT)
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(WAIT), 75)
        self.assertEqual(json.loads(process.stdout.read())["ended"], "interrupted")
        self.lab.good()
        self.lab.fault("next-link", call="admin", count=-1, url=f"{self.lab.url}/imported-certificates?page={{n}}")
        since = self.lab.last_call()
        self.assertEqual(self.counts(self.run_bulk("--csv", path, code=1)), {"failed": 1})
        self.assertEqual(len(self.lab.calls("admin", since)), 100)
        self.assertIn("100 pages", self.report()[0][0]["reason"])

    def start(self, path: Path, *more: str) -> subprocess.Popen:
        return subprocess.Popen([str(self.connector.program), "--config", str(self.connector.config_file), "import", "add", "--csv", str(path), "--key",
                                 "ImportKey1", "--json", *more], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                env=self.connector.environment)

    def interrupted(self, number: int):
        """A run of sixty rows ended by that signal after the fifth was stored."""
        people = [self.person() for _ in range(20)]
        rows = []
        for user in people:
            for year in (2017, 2019, 2021):
                self.file(f"{user.upn}-{year}.pfx", user, year)
                rows.append((f"{user.upn}-{year}.pfx", "word.txt", user.upn, "smimeEncryption"))
        path = self.write_list(rows)
        state = self.folder / "people.import-state"
        process = self.start(path, "--jobs", "1")
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        deadline = time.monotonic() + WAIT
        while not state.exists() or state.read_bytes().count(b"\n") < 6:
            self.assertIsNone(process.poll(), "it ended by itself")
            self.assertLess(time.monotonic(), deadline)
        if number == signal.SIGKILL:
            process.kill()
        else:
            process.send_signal(number)
        code = process.wait(WAIT)
        self.assertTrue(state.exists(), "what is done stays written down")
        self.assertEqual(state.stat().st_mode & 0o077, 0)
        done = state.read_text().count("\n") - 1
        self.assertLess(done, 60)
        for secret in (PASSWORD, people[0].upn, people[0].upn.split("@")[0]):
            self.assertNotIn(secret, state.read_text())
        return people, path, state, done, code, process

    def resume(self, people, path, state, done) -> None:
        with state.open("ab") as torn:
            torn.write(b"0123456789abcdef")
        since = self.lab.last_call()
        answer = self.run_bulk("--csv", path)
        counts = self.counts(answer)
        self.assertEqual(counts["doneBefore"], done)
        self.assertEqual(sum(counts.values()), 60)
        self.assertLessEqual(counts.get("unchanged", 0), 1, "at most what was stored and not yet written down")
        self.assertLessEqual(len([call for call in self.lab.calls("admin", since) if call["method"] == "POST"]), 60 - done)
        self.assertEqual([len(self.stored(user)) for user in people], [3] * 20)
        self.assertFalse(state.exists())
        for user in (people[0], people[19]):
            names = {self.statement(record)[6] for record in self.stored(user)}
            self.assertEqual([len(each.split(",")) for each in names], [3] * len(names))

    def test_goes_on_after_a_kill(self) -> None:
        people, path, state, done, _, _ = self.interrupted(signal.SIGKILL)
        self.resume(people, path, state, done)

    def test_goes_on_after_an_interrupt(self) -> None:
        people, path, state, done, code, process = self.interrupted(signal.SIGINT)
        self.assertEqual(code, 75)
        answer = json.loads(process.stdout.read())
        self.assertEqual(answer["ended"], "interrupted")
        self.assertEqual(answer["counts"]["added"] + answer["counts"]["notReached"], 60)
        self.assertEqual(self.report()[0][-1]["outcome"], "notReached")
        self.assertIn(b"go on", process.stderr.read())
        self.resume(people, path, state, done)

    def test_a_service_in_trouble(self) -> None:
        user = self.person()
        self.file("one.pfx", user)
        path = self.write_list([("one.pfx", "word.txt", user.upn, "smimeEncryption")])
        self.lab.fault("503", call="admin", count=1)
        self.lab.fault("drop-after", call="admin", count=1)
        self.assertEqual(self.counts(self.run_bulk("--csv", path)), {"added": 1})
        self.assertEqual(len(self.stored(user)), 1)
        other = self.person()
        self.file("two.pfx", other)
        path = self.write_list([("two.pfx", "word.txt", other.upn, "smimeEncryption")])
        self.lab.fault("503", call="admin", count=-1, retryAfter=3600)
        answer = self.run_bulk("--csv", path, code=75)
        self.assertEqual((answer["ended"], self.counts(answer)), ("stopped", {"notReached": 1}))
        self.lab.good()
        self.assertEqual(self.counts(self.run_bulk("--csv", path)), {"added": 1})

    def test_a_refused_token_ends_the_run_at_once(self) -> None:
        users = [self.person() for _ in range(5)]
        for user in users:
            self.file(f"{user.upn}.pfx", user)
        path = self.write_list([(f"{user.upn}.pfx", "word.txt", user.upn, "smimeEncryption") for user in users])
        self.lab.fault("401", call="admin", count=-1)
        since = self.lab.last_call()
        answer = self.run_bulk("--csv", path, "--jobs", "1", code=1)
        self.assertEqual(self.counts(answer), {"notReached": 5})
        self.assertEqual(len(self.lab.calls("admin", since)), 1)

    def test_an_alias_and_a_former_name(self) -> None:
        user = self.person()
        self.file("old.pfx", user, mails=["maiden@corp.example"])
        header = ("file", "password-file", "upn", "purpose", "address")
        path = self.write_list([("old.pfx", "word.txt", user.upn, "smimeEncryption", "")], header=header)
        self.run_bulk("--csv", path, code=1)
        path = self.write_list([("old.pfx", "word.txt", user.upn, "smimeEncryption", "x@corp.example; maiden@corp.example")], header=header)
        self.assertEqual(self.counts(self.run_bulk("--csv", path)), {"added": 1})

    def test_a_report_where_it_is_wanted(self) -> None:
        user = self.person()
        self.file("one.pfx", user)
        path = self.write_list([("one.pfx", "word.txt", user.upn, "smimeEncryption")])
        self.run_bulk("--csv", path, "--report", self.folder / "mine")
        self.assertEqual([row["outcome"] for row in self.report("mine")[0]], ["added"])

    def test_a_disk_that_is_full_before_the_report_is_written(self) -> None:
        user = self.person()
        self.file("one.pfx", user)
        path = self.write_list([("one.pfx", "word.txt", user.upn, "smimeEncryption")])
        small = self.folder / "small"
        small.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=0700", "tmpfs", str(small)], capture_output=True, text=True, check=False)
        if mounted.returncode != 0:
            print(f"skipped {self.id()}: no small file system: {mounted.stderr.strip()}", file=sys.stderr)
            self.skipTest("mount is not permitted")
        try:
            self.lab.fault("late", call="admin", seconds=WAIT)
            since = self.lab.last_call()
            process = self.start(path, "--report", str(small / "mine"))
            self.lab.wait_for_calls("admin", 1, since, timeout=WAIT)
            with contextlib.suppress(OSError), (small / "rubbish").open("wb", buffering=0) as full:
                while full.write(bytes(4096)):
                    pass
            self.lab.good()
            said, complained = process.communicate(timeout=WAIT)
            self.assertEqual(process.returncode, 1, complained)
            self.assertIn(b"No space left on device", complained)
            answer = json.loads(said)
            self.assertEqual((self.counts(answer), answer["report"]), ({"added": 1}, []))
            self.assertEqual(json.loads((small / "mine.json").read_text())["ended"], "running", "the one there is from the start, and whole")
        finally:
            subprocess.run(["umount", str(small)], check=True)
        self.assertEqual(self.counts(self.run_bulk("--csv", path)), {"unchanged": 1})

    def test_two_runs_of_one_list(self) -> None:
        import fcntl
        user = self.person()
        self.file("one.pfx", user)
        path = self.write_list([("one.pfx", "word.txt", user.upn, "smimeEncryption")])
        with (self.folder / "people.import-state").open("wb") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            self.assertIn("another import", self.run_bulk("--csv", path, code=75))
        self.run_bulk("--csv", path)


class Folders(Bulk):
    def test_a_folder_of_people(self) -> None:
        alice, bob = self.person(), self.person()
        top = self.folder / "history"
        self.file(f"history/{alice.upn}/2018.pfx", alice, 2018)
        self.file(f"history/{alice.upn}/2020.PFX", alice, 2020, password="of its own")
        (top / alice.upn / "2020.PFX.password").write_text("of its own\n")
        (top / alice.upn / "password").write_text(PASSWORD + "\n")
        self.file(f"history/{alice.upn}/smimeSigning/s.p12", alice, 2024, purpose="smimeSigning")
        self.file(f"history/{bob.upn}/one.pfx", bob)
        self.file("history/loose.pfx", bob)
        (top / "notes.txt").write_text("no PFX")
        (top / bob.upn / ".hidden.pfx").write_bytes(b"")
        (top / bob.upn / "link.pfx").symlink_to(top / "loose.pfx")
        answer = self.run_bulk("--folder", top, "--purpose", "smimeEncryption", code=1)
        self.assertEqual(self.counts(answer), {"added": 3, "refused": 2})
        rows, _ = self.report("history.report")
        reasons = {row["file"]: row.get("reason") for row in rows if row["outcome"] == "refused"}
        self.assertIn("whose it is", reasons["loose.pfx"])
        self.assertIn("no password", reasons[f"{bob.upn}/one.pfx"])
        self.assertEqual(sorted(record["intendedPurpose"] for record in self.stored(alice)), ["smimeEncryption"] * 2 + ["smimeSigning"])
        (top / "loose.pfx").unlink()
        answer = self.run_bulk("--folder", f"{top}/", "--purpose", "smimeEncryption", "--password-file", self.word)
        self.assertEqual(self.counts(answer), {"added": 1, "unchanged": 3})
        self.assertEqual(self.lab.violations(), [])


if __name__ == "__main__":
    unittest.main()
