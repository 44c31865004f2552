"""PFX files as the world exports them: good ones of every age, and bad ones.

`export` writes with the `openssl` program; the spoiled forms are made from what it wrote.
"""
from __future__ import annotations

from pathlib import Path

import der
import openssl
import pki

FORMS: dict[str, list[str]] = {
    "aes256": [],
    "3des": ["-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES", "-macalg", "sha1"],
    "rc2-40": ["-legacy"],
    "no-mac": ["-nomac"],
    "camellia": ["-keypbe", "CAMELLIA-256-CBC", "-certpbe", "CAMELLIA-256-CBC"],
    # Within the connector's limits, and long enough at work to be met there.
    "slow": ["-iter", "600000"],
}
FIFTY_MILLION = 50_000_000


def export(identity: pki.Identity, password: str, form: str = "aes256", *, friendly_name: str = "imported", with_root: bool = True,
           others: list[pki.Identity] | None = None) -> bytes:
    """`form`: one of FORMS, `expensive` (a header that asks for fifty million iterations), or `two-identities` (with `others`)."""
    if form == "two-identities":
        return _two(identity, others or [], password)
    chain = identity.chain if with_root else identity.chain[:-1]
    with openssl.secrets(key=pki.key_pem(identity.key), password=password,
                         certificate=pki.cert_pem(identity.certificate),
                         chain=b"".join(pki.cert_pem(each) for each in chain)) as files:
        arguments: list[str | Path] = [
            "pkcs12", "-export", "-inkey", files["key"], "-in", files["certificate"], "-name", friendly_name,
            "-passout", f"file:{files['password']}", *FORMS["aes256" if form == "expensive" else form]]
        if chain:
            arguments += ["-certfile", files["chain"]]
        written, _ = openssl.run(*arguments)
    return raise_iterations(written, FIFTY_MILLION) if form == "expensive" else written


def raise_iterations(pfx: bytes, iterations: int) -> bytes:
    """The same file asking for that much work before it can be told that it does not open."""
    def change(node: der.Node) -> bytes | None:
        return der.encode_integer(iterations) if node.tag == der.INTEGER and node.raw == der.encode_integer(2048) else None
    return der.rewrite(pfx, change)


def _two(first: pki.Identity, others: list[pki.Identity], password: str) -> bytes:
    """Several identities in one authenticated safe; no program writes that willingly, so the safes are joined here, without a MAC
    of their own: the first file's contents and the others' stand side by side under a fresh MAC."""
    from cryptography.hazmat.primitives import hashes, hmac

    safes = b""
    for identity in [first, *others]:
        outer = der.read(export(identity, password)).children()
        content = outer[1].children()[1].children()[0].expect(der.OCTET_STRING)
        safes += der.read(content.content).content
    authenticated = der.encode(der.SEQUENCE, safes)
    salt = b"two-keys"
    mac = hmac.HMAC(_pkcs12_kdf(password, salt, 2048, 3, 32), hashes.SHA256())
    mac.update(authenticated)
    data = der.encode(der.SEQUENCE, bytes.fromhex("06092a864886f70d010701") + der.encode(0xA0, der.encode(der.OCTET_STRING, authenticated)))
    digest_info = der.encode(der.SEQUENCE, bytes.fromhex("300d06096086480165030402010500") + der.encode(der.OCTET_STRING, mac.finalize()))
    mac_data = der.encode(der.SEQUENCE, digest_info + der.encode(der.OCTET_STRING, salt) + der.encode_integer(2048))
    return der.encode(der.SEQUENCE, der.encode_integer(3) + data + mac_data)


def _pkcs12_kdf(password: str, salt: bytes, iterations: int, purpose: int, size: int) -> bytes:
    """RFC 7292 appendix B for SHA-256, as far as a MAC key of one block needs it."""
    import hashlib

    block = 64
    def filled(data: bytes) -> bytes:
        length = block * -(-len(data) // block)
        return (data * (length // len(data) + 1))[:length]
    state = bytes([purpose]) * block + filled(salt) + filled((password + "\0").encode("utf-16-be"))
    for _ in range(iterations):
        state = hashlib.sha256(state).digest()
    return state[:size]
