-- The fingerprint of the message at the position: its source, last record and digest.
ALTER TABLE consumer_position ADD COLUMN mark text;
