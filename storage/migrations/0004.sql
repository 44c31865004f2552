-- Devices are counted by their user's name too: the id is the service's word, and a fresh one for each device would else
-- count none of them.
CREATE INDEX pin_name ON pin (user_principal_name COLLATE NOCASE);
