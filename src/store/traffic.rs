//! Recorded traffic, for replaying: of each request what decided it and when, how it ended and what each attempt gave. No
//! reasons, which make up most of a row.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use jiff::Timestamp;

use super::Store;
use super::cells::{cell, duration, parsed, time, tokens, word};
use super::outcomes::usage_source;
use crate::chat::{NanoUsd, Usage, UsageSource};
use crate::error::Result;
use crate::names::{ModelName, TierName};
use crate::request::{AttemptKind, AttemptResult, Status};

/// Which rows of the ledger a time reaches back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrafficSpan {
    pub first: i64,
    pub last: i64,
    pub requests: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub struct PastRequest {
    pub seq: i64,
    pub id: String,
    /// When it came in.
    pub at: Timestamp,
    pub policy_hash: String,
    pub tier_wanted: TierName,
    pub status: Status,
    /// A model's answer was used.
    pub answered: bool,
    pub cost: NanoUsd,
    /// The signals as they were written, so that equal ones are read once.
    pub signals: String,
    pub attempts: Vec<PastAttempt>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct PastAttempt {
    pub model: ModelName,
    pub kind: AttemptKind,
    pub result: AttemptResult,
    /// `None`: nobody knows.
    pub usage: Option<Usage>,
    pub started_at: Timestamp,
    pub latency: Duration,
}

impl PastAttempt {
    /// An answer was rejected, and the next tier was asked. Calls that were kept back handed nothing on.
    pub fn is_escalation(&self) -> bool {
        self.kind == AttemptKind::Escalation && self.result != AttemptResult::Skipped
    }
}

impl Store {
    /// The requests since then; `None` when there are none.
    pub async fn traffic_span(&self, since: Timestamp) -> Result<Option<TrafficSpan>> {
        let row =
            sqlx::query("SELECT count(*) AS requests, min(seq) AS first, max(seq) AS last FROM requests WHERE at >= ?")
                .bind(time(since))
                .fetch_one(&self.reader)
                .await?;
        let requests = cell::<i64>(&row, "requests")?.unsigned_abs();
        if requests == 0 {
            return Ok(None);
        }
        Ok(Some(TrafficSpan { first: cell(&row, "first")?, last: cell(&row, "last")?, requests }))
    }

    /// The requests of these rows, in the order of recording.
    pub async fn traffic(&self, rows: RangeInclusive<i64>, since: Timestamp) -> Result<Vec<PastRequest>> {
        let mut read = self.read().await?;
        let requests = sqlx::query(
            "SELECT seq, id, at, policy_hash, tier_wanted, status, model IS NOT NULL AS answered, cost, signals \
             FROM requests WHERE seq BETWEEN ? AND ? AND at >= ? ORDER BY seq",
        )
        .bind(*rows.start())
        .bind(*rows.end())
        .bind(time(since))
        .fetch_all(&mut *read)
        .await?;
        let attempts = sqlx::query(
            "SELECT a.request, a.model, a.kind, a.result, a.tokens_in, a.tokens_cached, a.tokens_out, a.usage, \
             a.started_at, a.latency_ms \
             FROM requests r JOIN attempts a ON a.request = r.id \
             WHERE r.seq BETWEEN ? AND ? AND r.at >= ? AND r.attempts > 0 ORDER BY r.seq, a.n",
        )
        .bind(*rows.start())
        .bind(*rows.end())
        .bind(time(since))
        .fetch_all(&mut *read)
        .await?;
        let mut by_request: HashMap<&str, Vec<PastAttempt>> = HashMap::new();
        for row in &attempts {
            by_request.entry(cell(row, "request")?).or_default().push(PastAttempt {
                model: ModelName::from(cell::<&str>(row, "model")?),
                kind: word(row, "kind", AttemptKind::parse)?,
                result: word(row, "result", AttemptResult::parse)?,
                usage: match word(row, "usage", usage_source)? {
                    UsageSource::Unknown => None,
                    UsageSource::Reported | UsageSource::Estimated => Some(Usage {
                        input: tokens(row, "tokens_in")?,
                        cached_input: tokens(row, "tokens_cached")?,
                        output: tokens(row, "tokens_out")?,
                    }),
                },
                started_at: parsed(row, "started_at")?,
                latency: duration(cell(row, "latency_ms")?),
            });
        }
        requests
            .iter()
            .map(|row| {
                Ok(PastRequest {
                    seq: cell(row, "seq")?,
                    id: cell(row, "id")?,
                    at: parsed(row, "at")?,
                    policy_hash: cell(row, "policy_hash")?,
                    tier_wanted: TierName::from(cell::<&str>(row, "tier_wanted")?),
                    status: word(row, "status", Status::parse)?,
                    answered: cell(row, "answered")?,
                    cost: NanoUsd(cell(row, "cost")?),
                    signals: cell(row, "signals")?,
                    attempts: by_request.remove(cell::<&str>(row, "id")?).unwrap_or_default(),
                })
            })
            .collect()
    }
}
