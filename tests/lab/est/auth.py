"""Who asks: Basic (RFC 7617), Digest (RFC 7616), or a TLS client certificate."""
from __future__ import annotations

import base64
import hashlib
import re
import secrets
import threading
from typing import Callable

from .settings import Settings

HASHES: dict[str, Callable[[bytes], "hashlib._Hash"]] = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}
PARAMETER = re.compile(r'(\w+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))')


class Gate:
    def __init__(self, settings: Settings, user: str, password: str) -> None:
        self._settings, self._user, self._password = settings, user, password
        self._lock = threading.Lock()
        self._nonces: dict[str, set[str]] = {}
        self._opaque = secrets.token_hex(8)

    def admits(self, method: str, target: str, authorization: str | None, certificate: bool) -> tuple[str | None, list[str]]:
        """How the caller proved who he is, or None; and the challenges for a 401."""
        wanted = self._settings.auth
        if not wanted:
            return "nobody", []
        if certificate and "tls" in wanted:
            return "tls", []
        scheme, _, rest = (authorization or "").partition(" ")
        stale = False
        if scheme.lower() == "basic" and "basic" in wanted and self._basic(rest):
            return "basic", []
        if scheme.lower() == "digest" and "digest" in wanted:
            how, stale = self._digest(method, target, rest)
            if how:
                return how, []
        return None, self._challenges(stale)

    def _challenges(self, stale: bool) -> list[str]:
        found = []
        if "digest" in self._settings.auth:
            for algorithm in self._settings.digest_algorithms:
                nonce = secrets.token_urlsafe(18)
                with self._lock:
                    self._nonces[nonce] = set()
                realm = self._settings.realm.replace('"', '\\"')
                found.append(f'Digest realm="{realm}", qop="auth, auth-int", algorithm={algorithm}, nonce="{nonce}", opaque="{self._opaque}"'
                             + (", stale=true" if stale else ""))
        if "basic" in self._settings.auth:
            found.append('Basic realm="lab"')
        return found or ["Negotiate"]

    def _basic(self, text: str) -> bool:
        return secrets.compare_digest(base64.b64encode(f"{self._user}:{self._password}".encode()).decode(), text.strip())

    def _digest(self, method: str, target: str, text: str) -> tuple[str | None, bool]:
        given = {name: (quoted if quoted or not plain else plain).replace('\\"', '"') for name, quoted, plain in PARAMETER.findall(text)}
        algorithm = given.get("algorithm", "MD5")
        if algorithm not in self._settings.digest_algorithms or given.get("uri") != target or given.get("username") != self._user:
            return None, False
        if given.get("realm") != self._settings.realm or given.get("opaque") != self._opaque or given.get("qop") != "auth":
            return None, False

        def digest(*parts: str) -> str:
            return HASHES[algorithm](":".join(parts).encode()).hexdigest()

        nonce, count = given.get("nonce", ""), given.get("nc", "")
        expected = digest(digest(self._user, self._settings.realm, self._password), nonce, count, given.get("cnonce", ""), "auth", digest(method, target))
        if not secrets.compare_digest(expected, given.get("response", "")):
            return None, False
        with self._lock:
            used = self._nonces.get(nonce)
            if used is None or count in used or (self._settings.nonce_uses and len(used) >= self._settings.nonce_uses):
                return None, True
            used.add(count)
        return f"digest {algorithm}", False
