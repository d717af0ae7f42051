//! The linter's rules about attempts, money and time: a file that each speaks of, and a near miss.

use super::{holds, shipped_with, tells};
use crate::policy::BUILT_IN;

/// The shipped policy with its local model alone.
fn one_model() -> String {
    let start = BUILT_IN.find("  gpt-4o:\n").unwrap();
    let end = BUILT_IN.find("\ntiers:").unwrap();
    format!("{}{}", &BUILT_IN[..start], &BUILT_IN[end..])
        .replace("  hosted: [gpt-4o]\n", "")
        .replace("{ hosted: 0.60 }", "{}")
        .replace("    thresholds: { hosted: 0.45 }\n", "")
}

#[test]
fn more_calls_than_the_envelope_allows() {
    holds(
        "at most |3 calls are allowed, but 2 models x 2 tries can make 4: `task-api-model` may never be asked",
        &shipped_with("max_attempts: 5", "max_attempts: 3"),
        &shipped_with("max_attempts: 5", "max_attempts: 4"),
    );
    holds(
        "at most |5 calls are allowed, but 2 models x 3 tries can make 6",
        &shipped_with("max_per_model: 2", "max_per_model: 3"),
        BUILT_IN,
    );
    let own = |attempts: u32| {
        shipped_with(
            "    temperature: 0.2",
            &format!("    temperature: 0.2\n    envelope: {{ max_attempts: {attempts} }}"),
        )
    };
    holds("at most |1 call is allowed, but 2 models x 2 tries can make 4", &own(1), &own(4));
}

#[test]
fn money_that_pays_for_no_call_or_for_short_ones() {
    holds(
        "one call of `gpt-4o` may cost |$0.048 even for a short question, and a request may spend $0.04: it is skipped",
        &shipped_with("max_cost_usd: 0.25", "max_cost_usd: 0.04"),
        &shipped_with("max_cost_usd: 0.25", "max_cost_usd: 0.05"),
    );
    holds(
        "questions above about |43 KB skip it",
        &shipped_with("max_cost_usd: 0.25", "max_cost_usd: 0.15"),
        &shipped_with("max_cost_usd: 0.25", "max_cost_usd: 0.18"),
    );
    assert!(!tells(&shipped_with("max_cost_usd: 0.25", "max_cost_usd: 0"), "`task-api-model` may cost"), "it is free");
}

#[test]
fn a_wait_longer_than_any_request() {
    holds(
        "no request waits |31s: with a deadline of 40s an attempt ends after 30s",
        &shipped_with("max_retry_after: 15s", "max_retry_after: 31s"),
        &shipped_with("max_retry_after: 15s", "max_retry_after: 30s"),
    );
    // A route that has more time is enough.
    let longer = "    temperature: 0.2\n    envelope: { deadline: 44s }";
    let long = shipped_with("max_retry_after: 15s", "max_retry_after: 33s").replace("    temperature: 0.2", longer);
    assert!(!tells(&long, "no request waits"));
}

#[test]
fn second_tries_that_nothing_grants() {
    let with = |retry: &str| {
        let (start, end) = (BUILT_IN.find("\nretry:").unwrap(), BUILT_IN.find("\nenvelope:").unwrap());
        format!("{}\nretry: {{ {retry} }}{}", &BUILT_IN[..start], &BUILT_IN[end..])
    };
    let words = "no failed call is made again, whatever `max_per_model: |3` says";
    let none = "budget: 0%, budget_floor_per_minute: 0";
    holds(words, &with(&format!("max_per_model: 3, {none}")), &with("max_per_model: 3, budget: 0%"));
    for quiet in [
        format!("max_per_model: 1, {none}"),
        none.to_owned(),
        "max_per_model: 2, budget_floor_per_minute: 0".to_owned(),
    ] {
        assert!(!tells(&with(&quiet), "no failed call is made again"), "{quiet}");
    }
    let many = |rest: &str| with(&format!("max_per_model: 5, {rest}"));
    holds("2 models x 5 tries can make 10", &many("budget: 0%"), &many(none));
    let few = many(none).replace("max_attempts: 5", "max_attempts: 1");
    assert!(tells(&few, "at most 1 call is allowed, but 2 models x 1 try can make 2"));
}

#[test]
fn deadlines_and_timeouts() {
    let deadline = |text: &str, deadline: &str| text.replace("deadline: 40s", &format!("deadline: {deadline}"));
    holds("a deadline above 50s", &deadline(BUILT_IN, "51s"), &deadline(BUILT_IN, "50s"));
    // The local model takes three quarters, the hosted one gets the rest.
    holds("when `task-api-model` stay", &deadline(BUILT_IN, "29s"), &deadline(BUILT_IN, "40s"));
    assert!(tells(&deadline(BUILT_IN, "20s"), "5s are left for `gpt-4o`, which may need 20s to begin"));
    let words = "is shorter than `task-api-model` may take to begin|: 2s to connect, 20s to the first token";
    holds(words, &deadline(&one_model(), "21s"), &deadline(&one_model(), "22s"));
    let first = |seconds: u32| one_model().replace("first_token: 20s", &format!("first_token: {seconds}s"));
    holds("`task-api-model` never gets |31s: with a deadline of 40s an attempt ends after 30s", &first(31), &first(30));
}

#[test]
fn a_deadline_of_one_route_is_told_there() {
    let text = shipped_with("    temperature: 0.2", "    temperature: 0.2\n    envelope: { deadline: 8s }");
    let compiled = super::compile(&text);
    let short = compiled.problems.iter().find(|problem| problem.message.contains("2s are left for `gpt-4o`")).unwrap();
    let line = text.lines().position(|line| line.contains("deadline: 8s")).unwrap() + 1;
    assert_eq!(short.line, Some(line), "{short:?}");
}
