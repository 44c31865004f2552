-- A word is for a person by name: the user id alone is the service's word. Words given before do not say for whom, and
-- end here; what they were for is held once more.
DROP TABLE approval;
CREATE TABLE approval (
  user_id             TEXT    NOT NULL,
  device              TEXT    NOT NULL,
  spki_sha256         BLOB    NOT NULL,
  user_principal_name TEXT    NOT NULL,
  by                  TEXT    NOT NULL,
  given               INTEGER NOT NULL,
  expires             INTEGER NOT NULL,
  check_value         BLOB    NOT NULL,
  PRIMARY KEY (user_id, device, spki_sha256)
) STRICT, WITHOUT ROWID;
