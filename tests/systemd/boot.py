#!/usr/bin/python3
"""The package in a real systemd: installed, enrolled, started, killed in each way, reloaded, upgraded with work pending, purged.

    boot.py --deb pfx-connector_1.0.0_amd64.deb [--cache DIR]

Every directive of the unit is active throughout. The lab stands outside of the container, on the same network.
"""
import argparse
import json
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path
from typing import Any, Callable

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))
import machine  # noqa: E402
import toml_text  # noqa: E402
from lab import Lab  # noqa: E402

OPTIONS = argparse.Namespace()
ETC, STATE, LOG = "/etc/pfx-connector", "/var/lib/pfx-connector", "/var/log/pfx-connector"
PROTECTED = "vip@corp.example"


class Booted(unittest.TestCase):
    """In the order of their names: one life of a server."""

    @classmethod
    def setUpClass(cls) -> None:
        reasons = machine.missing()
        if reasons:
            raise RuntimeError("this computer cannot run it: " + "; ".join(reasons))
        cls.place = Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="pfx-systemd-")))
        root = cls.place / "root"
        subprocess.run(["cp", "-a", "--reflink=auto", str(machine.base(OPTIONS.cache)), str(root)], check=True)
        cls.old = machine.repacked(OPTIONS.deb, cls.place / "old", "0.9.0")
        cls.older = machine.repacked(OPTIONS.deb, cls.place / "older", "0.8.0", [("preinst", f"-gt {schema(OPTIONS.deb)} ]", "-gt 1 ]")])
        for deb in (OPTIONS.deb, cls.old, cls.older):
            (root / "srv" / deb.name).write_bytes(deb.read_bytes())
        if OPTIONS.sanitized:
            sanitized(root)
        cls.lab = cls.enterClassContext(Lab())
        cls.machine = cls.enterClassContext(machine.Machine(root))
        cls.people = 0

    # -- tools --------------------------------------------------------------------------------------------------------
    @classmethod
    def until(cls, true: Callable[[], Any], what: str, timeout: float = 60) -> None:
        deadline = time.monotonic() + timeout
        while not true():
            if time.monotonic() > deadline:
                raise AssertionError(f"waited {timeout} s for {what} in vain\n{cls.machine.journal()}")
            time.sleep(0.1)

    def configure(self, **over: Any) -> None:
        type(self).config = toml_text.merged(self.config, over)
        self.machine.write(f"{ETC}/connector.toml", toml_text.dumps(self.config))

    def order(self) -> tuple[Any, str]:
        type(self).people += 1
        user = self.lab.user(f"user{self.people}")
        device = self.lab.device(user, key_kind="ecP256")
        return device, self.lab.issue(user, device, key_type="ecP256")

    def assert_delivers(self) -> None:
        device, identifier = self.order()
        self.assertEqual(len(self.lab.open(device, identifier, timeout=60).identities), 1)

    def active(self) -> str:
        return self.machine.show("ActiveState")

    def restarted(self, before: int) -> None:
        self.until(lambda: int(self.machine.show("NRestarts")) > before and self.active() == "active", "the restart")

    def log(self) -> str:
        return (self.machine.root / f"{LOG}/connector.log".lstrip("/")).read_text(errors="replace")

    # -- one life -----------------------------------------------------------------------------------------------------
    def test_01_installed_and_not_started(self) -> None:
        said = self.machine.run("dpkg", "-i", *forced(), f"/srv/{self.old.name}")
        self.assertIn("enroll", said.stderr + said.stdout)
        self.assertEqual(self.machine.run("systemctl", "is-enabled", "pfx-connector").stdout.strip(), "enabled")
        self.assertEqual(self.active(), "inactive")
        listed = self.machine.run("stat", "-c", "%n %U:%G %a", STATE, LOG, "/run/pfx-connector", f"{ETC}/connector.toml").stdout.splitlines()
        self.assertEqual(listed, [f"{STATE} pfx-connector:pfx-connector 700", f"{LOG} pfx-connector:pfx-connector 750",
                                  "/run/pfx-connector pfx-connector:pfx-connector-admin 2750", f"{ETC}/connector.toml root:root 644"])
        self.assertEqual(self.machine.run("systemd-analyze", "verify", "--man=no", "/usr/lib/systemd/system/pfx-connector.service").stderr, "")
        self.assertIn("requests", self.machine.run("bash", "-c", "source /usr/share/bash-completion/completions/pfx-connector; "
                                                   "COMP_WORDS=(pfx-connector req); COMP_CWORD=1; _pfx_connector; echo ${COMPREPLY[@]}").stdout)

    def test_02_without_enrolment_it_says_so_once(self) -> None:
        self.machine.run("systemctl", "start", "pfx-connector", check=False)
        self.until(lambda: self.active() == "failed", "the refusal")
        self.assertEqual(self.machine.show("NRestarts"), "0")
        self.assertEqual(self.machine.show("ExecMainStatus"), "2")
        self.machine.run("systemctl", "reset-failed", "pfx-connector")

    def test_03_configured_and_enrolled(self) -> None:
        pki, files = self.lab.pki, {}
        for name in ("service-ca.crt", "device-ca.crt", "importer.crt", "delivery.crt", "delivery-chain.crt"):
            files[name] = f"{ETC}/{name}"
            self.machine.write(files[name], pki.path(name).read_bytes())
        self.machine.write("/etc/credstore/pfx-connector.sealing", secrets.token_bytes(32), 0o600)
        self.machine.write("/etc/credstore/pfx-connector.delivery", pki.path("delivery.key").read_bytes(), 0o600)
        self.machine.write("/etc/credstore/pfx-connector.import-key", pki.path("import-key.key").read_bytes(), 0o600)
        type(self).config = {
            "management": {"url": self.lab.url, "ca_file": files["service-ca.crt"], "poll_wait_seconds": 2},
            "storage": {"directory": STATE},
            "sealing": {"key": "credential:sealing"},
            "delivery": {"certificate": files["delivery.crt"], "key": "credential:delivery", "chain_file": files["delivery-chain.crt"]},
            "recipients": {"ca_file": files["device-ca.crt"], "required_eku": ["1.3.6.1.5.5.7.3.2"], "binding": "certificate", "max_per_user": 0},
            "policy": {"identity": "certificate", "allowed_mail_domains": ["corp.example"], "protected_users": [PROTECTED]},
            "importer": {"signers": files["importer.crt"]},
            "import": {"ImportKey1": {"key": "credential:import-key"}},
            "authority": {"corp": {"type": "local", "directory": f"{STATE}/ca", "template": {"smime-signing": {
                "key_usage": ["digitalSignature"], "extended_key_usage": ["1.3.6.1.5.5.7.3.4"], "validity_days": 365}}}},
            "log": {"max_size_mb": 1, "files": 3},
        }
        self.configure()
        self.machine.run("pfx-connector", "local-ca", "create", "--directory", f"{STATE}/ca", "--name", "CA", "--domain", "corp.example",
                         "--root-out", "/srv/ca-root.key")
        self.machine.write("/srv/token", self.lab.token() + "\n", 0o600)
        self.machine.run("pfx-connector", "enroll", "--token-file", "/srv/token")
        self.machine.run("chown", "-R", "pfx-connector:pfx-connector", f"{STATE}/ca")
        self.assertEqual(self.machine.run("stat", "-c", "%U %a", f"{STATE}/connector.key").stdout.strip(), "pfx-connector 600")

    def test_04_start_comes_back_when_it_is_ready(self) -> None:
        self.machine.run("systemctl", "enable", "--now", "pfx-connector")
        self.assertEqual(self.active(), "active")
        self.until(lambda: self.machine.show("StatusText").startswith("ready"), "a ready state")
        self.assertEqual(json.loads(self.machine.run("pfx-connector", "status", "--json").stdout)["status"], "ready")
        self.assertEqual(self.machine.run("stat", "-c", "%U:%G %a", "/run/pfx-connector/control.sock").stdout.strip(), "pfx-connector:pfx-connector-admin 660")

    def test_05_deliveries_within_the_sandbox(self) -> None:
        self.assert_delivers()
        user = self.lab.user("history")
        device = self.lab.device(user)
        self.lab.import_history(user, years=(2023, 2024))
        self.assertEqual(len(self.lab.open(device, self.lab.deliver(user, device), timeout=60).identities), 2)
        self.assertEqual(self.machine.run("pfx-connector", "audit", "verify", check=False).returncode in (0, 2), True)

    def test_06_the_sandbox_is_there(self) -> None:
        process = self.machine.show("MainPID")
        status = dict(line.split(":", 1) for line in self.machine.run("cat", f"/proc/{process}/status").stdout.splitlines() if ":" in line)
        self.assertEqual({name: status[name].strip() for name in ("NoNewPrivs", "Seccomp", "CapBnd", "CapEff")},
                         {"NoNewPrivs": "1", "Seccomp": "2", "CapBnd": "0" * 16, "CapEff": "0" * 16})
        [line] = [each for each in self.log().splitlines() if "SVC-5029" in each][-1:]
        for word in ("no core dumps", "no new privileges", "memory for keys locked", "system calls filtered"):
            self.assertIn(word, line)
        # Inside its own view of the files, as root: what the unit made read-only or took away is so for everybody.
        inside = ("nsenter", "-t", process, "-m", "--")
        for path in ("/etc/pfx-connector/x", "/usr/x", "/opt/x"):
            self.assertIn("Read-only", self.machine.run(*inside, "touch", path, check=False).stderr)
        self.assertEqual(self.machine.run(*inside, "ls", "/home", "/root", check=False).stdout.split(), ["/home:", "/root:"])
        self.assertNotIn("kmsg", self.machine.run(*inside, "ls", "/dev").stdout)

    def test_07_an_administrator_by_group_and_nobody_else(self) -> None:
        self.machine.run("useradd", "-m", "-G", "pfx-connector-admin", "anna")
        self.machine.run("useradd", "-m", "otto")
        self.assertEqual(self.machine.run("runuser", "-u", "anna", "--", "pfx-connector", "freeze").returncode, 0)
        self.assertEqual(self.machine.run("runuser", "-u", "anna", "--", "pfx-connector", "thaw").returncode, 0)
        self.assertNotEqual(self.machine.run("runuser", "-u", "otto", "--", "pfx-connector", "status", check=False).returncode, 0)
        self.assertIn("by=anna", self.log())

    def test_08_a_stopped_process_is_killed_by_the_watchdog(self) -> None:
        self.machine.write("/etc/systemd/system/pfx-connector.service.d/test.conf", "[Service]\nWatchdogSec=3s\nRestartSec=100ms\n[Unit]\nStartLimitBurst=100\n")
        self.machine.run("systemctl", "daemon-reload")
        self.machine.run("systemctl", "restart", "pfx-connector")
        before = int(self.machine.show("NRestarts"))
        self.machine.signal(signal.SIGSTOP)
        self.restarted(before)
        self.assertIn("Watchdog timeout", self.machine.run("journalctl", "--no-pager", "-u", "pfx-connector").stdout)
        self.assert_delivers()

    def test_09_a_killed_one_comes_back(self) -> None:
        before = int(self.machine.show("NRestarts"))
        device, identifier = self.order()
        self.machine.signal(signal.SIGKILL)
        self.restarted(before)
        self.assertEqual(len(self.lab.open(device, identifier, timeout=90).identities), 1)

    def test_10_reload(self) -> None:
        good = self.config
        process = self.machine.show("MainPID")
        self.configure(policy={"key_types": ["rsa2048"]})
        self.machine.run("systemctl", "reload", "pfx-connector")
        self.until(lambda: "SVC-5016" in self.log(), "the reload")
        _, identifier = self.order()
        self.assertEqual(self.lab.error(identifier, timeout=60)["code"], "policyRefused")
        type(self).config = good
        self.machine.write(f"{ETC}/connector.toml", toml_text.dumps(good) + "\n[nonsense]\n")
        self.assertNotEqual(self.machine.run("systemctl", "reload", "pfx-connector", check=False).returncode, 0)
        self.until(lambda: "SVC-5017" in self.log(), "the refusal")
        self.assertIn("nonsense", self.machine.journal())
        self.configure()
        self.machine.run("systemctl", "reload", "pfx-connector")
        self.until(lambda: self.log().count("SVC-5016") >= 2, "the reload")
        self.assertEqual(self.machine.show("MainPID"), process)
        self.assert_delivers()

    def test_11_the_log_rotates(self) -> None:
        self.machine.run("systemctl", "stop", "pfx-connector")
        log = self.machine.root / f"{LOG}/connector.log".lstrip("/")
        with log.open("ab") as file:
            file.write(b"x" * 99 + b"\n" * 1)
            file.write((b"x" * 99 + b"\n") * (1024 * 1024 // 100))
        self.machine.run("systemctl", "start", "pfx-connector")
        self.assert_delivers()
        names = self.machine.run("ls", LOG).stdout.split()
        self.assertIn("connector.1.log", names)
        self.assertLess(log.stat().st_size, 1024 * 1024)
        self.assertIn("SVC-5010", self.machine.run("journalctl", "--no-pager", "-u", "pfx-connector").stdout)

    def test_12_upgraded_with_a_request_pending(self) -> None:
        vip = self.lab.user("vip")
        device = self.lab.device(vip, key_kind="ecP256")
        identifier = self.lab.issue(vip, device, key_type="ecP256")
        held = lambda: json.loads(self.machine.run("pfx-connector", "requests", "list", "--stage", "held", "--json").stdout)["requests"]  # noqa: E731
        self.until(held, "the request to be held")
        self.machine.run("dpkg", "-i", *forced(), f"/srv/{OPTIONS.deb.name}")
        self.assertEqual(self.active(), "active")
        self.assertEqual([each["id"] for each in held()], [identifier])
        shown = json.loads(self.machine.run("pfx-connector", "requests", "show", identifier, "--json").stdout)
        key = find_key(shown)
        self.machine.run("pfx-connector", "requests", "approve", identifier, "--key", key[:8])
        self.assertEqual(len(self.lab.open(device, identifier, timeout=60).identities), 1)

    def test_13_downgraded_to_what_knows_the_database(self) -> None:
        """And to what does not: refused, and the one that was there goes on."""
        process = self.machine.show("MainPID")
        done = self.machine.run("dpkg", "-i", *forced(), "--force-downgrade", f"/srv/{self.older.name}", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("backup", done.stderr + done.stdout)
        self.until(lambda: self.active() == "active", "the daemon that was there")
        self.assertIn("1.0.0", self.machine.run("dpkg-query", "-W", "pfx-connector").stdout)
        self.assertNotEqual(self.machine.show("MainPID"), process)  # it was drained before, and is started again
        self.assert_delivers()

    def test_14_purged(self) -> None:
        said = self.machine.run("dpkg", "--purge", "pfx-connector")
        text = said.stdout + said.stderr
        for left in ("accounts", "audit log", "registration"):
            self.assertIn(left, text)
        there = [path for path in (ETC, STATE, "/run/pfx-connector", "/usr/sbin/pfx-connector", "/etc/credstore/pfx-connector.sealing")
                 if (self.machine.root / path.lstrip("/")).exists()]
        self.assertEqual(there, [])
        self.assertEqual(self.machine.run("ls", LOG).stdout.split(), ["audit.log"])
        self.assertNotEqual(self.machine.run("systemctl", "is-enabled", "pfx-connector", check=False).returncode, 0)
        self.lab.check_clean()


def find_key(value: Any) -> str:
    """The first key fingerprint in it."""
    text = json.dumps(value)

    found = re.search(r"key ([0-9a-f]{64})", text) or re.search(r'"(?:spkiSha256|newKey|key)": "([0-9a-fA-F]{64})"', text)
    if not found:
        raise AssertionError(f"no key in {text}")
    return found[1]


def forced() -> list[str]:
    return ["--force-depends"] if OPTIONS.sanitized else []


def sanitized(root: Path) -> None:
    """Lets a build with sanitizers run inside: its libraries, and no search for leaks in a process that nobody may look into."""
    for name in ("libasan.so.8", "libubsan.so.1"):
        [library] = Path("/usr/lib").glob(f"*-linux-gnu/{name}")
        (root / "usr/lib" / name).write_bytes(library.read_bytes())
    (root / "etc/systemd/system.conf.d").mkdir(parents=True, exist_ok=True)
    (root / "etc/systemd/system.conf.d/sanitized.conf").write_text("[Manager]\nDefaultEnvironment=ASAN_OPTIONS=detect_leaks=0\n")


def schema(deb: Path) -> int:
    """The newest that the package's preinst says it can open."""

    text = subprocess.run(["dpkg-deb", "-I", str(deb), "preinst"], check=True, capture_output=True, text=True).stdout
    found = re.search(r"-gt (\d+) \]", text)
    assert found
    return int(found[1])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deb", type=lambda text: Path(text).resolve(), required=True)
    parser.add_argument("--cache", type=lambda text: Path(text).resolve(), default=Path(__file__).resolve().parents[2] / "build/systemd")
    parser.add_argument("--sanitized", action="store_true", help="the package is of a build with sanitizers")
    OPTIONS, others = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *others], verbosity=2, failfast=True)
