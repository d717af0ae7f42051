//! A decision and what came of it, as a person reads them. Pure: values in, text out.

use comfy_table::Table;
use comfy_table::presets::NOTHING;

use crate::chat::{Tokens, UsageSource};
use crate::classify::ENOUGH;
use crate::gateway::{CallerLimits, KnownRate, PlannedCall, Rehearsal};
use crate::policy::{Policy, WhenReached};
use crate::request::{
    Attempt, AttemptKind, AttemptResult, Candidate, Decision, Exclusion, Outcome, PassRate, Reason, Status,
};

/// The decision whole: route, score with every signal, models in order with why each is in or out.
pub(super) fn decision(decision: &Decision, policy: &Policy) -> String {
    let mut parts: Vec<String> = decision.reasons.iter().map(|reason| format!("  {}", reason.text)).collect();
    if !decision.complexity.contributions.is_empty() {
        parts.push(format!("\nComplexity {:.2}\n{}", decision.complexity.score, signals(decision)));
    }
    if !decision.candidates.is_empty() {
        parts.push(format!("\nModels, in the order of trying\n{}", candidates(decision, policy)));
    }
    parts.join("\n")
}

/// The decision, and what one call of each model would take at most.
pub(super) fn rehearsal(rehearsal: &Rehearsal, policy: &Policy) -> String {
    let mut text = decision(&rehearsal.decision, policy);
    if !rehearsal.calls.is_empty() {
        let mut table = plain();
        table.set_header(["  model", "prompt", "answer up to", "costs at most"]);
        for call in &rehearsal.calls {
            let tokens = |count: Tokens| format!("{} tokens", count.0);
            let worst_case = call.worst_case_nanousd.to_string();
            let name = format!("  {}", call.model);
            table.add_row([name, tokens(call.prompt_tokens), tokens(call.max_output_tokens), worst_case]);
        }
        text += &format!("\n\nOne call\n{table}");
        let told =
            |call: &PlannedCall| Some(format!("\n  {} does not fit: {}.", call.model, call.does_not_fit.as_ref()?));
        text.extend(rehearsal.calls.iter().filter_map(told));
    }
    text.extend(rehearsal.caller.as_ref().map(caller));
    if !rehearsal.pass_rates.is_empty() {
        text += &format!("\n\nChecks lately\n{}", pass_rates(&rehearsal.pass_rates));
    }
    text
}

/// What who asks may ask for, before any of this.
pub(super) fn caller(CallerLimits { name, limits }: &CallerLimits) -> String {
    let all = [
        (limits.requests_per_minute, "requests a minute"),
        (limits.tokens_per_minute, "tokens a minute"),
        (limits.concurrency, "requests at once"),
    ];
    let told: Vec<String> = all.into_iter().filter_map(|(limit, word)| Some(format!("{} {word}", limit?))).collect();
    let then = match limits.when_reached {
        WhenReached::Wait => "waits, if its time allows",
        WhenReached::Refuse => "is refused",
    };
    format!("\n\nCaller {name} may take {}; what is above {then}.", told.join(", "))
}

fn pass_rates(known: &[KnownRate]) -> String {
    let mut table = plain();
    for KnownRate { model, pass_rate, counts } in known {
        let PassRate { rate, sample, prior } = pass_rate;
        let few = if *counts { String::new() } else { format!("; fewer than {ENOUGH} change nothing") };
        let passed = format!("{:.0}% pass, over a prior of {:.0}%", rate * 100.0, prior * 100.0);
        table.add_row([format!("  {model}"), passed, format!("{sample:.1} checks count{few}")]);
    }
    table.to_string()
}

/// A past request whole: when, what was decided, what was tried, how it ended.
pub(super) fn past(past: &Outcome, policy: &Policy) -> String {
    let (door, tool) = (past.signals.door.as_str(), past.signals.target.as_str());
    let head = format!("{} {tool} ({door}): {}, policy {}", past.at, past.status.as_str(), past.policy_hash);
    let tried: Vec<String> = outcome(past, policy).into_iter().map(|line| format!("  {line}")).collect();
    format!("{head}\n{}\n\nWhat was done\n{}", decision(&past.decision, policy), tried.join("\n"))
}

/// What a request did, line by line: where it was sent and why, each attempt, what it cost.
pub(super) fn outcome(outcome: &Outcome, policy: &Policy) -> Vec<String> {
    let decision = &outcome.decision;
    let mut lines = vec![format!("route {} → {}", decision.route, tier(decision))];
    lines.extend(decision.candidates.iter().filter_map(|candidate| without_key(candidate, policy)));
    lines.extend(outcome.attempts.iter().map(attempt));
    if outcome.attempts.is_empty() && matches!(outcome.status, Status::Degraded | Status::Rejected) {
        lines.extend(outcome.failure.clone());
    }
    lines.push(bill(outcome));
    lines
}

