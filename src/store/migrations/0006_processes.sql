-- What a process is for, which policy it refused last (null: the last one that it read is in use), and when it ended. One
-- that was killed has no end, only an old heartbeat.
ALTER TABLE processes ADD COLUMN command TEXT NOT NULL DEFAULT '';
ALTER TABLE processes ADD COLUMN refused TEXT;
ALTER TABLE processes ADD COLUMN ended TEXT;
