-- Which wording of a tool's prompt a request was written with; null in rows from before, whose checks are not counted.
ALTER TABLE requests ADD COLUMN prompt_version TEXT;

-- The checked answers alone, by time: what pass rates are read from when a process starts.
CREATE INDEX attempts_checked ON attempts (started_at) WHERE result IN ('accepted', 'rejected');
