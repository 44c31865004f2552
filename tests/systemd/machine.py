"""A Debian of its own, booted in a container: what `systemctl` and `dpkg` do there is what they do on a server.

The network is the host's, so that the lab's service and authorities are reached at 127.0.0.1.
"""
from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Sequence

SUITE = "bookworm"
# What the package depends on, and what a server has; installed once, so that the tests need no network.
INSIDE = ("systemd", "systemd-sysv", "dbus", "init-system-helpers", "procps", "ca-certificates", "libcsv3", "libidn2-0", "libldap-2.5-0", "libsasl2-2",
          "libsasl2-modules-gssapi-mit", "libseccomp2", "libspdlog1.10", "libsqlite3-0", "libssl3", "libstdc++6")


class MachineError(RuntimeError):
    """It did not do what it was told; the text holds what it said."""


def missing() -> list[str]:
    """Why this computer cannot run it; empty where it can."""
    reasons = [f"{name} is not installed" for name in ("debootstrap", "systemd-nspawn", "nsenter", "dpkg-deb") if shutil.which(name) is None]
    if os.geteuid() != 0:
        reasons.append("it needs root")
    return reasons


def base(cache: Path) -> Path:
    """The root without the package; made once."""
    made = cache / SUITE
    stamp = made / "etc/pfx-connector-test-base"
    wanted = " ".join(INSIDE)
    if stamp.exists() and stamp.read_text() == wanted:
        return made
    shutil.rmtree(made, ignore_errors=True)
    made.parent.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["debootstrap", "--variant=minbase", f"--include={','.join(INSIDE)}", SUITE, str(made)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise MachineError(f"debootstrap: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    for unwanted in ("etc/machine-id", "var/lib/dbus/machine-id"):
        (made / unwanted).unlink(missing_ok=True)
    (made / "etc/machine-id").touch()
    stamp.write_text(wanted)
    return made


class Machine:
    def __init__(self, root: Path) -> None:
        self.root = root
        self._process: subprocess.Popen[bytes] | None = None
        self._leader = 0
        self.console = root.parent / "console.txt"

    def __enter__(self) -> "Machine":
        with self.console.open("ab") as output:
            # The container's own filter knows no Landlock; the daemon's use of it is to be seen.
            self._process = subprocess.Popen(
                ["systemd-nspawn", "--quiet", "--boot", "--directory", str(self.root), "--register=no", "--keep-unit", "--console=pipe",
                 "--system-call-filter=landlock_create_ruleset landlock_add_rule landlock_restrict_self"],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"})
        try:
            self._wait_for_leader()
            self._wait_for_boot()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        process = self._process
        if process is None or process.poll() is not None:
            return
        if self._leader:
            os.kill(self._leader, signal.SIGRTMIN + 4)  # systemd(1): power off
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)

    def _wait_for_leader(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise MachineError(f"systemd-nspawn ended with {self._process.returncode}: {self.console.read_text(errors='replace')[-2000:]}")
            for each in self._descendants(self._process.pid):
                status = Path(f"/proc/{each}/status").read_text() if Path(f"/proc/{each}").exists() else ""
                ids = [line.split() for line in status.splitlines() if line.startswith("NSpid:")]
                if ids and len(ids[0]) == 3 and ids[0][2] == "1":
                    self._leader = each
                    return
            time.sleep(0.05)
        raise MachineError("no first process in the container")

    @staticmethod
    def _descendants(process: int) -> list[int]:
        found = []
        try:
            children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
        except OSError:
            return []
        for child in map(int, children):
            found += [child, *Machine._descendants(child)]
        return found

    def _wait_for_boot(self) -> None:
        deadline = time.monotonic() + 60
        state = ""
        while time.monotonic() < deadline:
            state = self.run("systemctl", "is-system-running", check=False).stdout.strip()
            if state in ("running", "degraded"):
                return
            time.sleep(0.1)
        raise MachineError(f"does not come up: {state}\n{self.console.read_text(errors='replace')[-2000:]}")

    def run(self, *command: str | Path, check: bool = True, timeout: float = 120, text_in: str | None = None) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(["nsenter", "--target", str(self._leader), "--all", "--wd=/", "env", "-i",
                               "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8", "NO_COLOR=1", "ASAN_OPTIONS=detect_leaks=0", *map(str, command)],
                              input=text_in, stdin=subprocess.DEVNULL if text_in is None else None, capture_output=True, text=True, check=False, timeout=timeout)
        if check and done.returncode != 0:
            raise MachineError(f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout}{done.stderr}\n{self.journal()}")
        return done

    def journal(self, lines: int = 30) -> str:
        return self.run("journalctl", "--no-pager", "-n", str(lines), "-u", "pfx-connector", check=False).stdout

    def show(self, name: str) -> str:
        """A property of the unit."""
        return self.run("systemctl", "show", "pfx-connector", "--property", name, "--value").stdout.strip()

    def write(self, path: str, text: str | bytes, mode: int = 0o644) -> None:
        """As root, from outside; nothing of it passes an argument list."""
        target = self.root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text.encode() if isinstance(text, str) else text)
        target.chmod(mode)

    def signal(self, number: signal.Signals) -> int:
        """To the daemon; answers its process id."""
        process = self.show("MainPID")
        self.run("kill", f"-{int(number)}", process)
        return int(process)


def repacked(deb: Path, place: Path, version: str, edit: Sequence[tuple[str, str, str]] = ()) -> Path:
    """The same package under another version; `edit`: (control file, old text, new text)."""
    tree = place / version
    place.mkdir(parents=True, exist_ok=True)
    subprocess.run(["dpkg-deb", "-R", str(deb), str(tree)], check=True)
    control = tree / "DEBIAN/control"
    control.write_text("".join(f"Version: {version}\n" if line.startswith("Version:") else line for line in control.read_text().splitlines(True)))
    for name, old, new in edit:
        file = tree / "DEBIAN" / name
        text = file.read_text()
        if old not in text:
            raise MachineError(f"{name} does not hold {old!r}")
        file.write_text(text.replace(old, new))
    made = place / f"pfx-connector_{version}.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", str(tree), str(made)], check=True, stdout=subprocess.DEVNULL)
    return made
