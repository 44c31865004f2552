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
        steady = [{name: value for name, value in each.items() if name not in ("lastLeaseAt", "oldestPendingSeconds", "limits")} for each in seen]
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
