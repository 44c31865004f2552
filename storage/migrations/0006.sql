-- Whose a delivered certificate is, by name: the user id is the service's word. And a digest over each deciding table's
-- check values, so that an older row put back shows, and one that is missing; the numbers of rows are not needed any
-- more. The ledger signs what changed anew, in this same transaction (migration_steps.cpp).
ALTER TABLE delivered_certificate ADD COLUMN user_principal_name TEXT NOT NULL DEFAULT '';
CREATE INDEX delivered_certificate_name ON delivered_certificate (user_principal_name, purpose);
CREATE INDEX pin_key ON pin (spki_sha256);
ALTER TABLE ledger_state ADD COLUMN digests BLOB NOT NULL DEFAULT x'';
