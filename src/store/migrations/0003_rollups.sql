-- Sums over the ledger, kept with it in the same transactions, so that they never lag: one row for each combination that
-- occurred in a span of time. Money is integer nano-dollars.
--
-- Every request and every attempt is in two spans: a quarter of an hour (900 seconds) and a day of UTC (86400). `start`
-- is in seconds since 1970. Days of any time zone begin at a full quarter, so any of them, and any stretch between two
-- of them, is a sum of whole spans, also after the policy's zone has changed.
--
-- A request counts where it came in, under the model and tier whose answer was used ('' and 'none': no model's). An
-- attempt counts where it began, under its own model and tier. `status` is the request's, for both.
CREATE TABLE rollups (
    span INTEGER NOT NULL CHECK (span IN (900, 86400)),
    start INTEGER NOT NULL,
    tier TEXT NOT NULL,
    model TEXT NOT NULL,
    tool TEXT NOT NULL,
    route TEXT NOT NULL,
    caller TEXT NOT NULL,
    door TEXT NOT NULL,
    status TEXT NOT NULL,
    requests INTEGER NOT NULL,
    latency_us INTEGER NOT NULL,
    -- What the answers of models would have cost at the first priced model of the highest tier, and how many of them
    -- have no such price.
    counterfactual INTEGER NOT NULL,
    counterfactual_unknown INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    -- Of these were never sent.
    skipped INTEGER NOT NULL,
    accepted INTEGER NOT NULL,
    rejected INTEGER NOT NULL,
    escalations INTEGER NOT NULL,
    tokens_in INTEGER NOT NULL,
    tokens_cached INTEGER NOT NULL,
    tokens_out INTEGER NOT NULL,
    -- The part of tokens and cost that is estimated, and how many attempts used nobody knows how much.
    tokens_estimated INTEGER NOT NULL,
    cost_estimated INTEGER NOT NULL,
    usage_unknown INTEGER NOT NULL,
    cost INTEGER NOT NULL,
    wasted INTEGER NOT NULL,
    PRIMARY KEY (span, start, tier, model, tool, route, caller, door, status)
) STRICT, WITHOUT ROWID;

-- What was recorded before. Counts are held below 2^40 and sums of money within 64 bits, as everywhere in the ledger:
-- a nonsensical figure that a backend reported must not make the sums unreadable.
INSERT INTO rollups
SELECT
    span,
    at / span * span,
    tier,
    model,
    tool,
    route,
    caller,
    door,
    status,
    sum(requests),
    sum(latency_us),
    max(-9223372036854775807, min(9223372036854775807,
        sum(counterfactual >> 32) * 4294967296 + sum(counterfactual & 4294967295))),
    sum(counterfactual_unknown),
    sum(attempts),
    sum(skipped),
    sum(accepted),
    sum(rejected),
    sum(escalations),
    sum(tokens_in),
    sum(tokens_cached),
    sum(tokens_out),
    sum(tokens_estimated),
    max(-9223372036854775807, min(9223372036854775807,
        sum(cost_estimated >> 32) * 4294967296 + sum(cost_estimated & 4294967295))),
    sum(usage_unknown),
    max(-9223372036854775807, min(9223372036854775807,
        sum(cost >> 32) * 4294967296 + sum(cost & 4294967295))),
    max(-9223372036854775807, min(9223372036854775807,
        sum(wasted >> 32) * 4294967296 + sum(wasted & 4294967295)))
FROM (SELECT 900 AS span UNION ALL SELECT 86400), (
    SELECT
        unixepoch(substr(at, 1, 19)) AS at,
        coalesce(
            (SELECT tier FROM attempts a WHERE a.request = answered.id AND a.model = answering ORDER BY n LIMIT 1),
            (SELECT value ->> 'tier' FROM json_each(reasons, '$.candidates') WHERE value ->> 'model' = answering LIMIT 1),
            'none') AS tier,
        coalesce(answering, '') AS model,
        tool,
        route,
        caller,
        door,
        status,
        1 AS requests,
        CAST(min(1099511627776, latency_ms * 1000.0) AS INTEGER) AS latency_us,
        coalesce(counterfactual, 0) AS counterfactual,
        status = 'ok' AND attempts > 0 AND counterfactual IS NULL AS counterfactual_unknown,
        0 AS attempts,
        0 AS skipped,
        0 AS accepted,
        0 AS rejected,
        0 AS escalations,
        0 AS tokens_in,
        0 AS tokens_cached,
        0 AS tokens_out,
        0 AS tokens_estimated,
        0 AS cost_estimated,
        0 AS usage_unknown,
        0 AS cost,
        0 AS wasted
    FROM (
        SELECT *, CASE WHEN status IN ('ok', 'cached', 'partial') THEN model END AS answering
        FROM requests
    ) AS answered
    UNION ALL
    SELECT
        unixepoch(substr(a.started_at, 1, 19)),
        a.tier,
        a.model,
        r.tool,
        r.route,
        r.caller,
        r.door,
        r.status,
        0,
        0,
        0,
        0,
        1,
        a.result = 'skipped' OR a.result = 'context' AND a.http_status IS NULL,
        a.result = 'accepted',
        a.result = 'rejected',
        a.kind = 'escalation',
        min(1099511627776, a.tokens_in),
        min(1099511627776, a.tokens_cached),
        min(1099511627776, a.tokens_out),
        CASE a.usage WHEN 'estimated'
            THEN min(1099511627776, a.tokens_in) + min(1099511627776, a.tokens_out) ELSE 0 END,
        CASE a.usage WHEN 'reported' THEN 0 ELSE a.cost END,
        a.usage = 'unknown',
        a.cost,
        CASE WHEN r.status = 'ok' AND a.n = r.attempts THEN 0 ELSE a.cost END
    FROM attempts a JOIN requests r ON r.id = a.request
)
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9;
