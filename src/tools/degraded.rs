//! Why no model's answer stands in a result, and what to do about it: one text for the reader.
//!
//! Made from the outcome and the policy alone; it names models, backends and variables, never task text or keys.

use crate::names::ModelName;
use crate::policy::{Backend, Location, Policy};
use crate::request::{Attempt, AttemptResult, Candidate, Exclusion, Limit, Outcome, Reason};

/// What begins a degraded analysis.
pub(super) const UNAVAILABLE: &str = "Model unavailable. Basic summary provided.";

/// The lesson's words for a local model that cannot be reached.
pub(super) const NOT_RUNNING: &str = "Could not connect to model server. Ensure LiteLLM proxy and Ollama are running.";

/// The `error` of a result that is degraded or partial.
pub(super) fn error(outcome: &Outcome, policy: &Policy) -> String {
    // Its caller's limits come before any model: no other word about models is to the point.
    if let (Some(why), true) =
        (&outcome.failure, outcome.kept_back.is_some_and(|kept_back| kept_back.limit.is_of_caller()))
    {
        return ended(why);
    }
    // Of what was passed over, only money is the reader's to see to, and the database that is asked for it.
    let matters = |attempt: &&Attempt| {
        attempt.result != AttemptResult::Skipped || matches!(attempt.kept_back, Some(Limit::Budget | Limit::Storage))
    };
    let failed: Vec<&Attempt> = outcome.tried().iter().filter(matters).collect();
    if only_local_and_unreachable(outcome, &failed, policy) {
        return NOT_RUNNING.to_owned();
    }
    let left_alone = || outcome.decision.left_alone().filter_map(|candidate| why_out(candidate, outcome, policy));
    let attempts = if failed.is_empty() { outcome.tried().iter().collect() } else { failed };
    let told = last_of_each_model(&attempts).map(|attempt| sentence(attempt, policy)).collect::<Vec<_>>();
    let asked_for = outcome.decision.admitted().next().is_some();
    match (told.is_empty(), &outcome.failure) {
        (false, _) => told.into_iter().chain(left_alone()).chain(way_up(outcome, policy)).collect::<Vec<_>>().join(" "),
        (true, _) if !asked_for && !outcome.decision.candidates.is_empty() => nobody(outcome, policy),
        (true, Some(failure)) => ended(failure),
        (true, None) => "No model was asked: the route answers from logic alone.".to_owned(),
    }
}

/// Nobody was there at any local model: now, or when it was called last and has been left alone since.
fn only_local_and_unreachable(outcome: &Outcome, failed: &[&Attempt], policy: &Policy) -> bool {
    let local = |model: &ModelName| backend(model, policy).is_some_and(|backend| backend.location == Location::Local);
    let mut left_alone = outcome.decision.left_alone().peekable();
    let something_was_seen = !failed.is_empty() || (outcome.tried().is_empty() && left_alone.peek().is_some());
    something_was_seen
        && failed.iter().all(|attempt| attempt.result == AttemptResult::Connect && local(&attempt.model))
        && left_alone.all(|out| out.excluded == Some(Exclusion::Unreachable) && local(&out.model))
}

