#!/usr/bin/python3
"""What is in the store already: looked at, verified, adopted, packed anew, counted and signed."""
import base64
import datetime as dt
import json
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))
import imports  # noqa: E402
import openssl  # noqa: E402
import pfx  # noqa: E402
import pki  # noqa: E402
from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import padding, rsa  # noqa: E402
from lab import Connector, Lab  # noqa: E402

PASSWORD = "correct horse battery"


class Stored(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        temporary = tempfile.TemporaryDirectory(prefix="pfx-stored-")
        cls.addClassCleanup(temporary.cleanup)
        cls.place = Path(temporary.name)
        cls.lab = cls.enterClassContext(Lab(cls.place / "lab"))
        cls.connector = cls.lab.connector()
        cls.people = 0

    def setUp(self) -> None:
        self.addCleanup(self.lab.good)
        self.lab.control.delete("imports")

    def person(self):
        type(self).people += 1
        return self.lab.user(f"stored{self.people}")

    def identity(self, user, year: int = 2020, **how) -> pki.Identity:
        how.setdefault("key", self.lab.pki.shared_key("rsa2048", year % 3))
        return pki.corporate_certificate(self.lab.pki, user.upn, year, **how)

    def records(self, user) -> list[dict]:
        return self.lab.control.get(f"imports?userPrincipalName={user.upn}")["records"]

    def put(self, user, *identities, signed: bool = True, **how) -> list[dict]:
        records = self.lab.records(user, list(identities), signed=signed, **how)
        self.lab.store(records)
        return records

    def run_json(self, *arguments, code: int = 0, stdin: bytes | None = None):
        done = self.connector.command("import", *arguments, "--json", stdin=stdin)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        self.assertNotIn(PASSWORD, done.stdout + done.stderr)
        return json.loads(done.stdout)["certificates"] if done.stdout else done.stderr

    def statement(self, record) -> list[str]:
        with openssl.secrets(cms=base64.b64decode(record["importerSignature"])) as files:
            said, _ = openssl.run("cms", "-verify", "-inform", "DER", "-in", files["cms"], "-noverify", "-certfile", self.lab.pki.path("importer.crt"),
                                  "-nointern", "-binary")
        return said.decode().split("\n")

    def password(self, record, key=None, scheme=hashes.SHA512) -> str:
        return (key or self.lab.pki.import_key).decrypt(base64.b64decode(record["encryptedPfxPassword"]),
                                                         padding.OAEP(padding.MGF1(scheme()), scheme(), None)).decode()

    def delivered(self, user) -> list[str]:
        device = self.lab.device(user, key_kind="ecP256")
        return [each.sha256 for each in self.lab.open(device, self.lab.deliver(user, device), timeout=60).identities]


class Verify(Stored):
    def test_every_fault_is_named_and_the_exit_says_so(self) -> None:
        good = self.person()
        self.put(good, self.identity(good, 2018), self.identity(good, 2020))
        self.assertTrue(all(each["usable"] for each in self.run_json("verify")))
        wrong, foreign, bare, costly, key, purpose = (self.person() for _ in range(6))
        record = self.put(wrong, self.identity(wrong))[0]
        record["encryptedPfxPassword"] = base64.b64encode(imports.wrap_password(b"another", self.lab.pki.import_key.public_key())).decode()
        self.lab.store([record], raw=True)
        self.put(foreign, self.identity(foreign), importer=self.lab.pki.foreign_importer)
        self.put(bare, self.identity(bare), signed=False)
        self.put(costly, self.identity(costly), form="expensive")
        self.put(key, self.identity(key), key_name="ImportKey9")
        self.put(purpose, self.identity(purpose, purpose="smimeSigning"))
        told = {each["userPrincipalName"]: each for each in self.run_json("verify", code=3)}
        expected = [(wrong, "importUndecryptable", "yes"), (foreign, "importUnsigned", "foreign"), (bare, "importUnsigned", "no"),
                    (costly, "importInvalid", "yes"), (key, "importUndecryptable", "yes"), (purpose, "importInvalid", "yes")]
        for user, code, signed in expected:
            with self.subTest(code + " " + signed):
                self.assertEqual((told[user.upn]["usable"], told[user.upn]["code"], told[user.upn]["signed"]), (False, code, signed))
        self.assertIn("ImportKey9", told[key.upn]["reason"])
        self.assertTrue(told[good.upn]["usable"])
        self.assertEqual([each["userPrincipalName"] for each in self.run_json("verify", "--user", good.upn)], [good.upn] * 2)
        table = self.connector.command("import", "verify")
        self.assertEqual(table.returncode, 3)
        self.assertIn("6 of them unusable", table.stdout)

    def test_a_service_without_the_call(self) -> None:
        user = self.person()
        self.put(user, self.identity(user))
        for status in (405, 404):
            self.lab.control.delete("faults")
            # The list is answered, the single record is not.
            self.lab.fault("503", call="admin", status=status, code="nope", count=-1, path="/imported-certificates/")
            for command in (["verify"], ["adopt", "--yes"], ["upgrade"]):
                with self.subTest(f"{status} {command[0]}"):
                    if command[0] == "adopt":
                        self.lab.store([{**self.records(user)[0], "importerSignature": None}], raw=True)
                    done = self.connector.command("import", *command)
                    self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
                    self.assertIn("GET /imported-certificates/{id}", done.stderr)
                    self.assertIn(f"answered {status}", done.stderr)

    def test_a_workstation_is_told_where_to_go(self) -> None:
        desk = Connector(self.place / "desk", self.lab.pki, self.lab.url, admin_token_file=self.lab.admin_token_file,
                         without=("import", "sealing", "recipients", "policy", "delivery", "limits", "authority", "health", "control", "audit", "storage"))
        done = desk.command("import", "verify")
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        self.assertIn("connector's host", done.stderr)


class Adopt(Stored):
    def test_after_a_look_the_records_are_signed_as_they_are(self) -> None:
        user, other = self.person(), self.person()
        signed = self.identity(user, 2016)
        self.put(user, signed)
        plain = [self.identity(user, 2018), self.identity(user, 2020)]
        self.put(user, *plain, signed=False)
        self.put(other, self.identity(other), importer=self.lab.pki.foreign_importer)
        before = {record["thumbprint"]: record for record in self.records(user)}
        looked = self.run_json("adopt", "--user", user.upn)
        self.assertEqual([each["outcome"] for each in looked], ["wouldAdopt"] * 2)
        self.assertIn("CN=", looked[0]["subject"])
        self.assertEqual(self.delivered(user), [signed.sha256])
        no = self.connector.command("import", "adopt", "--user", user.upn, stdin=b"n\n")
        self.assertIn("0 of 2", no.stdout)
        self.assertIn(plain[0].thumbprint, no.stdout)
        self.assertEqual({record["thumbprint"]: record for record in self.records(user)}, before)
        yes = self.connector.command("import", "adopt", "--user", user.upn, stdin=b"y\ny\n")
        self.assertEqual(yes.returncode, 0, yes.stderr)
        for record in self.records(user):
            old = before[record["thumbprint"]]
            for name in ("encryptedPfxBlob", "encryptedPfxPassword", "keyName", "userPrincipalName", "startDateTime"):
                self.assertEqual(record[name], old[name])
            if record["thumbprint"] != signed.thumbprint:
                self.assertEqual(self.statement(record)[6], ",".join(sorted(each.sha256 for each in [signed, *plain])))
        self.assertEqual(self.delivered(user), [signed.sha256, *(each.sha256 for each in plain)])
        self.assertEqual(self.run_json("adopt", "--user", user.upn), [])
        self.assertEqual([each["outcome"] for each in self.run_json("adopt", "--yes")], ["adopted"])
        self.assertEqual(len(self.delivered(other)), 1)

    def test_a_slip_is_not_told_as_all_is_well(self) -> None:
        user = self.person()
        self.put(user, self.identity(user), signed=False)
        for command in (["verify"], ["adopt", "--yes"], ["upgrade"]):
            for slip in (["--user", "nobody@corp.example"], ["--thumbprint", "00" * 20], ["--user", user.upn, "--purpose", "smimeSigning"]):
                with self.subTest(command=command, slip=slip):
                    told = self.connector.command("import", *command, *slip)
                    self.assertEqual((told.returncode, told.stdout), (1, ""), told.stderr)
                    self.assertIn("no such record", told.stderr)
        self.assertNotIn("importerSignature", self.records(user)[0])

    def test_what_should_not_be_signed_is_not(self) -> None:
        user, thief = self.person(), self.person()
        stolen = self.identity(thief)
        record = self.lab.records(thief, [stolen], signed=False)[0]
        self.lab.store([{**record, "userPrincipalName": user.upn, "id": "stolen"}], raw=True)
        told = self.run_json("adopt", "--yes", code=1)
        self.assertEqual([each["outcome"] for each in told], ["refused"])
        self.assertIn(thief.upn, told[0]["reason"])
        self.assertNotIn("importerSignature", self.records(user)[0])
        told = self.run_json("adopt", "--yes", "--user", user.upn, "--address", thief.upn)
        self.assertEqual([each["outcome"] for each in told], ["adopted"], "where the importer says that it is his as well")
        broken = self.person()
        self.put(broken, self.identity(broken), signed=False, blobs=[b"no pfx at all"])
        self.assertEqual([each["outcome"] for each in self.run_json("adopt", "--yes", "--user", broken.upn, code=1)], ["refused"])

    def test_adopted_is_a_time_of_migration(self) -> None:
        half, none = self.person(), self.person()
        self.put(half, self.identity(half, 2018))
        self.put(half, self.identity(half, 2020), signed=False)
        self.put(none, self.identity(none, 2018), self.identity(none, 2020), signed=False)
        self.connector.configure({"importer": {"signatures": "adopted"}})
        self.addCleanup(self.connector.configure, {"importer": {"signatures": "required"}})
        told = {(each["userPrincipalName"], each["notBefore"][:4]): each["usable"] for each in self.run_json("verify", code=3)}
        self.assertEqual(told, {(half.upn, "2018"): True, (half.upn, "2020"): False, (none.upn, "2018"): True, (none.upn, "2020"): True})


class Upgrade(Stored):
    def test_former_times_are_packed_anew(self) -> None:
        user, unsigned = self.person(), self.person()
        identities = [self.identity(user, year) for year in (2016, 2018, 2020)]
        self.put(user, identities[0], form="rc2-40")
        self.put(user, identities[1], form="3des", password="A" * 32)
        self.put(user, identities[2], scheme="oaepSha256", password="A" * 32)
        self.put(unsigned, self.identity(unsigned), signed=False)
        before = self.records(user)
        told = {each["thumbprint"]: each for each in self.run_json("upgrade", "--dry-run", "--user", user.upn)}
        self.assertEqual({each["outcome"] for each in told.values()}, {"wouldUpgrade"})
        for identity, parts in zip(identities, (("RC2", "person"), ("DES",), ("oaepSha256",))):
            for part in parts:
                self.assertIn(part, told[identity.thumbprint]["reason"])
        self.assertEqual(self.records(user), before)
        self.assertEqual({each["outcome"] for each in self.run_json("upgrade", "--user", user.upn)}, {"upgraded"})
        for record in self.records(user):
            self.assertEqual(record["paddingScheme"], "oaepSha512")
            self.assertRegex(self.password(record), r"^[A-Za-z0-9]{32}$")
            self.assertEqual(self.statement(record)[6], ",".join(sorted(each.sha256 for each in identities)))
        self.assertEqual({record["id"] for record in self.records(user)}, {record["id"] for record in before})
        self.assertEqual(self.delivered(user), [each.sha256 for each in identities])
        self.assertEqual(self.run_json("upgrade", "--user", user.upn), [], "once is enough")
        told = self.run_json("upgrade", "--user", unsigned.upn)
        self.assertEqual([each["outcome"] for each in told], ["skipped"])
        self.assertIn("adopt", told[0]["reason"])

    def test_another_import_key(self) -> None:
        user = self.person()
        identities = [self.identity(user, 2018), self.identity(user, 2020)]
        self.put(user, *identities, scheme="oaepSha256")
        key = rsa.generate_private_key(65537, 2048)
        path = self.connector.directory / "secrets" / "second.pem"
        pki.write(path, key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()), private=True)
        self.connector.configure({"import": {"Second": {"key": f"file:{path}"}}})
        signatures = [record["importerSignature"] for record in self.records(user)]
        self.assertEqual({each["outcome"] for each in self.run_json("key", "rotate", "ImportKey1", "--to", "Second", "--dry-run")}, {"wouldRotate"})
        self.assertEqual({each["outcome"] for each in self.run_json("key", "rotate", "ImportKey1", "--to", "Second")}, {"rotated"})
        self.assertEqual([record["importerSignature"] for record in self.records(user)], signatures)
        for record in self.records(user):
            self.assertEqual((record["keyName"], record["paddingScheme"]), ("Second", "oaepSha512"))
            self.assertEqual(self.password(record, key), PASSWORD)
        self.assertEqual(self.run_json("key", "rotate", "ImportKey1", "--to", "Second"), [])
        self.assertTrue(all(each["usable"] for each in self.run_json("verify", "--user", user.upn)))

    def test_another_import_key_is_not_for_what_nobody_signed(self) -> None:
        """A forged record under the new key would look like one of those that were taken along."""
        user, forged = self.person(), self.person()
        self.put(user, self.identity(user))
        self.put(forged, self.identity(forged, 2018), signed=False)
        self.put(forged, self.identity(forged, 2020), importer=self.lab.pki.foreign_importer)
        key = rsa.generate_private_key(65537, 2048)
        path = self.connector.directory / "secrets" / "third.pem"
        pki.write(path, key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()), private=True)
        self.connector.configure({"import": {"Third": {"key": f"file:{path}"}}})
        before = self.records(forged)
        for how in (["--dry-run"], []):
            told = self.run_json("key", "rotate", "ImportKey1", "--to", "Third", *how, code=1)
            self.assertEqual({each["userPrincipalName"]: each["outcome"] for each in told}, {user.upn: "rotated" if not how else "wouldRotate", forged.upn: "refused"})
            self.assertTrue(all(each["reason"] for each in told if each["outcome"] == "refused"), told)
        self.assertEqual(self.records(forged), before)
        self.assertEqual([record["keyName"] for record in self.records(user)], ["Third"])


