//! Accounts through time: periods, scopes, what no longer fits.

use jiff::tz::TimeZone;

use super::super::tests::{at, question};
use super::*;
use crate::gateway::fixtures::{budget, policy};
use crate::policy::Period;
use crate::request::Scope;

const NOON_TO_MIDNIGHT: i64 = 12 * 60;

fn with(budgets: Vec<Budget>) -> Policy {
    Policy { budgets, time_zone: TimeZone::UTC, ..policy() }
}

/// What is left of the first budget after each payment at `big`: minute and cost.
fn left_after(policy: &Policy, opening: i64, paid: &[(i64, f64)], weight: f64) -> Vec<f64> {
    let mut ledger = Ledger::open(policy, at(0), &[NanoUsd(opening)], weight);
    let left = paid.iter().map(|(minute, cost)| {
        ledger.comes(at(*minute));
        ledger.paid(&question(3), &"big".into(), *cost);
        policy.budgets[0].limit.0 as f64 - ledger.accounts[0].spent
    });
    left.collect()
}

#[test]
fn a_period_begins_anew_at_the_policys_midnight_and_with_what_was_spent_of_it() {
    let day = with(vec![budget("day", Scope::All, 100)]);
    let paid = [(1, 10.0), (NOON_TO_MIDNIGHT - 1, 10.0), (NOON_TO_MIDNIGHT, 10.0)];
    assert_eq!(left_after(&day, 30, &paid, 1.0), [60.0, 50.0, 90.0]);
    assert_eq!(left_after(&day, 0, &paid, 2.0), [80.0, 60.0, 80.0], "of a sample each stands for two");
    let week = with(vec![Budget { per: Period::Week, ..budget("week", Scope::All, 100) }]);
    // From Wednesday noon: Sunday's last minute, then Monday.
    let monday = NOON_TO_MIDNIGHT + 4 * 24 * 60;
    assert_eq!(left_after(&week, 0, &[(0, 10.0), (monday - 1, 10.0), (monday, 10.0)], 1.0), [90.0, 80.0, 90.0]);
    let berlin = Policy { time_zone: TimeZone::get("Europe/Berlin").unwrap(), ..day };
    assert_eq!(
        left_after(&berlin, 30, &[(NOON_TO_MIDNIGHT - 121, 10.0), (NOON_TO_MIDNIGHT - 120, 10.0)], 1.0),
        [60.0, 90.0]
    );
}

#[test]
fn each_scope_pays_for_its_own_and_the_one_that_rejects_speaks() {
    let rejects = |budget: Budget| Budget { when_spent: WhenSpent::Reject, ..budget };
    let policy = with(vec![
        budget("all", Scope::All, 100),
        rejects(budget("model", Scope::Model("big".into()), 100)),
        budget("caller", Scope::Caller("somebody else".into()), 0),
        budget("tool", Scope::Tool("plan_sprint".into()), 100),
    ]);
    let mut ledger = Ledger::open(&policy, at(0), &[], 1.0);
    ledger.comes(at(0));
    ledger.paid(&question(3), &"big".into(), 40.0);
    ledger.paid(&question(3), &"other".into(), 30.0);
    let spent: Vec<f64> = ledger.accounts.iter().map(|account| account.spent).collect();
    assert_eq!(spent, [70.0, 40.0, 0.0, 70.0]);
    assert_eq!(
        ledger.spent().map(|(name, _)| name.to_string()).collect::<Vec<_>>(),
        ["caller"],
        "it has nothing at all"
    );
    ledger.comes(at(1));
    let keeps_back = |worst| ledger.purse().keeps_back(&question(3), &"big".into(), worst);
    assert_eq!(keeps_back(30.0), None);
    assert_eq!(keeps_back(31.0), Some((0, WhenSpent::FreeOnly)));
    assert_eq!(keeps_back(61.0), Some((1, WhenSpent::Reject)));
    assert_eq!(keeps_back(0.0), None, "a free call is never kept back");
}

#[test]
fn a_period_counts_as_spent_once_a_call_was_likely_kept_back() {
    let policy = with(vec![budget("day", Scope::All, 100)]);
    let mut ledger = Ledger::open(&policy, at(0), &[], 1.0);
    let days = 24 * 60;
    for (minute, chance) in [(0, 0.4), (5, 0.2), (6, 1.0), (days, 0.4), (2 * days, 0.0), (3 * days, 0.9)] {
        ledger.comes(at(minute));
        ledger.kept_back(0, chance, at(minute));
    }
    let (money, reports) = ledger.close();
    let found: Vec<(Timestamp, f64)> = reports[0].spent.iter().map(|period| (period.at, period.kept_back)).collect();
    assert_eq!((found, reports[0].periods), (vec![(at(5), 1.6), (at(3 * days), 0.9)], 4));
    assert_eq!(reports[0].spent[0].local.to_string(), "2026-09-23T12:05:00");
    assert_eq!(money.left.len(), 6);
}
