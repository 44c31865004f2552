"""The connector daemon under test, as an operator has it: a configuration file, the program, its log.

Nothing here looks inside: what can be known is what the program says, what it serves, and what the service receives.
"""
from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Sequence

import pki
import toml_text



class ConnectorError(RuntimeError):
    """The daemon did not do what the test needed; the text holds what it said."""


def find_program(given: str | Path | None = None) -> Path:
    """The argument, else PFX_CONNECTOR, else the newest one below the source tree's build directories, else on the PATH."""
    named = given or os.environ.get("PFX_CONNECTOR")
    if named:
        return Path(named).resolve()
    root = Path(__file__).resolve().parents[2]
    built = [each for pattern in ("build*/pfx-connector", "build*/*/pfx-connector", "build*/*/*/pfx-connector")
             for each in root.glob(pattern) if each.is_file() and os.access(each, os.X_OK)]
    if built:
        return max(built, key=lambda each: each.stat().st_mtime)
    found = shutil.which("pfx-connector")
    if found:
        return Path(found)
    raise ConnectorError("no pfx-connector: build it, or name it in PFX_CONNECTOR")


def free_port() -> int:
    """Below the range that the system gives to others by itself: a daemon that is down must find its port free again."""
    for _ in range(100):
        port = secrets.randbelow(12000) + 20000
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise ConnectorError("no free port between 20000 and 32000")


