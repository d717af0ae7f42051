//! Money set aside before an attempt is sent, settled when it has ended, and gone when its request is recorded.
//!
//! A reservation counts against its budgets from the moment it is granted until the row of the ledger takes its place,
//! in one transaction: nothing is missing in between, and nothing counts twice. An owner that dies leaves it to the
//! lease: what it set aside is recorded then as spent.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::cells::{cell, from_json, json, parsed, time, word};
use super::{OpenRequest, Reserved, Store, budgets, ledger, outcomes};
use crate::chat::{NanoUsd, Usage, UsageSource};
use crate::error::Result;
use crate::names::{ModelName, TierName};
use crate::request::{Allowance, Attempt, AttemptKind, AttemptResult, CacheUse, Outcome, RequestId, Status};

/// What a row says whose end nobody saw.
const LOST: &str = "The process that made this request ended before the request did.";

/// How long an owner has to come back after its lease ran out.
const TO_WAKE_UP: Duration = Duration::from_secs(60);

impl Store {
    /// Sets money aside for an attempt, if every allowance has room for its worst case. Of all processes, one at a time
    /// asks.
    pub async fn reserve(
        &self,
        request: OpenRequest<'_>,
        attempt: &Attempt,
        lease_until: Timestamp,
        allowances: &[Allowance],
    ) -> Result<Reserved> {
        let mut write = self.write().await?;
        let standings = budgets::standings(&mut write, allowances).await?;
        let mut checks = standings.iter().zip(allowances);
        let granted = checks.all(|(standing, allowance)| standing.admits(attempt.reserved, allowance.limit));
        if granted {
            let process = self.process.load(Ordering::Acquire);
            insert(&mut write, (process != 0).then_some(process), request, attempt, lease_until).await?;
        }
        write.commit().await?;
        Ok(Reserved { granted, standings })
    }

    /// The attempt has ended and cost this much, though its request goes on. Nothing was sent: it cost nothing.
    pub async fn settle(&self, request: RequestId, n: u32, cost: NanoUsd) -> Result<()> {
        let mut write = self.write().await?;
        sqlx::query("UPDATE reservations SET amount = ? WHERE request = ? AND n = ?")
            .bind(cost.0)
            .bind(request.to_string())
            .bind(n)
            .execute(&mut *write)
            .await?;
        write.commit().await?;
        Ok(())
    }

    /// Records the requests whose owner is gone, each once: calls that nobody knows the end of cost what was set aside
    /// for them.
    pub async fn settle_lost(&self, now: Timestamp) -> Result<Vec<RequestId>> {
        // Nearly always there are none, and nobody has to wait for a look.
        let any = sqlx::query("SELECT 1 FROM reservations WHERE lease_until <= ? LIMIT 1");
        if any.bind(time(now)).fetch_optional(&self.reader).await?.is_none() {
            return Ok(Vec::new());
        }
        let mut write = self.write().await?;
        let lost = "DELETE FROM reservations WHERE lease_until <= ? AND suspect = 1 RETURNING *";
        let rows = sqlx::query(lost).bind(time(now)).fetch_all(&mut *write).await?;
        // A machine that slept wakes up with all its leases over: who is still there says so soon.
        let until = now.checked_add(TO_WAKE_UP).unwrap_or(Timestamp::MAX);
        let suspects = "UPDATE reservations SET suspect = 1, lease_until = ? WHERE lease_until <= ?";
        sqlx::query(suspects).bind(time(until)).bind(time(now)).execute(&mut *write).await?;
        let mut requests: BTreeMap<String, Vec<SqliteRow>> = BTreeMap::new();
        for row in rows {
            requests.entry(cell(&row, "request")?).or_default().push(row);
        }
        let mut recorded = Vec::with_capacity(requests.len());
        for rows in requests.values() {
            recorded.extend(record_lost(&mut write, rows).await?);
        }
        write.commit().await?;
        Ok(recorded)
    }
}

