"""Whether a result can be accepted for a request at all: what the message says about itself must be true.

The service sees no private key and no package from inside; it can check everything that stands beside them.
"""
from __future__ import annotations

import base64
import hashlib
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import NameOID

from . import times

RETRYABLE = {"recipientChanged", "approvalNeeded", "limitReached", "authorityMisconfigured", "authorityUnreachable"}
EITHER = {"importUndecryptable", "internal"}
ENDS = {"pkcs.issue": "delivered", "pkcs.renew": "delivered", "pfx.deliver": "delivered", "pfx.withdraw": "completed", "certificate.revoke": "completed"}
ATTRIBUTES = {
    "E": NameOID.EMAIL_ADDRESS, "emailAddress": NameOID.EMAIL_ADDRESS, "GN": NameOID.GIVEN_NAME, "G": NameOID.GIVEN_NAME,
    "givenName": NameOID.GIVEN_NAME, "SN": NameOID.SURNAME, "surname": NameOID.SURNAME, "serialNumber": NameOID.SERIAL_NUMBER,
    "T": NameOID.TITLE, "title": NameOID.TITLE,
}


def sha256_set(result: dict[str, Any]) -> list[str]:
    return sorted({each["sha256"].lower() for each in result.get("certificates") or []})


def fault(request: dict[str, Any], result: dict[str, Any]) -> str | None:
    """Why this can never be accepted, or None."""
    status = result["status"]
    if status == "failed":
        return _failed(result["error"])
    if status != ENDS.get(request.get("kind", "")):
        return f"/status: {status} does not end a {request.get('kind')}"
    return _delivered(request, result) if status == "delivered" else None


def _failed(error: dict[str, Any]) -> str | None:
    code, retryable = error["code"], error["retryable"]
    if code not in EITHER and retryable != (code in RETRYABLE):
        return f"/error/retryable: {retryable} for {code}"
    if code == "invalidRequest" and not error["message"].startswith("/"):
        return "/error/message: invalidRequest begins with a JSON pointer"
    return None


def _delivered(request: dict[str, Any], result: dict[str, Any]) -> str | None:
    asked = (request.get("delivery") or {}).get("format") or "cms"
    delivery = result["delivery"]
    if delivery["format"] != asked:
        return f"/delivery/format: {delivery['format']} where {asked} was asked for"
    certificates = result["certificates"]
    order = []
    for index, entry in enumerate(certificates):
        at = f"/certificates/{index}"
        try:
            encoded = base64.b64decode(entry["certificate"], validate=True)
            certificate = x509.load_der_x509_certificate(encoded)
        except ValueError as error:
            return f"{at}/certificate: {error}"
        complaint = _entry(entry, encoded, certificate, request)
        if complaint:
            return at + complaint
        order.append((certificate.not_valid_before, certificate.not_valid_after, entry["sha256"]))
    if order != sorted(order):
        return "/certificates: not in ascending order of notBefore, notAfter, sha256"
    if len({entry["sha256"] for entry in certificates}) != len(certificates):
        return "/certificates: one twice"
    if request["kind"] != "pfx.deliver" and len(certificates) != 1 and not ((request.get("delivery") or {}).get("apple") or {}).get("include"):
        return "/certificates: more than the one that was asked for"
    if delivery["format"] == "windowsCsp" and [each["sha256"] for each in delivery["identities"]] != [each["sha256"] for each in certificates]:
        return "/delivery/identities: other certificates than /certificates"
    return _chain(result)


def _entry(entry: dict[str, Any], encoded: bytes, certificate: x509.Certificate, request: dict[str, Any]) -> str | None:
    start, end = certificate.not_valid_before, certificate.not_valid_after
    facts = {
        "thumbprint": hashlib.sha1(encoded).hexdigest(), "sha256": hashlib.sha256(encoded).hexdigest(),
        "serialNumber": _serial(certificate.serial_number),
        "notBefore": start.strftime("%Y-%m-%dT%H:%M:%SZ"), "notAfter": end.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    for name, value in facts.items():
        if entry[name] != value:
            return f"/{name}: {entry[name]} where the certificate has {value}"
    for name, value in (("issuer", certificate.issuer), ("subject", certificate.subject)):
        if not _same_name(entry[name], value):
            return f"/{name}: {entry[name]} where the certificate has {value.rfc4514_string()}"
    if entry.get("renewAfter") is not None:
        percent = (request.get("profile") or {}).get("renewalThresholdPercent") or 20
        due = end.timestamp() - (end - start).total_seconds() * percent / 100
        stated = times.parse(entry["renewAfter"]) - times.parse(entry["notAfter"]) + end.timestamp()
        if abs(stated - due) > 1.5:
            return f"/renewAfter: not {percent} % before the end"
    return None


def _serial(number: int) -> str:
    return number.to_bytes((number.bit_length() + 7) // 8, "big").hex()


def _same_name(text: str, name: x509.Name) -> bool:
    if "=#" in text:
        return True  # values in hex: this reader takes them for text
    try:
        stated = x509.Name.from_rfc4514_string(text, ATTRIBUTES) if text else x509.Name([])
    except (ValueError, KeyError):
        return True  # a spelling this reader does not know is not thereby wrong
    def plain(one: x509.Name) -> list[frozenset[tuple[str, str]]]:
        return [frozenset((each.oid.dotted_string, str(each.value)) for each in rdn) for rdn in one.rdns]
    return plain(stated) == plain(name)


def _chain(result: dict[str, Any]) -> str | None:
    """From the leaf's issuer up to the root, where one leaf makes that a line."""
    issuers = []
    for index, text in enumerate(result["chain"]):
        try:
            issuers.append(x509.load_der_x509_certificate(base64.b64decode(text, validate=True)))
        except ValueError as error:
            return f"/chain/{index}: {error}"
    encoded = {each.public_bytes(serialization.Encoding.DER) for each in issuers}
    if len(encoded) != len(issuers):
        return "/chain: one twice"
    if len(result["certificates"]) != 1 or not issuers:
        return None
    below = x509.load_der_x509_certificate(base64.b64decode(result["certificates"][0]["certificate"]))
    for index, issuer in enumerate(issuers):
        if below.issuer != issuer.subject:
            return f"/chain/{index}: not the issuer of the one before"
        below = issuer
    return None if below.issuer == below.subject else "/chain: does not end with the root"
