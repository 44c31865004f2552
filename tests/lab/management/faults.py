"""Faults: what a network, or a bad service, does to single answers.

A fault is armed with a count and names the calls it strikes. Some strike before the call is worked (the service never saw
it), some after (the work is done, the answer is lost or spoiled).
"""
from __future__ import annotations

import base64
import threading
from dataclasses import dataclass, field
from typing import Any, Callable

import strict_json as strict
from .problem import Problem
from .reply import Reply

CALLS = ("enrol", "certificate", "lease", "lease-renew", "results", "heartbeat", "imports", "admin")
STATUS = {"400": "invalidRequest", "401": "unauthorized", "403": "forbidden", "404": "notFound", "408": "timeout", "409": "conflict",
          "413": "tooLarge", "422": "unprocessable", "429": "throttled", "500": "internal", "502": "badGateway", "503": "unavailable"}


@dataclass
class Fault:
    name: str
    count: int = 1                          # negative: until cleared
    call: str = "any"
    options: dict[str, Any] = field(default_factory=dict)
    struck: int = 0
    cleared: threading.Event = field(default_factory=threading.Event)

    def view(self) -> dict[str, Any]:
        return {"name": self.name, "count": self.count, "call": self.call, "struck": self.struck, **self.options}


Before = Callable[[Fault], Reply]
After = Callable[[Fault, Reply, dict[str, Any]], None]


# -- before -----------------------------------------------------------------------------------------------------------
def _status(fault: Fault) -> Reply:
    status = int(fault.options.get("status", fault.name if fault.name.isdigit() else 500))
    after = fault.options.get("retryAfter", 1 if status in (429, 503) else None)
    problem = Problem(status, fault.options.get("code", STATUS.get(str(status), "fault")), fault.options.get("detail", "armed"))
    headers = {} if after is None else {"Retry-After": str(after)}
    return Reply(status, problem.body(), headers, content_type="application/problem+json", validate=False)


def _redirect(fault: Fault) -> Reply:
    location = fault.options.get("location", "https://127.0.0.1:1/elsewhere")
    return Reply(int(fault.options.get("status", 307)), None, {"Location": location}, validate=False, body=b"")


def _raw(fault: Fault) -> Reply:
    body = base64.b64decode(fault.options["bodyBase64"]) if "bodyBase64" in fault.options else str(fault.options.get("body", "")).encode()
    return Reply(int(fault.options.get("status", 200)), None, dict(fault.options.get("headers", {})), validate=False, body=body,
                 content_type=fault.options.get("contentType", "application/json"))


def _mode(mode: str) -> Before:
    return lambda fault: Reply(200, None, validate=False, body=b"", mode=mode, seconds=float(fault.options.get("seconds", 3600)))


def _fixed(body: Callable[[Fault], bytes], content_type: str = "application/json") -> Before:
    return lambda fault: Reply(200, None, validate=False, body=body(fault), content_type=content_type)


def _deep(fault: Fault) -> bytes:
    depth = int(fault.options.get("depth", 20))
    return b'{"requests":[],"outcomes":[],"value":[],"deep":' + b"[" * depth + b"]" * depth + b"}"


BEFORE: dict[str, Before] = {
    **{status: _status for status in STATUS},
    "status": _status,
    "redirect": _redirect,
    "raw": _raw,
    "drop-before": _mode("drop"),
    "hang": _mode("hang"),
    "endless": _mode("endless"),
    "broken-json": _fixed(lambda fault: b'{"requests":[{"id":"r-broken",'),
    "not-json": _fixed(lambda fault: b"<html><body>Sign in to the network</body></html>", "text/html"),
    "empty": _fixed(lambda fault: b""),
    "deep-json": _fixed(_deep),
    "duplicate-keys": _fixed(lambda fault: b'{"requests":[],"requests":[],"outcomes":[],"outcomes":[],"value":[],"value":[]}'),
    "wrong-types": _fixed(lambda fault: b'{"requests":{"0":"none"},"outcomes":"all","renewed":7,"lost":null,"value":true}'),
    "too-large": _fixed(lambda fault: b'{"requests":[],"outcomes":[],"value":[],"padding":"' + b"a" * int(fault.options.get("size", 17 << 20)) + b'"}'),
}


# -- after ------------------------------------------------------------------------------------------------------------
def _drop(fault: Fault, reply: Reply, context: dict[str, Any]) -> None:
    reply.mode = "drop"


def _duplicate(fault: Fault, reply: Reply, context: dict[str, Any]) -> None:
    reply.value = {"requests": reply.value["requests"] * 2}


def _lease_end(text: str) -> After:
    def change(fault: Fault, reply: Reply, context: dict[str, Any]) -> None:
        for request in reply.value["requests"]:
            if isinstance(request, dict):
                request["leaseExpiresAt"] = fault.options.get("at", text)
    return change


def _twice_in_request(fault: Fault, reply: Reply, context: dict[str, Any]) -> None:
    reply.body = strict.dumps(reply.value).replace(b'{"requests":[{', b'{"requests":[{"kind":"certificate.revoke",', 1)


def _omit(fault: Fault, reply: Reply, context: dict[str, Any]) -> None:
    reply.value = {"outcomes": reply.value["outcomes"][1:]}


