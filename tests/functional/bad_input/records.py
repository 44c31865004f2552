"""Imported certificates that cannot be delivered: each alone in its user's history, and all of them together beside five good ones."""
from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Any, Callable

import der
import pfx
from adversary import Json, User, imports, pki
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

PASSWORD = "correct horse battery"
ONE_TEXT = "the record's password or PFX does not open"


@dataclass(frozen=True)
class Record:
    what: str
    code: str
    says: str
    change: "Callable[[Any, Json, User], None] | None" = None   # (room, record, user)
    how: Json = field(default_factory=dict)                     # to lab.records
    certificate: Json = field(default_factory=dict)             # to pki.corporate_certificate
    blob: "Callable[[Any, pki.Identity, User], bytes] | None" = None  # signed as it is

    @property
    def purpose(self) -> str:
        return self.how.get("purpose", "smimeEncryption")


def certificate_and_key(certificate_of: bytes, key_of: bytes) -> bytes:
    """The certificates of the one file, the key of the other, under a right MAC: no program writes that, so it is put together here."""
    def contents(file: bytes) -> list[der.Node]:
        data = der.read(file).children()[1].children()[1].children()[0].expect(der.OCTET_STRING)
        return der.read(data.content).children()
    return safe(contents(certificate_of)[0].raw + contents(key_of)[1].raw)


def many_bags(file: bytes, count: int) -> bytes:
    """Its safes, and as many empty ones beside them."""
    data = der.read(file).children()[1].children()[1].children()[0].expect(der.OCTET_STRING)
    empty = der.encode(der.SEQUENCE, bytes.fromhex("06092a864886f70d010701") + der.encode(0xA0, der.encode(der.OCTET_STRING, der.encode(
        der.SEQUENCE, der.encode(der.SEQUENCE, bytes.fromhex("060b2a864886f70d010c0a0105") + der.encode(0xA0, der.encode(der.SEQUENCE, bytes.fromhex(
            "060a2a864886f70d01091601") + der.encode(0xA0, der.encode(der.OCTET_STRING, b"x")))))))))
    return safe(der.read(data.content).content + empty * count)


def safe(contents: bytes) -> bytes:
    authenticated = der.encode(der.SEQUENCE, contents)
    mac = hmac.new(pfx._pkcs12_kdf(PASSWORD, b"two-keys", 2048, 3, 32), authenticated, hashlib.sha256).digest()
    data = der.encode(der.SEQUENCE, bytes.fromhex("06092a864886f70d010701") + der.encode(0xA0, der.encode(der.OCTET_STRING, authenticated)))
    digest = der.encode(der.SEQUENCE, bytes.fromhex("300d06096086480165030402010500") + der.encode(der.OCTET_STRING, mac))
    return der.encode(der.SEQUENCE, der.encode_integer(3) + data + der.encode(
        der.SEQUENCE, digest + der.encode(der.OCTET_STRING, b"two-keys") + der.encode_integer(2048)))


def put(name: str, value: Any) -> Callable[[Any, Json, User], None]:
    return lambda room, record, user: record.update({name: value})


def drop(name: str) -> Callable[[Any, Json, User], None]:
    return lambda room, record, user: record.pop(name) and None


def wrapped(scheme: str = "oaepSha512", password: bytes = b"another password") -> Callable[[Any, Json, User], None]:
    def change(room: Any, record: Json, user: User) -> None:
        record["encryptedPfxPassword"] = base64.b64encode(imports.wrap_password(password, room.lab.pki.import_key.public_key(), scheme)).decode()
    return change


def padded(name: str, how: Any) -> Callable[[Any, Json, User], None]:
    def change(room: Any, record: Json, user: User) -> None:
        record["paddingScheme"] = name
        record["encryptedPfxPassword"] = base64.b64encode(room.lab.pki.import_key.public_key().encrypt(PASSWORD.encode(), how)).decode()
    return change


