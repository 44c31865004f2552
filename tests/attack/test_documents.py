#!/usr/bin/python3
"""What the documents say of security is so: each test that they name exists, each configuration passes, each attack has its place."""
import re
import tempfile
import unittest
from pathlib import Path

import catalogue
from harness import pki
from connector import find_program

import os
import subprocess

DOCS = catalogue.ROOT / "docs"
NAME = re.compile(r"`(tests/[\w/.]+::[\w.]+)`")
SETUP = re.compile(r'^```toml setup="([^"]+)"\n(.*?)^```$', re.M | re.S)


class Names(unittest.TestCase):
    def test_every_test_that_the_documents_name_exists(self) -> None:
        for document in ("threat-model.md", "security.md", "agent.md"):
            for name in NAME.findall((DOCS / document).read_text()):
                with self.subTest(document, name=name):
                    self.assertTrue(catalogue.exists(name))

    def test_every_row_of_the_threat_model_names_a_test(self) -> None:
        """A row begins with an attack's number or a dash, and ends with what shows it."""
        rows = [line for line in (DOCS / "threat-model.md").read_text().splitlines() if re.match(r"\| (AT-\d|-)", line)]
        self.assertGreater(len(rows), 30)
        for row in rows:
            with self.subTest(row[:60]):
                self.assertTrue(NAME.findall(row) or "not built" in row, row)

    def test_every_name_of_the_catalogue_exists(self) -> None:
        for number, names in catalogue.ELSEWHERE.items():
            for name in names:
                with self.subTest(number, name=name):
                    self.assertTrue(catalogue.exists(name))

    def test_every_attack_has_a_test_or_a_reason(self) -> None:
        own = {getattr(getattr(kind, name), "at", "") for module in ("test_devices", "test_names", "test_imports", "test_packages", "test_authority",
                                                                     "test_connector")
               for kind in vars(__import__(module)).values() if isinstance(kind, type) for name in dir(kind) if name.startswith("test_")}
        self.assertEqual([number for number in catalogue.ATTACKS if number not in own | catalogue.ELSEWHERE.keys() | catalogue.NOT_BUILT.keys()], [])
        self.assertEqual(sorted(own - {""} - catalogue.ATTACKS.keys()), [], "a number that the list does not have")

    def test_a_name_that_is_none_is_seen(self) -> None:
        for name in ("tests/attack/test_devices.py::Certificates.test_nothing", "tests/unit/core/trust/recipient_test.cpp::Recipient.nothing",
                     "tests/nowhere.py::A.test_b", "tests/functional/test_holds.py::Nobody.test_withdrawn_while_held"):
            self.assertFalse(catalogue.exists(name), name)
        self.assertTrue(catalogue.exists("tests/functional/test_holds.py::Register.test_withdrawn_while_held"))


class Setups(unittest.TestCase):
    """docs/security.md's configurations, with the files that they name beside them."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.place = Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="pfx-setups-")))
        keys = pki.Pki(cls.place / "pki")
        cls.secrets = cls.place / "credentials"
        cls.secrets.mkdir(mode=0o700)
        for name, content in (("sealing", os.urandom(32)), ("delivery", keys.path("delivery.key").read_bytes()),
                              ("import-key", keys.path("import-key.key").read_bytes())):
            pki.write(cls.secrets / name, content, private=True)
        cls.files = {"service-ca.pem": "service-ca.crt", "delivery.crt": "delivery.crt", "delivery-chain.pem": "delivery-chain.crt",
                     "device-ca.pem": "device-ca.crt", "importers.pem": "importer.crt", "corp-root.pem": "corporate-ca.crt"}
        cls.pki = keys

    def test_each_setup_passes_check_config(self) -> None:
        setups = SETUP.findall((DOCS / "security.md").read_text())
        self.assertEqual([name for name, _ in setups], ["own CA and directory", "cloud MDM", "ten people"])
        for number, (name, text) in enumerate(setups):
            with self.subTest(name):
                folder = self.place / str(number)
                folder.mkdir()
                for file, source in self.files.items():
                    pki.write(folder / file, self.pki.path(source).read_bytes())
                (folder / "state").mkdir(mode=0o700)
                # Where the state and the logs are is no part of a set-up.
                place = f'\n[storage]\ndirectory = "{folder}/state"\n[log]\nfile = "{folder}/connector.log"\n[audit]\nfile = "{folder}/audit.log"\n' \
                        f'[control]\nsocket = "{folder}/control.sock"\n'
                (folder / "connector.toml").write_text(text + place)
                if 'type = "local"' in text:
                    made = self.run_program(folder, "local-ca", "create", "--directory", folder / "ca", "--name", "Mail CA", "--domain", "small.example",
                                            "--root-out", folder / "root.key")
                    self.assertEqual(made.returncode, 0, made.stderr)
                done = self.run_program(folder, "check-config")
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def run_program(self, folder: Path, *arguments: object) -> "subprocess.CompletedProcess[str]":
        return subprocess.run([str(find_program()), "--config", str(folder / "connector.toml"), *map(str, arguments)], capture_output=True, text=True,
                              check=False, timeout=60, env={**os.environ, "CREDENTIALS_DIRECTORY": str(self.secrets)})


if __name__ == "__main__":
    unittest.main()
