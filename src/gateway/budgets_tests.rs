//! What decisions make of budgets that are known to be spent.

use super::*;
use crate::chat::NanoUsd;
use crate::gateway::decide;
use crate::gateway::fixtures::{budget, policy, signals};
use crate::request::{Decision, Measures, Scope};

/// `small` is free, `big` is not. A request begins at `small`, unless it is `hosted_first`.
fn decided(budgets: Vec<Budget>, spent: &[(&str, i64)]) -> Decision {
    decide(&Policy { budgets, ..policy() }, &request(), &view(spent))
}

fn hosted_first(budgets: Vec<Budget>, spent: &[(&str, i64)]) -> Decision {
    let mut policy = Policy { budgets, ..policy() };
    policy.routes[0].thresholds = [("hosted".into(), 0.0)].into();
    decide(&policy, &request(), &view(spent))
}

fn request() -> Signals {
    signals("smart_prioritize", Measures::default())
}

fn view(spent: &[(&str, i64)]) -> View {
    let until = "2026-12-01T00:00:00Z".parse().unwrap();
    let all = spent.iter().map(|(name, amount)| ((*name).into(), Spent { amount: NanoUsd(*amount), until }));
    View { spent: all.collect(), ..View::default() }
}

fn out(decision: &Decision) -> Vec<(&str, Option<Exclusion>)> {
    decision.candidates.iter().map(|candidate| (candidate.model.as_str(), candidate.excluded)).collect()
}

fn texts<'d>(decision: &'d Decision, code: &str) -> Vec<&'d str> {
    decision.reasons.iter().filter(|reason| reason.code == code).map(|reason| reason.text.as_str()).collect()
}

#[test]
fn a_spent_budget_leaves_out_what_it_would_have_to_pay_for_and_says_so() {
    let month = || vec![budget("month", Scope::All, 20_000_000_000)];
    let decision = hosted_first(month(), &[("month", 20_000_000_000)]);
    assert_eq!(out(&decision), [("small", None), ("big", Some(Exclusion::BudgetSpent))]);
    assert_eq!(
        texts(&decision, "budget_spent"),
        ["big is left out: budget `month` has spent $20.00 of $20.00 and begins anew on 2026-12-01."]
    );
    let one_left = hosted_first(month(), &[("month", 19_999_999_999)]);
    assert_eq!(out(&one_left), [("big", None), ("small", None)]);
}

#[test]
fn a_budget_counts_for_those_that_it_covers() {
    let cases = [
        (Scope::All, true),
        (Scope::Tool("smart_prioritize".into()), true),
        (Scope::Tool("plan_sprint".into()), false),
        (Scope::Caller("local".into()), true),
        (Scope::Caller("ann".into()), false),
        (Scope::Model("big".into()), true),
        (Scope::Model("small".into()), false),
    ];
    for (scope, counts) in cases {
        let decision = decided(vec![budget("b", scope.clone(), 100)], &[("b", 100)]);
        assert_eq!(decision.candidates[1].excluded.is_some(), counts, "{scope}");
    }
}

#[test]
fn one_that_rejects_ends_the_request_at_the_first_model_it_would_pay_for() {
    let rejecting = || vec![Budget { when_spent: WhenSpent::Reject, ..budget("day", Scope::All, 100) }];
    let spent = Some(Exclusion::BudgetSpent);
    let from_above = hosted_first(rejecting(), &[("day", 100)]);
    assert_eq!(out(&from_above), [("big", spent), ("small", spent)]);
    assert_eq!(
        texts(&from_above, "budget_rejects"),
        ["Budget `day` rejects what it cannot pay for: nobody else is asked."]
    );
    assert_eq!(out(&decided(rejecting(), &[("day", 100)])), [("small", None), ("big", spent)], "free ones come first");
    assert_eq!(out(&hosted_first(rejecting(), &[("day", 99)])), [("big", None), ("small", None)]);
}

#[test]
fn a_budget_that_runs_low_is_told_to_those_that_it_pays_for() {
    let scope = |tool: &str| Scope::Tool(tool.into());
    let budgets = || vec![budget("mine", scope("smart_prioritize"), 100), budget("other", scope("plan_sprint"), 100)];
    let told = |spent: i64| {
        let decision = decided(budgets(), &[("mine", spent), ("other", spent)]);
        texts(&decision, "budget_low").join("|")
    };
    assert_eq!(told(80), "Budget `mine` has spent $0.00000008 of $0.00000010 and begins anew on 2026-12-01.");
    assert_eq!((told(79), told(100)), (String::new(), String::new()), "not yet, and no more");
}

#[test]
fn a_hosted_model_without_a_price_is_left_out_where_a_budget_would_have_to_be_held() {
    let unpriced = |budgets: Vec<Budget>| {
        let mut policy = Policy { budgets, ..policy() };
        for model in policy.models.values_mut() {
            model.price = None;
        }
        decide(&policy, &request(), &View::default())
    };
    let decision = unpriced(vec![budget("month", Scope::All, 100)]);
    assert_eq!(out(&decision), [("small", None), ("big", Some(Exclusion::Unpriced))], "a local one has no bill");
    assert_eq!(
        texts(&decision, "unpriced"),
        ["big is left out: it is hosted and has no price, so budget `month` cannot be held."]
    );
    assert_eq!(out(&unpriced(vec![])), [("small", None), ("big", None)]);
}
