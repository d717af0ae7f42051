//! What an ask would do now, without doing it: for `explain`. Nothing is called, spent or written down.

use serde::Serialize;

use super::call::worst_case;
use super::decide::{View, decide};
use super::parts::Beginning;
use super::{Gateway, budgets, dispatch};
use crate::chat::{NanoUsd, Tokens};
use crate::classify::Track;
use crate::names::ModelName;
use crate::policy::{Limits, Policy};
use crate::request::{Ask, Decision, Outcome, PassRate, Signals, Status};

/// The decision, and what one call of each model that may be asked would take.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rehearsal {
    pub decision: Decision,
    pub calls: Vec<PlannedCall>,
    /// Of the models whose answers to this question were checked lately.
    pub pass_rates: Vec<KnownRate>,
    /// What who asks may ask for; `None`: all it likes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller: Option<CallerLimits>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CallerLimits {
    pub name: String,
    pub limits: Limits,
}

impl CallerLimits {
    pub fn of(policy: &Policy, caller: &str) -> Option<Self> {
        policy.caller_limits(caller).map(|limits| Self { name: caller.to_owned(), limits })
    }
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KnownRate {
    pub model: ModelName,
    #[serde(flatten)]
    pub pass_rate: PassRate,
    /// There are enough checks to go by.
    pub counts: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlannedCall {
    pub model: ModelName,
    /// A likely size of the prompt as this model would get it.
    pub prompt_tokens: Tokens,
    /// The most that the answer may take.
    pub max_output_tokens: Tokens,
    /// The most that one call can cost.
    pub worst_case_nanousd: NanoUsd,
    /// Why it would not be made: a budget, or what the request may spend, has no room for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub does_not_fit: Option<String>,
}

impl Gateway {
    /// The decision for signals alone: what is known of a request that asks no model.
    pub fn explain(&self, signals: &Signals) -> Decision {
        let snapshot = self.0.snapshot();
        decide(&snapshot.policy, signals, &self.0.view_of(&snapshot, signals, None))
    }

    /// Also the outcome as if nobody had answered; it is not written down.
    pub fn rehearse(&self, ask: &Ask) -> (Rehearsal, Outcome) {
        let snapshot = self.0.snapshot();
        let policy = &snapshot.policy;
        let view = self.0.view_of(&snapshot, &ask.signals, ask.conversation);
        let decision = decide(policy, &ask.signals, &view);
        let planned = |name: &ModelName| {
            let model = policy.models.get(name)?;
            let request = dispatch::fitted(model, (ask.render)(&model.spec, &[]).ok()?);
            let worst_case = worst_case(model, &request);
            Some(PlannedCall {
                does_not_fit: without_room(policy, &ask.signals, &view, (name, worst_case)),
                model: name.clone(),
                prompt_tokens: request.estimated_input(),
                max_output_tokens: request.max_output,
                worst_case_nanousd: worst_case,
            })
        };
        let calls = decision.admitted().filter_map(|candidate| planned(&candidate.model)).collect();
        let outcome = self.unanswered((ask.signals.clone(), decision.clone()), Status::Degraded, Beginning::now());
        let pass_rates = view.tracks.iter().map(known).collect();
        let caller = CallerLimits::of(policy, &ask.caller.name).filter(|_| decision.admitted().next().is_some());
        (Rehearsal { decision, calls, pass_rates, caller }, outcome)
    }
}

/// Why a call that could cost this much would be passed over.
fn without_room(
    policy: &Policy,
    signals: &Signals,
    view: &View,
    (name, worst_case): (&ModelName, NanoUsd),
) -> Option<String> {
    if worst_case == NanoUsd::ZERO {
        return None;
    }
    let route = policy.route(&signals.target, &signals.projects, &signals.caller);
    let whole = route.map(|route| route.envelope.max_cost).filter(|whole| worst_case > *whole);
    let too_dear = whole.map(|whole| {
        let [cost, whole] = NanoUsd::apart([worst_case, whole]);
        format!("it could cost {cost}, and the request may spend {whole}")
    });
    too_dear.or_else(|| budgets::without_room(policy, signals, view, (name, worst_case)))
}

fn known((model, track): (&ModelName, &Track)) -> KnownRate {
    KnownRate { model: model.clone(), pass_rate: track.rate(), counts: track.is_enough() }
}
