-- What may not go back: the newest list that an importer has signed for each owner and purpose, and the newest time seen.
-- The rows of `signed_list` are counted in `high_water`, so that one that is taken away shows. That row is made by the
-- ledger, in this same transaction (SqliteLedger::open), where the state was sound.
CREATE TABLE signed_list (
  user_principal_name TEXT    NOT NULL,
  purpose             TEXT    NOT NULL,
  sequence            INTEGER NOT NULL,
  signed_at           INTEGER NOT NULL,
  certificates        BLOB    NOT NULL,
  seen_at             INTEGER NOT NULL,
  check_value         BLOB    NOT NULL,
  PRIMARY KEY (user_principal_name, purpose)
) STRICT, WITHOUT ROWID;

CREATE TABLE high_water (
  slot        INTEGER NOT NULL PRIMARY KEY,
  newest_time INTEGER NOT NULL,
  lists       INTEGER NOT NULL,
  check_value BLOB    NOT NULL
) STRICT;

-- Devices are counted by their user's name too: the id is the service's word, and a fresh one for each device would else
-- count none of them.
CREATE INDEX pin_name ON pin (user_principal_name COLLATE NOCASE);
