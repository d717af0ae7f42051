//! Budgets: what a written one becomes, what is refused, what the linter makes of them.

use super::{compile, errors, holds, shipped_with, tells};
use crate::chat::NanoUsd;
use crate::policy::{BUILT_IN, Budget, Period, WhenSpent};
use crate::request::Scope;

const SHIPPED: &str = "{ name: month, scope: all, limit_usd: 20, per: month, when_spent: free_only, warn_at: 80% }";

/// The shipped policy with these budgets in place of its own.
fn with(budgets: &[&str]) -> String {
    shipped_with(&format!("- {SHIPPED}"), &budgets.iter().map(|budget| format!("- {budget}\n  ")).collect::<String>())
}

fn budgets(text: &str) -> Vec<Budget> {
    let compiled = compile(text);
    compiled.policy.unwrap_or_else(|| panic!("{}", compiled.problems.render(false))).budgets
}

#[test]
fn the_shipped_budget_is_twenty_dollars_a_month_and_writes_out_the_defaults() {
    let month = Budget {
        name: "month".into(),
        scope: Scope::All,
        limit: NanoUsd(20_000_000_000),
        per: Period::Month,
        when_spent: WhenSpent::FreeOnly,
        warn_at: 0.8,
    };
    assert_eq!(budgets(&with(&["{ name: month, limit_usd: 20, per: month }"])), budgets(BUILT_IN));
    assert_eq!(budgets(BUILT_IN), [month]);
}

#[test]
fn every_scope_and_period_has_its_word() {
    let written = [
        "{ name: a, limit_usd: 1, per: day, when_spent: reject, warn_at: 50% }",
        "{ name: b, scope: caller:ann, limit_usd: 1.5, per: week }",
        "{ name: c, scope: tool:plan_sprint, limit_usd: 0.000000001, per: day }",
        "{ name: d, scope: model:gpt-4o, limit_usd: 1, per: day }",
    ];
    let all = budgets(&with(&written));
    let scopes: Vec<String> = all.iter().map(|budget| budget.scope.to_string()).collect();
    assert_eq!(scopes, ["all", "caller:ann", "tool:plan_sprint", "model:gpt-4o"]);
    assert_eq!((all[0].when_spent, all[0].warn_at), (WhenSpent::Reject, 0.5));
    assert_eq!((all[1].per, all[1].limit, all[2].limit), (Period::Week, NanoUsd(1_500_000_000), NanoUsd(1)));
}

#[test]
fn what_is_wrong_is_told_at_its_place() {
    let cases = [
        ("{ name: m, scope: model:gpt-4, limit_usd: 1, per: day }", "unknown model `gpt-4`", "did you mean `gpt-4o`?"),
        (
            "{ name: m, scope: tool:plan_sprnt, limit_usd: 1, per: day }",
            "unknown tool `plan_sprnt`",
            "did you mean `plan_sprint`?",
        ),
        (
            "{ name: m, scope: everything, limit_usd: 1, per: day }",
            "`everything` is no scope",
            "write `all`, or one of",
        ),
        ("{ name: m, scope: 'caller:', limit_usd: 1, per: day }", "`caller:` is no scope", "write `all`, or one of"),
        ("{ name: m, limit_usd: 0, per: day }", "with 0 no call is ever paid for", "leave the others out of `tiers`"),
        ("{ name: m, limit_usd: 1, per: day, warn_at: 0% }", "`warn_at: 0%` warns before anything is spent", "80%"),
        ("{ name: m, limit_usd: -1, per: day }", "`-1` is negative: write 0 or more", ""),
        ("{ name: m, limit_usd: 1, per: year }", "`year` is not known in `budgets.1.per`", ""),
        ("{ name: m, limit_usd: 1 }", "missing key `per`", ""),
        ("{ limit_usd: 1, per: day }", "missing key `name`", ""),
        (
            "{ name: m, limit_usd: 1, per: day, when_spnt: reject }",
            "unknown key `when_spnt`",
            "did you mean `when_spent`?",
        ),
    ];
    for (budget, message, help) in cases {
        let found = errors(&with(&[budget]));
        assert_eq!(found.len(), 1, "{budget}: {found:#?}");
        assert!(found[0].message.contains(message), "{budget}: {}", found[0].message);
        assert!(found[0].help.as_deref().unwrap_or_default().contains(help), "{budget}: {:?}", found[0].help);
    }
    let twice = errors(&with(&["{ name: m, limit_usd: 1, per: day }", "{ name: m, limit_usd: 9, per: week }"]));
    assert_eq!(twice.len(), 1);
    assert_eq!(twice[0].message, "a budget named `m` stands above");
}

