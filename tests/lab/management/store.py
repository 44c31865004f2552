"""The service's memory: one SQLite file, one connection, one lock.

Whoever waits for something new waits on `changed`, which every finished transaction rings.
"""
from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator

SCHEMA = """
CREATE TABLE IF NOT EXISTS tokens (
  token TEXT PRIMARY KEY, created REAL NOT NULL, expires REAL NOT NULL, used REAL, csr TEXT, answer TEXT);
CREATE TABLE IF NOT EXISTS connectors (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, version TEXT NOT NULL, platform TEXT NOT NULL, features TEXT NOT NULL, enrolled REAL NOT NULL,
  removed INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS certificates (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, sha256 TEXT NOT NULL UNIQUE, connector TEXT NOT NULL, spki TEXT NOT NULL, issued REAL NOT NULL,
  approved INTEGER NOT NULL, used REAL);
CREATE TABLE IF NOT EXISTS requests (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, user TEXT NOT NULL, device TEXT NOT NULL,
  body TEXT NOT NULL,
  raw INTEGER NOT NULL, created REAL NOT NULL, queued REAL NOT NULL, state TEXT NOT NULL, lease TEXT, connector TEXT, expires REAL,
  attempt INTEGER NOT NULL DEFAULT 0,
  result TEXT, accepted TEXT, finished REAL);
CREATE INDEX IF NOT EXISTS requests_state ON requests (state, seq);
CREATE INDEX IF NOT EXISTS requests_lease ON requests (lease);
CREATE TABLE IF NOT EXISTS leases (lease TEXT PRIMARY KEY, request TEXT NOT NULL, connector TEXT NOT NULL, created REAL NOT NULL);
CREATE INDEX IF NOT EXISTS leases_request ON leases (request);
CREATE TABLE IF NOT EXISTS reports (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, request TEXT NOT NULL, connector TEXT NOT NULL, received REAL NOT NULL, result TEXT NOT NULL,
  outcome TEXT NOT NULL, detail TEXT);
CREATE INDEX IF NOT EXISTS reports_request ON reports (request);
CREATE TABLE IF NOT EXISTS replays (
  connector TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL, answer TEXT NOT NULL, created REAL NOT NULL, PRIMARY KEY (connector, key));
CREATE TABLE IF NOT EXISTS imports (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, upn TEXT NOT NULL, purpose TEXT NOT NULL, body TEXT NOT NULL, version INTEGER NOT NULL,
  raw INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS imports_owner ON imports (upn, purpose);
CREATE TABLE IF NOT EXISTS heartbeats (seq INTEGER PRIMARY KEY AUTOINCREMENT, connector TEXT NOT NULL, received REAL NOT NULL, body TEXT NOT NULL);
"""


class Store:
    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self.changed = threading.Condition(self._lock)
        self._depth = 0
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.row_factory = sqlite3.Row
        self._database.execute("PRAGMA journal_mode=WAL")
        # The lab survives being killed, not a power cut; a commit need not wait for the disk.
        self._database.execute("PRAGMA synchronous=OFF")
        self._database.executescript(SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self._lock:
            if self._depth == 0:
                self._database.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
            except BaseException:
                self._depth -= 1
                if self._depth == 0:
                    self._database.execute("ROLLBACK")
                raise
            self._depth -= 1
            if self._depth == 0:
                self._database.execute("COMMIT")
                self.changed.notify_all()

    def rows(self, statement: str, *values: Any) -> list[sqlite3.Row]:
        with self._lock:
            return self._database.execute(statement, values).fetchall()

    def row(self, statement: str, *values: Any) -> sqlite3.Row | None:
        found = self.rows(statement, *values)
        return found[0] if found else None

    def write(self, statement: str, *values: Any) -> int:
        with self.transaction():
            return self._database.execute(statement, values).rowcount

    def close(self) -> None:
        with self._lock:
            self._database.close()
