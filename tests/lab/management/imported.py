"""Imported certificates as the service stores them: it keeps what it is given and understands none of it."""
from __future__ import annotations

import hashlib
import json
import uuid
from typing import Any

from . import times
from .problem import Problem
from .store import Store

PAGES = 100


def _etag(*parts: Any) -> str:
    return '"' + hashlib.sha256(repr(parts).encode()).hexdigest()[:24] + '"'


class Imported:
    def __init__(self, store: Store) -> None:
        self._store = store

    # -- for connectors -----------------------------------------------------------------------------------------------
    def of_user(self, upn: str, purpose: str) -> tuple[list[dict[str, Any]], str, bool]:
        """The whole history in a fixed order, the ETag that stands for it, and whether all of it came by the API."""
        rows = self._store.rows("SELECT * FROM imports WHERE upn = ? AND purpose = ? ORDER BY seq", upn.lower(), purpose)
        return [json.loads(row["body"]) for row in rows], _etag(upn.lower(), purpose, [(row["id"], row["version"]) for row in rows]), not any(
            row["raw"] for row in rows)

    def other_owner(self, upn: str) -> str | None:
        row = self._store.row("SELECT upn FROM imports WHERE upn <> ? ORDER BY seq LIMIT 1", upn.lower())
        return row["upn"] if row else None

    # -- for the importing tool ---------------------------------------------------------------------------------------
    def add(self, body: dict[str, Any]) -> tuple[dict[str, Any], str]:
        now = times.text(times.now())
        thumbprint = body["thumbprint"].lower()
        owner = uuid.uuid5(uuid.NAMESPACE_URL, body["userPrincipalName"].lower()).hex
        record = {**_present(body), "id": body.get("id") or f"{owner}-{thumbprint}", "thumbprint": thumbprint,
                  "createdDateTime": now, "lastModifiedDateTime": now}
        with self._store.transaction():
            if self._store.row("SELECT 1 FROM imports WHERE id = ? OR upn = ? AND purpose = ? AND json_extract(body, '$.thumbprint') = ?",
                               record["id"], record["userPrincipalName"].lower(), record["intendedPurpose"], thumbprint):
                raise Problem(409, "exists", "a record of that user and thumbprint exists")
            self._put(record, False)
        return record, self.etag(record["id"])

    def replace(self, identifier: str, body: dict[str, Any], if_match: str | None) -> tuple[dict[str, Any], str]:
        with self._store.transaction():
            old = self._checked(identifier, if_match)
            record = {**_present(body), "id": identifier, "createdDateTime": old["createdDateTime"],
                      "lastModifiedDateTime": times.text(times.now())}
            self._put(record, False)
        return record, self.etag(identifier)

    def remove(self, identifier: str, if_match: str | None) -> None:
        with self._store.transaction():
            self._checked(identifier, if_match)
            self._store.write("DELETE FROM imports WHERE id = ?", identifier)

    def whole(self, identifier: str) -> tuple[dict[str, Any], str, bool]:
        """One record with blob and password, its ETag, and whether it came by the API."""
        row = self._store.row("SELECT * FROM imports WHERE id = ?", identifier)
        if row is None:
            raise Problem(404, "notFound", "no such record")
        return json.loads(row["body"]), self.etag(identifier), not row["raw"]

    def entries(self, upn: str | None) -> tuple[list[dict[str, Any]], bool]:
        """Without blob and password; and whether all of it came by the API."""
        result = []
        for record in self.all(upn):
            entry = {key: value for key, value in record.items() if key not in ("encryptedPfxBlob", "encryptedPfxPassword")}
            result.append({**entry, "@odata.etag": self.etag(record["id"])})
        return result, self._store.row("SELECT 1 FROM imports WHERE raw = 1") is None

    def _checked(self, identifier: str, if_match: str | None) -> dict[str, Any]:
        row = self._store.row("SELECT * FROM imports WHERE id = ?", identifier)
        if row is None:
            raise Problem(404, "notFound", "no such record")
        if if_match is None:
            raise Problem(428, "preconditionRequired", "If-Match is missing")
        if if_match != "*" and if_match != self.etag(identifier):
            raise Problem(412, "preconditionFailed", "the record has changed")
        return json.loads(row["body"])

    # -- for tests ----------------------------------------------------------------------------------------------------
    def put_raw(self, record: dict[str, Any]) -> None:
        """A record that no importer would make; answers with it are not validated."""
        self._put(record, True)

    def _put(self, record: dict[str, Any], raw: bool) -> None:
        with self._store.transaction():
            row = self._store.row("SELECT version FROM imports WHERE id = ?", record["id"])
            values = (str(record.get("userPrincipalName", "")).lower(), str(record.get("intendedPurpose", "")), json.dumps(record),
                      times.now_ns(), int(raw), record["id"])
            if row is None:
                self._store.write("INSERT INTO imports (upn, purpose, body, version, raw, id) VALUES (?, ?, ?, ?, ?, ?)", *values)
            else:
                self._store.write("UPDATE imports SET upn = ?, purpose = ?, body = ?, version = ?, raw = ? WHERE id = ?", *values)

    def drop(self, identifier: str | None, upn: str | None = None) -> int:
        if identifier is not None:
            return self._store.write("DELETE FROM imports WHERE id = ?", identifier)
        if upn is not None:
            return self._store.write("DELETE FROM imports WHERE upn = ?", upn.lower())
        return self._store.write("DELETE FROM imports")

    def all(self, upn: str | None = None) -> list[dict[str, Any]]:
        rows = (self._store.rows("SELECT body FROM imports ORDER BY seq") if upn is None
                else self._store.rows("SELECT body FROM imports WHERE upn = ? ORDER BY seq", upn.lower()))
        return [json.loads(row["body"]) for row in rows]

    def etag(self, identifier: str) -> str:
        row = self._store.row("SELECT version FROM imports WHERE id = ?", identifier)
        return _etag(identifier, row["version"] if row else None)


def _present(body: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in body.items() if value is not None}
