//! What a usage report says, as values: from the sums of a period to who answered, what it cost, and what it would have
//! cost otherwise. Pure.
//!
//! What is not known is told as not known: a sum that lacks something never stands alone.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::By;
use super::period::Period;
use crate::gateway::{Spending, is_unpriced};
use crate::policy::{Location, Policy};
use crate::request::Status;
use crate::store::{Groups, Sums};

pub(super) struct Report {
    pub period: Period,
    pub by: By,
    pub total: Spending,
    /// What cost most first; days in their order.
    pub rows: Vec<(String, Spending)>,
    /// Part by part of the period.
    pub series: Vec<Sums>,
    /// Requests by how they came to their answer.
    pub answered: BTreeMap<Answered, u64>,
    /// Hosted models that were called and have no price today.
    pub unpriced: BTreeSet<String>,
    /// When the first request of all came in, if that was asked for.
    pub first_use: Option<Timestamp>,
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

impl Report {
    /// `groups` are those of the parts of the period; the last two of their names are model and status, and the one before
    /// them is a row's, if there is one.
    pub fn new(period: Period, by: By, groups: Vec<Groups>, policy: &Policy) -> Self {
        let mut rows: BTreeMap<String, Spending> = BTreeMap::new();
        let mut answered: BTreeMap<Answered, u64> = BTreeMap::new();
        let mut unpriced = BTreeSet::new();
        let (mut total, mut series) = (Spending::default(), Vec::new());
        for (part, groups) in period.parts.iter().zip(groups) {
            series.push(groups.values().copied().sum());
            if by == By::Day {
                rows.entry(day(&part.name)).or_default();
            }
            for (names, sums) in groups {
                let [name @ .., model, status] = names.as_slice() else { continue };
                let row = Spending::of(policy, (model.as_str(), status.as_str()), sums);
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
        let mut rows: BTreeMap<String, Spending> = BTreeMap::new();
        for (names, sums) in groups {
            if let [name, model, status] = names.as_slice() {
                let spending = Spending::of(policy, (model.as_str(), status.as_str()), sums);
                rows.entry(name.clone()).or_default().add(spending);
            }
        }
        Self { rows: sorted(rows, self.by), ..self }
    }

    pub fn is_empty(&self) -> bool {
        self.total == Spending::default()
    }
}

/// What cost most first; days in their order.
fn sorted(rows: BTreeMap<String, Spending>, by: By) -> Vec<(String, Spending)> {
    let mut rows: Vec<(String, Spending)> = rows.into_iter().collect();
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
