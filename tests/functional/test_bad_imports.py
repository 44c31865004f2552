#!/usr/bin/python3
"""Imported certificates as they should not be: what opens is delivered, the rest is named, and nothing of another's is ever opened."""
import base64
import hashlib
import hmac
import unittest
from typing import Any, Sequence

from adversary import BadInput, Json, User, imports, pki
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives import hashes, serialization
import der
import pfx

PASSWORD = "correct horse battery"


def certificate_and_key(certificate_of: bytes, key_of: bytes) -> bytes:
    """The certificates of the one file, the key of the other, under a right MAC: no program writes that, so it is put together here."""
    def contents(file: bytes) -> list[der.Node]:
        data = der.read(file).children()[1].children()[1].children()[0].expect(der.OCTET_STRING)
        return der.read(data.content).children()
    authenticated = der.encode(der.SEQUENCE, contents(certificate_of)[0].raw + contents(key_of)[1].raw)
    mac = hmac.new(pfx._pkcs12_kdf(PASSWORD, b"two-keys", 2048, 3, 32), authenticated, hashlib.sha256).digest()
    data = der.encode(der.SEQUENCE, bytes.fromhex("06092a864886f70d010701") + der.encode(0xA0, der.encode(der.OCTET_STRING, authenticated)))
    digest = der.encode(der.SEQUENCE, bytes.fromhex("300d06096086480165030402010500") + der.encode(der.OCTET_STRING, mac))
    return der.encode(der.SEQUENCE, der.encode_integer(3) + data + der.encode(
        der.SEQUENCE, digest + der.encode(der.OCTET_STRING, b"two-keys") + der.encode_integer(2048)))


class Imports(BadInput):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.users = 0
        cls.own = {}

    def person(self) -> tuple[User, Any]:
        """Somebody new with a phone, so that no case sees another's records."""
        type(self).users += 1
        user = self.lab.user(f"user{self.users}")
        return user, self.lab.device(user, key_kind="ecP256")

    def identity(self, user: User, year: int = 2020, **how: Any) -> pki.Identity:
        slot = how.pop("slot", 0)
        return pki.corporate_certificate(self.lab.pki, user.upn, year, key=how.pop("key", self.lab.pki.shared_key("rsa2048", slot)), **how)

    def order(self, records: Sequence[Json], user: User, phone: Any, **how: Any) -> str:
        self.lab.store(records, raw=True)
        return self.lab.deliver(user, phone, **how)


