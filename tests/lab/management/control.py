"""The lab's own plain-HTTP side, on loopback, for tests and scripts. No part of the API.

GET  /lab/health, settings, connectors, requests[?state=][&ids=a,b], requests/ID, imports[?userPrincipalName=], heartbeats, calls[?since=N][&call=NAME],
     violations, faults, evil
POST /lab/tokens {token?, ttlSeconds?}             /lab/approve {connectorId}            /lab/remove {connectorId}
     /lab/requests {requests: […], raw?}           /lab/withdraw {userId, deviceId, reason?}
     /lab/cancel {ids}    /lab/change {id, patch}  /lab/requeue {ids}                    /lab/expire-leases {ids?}
     /lab/wait {ids?, timeoutSeconds?}             until all of them (without ids: all there are) are done or cancelled
     /lab/wait-for {what: lease|results|heartbeat|…, since?, count?, timeoutSeconds?}    until so many calls have been seen
     /lab/fault {name, count?, call?, …}           /lab/evil {name, …}                   /lab/settings {…}
     /lab/imports {records: […]}                   as they are, however wrong
DELETE /lab/requests, imports[?id=|userPrincipalName=], violations, faults, evil[?name=]
"""
from __future__ import annotations

import json
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable
from urllib.parse import parse_qsl, unquote, urlsplit

from . import times
from .enrolment import Enrolment
from .evil import Evil
from .faults import Faults
from .http import Journal
from .imported import Imported
from .queue import Queue
from .schema import Schemas
from .settings import Settings
from .store import Store

Json = dict[str, Any]


class Refused(Exception):
    """What a test asked of the lab makes no sense; it is told so."""


