"""Imported-certificate records, made as an importing tool makes them, but not by ours.

The content that the importer signs is written here from the contract's page alone.
"""
from __future__ import annotations

import base64
import datetime as dt
import hashlib
from typing import Any, Sequence

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

import openssl
import pfx
import pki

HASHES = {"oaepSha256": hashes.SHA256, "oaepSha384": hashes.SHA384, "oaepSha512": hashes.SHA512}


def time_text(moment: dt.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def wrap_password(password: bytes, public_key: Any, scheme: str = "oaepSha512") -> bytes:
    digest = HASHES[scheme]
    return public_key.encrypt(password, padding.OAEP(padding.MGF1(digest()), digest(), None))


def signed_content(upn: str, purpose: str, certificate_sha256: str, blob_sha256: str, mailboxes: Sequence[str],
                   all_sha256: Sequence[str], sequence: int, signing_time: str) -> bytes:
    lines = ["pfx-connector-import-v1", upn.lower(), purpose, certificate_sha256, blob_sha256, ",".join(sorted(mailboxes)),
             ",".join(sorted(all_sha256)), str(sequence), signing_time]
    return "".join(line + "\n" for line in lines).encode("utf-8")


def sign(content: bytes, importer: pki.Identity) -> bytes:
    """Attached CMS SignedData, DER, SHA-256, with the signer's certificate."""
    with openssl.secrets(content=content, key=pki.key_pem(importer.key), certificate=pki.cert_pem(importer.certificate)) as files:
        signed, _ = openssl.run("cms", "-sign", "-binary", "-nodetach", "-md", "sha256", "-outform", "DER", "-in", files["content"],
                                "-signer", files["certificate"], "-inkey", files["key"])
    return signed


def make_records(lab_pki: pki.Pki, user_id: str, upn: str, identities: Sequence[pki.Identity], *, purpose: str = "smimeEncryption",
                 password: str = "correct horse battery", form: str = "aes256", scheme: str = "oaepSha512", key_name: str = "ImportKey1",
                 provider_name: str = "pfx-connector", mailboxes: Sequence[str] | None = None, importer: pki.Identity | None = None,
                 signed: bool = True, sequence: int = 1, blobs: Sequence[bytes] | None = None,
                 import_public_key: Any = None) -> list[dict[str, Any]]:
    """One record for each identity. Each one's signature names the whole set, so a set is made together."""
    together = [identity.sha256 for identity in identities]
    moment = time_text(pki.now())
    records = []
    for index, identity in enumerate(identities):
        blob = blobs[index] if blobs else pfx.export(identity, password, form)
        certificate = identity.certificate
        record = {
            "id": f"{user_id.replace('-', '')}-{identity.thumbprint}",
            "thumbprint": identity.thumbprint,
            "intendedPurpose": purpose,
            "userPrincipalName": upn,
            "startDateTime": time_text(certificate.not_valid_before),
            "expirationDateTime": time_text(certificate.not_valid_after),
            "providerName": provider_name,
            "keyName": key_name,
            "paddingScheme": scheme,
            "encryptedPfxBlob": base64.b64encode(blob).decode(),
            "encryptedPfxPassword": base64.b64encode(
                wrap_password(password.encode(), import_public_key or lab_pki.import_key.public_key(), scheme)).decode(),
            "createdDateTime": moment,
            "lastModifiedDateTime": moment,
        }
        if signed:
            content = signed_content(upn, purpose, identity.sha256, hashlib.sha256(blob).hexdigest(),
                                     _mailboxes(certificate) if mailboxes is None else mailboxes, together, sequence, moment)
            record["importerSignature"] = base64.b64encode(sign(content, importer or lab_pki.importer)).decode()
        records.append(record)
    return records


def _mailboxes(certificate: Any) -> list[str]:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    found = {str(attribute.value) for attribute in certificate.subject.get_attributes_for_oid(NameOID.EMAIL_ADDRESS)}
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        found |= set(names.get_values_for_type(x509.RFC822Name))
    except x509.ExtensionNotFound:
        pass
    return sorted(address.lower() for address in found)
