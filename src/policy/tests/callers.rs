//! Limits of who asks: what written ones become, what is refused, what the linter makes of them.

use super::{compile, errors, holds, shipped_with, tells};
use crate::policy::{BUILT_IN, Limits, Policy, WhenReached, difference};

/// The shipped policy with these callers.
fn with(callers: &str) -> String {
    format!("{BUILT_IN}callers:\n  {}\n", callers.replace('\n', "\n  "))
}

fn policy(text: &str) -> Policy {
    let compiled = compile(text);
    compiled.policy.unwrap_or_else(|| panic!("{}", compiled.problems.render(false)))
}

#[test]
fn a_caller_has_its_own_limits_or_those_of_default_or_none() {
    let text = with(
        "default: { limits: { requests_per_minute: 60, tokens_per_minute: 100000, concurrency: 8, when_reached: wait } }
ci-bot: { limits: { requests_per_minute: 5, when_reached: refuse } }
boss: {}",
    );
    let policy = policy(&text);
    let default = Limits {
        concurrency: Some(8),
        requests_per_minute: Some(60),
        tokens_per_minute: Some(100_000),
        when_reached: WhenReached::Wait,
    };
    let own = Limits { requests_per_minute: Some(5), when_reached: WhenReached::Refuse, ..Limits::default() };
    assert_eq!(policy.caller_limits("local"), Some(default));
    assert_eq!(policy.caller_limits("ci-bot"), Some(own), "nothing is added from `default`");
    assert_eq!(policy.caller_limits("boss"), None, "freed");
    assert_eq!(self::policy(BUILT_IN).caller_limits("local"), None, "the shipped policy limits nobody");
    assert!(!tells(&text, "has no limit"), "that is what `boss: {{}}` is for");
    let changed = text.replace("requests_per_minute: 5,", "requests_per_minute: 6,");
    assert_eq!(difference(&policy, &self::policy(&changed)), "callers: `ci-bot` changed");
}

#[test]
fn what_is_wrong_is_told_at_its_place() {
    let cases = [
        (
            "a: { limits: { requests_per_minute: 0 } }",
            "`requests_per_minute: 0` would stop every call",
            "remove the key",
        ),
        ("a: { limits: { concurrency: 0 } }", "`concurrency: 0` would stop every call", "remove the key for no limit"),
        ("a: { limits: { tokens_per_minute: 0 } }", "`tokens_per_minute: 0` would stop every call", "remove the key"),
        ("a: { limits: { when_reached: drop } }", "`drop` is not known in `callers.a.limits.when_reached`", "`refuse`"),
        (
            "a: { limits: { request_per_minute: 9 } }",
            "unknown key `request_per_minute`",
            "did you mean `requests_per_minute`?",
        ),
        ("a: { requests_per_minute: 9 }", "unknown key `requests_per_minute` in `callers.a`", "`limits`"),
        ("a: 9", "wanted a map (`key: value`) in `callers.a`", ""),
    ];
    for (callers, message, help) in cases {
        let found = errors(&with(callers));
        assert_eq!(found.len(), 1, "{callers}: {found:#?}");
        assert!(found[0].message.contains(message), "{callers}: {}", found[0].message);
        assert!(found[0].help.as_deref().unwrap_or_default().contains(help), "{callers}: {:?}", found[0].help);
        let line = with(callers).lines().position(|line| line.starts_with("  a: ")).unwrap() + 1;
        assert_eq!(found[0].line, Some(line), "{callers}");
    }
}

#[test]
fn a_model_may_refuse_at_once_too() {
    let refusing =
        policy(&shipped_with("limits: { concurrency: 2 }", "limits: { concurrency: 2, when_reached: refuse }"));
    assert_eq!(refusing.models["task-api-model"].limits.when_reached, WhenReached::Refuse);
    assert_eq!(policy(BUILT_IN).models["task-api-model"].limits.when_reached, WhenReached::Wait, "the default");
    assert_eq!(difference(&policy(BUILT_IN), &refusing), "models: `task-api-model` changed");
}

#[test]
fn more_than_all_models_take() {
    let both = |text: String| {
        text.replace("limits: { concurrency: 2 }", "limits: { concurrency: 2, requests_per_minute: 100 }")
    };
    let of = |number: u32| both(with(&format!("default: {{ limits: {{ requests_per_minute: {number} }} }}")));
    holds("`default` may take |601 a minute, and all models together take 600", &of(601), &of(600));
    let unlimited = with("default: { limits: { requests_per_minute: 601 } }");
    assert!(!tells(&unlimited, "all models together"), "one of them has no such limit");
}

#[test]
fn a_minute_that_one_request_uses_up() {
    let of = |number: u32| with(&format!("ci-bot: {{ limits: {{ tokens_per_minute: {number} }} }}"));
    holds(
        "one request may take 2024 tokens even for a short question, |and `ci-bot` has 2023 a minute: each sets the whole minute aside",
        &of(2_023),
        &of(2_024),
    );
}

#[test]
fn an_entry_that_does_nothing_and_a_budget_for_a_name_that_is_nearly_one() {
    let freed = with("default: { limits: { concurrency: 1 } }\nci-bot: {}");
    holds("`ci-bot` has no limit", &with("ci-bot: {}"), &freed);
    holds("`default` has no limit", &with("default: { limits: {} }"), &freed);
    let budget = |name: &str| {
        with("ci-bot: { limits: { concurrency: 1 } }")
            .replace("scope: all, limit_usd: 20", &format!("scope: 'caller:{name}', limit_usd: 20"))
    };
    holds("budget `month` is for `ci-bto`, and `callers` has `ci-bot`", &budget("ci-bto"), &budget("ci-bot"));
    assert!(!tells(&budget("ann"), "and `callers` has"), "keys have names that the policy does not know");
}
