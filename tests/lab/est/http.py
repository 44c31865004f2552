"""EST over TLS: /.well-known/est[/label]/cacerts and /simpleenroll, and the faults that a network or a bad server adds."""
from __future__ import annotations

import base64
import socket
import ssl
import threading
import time
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from .auth import Gate
from .authority import Authority, Unfit
from .settings import Settings

BASE = "/.well-known/est"
CERTS_ONLY = "application/pkcs7-mime; smime-type=certs-only"
AFTERWARDS = ("drop-after", "garbage", "html", "empty")  # of an order, which has been carried out by then
FAULTS = ("status", "drop-before", "drop-after", "garbage", "html", "empty", "huge", "hang", "truncated", "redirect")


@dataclass
class Fault:
    name: str
    count: int = 1                          # negative: until cleared
    call: str = "simpleenroll"              # or "cacerts", "any"
    options: dict[str, Any] = field(default_factory=dict)
    struck: int = 0


class Trouble:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._armed: list[Fault] = []

    def arm(self, name: str, count: int = 1, call: str = "simpleenroll", **options: Any) -> None:
        if name not in FAULTS:
            raise KeyError(name)
        with self._lock:
            self._armed.append(Fault(name, count, call, options))

    def clear(self) -> None:
        with self._lock:
            self._armed.clear()

    def take(self, call: str) -> Fault | None:
        with self._lock:
            for fault in self._armed:
                if fault.call in (call, "any") and fault.count != 0:
                    fault.count -= 1
                    fault.struck += 1
                    return fault
        return None


@dataclass
class Answer:
    status: int
    body: bytes = b""
    content_type: str = "text/plain"
    headers: dict[str, str] = field(default_factory=dict)
    challenges: list[str] = field(default_factory=list)


class Cut(Exception):
    """The connection ends here, without a word."""


class EstServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], authority: Authority, gate: Gate, settings: Settings, trouble: Trouble) -> None:
        super().__init__(address, Handler)
        self.authority, self.gate, self.settings, self.trouble = authority, gate, settings, trouble
        self._lock = threading.Lock()
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._calls: list[dict[str, Any]] = []

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away, or never was one, is no news."""

    def context(self) -> ssl.SSLContext:
        flavour = self.settings.tls_certificate
        with self._lock:
            if flavour not in self._contexts:
                path = self.authority.keys.path
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.minimum_version = ssl.TLSVersion.TLSv1_2
                context.load_cert_chain(path(f"tls-{flavour}.crt"), path(f"tls-{flavour}.key"))
                context.load_verify_locations(path("client-ca.crt"))
                context.verify_mode = ssl.CERT_OPTIONAL
                self._contexts[flavour] = context
            return self._contexts[flavour]

    def note(self, **entry: Any) -> None:
        with self._lock:
            self._calls.append({"n": len(self._calls) + 1, "time": time.time(), **entry})

    def calls(self, since: int = 0) -> list[dict[str, Any]]:
        with self._lock:
            return self._calls[since:]


class Handler(BaseHTTPRequestHandler):
    server: EstServer
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        raw: socket.socket = self.request
        raw.settimeout(10)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.request = self.server.context().wrap_socket(raw, server_side=True)
        except (OSError, ValueError) as error:
            self.server.note(call="handshake", status=0, error=str(error))
            raise
        self.timeout = 120
        super().setup()

    def log_message(self, format: str, *args: Any) -> None:
        """The journal has it."""

    def do_POST(self) -> None:
        entry: dict[str, Any] = {"began": time.time(), "call": "unknown", "path": self.path, "status": 0}
        try:
            answer = self._answer(entry)
            entry["status"] = answer.status
            self.server.note(**entry)
            self._send(answer)
        except (Cut, ConnectionError, socket.timeout, ssl.SSLError):
            self.server.note(**entry)
            self.close_connection = True
            try:
                self.request.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    do_GET = do_POST

    # -- the call -----------------------------------------------------------------------------------------------------
    def _answer(self, entry: dict[str, Any]) -> Answer:
        server, settings = self.server, self.server.settings
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        steps = self.path[len(BASE):].strip("/").split("/") if self.path.startswith(BASE + "/") else []
        if len(steps) not in (1, 2) or (steps[0] if len(steps) == 2 else "") not in settings.labels:
            return Answer(404, b"no such label")
        label, call = steps[0] if len(steps) == 2 else "", steps[-1]
        entry.update(call=call, label=label)
        if (self.command, call) not in (("GET", "cacerts"), ("POST", "simpleenroll")):
            return Answer(404, b"no such operation")
        fault = server.trouble.take(call)
        if fault is not None:
            entry["fault"] = fault.name
            if fault.name not in AFTERWARDS or call != "simpleenroll":
                return self._spoiled(fault)
        if call == "simpleenroll" or settings.auth_for_cacerts:
            how, challenges = server.gate.admits(self.command, self.path, self.headers.get("Authorization"), bool(self.request.getpeercert()))
            entry["auth"] = how
            if how is None:
                return Answer(401, b"who are you?", challenges=challenges)
        answer = self._certificates(server.authority.cacerts()) if call == "cacerts" else self._enrol(body, label)
        if fault is not None:
            entry["status"] = answer.status
            return self._spoiled(fault)
        return answer

    def _enrol(self, body: bytes, label: str) -> Answer:
        if self.headers.get("Content-Type") != "application/pkcs10":
            return Answer(415, b"application/pkcs10 and nothing else")
        try:
            certificates = self.server.authority.enrol(base64.b64decode(body), label)
        except (Unfit, ValueError) as error:
            return Answer(400, str(error).encode())
        if certificates is None:
            return Answer(202, b"taken under submission", headers=self._wait())
        return self._certificates(certificates)

    def _wait(self) -> dict[str, str]:
        text = self.server.settings.retry_after
        if text.startswith("date+"):
            text = formatdate(time.time() + float(text[5:]), usegmt=True)
        return {"Retry-After": text} if text else {}

    def _certificates(self, certificates: list[x509.Certificate]) -> Answer:
        settings = self.server.settings
        der = pkcs7.serialize_certificates(certificates, Encoding.DER)
        text = base64.b64encode(der)
        lines = [text[at:at + 64] for at in range(0, len(text), 64)]
        bodies = {"lf": b"\n".join(lines) + b"\n", "crlf": b"\r\n".join(lines) + b"\r\n", "one-line": text, "der": der,
                  "pem": b"-----BEGIN PKCS7-----\n" + b"\n".join(lines) + b"\n-----END PKCS7-----\n"}
        headers = {"Content-Transfer-Encoding": settings.transfer_encoding} if settings.transfer_encoding else {}
        return Answer(200, bodies[settings.encoding], CERTS_ONLY, headers)

    # -- trouble ------------------------------------------------------------------------------------------------------
    def _spoiled(self, fault: Fault) -> Answer:
        options = fault.options
        match fault.name:
            case "status":
                headers = {"Retry-After": str(options["retryAfter"])} if "retryAfter" in options else {}
                return Answer(int(options["status"]), options.get("body", "armed").encode(), options.get("contentType", "text/plain"), headers)
            case "garbage":
                return Answer(200, b"MIIB" + b"A" * 400, CERTS_ONLY)
            case "html":
                return Answer(200, b"<html><body>Sign in to the network</body></html>", "text/html")
            case "empty":
                return Answer(200, b"", CERTS_ONLY)
            case "huge":
                return Answer(200, b"A" * (64 << 20), CERTS_ONLY)
            case "redirect":
                return Answer(302, b"", headers={"Location": options.get("location", "https://127.0.0.1:1/.well-known/est/simpleenroll")})
            case "hang":
                end = time.monotonic() + float(options.get("seconds", 3600))
                while time.monotonic() < end:
                    time.sleep(0.05)
                raise Cut
            case "truncated":
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/pkcs7-mime\r\nContent-Length: 4000\r\n\r\nMIIB")
                raise Cut
        raise Cut

    def _send(self, answer: Answer) -> None:
        lines = [f"HTTP/1.1 {answer.status} {self.responses.get(answer.status, ('',))[0]}", f"Date: {formatdate(usegmt=True)}",
                 f"Content-Type: {answer.content_type}", f"Content-Length: {len(answer.body)}",
                 *(f"{name}: {value}" for name, value in answer.headers.items()), *(f"WWW-Authenticate: {each}" for each in answer.challenges)]
        self.wfile.write("\r\n".join(lines).encode() + b"\r\n\r\n" + answer.body)
