-- The ledger's first schema.
-- check_value: a keyed check over table, key and every other column of the row (checked_rows.hpp). Times: seconds since
-- 1970, UTC. Tables are STRICT, so that a value cannot change its type unnoticed.

-- One row a request. The order itself stands in `request`, encoded; the columns before it are what is searched by.
CREATE TABLE request (
  id                   TEXT    NOT NULL PRIMARY KEY,
  kind                 TEXT    NOT NULL,
  user_id              TEXT    NOT NULL,
  user_principal_name  TEXT    NOT NULL COLLATE NOCASE,
  device_id            TEXT    NOT NULL,
  created_at           INTEGER NOT NULL,
  stage                TEXT    NOT NULL,
  version              INTEGER NOT NULL,
  accepted_at          INTEGER NOT NULL,
  updated_at           INTEGER NOT NULL,
  due_at               INTEGER NOT NULL,
  tries                INTEGER NOT NULL,
  deaths               INTEGER NOT NULL,
  in_work              INTEGER NOT NULL,
  failing_since        INTEGER,
  authority            TEXT,
  held_reason          TEXT,
  held_detail          TEXT,
  held_since           INTEGER,
  order_hash           BLOB,
  request              BLOB,
  sealed_key           BLOB,
  csr                  BLOB,
  submission_nonce     BLOB,
  spki_sha256          BLOB,
  authority_request_id TEXT,
  certificate          BLOB,
  chain                BLOB,
  sealed_package       BLOB,
  failure_code         TEXT,
  failure_message      TEXT,
  failure_retryable    INTEGER,
  failure_status       TEXT,
  outcome              TEXT,
  revoke_certificate   INTEGER NOT NULL,
  check_value          BLOB    NOT NULL
) STRICT;
-- A closed row stands in the last index only: there are a hundred times as many of them as of open ones.
-- What waits for a dead authority is passed over within the index.
CREATE INDEX request_due ON request (due_at, deaths, authority)
  WHERE stage NOT IN ('packaged', 'refused', 'held', 'abandoned', 'closed');
CREATE INDEX request_alone ON request (due_at)
  WHERE deaths >= 2 AND stage NOT IN ('packaged', 'refused', 'held', 'abandoned', 'closed');
CREATE INDEX request_in_work ON request (id) WHERE in_work <> 0;
CREATE INDEX request_outbox ON request (due_at) WHERE stage IN ('packaged', 'refused') OR (stage = 'abandoned' AND outcome IS NULL);
CREATE INDEX request_open ON request (stage, accepted_at) WHERE stage <> 'closed';
CREATE INDEX request_whose ON request (user_id, device_id) WHERE stage <> 'closed';
CREATE INDEX request_closed ON request (updated_at) WHERE stage = 'closed';

