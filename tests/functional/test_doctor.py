#!/usr/bin/python3
"""doctor: each thing that a request would need is broken in turn; the line that says so names the mend, and goes when it is mended."""
import contextlib
import datetime as dt
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import unittest
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, ContextManager, Iterator

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))
import pki  # noqa: E402
from lab import Connector, Lab  # noqa: E402

Json = dict[str, Any]
Breaking = Callable[["Doctor"], ContextManager[Any]]


def setUpModule() -> None:
    global PKI
    PKI = Path(tempfile.mkdtemp(prefix="pfx-doctor-"))
    unittest.addModuleCleanup(shutil.rmtree, PKI, True)


# -- ways to break something, each of which mends it on leaving ---------------------------------------------------------
def mode(path: Callable[["Doctor"], Path], number: int) -> Breaking:
    @contextlib.contextmanager
    def breaking(test: "Doctor") -> Iterator[None]:
        place = path(test)
        before = place.stat().st_mode & 0o7777
        place.chmod(number)
        yield
        place.chmod(before)
    return breaking


def content(path: Callable[["Doctor"], Path], octets: Callable[["Doctor"], bytes] | None) -> Breaking:
    """Other octets in its place; None takes the file away."""
    @contextlib.contextmanager
    def breaking(test: "Doctor") -> Iterator[None]:
        place = path(test)
        before, number = place.read_bytes(), place.stat().st_mode & 0o7777
        if octets is None:
            place.unlink()
        else:
            place.write_bytes(octets(test))
        yield
        place.write_bytes(before)
        place.chmod(number)
    return breaking


def config(change: Callable[["Doctor"], Json]) -> Breaking:
    @contextlib.contextmanager
    def breaking(test: "Doctor") -> Iterator[None]:
        before = test.connector.settings
        test.connector.configure(change(test))
        yield
        test.connector.settings = before
        test.connector.configure({})
    return breaking


def service(**settings: Any) -> Breaking:
    @contextlib.contextmanager
    def breaking(test: "Doctor") -> Iterator[None]:
        before = test.lab.control.get("settings")
        test.lab.settings(**settings)
        yield
        test.lab.settings(**{name: before[name] for name in settings})
    return breaking


def fault(name: str, **options: Any) -> Breaking:
    @contextlib.contextmanager
    def breaking(test: "Doctor") -> Iterator[None]:
        test.lab.fault(name, count=-1, **options)
        yield
        test.lab.good()
    return breaking


def number(name: str, wrong: int) -> Breaking:
    """One of the numbers in the database's header."""
    @contextlib.contextmanager
    def breaking(test: "Doctor") -> Iterator[None]:
        def pragma(text: str) -> int:
            with contextlib.closing(sqlite3.connect(test.state / "connector.db", isolation_level=None)) as database:
                return (database.execute(f"PRAGMA {text}").fetchone() or [0])[0]
        before = pragma(name)
        pragma(f"{name}={wrong}")
        yield
        pragma(f"{name}={before}")
    return breaking


@contextlib.contextmanager
def service_down(test: "Doctor") -> Iterator[None]:
    test.lab.stop_service()
    yield
    test.lab.start_service()


@contextlib.contextmanager
def port_taken(test: "Doctor") -> Iterator[None]:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", test.connector.health_port))
        other.listen()
        yield


@contextlib.contextmanager
def no_socket(test: "Doctor") -> Iterator[None]:
    place = test.connector.directory / "control.sock"
    place.write_text("not a socket")
    yield
    place.unlink()


def of_ca(name: str) -> Callable[["Doctor"], Path]:
    return lambda test: test.connector.directory / "local-ca" / name


def of_state(name: str) -> Callable[["Doctor"], Path]:
    return lambda test: test.state / name


def secret(name: str) -> Callable[["Doctor"], Path]:
    return lambda test: test.connector.directory / "secrets" / name


def copied(test: "Doctor", name: str, data: bytes) -> Path:
    path = test.connector.directory / name
    pki.write(path, data)
    return path


def expired_own(test: "Doctor") -> bytes:
    own = subprocess.run(["openssl", "x509", "-in", test.state / "connector.crt", "-noout", "-subject", "-nameopt", "RFC2253"], check=True,
                         capture_output=True, text=True).stdout.strip().split("CN=")[1].split(",")[0]
    key = pki.serialization.load_pem_private_key((test.state / "connector.key").read_bytes(), None)
    past = pki.now() - dt.timedelta(days=3)
    made = test.lab.pki.enrolment_ca.leaf(pki.common_name(own), key, not_before=past - dt.timedelta(days=90), not_after=past)
    return pki.cert_pem(made.certificate)