/// A model that was tried twice is told once.
fn last_of_each_model<'a>(attempts: &'a [&'a Attempt]) -> impl Iterator<Item = &'a Attempt> {
    let later = |at: usize, attempt: &Attempt| attempts[at + 1..].iter().any(|other| other.model == attempt.model);
    attempts.iter().enumerate().filter(move |(at, attempt)| !later(*at, attempt)).map(|(_, attempt)| *attempt)
}

fn sentence(attempt: &Attempt, policy: &Policy) -> String {
    let model = &attempt.model;
    if let Some(rejection) = &attempt.rejection {
        return ended(&format!("{model} answered, but its answer was not accepted: {}", rejection.why));
    }
    let failure = attempt.failure.as_deref().unwrap_or("no answer came");
    // Most reasons begin with the model's name.
    let told = if failure.contains(model.as_str()) { failure.to_owned() } else { format!("{model} failed: {failure}") };
    format!("{} {}", ended(&told), advice(attempt, policy)).trim_end().to_owned()
}

/// What to start, set or wait for.
fn advice(attempt: &Attempt, policy: &Policy) -> String {
    let backend = backend(&attempt.model, policy);
    let name = backend.map_or("its backend", |backend| backend.name.as_str());
    match attempt.result {
        AttemptResult::Connect if backend.is_some_and(|backend| backend.location == Location::Local) => {
            NOT_RUNNING.to_owned()
        }
        AttemptResult::Connect => format!("Check the network and the base_url of {name} in routing.yaml."),
        AttemptResult::Auth => match backend.map(|backend| (backend.key_variable.as_ref(), &backend.key_file)) {
            Some((Some(variable), _)) => format!("Set {variable} to a key that {name} accepts."),
            Some((None, Some(_))) => format!("Put a key that {name} accepts into its api_key_file."),
            Some((None, None)) | None => format!("Give {name} a key that it accepts in routing.yaml."),
        },
        AttemptResult::Cut => format!("Try again, and look at the log of {name} if it happens again."),
        AttemptResult::Timeout => {
            format!("Try again when {name} is less busy, or raise the timeouts of {} in routing.yaml.", attempt.model)
        }
        AttemptResult::Quota => format!("Check the plan and the billing of the account at {name}."),
        AttemptResult::RateLimited => "Try again later.".to_owned(),
        AttemptResult::UpstreamError => {
            format!("Look at the log of {name}, and check its base_url in routing.yaml.")
        }
        AttemptResult::Context => "Use a model with a larger context.".to_owned(),
        _ => String::new(),
    }
}

/// A model that would have been next, had it a key.
fn way_up(outcome: &Outcome, policy: &Policy) -> Option<String> {
    let keyless = |candidate: &&Candidate| candidate.excluded == Some(Exclusion::NoKey);
    let model = &outcome.decision.candidates.iter().find(keyless)?.model;
    let advice = backend(model, policy)?.key_advice()?;
    Some(format!("To let {model} be asked too, {advice}."))
}

/// Every model was out before anything was tried.
fn nobody(outcome: &Outcome, policy: &Policy) -> String {
    let out = outcome.decision.candidates.iter().filter_map(|candidate| why_out(candidate, outcome, policy));
    format!("No model could be asked. {}", out.collect::<Vec<_>>().join(" ")).trim_end().to_owned()
}

/// Why this model was not asked, and what to do about it.
fn why_out(candidate: &Candidate, outcome: &Outcome, policy: &Policy) -> Option<String> {
    let model = &candidate.model;
    let backend = backend(model, policy);
    Some(match candidate.excluded? {
        Exclusion::NoKey => match backend.and_then(Backend::key_advice) {
            Some(advice) => format!("{model} has no key: {advice}."),
            None => format!("{model} has no key: give its backend one in routing.yaml."),
        },
        Exclusion::AboveMaxTier => format!("{model} is above the highest tier of this route."),
        Exclusion::BudgetSpent => {
            let named = |reason: &&Reason| reason.code == "budget_spent" && reason.text.starts_with(model.as_str());
            let told = outcome.decision.reasons.iter().find(named).map(|reason| reason.text.clone());
            told.unwrap_or_else(|| format!("{model} is not asked either: the budget rejects the request."))
        }
        Exclusion::Unpriced => format!("{model} has no price, so no budget could be held: write one in routing.yaml."),
        Exclusion::MissingCapability => format!("{model} lacks a capability that is needed."),
        Exclusion::TooLong => format!("The prompt does not fit {model}."),
        Exclusion::NotAllowed => format!("{model} may not be asked by this route."),
        Exclusion::Unhealthy => {
            let left_alone = format!("{model} failed lately and is left alone for now.");
            match backend.map(|backend| backend.location) {
                Some(Location::Local) => format!("{left_alone} Ensure LiteLLM proxy and Ollama are running."),
                Some(Location::Hosted) | None => left_alone,
            }
        }
        Exclusion::Unreachable => {
            let left_alone = format!("{model} could not be reached lately and is left alone for now.");
            match backend {
                Some(backend) if backend.location == Location::Hosted => {
                    let name = &backend.name;
                    format!("{left_alone} Check the network and the base_url of {name} in routing.yaml.")
                }
                Some(_) | None => format!("{left_alone} Ensure LiteLLM proxy and Ollama are running."),
            }
        }
        Exclusion::Busy => {
            format!("{model} has reached a rate limit and is left alone until its time is over: try again later.")
        }
        Exclusion::NotLoaded => {
            let about_it = |reason: &&Reason| reason.code == "not_loaded" && reason.text.starts_with(model.as_str());
            let told =
                outcome.decision.reasons.iter().find(about_it).map_or("It is not loaded.", |told| told.text.as_str());
            format!("{told} It is being loaded now: try again then.")
        }
        Exclusion::KeyRefused => {
            let where_to = match backend.map(|backend| (backend.key_variable.as_ref(), &backend.key_file)) {
                Some((Some(variable), _)) => format!("the key in {variable} and restart"),
                Some((None, Some(_))) => "the key in its api_key_file".to_owned(),
                Some((None, None)) | None => "its key in routing.yaml".to_owned(),
            };
            format!("{model} was refused by its backend: correct {where_to}, or see to the billing of its account.")
        }
    })
}

fn backend<'p>(model: &ModelName, policy: &'p Policy) -> Option<&'p Backend> {
    policy.models.get(model).and_then(|model| policy.backend_of(model))
}

fn ended(sentence: &str) -> String {
    format!("{}.", sentence.trim_end_matches('.'))
}

#[cfg(test)]
#[path = "degraded_tests.rs"]
mod tests;
