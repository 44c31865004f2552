#!/usr/bin/python3
"""The lab's public key infrastructure, made in a directory and found there again.

  service CA        the service's TLS certificate, and three bad ones (wrong name, expired, of a foreign CA)
  enrolment CA      signs the connectors' client certificates
  device CA         signs device certificates; and a foreign one, and a sub-CA under it, that must not count
  delivery CA       root, issuing CA and the certificate that signs packages; devices pin the root
  importer          signs imported records; and a foreign importer
  statement signer  says which device is whose, where the operator takes statements
  import key        RSA; passwords of imported PFX files are wrapped for it
  corporate CA      root and issuing CA of the S/MIME certificates of old

`pki.py make --dir D` makes it; `pki.py device …` adds one device certificate.
"""
from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID as Eku
from cryptography.x509.oid import NameOID

import der

UTC = dt.timezone.utc
UPN_OID = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")
PrivateKey = Any
Names = Sequence[tuple[x509.ObjectIdentifier, str]]


def now() -> dt.datetime:
    return dt.datetime.now(UTC).replace(microsecond=0)


def make_key(kind: str = "ecP256") -> PrivateKey:
    if kind.startswith("rsa"):
        return rsa.generate_private_key(65537, int(kind[3:]))
    curves = {"ecP256": ec.SECP256R1, "ecP384": ec.SECP384R1, "ecP521": ec.SECP521R1}
    return ec.generate_private_key(curves[kind]())


def key_pem(key: PrivateKey) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def public_pem(key: Any) -> bytes:
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def spki_sha256(public_key: Any) -> str:
    spki = public_key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).hexdigest()


def cert_pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def cert_der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def thumbprint(certificate: x509.Certificate) -> str:
    return hashlib.sha1(cert_der(certificate)).hexdigest()


def sha256(certificate: x509.Certificate) -> str:
    return hashlib.sha256(cert_der(certificate)).hexdigest()