def expired_delivery(test: "Doctor") -> Json:
    past = pki.now() - dt.timedelta(days=3)
    made = test.lab.pki.delivery_issuing_ca.leaf(pki.common_name("Old"), pki.make_key(), not_before=past - dt.timedelta(days=90), not_after=past)
    key = test.connector.directory / "secrets" / "old.key"
    pki.write(key, pki.key_pem(made.key), private=True)
    return {"delivery": {"certificate": copied(test, "old.crt", pki.cert_pem(made.certificate)), "key": f"file:{key}"}}


def open_secret(test: "Doctor") -> Path:
    path = copied(test, "far.password", b"word\n")
    path.chmod(0o644)
    return path


@dataclass
class Case:
    name: str
    breaking: Breaking
    faults: dict[str, str]      # name of the line -> what its mend says
    says: str = ""              # in the detail of one of them


CASES = (
    # file modes and owners
    Case("a key that others read", mode(secret("import-key.pem"), 0o644), {"import.ImportKey1.key": "chmod 0600", "import key ImportKey1": "0600"}, "0644"),
    Case("an open state directory", mode(of_state(""), 0o755), {"storage.directory": "chmod 0700"}),
    Case("a configuration that a group may write", mode(lambda test: test.connector.config_file, 0o664), {"configuration": "chmod go-w"}),
    Case("anchors that anybody may write", mode(lambda test: test.lab.pki.path("service-ca.crt"), 0o666), {"management.ca_file": "chmod go-w"}),
    Case("an open database", mode(of_state("connector.db"), 0o640), {"database": "chmod 0600"}),
    Case("an open log directory", mode(lambda test: test.connector.directory / "log", 0o777), {"log.file": "chmod go-w"}),
    # database and sealing key
    Case("no database at all", content(of_state("connector.db"), lambda _: b"this is no database, and long enough not to be taken for one" * 99),
         {"database": "backup"}),
    Case("another program's database", number("application_id", 77), {"database": "move it away"}, "another program"),
    Case("a newer schema", number("user_version", 99), {"database": "install that version"}, "newer version"),
    Case("no sealing key", content(secret("sealing.key"), None), {"sealing.key": "backup", "sealing key": "backup"}, "does not exist"),
    Case("another sealing key", content(secret("sealing.key"), lambda _: bytes(32)), {"sealing key": "put the right key back"}, "not the key"),
    # import keys
    Case("an import key that is none", content(secret("import-key.pem"), lambda _: pki.key_pem(pki.make_key("ecP256"))), {"import key ImportKey1": "backup"}),
    # certificates
    Case("not enrolled", content(of_state("connector.key"), None),
         {"management.key": "enroll", "connector certificate": "enroll", "credential": "enroll"}),
    Case("an expired certificate", content(of_state("connector.crt"), expired_own), {"connector certificate": "enroll", "credential": "--anew"}, "expired"),
    Case("a delivery key of another certificate", content(secret("delivery.key"), lambda _: pki.key_pem(pki.make_key())), {"delivery certificate": "delivery-key"}),
    Case("an expired delivery certificate", config(expired_delivery), {"delivery certificate": "new one"}, "expired"),
    Case("importers that are none", config(lambda test: {"importer": {"signers": copied(test, "none.pem", b"nothing\n")}}), {"importer signers": "importer.signers"}),
    # service
    Case("the service is down", service_down, {"connection": "firewall"}),
    Case("a name that is nobody's", config(lambda _: {"management": {"url": "https://no-such-host.invalid/api/v1"}}), {"name": "management.url"}),
    Case("a foreign authority", config(lambda test: {"management": {"ca_file": test.lab.pki.path("foreign-ca.crt")}}), {"TLS": "management.ca_file"}),
    Case("a base path that is none", config(lambda test: {"management": {"url": test.lab.url.replace("/api/v1", "/nothing")}}), {"credential": "base path"}),
    Case("not approved", fault("403", call="lease-renew", code="notApproved"), {"credential": "approve"}),
    Case("a clock that is off", service(date_skew_seconds=-2000), {"clock": "NTP"}, "ahead of"),
    Case("a proxy that is none", config(lambda _: {"management": {"proxy": "http://127.0.0.1:9"}}), {"proxy": "management.proxy"}),
    # authorities
    Case("an authority without its key", content(of_ca("ca.key"), None), {"authority corp": "backup", "authority.corp ca.key": "local-ca create"}),
    Case("an authority with another key", content(of_ca("ca.key"), lambda _: pki.key_pem(pki.make_key())), {"authority corp": "backup"}),
    Case("a template beyond the authority", config(lambda _: {"authority": {"corp": {"template": {"smime-signing": {"extended_key_usage": [
        "1.3.6.1.5.5.7.3.2"]}}}}}), {"authority corp template smime-signing": "template.smime-signing"}),
    Case("a domain beyond the authority", config(lambda _: {"policy": {"allowed_mail_domains": ["corp.example", "other.example"]}}),
         {"authority corp template smime-signing": "--domain other.example"}),
    Case("no authority", config(lambda _: {"authority": None}), {"authorities": "[authority.NAME]"}),
    Case("an authority's password that others read", config(lambda test: {"authority": {"far": {
        "type": "est", "url": "https://127.0.0.1:9/.well-known/est", "ca_file": test.lab.pki.path("service-ca.crt"), "user": "u",
        "password": f"file:{open_secret(test)}"}}}), {"authority.far.password": "chmod 0600", "authority far": "[authority.far]"}),
    # trust
    Case("the service's word for devices", config(lambda _: {"recipients": {"binding": "service"}}), {"recipients.binding": "certificate"},
         "the service's word is taken"),
    Case("the service's word for persons", config(lambda _: {"policy": {"identity": "service"}}), {"policy.identity": "certificate"},
         "the service's word is taken"),
    Case("devices by the issuing authority", config(lambda test: {"recipients": {"ca_file": copied(test, "ca.pem", of_ca("ca.crt")(test).read_bytes())}}),
         {"device authority": "recipients.ca_file"}, "itself"),
    Case("devices by the root above it", config(lambda test: {"recipients": {"ca_file": copied(test, "root.pem", of_ca("root.crt")(test).read_bytes())}}),
         {"device authority": "recipients.ca_file"}, "anchors S/MIME certificates of our own"),
    Case("devices by no authority", config(lambda test: {"recipients": {"ca_file": test.lab.pki.path("importer.crt")}}), {"device authority": "direct issuer"}),
    # doors
    Case("the health port is taken", port_taken, {"health port": "health.listen"}, "taken"),
    Case("no socket where the socket is to be", no_socket, {"control socket": "control.socket"}),
)