def _outcome(fault: Fault, reply: Reply, context: dict[str, Any]) -> None:
    outcome = fault.options.get("outcome", "cancelled")
    for each in reply.value["outcomes"]:
        each["outcome"] = outcome
        each.pop("accepted", None)
        if "accepted" in fault.options:
            each["accepted"] = fault.options["accepted"]


def _foreign_outcomes(fault: Fault, reply: Reply, context: dict[str, Any]) -> None:
    reply.value["outcomes"].append({"requestId": "r-of-somebody-else", "outcome": "accepted"})


def _next_link(fault: Fault, reply: Reply, context: dict[str, Any]) -> None:
    # Without a target: a link to the same page, which never ends. {n}: how often it has struck, for pages that never end either.
    reply.value["nextLink"] = (fault.options.get("url") or context.get("self")).replace("{n}", str(fault.struck))
    if "seconds" in fault.options:
        reply.wait_for = lambda: fault.cleared.wait(float(fault.options["seconds"]))


def _chunked(fault: Fault, reply: Reply, context: dict[str, Any]) -> None:
    reply.mode = "chunked"


def _truncated(fault: Fault, reply: Reply, context: dict[str, Any]) -> None:
    reply.mode = "truncated"


def _slow(fault: Fault, reply: Reply, context: dict[str, Any]) -> None:
    reply.mode = "slow"
    reply.seconds = float(fault.options.get("seconds", 0.2))


def _late(fault: Fault, reply: Reply, context: dict[str, Any]) -> None:
    """The answer of now comes when the faults are cleared, or after `seconds`."""
    reply.wait_for = lambda: fault.cleared.wait(float(fault.options.get("seconds", 120)))


def _headers(fault: Fault, reply: Reply, context: dict[str, Any]) -> None:
    reply.headers.update(fault.options.get("headers", {}))


def _patch(fault: Fault, reply: Reply, context: dict[str, Any]) -> None:
    """Top-level members exchanged: `set`."""
    reply.value = {**(reply.value or {}), **fault.options.get("set", {})}


AFTER: dict[str, After] = {
    "drop-after": _drop,
    "duplicate-leases": _duplicate,
    "expired-leases": _lease_end("2020-01-01T00:00:00Z"),
    "far-leases": _lease_end("9999-12-31T23:59:59Z"),
    "duplicate-keys-in-request": _twice_in_request,
    "omit-outcomes": _omit,
    "outcome": _outcome,
    "foreign-outcomes": _foreign_outcomes,
    "next-link": _next_link,
    "chunked": _chunked,
    "truncated": _truncated,
    "slow": _slow,
    "late": _late,
    "headers": _headers,
    "patch": _patch,
}
USUAL_CALL = {
    "duplicate-leases": "lease", "expired-leases": "lease", "far-leases": "lease", "duplicate-keys-in-request": "lease",
    "omit-outcomes": "results", "outcome": "results", "foreign-outcomes": "results", "next-link": "imports",
    "broken-json": "lease", "not-json": "lease", "empty": "lease", "deep-json": "lease", "duplicate-keys": "lease",
    "wrong-types": "lease", "too-large": "lease", "endless": "lease", "raw": "lease",
}


class Faults:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._armed: list[Fault] = []

    def arm(self, name: str, count: int = 1, call: str | None = None, **options: Any) -> Fault:
        if name not in BEFORE and name not in AFTER:
            raise KeyError(f"no fault {name!r}; there are {', '.join(sorted([*BEFORE, *AFTER]))}")
        where = call or USUAL_CALL.get(name, "any")
        if where != "any" and where not in CALLS:
            raise KeyError(f"no call {where!r}; there are {', '.join(CALLS)}")
        fault = Fault(name, count, where, options)
        with self._lock:
            self._armed.append(fault)
        return fault

    def clear(self) -> None:
        with self._lock:
            for fault in self._armed:
                fault.cleared.set()
            self._armed.clear()

    def view(self) -> list[dict[str, Any]]:
        with self._lock:
            return [fault.view() for fault in self._armed]

    def _take(self, call: str, kinds: dict[str, Any], body: Any, path: str) -> Fault | None:
        with self._lock:
            for fault in self._armed:
                if fault.name not in kinds or fault.count == 0 or fault.call not in ("any", call):
                    continue
                above = fault.options.get("whileMaxRequestsAbove")
                if above is not None and not (isinstance(body, dict) and body.get("maxRequests", 0) > above):
                    continue
                if fault.options.get("containing", "") not in str(body):
                    continue
                if fault.options.get("withBody") and body is None or fault.options.get("path", "") not in path:
                    continue
                if fault.options.get("spare", 0) > 0:  # so many of these calls go well before
                    fault.options["spare"] -= 1
                    continue
                fault.count -= 1 if fault.count > 0 else 0
                fault.struck += 1
                return fault
        return None

    def before(self, call: str, body: Any, path: str = "") -> Reply | None:
        fault = self._take(call, BEFORE, body, path)
        if fault is None:
            return None
        reply = BEFORE[fault.name](fault)
        reply.fault = fault.name
        return reply

    def after(self, call: str, body: Any, reply: Reply, context: dict[str, Any]) -> None:
        # An empty poll is no answer worth losing: the fault waits for one that holds something.
        if reply.status >= 300 or call == "lease" and not (reply.value or {}).get("requests"):
            return
        fault = self._take(call, AFTER, body, context.get("self", ""))
        if fault is not None:
            AFTER[fault.name](fault, reply, context)
            reply.fault = fault.name
            reply.validate = False