def write(path: Path, data: bytes, private: bool = False) -> Path:
    """Under a second name first: a reader never finds half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600 if private else 0o644)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)
    os.replace(part, path)
    return path


def name(*attributes: tuple[x509.ObjectIdentifier, str]) -> x509.Name:
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes])


def common_name(text: str, organization: str = "Lab") -> x509.Name:
    return name((NameOID.ORGANIZATION_NAME, organization), (NameOID.COMMON_NAME, text))


def upn_name(upn: str) -> x509.OtherName:
    return x509.OtherName(UPN_OID, der.encode(der.UTF8, upn.encode()))


def key_usage(*names: str) -> x509.KeyUsage:
    known = ["digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
             "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"]
    assert set(names) <= set(known), names
    return x509.KeyUsage(**{known_name: known_name in names for known_name in known})


def encryption_usage(public_key: Any) -> str:
    return "key_encipherment" if isinstance(public_key, rsa.RSAPublicKey) else "key_agreement"


@dataclass
class Identity:
    """A key, its certificate, and the issuers from the nearest up to the root."""
    key: PrivateKey
    certificate: x509.Certificate
    chain: list[x509.Certificate] = field(default_factory=list)

    @property
    def thumbprint(self) -> str:
        return thumbprint(self.certificate)

    @property
    def sha256(self) -> str:
        return sha256(self.certificate)


@dataclass
class Authority(Identity):
    def issue(self, subject: x509.Name, public_key: Any, *, extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
              not_before: dt.datetime | None = None, not_after: dt.datetime | None = None, days: float = 365, ski: bool = True,
              digest: hashes.HashAlgorithm | None = None, serial: int | None = None) -> x509.Certificate:
        start = not_before or now() - dt.timedelta(minutes=10)
        end = not_after or start + dt.timedelta(days=days)
        return _sign(subject, public_key, self.certificate.subject, self.key, extensions, start, end, ski, digest, serial)

    def leaf(self, subject: x509.Name, key: PrivateKey, **how: Any) -> Identity:
        return Identity(key, self.issue(subject, key.public_key(), **how), [self.certificate, *self.chain])


def _sign(subject: x509.Name, public_key: Any, issuer: x509.Name, issuer_key: PrivateKey,
          extensions: Sequence[tuple[x509.ExtensionType, bool]], start: dt.datetime, end: dt.datetime, ski: bool = True,
          digest: hashes.HashAlgorithm | None = None, serial: int | None = None) -> x509.Certificate:
    builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public_key)
               .serial_number(serial or x509.random_serial_number()).not_valid_before(start).not_valid_after(end))
    if ski:
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), False)
    builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), False)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(issuer_key, digest or hashes.SHA256())


def _ca_extensions(path_length: int | None = None) -> list[tuple[x509.ExtensionType, bool]]:
    return [(x509.BasicConstraints(True, path_length), True), (key_usage("key_cert_sign", "crl_sign"), True)]


def make_root(text: str, *, kind: str = "ecP256", not_before: dt.datetime | None = None, years: int = 20) -> Authority:
    key = make_key(kind)
    start = not_before or now() - dt.timedelta(days=1)
    certificate = _sign(common_name(text), key.public_key(), common_name(text), key, _ca_extensions(), start,
                        start + dt.timedelta(days=365 * years))
    return Authority(key, certificate)


def make_sub(parent: Authority, text: str, *, not_before: dt.datetime | None = None, years: int = 15, kind: str = "ecP256") -> Authority:
    key = make_key(kind)
    start = not_before or parent.certificate.not_valid_before.replace(tzinfo=UTC)
    certificate = parent.issue(common_name(text), key.public_key(), extensions=_ca_extensions(0), not_before=start,
                               not_after=start + dt.timedelta(days=365 * years))
    return Authority(key, certificate, [parent.certificate, *parent.chain])


class Pki:
    """Everything above, under one directory; what is there is read, what is missing is made."""

    def __init__(self, directory: Path | str) -> None:
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        old = dt.datetime(2012, 1, 1, tzinfo=UTC)
        self.service_ca = self._authority("service-ca", lambda: make_root("Lab Service CA"))
        self.foreign_ca = self._authority("foreign-ca", lambda: make_root("Foreign CA"))
        self.enrolment_ca = self._authority("enrolment-ca", lambda: make_root("Lab Enrolment CA"))
        self.device_ca = self._authority("device-ca", lambda: make_root("Lab Device CA"))
        self.foreign_device_ca = self._authority("foreign-device-ca", lambda: make_root("Foreign Device CA"))
        self.device_sub_ca = self._authority("device-sub-ca", lambda: make_sub(self.device_ca, "Lab Other Device CA"), self.device_ca)
        self.delivery_ca = self._authority("delivery-ca", lambda: make_root("Lab Delivery Root"))
        self.delivery_issuing_ca = self._authority(
            "delivery-issuing-ca", lambda: make_sub(self.delivery_ca, "Lab Delivery CA"), self.delivery_ca)
        self.corporate_ca = self._authority("corporate-ca", lambda: make_root("Old Corporate Root", not_before=old, years=30))
        self.corporate_issuing_ca = self._authority(
            "corporate-issuing-ca", lambda: make_sub(self.corporate_ca, "Old Corporate CA", not_before=old, years=25), self.corporate_ca)
        # An issuing CA that has itself run out: its certificates are history all the same.
        self.expired_issuing_ca = self._authority(
            "expired-issuing-ca", lambda: make_sub(self.corporate_ca, "Older Corporate CA", not_before=old, years=8), self.corporate_ca)
        self.delivery = self._identity("delivery", self.delivery_issuing_ca, lambda: self._delivery(self.delivery_issuing_ca))
        self.foreign_delivery = self._identity("foreign-delivery", self.foreign_ca, lambda: self._delivery(self.foreign_ca))
        self.importer = self._identity("importer", None, lambda: self._self_signed("Lab Importer"))
        self.foreign_importer = self._identity("foreign-importer", None, lambda: self._self_signed("Foreign Importer"))
        self.statement_signer = self._identity("statement-signer", None, lambda: self._self_signed("Lab Device Management"))
        self.import_key = self._key("import-key", "rsa2048")
        for flavour in ("good", "wrong-name", "expired", "foreign"):
            self._service(flavour)
        chain = cert_pem(self.delivery_issuing_ca.certificate)
        if not self.path("delivery-chain.crt").exists():
            write(self.path("delivery-chain.crt"), chain)
            write(self.path("import-key.pub"), public_pem(self.import_key.public_key()))

    def path(self, file: str) -> Path:
        return self.directory / file

    # -- found or made ------------------------------------------------------------------------------------------------
    def _key(self, stem: str, kind: str) -> PrivateKey:
        path = self.path(stem + ".key")
        if not path.exists():
            write(path, key_pem(make_key(kind)), private=True)
        return serialization.load_pem_private_key(path.read_bytes(), None)

    def shared_key(self, kind: str, slot: int) -> PrivateKey:
        """A key that many test certificates may share: bulk histories need many certificates, not many keys."""
        return self._key(f"shared/{kind}-{slot}", kind)

    def _found(self, stem: str, make: Callable[[], Identity]) -> tuple[PrivateKey, x509.Certificate]:
        key_path, certificate_path = self.path(stem + ".key"), self.path(stem + ".crt")
        if not certificate_path.exists():
            made = make()
            write(key_path, key_pem(made.key), private=True)
            write(certificate_path, cert_pem(made.certificate))
        key = serialization.load_pem_private_key(key_path.read_bytes(), None)
        return key, x509.load_pem_x509_certificate(certificate_path.read_bytes())

    def _authority(self, stem: str, make: Callable[[], Authority], parent: Authority | None = None) -> Authority:
        key, certificate = self._found(stem, make)
        return Authority(key, certificate, [parent.certificate, *parent.chain] if parent else [])

    def _identity(self, stem: str, parent: Authority | None, make: Callable[[], Identity]) -> Identity:
        key, certificate = self._found(stem, make)
        return Identity(key, certificate, [parent.certificate, *parent.chain] if parent else [])

    # -- special certificates -----------------------------------------------------------------------------------------
    def _delivery(self, issuer: Authority) -> Identity:
        return issuer.leaf(common_name("Connector delivery"), make_key(), extensions=[
            (x509.BasicConstraints(False, None), True), (key_usage("digital_signature"), True),
            (x509.ExtendedKeyUsage([Eku.EMAIL_PROTECTION]), False)])

    def _self_signed(self, text: str) -> Identity:
        key = make_key()
        start = now() - dt.timedelta(days=1)
        certificate = _sign(common_name(text), key.public_key(), common_name(text), key, [
            (x509.BasicConstraints(False, None), True), (key_usage("digital_signature"), True)], start, start + dt.timedelta(days=3650))
        return Identity(key, certificate)

    def _service(self, flavour: str) -> None:
        stem = "service" if flavour == "good" else f"service-{flavour}"
        if self.path(stem + ".crt").exists():
            return
        issuer = self.foreign_ca if flavour == "foreign" else self.service_ca
        names: list[x509.GeneralName] = [x509.DNSName("localhost"), x509.IPAddress(_loopback(4)), x509.IPAddress(_loopback(6))]
        if flavour == "wrong-name":
            names = [x509.DNSName("elsewhere.example"), x509.IPAddress(_address("192.0.2.1"))]
        times: dict[str, Any] = {"days": 700}
        if flavour == "expired":
            times = {"not_before": now() - dt.timedelta(days=60), "not_after": now() - dt.timedelta(days=2)}
        made = issuer.leaf(common_name("Lab management service"), make_key(), extensions=[
            (x509.SubjectAlternativeName(names), False), (x509.BasicConstraints(False, None), True),
            (key_usage("digital_signature"), True), (x509.ExtendedKeyUsage([Eku.SERVER_AUTH]), False)], **times)
        write(self.path(stem + ".key"), key_pem(made.key), private=True)
        write(self.path(stem + ".crt"), cert_pem(made.certificate))


def _address(text: str) -> Any:
    import ipaddress
    return ipaddress.ip_address(text)


def _loopback(version: int) -> Any:
    return _address("127.0.0.1" if version == 4 else "::1")


# -- devices ----------------------------------------------------------------------------------------------------------
def issue_device(pki: Pki, device_id: str, upn: str | None, public_key: Any, *, given_name: str | None = None,
                 surname: str | None = None, ca: Authority | None = None, uris: Sequence[str] | None = None,
                 cns: Sequence[str] | None = None, eku: Sequence[x509.ObjectIdentifier] = (Eku.CLIENT_AUTH,),
                 emails: Sequence[str] = (), is_ca: bool = False, ski: bool = True, usage: x509.KeyUsage | None = None,
                 not_before: dt.datetime | None = None, not_after: dt.datetime | None = None, days: float = 365, sha1: bool = False,
                 ) -> x509.Certificate:
    """A device certificate; every argument after the key is a way to make it a different one."""
    attributes = [(NameOID.COMMON_NAME, text) for text in (cns if cns is not None else [device_id])]
    if given_name:
        attributes.append((NameOID.GIVEN_NAME, given_name))
    if surname:
        attributes.append((NameOID.SURNAME, surname))
    names: list[x509.GeneralName] = [
        x509.UniformResourceIdentifier(uri) for uri in (uris if uris is not None else [f"urn:device:{device_id}"])]
    if upn is not None:
        names.append(upn_name(upn))
    names += [x509.RFC822Name(mail) for mail in emails]
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (usage or key_usage("digital_signature", encryption_usage(public_key)), True)]
    if is_ca:
        extensions.append((x509.BasicConstraints(True, None), True))
    if eku:
        extensions.append((x509.ExtendedKeyUsage(list(eku)), False))
    if names:
        extensions.append((x509.SubjectAlternativeName(names), False))
    return (ca or pki.device_ca).issue(name(*attributes), public_key, extensions=extensions, ski=ski, not_before=not_before,
                                       not_after=not_after, days=days, digest=hashes.SHA1() if sha1 else None)


def _past(**how: Any) -> dict[str, Any]:
    return {"not_before": now() - dt.timedelta(days=400), "not_after": now() - dt.timedelta(days=1), **how}


# Each one a device certificate that must not be encrypted to; the values go to issue_device.
BAD_DEVICES: dict[str, Callable[[Pki, str], dict[str, Any]]] = {
    "expired": lambda pki, device: _past(),
    "not-yet-valid": lambda pki, device: {"not_before": now() + dt.timedelta(days=2)},
    "foreign-ca": lambda pki, device: {"ca": pki.foreign_device_ca},
    "sub-ca": lambda pki, device: {"ca": pki.device_sub_ca},
    "other-device": lambda pki, device: {"uris": ["urn:device:d-other"], "cns": ["d-other"]},
    "two-uris": lambda pki, device: {"uris": [f"urn:device:{device}", "urn:device:d-other"]},
    "two-names": lambda pki, device: {"uris": [f"urn:device:{device}", "urn:device:d-other"], "cns": [device, "d-other"]},
    "two-cns": lambda pki, device: {"cns": [device, "d-other"]},
    "uri-prefix": lambda pki, device: {"uris": [f"urn:device:{device}x"]},
    "uri-suffix": lambda pki, device: {"uris": [f"xurn:device:{device}"]},
    "no-name": lambda pki, device: {"uris": [], "cns": []},
    "other-user": lambda pki, device: {"upn": "mallory@corp.example"},
    "no-user": lambda pki, device: {"upn": None},
    "rsa1024": lambda pki, device: {"key": "rsa1024"},
    "sha1": lambda pki, device: {"sha1": True},
    "smime": lambda pki, device: {"eku": [Eku.EMAIL_PROTECTION], "emails": ["alice@corp.example"]},
    "client-and-smime": lambda pki, device: {"eku": [Eku.CLIENT_AUTH, Eku.EMAIL_PROTECTION]},
    "any-eku": lambda pki, device: {"eku": [Eku.CLIENT_AUTH, Eku.ANY_EXTENDED_KEY_USAGE]},
    "no-eku": lambda pki, device: {"eku": []},
    "is-ca": lambda pki, device: {"is_ca": True},
    "sign-only": lambda pki, device: {"usage": key_usage("digital_signature")},
    # Not bad in itself: it has to be named by issuer and serial number instead.
    "no-ski": lambda pki, device: {"ski": False},
}


def bad_device(pki: Pki, flaw: str, device_id: str, upn: str, key_kind: str = "rsa2048") -> Identity:
    how = BAD_DEVICES[flaw](pki, device_id)
    key = make_key(how.pop("key", key_kind))
    owner = how.pop("upn", upn)
    return Identity(key, issue_device(pki, device_id, owner, key.public_key(), **how), [pki.device_ca.certificate])


# -- S/MIME certificates of old ---------------------------------------------------------------------------------------
def corporate_certificate(pki: Pki, mail: str, year: int, *, key: PrivateKey | None = None, kind: str = "rsa2048", years: int = 2,
                          purpose: str = "smimeEncryption", common: str | None = None, mails: Sequence[str] | None = None,
                          expired_ca: bool = False, sha1: bool = False, dn_mail: bool = False,
                          until: dt.datetime | None = None) -> Identity:
    """An S/MIME certificate valid from 1 January of that year, for `years` or `until` then; `mails` are its rfc822Names, `dn_mail` the way of the nineties."""
    key = key or make_key(kind)
    issuer = pki.expired_issuing_ca if expired_ca else pki.corporate_issuing_ca
    attributes = [(NameOID.ORGANIZATION_NAME, "Corp"), (NameOID.COMMON_NAME, common or mail.split("@")[0])]
    extensions: list[tuple[x509.ExtensionType, bool]] = []
    if dn_mail:
        attributes.append((NameOID.EMAIL_ADDRESS, mail))
    else:
        extensions.append((x509.SubjectAlternativeName([x509.RFC822Name(each) for each in (mails or [mail])]), False))
    usage = key_usage("digital_signature", "content_commitment") if purpose == "smimeSigning" else key_usage(
        encryption_usage(key.public_key()))
    extensions += [(usage, True), (x509.ExtendedKeyUsage([Eku.EMAIL_PROTECTION]), False)]
    start = dt.datetime(year, 1, 1, tzinfo=UTC)
    certificate = issuer.issue(name(*attributes), key.public_key(), extensions=extensions, not_before=start,
                               not_after=until or dt.datetime(year + years, 1, 1, tzinfo=UTC), digest=hashes.SHA1() if sha1 else None)
    return Identity(key, certificate, [issuer.certificate, *issuer.chain])


def history(pki: Pki, mail: str, first_years: Sequence[int] = (2016, 2018, 2020, 2022, 2024), *, shared_keys: bool = False,
            kind: str = "rsa2048", years: int = 2, **how: Any) -> list[Identity]:
    """A user's encryption certificates, oldest first."""
    return [corporate_certificate(pki, mail, year, years=years, kind=kind,
                                  key=pki.shared_key(kind, slot) if shared_keys else None, **how)
            for slot, year in enumerate(first_years)]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="The lab's public key infrastructure.")
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("make", help="make it, or what is missing of it")
    make.add_argument("--dir", required=True, type=Path)
    device = commands.add_parser("device", help="a device certificate and key, good or with a flaw")
    device.add_argument("--dir", required=True, type=Path)
    device.add_argument("--id", required=True)
    device.add_argument("--upn", required=True)
    device.add_argument("--key", default="rsa2048")
    device.add_argument("--given-name")
    device.add_argument("--surname")
    device.add_argument("--flaw", choices=sorted(BAD_DEVICES))
    device.add_argument("--out", required=True, type=Path, help="OUT.crt and OUT.key")
    chosen = parser.parse_args(arguments)
    pki = Pki(chosen.dir)
    if chosen.command == "device":
        if chosen.flaw:
            made = bad_device(pki, chosen.flaw, chosen.id, chosen.upn, chosen.key)
        else:
            key = make_key(chosen.key)
            made = Identity(key, issue_device(pki, chosen.id, chosen.upn, key.public_key(), given_name=chosen.given_name,
                                              surname=chosen.surname))
        write(chosen.out.with_name(chosen.out.name + ".key"), key_pem(made.key), private=True)
        write(chosen.out.with_name(chosen.out.name + ".crt"), cert_pem(made.certificate))
    return 0


if __name__ == "__main__":
    sys.exit(main())
