#!/usr/bin/python3
"""The command line as people and scripts use it: help, configuration errors, keys, imports, the embedded CA, the ledger's orders."""
import base64
import json
import os
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
import tomllib
import unittest
from functools import lru_cache
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))
import pfx  # noqa: E402
from bad_input import document  # noqa: E402
import pki  # noqa: E402
from lab import Connector, Lab, find_program  # noqa: E402


def setUpModule() -> None:
    global PKI
    PKI = Path(tempfile.mkdtemp(prefix="pfx-cli-"))
    unittest.addModuleCleanup(shutil.rmtree, PKI, True)


def run(*arguments: object, stdin: str | None = None, program: Path | None = None, columns: str = "100") -> subprocess.CompletedProcess:
    return subprocess.run([str(program or find_program()), *map(str, arguments)], input=stdin, stdin=None if stdin is not None else subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60, env={**os.environ, "NO_COLOR": "1", "COLUMNS": columns})


@lru_cache
def help_of(*command: str) -> subprocess.CompletedProcess:
    return run(*command, "--help")


def errors(done: subprocess.CompletedProcess) -> list[str]:
    """What stands on standard error but for warnings, which have lines of their own, and what `run` has done before."""
    return [line for line in done.stderr.strip().splitlines() if "warning: " not in line[:30] and " info " not in line[:30]]


class Case(unittest.TestCase):
    def assert_refused(self, done, code: int, *parts: str) -> None:
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        self.assertEqual(len(errors(done)), 1, f"errors go to stderr, one line: {done.stderr!r}")
        for part in parts:
            self.assertIn(part, done.stderr)