class Lists(Stored):
    def test_expiring(self) -> None:
        year = dt.datetime.now(dt.timezone.utc).year
        soon, renewed, gone, fine = (self.person() for _ in range(4))
        self.put(soon, self.identity(soon, year - 1))            # valid for two years from 1 January
        self.put(renewed, self.identity(renewed, year - 1), self.identity(renewed, year, years=10))
        self.put(gone, self.identity(gone, 2010))
        self.put(fine, self.identity(fine, year, years=10))
        left = (dt.date(year + 1, 1, 1) - dt.date.today()).days
        told = self.run_json("expiring", "--days", str(left + 2), code=3)
        self.assertEqual([each["userPrincipalName"] for each in told], [gone.upn, soon.upn])
        self.assertEqual([each["expired"] for each in told], [True, False])
        table = self.connector.command("import", "expiring", "--days", str(left + 2))
        self.assertIn(soon.upn, table.stdout)
        self.assertNotIn(renewed.upn, table.stdout)
        self.run_json("expiring", "--user", fine.upn, "--days", "30")

    def test_an_inventory_that_openssl_verifies(self) -> None:
        user = self.person()
        identity = self.identity(user)
        self.put(user, identity)
        self.put(user, self.identity(user, 2018), signed=False)
        path = self.place / "inventory.pem"
        done = self.connector.command("import", "inventory", "--out", path)
        self.assertEqual(done.returncode, 0, done.stderr)
        how = ("cms", "-verify", "-inform", "PEM", "-in", path, "-noverify", "-nointern", "-certfile")
        said, _ = openssl.run(*how, self.lab.pki.path("importer.crt"))
        content = json.loads(said)
        self.assertEqual(content["form"], "pfx-connector-inventory-v1")
        self.assertEqual({(each["thumbprint"], each["signed"]) for each in content["records"]},
                         {(record["thumbprint"], "yes" if record["thumbprint"] == identity.thumbprint else "no") for record in self.records(user)})
        with self.assertRaises(openssl.OpensslError):
            openssl.run(*how, self.lab.pki.path("foreign-importer.crt"))
        self.assertEqual(self.connector.command("import", "inventory", "--out", path).returncode, 1, "nothing is overwritten")
        self.assertIn("BEGIN CMS", self.connector.command("import", "inventory").stdout)
        told = json.loads(self.connector.command("import", "inventory", "--json").stdout)
        self.assertTrue(told["inventory"].startswith("-----BEGIN CMS-----\n"))
        self.assertGreater(told["records"], 0)

    def test_a_thumbprint_as_it_was_copied(self) -> None:
        user = self.person()
        thumbprint = self.put(user, self.identity(user))[0]["thumbprint"].upper()
        for copied in (":".join(thumbprint[at:at + 2] for at in range(0, 40, 2)), "\u200e" + " ".join(thumbprint[at:at + 4] for at in range(0, 40, 4)).lower()):
            self.assertEqual(len(self.run_json("verify", "--thumbprint", copied)), 1, copied)
        self.assertEqual(self.connector.command("import", "remove", "--user", user.upn, "--thumbprint", copied).returncode, 0)

    def test_a_refused_token_is_named(self) -> None:
        self.lab.fault("401", call="admin", count=-1)
        done = self.connector.command("import", "list")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("management.admin_token", done.stderr)

    def test_rc2_is_told_of_the_layer_that_had_it(self) -> None:
        user = self.person()
        file, word = self.place / "rc2.pfx", self.place / "rc2.txt"
        file.write_bytes(pfx.export(self.identity(user), PASSWORD, "rc2-40"))
        word.write_bytes(b"\xef\xbb\xbf" + PASSWORD.encode() + b"\r\n")  # as Notepad saves it
        done = self.connector.command("import", "add", file, "--user", user.upn, "--purpose", "smimeEncryption", "--key", "ImportKey1", "--password-file", word,
                                      "--dry-run")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("its certificates were hardly encrypted (RC2), its key was better kept", done.stderr)
        self.assertNotIn("can have the key", done.stderr)

    def test_scan_says_what_a_folder_holds(self) -> None:
        user = self.person()
        folder = Path(tempfile.mkdtemp(dir=self.place))
        identity = self.identity(user)
        for form in ("aes256", "3des", "rc2-40", "no-mac", "expensive"):
            (folder / f"{form}.pfx").write_bytes(pfx.export(identity, PASSWORD, form))
        (folder / "junk.p12").write_bytes(b"\x30\x03\x02\x01\x03")
        (folder / "notes.txt").write_text("none")
        word = folder / "word"
        pki.write(word, PASSWORD.encode(), private=True)
        empty = {**self.connector.environment, "PATH": "/nowhere"}

        def scan(*more: str, code: int):
            import subprocess
            done = subprocess.run([str(self.connector.program), "--config", "/nowhere/none.toml", "import", "scan", str(folder), "--json", *more],
                                  capture_output=True, text=True, timeout=60, env=empty, stdin=subprocess.DEVNULL)
            self.assertEqual(done.returncode, code, done.stdout + done.stderr)
            self.assertNotIn(PASSWORD, done.stdout + done.stderr)
            return {each["file"]: each for each in json.loads(done.stdout)["files"]}

        told = scan(code=3)
        self.assertEqual(set(told), {"aes256.pfx", "3des.pfx", "rc2-40.pfx", "no-mac.pfx", "expensive.pfx", "junk.p12"})
        self.assertIn("aes-256-cbc", {each["algorithm"] for each in told["aes256.pfx"]["encryption"]})
        self.assertTrue(any("RC2" in each["algorithm"] for each in told["rc2-40.pfx"]["encryption"]))
        self.assertEqual(told["aes256.pfx"]["macIterations"], 2048)
        self.assertIn("1,000,000", told["expensive.pfx"]["problem"])
        self.assertIn("no MAC", told["no-mac.pfx"]["problem"])
        self.assertIsNone(told["aes256.pfx"]["opens"])
        told = scan("--password-file", str(word), code=3)
        for form in ("aes256", "3des", "rc2-40"):
            self.assertEqual((told[f"{form}.pfx"]["opens"], told[f"{form}.pfx"]["mailboxes"]), (True, [user.upn]))
            self.assertIn("smimeEncryption", told[f"{form}.pfx"]["purposes"])
        for name in ("no-mac.pfx", "expensive.pfx", "junk.p12"):
            (folder / name).unlink()
        scan("--password-file", str(word), code=0)


