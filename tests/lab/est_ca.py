"""The EST authority as a test has it: started, steered, killed; and what a connector's [authority.NAME] needs for it."""
from __future__ import annotations

import json
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import pki
from client import ControlClient, LabError, wait_for_file

HERE = Path(__file__).resolve().parent
Json = dict[str, Any]


class EstCa:
    """Use as a context manager: leaving it ends the process."""
    user = "connector"

    def __init__(self, directory: Path | str) -> None:
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.password = secrets.token_urlsafe(18)
        self._password_file = pki.write(self.directory / "password", self.password.encode() + b"\n", private=True)
        self._wrong_password_file = pki.write(self.directory / "wrong-password", b"not the password\n", private=True)
        self._ports = {"est": 0, "control": 0}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "EstCa":
        self.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.stop()

    def start(self) -> None:
        """A second start takes the first one's ports."""
        ports_file = self.directory / "ports.json"
        ports_file.unlink(missing_ok=True)
        command = [sys.executable, str(HERE / "est_server.py"), "--state", str(self.directory), "--ports-file", str(ports_file),
                   "--listen", f"127.0.0.1:{self._ports['est']}", "--control", f"127.0.0.1:{self._ports['control']}",
                   "--user", self.user, "--password-file", str(self._password_file)]
        with (self.directory / "output.txt").open("ab") as output:
            process = self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            self._ports = json.loads(wait_for_file(ports_file, 30, lambda: process.poll() is None))
        except LabError as error:
            raise LabError(f"the EST server did not start: {(self.directory / 'output.txt').read_text()}") from error
        self.control = ControlClient(self._ports["control"])

    def stop(self, kill: bool = False) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill() if kill else self._process.terminate()
            self._process.wait(10)
        self._process = None

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._ports['est']}"

    def path(self, name: str) -> Path:
        """Of a file of its PKI: root.crt, client.crt, client.key, …"""
        return self.directory / "pki" / name

    def authority(self, *, password: bool | None = None, certificate: str | None = None, **more: Any) -> Json:
        """[authority.NAME] for it; `password`: True the right one, False a wrong one; `certificate`: "client" or "foreign-client"."""
        config: Json = {"type": "est", "url": self.url, "ca_file": self.path("root.crt"), "timeout_seconds": 10,
                        "breaker": {"failures": 3, "open_seconds": 1}, "template": {"smime-signing": {"name": "smime"}}}
        if password is not None:
            config.update(user=self.user, password=f"file:{self._password_file if password else self._wrong_password_file}")
        if certificate is not None:
            config.update(certificate=self.path(certificate + ".crt"), key=f"file:{self.path(certificate + '.key')}")
        return {**config, **more}

    # -- steering -----------------------------------------------------------------------------------------------------
    def settings(self, **values: Any) -> Json:
        """See est/settings.py."""
        return self.control.post("settings", values)

    def fault(self, name: str, count: int = 1, call: str = "simpleenroll", **options: Any) -> None:
        """See est/http.py; a negative count stays."""
        self.control.post("fault", {"name": name, "count": count, "call": call, **options})

    def good(self, **values: Any) -> None:
        """As it was at the start, but for these."""
        self.control.delete("faults")
        self.settings(**{**_DEFAULTS, **values})

    def approve(self) -> int:
        return self.control.post("approve")["approved"]

    def renew(self) -> None:
        self.control.post("renew")

    def issued(self) -> list[Json]:
        return self.control.get("issued")["issued"]

    def pending(self) -> list[Json]:
        return self.control.get("pending")["pending"]

    def calls(self, since: int = 0) -> list[Json]:
        return self.control.get(f"calls?since={since}")["calls"]


def _defaults() -> Json:
    from est.settings import Settings
    return Settings().all()


_DEFAULTS = _defaults()
