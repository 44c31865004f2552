#!/usr/bin/python3
"""How the command line looks: help with examples, JSON where a script may read, tables that fit, colours only where they are wanted, status --watch."""
import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unittest
from pathlib import Path
from typing import Callable

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))
import pfx  # noqa: E402
import pki  # noqa: E402
from lab import Connector, Lab, find_program  # noqa: E402


def setUpModule() -> None:
    global PKI
    PKI = Path(tempfile.mkdtemp(prefix="pfx-terminal-"))
    unittest.addModuleCleanup(shutil.rmtree, PKI, True)


def commands(*above: str) -> list[list[str]]:
    """The leaves of the tree."""
    text = subprocess.run([str(find_program()), *above, "--help"], capture_output=True, text=True, check=True, timeout=60).stdout
    lines, found = text.splitlines(), []
    if "Subcommands:" not in lines:
        return [list(above)]
    for line in lines[lines.index("Subcommands:") + 1:]:
        if not line.strip():
            break
        if name := re.match(r"  ([a-z][a-z-]*)(\s|$)", line):
            found += commands(*above, name[1])
    return found


class Screen:
    """The program on a terminal of so many columns."""

    def __init__(self, connector: Connector, *arguments: str, columns: int = 80, no_color: str | None = None) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
        if no_color is not None:
            environment["NO_COLOR"] = no_color
        self.process = subprocess.Popen([str(connector.program), "--config", str(connector.config_file), *arguments], stdin=subprocess.DEVNULL, stdout=slave,
                                        stderr=slave, env=environment)
        os.close(slave)
        self.text = ""

    def read(self, until: Callable[[str], bool] = lambda _: False, seconds: float = 40) -> str:
        """Until that is true of all that came, or the program ends."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not until(self.text):
            if not select.select([self.master], [], [], 0.2)[0]:
                continue
            try:
                octets = os.read(self.master, 65536)
            except OSError:
                break
            if not octets:
                break
            self.text += octets.decode()
        return self.text

    def close(self) -> int:
        if self.process.poll() is None:
            self.process.kill()
        os.close(self.master)
        return self.process.wait(10)


class Asked:
    """The program with a terminal of its own, to be typed at."""

    def __init__(self, connector: Connector, *arguments: str) -> None:
        self.master, self.slave = pty.openpty()
        self.process = subprocess.Popen([str(connector.program), "--config", str(connector.config_file), *arguments], stdin=self.slave, stdout=self.slave,
                                        stderr=self.slave, start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        self.text = ""

    def read(self, until: Callable[[str], bool], seconds: float = 60) -> str:
        deadline = time.monotonic() + seconds
        while not until(self.text):
            if time.monotonic() > deadline:
                raise AssertionError(f"did not come: {self.text!r}")
            if select.select([self.master], [], [], 0.1)[0]:
                self.text += os.read(self.master, 65536).decode()
            elif self.process.poll() is not None:
                break
        return self.text

    def shows_what_is_typed(self) -> bool:
        return bool(termios.tcgetattr(self.slave)[3] & termios.ECHO)

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def end(self) -> int:
        """What it said meanwhile is read, or it could not write on."""
        self.read(lambda _: self.process.poll() is not None)
        self.read(lambda _: False if select.select([self.master], [], [], 0)[0] else True)
        return self.process.wait(60)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(20)
        os.close(self.master)
        os.close(self.slave)


class Passwords(unittest.TestCase):
    PASSWORD = "Tr0ub4dor & three"

    @classmethod
    def setUpClass(cls) -> None:
        cls.lab = cls.enterClassContext(Lab(pki_directory=PKI))
        cls.connector = cls.lab.connector(start=False)
        cls.user = cls.lab.user("typist")
        cls.file = cls.lab.directory / "typist.pfx"
        identity = pki.corporate_certificate(cls.lab.pki, cls.user.upn, 2020, key=cls.lab.pki.shared_key("rsa2048", 0))
        cls.file.write_bytes(pfx.export(identity, cls.PASSWORD))

    def add(self, *more: str) -> Asked:
        asked = Asked(self.connector, "import", "add", str(self.file), "--user", self.user.upn, "--purpose", "smimeEncryption", "--key", "ImportKey1", "--dry-run",
                      *more)
        self.addCleanup(asked.close)
        return asked

    def test_it_is_asked_for_and_not_shown(self) -> None:
        for more in ((), ("--password-stdin",)):
            with self.subTest(more):
                asked = self.add(*more)
                asked.read(lambda text: "Password" in text)
                self.assertFalse(asked.shows_what_is_typed())
                asked.type(self.PASSWORD + "\n")
                self.assertEqual(asked.end(), 0, asked.text)
                self.assertNotIn(self.PASSWORD, asked.text)
                self.assertIn("nothing was sent", asked.text)
                self.assertTrue(asked.shows_what_is_typed())

    def test_a_wrong_one_is_a_wrong_one(self) -> None:
        asked = self.add()
        asked.read(lambda text: "Password" in text)
        asked.type("hunter2\n")
        self.assertEqual(asked.end(), 1)
        self.assertIn("the password or the file is wrong", asked.text)
        self.assertNotIn("hunter2", asked.text)

    def test_none_at_all(self) -> None:
        asked = self.add()
        asked.read(lambda text: "Password" in text)
        asked.type("\x04")
        self.assertEqual(asked.end(), 1)
        self.assertIn("no password was given", asked.text)
        self.assertTrue(asked.shows_what_is_typed())

    def test_a_signal_leaves_the_terminal_as_it_was(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(number):
                asked = self.add()
                asked.read(lambda text: "Password" in text)
                self.assertFalse(asked.shows_what_is_typed())
                if number == signal.SIGINT:
                    asked.type("half a pass\x03")
                else:
                    asked.process.send_signal(number)
                self.assertEqual(asked.end(), -number)
                self.assertTrue(asked.shows_what_is_typed())
                self.assertNotIn("half a pass", asked.text)

    def test_stopped_and_gone_on(self) -> None:
        """Nobody could let it go on here, so the system does not stop it; the question comes again all the same."""
        asked = self.add()
        asked.read(lambda text: "Password" in text)
        asked.process.send_signal(signal.SIGTSTP)
        asked.read(lambda text: text.count("Password") == 2)
        asked.type(self.PASSWORD + "\n")
        self.assertEqual(asked.end(), 0, asked.text)

    def test_a_script_is_told_instead(self) -> None:
        done = self.connector.command("import", "add", self.file, "--user", self.user.upn, "--purpose", "smimeEncryption", "--key", "ImportKey1", "--dry-run")
        self.assertEqual(done.returncode, 2)
        self.assertIn("--password-file", done.stderr)


class Help(unittest.TestCase):
    def test_every_command_has_examples_that_name_it(self) -> None:
        found = commands()
        self.assertGreater(len(found), 30)
        for command in found:
            with self.subTest(" ".join(command)):
                text = subprocess.run([str(find_program()), *command, "--help"], capture_output=True, text=True, check=True, timeout=60).stdout
                self.assertIn("Examples:", text)
                examples = [line.strip() for line in text[text.index("Examples:"):].splitlines()[1:] if line.strip()]
                self.assertTrue(any(line.startswith(f"pfx-connector {' '.join(command)}") for line in examples), examples)


class Looks(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.lab = cls.enterClassContext(Lab(pki_directory=PKI))
        cls.connector = cls.lab.connector()
        user = cls.lab.user("a.user.with.a.rather.long.name.that.fills.a.column")
        for _ in range(2):
            cls.lab.delivered(cls.lab.issue(user, cls.lab.device(user, key_kind="ecP256"), key_type="ecP256"))

    def screen(self, *arguments: str, **how) -> str:
        screen = Screen(self.connector, *arguments, **how)
        text = screen.read()
        screen.process.wait(20)
        screen.close()
        return text

    def test_nothing_is_wider_than_the_terminal(self) -> None:
        for command in (["status"], ["requests", "list"], ["issued", "list"], ["recipients", "list"], ["limits", "show"], ["doctor"], ["doctor", "--trust"],
                        ["import", "key", "list"]):
            for columns in (80, 132):
                with self.subTest(command=command, columns=columns):
                    text = re.sub(r"\x1b\[[0-9;]*m", "", self.screen(*command, columns=columns))
                    self.assertGreater(len(text.splitlines()), 1, text)
                    # A request's id is never cut, whatever else has to be.
                    wide = [line for line in text.splitlines() if len(line) > columns]
                    self.assertEqual(wide, [])

    def test_pages_fit_too(self) -> None:
        pages = [["--help"], ["--help-all"], ["explain", "pkcs12"], ["explain", "events"], ["explain", "codes"], ["explain", "KEY-4008"], ["config", "manual"]]
        for page in pages + [[*command, "--help"] for command in commands()]:
            with self.subTest(" ".join(page)):
                text = re.sub(r"\x1b\[[0-9;]*m", "", self.screen(*page))
                self.assertGreater(len(text.splitlines()), 3, text)
                self.assertEqual([line for line in text.splitlines() if len(line) > 80], [])
                self.assertNotIn("\x1b", text)

    def test_an_example_that_was_broken_is_still_a_command(self) -> None:
        text = self.screen("import", "add", "--help").replace("\r\n", "\n")
        whole = text[text.index("Examples:"):].replace(" \\\n", " ")
        lines = [" ".join(line.split()) for line in whole.splitlines()[1:] if line.strip()]
        self.assertTrue(all(line.startswith("pfx-connector import add ") for line in lines), lines)
        plain = self.connector.command("import", "add", "--help").stdout
        self.assertEqual(lines, [line.strip() for line in plain[plain.index("Examples:"):].splitlines()[1:] if line.strip()])

    def test_tables_say_everything(self) -> None:
        """Eight columns in 80: each row takes two lines, rather than that a column is cut to a few letters."""
        text = self.screen("requests", "list")
        self.assertNotIn("…", text)
        rows = self.connector.command_json("requests", "list")["requests"]
        for row in rows:
            for name in ("id", "user", "device", "stage"):
                self.assertIn(row[name], text)
        user = self.lab.user("scanned.with.a.long.name.too")
        folder = self.lab.directory / "scan"
        folder.mkdir()
        identity = pki.corporate_certificate(self.lab.pki, user.upn, 2020, key=self.lab.pki.shared_key("rsa2048", 0))
        (folder / "export-of-a-mail-program-2020.pfx").write_bytes(pfx.export(identity, "word", "rc2-40"))
        (folder / "export-of-a-mail-program-2020.pfx.password").write_text("word\n")
        text = self.screen("import", "scan", str(folder))
        for part in ("export-of-a-mail-program-2020.pfx", user.upn, "pbeWithSHA1And40BitRC2-CBC", "smimeEncryption"):
            self.assertIn(part, text)
        self.assertEqual([line for line in re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines() if len(line) > 80], [])

    def test_nothing_to_list(self) -> None:
        other = self.lab.connector(name="nothing-yet", start=False)
        self.assertEqual(other.command("requests", "list").stdout, "no request is known here\n")
        self.assertEqual(other.command("requests", "list", "--stage", "held").stdout, "no request fits these filters\n")

    def test_colours_only_on_a_terminal_that_wants_them(self) -> None:
        self.assertIn("\x1b[", self.screen("requests", "list"))
        self.assertIn("\x1b[32m✓", self.screen("doctor"))
        for command in (["requests", "list"], ["doctor"], ["status"]):
            self.assertNotIn("\x1b", self.screen(*command, no_color="1"))
            self.assertNotIn("\x1b", self.connector.command(*command).stdout)
        self.assertIn("\x1b[", self.screen("requests", "list", no_color=""), "an empty NO_COLOR is none")

    def test_json_where_a_script_may_read(self) -> None:
        identifier = self.connector.command_json("requests", "list")["requests"][0]["id"]
        for command in (["status"], ["requests", "list"], ["requests", "show", identifier], ["recipients", "list"], ["issued", "list"], ["limits", "show"],
                        ["audit", "verify"], ["import", "key", "list"], ["version"], ["check-config"], ["doctor"], ["doctor", "--trust"], ["explain", "PKCS-1050"],
                        ["explain", "events"], ["explain", "pkcs12"], ["config", "example"], ["config", "manual"], ["import", "key", "export", "ImportKey1"],
                        ["delivery-key", "export"]):
            with self.subTest(" ".join(command)):
                done = self.connector.command(*command, "--json")
                self.assertEqual(done.returncode, 0, done.stderr)
                json.loads(done.stdout)

    # -- status --watch -----------------------------------------------------------------------------------------------
    def test_watch_redraws_a_terminal(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number):
                screen = Screen(self.connector, "status", "--watch", "--interval", "1")
                text = screen.read(lambda text: text.count("\x1b[H\x1b[2J") >= 3)
                screen.process.send_signal(number)
                self.assertEqual(screen.process.wait(20), 0)
                screen.close()
                self.assertGreaterEqual(text.count("\x1b[H\x1b[2J"), 3)
                self.assertIn("queue", text)

    def test_watch_in_a_pipe_is_a_block_for_each_change(self) -> None:
        watching = subprocess.Popen([str(self.connector.program), "--config", str(self.connector.config_file), "status", "--watch", "--interval", "1", "--json"],
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert watching.stdout is not None
        first = json.loads(watching.stdout.readline())
        user = self.lab.user("watched")
        self.lab.delivered(self.lab.issue(user, self.lab.device(user, key_kind="ecP256"), key_type="ecP256"))
        seen = [first]
        while seen[-1]["delivered"] <= first["delivered"]:
            seen.append(json.loads(watching.stdout.readline()))
        # Nothing happens, nothing is said: what comes next is the end of it.
        self.connector.wait_until(lambda: not self.connector.command_json("status")["queue"].get("packaged"), 10, "rest")
        watching.send_signal(signal.SIGINT)
        rest, errors = watching.communicate(timeout=20)
        self.assertEqual((watching.returncode, errors), (0, ""))
        seen += [json.loads(line) for line in rest.splitlines()]
        steady = [{name: value for name, value in each.items() if name not in ("lastLeaseAt", "oldestPendingSeconds", "clockSkewSeconds", "limits")} for each in seen]
        self.assertTrue(all(one != other for one, other in zip(steady, steady[1:])), "a block without a change")

    def test_watch_without_a_daemon_says_so_and_takes_no_lock(self) -> None:
        other = Connector(self.lab.directory / "idle", self.lab.pki, self.lab.url)
        watching = subprocess.Popen([str(other.program), "--config", str(other.config_file), "status", "--watch", "--json"], stdout=subprocess.PIPE, text=True)
        assert watching.stdout is not None
        self.assertEqual(json.loads(watching.stdout.readline())["status"], "stopped")
        self.assertFalse((other.directory / "state" / "connector.lock").exists())
        watching.send_signal(signal.SIGINT)
        watching.communicate(timeout=20)
        self.assertEqual(watching.returncode, 0)


if __name__ == "__main__":
    unittest.main()
