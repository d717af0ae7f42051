//! What this process last saw of its budgets: so that a decision leaves out what would be refused anyway, and so that
//! it is told once when the money runs out. Pure.
//!
//! No limit is held by it. The database is asked before each call, and other processes spend too.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::chat::NanoUsd;
use crate::names::BudgetName;
use crate::policy::Budget;
use crate::request::{Allowance, Standing};

#[derive(Debug, Default)]
pub struct Purse {
    seen: BTreeMap<BudgetName, Seen>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    begins: Timestamp,
    spent: Spent,
    warned: bool,
}

/// What a budget has spent in its present period, and when it begins anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent {
    pub amount: NanoUsd,
    pub until: Timestamp,
}

impl Purse {
    /// Takes in how a budget stands. True when the share that its policy warns at is reached: once a period.
    pub fn saw(&mut self, budget: &Budget, allowance: &Allowance, standing: Standing) -> bool {
        let spent = Spent { amount: standing.spent, until: allowance.ends };
        let before = self.seen.get(&budget.name).filter(|seen| seen.begins == allowance.begins);
        let warned = before.is_some_and(|seen| seen.warned);
        let low = budget.is_low(spent.amount);
        let seen = Seen { begins: allowance.begins, spent, warned: warned || low };
        self.seen.insert(budget.name.clone(), seen);
        low && !warned
    }

    /// What is still true when these budgets take the place of those.
    pub fn followed_by(&self, old: &[Budget], new: &[Budget]) -> Self {
        let count_alike =
            |one: &Budget, other: &Budget| one.name == other.name && one.scope == other.scope && one.per == other.per;
        let stays = |name: &BudgetName| {
            let before = old.iter().find(|budget| budget.name == *name);
            before.is_some_and(|before| new.iter().any(|budget| count_alike(before, budget)))
        };
        Self {
            seen: self.seen.iter().filter(|(name, _)| stays(name)).map(|(name, seen)| (name.clone(), *seen)).collect(),
        }
    }

    /// What was seen of the periods that are not over. Money that is only set aside does not count: it may come back.
    pub fn spent(&self, now: Timestamp) -> BTreeMap<BudgetName, Spent> {
        let present = self.seen.iter().filter(|(_, seen)| now < seen.spent.until);
        present.map(|(name, seen)| (name.clone(), seen.spent)).collect()
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::policy::{Period, WhenSpent};
    use crate::request::Scope;

    fn budget() -> Budget {
        Budget {
            name: "day".into(),
            scope: Scope::All,
            limit: NanoUsd(100),
            per: Period::Day,
            when_spent: WhenSpent::FreeOnly,
            warn_at: 0.8,
        }
    }

    fn saw(purse: &mut Purse, spent: i64, now: &str) -> bool {
        let allowance = budget().allowance(now.parse().unwrap(), &TimeZone::UTC);
        purse.saw(&budget(), &allowance, Standing { spent: NanoUsd(spent), reserved: NanoUsd(50) })
    }

    #[test]
    fn it_warns_once_a_period_and_not_for_money_that_is_only_set_aside() {
        let mut purse = Purse::default();
        let warned: Vec<bool> = [0, 79, 80, 95, 100].map(|spent| saw(&mut purse, spent, "2026-11-26T10:00:00Z")).into();
        assert_eq!(warned, [false, false, true, false, false]);
        assert!(!saw(&mut purse, 10, "2026-11-27T00:00:00Z"));
        assert!(saw(&mut purse, 90, "2026-11-27T10:00:00Z"), "another day, another warning");
    }

    #[test]
    fn what_was_spent_is_forgotten_when_its_period_is_over() {
        let mut purse = Purse::default();
        saw(&mut purse, 100, "2026-11-26T10:00:00Z");
        let at = |now: &str| purse.spent(now.parse().unwrap()).get("day").map(|spent| spent.amount);
        assert_eq!(at("2026-11-26T23:59:59Z"), Some(NanoUsd(100)));
        assert_eq!(at("2026-11-27T00:00:00Z"), None);
    }
}
