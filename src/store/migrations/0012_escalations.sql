-- Escalations are those that were made: one that a limit or the prompt's size kept back handed nothing on.
UPDATE rollups SET escalations = rollups.escalations - unsent.number
FROM (
    SELECT
        span,
        unixepoch(substr(a.started_at, 1, 19)) / span * span AS start,
        a.tier,
        a.model,
        r.tool,
        r.route,
        r.caller,
        r.door,
        r.status,
        count(*) AS number
    FROM (SELECT 900 AS span UNION ALL SELECT 86400) AS spans, attempts a
        JOIN requests r ON r.id = a.request
    WHERE a.kind = 'escalation' AND (a.result = 'skipped' OR a.result = 'context' AND a.http_status IS NULL)
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
) AS unsent
WHERE rollups.span = unsent.span AND rollups.start = unsent.start AND rollups.tier = unsent.tier
    AND rollups.model = unsent.model AND rollups.tool = unsent.tool AND rollups.route = unsent.route
    AND rollups.caller = unsent.caller AND rollups.door = unsent.door AND rollups.status = unsent.status;

UPDATE totals SET escalations = totals.escalations - unsent.number
FROM (
    SELECT
        span,
        unixepoch(substr(a.started_at, 1, 19)) / span * span AS start,
        a.tier,
        a.model,
        r.status,
        count(*) AS number
    FROM (SELECT 900 AS span UNION ALL SELECT 3600 UNION ALL SELECT 86400) AS spans, attempts a
        JOIN requests r ON r.id = a.request
    WHERE a.kind = 'escalation' AND (a.result = 'skipped' OR a.result = 'context' AND a.http_status IS NULL)
    GROUP BY 1, 2, 3, 4, 5
) AS unsent
WHERE totals.span = unsent.span AND totals.start = unsent.start AND totals.tier = unsent.tier
    AND totals.model = unsent.model AND totals.status = unsent.status;
