-- The red button: what is stopped, which limits are raised for a time, who has spoken for a held request.
-- The state row counts the stops, so that one that is taken away shows. It is signed anew by the ledger, in this same
-- transaction (SqliteLedger::open), if it was sound before.
ALTER TABLE ledger_state ADD COLUMN stops INTEGER NOT NULL DEFAULT 0;

CREATE TABLE stop (
  kind        TEXT    NOT NULL,
  cause       TEXT    NOT NULL,
  limit_name  TEXT    NOT NULL,
  by          TEXT    NOT NULL,
  reason      TEXT    NOT NULL,
  since       INTEGER NOT NULL,
  check_value BLOB    NOT NULL,
  PRIMARY KEY (kind, cause, limit_name)
) STRICT, WITHOUT ROWID;

-- A row that is gone lowers a limit: nothing counts these.
CREATE TABLE raised_limit (
  limit_name  TEXT    NOT NULL PRIMARY KEY,
  raised_to   INTEGER NOT NULL,
  by          TEXT    NOT NULL,
  reason      TEXT    NOT NULL,
  given       INTEGER NOT NULL,
  until       INTEGER NOT NULL,
  check_value BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

-- Since when a limit that had tripped counts towards the next trip. A row that is gone trips sooner.
CREATE TABLE thawed_limit (
  limit_name  TEXT    NOT NULL PRIMARY KEY,
  at          INTEGER NOT NULL,
  check_value BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

-- A row that is gone asks the person again.
CREATE TABLE vote (
  request     TEXT    NOT NULL,
  about       BLOB    NOT NULL,
  by          TEXT    NOT NULL,
  order_hash  BLOB    NOT NULL,
  spki_sha256 BLOB    NOT NULL,
  given       INTEGER NOT NULL,
  expires     INTEGER NOT NULL,
  check_value BLOB    NOT NULL,
  PRIMARY KEY (request, about, by)
) STRICT, WITHOUT ROWID;
CREATE INDEX vote_end ON vote (expires);
