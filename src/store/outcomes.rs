//! Outcomes from rows: whole again, equal to what was recorded.

use std::borrow::Cow;
use std::collections::HashMap;

use sqlx::sqlite::SqliteRow;

use super::Recorded;
use super::cells::{cell, duration, from_json, parsed, tokens, unreadable, word};
use crate::chat::{NanoUsd, Usage, UsageSource};
use crate::error::Result;
use crate::names::{BudgetName, ModelName, TierName};
use crate::request::{
    Attempt, AttemptKind, AttemptResult, CacheUse, Decision, KeptBack, Limit, Outcome, Rejection, RejectionCode,
    RequestId, Signals, Status,
};

/// `attempts` are those of these requests, in their order within each.
pub(super) fn recorded(requests: &[SqliteRow], attempts: &[SqliteRow]) -> Result<Vec<Recorded>> {
    let mut by_request: HashMap<&str, Vec<Attempt>> = HashMap::new();
    for row in attempts {
        by_request.entry(cell(row, "request")?).or_default().push(attempt(row)?);
    }
    requests
        .iter()
        .map(|row| {
            let attempts = by_request.remove(cell::<&str>(row, "id")?).unwrap_or_default();
            Ok(Recorded {
                seq: cell(row, "seq")?,
                process: cell::<Option<i64>>(row, "process")?.unwrap_or(0),
                outcome: outcome(row, attempts)?,
            })
        })
        .collect()
}

/// JSON has no word for infinity, and a row that cannot be read back would stop whoever tails the ledger.
pub(super) fn finite_signals(signals: &Signals) -> Cow<'_, Signals> {
    if signals.measures.load.is_finite() {
        return Cow::Borrowed(signals);
    }
    let mut signals = signals.clone();
    signals.measures.load = finite(signals.measures.load);
    Cow::Owned(signals)
}

pub(super) fn finite_decision(decision: &Decision) -> Cow<'_, Decision> {
    let complexity = &decision.complexity;
    let all_finite = complexity.score.is_finite()
        && complexity.contributions.iter().all(|part| {
            [part.value, part.share, part.weight, part.contribution].iter().all(|number| number.is_finite())
        });
    if all_finite {
        return Cow::Borrowed(decision);
    }
    let mut decision = decision.clone();
    decision.complexity.score = finite(decision.complexity.score);
    for part in &mut decision.complexity.contributions {
        for number in [&mut part.value, &mut part.share, &mut part.weight, &mut part.contribution] {
            *number = finite(*number);
        }
    }
    Cow::Owned(decision)
}

fn finite(number: f64) -> f64 {
    if number.is_nan() { 0.0 } else { number.clamp(f64::MIN, f64::MAX) }
}

fn outcome(row: &SqliteRow, attempts: Vec<Attempt>) -> Result<Outcome> {
    Ok(Outcome {
        id: RequestId(parsed(row, "id")?),
        at: parsed(row, "at")?,
        signals: from_json(cell(row, "signals")?, "signals")?,
        policy_hash: cell(row, "policy_hash")?,
        decision: from_json(cell(row, "reasons")?, "reasons")?,
        status: word(row, "status", Status::parse)?,
        model: cell::<Option<&str>>(row, "model")?.map(ModelName::from),
        attempts,
        usage: usage(row)?,
        cost: NanoUsd(cell(row, "cost")?),
        wasted: NanoUsd(cell(row, "wasted")?),
        counterfactual: cell::<Option<i64>>(row, "counterfactual")?.map(NanoUsd),
        cache: word(row, "cache", CacheUse::parse)?,
        saved: NanoUsd(cell(row, "saved")?),
        latency: duration(cell(row, "latency_ms")?),
        ttft: cell::<Option<f64>>(row, "ttft_ms")?.map(duration),
        failure: cell(row, "failure")?,
        kept_back: match limit(row)? {
            Some(limit) => Some(KeptBack { limit, wait: cell::<Option<f64>>(row, "wait_ms")?.map(duration) }),
            None => None,
        },
        shared: Vec::new(),
    })
}

pub(super) fn attempt(row: &SqliteRow) -> Result<Attempt> {
    Ok(Attempt {
        n: cell(row, "n")?,
        model: ModelName::from(cell::<&str>(row, "model")?),
        tier: TierName::from(cell::<&str>(row, "tier")?),
        kind: word(row, "kind", AttemptKind::parse)?,
        result: word(row, "result", AttemptResult::parse)?,
        rejection: rejection(row)?,
        kept_back: limit(row)?,
        budget: cell::<Option<&str>>(row, "budget")?.map(BudgetName::from),
        failure: cell(row, "failure")?,
        usage: usage(row)?,
        usage_source: word(row, "usage", usage_source)?,
        reserved: NanoUsd(cell(row, "reserved")?),
        cost: NanoUsd(cell(row, "cost")?),
        started_at: parsed(row, "started_at")?,
        ttft: cell::<Option<f64>>(row, "ttft_ms")?.map(duration),
        latency: duration(cell(row, "latency_ms")?),
        http_status: cell(row, "http_status")?,
    })
}

/// Of an attempt or of a request: the limit of ours that ended it.
fn limit(row: &SqliteRow) -> Result<Option<Limit>> {
    let Some(limit) = cell::<Option<&str>>(row, "kept_back")? else { return Ok(None) };
    Limit::parse(limit).map(Some).ok_or_else(|| unreadable("kept_back"))
}

fn rejection(row: &SqliteRow) -> Result<Option<Rejection>> {
    let Some(code) = cell::<Option<&str>>(row, "check_reason")? else { return Ok(None) };
    let code = RejectionCode::parse(code).ok_or_else(|| unreadable("check_reason"))?;
    Ok(Some(Rejection { code, why: cell::<Option<String>>(row, "check_why")?.unwrap_or_default() }))
}

fn usage(row: &SqliteRow) -> Result<Usage> {
    Ok(Usage {
        input: tokens(row, "tokens_in")?,
        cached_input: tokens(row, "tokens_cached")?,
        output: tokens(row, "tokens_out")?,
    })
}

pub(super) fn usage_source(word: &str) -> Option<UsageSource> {
    [UsageSource::Reported, UsageSource::Estimated, UsageSource::Unknown]
        .into_iter()
        .find(|source| source.as_str() == word)
}
