"""What a device looks at in a CMS message before it gives it to any library, by the octets alone.

A library may accept a short authentication tag or an indefinite length; an agent must not, and this is where it does not.
"""
from __future__ import annotations

from cryptography import x509

import der

AUTH_ENVELOPED, ENVELOPED, SIGNED, DATA = "1.2.840.113549.1.9.16.1.23", "1.2.840.113549.1.7.3", "1.2.840.113549.1.7.2", "1.2.840.113549.1.7.1"
AES256_GCM, AES256_CBC, AES256_WRAP = "2.16.840.1.101.3.4.1.46", "2.16.840.1.101.3.4.1.42", "2.16.840.1.101.3.4.1.45"
SHA256, OAEP, MGF1, RSA = "2.16.840.1.101.3.4.2.1", "1.2.840.113549.1.1.7", "1.2.840.113549.1.1.8", "1.2.840.113549.1.1.1"
ECDH_SHA256_KDF = "1.3.132.1.11.1"


class Refused(Exception):
    """The device takes nothing from this delivery."""


def need(condition: bool, text: str) -> None:
    if not condition:
        raise Refused(text)


def _content(message: bytes, content_type: str) -> list[der.Node]:
    outer = der.read(message).expect(der.SEQUENCE).children()
    need(len(outer) == 2 and outer[0].oid() == content_type, f"not a message of type {content_type}")
    inner = outer[1].expect(0xA0).children()
    need(len(inner) == 1, "more than one content")
    return inner[0].expect(der.SEQUENCE).children()


def authenticated_envelope(message: bytes, certificate: x509.Certificate) -> None:
    """AuthEnvelopedData as the contract has it: one recipient, this one; AES-256-GCM with nonce 12, tag 16; nothing else."""
    try:
        parts = _content(message, AUTH_ENVELOPED)
        need(len(parts) == 4, "originator information or attributes")
        need(parts[0].integer() == 0, "version")
        _recipient(parts[1], certificate, oaep=True)
        kind, algorithm, content = parts[2].expect(der.SEQUENCE).children()
        need(kind.oid() in (DATA, SIGNED), "content type")
        cipher, parameters = algorithm.expect(der.SEQUENCE).children()
        need(cipher.oid() == AES256_GCM, "not AES-256-GCM")
        nonce, icv_length = parameters.expect(der.SEQUENCE).children()
        need(len(nonce.expect(der.OCTET_STRING).content) == 12, "nonce length")
        need(icv_length.integer() == 16, "ICVlen")
        need(content.tag == 0x80 and len(content.content) > 0, "content")
        need(len(parts[3].expect(der.OCTET_STRING).content) == 16, "mac length")
    except (der.DerError, ValueError) as error:
        raise Refused(f"envelope: {error}") from error


def envelope(message: bytes, certificate: x509.Certificate) -> None:
    """EnvelopedData as Windows and Apple want it: AES-256-CBC, RSA PKCS#1 v1.5, named by issuer and serial number."""
    try:
        parts = _content(message, ENVELOPED)
        need(len(parts) == 3, "originator information or attributes")
        _recipient(parts[1], certificate, oaep=False)
        kind, algorithm, content = parts[2].expect(der.SEQUENCE).children()
        need(kind.oid() == DATA, "content type")
        cipher, iv = algorithm.expect(der.SEQUENCE).children()
        need(cipher.oid() == AES256_CBC and len(iv.expect(der.OCTET_STRING).content) == 16, "not AES-256-CBC")
        need(content.tag == 0x80 and len(content.content) > 0, "content")
    except (der.DerError, ValueError) as error:
        raise Refused(f"envelope: {error}") from error


def signed(message: bytes) -> None:
    """Attached SignedData with one signer and SHA-256."""
    try:
        parts = _content(message, SIGNED)
        digests = parts[1].expect(der.SET).children()
        need([each.children()[0].oid() for each in digests] == [SHA256], "digest algorithm")
        need(len(parts[2].expect(der.SEQUENCE).children()) == 2, "content is not attached")
        need(any(part.tag == 0xA0 for part in parts), "no certificates")
        signers = parts[-1].expect(der.SET).children()
        need(len(signers) == 1, "not one signer")
        need(signers[0].children()[2].children()[0].oid() == SHA256, "signer's digest algorithm")
    except (der.DerError, ValueError, IndexError) as error:
        raise Refused(f"signed data: {error}") from error


def _recipient(infos: der.Node, certificate: x509.Certificate, oaep: bool) -> None:
    entries = infos.expect(der.SET).children()
    need(len(entries) == 1, "not one recipient")
    info = entries[0]
    if info.tag == der.SEQUENCE:
        _, named, algorithm, _ = info.children()
        if oaep:
            _named(named, 0x80, certificate)
            _oaep(algorithm)
        else:
            need(named.tag == der.SEQUENCE, "recipient is not named by issuer and serial number")
            _issuer_and_serial(named, certificate)
            need(algorithm.children()[0].oid() == RSA, "not RSA PKCS#1 v1.5")
    elif oaep:
        _agreement(info.expect(0xA1).children(), certificate)
    else:
        raise Refused("not an RSA recipient")


def _own_identifier(certificate: x509.Certificate) -> bytes | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except x509.ExtensionNotFound:
        return None


def _named(named: der.Node, tag: int, certificate: x509.Certificate) -> None:
    own = _own_identifier(certificate)
    if own is None:
        need(named.tag == der.SEQUENCE, "recipient without key identifier is named by issuer and serial number")
        _issuer_and_serial(named, certificate)
        return
    need(named.tag == tag, "recipient is not named by key identifier")
    identifier = named.content if tag == 0x80 else named.children()[0].expect(der.OCTET_STRING).content
    need(identifier == own, "another recipient")


def _issuer_and_serial(named: der.Node, certificate: x509.Certificate) -> None:
    issuer, serial = named.children()
    need(issuer.raw == certificate.issuer.public_bytes() and serial.integer() == certificate.serial_number, "another recipient")


def _oaep(algorithm: der.Node) -> None:
    oid, parameters = algorithm.children()
    need(oid.oid() == OAEP, "not RSA-OAEP")
    fields = {each.tag: each for each in parameters.children()}
    need(set(fields) == {0xA0, 0xA1}, "OAEP parameters")
    need(fields[0xA0].children()[0].children()[0].oid() == SHA256, "OAEP hash")
    mask = fields[0xA1].children()[0].children()
    need(mask[0].oid() == MGF1 and mask[1].children()[0].oid() == SHA256, "OAEP mask")


def _agreement(parts: list[der.Node], certificate: x509.Certificate) -> None:
    algorithm, keys = parts[-2], parts[-1]
    scheme, wrap = algorithm.expect(der.SEQUENCE).children()
    need(scheme.oid() == ECDH_SHA256_KDF, "not ECDH with the X9.63 KDF on SHA-256")
    need(wrap.children()[0].oid() == AES256_WRAP, "not aes256-wrap")
    entries = keys.expect(der.SEQUENCE).children()
    need(len(entries) == 1, "not one recipient")
    _named(entries[0].children()[0], 0xA0, certificate)
