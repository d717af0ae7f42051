//! The ledger: one row per request, one per attempt, written together with the sums over them; read back for counting.

use std::sync::atomic::Ordering;

use sqlx::SqliteConnection;

use super::cells::{cell, count, json, millis, time};
use super::rollups::Rollup;
use super::{Recorded, Store, batches, outcomes, reservations};
use crate::error::{Error, Kind, Result};
use crate::names::{BudgetName, ModelName};
use crate::request::{Attempt, Door, Limit, Outcome, RequestId};

impl Store {
    /// Writes the end of a request: all its rows, or none. Over HTTP it goes with others, if there is a writer of batches;
    /// what was called over a pipe is written at once, because hosts end such processes as they like.
    pub async fn record(&self, outcome: &Outcome) -> Result<()> {
        match (&self.queue, outcome.signals.door) {
            (Some(queue), Door::HttpMcp | Door::HttpChat) => batches::record(self, queue, outcome).await,
            (_, Door::Stdio | Door::Cli) | (None, _) => self.record_all(std::slice::from_ref(outcome)).await,
        }
    }

    /// Writes the ends of several requests together: all their rows, or none.
    pub async fn record_all(&self, outcomes: &[Outcome]) -> Result<()> {
        let mut write = self.write().await?;
        self.record_in(&mut write, outcomes).await?;
        write.commit().await?;
        Ok(())
    }

    /// The same as part of a write that the caller began.
    pub(super) async fn record_in(&self, conn: &mut SqliteConnection, outcomes: &[Outcome]) -> Result<()> {
        let process = Some(self.process.load(Ordering::Acquire)).filter(|process| *process != 0);
        let mut rollup = Rollup::default();
        for outcome in outcomes {
            if reservations::close(conn, outcome).await? {
                insert(conn, outcome, process).await?;
                rollup.add(outcome);
            }
        }
        rollup.write(conn).await
    }

    /// One request as it was recorded.
    pub async fn outcome(&self, id: RequestId) -> Result<Outcome> {
        let mut read = self.read().await?;
        let requests = sqlx::query("SELECT * FROM requests WHERE id = ?");
        let requests = requests.bind(id.to_string()).fetch_all(&mut *read).await?;
        let attempts = sqlx::query("SELECT * FROM attempts WHERE request = ? ORDER BY n");
        let attempts = attempts.bind(id.to_string()).fetch_all(&mut *read).await?;
        let found = outcomes::recorded(&requests, &attempts)?.pop();
        found.map(|recorded| recorded.outcome).ok_or_else(|| {
            Error::new(Kind::NotFound, format!("Request {id} is not in this ledger"))
                .hint("Ids of requests stand in the log; a request of another database is in that one's ledger.")
        })
    }

    /// The requests recorded after `after`, at most `limit`, in the order of recording. Commits are in the order of
    /// `seq`, so nothing ever appears behind what was already read.
    pub async fn outcomes_after(&self, after: i64, limit: u32) -> Result<Vec<Recorded>> {
        let mut read = self.read().await?;
        let requests = sqlx::query("SELECT * FROM requests WHERE seq > ? ORDER BY seq LIMIT ?")
            .bind(after)
            .bind(limit)
            .fetch_all(&mut *read)
            .await?;
        let Some(last) = requests.last() else { return Ok(Vec::new()) };
        let attempts = sqlx::query(
            "SELECT a.* FROM requests r JOIN attempts a ON a.request = r.id \
             WHERE r.seq > ? AND r.seq <= ? ORDER BY r.seq, a.n",
        )
        .bind(after)
        .bind(cell::<i64>(last, "seq")?)
        .fetch_all(&mut *read)
        .await?;
        outcomes::recorded(&requests, &attempts)
    }
}

async fn insert(conn: &mut SqliteConnection, outcome: &Outcome, process: Option<i64>) -> Result<()> {
    insert_request(conn, outcome, process).await?;
    for attempt in &outcome.attempts {
        insert_attempt(conn, outcome.id, attempt).await?;
    }
    Ok(())
}

