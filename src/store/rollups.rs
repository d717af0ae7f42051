//! Sums over the ledger, written with its rows: which ones an outcome adds to, and by how much. `usage` reads them.
//!
//! The figures of an outcome are pure; migrations 0003 and 0009 make the same ones of the rows that were there before.
//! They are kept twice: told apart by everything, and by little, for what is asked of each day or hour.

use std::collections::BTreeMap;
use std::ops::{Add, AddAssign};
use std::time::Duration;

use jiff::Timestamp;
use sqlx::SqliteConnection;

use super::cells::{millis, whole};
use super::stretch::{DAY, HOUR, QUARTER, begin};
use crate::chat::{NanoUsd, Tokens, Usage, UsageSource};
use crate::error::Result;
use crate::request::{Attempt, AttemptKind, AttemptResult, Outcome, Status, answering};

/// The spans of the table `rollups`, which tells sums apart by everything, and of `totals`; the largest first.
pub(super) const ROLLUPS: &[i64] = &[DAY, QUARTER];
pub(super) const TOTALS: &[i64] = &[DAY, HOUR, QUARTER];

/// No real count comes near it. One that a backend made up is held here, so that millions of them still have a sum.
const LARGEST: u64 = 1 << 40;

/// What a number of requests and attempts come to. Attempts count where they began, under their own model; requests
/// where they came in, under the model that answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums {
    pub requests: u64,
    pub latency: Duration,
    /// The answers' tokens at the first priced model of the highest tier.
    pub counterfactual: NanoUsd,
    /// Answers of models for which that is not known.
    pub counterfactual_unknown: u64,
    pub attempts: u64,
    /// Attempts that were never sent.
    pub skipped: u64,
    /// Answers that passed their check, and answers that did not.
    pub accepted: u64,
    pub rejected: u64,
    pub escalations: u64,
    pub usage: Usage,
    /// The part of the tokens, in and out, that nobody reported.
    pub estimated: Tokens,
    /// The part of the cost that rests on such a count.
    pub cost_estimated: NanoUsd,
    /// Attempts that used nobody knows how much.
    pub usage_unknown: u64,
    pub cost: NanoUsd,
    /// The part of the cost that bought no answer.
    pub wasted: NanoUsd,
    /// What the answers that were given again had cost when they were got.
    pub saved: NanoUsd,
}

/// What is summed apart from what.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    span: i64,
    start: i64,
    tier: String,
    model: String,
    status: &'static str,
    /// `None`: a row of `totals`, where this is together.
    apart: Option<Apart>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Apart {
    tool: String,
    route: String,
    caller: String,
    door: &'static str,
}

/// What some outcomes add, place by place: outcomes that are written together change each row once.
#[derive(Debug, Default)]
pub(super) struct Rollup(BTreeMap<Place, Sums>);

impl Rollup {
    pub fn add(&mut self, outcome: &Outcome) {
        let model = outcome.answering_model().map_or("", |model| model.as_str());
        self.add_at(outcome, outcome.at, (outcome.answering_tier().as_str(), model), of_request(outcome));
        let bought = answering(outcome.status, &outcome.attempts).map(|attempt| attempt.n);
        for attempt in &outcome.attempts {
            let sums = of_attempt(attempt, bought == Some(attempt.n));
            self.add_at(outcome, attempt.started_at, (attempt.tier.as_str(), attempt.model.as_str()), sums);
        }
    }

    pub async fn write(self, conn: &mut SqliteConnection) -> Result<()> {
        for (place, sums) in self.0 {
            upsert(conn, place, sums).await?;
        }
        Ok(())
    }

    fn add_at(&mut self, outcome: &Outcome, at: Timestamp, (tier, model): (&str, &str), sums: Sums) {
        let apart = Apart {
            tool: outcome.signals.target.as_str().to_owned(),
            route: outcome.decision.route.as_str().to_owned(),
            caller: outcome.signals.caller.clone(),
            door: outcome.signals.door.as_str(),
        };
        let rollups = ROLLUPS.iter().map(|span| (*span, Some(apart.clone())));
        for (span, apart) in rollups.chain(TOTALS.iter().map(|span| (*span, None))) {
            let (tier, model) = (tier.to_owned(), model.to_owned());
            let place = Place { span, start: begin(at, span), tier, model, status: outcome.status.as_str(), apart };
            *self.0.entry(place).or_default() += sums;
        }
    }
}

fn of_request(outcome: &Outcome) -> Sums {
    let answered = outcome.status == Status::Ok && !outcome.attempts.is_empty();
    // By way of the column's milliseconds, as the migration has it.
    let microseconds = (millis(outcome.latency) * 1_000.0) as u64;
    Sums {
        requests: 1,
        latency: Duration::from_micros(microseconds.min(LARGEST)),
        counterfactual: outcome.counterfactual.unwrap_or_default(),
        counterfactual_unknown: u64::from(answered && outcome.counterfactual.is_none()),
        saved: outcome.saved,
        ..Sums::default()
    }
}

