-- The limit of the caller's that left a request without an answer, and how long to wait before the next one.
ALTER TABLE requests ADD COLUMN kept_back TEXT;
ALTER TABLE requests ADD COLUMN wait_ms REAL;
