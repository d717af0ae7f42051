//! What one policy would do with each recorded situation: the decision that `decide` makes, boiled down to the steps that
//! a question takes. Equal paths are kept once; `replay` says what the decision knows of the time before. Pure.

use std::collections::HashMap;
use std::sync::Arc;

use super::evidence::{Evidence, Rates};
use super::money::Money;
use super::traffic::{Question, Situation, Traffic};
use super::walk::{Case, Expected, expected};
use crate::chat::{NanoUsd, Price, Tokens};
use crate::gateway::{Setback, View, decide, may_follow};
use crate::names::ModelName;
use crate::policy::{Policy, Route, RouteTier};
use crate::request::Decision;

/// The paths of all questions under one policy, and the money that was there when each came.
#[derive(Clone)]
pub struct Paths {
    pub list: Vec<Path>,
    /// Which path each question takes, by its number.
    numbers: Arc<[u32]>,
    money: Arc<Money>,
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
pub type Key = (usize, Option<usize>, u16, Vec<ModelName>);

/// Paths as they come up, equal ones once.
pub struct Builder<'a> {
    pub policy: &'a Policy,
    pub traffic: &'a Traffic,
    pub evidence: &'a Evidence,
    known: HashMap<Key, u32>,
    list: Vec<Path>,
}

impl<'a> Builder<'a> {
    pub fn new(policy: &'a Policy, traffic: &'a Traffic, evidence: &'a Evidence) -> Self {
        Self { policy, traffic, evidence, known: HashMap::new(), list: Vec::new() }
    }

    pub fn number(&mut self, key: Key) -> u32 {
        *self.known.entry(key).or_insert_with_key(|key| {
            self.list.push(path(self.policy, key, self.traffic, self.evidence));
            self.list.len() as u32 - 1
        })
    }

    /// The path of each situation by itself: whatever happened before.
    pub fn of_situations(&mut self, view: &View) -> Vec<u32> {
        let keys = in_parts(&self.traffic.situations, |situation| {
            key(self.policy, &decide(self.policy, &situation.signals, view), situation)
        });
        keys.into_iter().map(|key| self.number(key)).collect()
    }

    pub fn path(&self, number: u32) -> &Path {
        &self.list[number as usize]
    }

    pub fn paths(self, numbers: Vec<u32>, money: Money) -> Paths {
        Paths { list: self.list, numbers: numbers.into(), money: money.into() }
    }
}

impl Paths {
    /// Every question by itself, with nothing spent and nothing learned.
    pub fn of(policy: &Policy, view: &View, traffic: &Traffic, evidence: &Evidence) -> Self {
        let mut builder = Builder::new(policy, traffic, evidence);
        let situations = builder.of_situations(view);
        let numbers = traffic.questions.iter().map(|question| situations[question.situation as usize]).collect();
        builder.paths(numbers, Money::default())
    }

    pub fn of_question(&self, question: &Question) -> &Path {
        &self.list[self.numbers[question.number as usize] as usize]
    }

    /// The same paths, with the money that was there under another policy.
    pub fn with_money_of(&self, other: &Self) -> Self {
        Self { money: other.money.clone(), ..self.clone() }
    }

    pub fn expected(&self, question: &Question, traffic: &Traffic, evidence: &Evidence) -> Expected {
        let case = Case::of(question, traffic, self.money.at(question));
        expected(self.of_question(question), case, evidence, &mut |_| {})
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

pub fn key(policy: &Policy, decision: &Decision, situation: &Situation) -> Key {
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
