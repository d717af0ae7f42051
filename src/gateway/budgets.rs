//! What spent budgets mean for a decision. Pure: like `decide`, which it is a part of.
//!
//! A budget is held when money is set aside for a call (`money`). Here only those count that are known to be spent
//! already, so that nobody is sent where they would be refused.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::decide::View;
use crate::chat::NanoUsd;
use crate::limit::Spent;
use crate::names::{BudgetName, ModelName};
use crate::policy::{Budget, Model, Policy, WhenSpent};
use crate::request::{Candidate, Exclusion, Reason, Signals};

/// Why a model cannot be paid for, if it cannot.
pub(super) fn excluded(policy: &Policy, signals: &Signals, view: &View, model: &Model) -> Option<Exclusion> {
    if policy.is_free(model) {
        return None;
    }
    let mut budgets = policy.budgets_for(signals, &model.spec.name);
    if model.price.is_none() {
        return budgets.next().map(|_| Exclusion::Unpriced);
    }
    budgets.any(|budget| is_spent(budget, view)).then_some(Exclusion::BudgetSpent)
}

/// A budget that rejects ends the request at the first model that it would have to pay for: nobody after it is asked.
pub(super) fn end_where_rejected(
    policy: &Policy,
    signals: &Signals,
    view: &View,
    candidates: &mut [Candidate],
) -> Option<Reason> {
    let rejecting = |candidate: &Candidate| {
        let out = candidate.excluded == Some(Exclusion::BudgetSpent);
        let mut budgets = policy.budgets_for(signals, &candidate.model).filter(|_| out);
        budgets.find(|budget| budget.when_spent == WhenSpent::Reject && is_spent(budget, view))
    };
    let (at, budget) = candidates.iter().enumerate().find_map(|(at, candidate)| Some((at, rejecting(candidate)?)))?;
    let after = candidates[at..].iter_mut().filter(|candidate| candidate.excluded.is_none());
    let cut = after.map(|candidate| candidate.excluded = Some(Exclusion::BudgetSpent)).count();
    let text = format!("Budget `{}` rejects what it cannot pay for: nobody else is asked.", budget.name);
    (cut > 0).then(|| Reason::new("budget_rejects", text))
}

/// When the budget begins anew that ended a request at its decision: one that rejects and is spent. Of several, the last.
pub(super) fn rejects_until(
    policy: &Policy,
    signals: &Signals,
    spent: &BTreeMap<BudgetName, Spent>,
    candidates: &[Candidate],
) -> Option<Timestamp> {
    let out = candidates.iter().filter(|candidate| candidate.excluded == Some(Exclusion::BudgetSpent));
    let rejecting = out.flat_map(|candidate| policy.budgets_for(signals, &candidate.model));
    let rejecting = rejecting.filter(|budget| budget.when_spent == WhenSpent::Reject);
    let until = rejecting.filter_map(|budget| {
        let known = spent.get(&budget.name)?;
        (known.amount >= budget.limit).then_some(known.until)
    });
    until.max()
}

/// Which budget has no room for a call that could cost this much, as far as it is known here: what is set aside for calls
/// under way is not.
pub(super) fn without_room(
    policy: &Policy,
    signals: &Signals,
    view: &View,
    (model, worst_case): (&ModelName, NanoUsd),
) -> Option<String> {
    let mut budgets = policy.budgets_for(signals, model);
    budgets.find_map(|budget| {
        let spent = view.spent.get(&budget.name).map_or(NanoUsd::ZERO, |spent| spent.amount);
        let left = (budget.limit - spent).max(NanoUsd::ZERO);
        let [cost, shown, limit] = NanoUsd::apart([worst_case, left, budget.limit]);
        let text = format!("it could cost {cost}, and budget `{}` has {shown} of {limit} left", budget.name);
        (worst_case > left).then_some(text)
    })
}

/// Why models are out, by the names of the budgets.
pub(super) fn left_out(policy: &Policy, signals: &Signals, view: &View, candidates: &[Candidate]) -> Vec<Reason> {
    let told = |candidate: &Candidate| {
        let model = &candidate.model;
        let mut budgets = policy.budgets_for(signals, model);
        match candidate.excluded? {
            Exclusion::BudgetSpent => {
                let budget = budgets.find(|budget| is_spent(budget, view))?;
                let text = format!("{model} is left out: budget {}.", standing(policy, budget, view)?);
                Some(Reason::new("budget_spent", text))
            }
            Exclusion::Unpriced => {
                let budget = &budgets.next()?.name;
                let text =
                    format!("{model} is left out: it is hosted and has no price, so budget `{budget}` cannot be held.");
                Some(Reason::new("unpriced", text))
            }
            _ => None,
        }
    };
    candidates.iter().filter_map(told).collect()
}

/// Budgets that have passed the share at which their policy warns, and are not spent yet.
pub(super) fn running_low(policy: &Policy, signals: &Signals, view: &View) -> Vec<Reason> {
    let concerned = |budget: &&Budget| {
        let mut priced = policy.models.values().filter(|model| !policy.is_free(model));
        let low = view.spent.get(&budget.name).is_some_and(|spent| budget.is_low(spent.amount));
        low && !is_spent(budget, view) && priced.any(|model| budget.scope.covers(signals, &model.spec.name))
    };
    let low = policy.budgets.iter().filter(concerned);
    low.filter_map(|budget| Some(Reason::new("budget_low", format!("Budget {}.", standing(policy, budget, view)?))))
        .collect()
}

fn is_spent(budget: &Budget, view: &View) -> bool {
    view.spent.get(&budget.name).is_some_and(|spent| spent.amount >= budget.limit)
}

/// "`month` has spent $17.00 of $20.00 and begins anew on 2026-12-01".
fn standing(policy: &Policy, budget: &Budget, view: &View) -> Option<String> {
    let Spent { amount, until } = view.spent.get(&budget.name)?;
    let anew = until.to_zoned(policy.time_zone.clone()).date();
    let [amount, limit] = NanoUsd::apart([*amount, budget.limit]);
    Some(format!("`{}` has spent {amount} of {limit} and begins anew on {anew}", budget.name))
}

#[cfg(test)]
#[path = "budgets_tests.rs"]
mod tests;
