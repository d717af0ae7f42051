//! How the budgets stand. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::overview::{BudgetNow, Level};
use crate::chat::NanoUsd;
use crate::names::BudgetName;
use crate::policy::Budget;
use crate::request::{Allowance, Standing};

/// When each budget kept a call back last.
pub(super) type Refusals = BTreeMap<BudgetName, Timestamp>;

/// Each budget with its present period and how that stands.
pub(super) fn now(
    budgets: &[Budget],
    allowances: &[Allowance],
    standings: &[Standing],
    refusals: &Refusals,
) -> Vec<BudgetNow> {
    let all = budgets.iter().zip(allowances).zip(standings);
    all.map(|((budget, allowance), standing)| of(budget, allowance, *standing, refusals)).collect()
}

fn of(budget: &Budget, allowance: &Allowance, standing: Standing, refusals: &Refusals) -> BudgetNow {
    let taken = standing.spent + standing.reserved;
    // A period that began since is another matter.
    let refuses = refusals.get(&budget.name).is_some_and(|last| *last >= allowance.begins);
    let level = match budget.is_low(standing.spent) {
        _ if taken >= budget.limit || refuses => Level::Trouble,
        true => Level::Notice,
        false => Level::Well,
    };
    // A budget of nothing is used up from the start.
    let share = if budget.limit == NanoUsd::ZERO { 1.0 } else { taken.0 as f64 / budget.limit.0 as f64 };
    BudgetNow {
        name: budget.name.clone(),
        scope: budget.scope.to_string(),
        per: budget.per.as_str(),
        limit: budget.limit.into(),
        spent: standing.spent.into(),
        reserved: standing.reserved.into(),
        refuses,
        share,
        level,
        ends: allowance.ends,
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::policy::{Period, WhenSpent};
    use crate::request::Scope;

    #[test]
    fn a_budget_is_well_then_low_then_used_up() {
        let budget = |limit| Budget {
            name: "month".into(),
            scope: Scope::All,
            limit: NanoUsd(limit),
            per: Period::Month,
            when_spent: WhenSpent::FreeOnly,
            warn_at: 0.8,
        };
        let now_is: Timestamp = "2026-11-26T12:00:00Z".parse().unwrap();
        let table = [
            (1_000, 0, 0, 0.0, Level::Well),
            (1_000, 500, 299, 0.799, Level::Well),
            (1_000, 800, 0, 0.8, Level::Notice),
            // What is set aside may come back, but nothing else fits beside it.
            (1_000, 500, 500, 1.0, Level::Trouble),
            (1_000, 1_100, 0, 1.1, Level::Trouble),
            (0, 0, 0, 1.0, Level::Trouble),
        ];
        for (limit, spent, reserved, share, level) in table {
            let budget = budget(limit);
            let allowance = budget.allowance(now_is, &TimeZone::UTC);
            let standing = Standing { spent: NanoUsd(spent), reserved: NanoUsd(reserved) };
            let shown = now(std::slice::from_ref(&budget), &[allowance], &[standing], &Refusals::new()).pop().unwrap();
            assert_eq!((shown.share, shown.level), (share, level), "{limit} {spent} {reserved}");
            assert_eq!((shown.per, shown.ends.to_string().as_str()), ("month", "2026-12-01T00:00:00Z"));
        }
        let (budget, standing) = (budget(1_000), Standing { spent: NanoUsd(500), reserved: NanoUsd::ZERO });
        for (refused_at, level) in [("2026-11-26T11:55:00Z", Level::Trouble), ("2026-10-31T23:59:59Z", Level::Well)] {
            let allowance = budget.allowance(now_is, &TimeZone::UTC);
            let refusals = Refusals::from([("month".into(), refused_at.parse().unwrap())]);
            let shown = now(std::slice::from_ref(&budget), &[allowance], &[standing], &refusals).pop().unwrap();
            assert_eq!((shown.refuses, shown.level), (level == Level::Trouble, level), "{refused_at}");
        }
    }
}
