-- Which models were well when a breaker last turned: a hint for processes that start later, never a rule. `until` is when
-- an open one is tried again.
CREATE TABLE health (
    model TEXT PRIMARY KEY,
    state TEXT NOT NULL CHECK (state IN ('open', 'closed')),
    until TEXT,
    at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