fn tier(decision: &Decision) -> String {
    if decision.tier.is_none() {
        return "logic alone".to_owned();
    }
    // A missing key has a line of its own.
    let of_the_tier = |reason: &&Reason| !["route", "no_key"].contains(&reason.code.as_str());
    let why = decision.reasons.iter().rfind(of_the_tier).map(|reason| reason.text.as_str());
    format!("tier {}. {}", decision.tier, why.unwrap_or_default())
}

/// A tier was wanted whose model cannot be called: that is worth a line of its own.
fn without_key(candidate: &Candidate, policy: &Policy) -> Option<String> {
    let why = candidate.excluded.filter(|why| *why == Exclusion::NoKey)?;
    Some(format!("{} is out: {}", candidate.model, excluded(why, candidate, policy)))
}

fn attempt(attempt: &Attempt) -> String {
    let why_made = match attempt.kind {
        AttemptKind::First => "",
        AttemptKind::Retry => "again ",
        AttemptKind::Fallback => "then ",
        AttemptKind::Escalation => "up to ",
    };
    let ended = match (&attempt.rejection, &attempt.failure) {
        (Some(rejection), _) => format!("rejected: {}", rejection.why),
        (None, Some(failure)) if attempt.result != AttemptResult::Accepted => failure.clone(),
        _ => attempt.result.as_str().to_owned(),
    };
    format!("{why_made}{} in {} ms: {ended}", attempt.model, attempt.latency.as_millis())
}

fn bill(outcome: &Outcome) -> String {
    let tokens = outcome.usage.input.0 + outcome.usage.output.0;
    let estimated = outcome.attempts.iter().any(|attempt| attempt.usage_source != UsageSource::Reported);
    let mut words = vec![format!("{} ms", outcome.latency.as_millis())];
    if tokens > 0 {
        words.push(format!("{tokens} tokens{}", if estimated { " (estimated)" } else { "" }));
    }
    words.push(outcome.cost.to_string());
    if let Some(instead) = outcome.counterfactual.filter(|instead| *instead > outcome.cost) {
        words.push(format!("{instead} had the dearest tier answered"));
    }
    words.join(" · ")
}

fn signals(decision: &Decision) -> String {
    let mut table = plain();
    table.set_header(["  signal", "value", "share", "weight", "adds"]);
    for part in &decision.complexity.contributions {
        let value = if part.value.fract() == 0.0 { format!("{}", part.value) } else { format!("{:.2}", part.value) };
        table.add_row([
            format!("  {}", part.signal),
            value,
            format!("{:.2}", part.share),
            format!("{:.2}", part.weight),
            format!("{:.3}", part.contribution),
        ]);
    }
    table.to_string()
}

fn candidates(decision: &Decision, policy: &Policy) -> String {
    let mut table = plain();
    let mut place = 0;
    for candidate in &decision.candidates {
        let state = match candidate.excluded {
            None => {
                place += 1;
                format!("  {place}.")
            }
            Some(_) => "  out".to_owned(),
        };
        let why = candidate.excluded.map_or_else(|| price(candidate, policy), |why| excluded(why, candidate, policy));
        table.add_row([state, candidate.model.to_string(), candidate.tier.to_string(), why]);
    }
    table.to_string()
}

fn price(candidate: &Candidate, policy: &Policy) -> String {
    match policy.models.get(&candidate.model).map(|model| model.price) {
        Some(Some(price)) if price.is_free() => "free".to_owned(),
        Some(Some(price)) => format!("{} in, {} out per million tokens", price.input, price.output),
        _ => "no price".to_owned(),
    }
}

fn excluded(why: Exclusion, candidate: &Candidate, policy: &Policy) -> String {
    match why {
        Exclusion::AboveMaxTier => "above the route's max_tier".to_owned(),
        Exclusion::MissingCapability => "lacks a capability that the request needs".to_owned(),
        Exclusion::TooLong => "the prompt does not fit its context".to_owned(),
        Exclusion::NotAllowed => "the policy does not go that way (escalate, fallback)".to_owned(),
        Exclusion::Unhealthy => "failed lately; left alone for now".to_owned(),
        Exclusion::Unreachable => "could not be reached lately; left alone for now".to_owned(),
        Exclusion::Busy => "its backend asked for a longer wait than a request has; left alone for now".to_owned(),
        Exclusion::KeyRefused => "its backend refused the key or the account; left alone for now".to_owned(),
        Exclusion::BudgetSpent => "a budget is spent".to_owned(),
        Exclusion::Unpriced => "hosted and without a price: no budget could be held".to_owned(),
        Exclusion::NotLoaded => "not loaded, and no time to wait for it".to_owned(),
        Exclusion::NoKey => {
            let model = policy.models.get(&candidate.model);
            let advice = model.and_then(|model| policy.backend_of(model)?.key_advice());
            advice.map_or_else(|| "its key is not set".to_owned(), |advice| format!("its key is not set: {advice}"))
        }
    }
}

fn plain() -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table
}
