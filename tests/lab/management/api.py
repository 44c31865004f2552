"""The API, call by call: from a checked request to a reply. HTTP, TLS and faults are elsewhere.
"""
from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import dataclass
from typing import Any, Callable
from urllib.parse import quote, urlencode

from . import times
from .enrolment import Enrolment
from .evil import Evil
from .imported import PAGES, Imported
from .problem import Problem
from .queue import Queue
from .reply import Reply
from .schema import Schemas
from .settings import Settings
from .store import Store

REPLAY_SECONDS = 600


@dataclass
class Call:
    """One request after the HTTP layer: the path split and decoded, the body parsed."""
    name: str
    method: str
    path: list[str]
    query: dict[str, str]
    headers: Any
    body: Any
    peer: bytes | None
    origin: str                             # scheme, host and base path as the caller wrote them
    gone: Callable[[], bool]                # whether the caller has hung up
    connector: str = ""                     # set by authenticate()


def name_of(method: str, path: list[str]) -> str | None:
    """Which call that is, or None."""
    match (method, path):
        case ("POST", ["connectors"]):
            return "enrol"
        case ("POST", ["connectors", _, "certificate"]):
            return "certificate"
        case ("POST", ["connectors", _, "lease"]):
            return "lease"
        case ("POST", ["connectors", _, "lease", "renew"]):
            return "lease-renew"
        case ("POST", ["connectors", _, "results"]):
            return "results"
        case ("POST", ["connectors", _, "heartbeat"]):
            return "heartbeat"
        case ("GET", ["users", _, "imported-certificates"]):
            return "imports"
        case ("POST" | "GET", ["imported-certificates"]) | ("GET" | "PUT" | "DELETE", ["imported-certificates", _]):
            return "admin"
    return None


BODIES = {"enrol": "EnrolRequest", "certificate": "RenewCertificateRequest", "lease": "LeaseRequest", "lease-renew": "LeaseRenewRequest",
          "results": "ResultsRequest", "heartbeat": "HeartbeatRequest"}


