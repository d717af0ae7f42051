-- The budget that kept a try back: how much is left of it says nothing of what the next call could cost.
ALTER TABLE attempts ADD COLUMN budget TEXT;

CREATE INDEX attempts_by_budget ON attempts (started_at) WHERE budget IS NOT NULL;
