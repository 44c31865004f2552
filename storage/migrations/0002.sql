-- What was delivered of imported certificates, so that it can be told without the service; and a check value for the keys
-- made here. The old table's rows are signed and put into the new one by the ledger, in this same transaction
-- (SqliteLedger::open): no SQL has the key for that.
DROP INDEX generated_key_age;
ALTER TABLE generated_key RENAME TO generated_key_unsigned;
CREATE TABLE generated_key (
  spki_sha256 BLOB    NOT NULL PRIMARY KEY,
  request     TEXT    NOT NULL,
  made_at     INTEGER NOT NULL,
  check_value BLOB    NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX generated_key_age ON generated_key (made_at);

-- The last delivery that the service has taken, for each user, device and purpose: what it held and what it left out.
CREATE TABLE delivery (
  user_id             TEXT    NOT NULL,
  device              TEXT    NOT NULL,
  purpose             TEXT    NOT NULL,
  user_principal_name TEXT    NOT NULL COLLATE NOCASE,
  request             TEXT    NOT NULL,
  delivered_at        INTEGER NOT NULL,
  certificates        INTEGER NOT NULL,
  omitted             BLOB    NOT NULL,
  check_value         BLOB    NOT NULL,
  PRIMARY KEY (user_id, device, purpose)
) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_name ON delivery (user_principal_name);
CREATE INDEX delivery_age ON delivery (delivered_at);

-- Every imported certificate that a device has had from here.
CREATE TABLE delivered_certificate (
  user_id      TEXT    NOT NULL,
  device       TEXT    NOT NULL,
  purpose      TEXT    NOT NULL,
  sha256       BLOB    NOT NULL,
  thumbprint   TEXT    NOT NULL,
  not_before   INTEGER NOT NULL,
  not_after    INTEGER NOT NULL,
  first_at     INTEGER NOT NULL,
  delivered_at INTEGER NOT NULL,
  check_value  BLOB    NOT NULL,
  PRIMARY KEY (user_id, device, purpose, sha256)
) STRICT, WITHOUT ROWID;
CREATE INDEX delivered_certificate_end ON delivered_certificate (not_after);
