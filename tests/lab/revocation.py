"""Revocation lists of the lab's device CA, and a server in clear that publishes one."""
from __future__ import annotations

import datetime as dt
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Sequence

import pki
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization


def crl(authority: pki.Authority, revoked: Sequence[x509.Certificate] = (), *, start: dt.datetime | None = None, end: dt.datetime | None = None,
        number: int = 1) -> bytes:
    """DER."""
    begins = start or pki.now() - dt.timedelta(minutes=5)
    builder = (x509.CertificateRevocationListBuilder().issuer_name(authority.certificate.subject).last_update(begins)
               .next_update(end or pki.now() + dt.timedelta(days=1)).add_extension(x509.CRLNumber(number), False)
               .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), False))
    for each in revoked:
        builder = builder.add_revoked_certificate(x509.RevokedCertificateBuilder().serial_number(each.serial_number).revocation_date(begins).build())
    return builder.sign(authority.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


class ListServer:
    """Answers each GET with `body`; `asked` is how often it was."""

    def __init__(self, body: bytes) -> None:
        self.body, self.status, self.asked = body, 200, 0
        self.headers: dict[str, str] = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked += 1
                self.send_response(outer.status)
                for name, value in {"Content-Type": "application/pkix-crl", "Content-Length": str(len(outer.body)), **outer.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(outer.body)

            def log_message(self, *_: Any) -> None:
                pass
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/device-ca.crl"

    def __enter__(self) -> "ListServer":
        return self

    def __exit__(self, *_: Any) -> None:
        self._server.shutdown()
        self._server.server_close()
