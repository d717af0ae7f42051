//! What a usage report says, as values: from the sums of a period to who answered, what it cost, and what it would have
//! cost otherwise. Pure.
//!
//! What is not known is told as not known: a sum that lacks something never stands alone.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::By;
use super::period::Period;
use crate::chat::NanoUsd;
use crate::policy::{Location, Policy};
use crate::request::Status;
use crate::store::{Groups, Sums};

pub(super) struct Report {
    pub period: Period,
    pub by: By,
    pub total: Row,
    /// What cost most first; days in their order.
    pub rows: Vec<(String, Row)>,
    /// Part by part of the period.
    pub series: Vec<Sums>,
    /// Requests by how they came to their answer.
    pub answered: BTreeMap<Answered, u64>,
    /// Hosted models that were called and have no price today.
    pub unpriced: BTreeSet<String>,
    /// When the first request of all came in, if that was asked for.
    pub first_use: Option<Timestamp>,
}

/// Sums, and for how many of the calls in them nobody knows what they cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Row {
    pub sums: Sums,
    pub uncosted: u64,
}

/// Where an answer came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Answered {
    /// A model on this side.
    Local,
    Hosted,
    /// A model that the policy does not have any more.
    Other,
    Cache,
    /// Nobody wanted a model.
    Logic,
    /// A model was wanted, and none gave an answer that was accepted.
    Degraded,
    Nobody,
}

/// What the answers would have cost at the highest tier, beside what all calls cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    /// No model answered.
    Nothing,
    /// No answer has such a price.
    Unknown,
    /// It would have cost this, and so much more than it did; less, if that is negative.
    Known { instead: NanoUsd, saved: NanoUsd },
    /// So many answers have no such price, so it would have cost at least this.
    AtLeast { instead: NanoUsd, saved: NanoUsd, unknown: u64 },
}

impl Report {
    /// `groups` are those of the parts of the period; the last two of their names are model and status, and the one before
    /// them is a row's, if there is one.
    pub fn new(period: Period, by: By, groups: Vec<Groups>, policy: &Policy) -> Self {
        let mut rows: BTreeMap<String, Row> = BTreeMap::new();
        let mut answered: BTreeMap<Answered, u64> = BTreeMap::new();
        let mut unpriced = BTreeSet::new();
        let (mut total, mut series) = (Row::default(), Vec::new());
        for (part, groups) in period.parts.iter().zip(groups) {
            series.push(groups.values().copied().sum());
            if by == By::Day {
                rows.entry(day(&part.name)).or_default();
            }
            for (names, sums) in groups {
                let [name @ .., model, status] = names.as_slice() else { continue };
                let row = Row::new(policy, model, sums);
                let name = if by == By::Day { Some(day(&part.name)) } else { name.first().cloned() };
                if let Some(name) = name {
                    rows.entry(name).or_default().add(row);
                }
                total.add(row);
                *answered.entry(way(policy, model, status)).or_default() += sums.requests;
                if row.uncosted > 0 && is_unpriced(policy, model) {
                    unpriced.insert(model.clone());
                }
            }
        }
        let rows = sorted(rows, by);
        Self { period, by, total, rows, series, answered, unpriced, first_use: None }
    }

    /// The rows from the groups of the whole period, where its parts are not told apart by their names.
    pub fn with_rows(self, groups: Groups, policy: &Policy) -> Self {
        let mut rows: BTreeMap<String, Row> = BTreeMap::new();
        for (names, sums) in groups {
            if let [name, model, _] = names.as_slice() {
                rows.entry(name.clone()).or_default().add(Row::new(policy, model, sums));
            }
        }
        Self { rows: sorted(rows, self.by), ..self }
    }

    pub fn is_empty(&self) -> bool {
        self.total == Row::default()
    }
}

impl Row {
    fn new(policy: &Policy, model: &str, sums: Sums) -> Self {
        Self { sums, uncosted: uncosted(policy, model, &sums) }
    }

    /// Calls that were sent.
    pub fn calls(&self) -> u64 {
        self.sums.attempts.saturating_sub(self.sums.skipped)
    }

    /// `None`: nobody knows.
    pub fn cost(&self) -> Option<NanoUsd> {
        (self.uncosted == 0 || self.sums.cost > NanoUsd::ZERO).then_some(self.sums.cost)
    }

    /// The share of the cost that bought no answer, in percent; `None` when nothing was spent.
    pub fn wasted_percent(&self) -> Option<f64> {
        percent(self.sums.wasted.0 as f64, self.sums.cost.0 as f64)
    }

    pub fn comparison(&self) -> Comparison {
        let Sums { counterfactual: instead, counterfactual_unknown: unknown, cost, .. } = self.sums;
        let saved = instead - cost;
        match (instead > NanoUsd::ZERO, unknown) {
            (false, 0) => Comparison::Nothing,
            (false, _) => Comparison::Unknown,
            (true, 0) if self.uncosted == 0 => Comparison::Known { instead, saved },
            (true, unknown) => Comparison::AtLeast { instead, saved, unknown },
        }
    }

    fn add(&mut self, other: Self) {
        self.sums += other.sums;
        self.uncosted += other.uncosted;
    }
}

/// What cost most first; days in their order.
fn sorted(rows: BTreeMap<String, Row>, by: By) -> Vec<(String, Row)> {
    let mut rows: Vec<(String, Row)> = rows.into_iter().collect();
    if by != By::Day {
        rows.sort_by_key(|(_, row)| Reverse((row.sums.cost, row.sums.requests)));
    }
    rows
}

/// `part` of `whole`; `None` when there is no whole.
pub(super) fn percent(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| 100.0 * part / whole)
}

/// The day in the name of a part, which may be an hour.
fn day(part: &str) -> String {
    part.split(' ').next().unwrap_or_default().to_owned()
}

/// Calls whose cost nobody knows: those without a price, and those of a priced model of which neither usage nor cost was
/// booked.
fn uncosted(policy: &Policy, model: &str, sums: &Sums) -> u64 {
    if is_unpriced(policy, model) {
        return sums.attempts.saturating_sub(sums.skipped);
    }
    let known = policy.models.get(model);
    let is_free = known.is_some_and(|model| model.price.is_none_or(|price| price.is_free()));
    if is_free || sums.cost > NanoUsd::ZERO { 0 } else { sums.usage_unknown }
}

/// What a local model costs without a price is electricity; a hosted one's is simply not known.
fn is_unpriced(policy: &Policy, model: &str) -> bool {
    let model = policy.models.get(model).filter(|model| model.price.is_none());
    model.and_then(|model| policy.backend_of(model)).is_some_and(|backend| backend.location == Location::Hosted)
}

fn way(policy: &Policy, model: &str, status: &str) -> Answered {
    let backend = || policy.models.get(model).and_then(|model| policy.backend_of(model));
    match Status::parse(status) {
        Some(Status::Cached) => Answered::Cache,
        Some(Status::Ok) if model.is_empty() => Answered::Logic,
        Some(Status::Ok) => match backend().map(|backend| backend.location) {
            Some(Location::Local) => Answered::Local,
            Some(Location::Hosted) => Answered::Hosted,
            None => Answered::Other,
        },
        Some(Status::Degraded | Status::Partial) => Answered::Degraded,
        Some(Status::Rejected | Status::Failed | Status::Cancelled) | None => Answered::Nobody,
    }
}
