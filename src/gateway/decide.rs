//! Which models are tried for a request, in which order, and why. Pure: the policy, the signals and a view of the world
//! go in, a decision comes out. `explain` and the request path call exactly this.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::begin::{self, Given};
use super::{asleep, budgets};
use crate::chat::Tokens;
use crate::classify::{self, Track};
use crate::health::Ailment;
use crate::limit::Spent;
use crate::names::{BackendName, BudgetName, ModelName, RouteName, TierName};
use crate::policy::{Model, Policy, Route, RouteTier};
use crate::request::{Candidate, Complexity, Decision, Exclusion, Reason, Signals, Target};

/// What the decision may know of the world beyond the policy's text.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct View {
    /// Backends that cannot be called because their key is not set.
    pub without_key: BTreeSet<BackendName>,
    /// Models that are left alone for now, and why. They stay out also when nobody else is in.
    pub unwell: BTreeMap<ModelName, Ailment>,
    /// What budgets have spent in their present periods, as far as it is known here.
    pub spent: BTreeMap<BudgetName, Spent>,
    /// Models that are not loaded, and how long each still needs until it can answer.
    pub asleep: BTreeMap<ModelName, Duration>,
    /// How the models' answers to this question did in checks.
    pub tracks: BTreeMap<ModelName, Track>,
    /// From 0 to 1, for what is left to chance; `None`: what usually happens.
    pub draw: Option<f64>,
    /// The model that answered this conversation last.
    pub sticky: Option<ModelName>,
}

impl View {
    pub fn of(policy: &Policy, unwell: BTreeMap<ModelName, Ailment>) -> Self {
        let unusable = policy.backends.values().filter(|backend| !backend.is_usable());
        Self { without_key: unusable.map(|backend| backend.name.clone()).collect(), unwell, ..Self::default() }
    }
}

/// How the request before this candidate ended, as far as the way forward depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setback {
    /// An answer came and was not good enough.
    Rejected,
    /// No answer came, or none was asked for.
    Failed,
}

/// Chooses. A policy always has a route that matches; without one the answer is logic alone.
pub fn decide(policy: &Policy, signals: &Signals, view: &View) -> Decision {
    let Some(route) = policy.route(&signals.target, &signals.projects, &signals.caller) else {
        return logic_alone(RouteName::from("default"), vec![Reason::new("no_route", "No route matches.")]);
    };
    let matched = Reason::new("route", format!("Route `{}` matches {}.", route.name, signals.target.as_str()));
    if matches!(&route.tier, RouteTier::Named(tier) if tier.is_none()) {
        let logic = Reason::new("logic", "The route asks for logic alone: no model is called.");
        return logic_alone(route.name.clone(), vec![matched, logic]);
    }
    let complexity = classify::score(signals, &policy.classifier.weights);
    let mut reasons = vec![matched];
    reasons.extend(budgets::running_low(policy, signals, view));
    let wanted = wanted_tier(policy, route, complexity.score, &mut reasons);
    let capped = capped(policy, route, wanted, &mut reasons);
    let given = Given { policy, route, signals, view };
    let (start, first) = begin::place(given, capped, &mut reasons);
    let out = |model: &ModelName, rank| barred_by_route(policy, route, start, rank).or_else(|| kept_out(given, model));
    let mut candidates = ordered(policy, start, out);
    candidates.sort_by_key(|candidate| first.is_some() && first.as_ref() != Some(&candidate.model));
    let ended = budgets::end_where_rejected(policy, signals, view, &mut candidates);
    // The excluded ones go last, so that the order of the others is the order of trying.
    candidates.sort_by_key(|candidate| candidate.excluded.is_some());
    reasons.extend(candidates.iter().filter_map(|candidate| told(policy, signals, view, candidate)));
    reasons.extend(budgets::left_out(policy, signals, view, &candidates));
    reasons.extend(ended);
    reasons.extend(candidates.first().and_then(|candidate| waited_for(candidate, view)));
    if candidates.iter().all(|candidate| candidate.excluded.is_some()) {
        reasons.push(Reason::new("nobody", nobody(&signals.target)));
    }
    let tier = policy.tiers.get(start).map_or_else(TierName::none, |tier| tier.name.clone());
    Decision { route: route.name.clone(), tier, complexity, candidates, reasons }
}

/// May a request that had this setback in one tier go on to another? Tiers are given by their rank.
pub fn may_follow(route: &Route, setback: Setback, from: usize, to: usize) -> bool {
    match setback {
        Setback::Rejected => route.escalate.on_rejected && to > from,
        Setback::Failed if to > from => route.fallback.upward,
        Setback::Failed if to < from => route.fallback.downward,
        Setback::Failed => true,
    }
}

