//! The state of each model, from what this process knows and what others wrote down. Pure.

use jiff::Timestamp;

use super::overview::{ModelNow, ModelState};
use crate::gateway::{ModelHealth, together};
use crate::health::{Ailment, State};
use crate::policy::{Backend, Location, Model, Policy};
use crate::store::{Groups, SeenHealth};

/// Every model of the policy. `own` is what this process knows, `seen` what any process on this database wrote down,
/// `today` the sums by model.
pub(super) fn now(
    policy: &Policy,
    own: &[ModelHealth],
    seen: &[SeenHealth],
    (today, now): (&Groups, Timestamp),
) -> Vec<ModelNow> {
    let names = policy.tiers.iter().flat_map(|tier| &tier.models);
    let found = names.filter_map(|name| {
        let model = policy.models.get(name)?;
        let backend = policy.backend_of(model)?;
        let own = own.iter().find(|health| health.model == *name);
        let seen = seen.iter().find(|health| health.model == *name);
        let (state, until) = state(backend, own, seen, now);
        let today = today.get([name.as_str().to_owned()].as_slice()).copied().unwrap_or_default();
        Some(ModelNow {
            name: name.clone(),
            tier: model.tier.clone(),
            backend: backend.name.clone(),
            is_local: backend.location == Location::Local,
            state,
            until,
            note: note(state, model, backend, own.and_then(|own| own.ailment)),
            calls_today: today.attempts.saturating_sub(today.skipped),
            rejected_today: today.rejected,
            spent_today: today.cost.into(),
        })
    });
    found.collect()
}

fn state(
    backend: &Backend,
    own: Option<&ModelHealth>,
    seen: Option<&SeenHealth>,
    now: Timestamp,
) -> (ModelState, Option<Timestamp>) {
    let asks_for_rest = own.is_some_and(|own| own.ailment == Some(Ailment::Busy));
    let state = together(own.map_or(State::Closed, |own| own.state), seen, now);
    match state {
        _ if !backend.is_usable() => (ModelState::NoKey, None),
        State::Open => (ModelState::LeftAlone, seen.and_then(|seen| seen.open_until).filter(|until| *until > now)),
        _ if asks_for_rest => (ModelState::LeftAlone, None),
        State::HalfOpen => (ModelState::Probing, None),
        State::Closed => (ModelState::Ready, None),
    }
}

fn note(state: ModelState, model: &Model, backend: &Backend, ailment: Option<Ailment>) -> String {
    let (name, at) = (&model.spec.name, &backend.name);
    match (state, ailment) {
        (ModelState::Ready, _) => format!("{name} may be called."),
        (ModelState::Probing, _) => format!("{name} failed lately; the next call finds out whether it is well again."),
        (ModelState::NoKey, _) => match &backend.key_variable {
            Some(variable) => format!("{name} is skipped until {variable} is set."),
            None => format!("{name} is skipped: backend {at} has no key."),
        },
        (ModelState::LeftAlone, Some(Ailment::Unreachable)) => {
            format!("{name} could not be reached and is left alone for now. Is backend {at} running?")
        }
        (ModelState::LeftAlone, Some(Ailment::Busy)) => {
            format!(
                "{name} has reached a rate limit or is overloaded: it is left alone for as long as backend {at} asked for."
            )
        }
        (ModelState::LeftAlone, Some(Ailment::KeyRefused)) => {
            format!("{name} is left alone for now: backend {at} did not accept the key.")
        }
        (ModelState::LeftAlone, Some(Ailment::Failing) | None) => {
            format!("{name} failed or could not be reached lately, and is left alone for now. Is backend {at} well?")
        }
    }
}

#[cfg(test)]
#[path = "models_tests.rs"]
mod tests;