def another_key(room: Any, record: Json, user: User) -> None:
    other = room.lab.pki.shared_key("rsa2048", 3).public_key()
    record["encryptedPfxPassword"] = base64.b64encode(imports.wrap_password(PASSWORD.encode(), other)).decode()


def another_blob(room: Any, record: Json, user: User) -> None:
    record["encryptedPfxBlob"] = base64.b64encode(pfx.export(room.identity(user), PASSWORD)).decode()


def another_owner(room: Any, record: Json, user: User) -> None:
    record["importerSignature"] = room.lab.records(room.lab.user("someoneelse"), [room.identity(user)])[0]["importerSignature"]


def foreign(room: Any, record: Json, user: User) -> None:
    content = imports.signed_content(user.upn, "smimeEncryption", "00" * 32, "00" * 32, [], ["00" * 32], 1, record["createdDateTime"])
    record["importerSignature"] = base64.b64encode(imports.sign(content, room.lab.pki.foreign_importer)).decode()


def not_a_statement(room: Any, record: Json, user: User) -> None:
    record["importerSignature"] = base64.b64encode(imports.sign(b"dear connector, this one is good\n", room.lab.pki.importer)).decode()


def two(room: Any, identity: pki.Identity, user: User) -> bytes:
    return pfx.export(identity, PASSWORD, "two-identities", others=[room.identity(user, 2018, slot=1)])


def apart(room: Any, identity: pki.Identity, user: User) -> bytes:
    return certificate_and_key(pfx.export(identity, PASSWORD), pfx.export(room.identity(user, slot=1), PASSWORD))


def told(name: str) -> str:
    return f"paddingScheme {name} is not supported; import the record again with oaepSha512"


def no_key(provider: str, name: str) -> str:
    return f'no [import.NAME] table has provider_name "{provider}" and key_name "{name}"'