class Program(Case):
    def commands(self, *above: str) -> list[list[str]]:
        found = []
        lines = help_of(*above).stdout.splitlines()
        if "Subcommands:" in lines:
            for line in lines[lines.index("Subcommands:") + 1:]:
                name = re.match(r"  ([a-z][a-z-]*)(\s|$)", line)
                if not line.strip():
                    break
                if name:
                    found += [[*above, name[1]], *self.commands(*above, name[1])]
        return found

    def test_every_command_explains_itself(self) -> None:
        commands = self.commands()
        self.assertGreater(len(commands), 30)
        for command in commands:
            with self.subTest(" ".join(command)):
                done = help_of(*command)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(done.stderr, "")
                self.assertNotIn("Usage: pfx-connector [OPTIONS] SUBCOMMAND", done.stdout)
                self.assertNotIn("\x1b", done.stdout)

    def test_the_commands_that_the_contract_names_and_that_are_built(self) -> None:
        there = {" ".join(each) for each in self.commands()}
        for name in ("run", "enroll", "check-config", "doctor", "status", "requests list", "requests show", "requests retry", "requests abandon", "requests approve",
                     "recipients list", "recipients window", "recipients block", "limits show", "limits raise", "freeze", "thaw", "import key create", "import key list", "import key export",
                     "import add", "import list", "import remove", "local-ca create", "local-ca revoke", "local-ca crl", "issued list", "authority list", "authority test", "authority resume", "sealing create",
                     "delivery-key create", "delivery-key export", "audit verify", "explain", "version"):
            self.assertIn(name, there)

    def test_what_is_wrong_on_the_command_line_is_named(self) -> None:
        self.assert_refused(run("requests", "show"), 2, "ID")
        self.assert_refused(run("requests", "list", "--stage", "nowhere"), 2, "nowhere")
        self.assert_refused(run("version", "--frobnicate"), 2, "--frobnicate")
        self.assert_refused(run(), 2)
        self.assert_refused(run("frobnicate"), 2, "frobnicate")

    def test_version(self) -> None:
        done = run("version")
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, r"^pfx-connector \d+\.\d+\.\d+")
        self.assertEqual(json.loads(run("version", "--json").stdout)["name"], "pfx-connector")

    def test_explain_knows_every_event_there_is(self) -> None:
        listed = Path(__file__).resolve().parents[2] / "core" / "event_ids.hpp"
        ids = sorted(set(re.findall(r'"([A-Z]{2,4}-\d{4})"', listed.read_text())))
        self.assertGreater(len(ids), 40)
        known = {event["id"]: event for event in json.loads(run("explain", "events", "--json").stdout)["events"]}
        for event in ids:
            with self.subTest(event):
                self.assertTrue(all(known[event][name] for name in ("headline", "meaning", "action")))
        for event in ids[::15]:  # one by one they are the same rows
            with self.subTest(event, alone=True):
                done = run("explain", event, "--json")
                self.assertEqual(done.returncode, 0, done.stderr)
                told = json.loads(done.stdout)
                self.assertEqual([told[name] for name in ("headline", "meaning", "action")], [known[event][name] for name in ("headline", "meaning", "action")])
        self.assertEqual(run("explain", "pkcs-1050").returncode, 0, "an id in lower case")
        self.assert_refused(run("explain", "NOPE-0000"), 1, "NOPE-0000")
        self.assertEqual(run("explain", "pkcs12").returncode, 0)

    def test_explain_knows_the_codes_of_the_contract(self) -> None:
        """In the words of docs/bad-input.md."""
        for code, action in document.DO.items():
            with self.subTest(code):
                told = json.loads(run("explain", code, "--json").stdout)
                self.assertEqual((told["code"], told["action"]), (code, action))
                self.assertEqual(told["orderAgain"], document.REPEAT.get(code, "no"))
                self.assertIn(action.split()[0], run("explain", code.lower()).stdout)
        self.assertEqual(set(json.loads(run("explain", "codes", "--json").stdout)["codes"]), set(document.DO))
        self.assertIn("importUnsigned", run("explain", "codes").stdout)

    def test_what_to_do_names_no_command_that_does_not_exist(self) -> None:
        there = {" ".join(each) for each in self.commands()}
        there |= {each.split()[0] for each in there} | {"local-ca", "freeze", "thaw", "limits raise"}  # the last three are being built
        for event in json.loads(run("explain", "events", "--json").stdout)["events"]:
            for name in ("meaning", "action"):
                text = event[name]
                for other in ("SIGHUP", "systemctl", "reload"):
                    if event["id"] not in ("SVC-5016", "SVC-5017"):
                        self.assertNotIn(other, text, event["id"])
                for command in re.findall(r"`([a-z][a-z-]+(?: [a-z][a-z-]+)*)", text):
                    words = command.split()
                    if words[0] in ("groupadd", "timedatectl", "ss"):
                        continue
                    with self.subTest(event["id"], command=command):
                        self.assertTrue(any(" ".join(words[:n]) in there for n in (3, 2, 1)), f"{command} in {event['id']}")
                        if len(words) > 1 and any(each.startswith(words[0] + " ") for each in there):
                            self.assertTrue(any(" ".join(words[:n]) in there for n in (3, 2)), f"{command} in {event['id']}")

    def test_a_command_that_is_not_there_has_no_help(self) -> None:
        for command in (("frobnicate",), ("import", "frobnicate"), ("requests", "lst"), ("import", "key", "frobnicate")):
            with self.subTest(command):
                self.assert_refused(run(*command, "--help"), 2, command[-1])

    def test_a_group_shows_examples_of_its_own(self) -> None:
        for group in ("import", "requests", "recipients", "local-ca", "authority", "delivery-key", "issued", "config"):
            with self.subTest(group):
                text = run(group, "--help").stdout
                self.assertIn("Examples:", text)
                self.assertIn(f"  pfx-connector {group} ", text[text.index("Examples:"):])
        self.assertIn("pfx-connector import key rotate", run("import", "key", "--help").stdout)

    def test_no_option_is_named_twice(self) -> None:
        for command in (("recipients", "window", "--until", "soon", "--max", "1"), ("import", "list", "--purpose", "x"), ("requests", "show", "a b"),
                        ("requests", "list", "--since", "x"), ("import", "remove", "--user", "a@b.example", "--thumbprint", "xyz")):
            with self.subTest(command):
                done = run(*command)
                self.assert_refused(done, 2)
                self.assertNotRegex(done.stderr, r"(--?[a-z]+|ID): \1: ")

    def test_a_thumbprint_is_40_hex_digits_however_it_was_copied(self) -> None:
        for command in (("remove", "--user", "a@b.example"), ("verify",), ("adopt",), ("upgrade",), ("key", "rotate", "A", "--to", "B")):
            for bad in ("xyz", "ab" * 19, "ab" * 21, "ab" * 32, ""):
                with self.subTest(command=command, thumbprint=bad):
                    self.assert_refused(run("import", *command, "--thumbprint", bad), 2, "40 hex digits")

    def test_json_keeps_line_breaks(self) -> None:
        """PEM and TOML come out of the JSON as programs read them."""
        def is_pem(kind: str, text: str) -> None:
            subprocess.run(["openssl", *({"public": ("pkey", "-pubin"), "certificate": ("x509",)}[kind]), "-noout"], input=text, text=True, check=True, capture_output=True)
        with tempfile.TemporaryDirectory() as place:
            made = json.loads(run("import", "key", "create", "K", "--key-file", Path(place) / "k.key", "--bits", "2048", "--json").stdout)
            is_pem("public", made["publicKey"])
            self.assertIn("K", tomllib.loads(made["configuration"])["import"])
            made = json.loads(run("delivery-key", "create", "--key-file", Path(place) / "d.key", "--json").stdout)
            self.assertEqual(set(tomllib.loads(made["configuration"])["delivery"]), {"certificate", "key"})
            made = json.loads(run("sealing", "create", Path(place) / "s.key", "--json").stdout)
            self.assertIn("key", tomllib.loads(made["configuration"])["sealing"])
        connector = Connector(PKI / "json", pki.Pki(PKI), "https://127.0.0.1:1/api/v1", without=("authority",))
        is_pem("public", json.loads(connector.command("import", "key", "export", "ImportKey1", "--json").stdout)["publicKey"])
        is_pem("certificate", json.loads(connector.command("delivery-key", "export", "--json").stdout)["certificate"])

    def test_a_sealing_key_is_made_once(self) -> None:
        with tempfile.TemporaryDirectory() as place:
            file = Path(place) / "sealing.key"
            done = run("sealing", "create", file)
            self.assertEqual(done.returncode, 0, done.stderr)
            octets = file.read_bytes()
            self.assertEqual((len(octets), stat.S_IMODE(file.stat().st_mode)), (32, 0o600))
            self.assertNotIn(octets.hex(), done.stdout)
            self.assert_refused(run("sealing", "create", file), 1, str(file))
            self.assertEqual(file.read_bytes(), octets)

    def test_a_delivery_key_is_made_once(self) -> None:
        with tempfile.TemporaryDirectory() as place:
            key, certificate = Path(place) / "delivery.key", Path(place) / "delivery.crt"
            done = run("delivery-key", "create", "--key-file", key, "--certificate", certificate)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(stat.S_IMODE(key.stat().st_mode), 0o600)
            self.assertNotIn("PRIVATE", done.stdout)
            before = key.read_bytes()
            self.assert_refused(run("delivery-key", "create", "--key-file", key, "--certificate", certificate), 1)
            self.assertEqual(key.read_bytes(), before)


