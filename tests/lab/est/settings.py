"""What a test may turn while the authority runs."""
from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

WRONG = ("key", "name", "issuer", "ca", "eku", "san", "weeks", "usage", "sid", "subject-sid", "client-auth", "smart-card", "agent", "pkinit", "any-eku",
         "no-eku", "extension", "application-policies", "serial")


@dataclass
class Settings:
    labels: list[str] = field(default_factory=lambda: ["", "smime"])
    auth: list[str] = field(default_factory=list)       # any of "basic", "digest", "tls" is enough; none: whoever asks
    auth_for_cacerts: bool = False
    digest_algorithms: list[str] = field(default_factory=lambda: ["MD5", "SHA-256"])    # in the order they are offered
    realm: str = "lab EST"
    nonce_uses: int = 0                     # a nonce is stale after so many; 0: never
    idempotent: bool = True                 # the same CSR gets the certificate that it got before
    pending_answers: int = 0                # so many times 202, then the certificate
    approval: str = "auto"                  # or "manual": 202 until /lab/approve
    retry_after: str = "1"                  # as it stands in the field; "date+N": an HTTP date in N seconds; "": no field
    encoding: str = "crlf"                  # or "lf", "one-line", "pem", "der"
    transfer_encoding: str = "base64"       # the Content-Transfer-Encoding field; "": none
    with_chain: bool = False                # the issuing CA beside the leaf
    wrong: str = ""                         # one of WRONG
    days: float = 365
    tls_certificate: str = "good"           # or wrong-name, expired, foreign

    def change(self, values: dict[str, Any]) -> None:
        unknown = set(values) - {each.name for each in fields(self)}
        if unknown:
            raise KeyError(", ".join(sorted(unknown)))
        if values.get("wrong", "") not in ("", *WRONG):
            raise KeyError(values["wrong"])
        for key, value in values.items():
            setattr(self, key, value)

    def all(self) -> dict[str, Any]:
        return asdict(self)
