#!/usr/bin/python3
"""A device of the lab: it has a key, gets a certificate from the device CA, and opens deliveries as an agent must.

What it opens it opens with the `openssl` program alone, so that nothing it accepts was made readable by our own code.

    device.py new --pki DIR --dir D --id d-1 --upn alice@corp.example
    device.py open --dir D --result result.json
"""
from __future__ import annotations

import argparse
import base64
import datetime as dt
import hashlib
import json
import plistlib
import re
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

import openssl
import pki
import precheck
import strict_json
from precheck import Refused, need

PASSWORD = re.compile(r"[A-Za-z0-9]{32}\Z")
TIME_FORM = "%Y-%m-%dT%H:%M:%SZ"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\Z")
PEM = re.compile(rb"-----BEGIN ([A-Z ]+)-----.*?-----END \1-----\n?", re.DOTALL)


@dataclass
class Found:
    """One identity out of a PFX, before it is kept."""
    leaf: x509.Certificate
    chain: list[x509.Certificate]
    key: bytes
    pfx: bytes
    password: str
    algorithms: list[str]


@dataclass
class Held:
    """One identity on the device."""
    sha256: str
    thumbprint: str
    subject: str
    serial_number: str
    not_before: str
    not_after: str
    directory: str
    algorithms: list[str]                   # as the openssl program names them, the MAC first
    chain: list[str] = field(default_factory=list)      # SHA-256 of the issuers that came along

    @property
    def certificate(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate((Path(self.directory) / "certificate.pem").read_bytes())


@dataclass
class Opened:
    format: str
    identities: list[Held]
    package: dict[str, Any] = field(default_factory=dict)       # without files and passwords
    signer: dict[str, str] = field(default_factory=dict)
    payloads: list[dict[str, Any]] = field(default_factory=list)    # of an Apple profile, with the octets taken out
    profile: dict[str, Any] = field(default_factory=dict)


class Device:
    """Lives in its directory: device.json, device.key, device.crt, delivery-ca.crt, state.json, identities/."""

    def __init__(self, directory: Path | str) -> None:
        self.directory = Path(directory)
        about = json.loads((self.directory / "device.json").read_text())
        self.id: str = about["id"]
        self.upn: str = about["upn"]
        self.platform: str = about["platform"]
        self.os_version: str | None = about.get("osVersion")
        self.binding: str | None = None         # a statement in base64 (statements.py) that goes along from now on
        self.certificate = x509.load_pem_x509_certificate((self.directory / "device.crt").read_bytes())

    @classmethod
    def create(cls, lab_pki: pki.Pki, directory: Path | str, device_id: str, upn: str, *, platform: str = "ios", os_version: str | None = None,
               key_kind: str = "rsa2048", flaw: str | None = None, pinned: x509.Certificate | None = None, **certificate: Any) -> "Device":
        """`flaw` is one of pki.BAD_DEVICES; `pinned` the root that packages must come from, usually the delivery CA's; `certificate` goes to
        pki.issue_device."""
        place = Path(directory)
        how = pki.BAD_DEVICES[flaw](lab_pki, device_id) if flaw else {}
        how = {**certificate, **how}
        key = pki.make_key(how.pop("key", key_kind))
        pki.write(place / "device.json", json.dumps({"id": device_id, "upn": upn, "platform": platform, "osVersion": os_version}).encode())
        pki.write(place / "delivery-ca.crt", pki.cert_pem(pinned or lab_pki.delivery_ca.certificate))
        cls._certify(lab_pki, place, key, device_id, how.pop("upn", upn), how)
        return cls(place)

    @staticmethod
    def _certify(lab_pki: pki.Pki, place: Path, key: Any, device_id: str, upn: str | None, how: dict[str, Any]) -> None:
        csr = x509.CertificateSigningRequestBuilder().subject_name(pki.common_name(device_id)).sign(key, hashes.SHA256())
        pki.write(place / "device.key", pki.key_pem(key), private=True)
        # The CA takes the key from the request and the names from what it knows of the device.
        pki.write(place / "device.crt", pki.cert_pem(pki.issue_device(lab_pki, device_id, upn, csr.public_key(), **how)))

    # -- towards the service ------------------------------------------------------------------------------------------
    @property
    def key(self) -> Any:
        return serialization.load_pem_private_key((self.directory / "device.key").read_bytes(), None)

    @property
    def recipient_sha256(self) -> str:
        return pki.sha256(self.certificate)

    @property
    def key_sha256(self) -> str:
        return pki.spki_sha256(self.certificate.public_key())

    def json(self, **more: Any) -> dict[str, Any]:
        """The `device` of a request."""
        result = {"id": self.id, "platform": self.platform, "name": self.id,
                  "recipientCertificate": base64.b64encode(pki.cert_der(self.certificate)).decode(), **more}
        if self.os_version:
            result["osVersion"] = self.os_version
        if self.binding:
            result.setdefault("binding", self.binding)
        return result

    def change_key(self, lab_pki: pki.Pki, key_kind: str = "rsa2048", **certificate: Any) -> str:
        """A new key and certificate; answers the keyChangeProof by the old one, in base64."""
        old = self.directory / "device.key.old"
        old.touch(mode=0o600)
        old.write_bytes((self.directory / "device.key").read_bytes())
        pki.write(self.directory / "device.crt.old", pki.cert_pem(self.certificate))
        self._certify(lab_pki, self.directory, pki.make_key(key_kind), self.id, certificate.pop("upn", self.upn), certificate)
        self.certificate = x509.load_pem_x509_certificate((self.directory / "device.crt").read_bytes())
        proof, _ = openssl.run("cms", "-sign", "-binary", "-md", "sha256", "-outform", "DER", "-signer", self.directory / "device.crt.old",
                               "-inkey", old, stdin=pki.cert_der(self.certificate))
        return base64.b64encode(proof).decode()

    # -- deliveries ---------------------------------------------------------------------------------------------------
    def open(self, result: dict[str, Any], *, purpose_check: str = "smimesign") -> Opened:
        """A `delivered` result. Refused is raised before anything is kept."""
        need(result.get("status") == "delivered", f"not a delivery: {result.get('status')} {result.get('error', '')}")
        delivery = result["delivery"]
        if delivery["format"] == "cms":
            opened = self._open_cms(result, base64.b64decode(delivery["envelope"], validate=True), purpose_check)
        elif delivery["format"] == "windowsCsp":
            opened = self._open_windows(delivery)
        elif delivery["format"] == "appleProfile":
            opened = self._open_apple(base64.b64decode(delivery["profile"], validate=True), purpose_check)
        else:
            raise Refused(f"format {delivery['format']}")
        stated = [each["sha256"] for each in result["certificates"]]
        need(sorted(stated) == sorted(each.sha256 for each in opened.identities), "the result names other certificates than came")
        return opened

    def _decrypt(self, message: bytes) -> bytes:
        try:
            # With -recip: without it a wrong key may give garbage instead of an error.
            plain, _ = openssl.run("cms", "-decrypt", "-binary", "-inform", "DER", "-inkey", self.directory / "device.key",
                                   "-recip", self.directory / "device.crt", stdin=message)
        except openssl.OpensslError as error:
            raise Refused(f"does not decrypt: {error}") from error
        return plain

    def _verify(self, message: bytes, purpose: str) -> tuple[bytes, x509.Certificate]:
        precheck.signed(message)
        signer_file = self.directory / "signer.pem"
        signer_file.unlink(missing_ok=True)
        try:
            # Only the pinned root counts; the issuing CA comes with the message.
            content, _ = openssl.run("cms", "-verify", "-binary", "-inform", "DER", "-CAfile", self.directory / "delivery-ca.crt",
                                     "-no-CApath", "-no-CAstore", "-purpose", purpose, "-signer", signer_file, stdin=message)
        except openssl.OpensslError as error:
            raise Refused(f"signature: {error}") from error
        signers = PEM.findall(signer_file.read_bytes())
        need(len(signers) == 1, "not one signer")
        signer = x509.load_pem_x509_certificate(signer_file.read_bytes())
        signer_file.unlink()
        return content, signer

    def _open_cms(self, result: dict[str, Any], envelope: bytes, purpose_check: str) -> Opened:
        precheck.authenticated_envelope(envelope, self.certificate)
        content, signer = self._verify(self._decrypt(envelope), purpose_check)
        try:
            package = strict_json.loads(content)
        except strict_json.JsonError as error:
            raise Refused(f"package: {error}") from error
        self._check_package(package, result)
        place = f"{pki.spki_sha256(signer.public_key())} {package['purpose']}"
        state = self._state()
        need(package["sequence"] > state["sequences"].get(place, 0), f"sequence {package['sequence']} is not above the last one")
        found = [self._open_pfx(base64.b64decode(each["pfx"], validate=True), each["password"], each, state) for each in package["identities"]]
        order = [(each.leaf.not_valid_before, each.leaf.not_valid_after, pki.sha256(each.leaf)) for each in found]
        need(order == sorted(order), "identities are not in ascending order")
        state["sequences"][place] = package["sequence"]
        held = self._keep(found, state)
        bare = {**package, "identities": [{"thumbprint": each["thumbprint"], "sha256": each["sha256"]} for each in package["identities"]]}
        return Opened("cms", held, bare, {"sha256": pki.sha256(signer), "subject": signer.subject.rfc4514_string()})

    def _check_package(self, package: Any, result: dict[str, Any]) -> None:
        need(isinstance(package, dict) and type(package.get("v")) is int and package["v"] == 1, "v")
        texts = ("requestId", "userId", "userPrincipalName", "deviceId", "recipientSha256", "purpose", "createdAt", "notAfter")
        need(all(isinstance(package.get(name), str) for name in texts), "a field is missing or no text")
        need(type(package.get("sequence")) is int and package["sequence"] > 0, "sequence")
        need(isinstance(package.get("identities"), list) and len(package["identities"]) > 0, "identities")
        need(package["recipientSha256"] == self.recipient_sha256, "made for another recipient certificate")
        need(package["deviceId"] == self.id, "made for another device")
        need(package["userPrincipalName"].lower() == self.upn.lower(), "made for another user")
        need(bool(TIME.match(package["createdAt"])) and bool(TIME.match(package["notAfter"])), "times")
        need(package["notAfter"] > dt.datetime.now(dt.timezone.utc).strftime(TIME_FORM), "notAfter has passed")
        need("requestId" not in result or package["requestId"] == result["requestId"], "made for another request")

    def _open_windows(self, delivery: dict[str, Any]) -> Opened:
        state = self._state()
        found = []
        for each in delivery["identities"]:
            wrapped = base64.b64decode(each["pfxCertPassword"], validate=True)
            precheck.envelope(wrapped, self.certificate)
            need(each["pfxCertPasswordEncryptionType"] == 1 and each["keyExportable"] is False, "how the key is to be kept")
            found.append(self._open_pfx(base64.b64decode(each["pfxCertBlob"], validate=True), self._decrypt(wrapped).decode("ascii"), each, state))
        return Opened("windowsCsp", self._keep(found, state))

    def _open_apple(self, signed_profile: bytes, purpose_check: str) -> Opened:
        content, signer = self._verify(signed_profile, purpose_check)
        profile = plistlib.loads(content)
        need(profile.get("IsEncrypted") is True and "PayloadContent" not in profile, "the profile is not encrypted")
        sealed = profile.pop("EncryptedPayloadContent")
        precheck.envelope(sealed, self.certificate)
        payloads = plistlib.loads(self._decrypt(sealed))
        need(isinstance(payloads, list), "the payloads are no array")
        state = self._state()
        held = self._keep([self._open_pfx(each["PayloadContent"], each["Password"], {}, state) for each in payloads
                           if each["PayloadType"] == "com.apple.security.pkcs12"], state)
        shown = []
        for each in payloads:
            bare = {name: value for name, value in each.items() if name != "Password" and not isinstance(value, bytes)}
            if isinstance(each.get("PayloadContent"), bytes) and each["PayloadType"] != "com.apple.security.pkcs12":
                bare["PayloadContentSha256"] = hashlib.sha256(each["PayloadContent"]).hexdigest()
            shown.append(bare)
        return Opened("appleProfile", held, {}, {"sha256": pki.sha256(signer), "subject": signer.subject.rfc4514_string()}, shown, profile)

    # -- identities ---------------------------------------------------------------------------------------------------
    def _open_pfx(self, data: bytes, password: str, stated: dict[str, Any], state: dict[str, Any]) -> Found:
        need(bool(PASSWORD.match(password)), "password is not 32 characters of [A-Za-z0-9]")
        seen = hashlib.sha256(password.encode()).hexdigest()
        need(seen not in state["passwords"], "a password that has been used before")
        state["passwords"].append(seen)
        with openssl.secrets(pfx=data, password=password) as files:
            try:
                text, said = openssl.run("pkcs12", "-in", files["pfx"], "-passin", f"file:{files['password']}", "-noenc", "-info")
            except openssl.OpensslError as error:
                raise Refused(f"PFX does not open: {error}") from error
        need(said.startswith("MAC:"), "PFX without a MAC")
        blocks = [(match[1].decode(), match[0]) for match in PEM.finditer(text)]
        keys = [block for kind, block in blocks if kind.endswith("PRIVATE KEY")]
        certificates = [x509.load_pem_x509_certificate(block) for kind, block in blocks if kind == "CERTIFICATE"]
        need(len(keys) == 1, f"{len(keys)} keys in one PFX")
        own = pki.spki_sha256(serialization.load_pem_private_key(keys[0], None).public_key())
        mine = [each for each in certificates if pki.spki_sha256(each.public_key()) == own]
        need(len(mine) == 1, "key and certificate do not belong together")
        leaf = mine[0]
        fingerprint = pki.sha256(leaf)
        need(stated.get("sha256", fingerprint) == fingerprint, "sha256 of another certificate")
        need(stated.get("thumbprint", pki.thumbprint(leaf)) == pki.thumbprint(leaf), "thumbprint of another certificate")
        chain = [each for each in certificates if each is not leaf]
        need(all(each.issuer != each.subject for each in chain), "the root came along")
        algorithms = [line.strip() for line in said.splitlines() if line.startswith(("MAC:", "PKCS7 Encrypted data:", "Shrouded Keybag:"))]
        return Found(leaf, chain, keys[0], data, password, algorithms)

    def _keep(self, found: list[Found], state: dict[str, Any]) -> list[Held]:
        """Everything has been looked at: now it is kept, and what must not come twice is remembered."""
        held = []
        for each in found:
            fingerprint = pki.sha256(each.leaf)
            place = self.directory / "identities" / fingerprint
            pki.write(place / "key.pem", each.key, private=True)
            pki.write(place / "certificate.pem", pki.cert_pem(each.leaf))
            pki.write(place / "chain.pem", b"".join(pki.cert_pem(issuer) for issuer in each.chain))
            pki.write(place / "identity.pfx", each.pfx, private=True)
            pki.write(place / "password", each.password.encode(), private=True)
            held.append(Held(fingerprint, pki.thumbprint(each.leaf), each.leaf.subject.rfc4514_string(), f"{each.leaf.serial_number:x}",
                             each.leaf.not_valid_before.strftime(TIME_FORM), each.leaf.not_valid_after.strftime(TIME_FORM), str(place),
                             each.algorithms, [pki.sha256(issuer) for issuer in each.chain]))
        pki.write(self.directory / "state.json", json.dumps(state).encode(), private=True)
        return held

    def identities(self) -> list[str]:
        """SHA-256 of the certificates the device holds."""
        place = self.directory / "identities"
        return sorted(each.name for each in place.iterdir()) if place.exists() else []

    def _state(self) -> dict[str, Any]:
        path = self.directory / "state.json"
        return json.loads(path.read_text()) if path.exists() else {"sequences": {}, "passwords": []}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    new = commands.add_parser("new", help="a device with its key and certificate")
    new.add_argument("--pki", required=True, type=Path)
    new.add_argument("--dir", required=True, type=Path)
    new.add_argument("--id", required=True)
    new.add_argument("--upn", required=True)
    new.add_argument("--platform", default="ios", choices=("ios", "macos", "android", "windows", "linux"))
    new.add_argument("--key", default="rsa2048")
    new.add_argument("--given-name")
    new.add_argument("--surname")
    new.add_argument("--flaw", choices=sorted(pki.BAD_DEVICES))
    open_ = commands.add_parser("open", help="open a delivery and keep what is in it")
    open_.add_argument("--dir", required=True, type=Path)
    open_.add_argument("--result", required=True, type=Path, help="a Result, or what the lab's control side says about a request")
    open_.add_argument("--purpose", default="smimesign", help="what the signer's certificate must be good for; any: only the pinned CA counts")
    show = commands.add_parser("show", help="the device as a request names it")
    show.add_argument("--dir", required=True, type=Path)
    chosen = parser.parse_args(arguments)
    if chosen.command == "new":
        device = Device.create(pki.Pki(chosen.pki), chosen.dir, chosen.id, chosen.upn, platform=chosen.platform, key_kind=chosen.key, flaw=chosen.flaw,
                               given_name=chosen.given_name, surname=chosen.surname)
        print(json.dumps(device.json()))
        return 0
    device = Device(chosen.dir)
    if chosen.command == "show":
        print(json.dumps(device.json()))
        return 0
    result = json.loads(chosen.result.read_text())
    try:
        opened = device.open(result.get("result") or result, purpose_check=chosen.purpose)
    except Refused as refused:
        print(f"refused: {refused}", file=sys.stderr)
        return 1
    print(json.dumps(asdict(opened), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
