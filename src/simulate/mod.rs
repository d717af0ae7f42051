//! Recorded requests through another policy, before it goes live: READ `run` first.
//!
//! - `read`: rows of the ledger into `traffic`; `evidence`: what they say of models and tools
//! - `replay`: one policy through time, by the gateway's own `decide`; `known`: the pass rates, `money`: the budgets by
//!   then; `path`: what a decision comes to, `walk`: what is expected of one question on it
//! - `totals`: the sums, and how much of them is chance; `shuffle`: the control by lot
//! - `report`: what was found, and `unknowns`: what cannot be; `gate`: when a difference is too much
//! - `calibrate`: the threshold that gives a share
//!
//! All but `read` is pure. It asks no model, writes nothing, and knows neither tools nor doors.

mod calibrate;
mod evidence;
mod gate;
mod known;
mod money;
mod path;
mod read;
mod replay;
mod report;
mod shuffle;
#[cfg(test)]
mod tests;
mod totals;
mod traffic;
mod unknowns;
mod walk;

use std::collections::BTreeMap;

pub use calibrate::{Calibration, SAME_SHARE, Wanted, calibrate};
pub use gate::{Breach, Gates};
pub use money::{BudgetReport, SpentPeriod};
pub use read::{Sample, traffic};
pub use report::{
    AgainstChance, Change, Difference, Estimate, Report, Row, SURE, Share, Subject, ThroughTime, Unknown, Verdict,
};
pub use traffic::Traffic;

use evidence::Evidence;
use path::{Paths, starting_in};
use replay::replay;
use shuffle::shuffle;
use totals::Totals;

use crate::chat::NanoUsd;
use crate::gateway::View;
use crate::policy::Policy;
use jiff::Timestamp;

/// A policy to replay through, and what it is called.
pub struct Contender<'a> {
    pub name: String,
    pub policy: &'a Policy,
    /// What each of its budgets had spent, by the record, in the period that was under way at the first moment of the
    /// replay; in the policy's order.
    pub opening: Vec<NanoUsd>,
}

/// What is compared, on which ground.
pub struct Comparison<'a> {
    pub new: Contender<'a>,
    pub present: Contender<'a>,
    /// Leave out backends whose key is not set here. Otherwise all are taken as usable: what a policy means should not
    /// change with the shell it is looked at from.
    pub keys_as_set: bool,
    pub since: Timestamp,
    /// All requests of that time, of which `traffic` may be a sample.
    pub requests: u64,
}

pub fn run(comparison: &Comparison<'_>, traffic: &Traffic) -> Report {
    let evidence = Evidence::of(traffic);
    let totals = |paths: &Paths| Totals::of(paths, traffic, &evidence);
    let (new, present) = (&comparison.new, &comparison.present);
    let replayed = |contender| replay(comparison, contender, traffic, &evidence);
    let (new_replay, present_replay) = (replayed(new), replayed(present));
    let (new_totals, present_totals) = (totals(&new_replay.paths), totals(&present_replay.paths));
    // What a tier alone would cost, whatever budgets say: the bounds.
    let alone = |policy: &Policy| Paths::of(policy, &comparison.view(policy), traffic, &evidence);
    let forced: Vec<Paths> = (0..new.policy.tiers.len()).map(|rank| alone(&starting_in(new.policy, rank))).collect();
    let mut rows = vec![
        Row::of(Subject::New, new.name.clone(), new.policy, &new_totals),
        Row::of(Subject::Present, present.name.clone(), present.policy, &present_totals),
    ];
    for (subject, control) in [(Subject::AllLowest, forced.first()), (Subject::AllHighest, forced.last())] {
        let tier = if subject == Subject::AllLowest { new.policy.tiers.first() } else { new.policy.tiers.last() };
        let (Some(control), Some(tier)) = (control, tier) else { continue };
        rows.push(Row::of(subject, format!("all {}", tier.name), new.policy, &totals(control)));
    }
    let drawn: Vec<Paths> = forced.iter().map(|forced| forced.with_money_of(&new_replay.paths)).collect();
    let by_lot = shuffle((&new_replay.paths, &new_totals), &drawn, traffic, &evidence);
    if let Some(by_lot) = &by_lot {
        let name = if by_lot.same_cost { "by lot, same cost" } else { "by lot, same shares" };
        rows.push(Row::by_lot(name.to_owned(), new.policy, &new_totals, by_lot));
    }
    rows.push(Row::recorded(traffic));
    Report {
        since: comparison.since,
        requests: comparison.requests,
        replayed: traffic.requests,
        logic: traffic.logic,
        cached: traffic.cached,
        questions: new_totals.questions,
        rows,
        change: Change::of(&new_totals, &present_totals),
        against_chance: by_lot.and_then(|by_lot| AgainstChance::of(&new_totals, &by_lot)),
        unknowns: unknowns::of(comparison, traffic, &evidence, (&new_replay.paths, &new_totals)),
        through_time: vec![
            ThroughTime::of(Subject::New, new_replay),
            ThroughTime::of(Subject::Present, present_replay),
        ],
    }
}

impl Comparison<'_> {
    fn view(&self, policy: &Policy) -> View {
        if self.keys_as_set { View::of(policy, BTreeMap::new()) } else { View::default() }
    }
}