class LocalCa(Case):
    def setUp(self) -> None:
        self.place = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.directory = self.place / "ca"

    def create(self, *more: object, directory: Path | None = None, root: Path | None = None):
        return run("local-ca", "create", "--directory", directory or self.directory, "--name", "Test CA", "--domain", "corp.example",
                   "--root-out", root or self.place / "root.key", *more)

    def test_the_root_key_is_not_kept(self) -> None:
        done = self.create()
        self.assertEqual(done.returncode, 0, done.stderr)
        root = self.place / "root.key"
        self.assertEqual(stat.S_IMODE(root.stat().st_mode), 0o600)
        self.assertTrue(root.read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----"), "unencrypted PKCS#8 PEM")
        root_public = subprocess.run(["openssl", "pkey", "-in", root, "-pubout"], capture_output=True, check=True).stdout
        certificates = 0
        for file in self.directory.iterdir():
            if stat.S_IMODE(file.stat().st_mode) & 0o077:
                self.assertNotIn(b"PRIVATE", file.read_bytes(), file.name)
            if b"PRIVATE" in file.read_bytes():
                public = subprocess.run(["openssl", "pkey", "-in", file, "-pubout"], capture_output=True, check=True).stdout
                self.assertNotEqual(public, root_public, f"{file.name} is the root's key")
            certificates += file.read_bytes().count(b"BEGIN CERTIFICATE")
        self.assertGreaterEqual(certificates, 2, "the root's certificate stays in D")
        self.assertNotIn("PRIVATE", done.stdout + done.stderr)
        self.assertEqual(stat.S_IMODE(self.directory.stat().st_mode) & 0o077, 0)

    def test_with_a_passphrase_the_root_key_is_encrypted(self) -> None:
        word = self.place / "word"
        pki.write(word, b"open sesame and more\n", private=True)
        done = self.create("--passphrase-file", word)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"BEGIN ENCRYPTED PRIVATE KEY", (self.place / "root.key").read_bytes())
        subprocess.run(["openssl", "pkey", "-in", self.place / "root.key", "-passin", f"file:{word}", "-noout"], check=True, capture_output=True)
        self.assertNotIn("sesame", done.stdout + done.stderr)

    def test_nothing_is_overwritten(self) -> None:
        self.directory.mkdir()
        (self.directory / "something").write_text("mine")
        self.assert_refused(self.create(), 1, str(self.directory))
        self.assertEqual(sorted(each.name for each in self.place.iterdir()), ["ca"], "a root key was left behind")
        self.assertEqual([each.name for each in self.directory.iterdir()], ["something"])
        (self.directory / "something").unlink()
        self.assertEqual(self.create().returncode, 0, "an empty directory is taken")
        self.assert_refused(self.create(directory=self.place / "other"), 1, "root.key")
        self.assertFalse((self.place / "other").exists(), "half a CA was left behind")

    def test_what_makes_no_sense_is_refused(self) -> None:
        self.assert_refused(self.create(root=self.directory / "root.key"), 2, "root")
        self.assert_refused(self.create("--days", "0"), 2, "--days")
        self.assert_refused(self.create("--key-type", "rsa1024"), 2, "--key-type")
        self.assert_refused(run("local-ca", "create", "--directory", self.directory, "--name", "X", "--root-out", self.place / "r.key"), 2, "--domain")
        self.assert_refused(self.create("--domain", "not a domain"), 2, "not a domain")
        self.assertFalse(self.directory.exists())

    def test_revoke_and_crl_of_a_ca_that_issued_nothing(self) -> None:
        self.create()
        self.assert_refused(run("local-ca", "revoke", "4f1c", "--directory", self.directory), 1, "4f1c")
        self.assert_refused(run("local-ca", "revoke", "4F:1C", "--directory", self.directory), 1, "4f1c")
        self.assert_refused(run("local-ca", "revoke", "xyz", "--directory", self.directory), 2, "xyz")
        self.assert_refused(run("local-ca", "revoke", "4f1c", "--reason", "foo", "--directory", self.directory), 2, "foo", "keyCompromise")
        self.assert_refused(run("local-ca", "crl", "--directory", self.place / "nowhere", "--out", self.place / "x"), 2)
        self.assertFalse((self.place / "nowhere").exists())
        done = run("local-ca", "crl", "--directory", self.directory, "--out", self.place / "ca.crl")
        self.assertEqual(done.returncode, 0, done.stderr)
        subprocess.run(["openssl", "crl", "-in", self.place / "ca.crl", "-noout"], check=True, capture_output=True)


