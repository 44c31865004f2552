#!/usr/bin/python3
"""Whoever started the daemon is told of start, state, reload and end, and that it lives; and what the daemon has forbidden itself.

The service manager is a real datagram socket, as systemd has one; systemd itself is `tests/run systemd`.
"""
import ctypes
import json
import re
import signal
import socket
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))
from est_ca import EstCa  # noqa: E402
from lab import Connector, Lab  # noqa: E402

PATIENCE = 2.0  # seconds, the watchdog's


class Manager:
    """Listens as systemd does; `heard` grows."""

    def __init__(self, path: Path) -> None:
        self.heard: list[tuple[float, dict[str, str]]] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                text = self._socket.recv(4096).decode()
            except OSError:
                return
            fields = dict(line.partition("=")[::2] for line in text.split("\n"))
            self.heard.append((time.monotonic(), fields))

    def close(self) -> None:
        self._socket.close()

    def of(self, name: str, since: int = 0) -> list[str]:
        return [fields[name] for _, fields in self.heard[since:] if name in fields]

    def beats(self, since: float) -> list[float]:
        return [at for at, fields in list(self.heard) if "WATCHDOG" in fields and at >= since]


class Service(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        place = Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="pfx-service-")))
        cls.manager = Manager(place / "notify")
        cls.addClassCleanup(cls.manager.close)
        cls.lab = cls.enterClassContext(Lab())
        cls.ca = cls.enterClassContext(EstCa(cls.lab.directory / "est"))
        cls.connector: Connector = cls.lab.connector({"authority": {"slow": cls.ca.authority(timeout_seconds=30)}}, start=False)
        cls.connector.environment.update(NOTIFY_SOCKET=str(place / "notify"), WATCHDOG_USEC=str(int(PATIENCE * 1e6)))
        cls.started = time.monotonic()
        cls.connector.start()

    def until(self, true, what: str, timeout: float = 15) -> None:
        self.connector.wait_until(true, timeout, what)

    def issue(self, name: str, **how) -> str:
        user = self.lab.user(name)
        return self.lab.issue(user, self.lab.device(user, key_kind="ecP256"), key_type="ecP256", **how)

    # -- what the manager hears ---------------------------------------------------------------------------------------
    def test_ready_is_said_at_the_start(self) -> None:
        first = [fields for _, fields in self.manager.heard if "READY" in fields][0]
        self.assertEqual(first["READY"], "1")
        self.assertTrue(first["STATUS"])

    def test_the_state_is_one_line_and_changes(self) -> None:
        self.until(lambda: (self.manager.of("STATUS") or [""])[-1].startswith("ready"), "a ready state")
        self.connector.command("freeze", check=True)
        self.addCleanup(self.connector.command, "thaw")
        self.until(lambda: not self.manager.of("STATUS")[-1].startswith("ready"), "another state")
        self.connector.command("thaw", check=True)
        self.until(lambda: self.manager.of("STATUS")[-1].startswith("ready"), "a ready state again")
        for state in self.manager.of("STATUS"):
            self.assertNotIn("@", state)

    def test_a_slow_authority_does_not_silence_it(self) -> None:
        self.ca.fault("hang", seconds=PATIENCE * 2)
        self.addCleanup(self.ca.good)
        calls = len(self.ca.calls())
        identifier = self.issue("slow", authority="slow")
        self.until(lambda: any(each["call"] == "simpleenroll" for each in self.ca.calls(calls)), "the order at the authority")
        began = time.monotonic()
        self.until(lambda: time.monotonic() - began > PATIENCE * 1.5, "more than the patience")
        beats = [began, *self.manager.beats(began), time.monotonic()]
        self.assertLess(max(later - sooner for sooner, later in zip(beats, beats[1:])), PATIENCE)
        self.ca.good()
        self.connector.command("requests", "abandon", identifier)

    def test_a_stopped_process_falls_silent(self) -> None:
        assert self.connector.process is not None
        self.connector.process.send_signal(signal.SIGSTOP)
        try:
            since = time.monotonic() + 0.2
            threading.Event().wait(PATIENCE)
            self.assertEqual(self.manager.beats(since), [])
        finally:
            self.connector.process.send_signal(signal.SIGCONT)
        self.until(lambda: self.manager.beats(since), "life again")

    def test_reloading_is_said_and_ends_with_ready(self) -> None:
        for good in (True, False):
            with self.subTest(good=good):
                count = len(self.manager.heard)
                before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
                if not good:
                    text = self.connector.config_file.read_text()
                    self.addCleanup(self.connector.config_file.write_text, text)
                    self.connector.config_file.write_text(text + "\n[nonsense]\n")
                self.connector.reload()
                self.until(lambda: self.manager.of("READY", count), "the end of the reload")
                [since] = self.manager.of("MONOTONIC_USEC", count)
                self.assertEqual(self.manager.of("RELOADING", count), ["1"])
                self.assertTrue(before <= int(since) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000)

    def test_no_child_speaks_in_its_name(self) -> None:
        assert self.connector.process is not None
        children = Path(f"/proc/{self.connector.process.pid}/task/{self.connector.process.pid}/children").read_text().split()
        self.assertTrue(children, "no keeper of the parsers")
        for child in children:
            environment = Path(f"/proc/{child}/environ").read_bytes()
            self.assertNotIn(b"NOTIFY_SOCKET", environment)
            self.assertNotIn(b"WATCHDOG", environment)

    # -- what it has forbidden itself ---------------------------------------------------------------------------------
    def status(self, process: int | str) -> dict[str, str]:
        return dict(re.findall(r"^(\w+):\s*(.*)$", Path(f"/proc/{process}/status").read_text(), re.M))

    def test_log_and_doctor_say_what_is_active(self) -> None:
        [line] = [each for each in self.connector.log().splitlines() if "SVC-5029" in each]
        landlock = ctypes.CDLL(None).syscall(444, None, 0, 1) > 0
        for word in ("no core dumps", "no new privileges", "system calls filtered", "writing confined" if landlock else "not confined"):
            self.assertIn(word, line)
        [check] = [each for each in json.loads(self.connector.command("doctor", "--json").stdout)["checks"] if each["name"] == "lockdown"]
        self.assertIn("system calls filtered", check["detail"])
        complete = landlock and "memory for keys locked" in line
        self.assertEqual(check["verdict"], "ok" if complete else "warning", check)

    def test_the_kernel_says_so_too(self) -> None:
        assert self.connector.process is not None
        status = self.status(self.connector.process.pid)
        self.assertEqual((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"))
        limits = Path(f"/proc/{self.connector.process.pid}/limits").read_text()
        self.assertRegex(limits, r"Max core file size\s+0\s+0")

    def test_work_goes_on_within(self) -> None:
        """A CA, a parser, the register, the log and the audit log: everything that writes or starts a process."""
        user = self.lab.user("within")
        device = self.lab.device(user)
        self.lab.import_history(user, years=(2023, 2024))
        issued, delivered = self.lab.issue(user, device, key_type="ecP256"), self.lab.deliver(user, device)
        self.assertEqual(len(self.lab.open(device, issued).identities), 1)
        self.assertEqual(len(self.lab.open(device, delivered).identities), 2)
        self.assertEqual(self.connector.command("audit", "verify").returncode, 0)

    # -- the end ------------------------------------------------------------------------------------------------------
    def test_zz_stopping_is_said_with_its_time(self) -> None:
        count = len(self.manager.heard)
        self.assertEqual(self.connector.terminate(), 0)
        self.until_heard("STOPPING", count)
        [most] = self.manager.of("EXTEND_TIMEOUT_USEC", count)
        self.assertGreaterEqual(int(most), self.connector.settings["connector"]["drain_seconds"] * 1000000)
        self.connector.start()  # a second life: nothing that it had bound itself to is in its way

    def until_heard(self, name: str, since: int) -> None:
        deadline = time.monotonic() + 5
        while not self.manager.of(name, since) and time.monotonic() < deadline:
            threading.Event().wait(0.02)
        self.assertEqual(self.manager.of(name, since), ["1"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
