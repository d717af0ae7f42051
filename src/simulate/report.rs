//! What a simulation found, for people and programs: each policy and control in one row, the differences with their
//! noise, and what cannot be known. Values only.

use jiff::Timestamp;
use serde::Serialize;

use super::money::BudgetReport;
use super::replay::Replay;
use super::shuffle::{Shuffle, Spread};
use super::totals::{Figure, Totals};
use super::traffic::Traffic;
use crate::chat::NanoUsd;
use crate::names::TierName;
use crate::policy::Policy;

/// Two standard errors to each side hold 95% of what chance does.
pub const SURE: f64 = 1.96;

/// What a choice by lot has to be beaten by, or lost to: one in a hundred questions. With enough questions any difference
/// is more than chance, also one that matters to nobody.
const NOTICEABLE: f64 = 0.01;

/// What sums in another order may differ by.
const ROUNDING: f64 = 1e-7;

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    pub since: Timestamp,
    /// Requests of that time, and how many of them were replayed.
    pub requests: u64,
    pub replayed: u64,
    pub logic: u64,
    pub cached: u64,
    /// Requests that could have asked a model: what all shares are of.
    pub questions: u64,
    pub rows: Vec<Row>,
    pub change: Change,
    /// `None`: everything starts in one tier, so there is nothing to choose.
    pub against_chance: Option<AgainstChance>,
    /// What the time before did to the decisions of the new policy and the present one.
    pub through_time: Vec<ThroughTime>,
    pub unknowns: Vec<Unknown>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    New,
    Present,
    AllLowest,
    AllHighest,
    Shuffle,
    Recorded,
}

/// One policy or control. `error` is a standard error; for the shuffle, the deviation from lot to lot.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    pub subject: Subject,
    pub name: String,
    /// Of the questions: how many start in each tier, and how many are left to logic.
    pub starts: Vec<Share>,
    pub logic: f64,
    /// `None`: a model without a price would be asked. `known_cost_nanousd` is what the others cost.
    pub cost_nanousd: Option<NanoUsd>,
    pub known_cost_nanousd: NanoUsd,
    pub cost_error_nanousd: Option<NanoUsd>,
    pub escalations: Estimate,
    pub checked: Estimate,
    pub unchecked: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Share {
    pub tier: TierName,
    pub share: f64,
}

/// What pass rates and budgets did to one policy's questions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ThroughTime {
    pub subject: Subject,
    /// Questions that began above a tier because of its pass rates, and such that began there all the same, to see.
    pub passed_over: u64,
    pub explored: u64,
    pub budgets: Vec<BudgetReport>,
}

/// Per question.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    pub value: f64,
    pub error: Option<f64>,
}

/// New less present, over the same questions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    pub cost: Option<Difference>,
    /// Of the present cost; `None` when that is unknown or nothing.
    pub cost_share: Option<f64>,
    pub escalations: Difference,
    pub checked: Difference,
}

/// `cost` in nano-dollars, the others per question.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Difference {
    pub value: f64,
    pub low: Option<f64>,
    pub high: Option<f64>,
    /// Nothing is as likely as this.
    pub inside_the_noise: bool,
}

/// What the policy's choice is worth beside a choice by lot, for the same money.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AgainstChance {
    pub same_cost: bool,
    pub checked: Difference,
    pub escalations: Difference,
    pub verdict: Verdict,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Better,
    NoBetter,
    Worse,
}

/// One thing that a replay cannot see, and how much of it there is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unknown {
    pub code: &'static str,
    pub count: Option<u64>,
    pub text: String,
}

impl Row {
    pub fn of(subject: Subject, name: String, policy: &Policy, totals: &Totals) -> Self {
        let questions = totals.questions as f64;
        let share = |count: u64| if totals.questions == 0 { 0.0 } else { count as f64 / questions };
        let starts = policy.tiers.iter().enumerate().map(|(rank, tier)| Share {
            tier: tier.name.clone(),
            share: share(totals.starts.get(rank).copied().unwrap_or(0)),
        });
        let cost = nanousd(totals.sum.cost);
        Self {
            subject,
            name,
            starts: starts.collect(),
            logic: share(totals.logic),
            cost_nanousd: (totals.sum.unpriced == 0.0).then_some(cost),
            known_cost_nanousd: cost,
            cost_error_nanousd: finite(totals.error(Figure::Cost)).map(nanousd),
            escalations: per_question(totals, Figure::Escalations),
            checked: per_question(totals, Figure::Checked),
            unchecked: if totals.questions == 0 { 0.0 } else { totals.sum.unchecked / questions },
        }
    }