/// A call that was refused, or that logic could answer, before its question was known: its place in the figures is with
/// those that want no model.
pub(super) fn nobody_wanted(decision: Decision) -> Decision {
    if decision.tier.is_none() {
        return decision;
    }
    let reason = Reason::new("no_question", "The call came to no question for a model.");
    logic_alone(decision.route, vec![reason])
}

fn logic_alone(route: RouteName, reasons: Vec<Reason>) -> Decision {
    Decision { route, tier: TierName::none(), complexity: Complexity::default(), candidates: Vec::new(), reasons }
}

/// The rank of the tier that the route names, or that the complexity reaches.
fn wanted_tier(policy: &Policy, route: &Route, score: f64, reasons: &mut Vec<Reason>) -> usize {
    if let RouteTier::Named(name) = &route.tier {
        reasons.push(Reason::new("tier_named", format!("The route asks for tier `{name}`.")));
        return policy.rank(name).unwrap_or(0);
    }
    let reached = thresholds(policy, route).filter(|(_, threshold)| score >= *threshold).last();
    let Some((rank, threshold)) = reached else {
        let next = thresholds(policy, route).next();
        let text = match next.and_then(|(rank, threshold)| policy.tiers.get(rank).map(|tier| (tier, threshold))) {
            Some((tier, threshold)) => {
                let (score, threshold) = apart(score, threshold);
                format!("Complexity {score} is below {threshold}, where tier `{}` begins.", tier.name)
            }
            None => format!("Complexity {score:.2}; the policy has no threshold, so the first tier begins."),
        };
        reasons.push(Reason::new("complexity_below", text));
        return 0;
    };
    let tier = policy.tiers.get(rank).map_or("", |tier| tier.name.as_str());
    let text = format!("Complexity {score:.2} reaches {threshold:.2}, where tier `{tier}` begins.");
    reasons.push(Reason::new("complexity_reaches", text));
    rank
}

/// Two decimals, or as many as it takes to tell them apart: "0.45 is below 0.45" explains nothing.
fn apart(score: f64, threshold: f64) -> (String, String) {
    let shown = |digits: usize| (format!("{score:.digits$}"), format!("{threshold:.digits$}"));
    (2..=6).map(shown).find(|(score, threshold)| score != threshold).unwrap_or_else(|| shown(2))
}

/// Rank and threshold of each tier that has one, lowest tier first.
fn thresholds(policy: &Policy, route: &Route) -> impl Iterator<Item = (usize, f64)> {
    let own: &BTreeMap<TierName, f64> = &route.thresholds;
    policy.tiers.iter().enumerate().filter_map(move |(rank, tier)| own.get(&tier.name).map(|at| (rank, *at)))
}

fn capped(policy: &Policy, route: &Route, wanted: usize, reasons: &mut Vec<Reason>) -> usize {
    let Some(cap) = route.max_tier.as_ref().and_then(|tier| policy.rank(tier)) else { return wanted };
    if wanted > cap {
        let tier = route.max_tier.as_ref().map_or("", TierName::as_str);
        reasons.push(Reason::new("max_tier", format!("The route goes no higher than tier `{tier}`.")));
    }
    wanted.min(cap)
}

/// All models: the starting tier's, then the tiers above it, then those below, nearest first.
fn ordered(
    policy: &Policy,
    start: usize,
    exclusion: impl Fn(&ModelName, usize) -> Option<Exclusion>,
) -> Vec<Candidate> {
    let ranks = (start..policy.tiers.len()).chain((0..start).rev());
    ranks
        .filter_map(|rank| policy.tiers.get(rank).map(|tier| (rank, tier)))
        .flat_map(|(rank, tier)| tier.models.iter().map(move |model| (rank, tier, model)))
        .map(|(rank, tier, model)| Candidate {
            model: model.clone(),
            tier: tier.name.clone(),
            excluded: exclusion(model, rank),
        })
        .collect()
}

fn barred_by_route(policy: &Policy, route: &Route, start: usize, rank: usize) -> Option<Exclusion> {
    let above_cap = route.max_tier.as_ref().and_then(|tier| policy.rank(tier)).is_some_and(|cap| rank > cap);
    if above_cap {
        return Some(Exclusion::AboveMaxTier);
    }
    let reachable = rank == start
        || may_follow(route, Setback::Failed, start, rank)
        || may_follow(route, Setback::Rejected, start, rank);
    (!reachable).then_some(Exclusion::NotAllowed)
}