class Doctor(unittest.TestCase):
    lab: Lab
    connector: Connector

    @classmethod
    def setUpClass(cls) -> None:
        if cls is Doctor:
            raise unittest.SkipTest("only what the others have in common")
        cls.lab = cls.enterClassContext(Lab(pki_directory=PKI))
        cls.connector = cls.lab.connector()

    @property
    def state(self) -> Path:
        return Path(self.connector.settings["storage"]["directory"])

    def examine(self, *arguments: str) -> tuple[int, list[Json]]:
        done = self.connector.command("doctor", "--json", *arguments)
        self.assertIn(done.returncode, (0, 2, 3), done.stdout + done.stderr)
        return done.returncode, json.loads(done.stdout)["checks"]

    def faults(self, checks: list[Json]) -> dict[str, Json]:
        return {each["name"]: each for each in checks if each["verdict"] == "fault"}

    def row(self, checks: list[Json], name: str) -> Json:
        found = [each for each in checks if each["name"] == name]
        self.assertEqual(len(found), 1, f"{name} among {[each['name'] for each in checks]}")
        return found[0]


class BrokenInTurn(Doctor):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        # So that there is a database with something in it, and nobody who has it.
        assert cls.connector.terminate() == 0

    def test_each_thing_broken_and_mended(self) -> None:
        """Each run must find exactly what is broken at present: what was broken before is mended, or it would stand there too."""
        code, checks = self.examine()
        self.assertEqual((code, self.faults(checks)), (0, {}))
        for case in CASES:
            with self.subTest(case.name):
                with case.breaking(self):
                    code, checks = self.examine()
                found = self.faults(checks)
                self.assertEqual(set(found), set(case.faults), found)
                self.assertEqual(code, 3)
                for name, mend in case.faults.items():
                    self.assertIn(mend, found[name]["mend"], found[name])
                self.assertTrue(any(case.says in each["detail"] for each in found.values()), found)
        code, checks = self.examine()
        self.assertEqual((code, self.faults(checks)), (0, {}))
        for name in ("recipients.binding", "policy.identity", "device authority", "modes and owners", "database", "sealing key", "import key ImportKey1",
                     "connector certificate", "delivery certificate", "importer signers", "authority corp", "authority corp dry run", "name", "TLS",
                     "credential", "clock", "health port", "disk of the database"):
            self.assertEqual(self.row(checks, name)["verdict"], "ok")

    def test_a_full_disk(self) -> None:
        if os.geteuid() != 0:
            self.skipTest("a file system of its own needs root")
        script = 'mount -t tmpfs -o size=2m,mode=0700 none "$1" && shift && exec "$@"'
        done = subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", str(self.connector.directory / "log"), str(self.connector.program), "--config",
                               str(self.connector.config_file), "doctor", "--json"], capture_output=True, text=True, timeout=60,
                              env=self.connector.environment)
        self.assertEqual(done.returncode, 3, done.stdout + done.stderr)
        found = self.faults(json.loads(done.stdout)["checks"])
        self.assertEqual(set(found), {"disk of the log"})
        self.assertIn("make room", found["disk of the log"]["mend"])

    def test_root_looks_as_the_daemon_does(self) -> None:
        if os.geteuid() != 0:
            self.skipTest("another account's files need root")
        mine = [path for place in ("state", "log", "secrets", "local-ca") for path in (self.connector.directory / place, *(self.connector.directory / place).rglob("*"))]
        for place in (PKI, self.lab.directory, self.connector.directory):
            place.chmod(0o711)
        try:
            for path in mine:
                shutil.chown(path, "nobody", "nogroup")
            code, checks = self.examine()
            self.assertEqual((code, self.faults(checks)), (0, {}))
            self.assertIn("account nobody", self.row(checks, "modes and owners")["detail"])
            key = secret("import-key.pem")(self)
            os.chown(key, 0, 0)
            code, checks = self.examine()
            self.assertEqual((code, set(self.faults(checks))), (3, {"import.ImportKey1.key", "import key ImportKey1"}))
            self.assertIn(f"chown nobody {key}", self.row(checks, "import.ImportKey1.key")["mend"])
            shutil.chown(key, "nobody", "nogroup")
            with mode(lambda test: test.lab.pki.path("device-ca.crt"), 0o600)(self):
                code, checks = self.examine()
            self.assertEqual(code, 3)
            self.assertIn("chmod 0644", self.faults(checks)["recipients.ca_file"]["mend"])
        finally:
            for path in mine:
                if path.exists():
                    os.chown(path, 0, 0)
        self.assertEqual(self.examine()[0], 0)

    def test_for_people_it_is_one_line_each(self) -> None:
        with CASES[0].breaking(self):
            done = self.connector.command("doctor")
        self.assertEqual(done.returncode, 3, done.stderr)
        *lines, last = done.stdout.splitlines()
        for line in lines:
            self.assertRegex(line, r"^[✓!✗] \S")
        self.assertIn("2 faults", last)
        bad = [line for line in lines if line.startswith("✗")]
        self.assertEqual(len(bad), 2, bad)
        self.assertTrue(all(" → " in line for line in bad), "each failing line names the mend")
        self.assertNotIn("\x1b", done.stdout)

    def test_a_configuration_that_is_none(self) -> None:
        with content(lambda test: test.connector.config_file, lambda _: b"[management]\nulr = 5\n")(self):
            done = self.connector.command("doctor")
            code, checks = self.examine()
        self.assertEqual((done.returncode, code), (2, 2))
        self.assertIn("did you mean url", done.stdout)
        self.assertGreater(len(self.faults(checks)), 3)
        self.assertEqual(self.connector.command("--config", "/nowhere/at/all.toml", "doctor").returncode, 2)

    def test_what_is_worth_a_look_is_no_fault(self) -> None:
        for name, change, row, mend in (
                ("no delivery certificate", {"delivery": {"certificate": None, "key": None, "chain_file": None}}, "delivery certificate", "delivery-key create"),
                ("no signatures", {"importer": {"signatures": "off"}}, "importer signers", "required"),
                ("no import key", {"import": None}, "import keys", "import key create")):
            with self.subTest(name), config(lambda _, change=change: change)(self):
                code, checks = self.examine()
                self.assertEqual((code, self.faults(checks)), (0, {}))
                found = self.row(checks, row)
                self.assertEqual(found["verdict"], "warning")
                self.assertIn(mend, found["mend"])

    def test_a_revocation_list(self) -> None:
        named = config(lambda _: {"authority": {"corp": {"template": {"smime-signing": {"crl_url": "http://crl.corp.example/ca.crl"}}}}})
        gone = content(lambda test: Path(test.connector.settings["authority"]["corp"]["directory"]) / "ca.crl", None)
        with named(self):
            self.assertEqual(self.row(self.examine()[1], "authority corp revocation list")["verdict"], "ok", "the daemon has made one")
            with gone(self):
                code, checks = self.examine()
        self.assertEqual((code, self.faults(checks)), (0, {}), "before the first start there is none")
        found = self.row(checks, "authority corp revocation list")
        self.assertEqual(found["verdict"], "warning")
        self.assertIn("local-ca crl", found["mend"])

    def test_it_changes_nothing(self) -> None:
        def look() -> dict[str, Any]:
            return {str(path): (path.stat().st_mode, path.stat().st_uid, path.read_bytes() if path.is_file() else None)
                    for path in sorted(self.connector.directory.rglob("*"))}
        before, calls = look(), self.lab.last_call()
        self.assertEqual(self.examine()[0], 0)
        self.assertEqual(look(), before)
        self.assertEqual([each["call"] for each in self.lab.calls(since=calls)], ["lease-renew"])
        self.lab.check_clean()


