"""A small client of the API and of the lab's control side, on the standard library alone."""
from __future__ import annotations

import http.client
import json
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


class LabError(RuntimeError):
    """The lab says that what a test wanted makes no sense, or did not happen."""


@dataclass
class Answer:
    status: int
    headers: dict[str, str]                 # names in lower case
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body) if self.body else None

    @property
    def code(self) -> str | None:
        return self.json.get("code") if self.status >= 400 and self.body else None


class ApiClient:
    """Keeps its connection; with `certificate` and `key` it is a connector, without them an administrator or a newcomer."""

    def __init__(self, url: str, ca_file: Path, certificate: Path | None = None, key: Path | None = None, timeout: float = 70) -> None:
        split = urlsplit(url)
        assert split.hostname is not None
        self.base = split.path.rstrip("/")
        context = ssl.create_default_context(cafile=str(ca_file))
        if certificate is not None:
            context.load_cert_chain(certificate, key)
        self._connection = http.client.HTTPSConnection(split.hostname, split.port, context=context, timeout=timeout)

    def call(self, method: str, path: str, body: Any = None, *, token: str | None = None, raw: bytes | None = None, **headers: str) -> Answer:
        """`path` below the base path; header names with `_` for `-`."""
        octets = raw if raw is not None else None if body is None else json.dumps(body).encode()
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if octets is not None:
            sent.setdefault("Content-Type", "application/json")
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        try:
            self._connection.request(method, self.base + path, octets, sent)
            answer = self._connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, content)

    def close(self) -> None:
        self._connection.close()


class ControlClient:
    def __init__(self, port: int) -> None:
        self._port = port

    def call(self, method: str, path: str, body: Any = None, timeout: float = 60) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=timeout)
        try:
            connection.request(method, "/lab/" + path, None if body is None else json.dumps(body).encode())
            answer = connection.getresponse()
            content = json.loads(answer.read())
        finally:
            connection.close()
        if answer.status != 200:
            raise LabError(f"{method} /lab/{path}: {content.get('error')}")
        return content

    def get(self, path: str) -> Any:
        return self.call("GET", path)

    def post(self, path: str, body: Any = None, timeout: float = 60) -> Any:
        return self.call("POST", path, body if body is not None else {}, timeout)

    def delete(self, path: str) -> Any:
        return self.call("DELETE", path)


def wait_for_file(path: Path, seconds: float, alive: Any) -> str:
    deadline = time.monotonic() + seconds
    while not path.exists():
        if not alive() or time.monotonic() > deadline:
            raise LabError(f"{path.name} did not appear")
        time.sleep(0.01)
    return path.read_text()