class Records(Imports):
    """A single record each: the request fails with the record's own fault."""

    def test_every_bad_record_has_its_code(self) -> None:
        cases: list[tuple[str, str, str, str]] = []

        def add(name: str, code: str, change: Any, text: str = "", **how: Any) -> None:
            user, phone = self.person()
            certificate = how.pop("certificate", {})
            purpose = how.get("purpose", "smimeEncryption")
            identity = self.identity(user, **certificate)
            records = self.lab.records(user, [identity], **how)
            if change is not None:
                change(records[0], user)
            cases.append((name, code, text, self.order(records, user, phone, purpose=purpose)))

        def put(field: str, value: Any) -> Any:
            return lambda record, user: record.update({field: value(record) if callable(value) else value})

        def rewrap(record: Json, user: User, scheme: str = "oaepSha512", password: bytes = b"another password") -> None:
            record["encryptedPfxPassword"] = base64.b64encode(imports.wrap_password(password, self.lab.pki.import_key.public_key(), scheme)).decode()

        def pkcs1(record: Json, user: User) -> None:
            record["paddingScheme"] = "pkcs1"
            record["encryptedPfxPassword"] = base64.b64encode(
                self.lab.pki.import_key.public_key().encrypt(PASSWORD.encode(), padding.PKCS1v15())).decode()

        def oaep1(record: Json, user: User) -> None:
            record["paddingScheme"] = "oaepSha1"
            record["encryptedPfxPassword"] = base64.b64encode(self.lab.pki.import_key.public_key().encrypt(
                PASSWORD.encode(), padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None))).decode()

        other = rsa.generate_private_key(65537, 2048)
        foreign = self.lab.pki.foreign_importer
        add("wrong password", "importUndecryptable", rewrap)
        add("wrapped under another key", "importUndecryptable", None, import_public_key=other.public_key())
        add("wrapped under another hash", "importUndecryptable", put("paddingScheme", "oaepSha256"))
        add("a wrapped password that is none", "importUndecryptable", put("encryptedPfxPassword", base64.b64encode(b"x" * 256).decode()))
        add("a wrapped password too short", "importUndecryptable", put("encryptedPfxPassword", base64.b64encode(b"x").decode()))
        add("an empty password", "importUndecryptable", lambda record, user: rewrap(record, user, password=b""))
        add("a blob that is no PFX, signed", "importUndecryptable", None, blobs=[b"no pfx at all"])
        add("half a PFX, signed", "importUndecryptable", None, blobs=[pfx.export(self.identity(self.lab.user("half")), PASSWORD)[:900]])
        add("unknown key name", "importUndecryptable", put("keyName", "ImportKey2"), "ImportKey2")
        add("key name in capitals", "importUndecryptable", put("keyName", "IMPORTKEY1"), "IMPORTKEY1")
        add("unknown provider", "importUndecryptable", put("providerName", "Microsoft Software KSP"), "Microsoft Software KSP")
        add("no MAC", "importInvalid", None, form="no-mac")
        add("fifty million iterations", "importInvalid", None, form="expensive")
        add("larger than 256 KiB", "importInvalid", None, blobs=[b"\x30\x83\x05\x00\x00" + bytes(300_000)])
        add("paddingScheme pkcs1", "unsupported", pkcs1, "pkcs1")
        add("paddingScheme oaepSha1", "unsupported", oaep1, "oaepSha1")
        add("paddingScheme none", "unsupported", put("paddingScheme", "none"), "none")
        add("paddingScheme oaepsha512", "unsupported", put("paddingScheme", "oaepsha512"))
        add("unsigned", "importUnsigned", lambda record, user: record.pop("importerSignature"))
        add("signed by a foreign importer", "importUnsigned", None, importer=foreign)
        add("signature is junk", "importUnsigned", put("importerSignature", base64.b64encode(b"junk").decode()))
        add("blob changed after the signature", "importUnsigned", lambda record, user: record.update(
            encryptedPfxBlob=base64.b64encode(pfx.export(self.identity(user), PASSWORD)).decode()))
        add("owner changed after the signature", "importUnsigned", lambda record, user: record.update(
            importerSignature=self.lab.records(self.lab.user("someoneelse"), [self.identity(user)])[0]["importerSignature"]))
        add("other mailboxes signed", "importUnsigned", None, mailboxes=["chief@corp.example"])
        add("a foreign address, signed", "importInvalid", None, certificate={"mails": ["carla@corp.example"]})
        add("a foreign address in the DN", "importInvalid", None, certificate={"mails": ["carla@corp.example"], "common": "alice"})
        add("a signing certificate for encryption", "importInvalid", None, certificate={"purpose": "smimeSigning"})
        add("an encryption certificate for signing", "importInvalid", None, purpose="smimeSigning", certificate={"year": 2025, "years": 5})
        add("for wifi without clientAuth", "importInvalid", None, purpose="wifi", certificate={"year": 2025, "years": 5})
        add("thumbprint of another", "importInvalid", put("thumbprint", "ab" * 20))
        add("thumbprint no hex", "importInvalid", put("thumbprint", "zz" * 20))
        add("a time that is none", "importInvalid", put("startDateTime", "never"))
        add("no blob", "importInvalid", lambda record, user: record.pop("encryptedPfxBlob"))
        add("owner of the wrong type", "importInvalid", put("thumbprint", 7))
        user, phone = self.person()
        two = [self.identity(user, 2018), self.identity(user, 2020, slot=1)]
        blob = pfx.export(two[0], PASSWORD, "two-identities", others=[two[1]])
        cases.append(("two identities", "importInvalid", "", self.order(self.lab.records(user, two[:1], blobs=[blob]), user, phone)))
        user, phone = self.person()
        one = self.identity(user)
        blob = certificate_and_key(pfx.export(one, PASSWORD), pfx.export(self.identity(user, slot=1), PASSWORD))
        cases.append(("key and certificate apart", "importInvalid", "", self.order(self.lab.records(user, [one], blobs=[blob]), user, phone)))
        user, phone = self.person()
        cases.append(("no imports", "importNotFound", "", self.lab.deliver(user, phone)))

        good = self.lab.queue(self.honest())[0]
        self.lab.wait(good, *(order for _, _, _, order in cases), timeout=60)
        self.check_neighbour(good)
        texts = set()
        for name, code, text, order in cases:
            with self.subTest(name):
                error = self.check_refused(order, code, "")
                self.assertIn(text, error["message"])
                if code == "importUndecryptable" and not text:
                    texts.add(error["message"])
                    self.assertFalse(error["retryable"], error)
                if code == "importUndecryptable" and text:
                    self.assertTrue(error["retryable"], "a key that is not configured here can be")
        with self.subTest("one text for all causes of importUndecryptable"):
            self.assertEqual(len(texts), 1, texts)
        self.check_audit_whole()


