//! What is expected of one question on one path: each model's own recorded result where it was asked, else its rates;
//! costs of every call, also of the rejected ones. Pure.
//!
//! A second call of the same model after a fault of its own is not played: what it cost stands in the recorded usage.

use super::evidence::{Evidence, Rates};
use super::money::Purse;
use super::path::{Path, Step};
use super::traffic::{Ending, Question, Traffic, Try};
use crate::chat::{Tokens, Usage};
use crate::names::ModelName;
use crate::policy::WhenSpent;
use crate::request::Signals;

/// Sums of expectations over questions. Money is in nano-dollars, and a fraction of one here: an expectation is no
/// amount that anyone pays.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub struct Expected {
    pub cost: f64,
    /// Calls of models without a price.
    pub unpriced: f64,
    pub calls: f64,
    /// Calls whose result the ledger does not know, and such whose tokens it does not.
    pub guessed_results: f64,
    /// The part of them where the question is larger than any of the tool's that the model was asked.
    pub beyond: f64,
    pub guessed_tokens: f64,
    pub escalations: f64,
    pub fallbacks: f64,
    /// Answers that passed a check.
    pub checked: f64,
    /// Answers that nobody checked.
    pub unchecked: f64,
}

/// What may happen at one step, as probabilities.
struct Chances {
    accepted: f64,
    unchecked: f64,
    rejected: f64,
    failed: f64,
}

/// The probability that a step is reached, and what was spent on the way to it, weighed by it.
#[derive(Clone, Copy, Default)]
struct Reach {
    chance: f64,
    spent: f64,
}

/// One question, as far as the path does not say it.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    pub signals: &'a Signals,
    pub tries: &'a [Try],
    pub purse: Purse<'a>,
}

/// What becomes of money on the way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Event<'a> {
    Paid {
        model: &'a ModelName,
        cost: f64,
    },
    /// This budget, by its place in the policy, kept the call back.
    KeptBack {
        budget: usize,
        chance: f64,
    },
}

impl<'a> Case<'a> {
    pub fn of(question: &Question, traffic: &'a Traffic, purse: Purse<'a>) -> Self {
        Self { signals: &traffic.situation_of(question).signals, tries: traffic.tries(question), purse }
    }
}

pub fn expected<'a>(
    path: &'a Path,
    Case { signals, tries, purse }: Case<'_>,
    evidence: &Evidence,
    told: &mut impl FnMut(Event<'a>),
) -> Expected {
    let mut sum = Expected::default();
    let size = signals.context;
    let mut reached = vec![Reach::default(); path.steps.len()];
    let Some(first) = reached.first_mut() else { return sum };
    first.chance = 1.0;
    for _ in 0..path.max_attempts {
        let mut next = vec![Reach::default(); path.steps.len()];
        for (at, step) in path.steps.iter().enumerate() {
            // What is passed on without a call is no attempt, and comes by in this round.
            let reach = reached[at];
            if reach.chance <= 0.0 {
                continue;
            }
            let own = step.model.and_then(|model| tries.iter().find(|tried| tried.model == model));
            let recorded = own.and_then(|tried| tried.usage);
            let usage = recorded.unwrap_or_else(|| guessed(step, evidence.usage(path.tool, step.model, size), size));
            let worst = worst_case(step, usage);
            if worst > 0.0 && worst + reach.spent / reach.chance > path.max_cost.0 as f64 {
                pass_on(&mut reached, step.after_failure, reach);
                continue;
            }
            if let Some((budget, when_spent)) = purse.keeps_back(signals, &step.name, worst) {
                told(Event::KeptBack { budget, chance: reach.chance });
                if when_spent == WhenSpent::FreeOnly {
                    pass_on(&mut reached, step.after_failure, reach);
                }
                continue;
            }
            let ending = own.and_then(|tried| tried.ending);
            let chances = Chances::of(ending, &step.rates);
            // Nothing is known of what a call that fails costs; one that did has its own usage.
            let paid = if ending.is_some() { reach.chance } else { reach.chance * (1.0 - chances.failed) };
            let cost = step.price.map_or(0.0, |price| price.cost(usage).0 as f64);
            told(Event::Paid { model: &step.name, cost: paid * cost });
            sum.cost += paid * cost;
            sum.unpriced += if step.price.is_none() { reach.chance } else { 0.0 };
            sum.calls += reach.chance;
            sum.guessed_results += if ending.is_none() { reach.chance } else { 0.0 };
            let is_beyond = ending.is_none() && step.rates.seen > 0 && size > step.rates.largest;
            sum.beyond += if is_beyond { reach.chance } else { 0.0 };
            sum.guessed_tokens += if recorded.is_none() { reach.chance } else { 0.0 };
            sum.checked += reach.chance * chances.accepted;
            sum.unchecked += reach.chance * chances.unchecked;
            let after = |chance: f64| Reach {
                chance: reach.chance * chance,
                spent: (reach.spent + reach.chance * cost) * chance,
            };
            sum.escalations += pass_on(&mut next, step.after_rejection, after(chances.rejected));
            sum.fallbacks += pass_on(&mut next, step.after_failure, after(chances.failed));
        }
        reached = next;
    }
    sum
}

impl Expected {
    pub fn add(&mut self, other: &Self) {
        let pairs = [
            (&mut self.cost, other.cost),
            (&mut self.unpriced, other.unpriced),
            (&mut self.calls, other.calls),
            (&mut self.guessed_results, other.guessed_results),
            (&mut self.beyond, other.beyond),
            (&mut self.guessed_tokens, other.guessed_tokens),
            (&mut self.escalations, other.escalations),
            (&mut self.fallbacks, other.fallbacks),
            (&mut self.checked, other.checked),
            (&mut self.unchecked, other.unchecked),
        ];
        for (sum, part) in pairs {
            *sum += part;
        }
    }
}

impl Chances {
    fn of(ending: Option<Ending>, rates: &Rates) -> Self {
        let certain = |is: Ending| if ending == Some(is) { 1.0 } else { 0.0 };
        if ending.is_some() {
            return Self {
                accepted: certain(Ending::Accepted),
                unchecked: certain(Ending::Unchecked),
                rejected: certain(Ending::Rejected),
                failed: certain(Ending::Failed),
            };
        }
        let (answers, accepts) = (rates.answers.mean, rates.accepts.mean);
        Self {
            accepted: answers * accepts * (1.0 - rates.unchecked),
            unchecked: answers * accepts * rates.unchecked,
            rejected: answers * (1.0 - accepts),
            failed: 1.0 - answers,
        }
    }
}

fn pass_on(next: &mut [Reach], to: Option<usize>, reach: Reach) -> f64 {
    let Some(place) = to.and_then(|to| next.get_mut(to)) else { return 0.0 };
    place.chance += reach.chance;
    place.spent += reach.spent;
    reach.chance
}

/// What the envelope and the budgets need to be able to pay before a call is made; nothing for a free one.
fn worst_case(step: &Step, usage: Usage) -> f64 {
    let price = step.price.filter(|price| !price.is_free());
    let worst = Usage { output: step.max_output, cached_input: Tokens::ZERO, ..usage };
    price.map_or(0.0, |price| price.cost(worst).0 as f64)
}

/// Without any measurement: the question as it is, and an answer as long as it may be.
fn guessed(step: &Step, measured: Option<Usage>, size: Tokens) -> Usage {
    let usage = measured.unwrap_or(Usage { input: size, cached_input: Tokens::ZERO, output: step.max_output });
    let output = usage.output.min(step.max_output);
    Usage { input: usage.input.min(step.context.saturating_sub(output)), output, ..usage }
}