class Api:
    def __init__(self, store: Store, settings: Settings, schemas: Schemas, enrolment: Enrolment, queue: Queue, imported: Imported,
                 evil: Evil, admin_token: str) -> None:
        self._store = store
        self._settings = settings
        self._schemas = schemas
        self._enrolment = enrolment
        self._queue = queue
        self._imported = imported
        self._evil = evil
        self._admin_token = admin_token
        self._replaying: dict[tuple[str, str], threading.Lock] = {}
        self._replaying_lock = threading.Lock()
        self._calls: dict[str, Callable[[Call], Reply]] = {
            "enrol": self._enrol, "certificate": self._renew_certificate, "lease": self._lease, "lease-renew": self._renew_leases,
            "results": self._results, "heartbeat": self._heartbeat, "imports": self._history, "admin": self._admin}

    def answer(self, call: Call) -> Reply:
        return self._calls[call.name](call)

    def body_schema(self, call: Call) -> str | None:
        if call.name == "admin":
            return "ImportedCertificateInput" if call.method in ("POST", "PUT") else None
        return BODIES.get(call.name)

    # -- who ----------------------------------------------------------------------------------------------------------
    def authenticate(self, call: Call) -> None:
        """Before the body is looked at: a stranger learns nothing from what is wrong with it."""
        if call.name == "admin":
            if _bearer(call) != self._admin_token:
                raise Problem(401, "unauthorized", "not the administrator's token")
        elif call.name == "enrol":
            _bearer(call)
        else:
            connector = self._enrolment.caller(call.peer)
            if call.path[0] == "connectors" and call.path[1] != connector:
                raise Problem(403, "forbidden", "the path names another connector")
            call.connector = connector

    # -- enrolment ----------------------------------------------------------------------------------------------------
    def _enrol(self, call: Call) -> Reply:
        return Reply(201, self._enrolment.enrol(_bearer(call), call.body), schema="EnrolResponse")

    def _renew_certificate(self, call: Call) -> Reply:
        return Reply(200, self._enrolment.renew(call.connector, call.body), schema="EnrolResponse")

    # -- leasing ------------------------------------------------------------------------------------------------------
    def _lease(self, call: Call) -> Reply:
        key = call.headers.get("Idempotency-Key")
        if key is None or not 0 < len(key) <= 128:
            raise Problem(400, "invalidRequest", "Idempotency-Key is missing")
        connector = call.connector
        with self._replaying_lock:
            lock = self._replaying.setdefault((connector, key), threading.Lock())
        with lock:  # the same key again while the first is still being held: both get the same answer
            try:
                return self._lease_once(call, connector, key)
            finally:
                with self._replaying_lock:
                    self._replaying.pop((connector, key), None)

    def _lease_once(self, call: Call, connector: str, key: str) -> Reply:
        asked = json.dumps(call.body, sort_keys=True)
        self._store.write("DELETE FROM replays WHERE created < ?", times.now() - REPLAY_SECONDS)
        replay = self._store.row("SELECT * FROM replays WHERE connector = ? AND key = ?", connector, key)
        if replay is not None:
            if replay["body"] != asked:
                raise Problem(422, "idempotencyKeyReused", "the same Idempotency-Key with another body")
            stored = json.loads(replay["answer"])
            return Reply(200, {"requests": stored["requests"]}, schema="LeaseResponse", validate=stored["clean"])
        leased = self._wait_for_requests(call, connector)
        if leased is None:
            return Reply(200, {"requests": []}, mode="drop")
        requests, touched = self._evil.lease([request for request, _ in leased])
        clean = not touched and not any(raw for _, raw in leased)
        self._store.write("INSERT OR REPLACE INTO replays (connector, key, body, answer, created) VALUES (?, ?, ?, ?, ?)", connector, key, asked,
                          json.dumps({"requests": requests, "clean": clean}), times.now())
        return Reply(200, {"requests": requests}, schema="LeaseResponse", validate=clean)

    def _wait_for_requests(self, call: Call, connector: str) -> list[tuple[dict[str, Any], bool]] | None:
        """None when the caller has hung up: it would take the requests with it until their leases end."""
        deadline = times.now() + call.body["waitSeconds"]
        with self._store.changed:
            while True:
                if call.gone():
                    return None
                found = self._queue.lease(connector, call.body["maxRequests"], call.body["kinds"])
                now = times.now()
                if found or now >= deadline:
                    return found
                # A lease that runs out rings no bell; neither does a caller that hangs up.
                expiry = self._queue.next_expiry()
                pause = min(deadline - now, 0.5, max(expiry - now, 0.01) if expiry is not None else 0.5)
                self._store.changed.wait(pause)

    def _renew_leases(self, call: Call) -> Reply:
        return Reply(200, self._queue.renew(call.connector, call.body["leases"]), schema="LeaseRenewResponse")

    def _results(self, call: Call) -> Reply:
        outcomes = self._queue.report(call.connector, call.body["results"])
        return Reply(200, {"outcomes": self._evil.outcomes(outcomes)}, schema="ResultsResponse")

    def _heartbeat(self, call: Call) -> Reply:
        self._store.write("INSERT INTO heartbeats (connector, received, body) VALUES (?, ?, ?)", call.connector, times.now(), json.dumps(call.body))
        if not self._settings.heartbeat_lists_connectors:
            return Reply(204)
        listed = [{name: each[name] for name in ("id", "name", "enrolledAt", "approved")} for each in self._enrolment.connectors()]
        return Reply(200, {"connectors": listed}, schema="HeartbeatResponse")

    # -- imported certificates ----------------------------------------------------------------------------------------
    def _history(self, call: Call) -> Reply:
        user, purpose = call.path[1], call.query.get("purpose")
        if purpose is None or self._schemas.complaint("Purpose", purpose):
            raise Problem(400, "invalidRequest", "purpose")
        request = self._queue.holder(call.connector, call.query.get("leaseId", ""))
        if request is None or (request.get("user") or {}).get("id") != user:
            raise Problem(403, "leaseRequired", "no live lease for that user")
        upn = request["user"].get("userPrincipalName", "")
        records, etag, clean = self._imported.of_user(upn, purpose)
        records, touched = self._evil.history(upn, purpose, records)
        if touched:
            etag = f'{etag[:-1]}-{hashlib.sha256(json.dumps(records).encode()).hexdigest()[:16]}"'
        skip, top = _number(call, "skip", 0, 0, 1 << 30), _number(call, "$top", self._settings.page_size, 1, 1000)
        if skip == 0 and call.headers.get("If-None-Match") in (etag, "*"):
            return Reply(304, headers={"ETag": etag})
        size = min(top, self._settings.page_size)
        answer: dict[str, Any] = {"value": records[skip:skip + size]}
        if skip + size < len(records) and skip // size < PAGES:
            query = urlencode({"purpose": purpose, "leaseId": call.query["leaseId"], "$top": str(top), "skip": str(skip + size)})
            answer["nextLink"] = f"{call.origin}/users/{quote(user, safe='')}/imported-certificates?{query}"
        return Reply(200, answer, {"ETag": etag}, schema="ImportedCertificatesResponse", validate=clean and not touched)

    def _admin(self, call: Call) -> Reply:
        if_match = call.headers.get("If-Match")
        if call.method == "POST":
            record, etag = self._imported.add(call.body)
            location = f"{call.origin}/imported-certificates/{quote(record['id'], safe='')}"
            return Reply(201, record, {"ETag": etag, "Location": location}, schema="ImportedCertificate")
        if call.method == "PUT":
            record, etag = self._imported.replace(call.path[1], call.body, if_match)
            return Reply(200, record, {"ETag": etag}, schema="ImportedCertificate")
        if call.method == "DELETE":
            self._imported.remove(call.path[1], if_match)
            return Reply(204)
        if len(call.path) == 2:
            record, etag, clean = self._imported.whole(call.path[1])
            return Reply(200, record, {"ETag": etag}, schema="ImportedCertificate", validate=clean)
        entries, clean = self._imported.entries(call.query.get("userPrincipalName"))
        skip = _number(call, "skip", 0, 0, 1 << 30)
        size = _number(call, "$top", max(self._settings.page_size, 1), 1, 1000)
        answer: dict[str, Any] = {"value": entries[skip:skip + size]}
        if skip + size < len(entries):
            rest = {name: value for name, value in call.query.items() if name != "skip"}
            answer["nextLink"] = f"{call.origin}/imported-certificates?{urlencode({**rest, 'skip': str(skip + size)})}"
        return Reply(200, answer, schema="ImportedCertificateList", validate=clean)


def _bearer(call: Call) -> str:
    scheme, _, token = (call.headers.get("Authorization") or "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Problem(401, "unauthorized", "no bearer token")
    return token.strip()


def _number(call: Call, name: str, usual: int, least: int, most: int) -> int:
    text = call.query.get(name)
    if text is None:
        return usual
    if not text.isdigit() or not least <= int(text) <= most:
        raise Problem(400, "invalidRequest", f"{name}: {text}")
    return int(text)