/// A request whose process is gone, on its behalf.
pub(super) async fn record_for(conn: &mut SqliteConnection, outcome: &Outcome, process: Option<i64>) -> Result<()> {
    insert(conn, outcome, process).await?;
    let mut rollup = Rollup::default();
    rollup.add(outcome);
    rollup.write(conn).await
}

async fn insert_request(conn: &mut SqliteConnection, outcome: &Outcome, process: Option<i64>) -> Result<()> {
    let signals = outcomes::finite_signals(&outcome.signals);
    let decision = outcomes::finite_decision(&outcome.decision);
    sqlx::query(
        "INSERT INTO requests (id, at, process, door, caller, tool, route, policy_hash, tier_wanted, complexity, \
         signals, status, model, attempts, tokens_in, tokens_cached, tokens_out, cost, wasted, counterfactual, cache, \
         saved, latency_ms, ttft_ms, reasons, failure, prompt_version, kept_back, wait_ms) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(outcome.id.to_string())
    .bind(time(outcome.at))
    .bind(process)
    .bind(signals.door.as_str())
    .bind(&signals.caller)
    .bind(signals.target.as_str())
    .bind(decision.route.as_str())
    .bind(&outcome.policy_hash)
    .bind(decision.tier.as_str())
    .bind(decision.complexity.score)
    .bind(json(&signals)?)
    .bind(outcome.status.as_str())
    .bind(outcome.model.as_ref().map(ModelName::as_str))
    .bind(i64::try_from(outcome.attempts.len()).unwrap_or(i64::MAX))
    .bind(count(outcome.usage.input))
    .bind(count(outcome.usage.cached_input))
    .bind(count(outcome.usage.output))
    .bind(outcome.cost.0)
    .bind(outcome.wasted.0)
    .bind(outcome.counterfactual.map(|amount| amount.0))
    .bind(outcome.cache.as_str())
    .bind(outcome.saved.0)
    .bind(millis(outcome.latency))
    .bind(outcome.ttft.map(millis))
    .bind(json(&decision)?)
    .bind(&outcome.failure)
    .bind(&signals.prompt_version)
    .bind(outcome.kept_back.map(|kept_back| kept_back.limit.as_str()))
    .bind(outcome.kept_back.and_then(|kept_back| kept_back.wait).map(millis))
    .execute(conn)
    .await?;
    Ok(())
}

async fn insert_attempt(conn: &mut SqliteConnection, request: RequestId, attempt: &Attempt) -> Result<()> {
    sqlx::query(
        "INSERT INTO attempts (request, n, model, tier, kind, result, check_reason, check_why, kept_back, budget, failure, \
         tokens_in, tokens_cached, tokens_out, usage, reserved, cost, started_at, ttft_ms, latency_ms, http_status) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(request.to_string())
    .bind(attempt.n)
    .bind(attempt.model.as_str())
    .bind(attempt.tier.as_str())
    .bind(attempt.kind.as_str())
    .bind(attempt.result.as_str())
    .bind(attempt.rejection.as_ref().map(|rejection| rejection.code.as_str()))
    .bind(attempt.rejection.as_ref().map(|rejection| &rejection.why))
    .bind(attempt.kept_back.map(Limit::as_str))
    .bind(attempt.budget.as_ref().map(BudgetName::as_str))
    .bind(&attempt.failure)
    .bind(count(attempt.usage.input))
    .bind(count(attempt.usage.cached_input))
    .bind(count(attempt.usage.output))
    .bind(attempt.usage_source.as_str())
    .bind(attempt.reserved.0)
    .bind(attempt.cost.0)
    .bind(time(attempt.started_at))
    .bind(attempt.ttft.map(millis))
    .bind(millis(attempt.latency))
    .bind(attempt.http_status)
    .execute(conn)
    .await?;
    Ok(())
}