class Configuration(Case):
    @classmethod
    def setUpClass(cls) -> None:
        cls.place = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.pki = pki.Pki(PKI)

    def connector(self, config: dict) -> Connector:
        made = Connector(self.place / self.id(), self.pki, "https://127.0.0.1:1/api/v1", config=config, without=("authority",))
        (made.directory / "admin").write_text("")
        return made

    def test_a_good_one(self) -> None:
        done = self.connector({}).command("check-config")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_all_errors_at_once_each_with_its_place(self) -> None:
        connector = self.connector({})
        text = connector.config_file.read_text() + '\n[unknown_table]\nx = 1\n'
        text = text.replace('[connector]', '[connector]\nbach = 5\nin_flight = 0\nkinds = ["pkcs.isue"]')
        text = text.replace('poll_wait_seconds = 2', 'poll_wait_seconds = "two"\nca_fil = "x"')
        connector.config_file.write_text(text)
        lines = text.splitlines()
        done = connector.command("check-config")
        self.assertEqual(done.returncode, 2)
        wanted = {"connector.bach": "batch", "connector.in_flight": None, "connector.kinds": "pkcs.issue", "management.poll_wait_seconds": None,
                  "management.ca_fil": "ca_file", "unknown_table": None}
        for key, near in wanted.items():
            with self.subTest(key):
                found = [re.match(rf"{re.escape(str(connector.config_file))}:(\d+):(\d+): (.*)", line) for line in errors(done) if key in line]
                self.assertEqual(len(found), 1, done.stderr)
                self.assertIsNotNone(found[0], done.stderr)
                assert found[0] is not None
                self.assertIn(key.split(".")[-1], lines[int(found[0][1]) - 1])
                if near and key != "connector.bach":  # [connector] has no `batch`; the nearest of that table is meant
                    self.assertIn(near, found[0][3])
        report = json.loads(connector.command("check-config", "--json").stdout)
        self.assertFalse(report["ok"])
        self.assertLessEqual(set(wanted), {each["key"] for each in report["problems"]})
        self.assert_refused(connector.command("run"), 2, str(connector.config_file))

    def test_the_two_choices_without_a_default_are_explained(self) -> None:
        done = self.connector({"recipients": {"binding": None}, "policy": {"identity": None}}).command("check-config")
        self.assertEqual(done.returncode, 2)
        for key, choices in (("recipients.binding", ("certificate", "directory", "statement", "register", "service")),
                             ("policy.identity", ("directory", "certificate", "service"))):
            line = next(each for each in done.stderr.splitlines() if key in each)
            for choice in choices:
                self.assertIn(f'"{choice}"', line)

    def test_what_is_not_built_is_refused_and_said(self) -> None:
        for config in ({"recipients": {"binding": "statement"}},
                       {"connector": {"kinds": ["pkcs.renew"]}}, {"authority": {"x": {"type": "adcs", "directory": "/nowhere"}}}):
            with self.subTest(config):
                done = self.connector(config).command("check-config")
                self.assertEqual(done.returncode, 2, done.stdout)
                self.assertRegex(done.stderr, "not built|no such|not yet|must be")

    def test_a_file_that_is_none(self) -> None:
        self.assert_refused(run("--config", self.place / "none.toml", "check-config"), 2, "none.toml")
        broken = self.place / "broken.toml"
        broken.write_text("[management\nurl=")
        self.assert_refused(run("--config", broken, "check-config"), 2, f"{broken}:1:")

    def refused_by_both(self, connector: Connector, key: str, says: str) -> None:
        """check-config says, at its place, what `run` would refuse."""
        done = connector.command("check-config")
        self.assertEqual(done.returncode, 2, done.stdout)
        found = [line for line in errors(done) if f": {key}: " in line]
        self.assertEqual(len(found), 1, done.stderr)
        self.assertRegex(found[0], rf"^{re.escape(str(connector.config_file))}:\d+:\d+: ")
        self.assertIn(says, found[0])
        self.assertEqual(connector.command("run").returncode, 2)

    def test_what_run_refuses_check_config_tells(self) -> None:
        with self.subTest("a sealing key of another length"):
            connector = self.connector({})
            pki.write(Path(connector.settings["sealing"]["key"].removeprefix("file:")), b"k" * 31, private=True)
            self.refused_by_both(connector, "sealing.key", "31 octets")
        with self.subTest("an authority's directory that is not there"):
            connector = self.connector({"authority": {"corp": {"type": "local", "directory": str(self.place / "nowhere")}}})
            self.refused_by_both(connector, "authority.corp.directory", "local-ca create")
        for name, content, says in (("an elliptic key", pki.key_pem(pki.make_key("ecP256")), "RSA"), ("no key", b"nothing\n", "import-key"),
                                    ("a small key", subprocess.run(["openssl", "genrsa", "1024"], capture_output=True, check=True).stdout, "2048")):
            with self.subTest("an import key file with " + name):
                connector = self.connector({})
                pki.write(Path(connector.settings["import"]["ImportKey1"]["key"].removeprefix("file:")), content, private=True)
                self.refused_by_both(connector, "import.ImportKey1.key", says)

    def test_what_is_missing_with_its_table_stands_at_the_end(self) -> None:
        connector = self.connector({"sealing": None})
        lines = connector.config_file.read_text().rstrip().splitlines()
        done = connector.command("check-config")
        self.assertIn(f"{connector.config_file}:{len(lines)}:1: sealing.key: is missing", done.stderr)

    def test_an_empty_file_lists_what_is_needed(self) -> None:
        connector = self.connector({})
        connector.config_file.write_text("")
        done = connector.command("check-config")
        self.assertEqual(done.returncode, 2)
        for key in ("management.url", "management.ca_file", "sealing.key", "recipients.binding"):
            self.assertIn(f"{connector.config_file}:1:1: {key}: is missing", done.stderr)

    def test_secrets_that_others_can_read_are_refused(self) -> None:
        connector = self.connector({})
        secret = Path(connector.settings["sealing"]["key"].removeprefix("file:"))
        secret.chmod(0o644)
        connector.directory.joinpath("state").mkdir(exist_ok=True)
        done = connector.command("audit", "verify")
        self.assert_refused(done, 2, str(secret))


class WithLab(Case):
    config: dict = {}

    @classmethod
    def setUpClass(cls) -> None:
        if cls is WithLab:
            raise unittest.SkipTest("only what the others have in common")
        cls.lab = cls.enterClassContext(Lab(pki_directory=PKI))
        cls.connector: Connector = cls.lab.connector(cls.config)
        cls.place = cls.lab.directory

    def tearDown(self) -> None:
        self.lab.good()

    def issue(self, name: str, **how) -> str:
        user = self.lab.user(name)
        return self.lab.issue(user, self.lab.device(user, key_kind="ecP256"), key_type="ecP256", **how)

    def wait_stage(self, identifier: str, *stages: str) -> None:
        def there() -> bool:
            return any(row["id"] == identifier and row["stage"] in stages for row in self.connector.command_json("requests", "list")["requests"])
        self.connector.wait_until(there, 20, f"{identifier} {stages}")