class Control:
    def __init__(self, store: Store, settings: Settings, schemas: Schemas, enrolment: Enrolment, queue: Queue, imported: Imported,
                 faults: Faults, evil: Evil, journal: Journal) -> None:
        self._store, self._settings, self._schemas = store, settings, schemas
        self._enrolment, self._queue, self._imported = enrolment, queue, imported
        self._faults, self._evil, self._journal = faults, evil, journal

    def handle(self, method: str, path: list[str], query: dict[str, str], body: Json) -> Any:
        match (method, path):
            case ("GET", ["health"]):
                return {"status": "up", "requests": self._queue.counts(), "violations": len(self._journal.violations())}
            case ("GET", ["settings"]):
                return self._settings.all()
            case ("POST", ["settings"]):
                self._settings.change(body)
                return self._settings.all()
            case ("GET", ["connectors"]):
                return {"connectors": self._enrolment.connectors()}
            case ("POST", ["tokens"]):
                return {"token": self._enrolment.new_token(body.get("token"), body.get("ttlSeconds"))}
            case ("POST", ["approve"]):
                return {"approved": self._enrolment.approve(body["connectorId"])}
            case ("POST", ["remove"]):
                return {"removed": self._enrolment.remove(body["connectorId"])}
            case (_, ["requests" | "withdraw" | "cancel" | "change" | "requeue" | "expire-leases" | "wait", *_]):
                return self._requests(method, path, query, body)
            case (_, ["imports"]):
                return self._imports(method, query, body)
            case ("GET", ["heartbeats"]):
                rows = self._store.rows("SELECT * FROM heartbeats ORDER BY seq")
                return {"heartbeats": [{"connector": row["connector"], "received": row["received"], **json.loads(row["body"])} for row in rows]}
            case ("GET", ["calls"]):
                return {"calls": self._journal.calls(int(query.get("since", 0)), query.get("call"))}
            case ("POST", ["wait-for"]):
                return self._wait_for(body)
            case ("GET", ["violations"]):
                return {"violations": self._journal.violations()}
            case ("DELETE", ["violations"]):
                self._journal.clear_violations()
                return {}
            case ("GET", ["faults"]):
                return {"faults": self._faults.view()}
            case ("POST", ["fault"]):
                return self._faults.arm(**body).view()
            case ("DELETE", ["faults"]):
                self._faults.clear()
                return {}
            case ("GET", ["evil"]):
                return {"evil": self._evil.view()}
            case ("POST", ["evil"]):
                self._evil.on(**body)
                return {"evil": self._evil.view()}
            case ("DELETE", ["evil"]):
                self._evil.off(query.get("name"))
                return {}
        raise Refused(f"no {method} /lab/{'/'.join(path)}")

    # -- the queue ----------------------------------------------------------------------------------------------------
    def _requests(self, method: str, path: list[str], query: dict[str, str], body: Json) -> Any:
        match (method, path):
            case ("POST", ["requests"]):
                return {"ids": self._add(body["requests"], bool(body.get("raw")))}
            case ("GET", ["requests"]):
                ids = query["ids"].split(",") if "ids" in query else None
                return {"requests": self._queue.find(ids, query.get("state"))}
            case ("GET", ["requests", identifier]):
                found = self._queue.find([identifier])
                if not found:
                    raise Refused(f"no request {identifier}")
                return found[0]
            case ("DELETE", ["requests"]):
                self._queue.clear()
                return {}
            case ("POST", ["withdraw"]):
                return {"id": self._withdraw(body)}
            case ("POST", ["cancel"]):
                return {"cancelled": self._queue.cancel(body["ids"])}
            case ("POST", ["change"]):
                if not self._queue.change(body["id"], body["patch"]):
                    raise Refused(f"no request {body['id']}")
                return {}
            case ("POST", ["requeue"]):
                return {"ids": [self._queue.add(each["request"]) for each in self._queue.find(body["ids"])]}
            case ("POST", ["expire-leases"]):
                return {"expired": self._queue.expire(body.get("ids"))}
            case ("POST", ["wait"]):
                return self._wait(body)
        raise Refused(f"no {method} /lab/{'/'.join(path)}")

    def _add(self, requests: list[Json], raw: bool) -> list[str]:
        if not raw and self._settings.validate:
            for request in requests:
                whole = {"id": "r-0", "createdAt": times.text(0), **request, "leaseId": "l-0", "leaseExpiresAt": times.text(0), "attempt": 1}
                complaint = self._schemas.complaint("Request", whole)
                if complaint:
                    raise Refused(f"{complaint} (say raw if that is meant)")
        with self._store.transaction():
            return [self._queue.add(request, raw) for request in requests]

    def _withdraw(self, body: Json) -> str:
        """Made out of a request that the user and device already had."""
        for known in reversed(self._queue.bodies()):
            if (known.get("user") or {}).get("id") == body["userId"] and (known.get("device") or {}).get("id") == body["deviceId"]:
                return self._queue.add({"kind": "pfx.withdraw", "user": known["user"], "device": known["device"],
                                        "reason": body.get("reason", "unenrolled")})
        raise Refused("no request of that user and device to make it from")

    def _wait(self, body: Json) -> Json:
        ids = body.get("ids")
        done = self._until(float(body.get("timeoutSeconds", 30)), lambda: self._queue.unfinished(ids) == 0)
        return {"done": done, "requests": {each["id"]: each for each in self._queue.find(ids)} if ids is not None else {}, "counts": self._queue.counts()}

    def _wait_for(self, body: Json) -> Json:
        since, wanted, name = int(body.get("since", 0)), int(body.get("count", 1)), body["what"]
        deadline = time.monotonic() + float(body.get("timeoutSeconds", 30))
        while len(seen := self._journal.calls(since, name)) < wanted and time.monotonic() < deadline:
            time.sleep(0.02)
        return {"done": len(seen) >= wanted, "calls": seen}

    def _until(self, seconds: float, true: Callable[[], bool]) -> bool:
        deadline = time.monotonic() + seconds
        with self._store.changed:
            while not true():
                rest = deadline - time.monotonic()
                if rest <= 0:
                    return False
                self._store.changed.wait(min(rest, 1.0))
        return True

    # -- imported certificates ----------------------------------------------------------------------------------------
    def _imports(self, method: str, query: dict[str, str], body: Json) -> Any:
        if method == "GET":
            return {"records": self._imported.all(query.get("userPrincipalName"))}
        if method == "DELETE":
            return {"dropped": self._imported.drop(query.get("id"), query.get("userPrincipalName"))}
        with self._store.transaction():
            for record in body["records"]:
                self._imported.put_raw(record)
        return {"ids": [record["id"] for record in body["records"]]}


class ControlServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], control: Control) -> None:
        super().__init__(address, _Handler)
        self.control = control

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A test that went away."""


class _Handler(BaseHTTPRequestHandler):
    server: ControlServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing to say."""

    def do_GET(self) -> None:
        split = urlsplit(self.path)
        status, answer = 200, None
        try:
            octets = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = [unquote(step) for step in split.path.strip("/").split("/")]
            if path[0] != "lab":
                raise Refused("all is under /lab")
            answer = self.server.control.handle(self.command, path[1:], dict(parse_qsl(split.query)), json.loads(octets or b"{}"))
        except (Refused, KeyError, TypeError, ValueError) as error:
            status, answer = 400, {"error": f"{type(error).__name__}: {error}"}
        except Exception as error:  # a fault of the lab's own must reach the test
            status, answer = 500, {"error": f"{type(error).__name__}: {error}"}
        body = json.dumps(answer).encode()
        self.wfile.write(f"HTTP/1.1 {status} -\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)

    do_POST = do_DELETE = do_GET
