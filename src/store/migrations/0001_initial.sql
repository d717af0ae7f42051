-- Times are RFC 3339 text in UTC with nine decimals, so that they sort as text. Days are YYYY-MM-DD.
-- Money is integer nano-dollars. Durations are milliseconds with fractions, exact to the nanosecond.

CREATE TABLE counters (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The last task number that was given out. It only rises, so a number is never used again.
INSERT INTO counters (name, value) VALUES ('task', 0);

CREATE TABLE tasks (
    id INTEGER PRIMARY KEY,
    title TEXT NOT NULL,
    description TEXT,
    priority TEXT NOT NULL CHECK (priority IN ('low', 'normal', 'high', 'urgent')),
    status TEXT NOT NULL CHECK (status IN ('pending', 'in_progress', 'completed', 'cancelled')),
    due_date TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    completed_at TEXT,
    assignee TEXT,
    -- The assignee in lower case, by the rules of Unicode, which SQLite's own NOCASE does not know.
    assignee_key TEXT,
    estimate_minutes INTEGER,
    project TEXT,
    parent_id INTEGER REFERENCES tasks (id),
    version INTEGER NOT NULL,
    -- A deleted task keeps its row and its history.
    deleted_at TEXT,
    priority_rank INTEGER NOT NULL GENERATED ALWAYS AS (
        CASE priority WHEN 'urgent' THEN 0 WHEN 'high' THEN 1 WHEN 'normal' THEN 2 ELSE 3 END
    ) VIRTUAL,
    -- '~' sorts behind every day: undated tasks come last.
    due_key TEXT NOT NULL GENERATED ALWAYS AS (coalesce(due_date, '~')) VIRTUAL
) STRICT;

CREATE INDEX tasks_by_due ON tasks (due_key, id) WHERE deleted_at IS NULL;
CREATE INDEX tasks_by_priority ON tasks (priority_rank, id) WHERE deleted_at IS NULL;
CREATE INDEX tasks_by_update ON tasks (updated_at DESC, id) WHERE deleted_at IS NULL;
CREATE INDEX tasks_by_status ON tasks (status) WHERE deleted_at IS NULL;
CREATE INDEX tasks_by_parent ON tasks (parent_id) WHERE parent_id IS NOT NULL;

CREATE TABLE task_tags (
    task INTEGER NOT NULL REFERENCES tasks (id),
    tag TEXT NOT NULL,
    PRIMARY KEY (task, tag)
) STRICT, WITHOUT ROWID;

CREATE INDEX task_tags_by_tag ON task_tags (tag, task);

CREATE TABLE task_dependencies (
    task INTEGER NOT NULL REFERENCES tasks (id),
    needs INTEGER NOT NULL REFERENCES tasks (id),
    PRIMARY KEY (task, needs)
) STRICT, WITHOUT ROWID;

CREATE INDEX task_dependencies_by_need ON task_dependencies (needs, task);

CREATE TABLE task_events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    task INTEGER NOT NULL REFERENCES tasks (id),
    at TEXT NOT NULL,
    "by" TEXT NOT NULL,
    what TEXT NOT NULL,
    "before" TEXT,
    "after" TEXT
) STRICT;

CREATE INDEX task_events_by_task ON task_events (task, seq);

CREATE TABLE idempotency_keys (
    key TEXT PRIMARY KEY,
    body TEXT NOT NULL,
    task INTEGER NOT NULL REFERENCES tasks (id),
    at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE processes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    pid INTEGER NOT NULL,
    started TEXT NOT NULL,
    policy_hash TEXT NOT NULL,
    heartbeat TEXT NOT NULL
) STRICT;

-- One row per request. `seq` rises in the order of commits, so rows can be tailed.
-- `signals` and `reasons` are JSON: all signals, and the whole decision.
CREATE TABLE requests (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    at TEXT NOT NULL,
    process INTEGER REFERENCES processes (id),
    door TEXT NOT NULL,
    caller TEXT NOT NULL,
    tool TEXT NOT NULL,
    route TEXT NOT NULL,
    policy_hash TEXT NOT NULL,
    tier_wanted TEXT NOT NULL,
    complexity REAL NOT NULL,
    signals TEXT NOT NULL,
    status TEXT NOT NULL,
    model TEXT,
    attempts INTEGER NOT NULL,
    tokens_in INTEGER NOT NULL,
    tokens_cached INTEGER NOT NULL,
    tokens_out INTEGER NOT NULL,
    cost INTEGER NOT NULL,
    wasted INTEGER NOT NULL,
    counterfactual INTEGER,
    cache TEXT NOT NULL,
    latency_ms REAL NOT NULL,
    ttft_ms REAL,
    reasons TEXT NOT NULL,
    prompt TEXT,
    failure TEXT
) STRICT;

CREATE INDEX requests_by_time ON requests (at);

CREATE TABLE attempts (
    request TEXT NOT NULL REFERENCES requests (id),
    n INTEGER NOT NULL,
    model TEXT NOT NULL,
    tier TEXT NOT NULL,
    kind TEXT NOT NULL,
    result TEXT NOT NULL,
    check_reason TEXT,
    check_why TEXT,
    kept_back TEXT,
    failure TEXT,
    tokens_in INTEGER NOT NULL,
    tokens_cached INTEGER NOT NULL,
    tokens_out INTEGER NOT NULL,
    usage TEXT NOT NULL,
    reserved INTEGER NOT NULL,
    cost INTEGER NOT NULL,
    started_at TEXT NOT NULL,
    ttft_ms REAL,
    latency_ms REAL NOT NULL,
    http_status INTEGER,
    PRIMARY KEY (request, n)
) STRICT, WITHOUT ROWID;

CREATE INDEX attempts_by_time ON attempts (started_at, model, cost);

-- Money set aside for an attempt that is under way. When `lease_until` has passed and the row is still here, its owner
-- is gone, and it is settled at its worst case.
CREATE TABLE reservations (
    request TEXT NOT NULL,
    n INTEGER NOT NULL,
    process INTEGER REFERENCES processes (id),
    model TEXT NOT NULL,
    reserved INTEGER NOT NULL,
    at TEXT NOT NULL,
    lease_until TEXT NOT NULL,
    PRIMARY KEY (request, n)
) STRICT, WITHOUT ROWID;

-- Work that one process at a time does for all, and how far it came.
CREATE TABLE leases (
    name TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    until TEXT NOT NULL,
    cursor INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