class Enrolling(Case):
    def test_enrolment_follows_the_document_and_knows_of_its_approval(self) -> None:
        for approve, said in (("auto", False), ("manual", True)):
            with self.subTest(approve), Lab(pki_directory=PKI, approve=approve) as lab:
                connector = lab.connector(start=False, enrol=False, local_ca=False, without=("authority",))
                token = connector.directory / "secrets" / "token"
                pki.write(token, lab.token().encode() + b"\n", private=True)
                done = connector.command("enroll", "--token-file", token, "--json")
                self.assertEqual(done.returncode, 0, done.stderr)
                answer = json.loads(done.stdout)
                self.assertNotIn(token.read_text().strip(), done.stdout + done.stderr)
                key = Path(connector.settings["storage"]["directory"]) / "connector.key"
                self.assertEqual(stat.S_IMODE(key.stat().st_mode), 0o600)
                public = subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-outform", "DER"], capture_output=True, check=True).stdout
                fingerprint = subprocess.run(["openssl", "dgst", "-sha256", "-r"], input=public, capture_output=True, check=True).stdout.decode().split()[0]
                self.assertEqual(answer["keySha256"], fingerprint)
                with self.subTest("the document"):
                    lab.check_clean()
                with self.subTest("approval"):
                    self.assertIs(answer["approvalNeeded"], said)

    def test_a_bad_token(self) -> None:
        with Lab(pki_directory=PKI) as lab:
            connector = lab.connector(start=False, enrol=False, local_ca=False, without=("authority",))
            state = Path(connector.settings["storage"]["directory"])
            token = connector.directory / "secrets" / "token"
            for text, code in (("no-such-token", 1), ("", 1), ("bad\x00token", 1)):
                with self.subTest(text=text):
                    pki.write(token, text.encode() + b"\n", private=True)
                    done = connector.command("enroll", "--token-file", token)
                    self.assertIn(done.returncode, (code, 2))
                    self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
                    if text == "no-such-token":
                        self.assertNotIn(text, done.stderr, "the token stands in the error")
                    self.assertFalse((state / "connector.crt").exists())
            self.assert_refused(connector.command("enroll"), 2, "--token-file")
            self.assert_refused(connector.command("enroll", "--renew"), 2)
            self.assert_refused(connector.command("enroll", "--token-file", connector.directory / "none"), 2, "none")
            self.assert_refused(connector.command("run"), 2, "enroll")
            good = lab.token()
            pki.write(token, good.encode() + b"\n", private=True)
            token.chmod(0o644)
            done = connector.command("enroll", "--token-file", token)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertRegex(done.stderr, "warning: .*others can read the token")
            self.assertEqual(connector.command("enroll", "--token-file", token).returncode, 0, "a second time: said, nothing done")
            used = connector.command("enroll", "--token-file", token, "--anew")
            self.assertEqual(used.returncode, 1, used.stderr)
            self.assertTrue((state / "connector.crt").exists())

    def test_renewal_gives_a_new_key_and_the_daemon_runs_with_it(self) -> None:
        with Lab(pki_directory=PKI) as lab:
            connector = lab.connector(start=False)
            key = Path(connector.settings["storage"]["directory"]) / "connector.key"
            before = key.read_bytes()
            done = connector.command("enroll", "--renew")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertNotEqual(key.read_bytes(), before)
            self.assertNotIn("restart", done.stdout)
            connector.start()

    def test_renewal_beside_a_running_daemon_is_in_force_at_once(self) -> None:
        with Lab(pki_directory=PKI) as lab:
            connector = lab.connector()
            for _ in range(2):
                reloads = sum("SVC-5016" in line for line in connector.audit())
                told = json.loads(connector.command("enroll", "--renew", "--json").stdout)
                self.assertIs(told["restartNeeded"], False)
                connector.wait_until(lambda: sum("SVC-5016" in line for line in connector.audit()) > reloads, 20, "the reload")
            connector.wait_ready(20)
            self.assertFalse({"daemon", "certificate in use"} & set(self.faults(connector)))

    def test_a_certificate_that_was_replaced_behind_the_daemons_back_is_told(self) -> None:
        with Lab(pki_directory=PKI) as lab:
            connector = lab.connector()
            self.assertNotIn("daemon", self.faults(connector))
            # Without the control socket the daemon hears nothing of it.
            settings = connector.settings
            connector.configure({"control": {"socket": connector.directory / "nobody.sock"}})
            told = json.loads(connector.command("enroll", "--renew", "--json").stdout)
            connector.settings = settings
            connector.configure({})
            self.assertIs(told["restartNeeded"], False, "no daemon was seen")
            # The next call with the certificate from before is refused, and doctor does not call that well.
            connector.wait_until(lambda: connector.command_json("status")["status"] == "notReady", 60, "notReady")
            faults = self.faults(connector)
            self.assertIn("certificate in use", faults, faults)
            self.assertIn("restart the daemon now", faults["certificate in use"]["mend"])
            self.assertIn("notReady", faults["daemon"]["detail"])
            self.assertIn("service: ", faults["daemon"]["detail"])
            self.assertIn("restart the connector", run("explain", "MGT-6003").stdout)
            connector.terminate()
            connector.start()
            connector.wait_until(lambda: not {"daemon", "certificate in use"} & set(self.faults(connector)), 60, "well again")

    def faults(self, connector: Connector) -> dict:
        checks = json.loads(connector.command("doctor", "--json").stdout)["checks"]
        return {each["name"]: each for each in checks if each["verdict"] == "fault"}


