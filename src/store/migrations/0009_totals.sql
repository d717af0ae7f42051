-- What the cache saved, among the sums: what kept answers had cost when they were got first.
ALTER TABLE rollups ADD COLUMN saved INTEGER NOT NULL DEFAULT 0;

UPDATE rollups SET saved = given.saved
FROM (
    SELECT
        span,
        unixepoch(substr(at, 1, 19)) / span * span AS start,
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
        max(-9223372036854775807, min(9223372036854775807,
            sum(saved >> 32) * 4294967296 + sum(saved & 4294967295))) AS saved
    FROM (SELECT 900 AS span UNION ALL SELECT 86400), (
        SELECT *, CASE WHEN status IN ('ok', 'cached', 'partial') THEN model END AS answering
        FROM requests WHERE saved <> 0
    ) AS answered
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
) AS given
WHERE rollups.span = given.span AND rollups.start = given.start AND rollups.tier = given.tier
    AND rollups.model = given.model AND rollups.tool = given.tool AND rollups.route = given.route
    AND rollups.caller = given.caller AND rollups.door = given.door AND rollups.status = given.status;

-- The same sums as in `rollups`, told apart by tier, model and status alone, and for hours too: a fraction of the rows.
-- A day of a time zone other than UTC is no day of UTC, but it is two dozen hours, and with a zone that is half an hour
-- off some quarters at its ends. This is what is read where time goes on: days and hours of any zone, gauges, the page.
CREATE TABLE totals (
    span INTEGER NOT NULL CHECK (span IN (900, 3600, 86400)),
    start INTEGER NOT NULL,
    tier TEXT NOT NULL,
    model TEXT NOT NULL,
    status TEXT NOT NULL,
    requests INTEGER NOT NULL,
    latency_us INTEGER NOT NULL,
    counterfactual INTEGER NOT NULL,
    counterfactual_unknown INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    skipped INTEGER NOT NULL,
    accepted INTEGER NOT NULL,
    rejected INTEGER NOT NULL,
    escalations INTEGER NOT NULL,
    tokens_in INTEGER NOT NULL,
    tokens_cached INTEGER NOT NULL,
    tokens_out INTEGER NOT NULL,
    tokens_estimated INTEGER NOT NULL,
    cost_estimated INTEGER NOT NULL,
    usage_unknown INTEGER NOT NULL,
    cost INTEGER NOT NULL,
    wasted INTEGER NOT NULL,
    saved INTEGER NOT NULL,
    PRIMARY KEY (span, start, tier, model, status)
) STRICT, WITHOUT ROWID;

INSERT INTO totals
SELECT
    wanted.span,
    start / wanted.span * wanted.span,
    tier,
    model,
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
        sum(wasted >> 32) * 4294967296 + sum(wasted & 4294967295))),
    max(-9223372036854775807, min(9223372036854775807,
        sum(saved >> 32) * 4294967296 + sum(saved & 4294967295)))
-- Days have their own rows already, so only quarters are added up.
FROM (SELECT 900 AS span, 900 AS read UNION ALL SELECT 3600, 900 UNION ALL SELECT 86400, 86400) AS wanted
    JOIN rollups ON rollups.span = wanted.read
GROUP BY 1, 2, 3, 4, 5;
