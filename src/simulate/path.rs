//! What one policy would do with each recorded situation: the decision that `decide` makes, boiled down to the steps that
//! a question takes. Equal paths are kept once. Pure.

use std::collections::HashMap;
use std::sync::Arc;

use super::evidence::{Evidence, Rates};
use super::traffic::{Situation, Traffic};
use crate::chat::{NanoUsd, Price, Tokens};
use crate::gateway::{Setback, View, decide, may_follow};
use crate::names::ModelName;
use crate::policy::{Policy, Route, RouteTier};
use crate::request::Decision;

/// The paths of all situations under one policy.
#[derive(Clone)]
pub struct Paths {
    pub list: Vec<Path>,
    /// Which path each situation takes, by its number.
    numbers: Arc<[u32]>,
}

#[derive(Clone)]
pub struct Path {
    /// The rank of the tier where it starts; `None`: logic alone.
    pub start: Option<usize>,
    pub max_attempts: u32,
    pub max_cost: NanoUsd,
    pub tool: u16,
    /// The models that may be asked, in the order of trying.
    pub steps: Vec<Step>,
}

#[derive(Clone)]
pub struct Step {
    pub name: ModelName,
    /// Its number in the ledger; `None`: the ledger does not know it.
    pub model: Option<u16>,
    pub price: Option<Price>,
    pub context: Tokens,
    pub max_output: Tokens,
    pub rates: Rates,
    pub after_rejection: Option<usize>,
    pub after_failure: Option<usize>,
}

/// What makes two paths the same one.
type Key = (usize, Option<usize>, u16, Vec<ModelName>);

impl Paths {
    pub fn of(policy: &Policy, view: &View, traffic: &Traffic, evidence: &Evidence) -> Self {
        let decided = in_parts(&traffic.situations, |situation| {
            key(policy, &decide(policy, &situation.signals, view), situation)
        });
        let mut known: HashMap<Key, u32> = HashMap::new();
        let mut list = Vec::new();
        let numbers = decided
            .into_iter()
            .map(|key| {
                *known.entry(key).or_insert_with_key(|key| {
                    list.push(path(policy, key, traffic, evidence));
                    list.len() as u32 - 1
                })
            })
            .collect();
        Self { list, numbers }
    }

    pub fn of_situation(&self, situation: u32) -> &Path {
        &self.list[self.numbers[situation as usize] as usize]
    }
}

/// The same policy, with every question that a model may answer starting in the tier of this rank. Caps still hold.
pub fn starting_in(policy: &Policy, rank: usize) -> Policy {
    let mut forced = policy.clone();
    let Some(tier) = policy.tiers.get(rank) else { return forced };
    for route in forced.routes.iter_mut() {
        if !matches!(&route.tier, RouteTier::Named(named) if named.is_none()) {
            route.tier = RouteTier::Named(tier.name.clone());
        }
    }
    forced
}

/// Every item's result, in order, worked out on all cores.
pub fn in_parts<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let size = items.len().div_ceil(cores).max(1);
    std::thread::scope(|scope| {
        let work = &work;
        let workers: Vec<_> =
            items.chunks(size).map(|part| scope.spawn(move || part.iter().map(work).collect::<Vec<R>>())).collect();
        let mut all = Vec::with_capacity(items.len());
        for worker in workers {
            match worker.join() {
                Ok(part) => all.extend(part),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all
    })
}

fn key(policy: &Policy, decision: &Decision, situation: &Situation) -> Key {
    let route = policy.routes.iter().position(|route| route.name == decision.route).unwrap_or(usize::MAX);
    let admitted = decision.admitted().map(|candidate| candidate.model.clone()).collect();
    (route, policy.rank(&decision.tier), situation.tool, admitted)
}

fn path(policy: &Policy, (route, start, tool, models): &Key, traffic: &Traffic, evidence: &Evidence) -> Path {
    let Some(route) = policy.routes.get(*route) else {
        return Path { start: None, max_attempts: 0, max_cost: NanoUsd::ZERO, tool: *tool, steps: Vec::new() };
    };
    let ranks: Vec<usize> = models
        .iter()
        .filter_map(|name| policy.models.get(name))
        .map(|model| policy.rank(&model.tier).unwrap_or(0))
        .collect();
    let steps = models.iter().filter_map(|name| policy.models.get(name)).enumerate().map(|(at, model)| {
        let number = traffic.models.get(&model.spec.name);
        Step {
            name: model.spec.name.clone(),
            model: number,
            // A local model has no bill, also when no price is written.
            price: if policy.is_free(model) { Some(Price::default()) } else { model.price },
            context: model.spec.context,
            max_output: model.spec.max_output,
            rates: evidence.rates(*tool, number),
            after_rejection: next(route, Setback::Rejected, at, &ranks),
            after_failure: next(route, Setback::Failed, at, &ranks),
        }
    });
    Path {
        start: *start,
        max_attempts: route.envelope.max_attempts,
        max_cost: route.envelope.max_cost,
        tool: *tool,
        steps: steps.collect(),
    }
}

/// Who is asked next, as the candidate loop goes on.
fn next(route: &Route, setback: Setback, at: usize, ranks: &[usize]) -> Option<usize> {
    (at + 1..ranks.len()).find(|next| may_follow(route, setback, ranks[at], ranks[*next]))
}