class Connector:
    """One daemon in one directory. Use as a context manager: leaving it ends the process."""

    def __init__(self, directory: Path | str, lab_pki: pki.Pki, url: str, *, program: str | Path | None = None, config: dict[str, Any] | None = None,
                 admin_token_file: Path | None = None, without: Sequence[str] = (), environment: dict[str, str] | None = None) -> None:
        """`config` is merged over the defaults (None takes a key away); `without` takes whole tables away ("importer", "authority")."""
        self.directory = Path(directory)
        self.program = find_program(program)
        self.pki = lab_pki
        self.environment = {**os.environ, "NO_COLOR": "1", **(environment or {})}
        self.process: subprocess.Popen[bytes] | None = None
        for name in ("state", "log", "secrets"):
            (self.directory / name).mkdir(parents=True, exist_ok=True)
            (self.directory / name).chmod(0o700)
        self.config_file = self.directory / "connector.toml"
        self.log_file = self.directory / "log" / "connector.log"
        self.audit_file = self.directory / "log" / "audit.log"
        self.output_file = self.directory / "output.txt"
        self.health_port = free_port()
        self.settings = self._defaults(url, admin_token_file)
        for name in without:
            self.settings.pop(name, None)
        self.configure(config or {})

    def _secret(self, name: str, value: bytes) -> str:
        path = self.directory / "secrets" / name
        if not path.exists():
            pki.write(path, value, private=True)
        return f"file:{path}"

    def _defaults(self, url: str, admin_token_file: Path | None) -> dict[str, Any]:
        lab, place = self.pki.path, self.directory
        return {
            "management": {"url": url, "ca_file": lab("service-ca.crt"), "poll_wait_seconds": 2,
                           "admin_token": self._secret("admin.token", admin_token_file.read_bytes()) if admin_token_file else None},
            "connector": {"name": "lab", "drain_seconds": 5},
            "storage": {"directory": place / "state"},
            "sealing": {"key": self._secret("sealing.key", secrets.token_bytes(32))},
            "delivery": {"certificate": lab("delivery.crt"), "key": self._secret("delivery.key", lab("delivery.key").read_bytes()),
                         "chain_file": lab("delivery-chain.crt")},
            "recipients": {"ca_file": lab("device-ca.crt"), "required_eku": ["1.3.6.1.5.5.7.3.2"], "binding": "certificate", "max_per_user": 0},
            "policy": {"identity": "certificate", "allowed_mail_domains": ["corp.example"]},
            "importer": {"signers": lab("importer.crt"), "certificate": lab("importer.crt"),
                         "key": self._secret("importer.key", lab("importer.key").read_bytes())},
            # The meters are tested where a test sets them; elsewhere they would only be in the way.
            "limits": {name: 0 for name in (
                "unwrap_users_per_hour", "unwrap_users_per_day", "deliveries_per_user_per_day", "new_recipients_per_day", "issue_per_hour",
                "issue_per_day", "issue_per_user_per_day", "revoke_per_hour", "revoke_per_day", "unwrap_failures_per_hour", "refusals_per_hour")},
            "import": {"ImportKey1": {"key": self._secret("import-key.pem", lab("import-key.key").read_bytes())}},
            "authority": {"corp": {"type": "local", "directory": place / "local-ca", "template": {"smime-signing": {
                "key_usage": ["digitalSignature"], "extended_key_usage": ["1.3.6.1.5.5.7.3.4"], "validity_days": 365}}}},
            "log": {"file": self.log_file, "level": "debug"},
            "audit": {"file": self.audit_file},
            "health": {"listen": f"127.0.0.1:{self.health_port}"},
            "control": {"socket": place / "control.sock"},
        }

    def configure(self, config: dict[str, Any]) -> None:
        """Merge and write; a running daemon reads it at the next reload() or start()."""
        self.settings = toml_text.merged(self.settings, config)
        pki.write(self.config_file, toml_text.dumps(self.settings).encode())

    # -- commands -----------------------------------------------------------------------------------------------------
    def command(self, *arguments: str | Path, stdin: bytes | None = None, check: bool = False, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        done = subprocess.run([str(self.program), "--config", str(self.config_file), *map(str, arguments)], input=stdin.decode() if stdin else None,
                              stdin=subprocess.DEVNULL if stdin is None else None, capture_output=True, text=True, check=False, timeout=timeout,
                              env=self.environment)
        if check and done.returncode != 0:
            raise ConnectorError(f"{' '.join(map(str, arguments))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def command_json(self, *arguments: str | Path) -> Any:
        return json.loads(self.command(*arguments, "--json", check=True).stdout)

    def create_local_ca(self, name: str = "Lab Issuing CA", domains: Sequence[str] = ("corp.example",)) -> Path:
        """Answers the root certificate's directory; the root key lies apart, as the manual wants it."""
        place = Path(self.settings["authority"]["corp"]["directory"])
        if not place.exists() or not any(place.iterdir()):
            options = [part for domain in domains for part in ("--domain", domain)]
            self.command("local-ca", "create", "--directory", place, "--name", name, *options, "--root-out", self.directory / "root.key", check=True)
        return place

    def enrol(self, token: str) -> str:
        """Answers what was printed, the key's fingerprint among it."""
        path = self.directory / "secrets" / "token"
        pki.write(path, token.encode() + b"\n", private=True)
        return self.command("enroll", "--token-file", path, check=True).stdout

    # -- the process --------------------------------------------------------------------------------------------------
    def start(self, *arguments: str, wait_ready: bool = True, timeout: float = 20) -> "Connector":
        if self.running:
            raise ConnectorError("already running")
        with self.output_file.open("ab") as output:
            self.process = subprocess.Popen([str(self.program), "--config", str(self.config_file), "run", *arguments], stdin=subprocess.DEVNULL, stdout=output,
                                            stderr=subprocess.STDOUT, env=self.environment)
        if wait_ready:
            self.wait_ready(timeout)
        return self

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def wait_ready(self, timeout: float = 20) -> None:
        self.wait_until(lambda: self.health("/readyz")[0] == 200, timeout, "readiness")

    def wait_until(self, true: Any, timeout: float = 20, what: str = "it") -> None:
        deadline = time.monotonic() + timeout
        while not true():
            if self.process is not None and self.process.poll() is not None:
                raise ConnectorError(f"the daemon ended with {self.process.returncode} while {what} was waited for\n{self.tail()}")
            if time.monotonic() > deadline:
                raise ConnectorError(f"waited {timeout} s for {what} in vain\n{self.health('/readyz')[1]}\n{self.tail()}")
            time.sleep(0.05)

    def reload(self) -> None:
        self._signal(signal.SIGHUP)

    def terminate(self, timeout: float = 30) -> int:
        self._signal(signal.SIGTERM)
        return self.wait(timeout)

    def kill(self) -> None:
        """SIGKILL: the crash that everything must survive."""
        self._signal(signal.SIGKILL)
        self.wait(10)

    def wait(self, timeout: float = 30) -> int:
        assert self.process is not None
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise ConnectorError(f"still running after {timeout} s\n{self.tail()}") from None

    def _signal(self, number: signal.Signals) -> None:
        if not self.running or self.process is None:
            raise ConnectorError(f"not running\n{self.tail()}")
        self.process.send_signal(number)

    def __enter__(self) -> "Connector":
        return self

    def __exit__(self, *_: Any) -> None:
        if self.running and self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)

    # -- what it shows ------------------------------------------------------------------------------------------------
    def health(self, path: str = "/healthz") -> tuple[int, str]:
        """Status and text; status 0 while nothing listens."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.health_port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode("utf-8", "replace")
        except OSError as error:
            return 0, str(error)

    def metric(self, name: str, **labels: str) -> float:
        """The sum of the samples of that family that carry these labels; `name` without the common prefix."""
        total = 0.0
        for line in self.health("/metrics")[1].splitlines():
            head, _, value = line.rpartition(" ")
            family, _, rest = head.partition("{")
            if family == f"pfx_connector_{name}" and all(f'{key}="{text}"' in rest for key, text in labels.items()):
                total += float(value)
        return total

    def log(self) -> str:
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def audit(self) -> list[str]:
        return self.audit_file.read_text(errors="replace").splitlines() if self.audit_file.exists() else []

    def output(self) -> str:
        return self.output_file.read_text(errors="replace") if self.output_file.exists() else ""

    def tail(self, lines: int = 25) -> str:
        text = self.log() or self.output()
        return "\n".join(text.splitlines()[-lines:])

    def holds_anywhere(self, needle: bytes) -> list[Path]:
        """Files of the daemon (its secrets' folder left out) in which these octets stand: for canaries."""
        found = []
        for path in sorted(self.directory.rglob("*")):
            if path.is_file() and (self.directory / "secrets") not in path.parents and needle in path.read_bytes():
                found.append(path)
        return found