class Histories(Imports):
    """Several records: one bad one does not take the good ones with it."""

    def test_one_bad_record_among_good_ones_is_omitted(self) -> None:
        def wrong_password(record: Json) -> None:
            record["encryptedPfxPassword"] = base64.b64encode(imports.wrap_password(b"wrong", self.lab.pki.import_key.public_key())).decode()

        spoil: dict[str, tuple[str, Any]] = {
            "wrong password": ("importUndecryptable", wrong_password),
            "unsigned": ("importUnsigned", lambda record: record.pop("importerSignature")),
            "pkcs1": ("unsupported", lambda record: record.update(paddingScheme="pkcs1")),
            "unreadable": ("importInvalid", lambda record: record.update(expirationDateTime="never")),
            "fifty million iterations": ("importInvalid", None),
        }
        for name, (code, change) in spoil.items():
            with self.subTest(name):
                user, phone = self.person()
                identities = [self.identity(user, year, slot=year % 3) for year in (2012, 2014, 2016, 2018, 2020, 2022)]
                bad = identities[2]
                records = self.lab.records(user, identities)
                if change is None:
                    blobs = [base64.b64decode(each["encryptedPfxBlob"]) for each in records]
                    blobs[2] = pfx.raise_iterations(blobs[2], pfx.FIFTY_MILLION)
                    records = self.lab.records(user, identities, blobs=blobs)
                else:
                    change(records[2])
                order = self.order(records, user, phone)
                result = self.lab.delivered(order)
                self.assertEqual([each["sha256"] for each in result["certificates"]], [each.sha256 for each in identities if each is not bad])
                self.assertEqual([(each["thumbprint"], each["code"]) for each in result["omitted"]], [(bad.thumbprint, code)])
                self.assertEqual(len(self.lab.open(phone, order).identities), 5)
                self.check_audited("IMP-2060", bad.thumbprint, request=order)
        self.serve_neighbour()

    def test_the_newest_records_fault_is_the_requests(self) -> None:
        user, phone = self.person()
        identities = [self.identity(user, year, slot=year % 3) for year in (2016, 2018, 2020)]
        records = self.lab.records(user, identities)
        records[0].pop("importerSignature")
        records[1]["paddingScheme"] = "pkcs1"
        records[2]["encryptedPfxPassword"] = base64.b64encode(bytes(256)).decode()
        self.check_refused(self.order([records[2], records[0], records[1]], user, phone), "importUndecryptable", "")

    def test_rc2_40_opens_with_a_warning_and_leaves_under_a_current_cipher(self) -> None:
        user, phone = self.person()
        identity = self.identity(user)
        order = self.order(self.lab.records(user, [identity], form="rc2-40"), user, phone)
        opened = self.lab.open(phone, order)
        self.assertEqual([each.sha256 for each in opened.identities], [identity.sha256])
        self.assertFalse([each for each in opened.identities[0].algorithms if "RC2" in each], opened.identities[0].algorithms)
        self.assertTrue([line for line in self.connector.log().splitlines() if "IMP-2061" in line and order in line], "the warning")

    def test_records_of_another_or_spoiled_on_the_way(self) -> None:
        """The service's store is the attacker here; nothing of another person is delivered, whoever signed it for whom."""
        victim, _ = self.person()
        history = self.lab.import_history(victim, (2016, 2018))
        theirs = {each.sha256 for each in history}
        for evil, codes in (("swap-user-records", {"importInvalid", "importUnsigned"}), ("swap-user-records-renamed", {"importUnsigned"}),
                            ("flip-blob", {"importUnsigned"}), ("flip-password", {"importUndecryptable"}), ("strip-signatures", {"importUnsigned"})):
            with self.subTest(evil):
                user, phone = self.person()
                self.lab.import_history(user, (2019, 2021))
                self.lab.evil(evil, **({"from": victim.upn} if evil.startswith("swap-user") else {}))
                order = self.lab.deliver(user, phone)
                error = self.lab.error(order)
                self.lab.good()
                self.assertIn(error["code"], codes, error)
                self.check_audited(error["code"], request=order)
        with self.subTest("mix-user-records"):
            user, phone = self.person()
            own = self.lab.import_history(user, (2019, 2021))
            self.lab.evil("mix-user-records", **{"from": victim.upn})
            order = self.lab.deliver(user, phone)
            result = self.lab.delivered(order)
            self.lab.good()
            self.assertEqual([each["sha256"] for each in result["certificates"]], [each.sha256 for each in own])
            self.assertEqual({each["thumbprint"] for each in result["omitted"]}, {each.thumbprint for each in history})
            self.assertFalse(theirs & {each["sha256"] for each in result["certificates"]})
        with self.subTest("swap-blobs"):
            user, phone = self.person()
            own = self.lab.import_history(user, (2015, 2017, 2019))
            self.lab.evil("swap-blobs")
            result = self.lab.delivered(self.lab.deliver(user, phone))
            self.lab.good()
            self.assertEqual([each["sha256"] for each in result["certificates"]], [own[2].sha256])
            self.assertEqual({each["code"] for each in result["omitted"]}, {"importUnsigned"})
        with self.subTest("retag-purpose"):
            user, phone = self.person()
            self.lab.import_history(user, (2025,), certificate={"years": 5})
            self.lab.evil("retag-purpose")
            error = self.lab.error(self.lab.deliver(user, phone, purpose="smimeSigning"))
            self.lab.good()
            self.assertEqual(error["code"], "importUnsigned", error)
        self.serve_neighbour()

    def test_another_persons_blob_is_not_even_opened(self) -> None:
        """Signature, owner, purpose and blob hash come before the parsing: whether another's record opens is nobody's to learn."""
        victim, _ = self.person()
        records = self.lab.records(victim, [self.identity(victim)])
        records[0]["encryptedPfxPassword"] = base64.b64encode(imports.wrap_password(b"wrong", self.lab.pki.import_key.public_key())).decode()
        self.lab.store(records, raw=True)
        user, phone = self.person()
        self.lab.store(self.lab.records(user, [self.identity(user)]))
        self.lab.evil("swap-user-records", **{"from": victim.upn})
        order = self.lab.deliver(user, phone)
        error = self.lab.error(order)
        self.assertNotEqual(error["code"], "importUndecryptable", error)
        self.assertIn(error["code"], ("importInvalid", "importUnsigned"), error)

    def test_a_history_of_two_people_in_one_signature(self) -> None:
        """The importer's word holds for what it names: a good signature for the owner's record does not carry over to a second one."""
        user, phone = self.person()
        other, _ = self.person()
        mine, yours = self.identity(user, 2018), self.identity(other, 2020, slot=1)
        records = self.lab.records(user, [mine]) + self.lab.records(other, [yours])
        records[1]["userPrincipalName"] = user.upn
        result = self.lab.delivered(self.order(records, user, phone))
        self.assertEqual([each["sha256"] for each in result["certificates"]], [mine.sha256])
        self.assertEqual([each["code"] for each in result["omitted"]], ["importUnsigned"])

    def test_a_broken_answer_of_the_store_is_asked_for_again(self) -> None:
        for fault in ("drop-before", "drop-after", "503", "500", "not-json", "broken-json", "truncated", "redirect"):
            with self.subTest(fault):
                user, phone = self.person()
                history = self.lab.import_history(user, (2019,))
                self.lab.fault(fault, call="imports")
                result = self.lab.delivered(self.lab.deliver(user, phone), timeout=10)
                self.assertEqual([each["sha256"] for each in result["certificates"]], [each.sha256 for each in history])

    def test_no_imported_key_stays_behind(self) -> None:
        """Also while the package waits in the ledger: the service does not take results here."""
        user, phone = self.person()
        key = pki.make_key("rsa2048")
        identity = self.identity(user, key=key)
        self.lab.fault("503", call="results", count=-1)
        since = self.lab.last_call()
        order = self.order(self.lab.records(user, [identity]), user, phone)
        self.lab.wait_for_calls("results", since=since)
        encoded = key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        numbers = key.private_numbers()
        canaries = {"PKCS#8": encoded, "p": numbers.p.to_bytes(128, "big"), "q": numbers.q.to_bytes(128, "big"), "d": numbers.d.to_bytes(256, "big"),
                    "base64": base64.b64encode(encoded)[:64], "password": PASSWORD.encode()}
        for moment in ("waiting", "delivered"):
            for name, canary in canaries.items():
                with self.subTest(f"{name}, {moment}"):
                    self.assertEqual(self.connector.holds_anywhere(canary), [])
            if moment == "waiting":
                self.lab.good()
                self.lab.delivered(order)
        self.assertNotEqual(self.connector.holds_anywhere(order.encode()), [], "the search itself finds what is there")


if __name__ == "__main__":
    unittest.main()