class Orders(WithLab):
    def test_explain_knows_every_event_in_the_log(self) -> None:
        self.lab.delivered(self.issue("explained"))
        user = self.lab.user("refused")
        self.lab.error(self.lab.issue(user, self.lab.device(user, key_kind="ecP256", flaw="foreign-ca"), key_type="ecP256"))
        ids = set(re.findall(r"\b[A-Z]{2,4}-\d{4}\b", self.connector.log()))
        self.assertGreater(len(ids), 6)
        for event in sorted(ids):
            with self.subTest(event):
                self.assertEqual(self.connector.command("explain", event).returncode, 0)

    def test_show_says_what_is_so(self) -> None:
        identifier = self.issue("shown")
        self.lab.delivered(identifier)
        self.wait_stage(identifier, "closed")
        row = next(each for each in self.connector.command_json("requests", "list")["requests"] if each["id"] == identifier)
        self.assertIsNone(row["dueAt"], "a closed order is due at no time")
        shown = self.connector.command_json("requests", "show", identifier)
        self.assertEqual((shown["id"], shown["kind"], shown["user"], shown["outcome"]), (identifier, "pkcs.issue", "shown@corp.example", "accepted"))
        # What is no longer known is absent; it is not something else.
        self.assertIn(shown["order"].get("keyType"), (None, "ecP256"))
        self.assertIn(shown["order"].get("authority"), (None, "corp"))
        self.assertFalse(re.fullmatch("0+", shown["orderHash"] or ""), "an order hash that is none")
        self.assertNotEqual(shown["dueAt"], "1970-01-01T00:00:00Z")

    def test_list_filters(self) -> None:
        identifier = self.issue("filtered")
        self.lab.delivered(identifier)
        self.wait_stage(identifier, "closed")
        for option, value, there in (("--user", "filtered@corp.example", True), ("--user", "FILTERED@CORP.EXAMPLE", True), ("--user", "nobody@corp.example", False),
                                     ("--stage", "closed", True), ("--stage", "held", False), ("--since", "2099-01-01T00:00:00Z", False),
                                     ("--since", "2020-01-01T00:00:00Z", True),
                                     ("--device", self.lab.state(identifier)["request"]["device"]["id"], True)):
            with self.subTest(option=option, value=value):
                rows = self.connector.command_json("requests", "list", option, value)["requests"]
                self.assertEqual(any(row["id"] == identifier for row in rows), there)
        others = [self.issue(f"page{n}") for n in range(3)]
        self.lab.wait(*others)
        seen, after = [], []
        while True:
            page = self.connector.command_json("requests", "list", "--limit", "2", *after)
            seen += [row["id"] for row in page["requests"]]
            if page["next"] is None:
                break
            after = ["--after", page["next"]]
        self.assertEqual(len(seen), len(set(seen)))
        self.assertLessEqual({identifier, *others}, set(seen))

    def test_retry_makes_a_waiting_result_due_now(self) -> None:
        self.lab.fault("503", count=-1, call="results", retryAfter=600)
        identifier = self.issue("retried")
        self.wait_stage(identifier, "packaged")
        self.connector.wait_until(lambda: self.lab.calls("results"), 10, "a refused report")
        self.lab.good()
        done = self.connector.command("requests", "retry", identifier)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.lab.delivered(identifier, timeout=10)
        self.wait_stage(identifier, "closed")
        self.assert_refused(self.connector.command("requests", "retry", identifier), 1, "over")
        self.assert_refused(self.connector.command("requests", "retry", "r-unknown"), 1, "r-unknown")

    def test_abandon_reports_it_and_revokes_what_was_issued(self) -> None:
        self.lab.fault("503", count=-1, call="results", retryAfter=1)
        identifier = self.issue("abandoned")
        self.wait_stage(identifier, "packaged")
        done = self.connector.command("requests", "abandon", identifier)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.lab.good()
        error = self.lab.error(identifier)
        self.assertEqual((error["code"], error["retryable"]), ("abandoned", False))
        self.wait_stage(identifier, "closed")
        row = next(each for each in self.connector.command_json("issued", "list")["issued"] if each["request"] == identifier)
        self.assertIsNotNone(row["revokedAt"])
        database = sqlite3.connect(f"file:{self.connector.settings['authority']['corp']['directory']}/ca.db?mode=ro", uri=True)
        self.addCleanup(database.close)
        reason = database.execute("SELECT revoked_at IS NOT NULL, reason FROM issued WHERE serial = ?", (row["serialNumber"],)).fetchone()
        self.assertEqual(reason, (1, "cessationOfOperation"))
        self.assert_refused(self.connector.command("requests", "abandon", identifier), 1, "over")
        self.assertIn("abandon", "\n".join(line for line in self.connector.audit() if identifier in line), "who gave it up")

    def test_local_ca_revoke_by_hand(self) -> None:
        identifier = self.issue("byhand")
        serial = self.lab.delivered(identifier)["certificates"][0]["serialNumber"]
        ca = self.connector.settings["authority"]["corp"]["directory"]
        for spelling, already in ((serial.upper(), False), (":".join(serial[at:at + 2] for at in range(0, len(serial), 2)), True)):
            done = run("local-ca", "revoke", spelling, "--directory", ca, "--reason", "keyCompromise", "--json")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIs(json.loads(done.stdout)["already"], already)
        out = self.place / "ca.crl"
        for der in ([], ["--der"]):
            self.assertEqual(run("local-ca", "crl", "--directory", ca, "--out", out, *der).returncode, 0)
            text = subprocess.run(["openssl", "crl", "-in", out, "-inform", "DER" if der else "PEM", "-noout", "-text"],
                                  capture_output=True, text=True, check=True).stdout
            self.assertIn(serial.upper(), text)
            self.assertIn("Key Compromise", text)
        self.assert_refused(run("local-ca", "revoke", serial, "--directory", ca, "--reason", "boredom"), 2, "boredom")

    def test_issued_list(self) -> None:
        identifier = self.issue("listed")
        result = self.lab.delivered(identifier)["certificates"][0]
        self.wait_stage(identifier, "closed")
        row = self.connector.command_json("issued", "list", "--limit", "1")["issued"][0]
        self.assertEqual((row["sha256"], row["serialNumber"], row["request"], row["revokedAt"]), (result["sha256"], result["serialNumber"], identifier, None))

    def test_zz_commands_without_a_daemon(self) -> None:
        self.lab.fault("503", count=-1, call="results", retryAfter=1)
        identifier = self.issue("offline")
        self.wait_stage(identifier, "packaged")
        self.assertEqual(self.connector.terminate(), 0)
        self.assertEqual(self.connector.command_json("status")["status"], "stopped")
        for command in (["requests", "list"], ["requests", "show", identifier], ["recipients", "list"], ["issued", "list"], ["limits", "show"],
                        ["audit", "verify"]):
            with self.subTest(" ".join(command)):
                done = self.connector.command(*command)
                self.assertEqual(done.returncode, 0, done.stderr)
                json.loads(self.connector.command(*command, "--json").stdout)
        self.assertEqual(self.connector.command("requests", "abandon", identifier).returncode, 0)
        self.assertEqual(self.connector.command("recipients", "block", "--device", "d-gone").returncode, 0)
        self.lab.good()
        self.connector.start()
        self.assertEqual(self.lab.error(identifier)["code"], "abandoned")
        self.assertIn("d-gone", self.connector.command("recipients", "list").stdout)
        self.assertEqual(self.connector.command("audit", "verify").returncode, 0, "changes without a daemon are in the chain as well")
        who = [line for line in self.connector.audit() if "d-gone" in line]
        self.assertEqual(len(who), 1)
        self.assertTrue(json.loads(who[0])["by"])


