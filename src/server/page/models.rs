//! Is everything well? The state of each model, and the remarks that follow. Pure.

use jiff::Timestamp;

use super::overview::{Level, ModelNow, ModelState, Remark};
use crate::gateway::ModelHealth;
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

/// This process's breaker may be half-open for long after another process heard the model answer: then that one knows
/// better.
fn state(
    backend: &Backend,
    own: Option<&ModelHealth>,
    seen: Option<&SeenHealth>,
    now: Timestamp,
) -> (ModelState, Option<Timestamp>) {
    let own = own.map_or(State::Closed, |own| own.state);
    let open_until = seen.and_then(|seen| seen.open_until);
    match (own, seen, open_until) {
        _ if !backend.is_usable() => (ModelState::NoKey, None),
        (_, _, Some(until)) if until > now => (ModelState::LeftAlone, Some(until)),
        (State::Open, _, _) => (ModelState::LeftAlone, None),
        (_, _, Some(_)) => (ModelState::Probing, None),
        (State::HalfOpen, None, None) => (ModelState::Probing, None),
        (State::HalfOpen | State::Closed, _, None) => (ModelState::Ready, None),
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
        (ModelState::LeftAlone, Some(Ailment::KeyRefused)) => {
            format!("{name} is left alone for now: backend {at} did not accept the key.")
        }
        (ModelState::LeftAlone, Some(Ailment::Failing) | None) => {
            format!("{name} failed or could not be reached lately, and is left alone for now. Is backend {at} well?")
        }
    }
}

/// What a person should know, the worst first.
pub(super) fn remarks(models: &[ModelNow], policy: &Policy, followed: &[String]) -> Vec<Remark> {
    let mut remarks = Vec::new();
    let may_be_called = |model: &ModelNow| matches!(model.state, ModelState::Ready | ModelState::Probing);
    if !models.is_empty() && !models.iter().any(may_be_called) {
        let text = "No model may be called now: every tool answers from plain logic.".to_owned();
        remarks.push(Remark { level: Level::Trouble, code: "no_model", text });
    }
    for model in models {
        let (level, code) = match model.state {
            ModelState::Ready => continue,
            ModelState::LeftAlone => (Level::Trouble, "left_alone"),
            ModelState::Probing => (Level::Notice, "probing"),
            ModelState::NoKey => (Level::Notice, "no_key"),
        };
        remarks.push(Remark { level, code, text: model.note.clone() });
    }
    let others = followed.iter().filter(|hash| **hash != policy.hash).count();
    if others > 0 {
        let (who, them) =
            if others == 1 { ("1 other process follows", "it") } else { ("Other processes follow", "them") };
        let text = format!("{who} another policy than this server. Restart {them} to follow the same one.");
        remarks.push(Remark { level: Level::Notice, code: "other_policy", text });
    }
    remarks.sort_by_key(|remark| std::cmp::Reverse(remark.level));
    remarks
}

pub(super) fn verdict(remarks: &[Remark]) -> Level {
    remarks.iter().map(|remark| remark.level).max().unwrap_or(Level::Well)
}

#[cfg(test)]
#[path = "models_tests.rs"]
mod tests;