    pub fn by_lot(name: String, policy: &Policy, totals: &Totals, shuffle: &Shuffle) -> Self {
        let questions = totals.questions.max(1) as f64;
        let starts = policy.tiers.iter().zip(&shuffle.starts);
        let estimate =
            |spread: Spread| Estimate { value: spread.mean / questions, error: Some(spread.deviation / questions) };
        Self {
            subject: Subject::Shuffle,
            name,
            starts: starts.map(|(tier, count)| Share { tier: tier.name.clone(), share: count / questions }).collect(),
            logic: totals.logic as f64 / questions,
            cost_nanousd: (totals.sum.unpriced == 0.0).then(|| nanousd(shuffle.cost.mean)),
            known_cost_nanousd: nanousd(shuffle.cost.mean),
            cost_error_nanousd: Some(nanousd(shuffle.cost.deviation)),
            escalations: estimate(shuffle.escalations),
            checked: estimate(shuffle.checked),
            unchecked: totals.sum.unchecked / questions,
        }
    }

    /// What really happened, for comparison with the present policy's replay.
    pub fn recorded(traffic: &Traffic) -> Self {
        let recorded = &traffic.recorded;
        let questions = traffic.questions.len().max(1) as f64;
        let share = |count: u64| count as f64 / questions;
        let (none, tiers): (Vec<_>, Vec<_>) = recorded.by_tier.iter().partition(|(tier, _)| tier.is_none());
        Self {
            subject: Subject::Recorded,
            name: "as recorded".to_owned(),
            starts: tiers.into_iter().map(|(tier, count)| Share { tier: tier.clone(), share: share(*count) }).collect(),
            logic: none.iter().map(|(_, count)| share(**count)).sum(),
            cost_nanousd: Some(recorded.cost),
            known_cost_nanousd: recorded.cost,
            cost_error_nanousd: None,
            escalations: Estimate { value: share(recorded.escalations), error: None },
            checked: Estimate { value: share(recorded.checked), error: None },
            unchecked: share(recorded.unchecked),
        }
    }
}

impl ThroughTime {
    pub fn of(subject: Subject, replay: Replay) -> Self {
        let Replay { budgets, passed_over, explored, .. } = replay;
        Self { subject, passed_over, explored, budgets }
    }
}

impl Change {
    pub fn of(new: &Totals, present: &Totals) -> Self {
        let questions = new.questions.max(1) as f64;
        let per_question = |figure: Figure| {
            let difference = new.figure(figure) - present.figure(figure);
            Difference::of(difference / questions, new.error_of_difference(present, figure) / questions)
        };
        let known = new.sum.unpriced == 0.0 && present.sum.unpriced == 0.0;
        let difference = new.figure(Figure::Cost) - present.figure(Figure::Cost);
        let present_cost = present.figure(Figure::Cost);
        Self {
            cost: known.then(|| Difference::of(difference, new.error_of_difference(present, Figure::Cost))),
            cost_share: (known && present_cost > 0.0).then(|| difference / present_cost),
            escalations: per_question(Figure::Escalations),
            checked: per_question(Figure::Checked),
        }
    }
}

impl AgainstChance {
    /// `None`: everything starts in one tier, so nothing is chosen.
    pub fn of(new: &Totals, by_lot: &Shuffle) -> Option<Self> {
        let questions = new.questions as f64;
        let less = |figure: Figure, lot: Spread| {
            Difference::of((new.figure(figure) - lot.mean) / questions, lot.deviation / questions)
        };
        let checked = less(Figure::Checked, by_lot.checked);
        let escalations = less(Figure::Escalations, by_lot.escalations);
        let verdict = verdict(&checked, &escalations);
        new.chooses().then_some(Self { same_cost: by_lot.same_cost, checked, escalations, verdict })
    }
}

/// More checked answers are better; where there are as many, so are fewer that were rejected first.
fn verdict(checked: &Difference, escalations: &Difference) -> Verdict {
    let weighed = |difference: &Difference| {
        if difference.inside_the_noise || difference.value.abs() < NOTICEABLE { 0.0 } else { difference.value }
    };
    match (weighed(checked), weighed(escalations)) {
        (checked, _) if checked > 0.0 => Verdict::Better,
        (checked, _) if checked < 0.0 => Verdict::Worse,
        (_, escalations) if escalations < 0.0 => Verdict::Better,
        (_, escalations) if escalations > 0.0 => Verdict::Worse,
        _ => Verdict::NoBetter,
    }
}

impl Difference {
    /// An error that is no number: too little to tell.
    pub fn of(value: f64, error: f64) -> Self {
        let error = finite(error);
        Self {
            value,
            low: error.map(|error| value - SURE * error),
            high: error.map(|error| value + SURE * error),
            inside_the_noise: error.is_none_or(|error| value.abs() <= SURE * error + ROUNDING),
        }
    }
}

fn per_question(totals: &Totals, figure: Figure) -> Estimate {
    let questions = totals.questions.max(1) as f64;
    Estimate {
        value: totals.figure(figure) / questions,
        error: finite(totals.error(figure)).map(|error| error / questions),
    }
}

fn finite(number: f64) -> Option<f64> {
    Some(number).filter(|number| number.is_finite())
}

/// An expectation, told as an amount.
pub fn nanousd(amount: f64) -> NanoUsd {
    NanoUsd(amount.round() as i64)
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