fn of_attempt(attempt: &Attempt, bought: bool) -> Sums {
    let held = |tokens: Tokens| Tokens(tokens.0.min(LARGEST));
    let Usage { input, cached_input, output } = attempt.usage;
    let usage = Usage { input: held(input), cached_input: held(cached_input), output: held(output) };
    let estimated = attempt.usage_source == UsageSource::Estimated;
    let reported = attempt.usage_source == UsageSource::Reported;
    Sums {
        attempts: 1,
        skipped: u64::from(!attempt.was_sent()),
        accepted: u64::from(attempt.result == AttemptResult::Accepted),
        rejected: u64::from(attempt.result == AttemptResult::Rejected),
        escalations: u64::from(attempt.kind == AttemptKind::Escalation && attempt.was_sent()),
        usage,
        estimated: if estimated { usage.input + usage.output } else { Tokens::ZERO },
        cost_estimated: if reported { NanoUsd::ZERO } else { attempt.cost },
        usage_unknown: u64::from(attempt.usage_source == UsageSource::Unknown),
        cost: attempt.cost,
        wasted: if bought { NanoUsd::ZERO } else { attempt.cost },
        ..Sums::default()
    }
}

/// A sum of money that passes 64 bits stays at the bound; SQLite would make a float of it, which the table refuses.
macro_rules! upsert {
    ($table_and_names:literal, $values:literal) => {
        concat!(
            "INSERT INTO ",
            $table_and_names,
            ", requests, latency_us, counterfactual, counterfactual_unknown, attempts, skipped, accepted, rejected, \
             escalations, tokens_in, tokens_cached, tokens_out, tokens_estimated, cost_estimated, usage_unknown, cost, \
             wasted, saved) VALUES (",
            $values,
            ", ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
             ON CONFLICT DO UPDATE SET requests = requests + excluded.requests, \
             latency_us = latency_us + excluded.latency_us, \
             counterfactual = max(-9223372036854775807, min(9223372036854775807, counterfactual + excluded.counterfactual)), \
             counterfactual_unknown = counterfactual_unknown + excluded.counterfactual_unknown, \
             attempts = attempts + excluded.attempts, skipped = skipped + excluded.skipped, \
             accepted = accepted + excluded.accepted, rejected = rejected + excluded.rejected, \
             escalations = escalations + excluded.escalations, tokens_in = tokens_in + excluded.tokens_in, \
             tokens_cached = tokens_cached + excluded.tokens_cached, tokens_out = tokens_out + excluded.tokens_out, \
             tokens_estimated = tokens_estimated + excluded.tokens_estimated, \
             cost_estimated = max(-9223372036854775807, min(9223372036854775807, cost_estimated + excluded.cost_estimated)), \
             usage_unknown = usage_unknown + excluded.usage_unknown, \
             cost = max(-9223372036854775807, min(9223372036854775807, cost + excluded.cost)), \
             wasted = max(-9223372036854775807, min(9223372036854775807, wasted + excluded.wasted)), \
             saved = max(-9223372036854775807, min(9223372036854775807, saved + excluded.saved))",
        )
    };
}

async fn upsert(conn: &mut SqliteConnection, place: Place, sums: Sums) -> Result<()> {
    let sql = match place.apart {
        None => upsert!("totals (span, start, tier, model, status", "?, ?, ?, ?, ?"),
        Some(_) => {
            upsert!("rollups (span, start, tier, model, status, tool, route, caller, door", "?, ?, ?, ?, ?, ?, ?, ?, ?")
        }
    };
    let mut query =
        sqlx::query(sql).bind(place.span).bind(place.start).bind(place.tier).bind(place.model).bind(place.status);
    if let Some(Apart { tool, route, caller, door }) = place.apart {
        query = query.bind(tool).bind(route).bind(caller).bind(door);
    }
    query
        .bind(whole(sums.requests))
        .bind(i64::try_from(sums.latency.as_micros()).unwrap_or(i64::MAX))
        .bind(sums.counterfactual.0)
        .bind(whole(sums.counterfactual_unknown))
        .bind(whole(sums.attempts))
        .bind(whole(sums.skipped))
        .bind(whole(sums.accepted))
        .bind(whole(sums.rejected))
        .bind(whole(sums.escalations))
        .bind(whole(sums.usage.input.0))
        .bind(whole(sums.usage.cached_input.0))
        .bind(whole(sums.usage.output.0))
        .bind(whole(sums.estimated.0))
        .bind(sums.cost_estimated.0)
        .bind(whole(sums.usage_unknown))
        .bind(sums.cost.0)
        .bind(sums.wasted.0)
        .bind(sums.saved.0)
        .execute(conn)
        .await?;
    Ok(())
}

impl Add for Sums {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            requests: self.requests.saturating_add(other.requests),
            latency: self.latency.saturating_add(other.latency),
            counterfactual: self.counterfactual + other.counterfactual,
            counterfactual_unknown: self.counterfactual_unknown.saturating_add(other.counterfactual_unknown),
            attempts: self.attempts.saturating_add(other.attempts),
            skipped: self.skipped.saturating_add(other.skipped),
            accepted: self.accepted.saturating_add(other.accepted),
            rejected: self.rejected.saturating_add(other.rejected),
            escalations: self.escalations.saturating_add(other.escalations),
            usage: self.usage + other.usage,
            estimated: self.estimated + other.estimated,
            cost_estimated: self.cost_estimated + other.cost_estimated,
            usage_unknown: self.usage_unknown.saturating_add(other.usage_unknown),
            cost: self.cost + other.cost,
            wasted: self.wasted + other.wasted,
            saved: self.saved + other.saved,
        }
    }
}

impl AddAssign for Sums {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl std::iter::Sum for Sums {
    fn sum<I: Iterator<Item = Self>>(sums: I) -> Self {
        sums.fold(Self::default(), Add::add)
    }
}