/// Why a model is out that would have been in at another moment, or with a shorter prompt.
fn told(policy: &Policy, signals: &Signals, view: &View, candidate: &Candidate) -> Option<Reason> {
    let model = &candidate.model;
    match candidate.excluded? {
        Exclusion::Unhealthy => {
            Some(Reason::new("unhealthy", format!("{model} failed lately and is left alone for now.")))
        }
        Exclusion::Unreachable => {
            let text = format!("{model} could not be reached lately and is left alone for now.");
            Some(Reason::new("unreachable", text))
        }
        Exclusion::Busy => {
            let text = format!("{model} is left alone for as long as its backend asked for.");
            Some(Reason::new("busy", text))
        }
        Exclusion::KeyRefused => {
            let text = format!("{model} is left alone for now: its backend refused our key or account.");
            Some(Reason::new("key_refused", text))
        }
        // Told with the budget's name.
        Exclusion::BudgetSpent | Exclusion::Unpriced => None,
        Exclusion::NotLoaded => {
            let load = view.asleep.get(model).copied().unwrap_or_default();
            Some(Reason::new("not_loaded", format!("{}.", asleep::told(model, load))))
        }
        Exclusion::TooLong => {
            let (needed, room) = (signals.context, room(signals, policy.models.get(model)?)?);
            let text = format!("The prompt takes about {} tokens, and {model} has room for {}.", needed.0, room.0);
            Some(Reason::new("context", text))
        }
        Exclusion::NoKey => {
            let backend = policy.models.get(model).and_then(|model| policy.backend_of(model))?;
            let advice = backend.key_advice().map(|advice| format!(" ({advice})")).unwrap_or_default();
            let text = format!("{model} is left out: its backend `{}` has no key{advice}.", backend.name);
            Some(Reason::new("no_key", text))
        }
        Exclusion::MissingCapability => {
            let lacking = signals.needs.difference(&policy.models.get(model)?.spec.capabilities);
            let lacking: Vec<&str> = lacking.map(|capability| capability.as_str()).collect();
            let text = format!("The request needs {}, which {model} lacks.", lacking.join(" and "));
            Some(Reason::new("capability", text))
        }
        Exclusion::AboveMaxTier | Exclusion::NotAllowed => None,
    }
}

/// What becomes of a request that no model may take: only tools have logic of their own.
fn nobody(target: &Target) -> &'static str {
    match target {
        Target::Tool(_) => "No model may be called: logic alone answers.",
        Target::Endpoint(_) => "No model may be called: the request is refused.",
    }
}

/// The one that is asked first, if it has to be loaded before it can answer.
fn waited_for(first: &Candidate, view: &View) -> Option<Reason> {
    let load = view.asleep.get(&first.model).filter(|_| first.excluded.is_none())?;
    Some(Reason::new("loading", format!("{}, and there is time for that.", asleep::told(&first.model, *load))))
}

/// A model that is not loaded, and could not answer before the request has to go on.
fn out_of_time(route: &Route, view: &View, name: &ModelName) -> Option<Exclusion> {
    let load = view.asleep.get(name)?;
    let time = route.envelope.attempt_time(route.envelope.deadline, true);
    (!asleep::is_worth_the_wait(*load, time)).then_some(Exclusion::NotLoaded)
}

/// Why a model may not be called for this request, whatever the route's tiers say.
pub(super) fn kept_out(given: Given<'_>, name: &ModelName) -> Option<Exclusion> {
    let Given { policy, route, signals, view } = given;
    unfit(policy, signals, view, name).or_else(|| out_of_time(route, view, name))
}

fn unfit(policy: &Policy, signals: &Signals, view: &View, name: &ModelName) -> Option<Exclusion> {
    let model: &Model = policy.models.get(name)?;
    if view.without_key.contains(&model.backend) {
        return Some(Exclusion::NoKey);
    }
    if !signals.needs.is_subset(&model.spec.capabilities) {
        return Some(Exclusion::MissingCapability);
    }
    if room(signals, model).is_some_and(|room| signals.context > room) {
        return Some(Exclusion::TooLong);
    }
    if let Some(why) = budgets::excluded(policy, signals, view, model) {
        return Some(why);
    }
    // Last, so that what passes is told only of models that could be called otherwise.
    view.unwell.get(name).map(|ailment| match ailment {
        Ailment::Failing => Exclusion::Unhealthy,
        Ailment::Unreachable => Exclusion::Unreachable,
        Ailment::Busy => Exclusion::Busy,
        Ailment::KeyRefused => Exclusion::KeyRefused,
    })
}

/// What this model has for the prompt of a conversation, which is sent as it is; a tool fits its question to each model.
/// The size is an estimate that counts high: near the limit a prompt goes up, and is never cut in silence.
fn room(signals: &Signals, model: &Model) -> Option<Tokens> {
    let conversation = signals.conversation?;
    Some(model.spec.prompt_room(conversation.max_output.unwrap_or(model.spec.max_output)))
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