SIGNERS = "[importer] signers names who may sign"
VALID = {"year": 2025, "years": 5}
RECORDS = [
    Record("wrong password", "importUndecryptable", ONE_TEXT, wrapped()),
    Record("empty password", "importUndecryptable", ONE_TEXT, wrapped(password=b"")),
    Record("password wrapped under another key", "importUndecryptable", ONE_TEXT, another_key),
    Record("password wrapped under another hash", "importUndecryptable", ONE_TEXT, put("paddingScheme", "oaepSha256")),
    Record("wrapped password that is none", "importUndecryptable", ONE_TEXT, put("encryptedPfxPassword", base64.b64encode(b"x" * 256).decode())),
    Record("wrapped password of one octet", "importUndecryptable", ONE_TEXT, put("encryptedPfxPassword", base64.b64encode(b"x").decode())),
    Record("a file that is no PFX", "importUndecryptable", ONE_TEXT, blob=lambda room, identity, user: b"no pfx at all"),
    Record("half a PFX", "importUndecryptable", ONE_TEXT, blob=lambda room, identity, user: pfx.export(identity, PASSWORD)[:900]),
    Record("a nesting of 50,000", "importUndecryptable", ONE_TEXT, blob=lambda room, identity, user: b"\x30\x80" * 50_000),
    Record("a length of four gigabytes", "importUndecryptable", ONE_TEXT,
           blob=lambda room, identity, user: b"\x30\x84\xff\xff\xff\xff" + pfx.export(identity, PASSWORD)),
    Record("key name not configured here", "importUndecryptable", no_key("pfx-connector", "ImportKey2"), put("keyName", "ImportKey2")),
    Record("key name in capitals", "importUndecryptable", no_key("pfx-connector", "IMPORTKEY1"), put("keyName", "IMPORTKEY1")),
    Record("provider not configured here", "importUndecryptable", no_key("Microsoft Software KSP", "ImportKey1"),
           put("providerName", "Microsoft Software KSP")),
    Record("no MAC", "importInvalid", "PFX: no MAC", how={"form": "no-mac"}),
    Record("50,000,000 iterations", "importInvalid", "PFX: more than 1,000,000 iterations", how={"form": "expensive"}),
    Record("over 256 KiB", "importInvalid", "PFX: larger than 256 KiB", blob=lambda room, identity, user: b"\x30\x83\x05\x00\x00" + bytes(300_000)),
    Record("over 20 bags", "importInvalid", "PFX: more than 20 bags", blob=lambda room, identity, user: many_bags(pfx.export(identity, PASSWORD), 21)),
    Record("two identities", "importInvalid", "PFX: two identities; one file must hold one", blob=two),
    Record("the key of another certificate", "importInvalid", "PFX: the key is not its certificate's", blob=apart),
    Record("paddingScheme pkcs1", "unsupported", told("pkcs1"), padded("pkcs1", padding.PKCS1v15())),
    Record("paddingScheme oaepSha1", "unsupported", told("oaepSha1"), padded("oaepSha1", padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None))),
    Record("paddingScheme none", "unsupported", told("none"), put("paddingScheme", "none")),
    Record("paddingScheme in lower case", "unsupported", told("oaepsha512"), put("paddingScheme", "oaepsha512")),
    Record("not signed", "importUnsigned", "the record has no importerSignature; sign it with `import adopt` or import it again", drop("importerSignature")),
    Record("signed by a foreign importer", "importUnsigned", f"importerSignature: signed statement: not signed by a trusted certificate; {SIGNERS}", foreign),
    Record("a signature that is junk", "importUnsigned", f"importerSignature: signed statement: not DER, or octets after it; {SIGNERS}",
           put("importerSignature", base64.b64encode(b"junk").decode())),
    Record("the importer's signature over something else", "importUnsigned", "what the importer signed is not a statement: …", not_a_statement),
    Record("the file exchanged after the signature", "importUnsigned", "the importer signed another PFX", another_blob),
    Record("signed for another user", "importUnsigned", "the importer signed this for another user", another_owner),
    Record("signed with other mailboxes", "importUnsigned", "the importer signed other mailboxes than the certificate's",
           how={"mailboxes": ["chief@corp.example"]}),
    Record("a foreign address", "importInvalid", "the certificate's address is not one of the user's", certificate={"mails": ["carla@corp.example"]}),
    Record("a foreign address under the user's name", "importInvalid", "the certificate's address is not one of the user's",
           certificate={"mails": ["carla@corp.example"], "common": "alice"}),
    Record("a signing certificate for encryption", "importInvalid", "smimeEncryption needs keyEncipherment or keyAgreement",
           certificate={"purpose": "smimeSigning"}),
    Record("an encryption certificate for signing", "importInvalid", "smimeSigning needs digitalSignature or nonRepudiation",
           how={"purpose": "smimeSigning"}, certificate=VALID),
    Record("a mail certificate for wifi", "importInvalid", "wifi needs clientAuth", how={"purpose": "wifi"}, certificate=VALID),
    Record("the thumbprint of another", "importInvalid", "the PFX holds another certificate than the record names", put("thumbprint", "ab" * 20)),
    Record("a thumbprint that is no hex", "importInvalid", "/thumbprint: not 20 octets in hex (record …)", put("thumbprint", "zz" * 20)),
    Record("a thumbprint that is a number", "importInvalid", "/thumbprint: not a string (record …)", put("thumbprint", 7)),
    Record("a time that is none", "importInvalid", "/startDateTime: not a time of the form 2026-11-23T12:00:00Z", put("startDateTime", "never")),
    Record("no file", "importInvalid", "/encryptedPfxBlob: missing", drop("encryptedPfxBlob")),
    Record("a file that is no base64", "importInvalid", "/encryptedPfxBlob: not base64 (standard alphabet, padded, no line breaks)",
           put("encryptedPfxBlob", "%%%")),
    Record("no wrapped password", "importInvalid", "/encryptedPfxPassword: missing", drop("encryptedPfxPassword")),
]
