#!/usr/bin/python3
"""`import add` and what it should not be given: the tables of bad_input/tool.py. A bad row hurts itself alone, and whatever fails has sent nothing."""
import csv
import io
import json
import tempfile
import unittest
from pathlib import Path
from typing import Any

from adversary import User, pki
import pfx
from bad_input.table import matches
from bad_input.tool import COMMANDS, PASSWORD, ROWS, Command
from lab import Lab


class Tool(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.place = Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="pfx-tool-")))
        cls.lab = cls.enterClassContext(Lab(cls.place / "lab"))
        cls.connector = cls.lab.connector()
        cls.bob, cls.carla, cls.good = (cls.lab.user(name) for name in ("bob", "carla", "goodneighbour"))

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(dir=self.place))
        (self.folder / "word.txt").write_text(PASSWORD + "\n")

    def identity(self, user: User, year: int = 2020, **how: Any) -> pki.Identity:
        return pki.corporate_certificate(self.lab.pki, user.upn, year, key=self.lab.pki.shared_key("rsa2048", year % 3), **how)

    def file(self, name: str, user: User, year: int = 2020, form: str = "aes256", **how: Any) -> pki.Identity:
        made = self.identity(user, year, **how)
        (self.folder / name).write_bytes(pfx.export(made, PASSWORD, form))
        return made

    def stored(self, user: User) -> list[str]:
        return [each["thumbprint"] for each in self.lab.control.get(f"imports?userPrincipalName={user.upn}")["records"]]

    def test_every_row(self) -> None:
        """All of them in one list, a neighbour's good row beside each; the reports say the same of each."""
        bobs = self.file("good.pfx", self.bob)
        people = {"bob": self.bob.upn, "carla": self.carla.upn}
        rows: list[tuple[str, str, str, str]] = [("good.pfx", "word.txt", self.bob.upn, "smimeEncryption")]
        neighbours = []
        for index, row in enumerate(ROWS):
            if row.make is not None:
                row.make(self)
            rows.append((row.file, row.word, people.get(row.user, row.user), row.purpose))
            if index % 5 == 0:
                neighbours.append(self.file(f"neighbour{index}.pfx", self.good, 2010 + index // 5))
                rows.append((f"neighbour{index}.pfx", "word.txt", self.good.upn, "smimeEncryption"))
        text = io.StringIO()
        csv.writer(text).writerows([("file", "password-file", "upn", "purpose"), *rows])
        (self.folder / "people.csv").write_text(text.getvalue())
        done = self.connector.command("import", "add", "--csv", self.folder / "people.csv", "--key", "ImportKey1", "--json", timeout=90)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        written = json.loads((self.folder / "people.report.json").read_text())["rows"]
        table = list(csv.DictReader(io.StringIO((self.folder / "people.report.csv").read_text(), newline="")))
        self.assertEqual([each["outcome"] for each in table], [each["outcome"] for each in written])
        bad = [each for each, row in zip(written, rows, strict=True) if not row[0].startswith("neighbour")][1:]
        for row, said in zip(ROWS, bad, strict=True):
            with self.subTest(row.what):
                self.assertEqual(said["outcome"], row.outcome, said)
                self.assertTrue(matches(row.says, said["reason"]) and said["reason"], f"{said['reason']!r} is not {row.says!r}")
                self.assertTrue(said["reason"].isprintable(), said)
        with self.subTest("the neighbours"):
            self.assertEqual([each["outcome"] for each, row in zip(written, rows) if row[0].startswith("neighbour")], ["added"] * len(neighbours))
            self.assertEqual(self.stored(self.bob) + self.stored(self.carla), [bobs.thumbprint])
            device = self.lab.device(self.good, key_kind="ecP256")
            opened = self.lab.open(device, self.lab.deliver(self.good, device), timeout=60)
            self.assertEqual([each.sha256 for each in opened.identities], [each.sha256 for each in neighbours])
        with self.subTest("no formula, no secret, nobody else's to read"):
            for line in (self.folder / "people.report.csv").read_text().splitlines():
                for cell in next(csv.reader([line])):
                    self.assertNotRegex(cell, r"^\s*[=+@-]")
            self.assertEqual((self.folder / "people.report.csv").stat().st_mode & 0o077, 0)
            for each in (done.stdout, done.stderr, (self.folder / "people.report.csv").read_text(), (self.folder / "people.report.json").read_text()):
                self.assertNotIn("hunter2", each)
                self.assertNotIn(PASSWORD, each)

    def test_every_command(self) -> None:
        user = self.lab.user("clumsy")
        self.file("good.pfx", user)
        (self.folder / "no.pfx").write_bytes(b"this is no PFX")
        (self.folder / "empty.pfx").write_bytes(b"")
        (self.folder / "wrong.txt").write_text("hunter2 and more\n")
        (self.folder / "utf16.txt").write_text("hunter2 and more\n", "utf-16")
        places = {"list": str(self.folder / "people.csv"), "good": str(self.folder / "good.pfx"), "word": str(self.folder / "word.txt"),
                  "folder": str(self.folder), "user": user.upn}
        since = self.lab.last_call()
        for row in COMMANDS:
            with self.subTest(row.what):
                self.check(row, places)
        sent = [call for call in self.lab.calls("admin", since) if call["method"] != "GET"]
        self.assertEqual((sent, self.stored(user)), ([], []), "nothing was sent")

    def check(self, row: Command, places: dict[str, str]) -> None:
        state = self.folder / "people.import-state"
        for path, content in ((Path(places["list"]), row.list), (state, row.state)):
            path.unlink(missing_ok=True)
            if content is not None:
                path.write_bytes(content if isinstance(content, bytes) else content.replace("{user}", places["user"]).encode())
        arguments = [each.format(**places) for each in row.arguments]
        done = self.connector.command("import", "add", *arguments, *row.rest, "--json")
        self.assertEqual(done.returncode, row.code, done.stdout + done.stderr)
        told = [line for line in done.stderr.strip().splitlines() if "warning: " not in line[:30]]
        self.assertEqual(len(told), 1, f"errors go to stderr, one line: {done.stderr!r}")
        self.assertTrue(matches(row.says, told[0]), f"{told[0]!r} is not {row.says!r}")
        self.assertTrue(told[0].isprintable(), told)
        for secret in ("hunter2", PASSWORD, self.lab.admin_token):
            self.assertNotIn(secret, done.stdout + done.stderr)
        if row.state is not None:
            self.assertEqual(state.read_bytes(), row.state)


if __name__ == "__main__":
    unittest.main()
