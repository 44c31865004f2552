"""HTTP/1.1 over TLS for the API: reading requests strictly, writing answers, and being rude on demand.

The handshake is done by the worker thread under a time limit: a client that never finishes it keeps nobody else waiting.
"""
from __future__ import annotations

import collections
import select
import socket
import ssl
import threading
import time
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import strict_json

from . import times
from .api import Api, Call, name_of
from .faults import Faults
from .problem import Problem
from .reply import Reply
from .schema import Schemas
from .settings import Settings

HANDSHAKE_SECONDS = 10
BODY_LIMIT = 16 << 20
LINGER_SECONDS, LINGER_LIMIT = 5.0, 32 << 20
SOFT_BODY_LIMIT = 1 << 20                   # more than that only for a result that goes alone


class Journal:
    """What has been seen: calls, and messages that were not as the document says."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: collections.deque[dict[str, Any]] = collections.deque(maxlen=50_000)
        self._number = 0
        self._violations: list[dict[str, Any]] = []

    def call(self, **entry: Any) -> None:
        with self._lock:
            self._number += 1
            self._calls.append({"n": self._number, **entry})

    def calls(self, since: int = 0, name: str | None = None) -> list[dict[str, Any]]:
        with self._lock:
            return [each for each in self._calls if each["n"] > since and name in (None, each["call"])]

    def violation(self, where: str, complaint: str, message: Any = None) -> None:
        with self._lock:
            if len(self._violations) < 1000:
                self._violations.append({"where": where, "complaint": complaint, "message": message})

    def violations(self) -> list[dict[str, Any]]:
        with self._lock:
            return list(self._violations)

    def clear_violations(self) -> None:
        with self._lock:
            self._violations.clear()


class Tls:
    """A context for each of the service's certificates; which one is shown can change at any time."""

    def __init__(self, pki: Path, settings: Settings, newest: str | None) -> None:
        self._pki = pki
        self._settings = settings
        self._newest = newest
        self._contexts: dict[str, ssl.SSLContext] = {}

    def context(self) -> ssl.SSLContext:
        flavour = self._settings.tls_certificate
        if flavour not in self._contexts:
            self._contexts[flavour] = self._make("service" if flavour == "good" else f"service-{flavour}")
        return self._contexts[flavour]

    def _make(self, stem: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self._newest is not None:
            versions = {"1.1": ssl.TLSVersion.TLSv1_1, "1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
            if self._newest == "1.1":
                # The old signature algorithms are below every current security level.
                context.set_ciphers("ALL:@SECLEVEL=0")
                context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = versions[self._newest]
        context.load_cert_chain(self._pki / f"{stem}.crt", self._pki / f"{stem}.key")
        context.load_verify_locations(self._pki / "enrolment-ca.crt")
        # Optional in the handshake, decided by the call: enrolment and administration have no certificate yet.
        context.verify_mode = ssl.CERT_OPTIONAL
        return context


class ApiServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], base: str, tls: Tls, api: Api, faults: Faults, schemas: Schemas, settings: Settings,
                 journal: Journal) -> None:
        super().__init__(address, Handler)
        self.base = base.rstrip("/")
        self.tls = tls
        self.api = api
        self.faults = faults
        self.schemas = schemas
        self.settings = settings
        self.journal = journal

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away, or never was one, is no news."""


class Handler(BaseHTTPRequestHandler):
    server: ApiServer
    protocol_version = "HTTP/1.1"
    server_version = "management"
    sys_version = ""
    _body_unread = False

    def setup(self) -> None:
        raw: socket.socket = self.request
        raw.settimeout(HANDSHAKE_SECONDS)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.request = self.server.tls.context().wrap_socket(raw, server_side=True)
        except (OSError, ValueError) as error:
            self.server.journal.call(time=times.now(), call="handshake", status=0, error=str(error), peer=None)
            raise
        self.timeout = self.server.settings.keep_alive_seconds
        super().setup()

    def log_message(self, format: str, *args: Any) -> None:
        """The journal has it."""

    # -- one request --------------------------------------------------------------------------------------------------
    def do_POST(self) -> None:
        self._handle()

    do_GET = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_POST

    def _handle(self) -> None:
        started = time.monotonic()
        entry: dict[str, Any] = {"time": times.now(), "call": "unknown", "method": self.command, "path": self.path}
        try:
            reply = self._reply(entry)
        except Problem as problem:
            reply = Reply(problem.status, problem.body(), problem.headers(), schema="Problem", content_type="application/problem+json")
            entry["code"] = problem.code
        except (ConnectionError, socket.timeout, ssl.SSLError):
            self.close_connection = True
            return
        except Exception as error:  # the lab must show its own faults, not hide them in a broken connection
            self.server.journal.violation("service", f"{type(error).__name__}: {error}")
            reply = Reply(500, Problem(500, "internal", str(error)).body(), content_type="application/problem+json", validate=False)
        body = self._encoded(reply)
        entry.update(status=reply.status, fault=reply.fault, mode=reply.mode, answerOctets=len(body),
                     milliseconds=round((time.monotonic() - started) * 1000, 1))
        self.server.journal.call(**entry)
        try:
            self._send(reply, body)
            if self._body_unread:
                self._linger()
        except (OSError, ValueError):
            self.close_connection = True

    def _reply(self, entry: dict[str, Any]) -> Reply:
        server = self.server
        octets = self._read_body()
        entry["requestOctets"] = len(octets)
        split = urlsplit(self.path)
        if not (split.path == server.base or split.path.startswith(server.base + "/")):
            raise Problem(404, "notFound", "outside the base path")
        path = [unquote(step) for step in split.path[len(server.base):].strip("/").split("/")]
        name = name_of(self.command, path)
        if name is None:
            raise Problem(404, "notFound", "no such call")
        entry["call"] = name
        call = Call(name, self.command, path, dict(parse_qsl(split.query, keep_blank_values=True)), self.headers, None, self._peer(),
                    f"https://{self.headers.get('Host', '')}{server.base}", self._gone)
        complaint: str | None = None
        schema = server.api.body_schema(call)
        if schema is not None:
            try:
                call.body = strict_json.loads(octets)
            except strict_json.JsonError as error:
                complaint = f": {error}"
            if len(octets) <= 4096:
                entry["body"] = call.body
        if "Idempotency-Key" in self.headers:
            entry["idempotencyKey"] = self.headers["Idempotency-Key"]
        spoiled = server.faults.before(name, call.body, self.path)
        if spoiled is not None:
            return spoiled
        server.api.authenticate(call)
        entry["connector"] = call.connector
        if schema is not None:
            self._check(schema, call.body, complaint)
            if len(octets) > SOFT_BODY_LIMIT and not (name == "results" and len(call.body.get("results", [])) == 1):
                raise Problem(413, "tooLarge", "more than 1 MiB, and not one result alone")
        reply = server.api.answer(call)
        entry["items"] = _size(reply.value)
        if server.settings.validate and reply.schema is not None and reply.validate:
            wrong = server.schemas.complaint(reply.schema, reply.value)
            if wrong:
                server.journal.violation(f"answer {name}", wrong, reply.value)
                raise Problem(500, "internal", f"the answer violates {reply.schema}: {wrong}")
        server.faults.after(name, call.body, reply, {"self": f"https://{self.headers.get('Host', '')}{self.path}"})
        return reply

    def _check(self, schema: str, body: Any, complaint: str | None) -> None:
        if complaint is None and self.server.settings.validate:
            complaint = self.server.schemas.complaint(schema, body)
        if complaint is not None:
            self.server.journal.violation(f"request {self.command} {self.path}", complaint, body)
            raise Problem(400, "invalidRequest", complaint)

    def _read_body(self) -> bytes:
        self._body_unread = True
        octets = self._whole_body()
        self._body_unread = False
        return octets

    def _whole_body(self) -> bytes:
        if "Transfer-Encoding" in self.headers:
            self.close_connection = True
            self.server.journal.violation(f"request {self.command} {self.path}", "Transfer-Encoding")
            raise Problem(411, "lengthRequired", "chunked requests are refused")
        stated = self.headers.get_all("Content-Length") or []
        if not stated:
            if self.command in ("POST", "PUT"):
                self.close_connection = True
                raise Problem(411, "lengthRequired", "no Content-Length")
            return b""
        if len(stated) != 1 or not stated[0].isdigit():
            self.close_connection = True
            raise Problem(400, "invalidRequest", "Content-Length")
        length = int(stated[0])
        if length > BODY_LIMIT:
            self.close_connection = True
            raise Problem(413, "tooLarge", "more than 16 MiB")
        octets = self.rfile.read(length)
        if len(octets) != length:
            raise ConnectionError("the body ended early")
        return octets

    def _peer(self) -> bytes | None:
        return self.request.getpeercert(binary_form=True)

    def _gone(self) -> bool:
        """While it waits for its answer a client has nothing to say: what can be read then is its farewell."""
        if self.request.pending():
            return False
        poll = select.poll()
        poll.register(self.request.fileno(), select.POLLIN)
        return bool(poll.poll(0))

    # -- the answer ---------------------------------------------------------------------------------------------------
    @staticmethod
    def _encoded(reply: Reply) -> bytes:
        if reply.body is not None:
            return reply.body
        return b"" if reply.value is None else strict_json.dumps(reply.value)

    def _head(self, reply: Reply, length: int | None, chunked: bool = False) -> bytes:
        phrase = self.responses.get(reply.status, ("",))[0]
        lines = [f"HTTP/1.1 {reply.status} {phrase}", f"Date: {formatdate(time.time() + self.server.settings.date_skew_seconds, usegmt=True)}"]
        if reply.status not in (204, 304):
            lines.append(f"Content-Type: {reply.content_type}")
            if chunked:
                lines.append("Transfer-Encoding: chunked")
            elif length is not None:
                lines.append(f"Content-Length: {length}")
        lines += [f"{name}: {value}" for name, value in reply.headers.items()]
        if self.close_connection:
            lines.append("Connection: close")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")

    def _send(self, reply: Reply, body: bytes) -> None:
        if reply.wait_for is not None:
            reply.wait_for()
        if reply.status in (204, 304):
            body = b""
        if reply.mode == "send":
            self.wfile.write(self._head(reply, len(body)) + body)
            return
        if reply.mode == "chunked":
            half = len(body) // 2
            parts = b"".join(f"{len(part):x}\r\n".encode() + part + b"\r\n" for part in (body[:half], body[half:]) if part)
            self.wfile.write(self._head(reply, None, chunked=True) + parts + b"0\r\n\r\n")
            return
        self.close_connection = True
        if reply.mode == "hang":
            end = time.monotonic() + reply.seconds
            while time.monotonic() < end and not self._gone():
                time.sleep(0.05)
        elif reply.mode == "endless":
            self.wfile.write(self._head(reply, None) + b'{"requests":[],"padding":"')
            while True:
                self.wfile.write(b"a" * 65536)
        elif reply.mode == "truncated":
            self.wfile.write(self._head(reply, len(body) + 1000) + body[:len(body) // 2])
        elif reply.mode == "slow":
            self.wfile.write(self._head(reply, len(body)))
            for octet in body:
                self.wfile.write(bytes([octet]))
                time.sleep(reply.seconds)
        self._cut()

    def _linger(self) -> None:
        """RFC 9112 9.6: a body that nobody wants is still read before the connection is closed, or its sender may be reset before
        it has seen the answer."""
        end, left = time.monotonic() + LINGER_SECONDS, LINGER_LIMIT
        while left > 0 and time.monotonic() < end:
            self.request.settimeout(max(0.01, end - time.monotonic()))
            octets = self.request.recv(min(left, 65536))
            if not octets:
                return
            left -= len(octets)

    def _cut(self) -> None:
        """Away without a farewell, as a broken line is."""
        try:
            self.request.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def _size(value: Any) -> int | None:
    for name in ("requests", "outcomes", "value", "renewed"):
        if isinstance(value, dict) and isinstance(value.get(name), list):
            return len(value[name])
    return None