/// The request is recorded now, in this transaction: what was set aside for it goes. False when it was given up for lost
/// and recorded by another process before.
pub(super) async fn close(write: &mut SqliteConnection, outcome: &Outcome) -> Result<bool> {
    let request = outcome.id.to_string();
    sqlx::query("DELETE FROM reservations WHERE request = ?").bind(&request).execute(&mut *write).await?;
    let paid = outcome.attempts.iter().any(|attempt| attempt.reserved > NanoUsd::ZERO);
    if paid && was_lost(write, &request).await? {
        tracing::warn!(%request, "request {request} was given up for lost before it ended: its first record stands");
        return Ok(false);
    }
    Ok(true)
}

async fn insert(
    write: &mut SqliteConnection,
    process: Option<i64>,
    request: OpenRequest<'_>,
    attempt: &Attempt,
    lease_until: Timestamp,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO reservations (request, n, process, caller, tool, model, tier, kind, reserved, amount, at, \
         lease_until, request_at, policy_hash, signals, reasons) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(request.id.to_string())
    .bind(attempt.n)
    .bind(process)
    .bind(&request.signals.caller)
    .bind(request.signals.target.as_str())
    .bind(attempt.model.as_str())
    .bind(attempt.tier.as_str())
    .bind(attempt.kind.as_str())
    .bind(attempt.reserved.0)
    .bind(attempt.reserved.0)
    .bind(time(attempt.started_at))
    .bind(time(lease_until))
    .bind(time(request.at))
    .bind(request.policy_hash)
    .bind(json(&outcomes::finite_signals(request.signals))?)
    .bind(json(&outcomes::finite_decision(request.decision))?)
    .execute(write)
    .await?;
    Ok(())
}

/// One request from its reservations, which are gone from their table already.
async fn record_lost(write: &mut SqliteConnection, rows: &[SqliteRow]) -> Result<Option<RequestId>> {
    let Some(first) = rows.first() else { return Ok(None) };
    let request: &str = cell(first, "request")?;
    // A second lease ran out on it: its owner went on after the first one. What it cost since is a record of its own.
    let again = was_lost(write, request).await?;
    let id = RequestId(if again { Uuid::now_v7() } else { parsed(first, "request")? });
    let attempts = rows.iter().map(lost_attempt).collect::<Result<Vec<_>>>()?;
    let cost = attempts.iter().map(|attempt| attempt.cost).sum();
    let outcome = Outcome {
        id,
        at: parsed(first, "request_at")?,
        signals: from_json(cell(first, "signals")?, "signals")?,
        policy_hash: cell(first, "policy_hash")?,
        decision: from_json(cell(first, "reasons")?, "reasons")?,
        status: Status::Failed,
        model: None,
        attempts,
        usage: Usage::default(),
        cost,
        wasted: cost,
        counterfactual: None,
        cache: CacheUse::Bypass,
        saved: NanoUsd::ZERO,
        latency: Duration::ZERO,
        ttft: None,
        failure: Some(LOST.to_owned()),
        kept_back: None,
        shared: Vec::new(),
    };
    ledger::record_for(write, &outcome, cell(first, "process")?).await?;
    Ok(Some(id))
}

fn lost_attempt(row: &SqliteRow) -> Result<Attempt> {
    Ok(Attempt {
        n: cell(row, "n")?,
        model: ModelName::from(cell::<&str>(row, "model")?),
        tier: TierName::from(cell::<&str>(row, "tier")?),
        kind: word(row, "kind", AttemptKind::parse)?,
        result: AttemptResult::Cancelled,
        rejection: None,
        kept_back: None,
        budget: None,
        failure: Some(LOST.to_owned()),
        usage: Usage::default(),
        usage_source: UsageSource::Unknown,
        reserved: NanoUsd(cell(row, "reserved")?),
        cost: NanoUsd(cell(row, "amount")?),
        started_at: parsed(row, "at")?,
        ttft: None,
        latency: Duration::ZERO,
        http_status: None,
    })
}

/// Whether the request is recorded already, by whoever found it lost.
async fn was_lost(write: &mut SqliteConnection, request: &str) -> Result<bool> {
    let found = sqlx::query("SELECT 1 FROM requests WHERE id = ? AND failure = ?").bind(request).bind(LOST);
    Ok(found.fetch_optional(write).await?.is_some())
}
