-- Money set aside for an attempt before it is sent, with what a row of the ledger needs should its owner die. Nothing
-- wrote the first shape of this table.
--
-- `amount` is the worst case until the attempt has ended, then what it cost. The rows of a request go when the request
-- is recorded. When `lease_until` has passed, the owner is gone, and whoever notices records the request; only the second
-- time, because an owner that slept with its machine gets a moment to wake up.
DROP TABLE reservations;

CREATE TABLE reservations (
    request TEXT NOT NULL,
    n INTEGER NOT NULL,
    process INTEGER REFERENCES processes (id),
    caller TEXT NOT NULL,
    tool TEXT NOT NULL,
    model TEXT NOT NULL,
    tier TEXT NOT NULL,
    kind TEXT NOT NULL,
    reserved INTEGER NOT NULL,
    amount INTEGER NOT NULL,
    at TEXT NOT NULL,
    lease_until TEXT NOT NULL,
    suspect INTEGER NOT NULL DEFAULT 0,
    request_at TEXT NOT NULL,
    policy_hash TEXT NOT NULL,
    signals TEXT NOT NULL,
    reasons TEXT NOT NULL,
    PRIMARY KEY (request, n)
) STRICT, WITHOUT ROWID;

CREATE INDEX reservations_by_lease ON reservations (lease_until);
