"""The certification authority behind the server: its keys, what it signs, and its own log of that in SQLite."""
from __future__ import annotations

import datetime as dt
import hashlib
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID as Eku
from cryptography.x509.oid import NameOID

import der
import pki

from .settings import Settings

SCHEMA = """
CREATE TABLE IF NOT EXISTS issued (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, sha256 TEXT NOT NULL UNIQUE, csr TEXT NOT NULL, spki TEXT NOT NULL, label TEXT NOT NULL,
  at REAL NOT NULL, certificate BLOB NOT NULL, wrong TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS issued_csr ON issued (csr, seq);
CREATE TABLE IF NOT EXISTS pending (csr TEXT PRIMARY KEY, since REAL NOT NULL, answers INTEGER NOT NULL, approved INTEGER NOT NULL);
"""


class Unfit(Exception):
    """The authority says no, in these words."""


class Keys:
    """Root, issuing CA, a foreign CA, the server's TLS certificates, and who may authenticate by one; made once, found again."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self.root = self._authority("root", lambda: pki.make_root("Lab EST Root"))
        self.issuing = self._authority("issuing", lambda: pki.make_sub(self.root, "Lab EST CA"), self.root)
        self.next_issuing = self._authority("next-issuing", lambda: pki.make_sub(self.root, "Lab EST CA 2"), self.root)
        self.foreign = self._authority("foreign", lambda: pki.make_root("Foreign EST Root"))
        self.client_ca = self._authority("client-ca", lambda: pki.make_root("Lab RA Root"))
        self._leaf("client", self.client_ca, [], Eku.CLIENT_AUTH)
        self._leaf("foreign-client", self.foreign, [], Eku.CLIENT_AUTH)
        here = [x509.DNSName("localhost"), x509.IPAddress(pki._loopback(4))]
        past = {"not_before": pki.now() - dt.timedelta(days=60), "not_after": pki.now() - dt.timedelta(days=2)}
        self._leaf("tls-good", self.root, here, Eku.SERVER_AUTH)
        self._leaf("tls-wrong-name", self.root, [x509.DNSName("elsewhere.example")], Eku.SERVER_AUTH)
        self._leaf("tls-expired", self.root, here, Eku.SERVER_AUTH, **past)
        self._leaf("tls-foreign", self.foreign, here, Eku.SERVER_AUTH)

    def path(self, name: str) -> Path:
        return self._directory / name

    def _authority(self, stem: str, make: Any, parent: pki.Authority | None = None) -> pki.Authority:
        key_path, certificate_path = self.path(stem + ".key"), self.path(stem + ".crt")
        if not certificate_path.exists():
            made = make()
            pki.write(key_path, pki.key_pem(made.key), private=True)
            pki.write(certificate_path, pki.cert_pem(made.certificate))
        key = serialization.load_pem_private_key(key_path.read_bytes(), None)
        certificate = x509.load_pem_x509_certificate(certificate_path.read_bytes())
        return pki.Authority(key, certificate, [parent.certificate, *parent.chain] if parent else [])

    def _leaf(self, stem: str, issuer: pki.Authority, names: list[x509.GeneralName], purpose: x509.ObjectIdentifier, **times: Any) -> None:
        if self.path(stem + ".crt").exists():
            return
        extensions: list[tuple[x509.ExtensionType, bool]] = [
            (x509.BasicConstraints(False, None), True), (pki.key_usage("digital_signature"), True), (x509.ExtendedKeyUsage([purpose]), False)]
        if names:
            extensions.append((x509.SubjectAlternativeName(names), False))
        made = issuer.leaf(pki.common_name("Lab EST " + stem), pki.make_key(), extensions=extensions, **times)
        pki.write(self.path(stem + ".key"), pki.key_pem(made.key), private=True)
        pki.write(self.path(stem + ".crt"), pki.cert_pem(made.certificate))


SID = "S-1-5-21-1004336348-1177238915-682003330-500"
# What a template that is not what it seems adds: logon, enrolment on behalf, Kerberos, anything; and a security identifier ([MS-WCCE] 2.2.2.7.7.4).
PURPOSES = {"client-auth": "1.3.6.1.5.5.7.3.2", "smart-card": "1.3.6.1.4.1.311.20.2.2", "agent": "1.3.6.1.4.1.311.20.2.1", "pkinit": "1.3.6.1.5.2.3.4",
            "any-eku": "2.5.29.37.0"}
UNASKED = {
    "sid": [(x509.ObjectIdentifier("1.3.6.1.4.1.311.25.2"), der.encode(der.SEQUENCE, der.encode(0xA0, bytes.fromhex("060a2b060104018237190201") + der.encode(
        0xA0, der.encode(der.OCTET_STRING, SID.encode())))))],
    "extension": [(x509.ObjectIdentifier("1.3.6.1.4.1.311.21.1"), der.encode_integer(1))],
    # Application policies are to Windows what the extended key usage is: smart card logon once more.
    "application-policies": [(x509.ObjectIdentifier("1.3.6.1.4.1.311.21.10"), der.encode(der.SEQUENCE, der.encode(
        der.SEQUENCE, bytes.fromhex("060a2b060104018237140202"))))],
}


class Authority:
    def __init__(self, state: Path, settings: Settings) -> None:
        self.keys = Keys(state / "pki")
        self._settings = settings
        self._lock = threading.Lock()
        self._renewed = False
        self._database = sqlite3.connect(state / "est.db", check_same_thread=False, isolation_level=None)
        self._database.row_factory = sqlite3.Row
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=OFF")
        self._database.executescript(SCHEMA)

    # -- what a client gets -------------------------------------------------------------------------------------------
    def cacerts(self) -> list[x509.Certificate]:
        return [self._issuer().certificate, self.keys.root.certificate]

    def enrol(self, request: bytes, label: str) -> list[x509.Certificate] | None:
        """The answer's certificates; None: it takes its time."""
        csr = self._read(request)
        name = hashlib.sha256(request).hexdigest()
        with self._lock:
            known = self._database.execute("SELECT certificate FROM issued WHERE csr = ? ORDER BY seq LIMIT 1", (name,)).fetchone()
            if known and self._settings.idempotent:
                return self._answer(x509.load_der_x509_certificate(known["certificate"]))
            if self._waits(name):
                return None
            certificate = self._sign(csr)
            self._database.execute("INSERT INTO issued (sha256, csr, spki, label, at, certificate, wrong) VALUES (?, ?, ?, ?, ?, ?, ?)", (
                pki.sha256(certificate), name, pki.spki_sha256(csr.public_key()), label, time.time(), pki.cert_der(certificate), self._settings.wrong))
            self._database.execute("DELETE FROM pending WHERE csr = ?", (name,))
            return self._answer(certificate)

    def _answer(self, certificate: x509.Certificate) -> list[x509.Certificate]:
        return [self._issuer().certificate, certificate] if self._settings.with_chain else [certificate]

    def _waits(self, name: str) -> bool:
        if not self._settings.pending_answers and self._settings.approval == "auto":
            return False
        self._database.execute("INSERT OR IGNORE INTO pending VALUES (?, ?, 0, 0)", (name, time.time()))
        row = self._database.execute("SELECT * FROM pending WHERE csr = ?", (name,)).fetchone()
        if row["answers"] >= self._settings.pending_answers and (self._settings.approval == "auto" or row["approved"]):
            return False
        self._database.execute("UPDATE pending SET answers = answers + 1 WHERE csr = ?", (name,))
        return True

    @staticmethod
    def _read(request: bytes) -> x509.CertificateSigningRequest:
        try:
            csr = x509.load_der_x509_csr(request)
        except ValueError as error:
            raise Unfit("that is no PKCS #10") from error
        if not csr.is_signature_valid:
            raise Unfit("proof of possession failed")
        return csr

    def _issuer(self) -> pki.Authority:
        return self.keys.next_issuing if self._renewed else self.keys.issuing

    def _sign(self, csr: x509.CertificateSigningRequest) -> x509.Certificate:
        wrong = self._settings.wrong
        subject, key, issuer, days = csr.subject, csr.public_key(), self._issuer(), self._settings.days
        if wrong == "key":
            key = pki.make_key("ecP256").public_key()
        if wrong == "name":
            subject = pki.name((NameOID.COMMON_NAME, "Mallory Example"))
        if wrong == "issuer":
            issuer = self.keys.foreign
        if wrong == "weeks":
            days = 7 * 2000
        extensions: list[tuple[x509.ExtensionType, bool]] = [(x509.BasicConstraints(wrong == "ca", None), True)]
        extensions += [(x509.UnrecognizedExtension(*each), False) for each in UNASKED.get(wrong, ())]
        for extension in csr.extensions:
            value: Any = extension.value
            if wrong == "eku" and isinstance(value, x509.ExtendedKeyUsage):
                value = x509.ExtendedKeyUsage([*value, Eku.CODE_SIGNING])
            if wrong in PURPOSES and isinstance(value, x509.ExtendedKeyUsage):
                value = x509.ExtendedKeyUsage([*value, x509.ObjectIdentifier(PURPOSES[wrong])])
            if wrong == "no-eku" and isinstance(value, x509.ExtendedKeyUsage):
                continue
            if wrong == "usage" and isinstance(value, x509.KeyUsage):
                value = pki.key_usage("digital_signature", "key_encipherment")
            if wrong == "subject-sid" and isinstance(value, x509.SubjectAlternativeName):
                value = x509.SubjectAlternativeName([*value, x509.UniformResourceIdentifier(f"tag:microsoft.com,2022-09-14:sid:{SID}")])
            if wrong == "san" and isinstance(value, x509.SubjectAlternativeName):
                value = x509.SubjectAlternativeName([*value, x509.RFC822Name("ceo@corp.example")])
            if isinstance(value, (x509.ExtendedKeyUsage, x509.SubjectAlternativeName, x509.KeyUsage)):
                extensions.append((value, extension.critical))
        serial = None
        if wrong == "serial":
            last = self._database.execute("SELECT certificate FROM issued ORDER BY seq DESC LIMIT 1").fetchone()
            serial = x509.load_der_x509_certificate(last["certificate"]).serial_number
        return issuer.issue(subject, key, extensions=extensions, days=days, serial=serial)

    # -- what a test sees ---------------------------------------------------------------------------------------------
    def renew(self) -> None:
        """From now on another issuing CA signs."""
        self._renewed = True

    def approve(self, csr: str | None) -> int:
        with self._lock:
            return self._database.execute("UPDATE pending SET approved = 1 WHERE ? IS NULL OR csr = ?", (csr, csr)).rowcount

    def issued(self) -> list[dict[str, Any]]:
        with self._lock:
            rows = self._database.execute("SELECT seq, sha256, csr, spki, label, at, wrong FROM issued ORDER BY seq").fetchall()
        return [dict(row) for row in rows]

    def pending(self) -> list[dict[str, Any]]:
        with self._lock:
            return [dict(row) for row in self._database.execute("SELECT * FROM pending ORDER BY since").fetchall()]

    def close(self) -> None:
        with self._lock:
            self._database.close()