#[test]
fn a_budget_smaller_than_one_call() {
    holds(
        "one call of `gpt-4o` may cost |$0.048 even for a short question, and budget `m` has $0.04 a day: it is never called",
        &with(&["{ name: m, limit_usd: 0.04, per: day }"]),
        &with(&["{ name: m, limit_usd: 0.05, per: day }"]),
    );
}

#[test]
fn a_budget_that_pays_for_nobody() {
    let never = "budget `m` never holds anything back";
    let of = |scope: &str| with(&[&format!("{{ name: m, scope: '{scope}', limit_usd: 1, per: day }}")]);
    holds(never, &of("model:task-api-model"), &of("model:gpt-4o"));
    holds(never, &of("tool:create_task"), &of("tool:plan_sprint"));
    let free = "price: { input: 0, output: 0 }\n    limits: { requests";
    let priced = "price: { input: 2.50, cached_input: 1.25, output: 10.00 }\n    limits: { requests";
    holds(never, &of("all").replace(priced, free), &of("all"));
}

#[test]
fn a_budget_that_another_one_always_runs_out_before() {
    let both =
        |one: &str, other: &str| with(&[&format!("{{ name: one, {one} }}"), &format!("{{ name: other, {other} }}")]);
    let month = "limit_usd: 20, per: month";
    holds(
        "budget `other` never holds anything back: `one` counts all of it, over no fewer days, |and has $20.00",
        &both(month, "limit_usd: 20, per: day"),
        &both(month, "limit_usd: 19, per: day"),
    );
    holds(
        "budget `other` never holds anything back: `one` counts all of it|, over no fewer days, and has $20.00",
        &both(month, "scope: model:gpt-4o, limit_usd: 30, per: month"),
        &both(month, "scope: model:gpt-4o, limit_usd: 10, per: month"),
    );
    // A week is no part of a month, and the wider scope is not held by the narrower one.
    assert!(!tells(&both(month, "limit_usd: 30, per: week"), "never holds anything back"));
    assert!(!tells(&both("scope: model:gpt-4o, limit_usd: 1, per: month", month), "never holds anything back"));
    holds(
        "budgets `one` and `other` count the same: `one` never holds anything back",
        &both("limit_usd: 30, per: month", month),
        &both("limit_usd: 30, per: week", month),
    );
    let told = compile(&both(month, month)).problems.render(false);
    assert_eq!(told.matches("never holds anything back").count(), 1, "{told}");
}

#[test]
fn a_hosted_model_without_a_price_is_not_called_under_a_budget() {
    let price = "    price: { input: 2.50, cached_input: 1.25, output: 10.00 }\n";
    let unpriced = |text: String| text.replace(price, "");
    let not_called = "`gpt-4o` is hosted and has no price: it is never called, because budget `m` could not be held";
    assert!(tells(&unpriced(with(&["{ name: m, limit_usd: 1, per: day }"])), not_called));
    let other = with(&["{ name: m, scope: tool:plan_sprint, limit_usd: 1, per: day }"]);
    assert!(tells(&unpriced(other), "`gpt-4o` is hosted and has no price: its cost is not counted"));
}
