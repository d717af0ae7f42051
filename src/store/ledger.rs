//! The ledger: one row per request, one per attempt, written together; read back for counting and for what was spent.

use std::sync::atomic::Ordering;

use jiff::Timestamp;
use sqlx::{Row, SqliteConnection};

use super::cells::{cell, count, json, millis, time};
use super::{Recorded, Store, outcomes};
use crate::chat::NanoUsd;
use crate::error::{Error, Kind, Result};
use crate::names::ModelName;
use crate::request::{Attempt, Limit, Outcome, RequestId};

impl Store {
    /// Writes the end of a request: all its rows, or none.
    pub async fn record(&self, outcome: &Outcome) -> Result<()> {
        let mut write = self.write().await?;
        let process = self.process.load(Ordering::Acquire);
        insert_request(&mut write, outcome, (process != 0).then_some(process)).await?;
        for attempt in &outcome.attempts {
            insert_attempt(&mut write, outcome.id, attempt).await?;
        }
        write.commit().await?;
        Ok(())
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

    /// What each model cost since then, by the attempts' start, by name.
    ///
    /// The sum runs over both halves of each amount, because SQLite gives up on a sum that passes 64 bits.
    pub async fn spend(&self, since: Timestamp) -> Result<Vec<(ModelName, NanoUsd)>> {
        let rows = sqlx::query(
            "SELECT model, sum(cost >> 32) AS high, sum(cost & 4294967295) AS low FROM attempts \
             WHERE started_at >= ? GROUP BY model ORDER BY model",
        )
        .bind(time(since))
        .fetch_all(&self.reader)
        .await?;
        let mut spent = Vec::with_capacity(rows.len());
        for row in &rows {
            let (high, low): (i64, i64) = (row.try_get("high")?, row.try_get("low")?);
            let sum = (i128::from(high) << 32) + i128::from(low);
            let sum = i64::try_from(sum).unwrap_or(if sum < 0 { i64::MIN } else { i64::MAX });
            spent.push((ModelName::from(cell::<&str>(row, "model")?), NanoUsd(sum)));
        }
        Ok(spent)
    }
}

async fn insert_request(conn: &mut SqliteConnection, outcome: &Outcome, process: Option<i64>) -> Result<()> {
    let signals = outcomes::finite_signals(&outcome.signals);
    let decision = outcomes::finite_decision(&outcome.decision);
    sqlx::query(
        "INSERT INTO requests (id, at, process, door, caller, tool, route, policy_hash, tier_wanted, complexity, \
         signals, status, model, attempts, tokens_in, tokens_cached, tokens_out, cost, wasted, counterfactual, cache, \
         latency_ms, ttft_ms, reasons, failure) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
    .bind(millis(outcome.latency))
    .bind(outcome.ttft.map(millis))
    .bind(json(&decision)?)
    .bind(&outcome.failure)
    .execute(conn)
    .await?;
    Ok(())
}

async fn insert_attempt(conn: &mut SqliteConnection, request: RequestId, attempt: &Attempt) -> Result<()> {
    sqlx::query(
        "INSERT INTO attempts (request, n, model, tier, kind, result, check_reason, check_why, kept_back, failure, \
         tokens_in, tokens_cached, tokens_out, usage, reserved, cost, started_at, ttft_ms, latency_ms, http_status) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