class Imports(WithLab):
    """The importing tool: on an administrator's workstation, and where the connector is."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.word = cls.place / "word"
        pki.write(cls.word, b"Tr0ub4dor & three\n", private=True)
        cls.people = 0

    def person(self, years=(2020,), **how):
        type(self).people += 1
        user = self.lab.user(f"import{self.people}")
        identities = pki.history(self.lab.pki, user.upn, years, shared_keys=True, **how)
        files = []
        for identity in identities:
            files.append(self.place / f"{user.upn}-{identity.thumbprint}.pfx")
            files[-1].write_bytes(pfx.export(identity, "Tr0ub4dor & three"))
        return user, identities, files

    def add(self, user, *files, more=(), word: Path | None = None, purpose: str = "smimeEncryption", key: str = "ImportKey1"):
        return self.connector.command("import", "add", *files, "--user", getattr(user, "upn", user), "--purpose", purpose, "--key", key,
                                      "--password-file", word or self.word, "--json", *more)

    def stored(self, user) -> list[dict]:
        return self.lab.control.get(f"imports?userPrincipalName={user.upn}")["records"]

    def outcomes(self, done) -> list[str]:
        self.assertEqual(done.returncode, 0, done.stderr)
        return [each["outcome"] for each in json.loads(done.stdout)["certificates"]]

    def test_what_was_added_reaches_the_device(self) -> None:
        user, identities, files = self.person((2018, 2020, 2022))
        self.assertEqual(self.outcomes(self.add(user, *files, more=["--dry-run"])), ["checked"] * 3)
        self.assertEqual(self.stored(user), [])
        self.assertEqual(self.outcomes(self.add(user, *files)), ["added"] * 3)
        device = self.lab.device(user, key_kind="ecP256")
        opened = self.lab.open(device, self.lab.deliver(user, device))
        self.assertEqual([each.sha256 for each in opened.identities], [each.sha256 for each in identities])
        self.assertEqual(len({record["encryptedPfxPassword"] for record in self.stored(user)}), 3)

    def test_the_chain_of_what_was_added_goes_up_to_the_root(self) -> None:
        user, identities, files = self.person()
        self.assertEqual(self.outcomes(self.add(user, *files)), ["added"])
        device = self.lab.device(user, key_kind="ecP256")
        result = self.lab.delivered(self.lab.deliver(user, device), timeout=5)
        self.assertEqual([base64.b64decode(each) for each in result["chain"]], [pki.cert_der(each) for each in identities[0].chain])

    def test_twice_is_once(self) -> None:
        user, _, files = self.person()
        self.assertEqual(self.outcomes(self.add(user, *files)), ["added"])
        first = self.stored(user)
        self.assertEqual(self.outcomes(self.add(user, *files)), ["unchanged"])
        self.assertEqual(self.stored(user), first)

    def test_other_content_needs_replace(self) -> None:
        user, identities, files = self.person((2018, 2020))
        # The same certificate, stored under another importer's hand: not what would be written now.
        self.lab.store(self.lab.records(user, identities, importer=self.lab.pki.foreign_importer))
        first = self.stored(user)
        refused = self.add(user, *files)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("--replace", refused.stderr)
        self.assertEqual(self.stored(user), first)
        self.assertEqual(self.outcomes(self.add(user, *files, more=["--replace"])), ["replaced"] * 2)
        self.assertNotEqual(self.stored(user), first)
        device = self.lab.device(user, key_kind="ecP256")
        self.lab.open(device, self.lab.deliver(user, device))

    def test_a_password_on_standard_input(self) -> None:
        user, _, files = self.person()
        done = self.connector.command("import", "add", *files, "--user", user.upn, "--purpose", "smimeEncryption", "--key", "ImportKey1",
                                      "--password-stdin", "--json", stdin=b"Tr0ub4dor & three\n")
        self.assertEqual(self.outcomes(done), ["added"])

    def test_a_workstation_needs_the_public_key_alone(self) -> None:
        public = self.place / "import.pub"
        self.assertEqual(self.connector.command("import", "key", "export", "ImportKey1", "--out", public).returncode, 0)
        self.assertIn(b"BEGIN PUBLIC KEY", public.read_bytes())
        self.assertEqual(public.read_bytes(), self.lab.pki.path("import-key.pub").read_bytes())
        desk = Connector(self.place / "desk", self.lab.pki, self.lab.url, admin_token_file=self.lab.admin_token_file,
                         without=("import", "sealing", "recipients", "policy", "delivery", "limits", "authority", "health", "control", "audit",
                                  "storage", "connector"))
        user, _, files = self.person((2018, 2020))
        done = desk.command("import", "add", *files, "--user", user.upn, "--purpose", "smimeEncryption", "--key", "ImportKey1", "--key-file", public,
                            "--password-file", self.word, "--json")
        self.assertEqual(self.outcomes(done), ["added"] * 2)
        device = self.lab.device(user, key_kind="ecP256")
        self.lab.open(device, self.lab.deliver(user, device))
        self.assertIn(user.upn, desk.command("import", "list", "--json", check=True).stdout)

    def test_a_workstation_is_looked_at_as_one(self) -> None:
        """check-config and doctor, of what an importing tool needs and of nothing else."""
        desk = Connector(self.place / "looked-at", self.lab.pki, self.lab.url, admin_token_file=self.lab.admin_token_file,
                         without=("import", "sealing", "recipients", "policy", "delivery", "limits", "authority", "health", "control", "audit",
                                  "storage", "connector"))
        token = desk.directory / "secrets" / "admin.token"
        self.assertEqual(desk.command("check-config").returncode, 2)
        self.assertEqual(desk.command("check-config", "--for", "import").returncode, 0)
        self.assert_refused(desk.command("check-config", "--for", "desk"), 2)

        def doctor(code: int) -> dict[str, str]:
            done = desk.command("doctor", "--for", "import", "--json")
            self.assertEqual(done.returncode, code, done.stdout + done.stderr)
            return {row["name"]: row["detail"] + row["mend"] for row in json.loads(done.stdout)["checks"] if row["verdict"] == ("ok" if code == 0 else "fault")}

        since = self.lab.last_call()
        self.assertLessEqual({"configuration", "importer certificate", "name", "TLS", "token", "clock"}, set(doctor(0)))
        self.assertEqual([(each["call"], each["method"]) for each in self.lab.calls(since=since)], [("admin", "GET")])
        pki.write(token, b"WrongAdminToken123\n", private=True)
        found = doctor(3)
        self.assertEqual(list(found), ["token"])
        self.assertIn("management.admin_token", found["token"])
        self.assertNotIn("WrongAdminToken123", found["token"])
        token.unlink()
        self.assertEqual(list(doctor(3)), ["token"])
        pki.write(token, self.lab.admin_token_file.read_bytes(), private=True)
        desk.configure({"importer": {"key": None}})
        self.assert_refused(desk.command("check-config", "--for", "import"), 2, "importer.certificate")
        desk.configure({"importer": {"certificate": None}})
        self.assertEqual(list(doctor(3)), ["importer certificate"])

    def test_a_wrong_admin_token(self) -> None:
        token = self.connector.directory / "secrets" / "wrong.token"
        pki.write(token, b"WrongAdminToken123\n", private=True)
        desk = Connector(self.place / "stranger", self.lab.pki, self.lab.url, admin_token_file=token)
        user, _, files = self.person()
        for command in (["import", "list"], ["import", "remove", "--user", user.upn, "--thumbprint", "00" * 20],
                        ["import", "add", files[0], "--user", user.upn, "--purpose", "smimeEncryption", "--key", "ImportKey1", "--password-file", self.word]):
            done = desk.command(*command)
            self.assert_refused(done, 1)
            self.assertNotIn("WrongAdminToken123", done.stdout + done.stderr)

    def test_list_and_remove(self) -> None:
        user, identities, files = self.person((2016, 2018))
        self.outcomes(self.add(user, *files))
        listed = self.connector.command_json("import", "list", "--user", user.upn)["certificates"]
        self.assertEqual({each["thumbprint"] for each in listed}, {each.thumbprint for each in identities})
        self.assertTrue(all(each["signed"] for each in listed))
        text = json.dumps(listed) + self.connector.command("import", "list").stdout
        for record in self.stored(user):
            for name in ("encryptedPfxBlob", "encryptedPfxPassword"):
                self.assertNotIn(record[name][:40], text)
        thumbprint = identities[0].thumbprint
        wrong = self.connector.command("import", "remove", "--user", user.upn, "--thumbprint", "ab" * 20)
        self.assert_refused(wrong, 1, "nothing was removed")
        self.assert_refused(self.connector.command("import", "remove", "--user", "other@corp.example", "--thumbprint", thumbprint), 1)
        self.assert_refused(self.connector.command("import", "remove", "--user", user.upn, "--thumbprint", thumbprint, "--purpose", "wifi"), 1)
        self.assertEqual(len(self.stored(user)), 2)
        done = self.connector.command("import", "remove", "--user", user.upn.upper(), "--thumbprint", thumbprint.upper())
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(thumbprint, done.stdout)
        self.assertEqual([record["thumbprint"] for record in self.stored(user)], [identities[1].thumbprint])
        self.assert_refused(self.connector.command("import", "remove", "--user", user.upn, "--thumbprint", thumbprint), 1)

    def test_import_keys(self) -> None:
        public = self.place / "second.pem"
        done = self.connector.command("import", "key", "create", "Second", "--bits", "2048", "--out", public, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        made = json.loads(done.stdout)
        private = Path(made["key"])
        self.assertEqual(stat.S_IMODE(private.stat().st_mode), 0o600)
        self.assertIn(b"PRIVATE", private.read_bytes())
        self.assertNotIn("PRIVATE", done.stdout + done.stderr)
        self.assertIn(b"BEGIN PUBLIC KEY", public.read_bytes())
        self.assert_refused(self.connector.command("import", "key", "create", "Second", "--bits", "2048"), 1)
        self.assert_refused(self.connector.command("import", "key", "create", "../evil"), 2)
        self.assert_refused(self.connector.command("import", "key", "create", "Third", "--bits", "1024"), 2, "1024")
        self.connector.configure({"import": {"Second": {"key": f"file:{private}"}}})
        keys = {each["name"]: each for each in self.connector.command_json("import", "key", "list")["keys"]}
        self.assertEqual(keys["Second"]["sha256"], made["sha256"])
        self.assertEqual(self.connector.command("import", "key", "export", "Second").stdout.strip(), public.read_text().strip())
        private.chmod(0o644)
        self.assertEqual(self.connector.command("import", "key", "list").returncode, 3, "a key that others can read is a fault")
        private.chmod(0o600)

    def test_secrets_are_in_no_output(self) -> None:
        said = "".join(self.connector.command(*command, *json_too).stdout for json_too in ([], ["--json"]) for command in (
            ["status"], ["requests", "list"], ["recipients", "list"], ["issued", "list"], ["import", "list"], ["import", "key", "list"], ["check-config"]))
        said += self.connector.log() + "\n".join(self.connector.audit()) + self.connector.output()
        self.assertNotIn(self.lab.admin_token, said)
        self.assertNotIn("Tr0ub4dor", said)
        self.assertNotIn("PRIVATE KEY", said)
        self.assertNotIn(Path(self.connector.settings["sealing"]["key"].removeprefix("file:")).read_bytes().hex(), said)
        self.assertEqual(self.connector.holds_anywhere(b"Tr0ub4dor"), [])
        self.assertEqual(self.connector.holds_anywhere(self.lab.admin_token.encode()), [])


if __name__ == "__main__":
    unittest.main()
