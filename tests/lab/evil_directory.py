"""A directory that does not keep to what a directory does: silent, slow, endless, huge, referring elsewhere, or not what it claims to be.

It speaks just enough LDAP (RFC 4511) over TLS: any password is right, and what a search is answered with is its `way`.
"""
from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from typing import Any, Callable, Iterator

import der
import pki

SUCCESS, SIZE_LIMIT, REFERRAL = 0, 4, 10


def octets(text: str | bytes, tag: int = der.OCTET_STRING) -> bytes:
    return der.encode(tag, text.encode() if isinstance(text, str) else text)


def message(number: int, operation: bytes) -> bytes:
    return der.encode(der.SEQUENCE, der.encode_integer(number) + operation)


def result(tag: int, code: int, referrals: tuple[str, ...] = ()) -> bytes:
    more = der.encode(0xA3, b"".join(map(octets, referrals))) if referrals else b""
    return der.encode(tag, der.encode(0x0A, bytes([code])) + octets("") + octets("") + more)


def done(code: int = SUCCESS, referrals: tuple[str, ...] = ()) -> bytes:
    return result(0x65, code, referrals)


def entry(name: str, **attributes: list[str | bytes]) -> bytes:
    parts = [der.encode(der.SEQUENCE, octets(key) + der.encode(der.SET, b"".join(map(octets, values)))) for key, values in attributes.items()]
    return der.encode(0x64, octets(name) + der.encode(der.SEQUENCE, b"".join(parts)))


def somebody(number: int = 0) -> bytes:
    return entry(f"uid=x{number},dc=corp,dc=example", objectClass=["person"], userPrincipalName=["nobody@corp.example"])


Answer = Callable[["EvilDirectory", int], Iterator[bytes]]


def _slow(server: "EvilDirectory", number: int) -> Iterator[bytes]:
    server.ending.wait(60)
    yield message(number, done())


def _drip(server: "EvilDirectory", number: int) -> Iterator[bytes]:
    for octet in message(number, entry("uid=x,dc=corp,dc=example", mail=["x" * 10000])):
        yield bytes([octet])
        if server.ending.wait(0.2):
            return


def _half(server: "EvilDirectory", number: int) -> Iterator[bytes]:
    yield message(number, somebody())[:20]
    server.ending.wait(60)


def _huge(server: "EvilDirectory", number: int) -> Iterator[bytes]:
    yield message(number, entry("uid=x,dc=corp,dc=example", mail=["x" * (64 << 20)]))
    yield message(number, done())


def _many_values(server: "EvilDirectory", number: int) -> Iterator[bytes]:
    yield message(number, entry("uid=x,dc=corp,dc=example", mail=[f"{i}@corp.example" for i in range(20000)]))
    yield message(number, done())


def _endless(server: "EvilDirectory", number: int) -> Iterator[bytes]:
    for count in range(10_000_000):
        yield message(number, somebody(count))


def _references(server: "EvilDirectory", number: int) -> Iterator[bytes]:
    for count in range(10_000_000):
        yield message(number, der.encode(0x73, octets(f"ldap://127.0.0.1:{server.elsewhere}/dc=part{count}")))


def _referral(server: "EvilDirectory", number: int) -> Iterator[bytes]:
    yield message(number, done(REFERRAL, (f"ldap://127.0.0.1:{server.elsewhere}/dc=corp,dc=example",)))


def _garbage(server: "EvilDirectory", number: int) -> Iterator[bytes]:
    yield b"HTTP/1.1 400 Bad Request\r\n\r\n"


def _three(server: "EvilDirectory", number: int) -> Iterator[bytes]:
    for count in range(3):
        yield message(number, somebody(count))
    yield message(number, done())


WAYS: dict[str, Answer] = {"slow": _slow, "drip": _drip, "half": _half, "huge": _huge, "many-values": _many_values, "endless": _endless,
                           "references": _references, "referral": _referral, "garbage": _garbage}
ANSWERS: dict[str, Answer] = {**WAYS, "three": _three}


class EvilDirectory:
    """Use as a context manager. `way` is one of WAYS, "silent" (no TLS, no word), or "three" (entries, whatever the limit); it may be changed while it runs."""

    def __init__(self, lab_pki: pki.Pki, way: str, certificate: str = "service") -> None:
        self.way = way
        self.ending = threading.Event()
        self.searches = 0
        self.followed = 0
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(lab_pki.path(certificate + ".crt"), lab_pki.path(certificate + ".key"))
        self._listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
        self.port, self.elsewhere = (each.getsockname()[1] for each in self._listeners)

    def __enter__(self) -> "EvilDirectory":
        for listener, serve in zip(self._listeners, (self._serve, self._follow)):
            threading.Thread(target=self._accept, args=(listener, serve), daemon=True).start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.ending.set()
        for listener in self._listeners:
            # A thread that waits in accept() is woken by this, not by close().
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    @property
    def url(self) -> str:
        return f"ldaps://127.0.0.1:{self.port}"

    def _accept(self, listener: socket.socket, serve: Callable[[socket.socket], None]) -> None:
        while not self.ending.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    def _follow(self, connection: socket.socket) -> None:
        self.followed += 1
        connection.close()

    def _serve(self, raw: socket.socket) -> None:
        with contextlib.suppress(OSError, der.DerError):
            if self.way == "silent":
                self.ending.wait(60)
                raw.close()
                return
            with self._tls.wrap_socket(raw, server_side=True) as connection:
                stream = connection.makefile("rb")
                while head := stream.read(2):
                    length = head[1]
                    if length & 0x80:
                        length = int.from_bytes(stream.read(length & 0x7F), "big")
                    number, operation = _parts(stream.read(length))
                    if operation == 0x60:
                        connection.sendall(message(number, result(0x61, SUCCESS)))
                    elif operation == 0x63:
                        self.searches += 1
                        for part in ANSWERS[self.way](self, number):
                            connection.sendall(part)
                    elif operation == 0x42:
                        return


def _parts(content: bytes) -> tuple[int, int]:
    """The message's number and its operation's tag."""
    return int.from_bytes(content[2:2 + content[1]], "big"), content[2 + content[1]]