-- Apart from the request, because intake and renewal write it while a worker holds the record.
CREATE TABLE lease (
  request     TEXT    NOT NULL PRIMARY KEY,
  id          TEXT    NOT NULL,
  expires_at  INTEGER NOT NULL,
  attempt     INTEGER NOT NULL,
  check_value BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE pin (
  device              TEXT    NOT NULL PRIMARY KEY,
  user_id             TEXT    NOT NULL,
  user_principal_name TEXT    NOT NULL,
  spki_sha256         BLOB    NOT NULL,
  certificate_sha256  BLOB    NOT NULL,
  source              TEXT    NOT NULL,
  first_seen          INTEGER NOT NULL,
  last_seen           INTEGER NOT NULL,
  check_value         BLOB    NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX pin_user ON pin (user_id);

CREATE TABLE block (
  thing       TEXT    NOT NULL,
  value       TEXT    NOT NULL,
  by          TEXT    NOT NULL,
  since       INTEGER NOT NULL,
  check_value BLOB    NOT NULL,
  PRIMARY KEY (thing, value)
) STRICT, WITHOUT ROWID;

CREATE TABLE approval (
  user_id     TEXT    NOT NULL,
  device      TEXT    NOT NULL,
  spki_sha256 BLOB    NOT NULL,
  by          TEXT    NOT NULL,
  given       INTEGER NOT NULL,
  expires     INTEGER NOT NULL,
  check_value BLOB    NOT NULL,
  PRIMARY KEY (user_id, device, spki_sha256)
) STRICT, WITHOUT ROWID;

-- At most one row: the last window opened.
CREATE TABLE enrolment_window (
  slot        INTEGER NOT NULL PRIMARY KEY,
  opened      INTEGER NOT NULL,
  until       INTEGER NOT NULL,
  max         INTEGER NOT NULL,
  used        INTEGER NOT NULL,
  by          TEXT    NOT NULL,
  check_value BLOB    NOT NULL
) STRICT;

CREATE TABLE issued (
  sha256            BLOB    NOT NULL PRIMARY KEY,
  authority         TEXT    NOT NULL,
  issuer            TEXT    NOT NULL,
  serial_number     TEXT    NOT NULL,
  spki_sha256       BLOB    NOT NULL,
  user_id           TEXT    NOT NULL,
  device            TEXT    NOT NULL,
  request           TEXT    NOT NULL,
  issued_at         INTEGER NOT NULL,
  not_after         INTEGER NOT NULL,
  revoked_at        INTEGER,
  revocation_reason TEXT    NOT NULL,
  check_value       BLOB    NOT NULL
) STRICT;
CREATE INDEX issued_serial ON issued (serial_number);
CREATE INDEX issued_key ON issued (spki_sha256);
CREATE INDEX issued_order ON issued (issued_at);
CREATE INDEX issued_end ON issued (not_after);

-- Every key made here, so that it is never taken for a device's and never given to two people.
CREATE TABLE generated_key (
  spki_sha256 BLOB    NOT NULL PRIMARY KEY,
  request     TEXT    NOT NULL,
  made_at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX generated_key_age ON generated_key (made_at);

-- Entries `first` … `last` exist without a gap (first = last + 1: none).
CREATE TABLE meter (
  name             TEXT    NOT NULL,
  scope            TEXT    NOT NULL,
  first            INTEGER NOT NULL,
  last             INTEGER NOT NULL,
  window_seconds   INTEGER NOT NULL,
  limit_last       INTEGER NOT NULL,
  counts_subjects  INTEGER NOT NULL,
  check_value      BLOB    NOT NULL,
  PRIMARY KEY (name, scope)
) STRICT, WITHOUT ROWID;

CREATE TABLE meter_entry (
  meter       TEXT    NOT NULL,
  scope       TEXT    NOT NULL,
  n           INTEGER NOT NULL,
  subject     TEXT    NOT NULL,
  at          INTEGER NOT NULL,
  check_value BLOB    NOT NULL,
  PRIMARY KEY (meter, scope, n)
) STRICT, WITHOUT ROWID;

-- One row, written with every commit group: what ties the other tables together and the whole to the audit log.
CREATE TABLE ledger_state (
  slot         INTEGER NOT NULL PRIMARY KEY,
  generation   INTEGER NOT NULL,
  sequence     INTEGER NOT NULL,
  audit_seq    INTEGER NOT NULL,
  audit_link   BLOB    NOT NULL,
  meters       INTEGER NOT NULL,
  meter_total  INTEGER NOT NULL,
  pins         INTEGER NOT NULL,
  blocks       INTEGER NOT NULL,
  delivered    INTEGER NOT NULL,
  failed       INTEGER NOT NULL,
  check_value  BLOB    NOT NULL
) STRICT;

-- Rows whose check failed, as they were found. Never read back into a decision.
CREATE TABLE quarantine (
  source TEXT NOT NULL,
  key    TEXT NOT NULL,
  octets BLOB NOT NULL,
  PRIMARY KEY (source, key)
) STRICT, WITHOUT ROWID;
