#!/usr/bin/python3
"""The EST authority on itself, by clients that are not ours: Python's urllib for HTTP authentication, `openssl` for what comes back."""
from __future__ import annotations

import base64
import ssl
import subprocess
import sys
import tempfile
import unittest
import urllib.error
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import pki  # noqa: E402
from cryptography import x509  # noqa: E402
from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from est_ca import EstCa  # noqa: E402


def certificates(body: bytes) -> list[x509.Certificate]:
    """By OpenSSL; base64 with white space as RFC 8951 has it."""
    done = subprocess.run(["openssl", "pkcs7", "-inform", "DER", "-print_certs"], input=base64.b64decode(body), capture_output=True, check=True)
    return [x509.load_pem_x509_certificate(b"-----BEGIN " + part) for part in done.stdout.split(b"-----BEGIN ")[1:]]


class EstServer(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.ca = cls.enterClassContext(EstCa(Path(cls.enterClassContext(tempfile.TemporaryDirectory()))))

    def setUp(self) -> None:
        self.ca.good()

    def call(self, path: str, body: bytes | None = None, *, password: str | None = None, client: str | None = None):
        context = ssl.create_default_context(cafile=str(self.ca.path("root.crt")))
        if client:
            context.load_cert_chain(self.ca.path(client + ".crt"), self.ca.path(client + ".key"))
        handlers: list[urllib.request.BaseHandler] = [urllib.request.HTTPSHandler(context=context)]
        if password is not None:
            known = urllib.request.HTTPPasswordMgrWithDefaultRealm()
            known.add_password(None, self.ca.url, self.ca.user, password)
            handlers += [urllib.request.HTTPDigestAuthHandler(known), urllib.request.HTTPBasicAuthHandler(known)]
        request = urllib.request.Request(f"{self.ca.url}/.well-known/est/{path}", body, {"Content-Type": "application/pkcs10"} if body else {})
        try:
            with urllib.request.build_opener(*handlers).open(request, timeout=20) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    @staticmethod
    def csr(text: str = "x") -> bytes:
        key = pki.make_key()
        made = x509.CertificateSigningRequestBuilder().subject_name(pki.common_name(text)).sign(key, hashes.SHA256())
        return base64.encodebytes(made.public_bytes(serialization.Encoding.DER))

    def test_the_chain_and_a_certificate(self) -> None:
        status, headers, body = self.call("cacerts")
        self.assertEqual((status, headers["Content-Type"]), (200, "application/pkcs7-mime; smime-type=certs-only"))
        self.assertEqual({each.subject for each in certificates(body)}, {self.name("root"), self.name("issuing")})
        status, _, body = self.call("smime/simpleenroll", self.csr("Alice"))
        self.assertEqual(status, 200)
        leaf, = certificates(body)
        self.assertEqual((leaf.subject, leaf.issuer), (pki.common_name("Alice"), self.name("issuing")))
        self.assertEqual(self.ca.issued()[-1]["sha256"], pki.sha256(leaf))

    def name(self, stem: str) -> x509.Name:
        return x509.load_pem_x509_certificate(self.ca.path(stem + ".crt").read_bytes()).subject

    def test_idempotent_or_not(self) -> None:
        for idempotent in (True, False):
            self.ca.settings(idempotent=idempotent)
            csr = self.csr()
            answers = {self.call("simpleenroll", csr)[2] for _ in range(3)}
            self.assertEqual(len(answers), 1 if idempotent else 3)

    def test_approval(self) -> None:
        self.ca.settings(approval="manual", retry_after="7")
        csr = self.csr()
        for _ in range(2):
            status, headers, _ = self.call("simpleenroll", csr)
            self.assertEqual((status, headers["Retry-After"]), (202, "7"))
        self.assertEqual(self.ca.approve(), 1)
        self.assertEqual(self.call("simpleenroll", csr)[0], 200)
        self.assertEqual(self.ca.pending(), [])

    def test_authentication(self) -> None:
        for kind, algorithms in (("basic", ["MD5"]), ("digest", ["MD5"])):
            self.ca.settings(auth=[kind], digest_algorithms=algorithms)
            self.assertEqual(self.call("simpleenroll", self.csr(), password=self.ca.password)[0], 200, kind)
            self.assertEqual(self.call("simpleenroll", self.csr(), password="wrong")[0], 401, kind)
            self.assertEqual(self.call("simpleenroll", self.csr(), client="client")[0], 401, kind)
        self.ca.settings(auth=["tls"])
        self.assertEqual(self.call("simpleenroll", self.csr(), client="client")[0], 200)
        self.assertEqual(self.call("simpleenroll", self.csr())[0], 401)

    def test_no(self) -> None:
        self.assertEqual(self.call("elsewhere/simpleenroll", self.csr())[0], 404)
        self.assertEqual(self.call("simpleenroll", b"AAAA")[0], 400)
        before = len(self.ca.issued())
        self.ca.fault("drop-after")
        with self.assertRaises((OSError, urllib.error.URLError)):
            self.call("simpleenroll", self.csr())
        self.assertEqual(len(self.ca.issued()), before + 1, "issued, and its reply lost")


if __name__ == "__main__":
    unittest.main()
