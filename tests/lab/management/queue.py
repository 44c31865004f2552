"""The queue: requests, leases, results, withdrawal.

Results are judged by the request and not by the age of the lease. The first acceptable one wins.
"""
from __future__ import annotations

import json
import secrets
import sqlite3
from typing import Any, Sequence

from . import judge, times
from .settings import Settings
from .store import Store

OPEN = ("queued", "leased")


class Queue:
    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings

    # -- what comes in ------------------------------------------------------------------------------------------------
    def add(self, body: dict[str, Any], raw: bool = False) -> str:
        """`raw`: the body is passed on as it is, however wrong; else what is missing of the common fields is filled in."""
        body = {key: value for key, value in body.items() if raw or key not in ("leaseId", "leaseExpiresAt", "attempt")}
        now = times.now()
        with self._store.transaction():
            identifier = body.get("id")
            if not isinstance(identifier, str) or not identifier:
                identifier = "r-" + secrets.token_hex(6)
                if not raw:
                    body["id"] = identifier
            if not raw:
                body.setdefault("createdAt", times.text(now))
            created = _moment(body.get("createdAt"), now)
            values = (str(body.get("kind")), _inner(body, "user"), _inner(body, "device"), json.dumps(body), int(raw), created, now)
            # A closed id that comes again is a new order; an open one is overwritten, as a service that changes its mind would.
            if self._store.row("SELECT 1 FROM requests WHERE id = ?", identifier):
                self._store.write("UPDATE requests SET kind = ?, user = ?, device = ?, body = ?, raw = ?, created = ?, queued = ?, state = 'queued', "
                                  "lease = NULL, connector = NULL, expires = NULL, attempt = 0, result = NULL, accepted = NULL, finished = NULL "
                                  "WHERE id = ?", *values, identifier)
            else:
                self._store.write("INSERT INTO requests (kind, user, device, body, raw, created, queued, state, id) "
                                  "VALUES (?, ?, ?, ?, ?, ?, ?, 'queued', ?)",
                                  *values, identifier)
            if body.get("kind") == "pfx.withdraw":
                self._end_withdrawn(values[1], values[2], created)
        return identifier

    def _end_withdrawn(self, user: str, device: str, created: float) -> None:
        # A revocation is not ended by a withdrawal: nothing that was asked to be revoked becomes good by it.
        self._store.write("UPDATE requests SET state = 'cancelled', finished = ?, lease = NULL WHERE user = ? AND device = ? AND created <= ? "
                          "AND state IN ('queued', 'leased') AND kind NOT IN ('pfx.withdraw', 'certificate.revoke')",
                          times.now(), user, device, created)

    def cancel(self, identifiers: Sequence[str]) -> int:
        with self._store.transaction():
            return sum(self._store.write("UPDATE requests SET state = 'cancelled', finished = ?, lease = NULL WHERE id = ? "
                                         "AND state IN ('queued', 'leased')", times.now(), each) for each in identifiers)

    def change(self, identifier: str, patch: dict[str, Any]) -> bool:
        """The same id with other content from the next lease on; nested objects are merged."""
        with self._store.transaction():
            row = self._store.row("SELECT * FROM requests WHERE id = ?", identifier)
            if row is None:
                return False
            body = _merged(json.loads(row["body"]), patch)
            self._store.write("UPDATE requests SET body = ?, user = ?, device = ?, kind = ? WHERE id = ?", json.dumps(body),
                              _inner(body, "user"), _inner(body, "device"), str(body.get("kind")), identifier)
            return True

    def clear(self) -> None:
        with self._store.transaction():
            for table in ("requests", "leases", "reports", "replays"):
                self._store.write(f"DELETE FROM {table}")

    # -- leasing ------------------------------------------------------------------------------------------------------
    def lease(self, connector: str, most: int, kinds: Sequence[str]) -> list[tuple[dict[str, Any], bool]]:
        """What is free now, oldest first, each with whether it is raw."""
        now = times.now()
        expires = now + self._settings.lease_seconds
        marks = ",".join("?" * len(kinds))
        result = []
        free = (f"FROM requests WHERE (kind IN ({marks}) OR raw = 1) AND "
                "(state = 'queued' OR state = 'leased' AND expires <= ?) ORDER BY seq LIMIT ?")
        # Looked for without a transaction first: a waiting poll must not ring the bell that wakes it.
        if not self._store.row(f"SELECT 1 {free}", *kinds, now, 1):
            return []
        with self._store.transaction():
            for row in self._store.rows(f"SELECT * {free}", *kinds, now, most):
                lease = "l-" + secrets.token_hex(8)
                attempt = row["attempt"] + 1
                self._store.write("UPDATE requests SET state = 'leased', lease = ?, connector = ?, expires = ?, attempt = ? WHERE seq = ?",
                                  lease, connector, expires, attempt, row["seq"])
                self._store.write("INSERT INTO leases (lease, request, connector, created) VALUES (?, ?, ?, ?)", lease, row["id"], connector, now)
                body = json.loads(row["body"])
                given = {"leaseId": lease, "leaseExpiresAt": times.text(expires + self._settings.date_skew_seconds), "attempt": attempt}
                result.append(({**given, **body} if row["raw"] else {**body, **given}, bool(row["raw"])))
        return result

    def next_expiry(self) -> float | None:
        row = self._store.row("SELECT min(expires) AS soonest FROM requests WHERE state = 'leased'")
        return row["soonest"] if row else None

    def renew(self, connector: str, leases: Sequence[str]) -> dict[str, Any]:
        now = times.now()
        expires = now + self._settings.lease_seconds
        renewed, lost = [], []
        with self._store.transaction():
            for lease in dict.fromkeys(leases):
                held = self._store.write("UPDATE requests SET expires = ? WHERE lease = ? AND connector = ? AND state = 'leased' AND expires > ?",
                                         expires, lease, connector, now)
                if held:
                    renewed.append({"leaseId": lease, "leaseExpiresAt": times.text(expires + self._settings.date_skew_seconds)})
                else:
                    lost.append(lease)
        return {"renewed": renewed, "lost": lost}

    def expire(self, identifiers: Sequence[str] | None = None) -> int:
        with self._store.transaction():
            if identifiers is None:
                return self._store.write("UPDATE requests SET expires = 0 WHERE state = 'leased'")
            return sum(self._store.write("UPDATE requests SET expires = 0 WHERE id = ? AND state = 'leased'", each) for each in identifiers)

    def holder(self, connector: str, lease: str) -> dict[str, Any] | None:
        """The request behind a live lease of this connector."""
        row = self._store.row("SELECT body FROM requests WHERE lease = ? AND connector = ? AND state = 'leased' AND expires > ?",
                              lease, connector, times.now())
        return json.loads(row["body"]) if row else None

    # -- results ------------------------------------------------------------------------------------------------------
    def report(self, connector: str, results: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        with self._store.transaction():
            return [self._outcome(connector, result) for result in results]

    def _outcome(self, connector: str, result: dict[str, Any]) -> dict[str, Any]:
        identifier = result["requestId"]
        row = self._store.row("SELECT * FROM requests WHERE id = ?", identifier)
        outcome: dict[str, Any] = {"requestId": identifier, "outcome": "rejected"}
        lease = self._store.row("SELECT * FROM leases WHERE lease = ?", result["leaseId"])
        if row is None:
            outcome["detail"] = "no such request"
        elif lease is None or lease["request"] != identifier or lease["connector"] != connector:
            outcome["detail"] = "/leaseId: not a lease of this request and connector"
        elif row["state"] == "cancelled":
            outcome["outcome"] = "cancelled"
        elif row["state"] == "done":
            outcome.update(self._again(row, result))
        else:
            detail = judge.fault(json.loads(row["body"]), result)
            if detail:
                outcome["detail"] = detail
            else:
                outcome["outcome"] = "accepted"
                self._store.write("UPDATE requests SET state = 'done', result = ?, accepted = ?, finished = ?, lease = NULL WHERE seq = ?",
                                  json.dumps(result), json.dumps(judge.sha256_set(result)), times.now(), row["seq"])
        self._store.write("INSERT INTO reports (request, connector, received, result, outcome, detail) VALUES (?, ?, ?, ?, ?, ?)",
                          identifier, connector, times.now(), json.dumps(result), outcome["outcome"], outcome.get("detail"))
        return outcome

    @staticmethod
    def _again(row: sqlite3.Row, result: dict[str, Any]) -> dict[str, Any]:
        accepted = json.loads(row["accepted"])
        same_status = json.loads(row["result"])["status"] == result["status"]
        if same_status and accepted == judge.sha256_set(result):
            return {"outcome": "duplicate"}
        return {"outcome": "superseded", "accepted": accepted}

    # -- what a test asks ---------------------------------------------------------------------------------------------
    def view(self, row: sqlite3.Row) -> dict[str, Any]:
        reports = self._store.rows("SELECT * FROM reports WHERE request = ? ORDER BY seq", row["id"])
        leases = self._store.rows("SELECT * FROM leases WHERE request = ? ORDER BY created", row["id"])
        return {
            "id": row["id"], "kind": row["kind"], "state": row["state"], "attempt": row["attempt"], "connector": row["connector"],
            "leaseId": row["lease"], "leaseExpires": row["expires"], "queued": row["queued"], "finished": row["finished"],
            "request": json.loads(row["body"]), "result": json.loads(row["result"]) if row["result"] else None,
            "reports": [{"result": json.loads(each["result"]), "outcome": each["outcome"], "detail": each["detail"],
                         "received": each["received"], "connector": each["connector"]} for each in reports],
            "leases": [{"leaseId": each["lease"], "connector": each["connector"], "created": each["created"]} for each in leases],
        }

    def find(self, identifiers: Sequence[str] | None = None, state: str | None = None) -> list[dict[str, Any]]:
        if identifiers is not None:
            rows = [row for each in identifiers if (row := self._store.row("SELECT * FROM requests WHERE id = ?", each)) is not None]
        elif state is not None:
            rows = self._store.rows("SELECT * FROM requests WHERE state = ? ORDER BY seq", state)
        else:
            rows = self._store.rows("SELECT * FROM requests ORDER BY seq")
        return [self.view(row) for row in rows]

    def counts(self) -> dict[str, int]:
        return {row["state"]: row["n"] for row in self._store.rows("SELECT state, count(*) AS n FROM requests GROUP BY state")}

    def unfinished(self, identifiers: Sequence[str] | None) -> int:
        if identifiers is None:
            row = self._store.row("SELECT count(*) AS n FROM requests WHERE state IN ('queued', 'leased')")
            return row["n"] if row else 0
        return sum(1 for each in identifiers
                   if (row := self._store.row("SELECT state FROM requests WHERE id = ?", each)) is None or row["state"] in OPEN)

    def bodies(self) -> list[dict[str, Any]]:
        """Every request ever queued: what an evil service has at hand."""
        return [json.loads(row["body"]) for row in self._store.rows("SELECT body FROM requests ORDER BY seq LIMIT 1000")]


def _inner(body: dict[str, Any], name: str) -> str:
    inner = body.get(name)
    value = inner.get("id") if isinstance(inner, dict) else None
    return value if isinstance(value, str) else ""


def _moment(value: Any, otherwise: float) -> float:
    try:
        return times.parse(value)
    except (TypeError, ValueError):
        return otherwise


def _merged(base: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = _merged(result[key], value)
        else:
            result[key] = value
    return result