class BesideTheDaemon(Doctor):
    def test_everything_is_well_and_nothing_is_disturbed(self) -> None:
        # So that something is stored that the sealing key is held against.
        first = self.lab.user("before")
        self.lab.delivered(self.lab.issue(first, self.lab.device(first, key_kind="ecP256"), key_type="ecP256"))
        self.connector.wait_until(lambda: all(row["stage"] == "closed" for row in self.connector.command_json("requests", "list")["requests"]), 20, "rest")
        lines = len(self.connector.audit())
        for _ in range(2):
            code, checks = self.examine()
            self.assertEqual((code, self.faults(checks)), (0, {}))
            self.assertIn("runs", self.row(checks, "daemon")["detail"])
            self.assertIn("answers", self.row(checks, "health port")["detail"])
            self.assertIn("opens the database", self.row(checks, "sealing key")["detail"])
        self.assertEqual(self.connector.health("/readyz")[0], 200)
        self.assertEqual(len(self.connector.audit()), lines)
        user = self.lab.user("after")
        self.lab.delivered(self.lab.issue(user, self.lab.device(user, key_kind="ecP256"), key_type="ecP256"))
        self.lab.check_clean()

    def test_faults_beside_the_daemon(self) -> None:
        for case in CASES:
            if case.name not in ("a key that others read", "an authority with another key", "not approved", "the service's word for persons"):
                continue
            with self.subTest(case.name):
                with case.breaking(self):
                    code, checks = self.examine()
                self.assertEqual((code, set(self.faults(checks))), (3, set(case.faults)))

    def test_a_daemon_that_cannot_be_spoken_with(self) -> None:
        place = self.connector.directory / "control.sock"
        place.rename(self.connector.directory / "aside.sock")
        code, checks = self.examine()
        (self.connector.directory / "aside.sock").rename(place)
        self.assertEqual((code, set(self.faults(checks))), (3, {"control socket"}))
        assert self.connector.process is not None
        self.assertIn(f"process {self.connector.process.pid}", self.row(checks, "control socket")["detail"])
        self.assertEqual(self.examine()[0], 0)

    def test_a_configuration_newer_than_the_daemon(self) -> None:
        later = self.connector.config_file.stat().st_mtime + 3600
        os.utime(self.connector.config_file, (later, later))
        code, checks = self.examine()
        self.assertEqual(code, 0)
        self.assertIn("restart", [each for each in checks if each["verdict"] == "warning" and each["name"] == "configuration"][0]["mend"])

    def test_what_only_the_unit_can_read_is_looked_at_by_the_daemon(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            secrets = self.connector.directory / "secrets"
            for name in ("sealing.key", "import-key.pem"):
                shutil.copy(secrets / name, folder)
            before, environment = self.connector.settings, self.connector.environment
            self.assertEqual(self.connector.terminate(), 0)
            try:
                self.connector.configure({"sealing": {"key": "credential:sealing.key"}, "import": {"ImportKey1": {"key": "credential:import-key.pem"}}})
                code, checks = self.examine()
                self.assertEqual(code, 0)
                self.assertEqual(self.row(checks, "credentials")["verdict"], "warning")
                self.connector.environment = {**environment, "CREDENTIALS_DIRECTORY": folder}
                self.connector.start()
                self.connector.environment = environment
                code, checks = self.examine()
                self.assertEqual((code, self.faults(checks)), (0, {}))
                self.assertIn("opens what is wrapped for it", self.row(checks, "import key ImportKey1")["detail"])
                self.assertEqual(self.row(checks, "sealing key")["verdict"], "ok")
                (Path(folder) / "import-key.pem").write_bytes(b"gone")
                code, checks = self.examine()
                self.assertEqual((code, set(self.faults(checks))), (3, {"import key ImportKey1"}))
            finally:
                self.connector.environment = environment
                self.connector.terminate()
                self.connector.settings = before
                self.connector.configure({})
                self.connector.start()


class Trust(unittest.TestCase):
    """Who could do what: the configuration alone decides."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.place = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.pki = pki.Pki(PKI)

    def rows(self, change: Json) -> dict[tuple[str, str], Json]:
        connector = Connector(self.place / self.id(), self.pki, "https://127.0.0.1:1/api/v1", config=change)
        done = connector.command("doctor", "--trust", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        return {(each["who"], each["what"]): each for each in json.loads(done.stdout)["trust"]}

    def could(self, change: Json, who: str, words: str) -> Json:
        found = [each for (party, what), each in self.rows(change).items() if party == who and words in what]
        self.assertEqual(len(found), 1, found)
        return found[0]

    def test_each_key_changes_its_row(self) -> None:
        for change, who, words, could, key in (
                ({}, "service", "wrapped for a device of its choice", "no", "recipients.binding"),
                ({"recipients": {"binding": "register"}}, "service", "wrapped for a device of its choice", "limited", "recipients.binding"),
                ({"recipients": {"binding": "service"}}, "service", "wrapped for a device of its choice", "yes", "recipients.binding"),
                ({"recipients": {"binding": "register", "key_change": "hold"}}, "service", "key of a known device", "no", "recipients.key_change"),
                ({"recipients": {"binding": "register", "key_change": "allow"}}, "service", "key of a known device", "yes", "recipients.key_change"),
                ({"recipients": {"binding": "register", "user_change": "audit"}}, "service", "known device to another", "yes", "recipients.user_change"),
                ({}, "service", "another person's name", "no", "policy.identity"),
                ({"policy": {"identity": "service"}}, "service", "another person's name", "yes", "policy.identity"),
                ({}, "service", "encryption certificate of its own", "no", "importer.signatures"),
                ({"importer": {"signatures": "off"}}, "service", "encryption certificate of its own", "yes", "importer.signatures"),
                ({"importer": {"address": "off"}}, "importer", "encryption certificate", "yes", "importer.address"),
                ({}, "importer", "encryption certificate", "limited", "importer.signers"),
                ({}, "device authority", "receive that person's keys", "yes", "recipients.ca_file"),
                ({}, "network", "pass for the service", "no", "management.ca_file"),
                ({"management": {"ca_file": "system"}}, "network", "pass for the service", "limited", "management.ca_file"),
                ({}, "local accounts", "how much is delivered", "yes", "health.listen"),
                ({"health": {"listen": ""}}, "local accounts", "how much is delivered", "no", "health.listen"),
                ({"health": {"listen": "0.0.0.0:9464", "allow_remote": True}}, "network", "how much is delivered", "yes", "health.listen"),
                ({"management": {"proxy": "http://proxy:3128"}}, "proxy", "whom we speak with", "yes", "management.proxy")):
            with self.subTest(change=change, words=words):
                found = self.could(change, who, words)
                self.assertEqual((found["could"], found["key"]), (could, key), found)
                self.assertTrue(found["because"])

    def test_for_people_it_is_one_table(self) -> None:
        connector = Connector(self.place / self.id(), self.pki, "https://127.0.0.1:1/api/v1", config={"policy": {"identity": "service"}})
        done = connector.command("doctor", "--trust")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout.splitlines()[0], r"^who +could +as things stand +key$")
        for party in ("service", "importer", "device authority", "authority corp", "root, the daemon's account", "network"):
            self.assertIn(f"\n{party} ", done.stdout)
        self.assertIn("✗ yes", done.stdout)
        self.assertIn("✓ no", done.stdout)


if __name__ == "__main__":
    unittest.main()