class Lies(Stored):
    """What the service answers is of the record that was asked for, or it is nothing."""

    def listed(self, user, **changes) -> list[dict]:
        """As the listing shows them; a field that is None is left out."""
        shown = []
        for record in self.records(user):
            entry = {**{key: value for key, value in record.items() if key not in ("encryptedPfxBlob", "encryptedPfxPassword")}, **changes}
            shown.append({key: value for key, value in entry.items() if value is not None})
        return shown

    def test_nothing_is_signed_for_whom_nobody_chose(self) -> None:
        alice, eve = self.person(), self.person()
        self.put(alice, self.identity(alice), signed=False)
        before = self.records(alice)
        self.lab.fault("patch", call="admin", set={"value": self.listed(alice)})   # the listing is true
        self.lab.fault("patch", call="admin", set={"userPrincipalName": eve.upn})  # twice read: to learn, and to look
        self.lab.fault("patch", call="admin", set={"userPrincipalName": eve.upn})
        rows = self.run_json("adopt", "--user", alice.upn, "--address", alice.upn, "--yes", code=1)
        self.assertEqual([each["outcome"] for each in rows], ["refused"])
        self.assertIn("another record", rows[0]["reason"])
        self.assertEqual((self.records(alice), self.records(eve)), (before, []))

    def test_a_listing_without_signatures_shortens_no_list(self) -> None:
        user = self.person()
        whole = [self.identity(user, year) for year in (2018, 2019, 2020)]
        self.put(user, *whole)
        # One is hidden, and the others are listed as if nobody had signed them.
        shown = self.listed(user, importerSignature=None)[:2]
        self.lab.fault("patch", call="admin", set={"value": shown})
        done = self.connector.command("import", "adopt", "--user", user.upn, "--yes")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("listed them without their signature", " ".join(done.stderr.split()))
        self.assertIn("nothing to adopt", done.stdout)
        names = {one.sha256 for one in whole}
        for record in self.records(user):
            self.assertTrue(all(name in "\n".join(self.statement(record)) for name in names))

    def test_an_answer_about_somebody_else_is_not_added(self) -> None:
        user, other = self.person(), self.person()
        file, word = self.place / "own.pfx", self.place / "own.txt"
        file.write_bytes(pfx.export(self.identity(user), PASSWORD))
        pki.write(word, PASSWORD.encode() + b"\n", private=True)
        self.lab.fault("patch", call="admin", withBody=True, set={"userPrincipalName": other.upn})
        done = self.connector.command("import", "add", str(file), "--user", user.upn, "--purpose", "smimeEncryption", "--key", "ImportKey1", "--password-file", str(word))
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn("another record", done.stderr)

    def test_pages_that_lead_round_in_a_circle_end(self) -> None:
        url = f"{self.lab.url}/imported-certificates?page=2"
        for _ in range(3):
            self.lab.fault("patch", call="admin", set={"value": [], "nextLink": url})
        done = self.connector.command("import", "list")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("circle", done.stderr)

    def test_a_colleagues_records_are_not_signed_away(self) -> None:
        user = self.person()
        self.put(user, self.identity(user, 2018), importer=self.lab.pki.foreign_importer)
        before = self.records(user)
        file, word = self.place / "mine.pfx", self.place / "mine.txt"
        file.write_bytes(pfx.export(self.identity(user, 2020), PASSWORD))
        pki.write(word, PASSWORD.encode() + b"\n", private=True)
        done = self.connector.command("import", "add", str(file), "--user", user.upn, "--purpose", "smimeEncryption", "--key", "ImportKey1", "--password-file", str(word))
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("importer.signers", done.stderr)
        self.assertEqual(self.records(user), before)

    def test_a_key_made_anew_under_the_same_name_has_a_way_out(self) -> None:
        user = self.person()
        file, word = self.place / "again.pfx", self.place / "again.txt"
        file.write_bytes(pfx.export(self.identity(user), PASSWORD))
        pki.write(word, PASSWORD.encode() + b"\n", private=True)
        stray = rsa.generate_private_key(65537, 2048)
        lost = self.place / "lost.pem"
        lost.write_bytes(stray.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
        add = ("import", "add", str(file), "--user", user.upn, "--purpose", "smimeEncryption", "--key", "ImportKey1", "--password-file", str(word))
        self.assertEqual(self.connector.command(*add, "--key-file", str(lost)).returncode, 0)
        self.assertEqual(self.connector.command("import", "verify", "--user", user.upn).returncode, 3)
        self.assertIn("unchanged", self.connector.command(*add, "--replace").stdout)
        done = self.connector.command(*add, "--replace-all")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.connector.command("import", "verify", "--user", user.upn).returncode, 0)


if __name__ == "__main__":
    unittest.main()
