"""Connectors and their certificates: one-time tokens, the enrolment CA, renewal, approval.

Approval belongs to an enrolment, not to a connector: a stolen token that enrols a known id anew does not inherit its standing,
and does not take the working certificate away before somebody has looked.
"""
from __future__ import annotations

import datetime as dt
import hashlib
import json
import secrets
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from . import times
from .problem import Problem
from .settings import Settings
from .store import Store

SAME_ANSWER_SECONDS = 600


class Enrolment:
    def __init__(self, store: Store, settings: Settings, ca_certificate: Path, ca_key: Path) -> None:
        self._store = store
        self._settings = settings
        self._ca = x509.load_pem_x509_certificate(ca_certificate.read_bytes())
        self._ca_key: Any = serialization.load_pem_private_key(ca_key.read_bytes(), None)

    # -- tokens -------------------------------------------------------------------------------------------------------
    def new_token(self, token: str | None = None, seconds: float | None = None) -> str:
        value = token or secrets.token_urlsafe(24)
        now = times.now()
        lifetime = min(self._settings.token_seconds if seconds is None else seconds, 3600)
        self._store.write("INSERT OR REPLACE INTO tokens (token, created, expires) VALUES (?, ?, ?)", value, now, now + lifetime)
        return value

    def enrol(self, token: str, body: dict[str, Any]) -> dict[str, Any]:
        csr = self._csr(body["csr"])
        fingerprint = hashlib.sha256(csr.public_bytes(serialization.Encoding.DER)).hexdigest()
        now = times.now()
        with self._store.transaction():
            row = self._store.row("SELECT * FROM tokens WHERE token = ?", token)
            if row is None:
                raise Problem(401, "tokenUnknown", "no such token")
            if row["used"] is not None:
                if row["csr"] == fingerprint and now - row["used"] <= SAME_ANSWER_SECONDS:
                    return json.loads(row["answer"])
                raise Problem(401, "tokenUsed", "the token has been used")
            if now > row["expires"]:
                raise Problem(401, "tokenExpired", "the token has expired")
            connector = body.get("connectorId")
            details = (body["name"], body["version"], body["platform"], json.dumps(body["features"]))
            if connector is None:
                connector = "c-" + secrets.token_hex(4)
                self._store.write("INSERT INTO connectors (id, name, version, platform, features, enrolled) VALUES (?, ?, ?, ?, ?, ?)",
                                  connector, *details, now)
            elif self._store.write("UPDATE connectors SET name = ?, version = ?, platform = ?, features = ?, removed = 0 WHERE id = ?",
                                   *details, connector) == 0:
                raise Problem(404, "unknownConnector", "/connectorId: no such connector")
            answer = self._issue(connector, csr, self._settings.approve == "auto")
            self._store.write("UPDATE tokens SET used = ?, csr = ?, answer = ? WHERE token = ?", now, fingerprint, json.dumps(answer), token)
        return answer

    def renew(self, connector: str, body: dict[str, Any]) -> dict[str, Any]:
        csr = self._csr(body["csr"])
        spki = _spki(csr.public_key())
        if self._store.row("SELECT 1 FROM certificates WHERE connector = ? AND spki = ?", connector, spki):
            raise Problem(400, "invalidRequest", "/csr: a new key is needed")
        with self._store.transaction():
            return self._issue(connector, csr, True)

    def _csr(self, pem: str) -> x509.CertificateSigningRequest:
        try:
            csr = x509.load_pem_x509_csr(pem.encode())
            key = csr.public_key()
            good = csr.is_signature_valid
        except Exception as error:  # whatever the parser does not like
            raise Problem(400, "invalidRequest", f"/csr: {error}") from error
        if not good:
            raise Problem(400, "invalidRequest", "/csr: not signed by its own key")
        if not (isinstance(key, ec.EllipticCurvePublicKey) or isinstance(key, rsa.RSAPublicKey) and key.key_size >= 2048):
            raise Problem(400, "invalidRequest", "/csr: key type")
        return csr

    def _issue(self, connector: str, csr: x509.CertificateSigningRequest, approved: bool) -> dict[str, Any]:
        start = dt.datetime.now(dt.timezone.utc).replace(microsecond=0)
        lifetime = dt.timedelta(days=self._settings.certificate_days)
        public_key = csr.public_key()
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, connector)])).issuer_name(self._ca.subject)
            .public_key(public_key).serial_number(x509.random_serial_number())
            .not_valid_before(start - dt.timedelta(minutes=10)).not_valid_after(start + lifetime)
            .add_extension(x509.BasicConstraints(False, None), True)
            .add_extension(x509.KeyUsage(True, False, False, False, False, False, False, False, False), True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._ca_key.public_key()), False)
            .sign(self._ca_key, hashes.SHA256()))
        encoded = certificate.public_bytes(serialization.Encoding.DER)
        self._store.write("INSERT INTO certificates (sha256, connector, spki, issued, approved) VALUES (?, ?, ?, ?, ?)",
                          hashlib.sha256(encoded).hexdigest(), connector, _spki(public_key), times.now(), int(approved))
        after = self._settings.renew_after_seconds
        renew_after = start.timestamp() + (lifetime.total_seconds() * 2 / 3 if after is None else after)
        return {
            "connectorId": connector,
            "certificate": certificate.public_bytes(serialization.Encoding.PEM).decode(),
            "chain": [self._ca.public_bytes(serialization.Encoding.PEM).decode()],
            "renewAfter": times.text(renew_after),
        }

    # -- who is calling -----------------------------------------------------------------------------------------------
    def caller(self, peer_der: bytes | None) -> str:
        """The connector behind a TLS connection whose certificate the handshake has verified against the enrolment CA."""
        if peer_der is None:
            raise Problem(401, "certificateRequired", "no client certificate")
        certificate = x509.load_der_x509_certificate(peer_der)
        names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        if len(names) != 1:
            raise Problem(401, "certificateUnknown", "not one CN")
        connector = str(names[0].value)
        with self._store.transaction():
            row = self._store.row("SELECT * FROM certificates WHERE sha256 = ?", hashlib.sha256(peer_der).hexdigest())
            if row is None or row["connector"] != connector:
                raise Problem(401, "certificateUnknown", "not issued by this service")
            known = self._store.row("SELECT * FROM connectors WHERE id = ?", connector)
            if known is None or known["removed"]:
                raise Problem(404, "unknownConnector", "no such connector")
            if not row["approved"]:
                raise Problem(403, "notApproved", "the connector has not been approved")
            if self._store.row("SELECT 1 FROM certificates WHERE connector = ? AND seq > ? AND used IS NOT NULL", connector, row["seq"]):
                raise Problem(401, "certificateSuperseded", "a newer certificate is in use")
            if row["used"] is None:
                self._store.write("UPDATE certificates SET used = ? WHERE seq = ?", times.now(), row["seq"])
        return connector

    # -- administration -----------------------------------------------------------------------------------------------
    def approve(self, connector: str) -> int:
        return self._store.write("UPDATE certificates SET approved = 1 WHERE connector = ?", connector)

    def remove(self, connector: str) -> int:
        return self._store.write("UPDATE connectors SET removed = 1 WHERE id = ?", connector)

    def connectors(self) -> list[dict[str, Any]]:
        result = []
        for row in self._store.rows("SELECT * FROM connectors ORDER BY enrolled, id"):
            certificates = self._store.rows("SELECT * FROM certificates WHERE connector = ? ORDER BY seq", row["id"])
            result.append({
                "id": row["id"], "name": row["name"], "version": row["version"], "platform": row["platform"],
                "features": json.loads(row["features"]), "enrolledAt": times.text(row["enrolled"]), "removed": bool(row["removed"]),
                "approved": bool(certificates) and bool(certificates[-1]["approved"]),
                "certificates": [{"sha256": each["sha256"], "keySha256": each["spki"], "approved": bool(each["approved"]),
                                  "used": each["used"] is not None} for each in certificates],
            })
        return result


def _spki(key: Any) -> str:
    return hashlib.sha256(key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)).hexdigest()
