//! Budgets: what each counts, how much, over which days.

use super::Meaning;
use crate::chat::NanoUsd;
use crate::policy::budget::{Budget, Period, WhenSpent};
use crate::policy::raw::{RawBudget, RawPeriod, RawWhenSpent};
use crate::policy::types::Tier;
use crate::policy::vocabulary::TOOLS;
use crate::request::Scope;

/// Late enough to be no news every month, early enough to do something about it.
const WARN_AT: f64 = 0.8;

const SCOPES: &str = "write `all`, or one of `caller:NAME`, `tool:NAME`, `model:NAME`";

impl Meaning<'_> {
    pub(super) fn budgets(&mut self, tiers: &[Tier]) -> Vec<Budget> {
        let all = self.raw.budgets.as_deref().unwrap_or_default();
        (0..all.len()).filter_map(|index| self.budget(index, all, tiers)).collect()
    }

    fn budget(&mut self, index: usize, all: &[RawBudget], tiers: &[Tier]) -> Option<Budget> {
        let (number, raw) = (index.to_string(), &all[index]);
        let name = raw.name.as_deref();
        if name.is_some() && all[..index].iter().any(|before| before.name.as_deref() == name) {
            let message = format!("a budget named `{}` stands above", name.unwrap_or_default());
            let problem = self.error(&["budgets", &number, "name"], message);
            problem.help("names tell budgets apart in metrics and in answers; choose another");
        }
        if raw.limit_usd.is_some_and(|limit| limit.0 == NanoUsd::ZERO) {
            let problem = self.error(&["budgets", &number, "limit_usd"], "with 0 no call is ever paid for");
            problem.help("to keep to free models, leave the others out of `tiers`, or give the route a `max_tier`");
        }
        if raw.warn_at.is_some_and(|share| share.0 == 0.0) {
            let problem = self.error(&["budgets", &number, "warn_at"], "`warn_at: 0%` warns before anything is spent");
            problem.help("the default is 80%; 100% warns when it is spent");
        }
        let scope = self.scope(&number, raw.scope.as_deref().unwrap_or("all"), tiers);
        Some(Budget {
            name: name?.into(),
            scope: scope?,
            limit: raw.limit_usd?.0,
            per: match raw.per? {
                RawPeriod::Day => Period::Day,
                RawPeriod::Week => Period::Week,
                RawPeriod::Month => Period::Month,
            },
            when_spent: match raw.when_spent {
                None | Some(RawWhenSpent::FreeOnly) => WhenSpent::FreeOnly,
                Some(RawWhenSpent::Reject) => WhenSpent::Reject,
            },
            warn_at: raw.warn_at.map_or(WARN_AT, |share| share.0),
        })
    }

    fn scope(&mut self, number: &str, written: &str, tiers: &[Tier]) -> Option<Scope> {
        let path = ["budgets", number, "scope"];
        let place = self.tree.value_at(&path);
        match written.split_once(':') {
            None if written == "all" => Some(Scope::All),
            // A caller is known by the name of its key, and keys are not in the policy.
            Some(("caller", name)) if !name.is_empty() => Some(Scope::Caller(name.to_owned())),
            Some(("tool", name)) if !name.is_empty() => {
                self.known(("tool", name), TOOLS, place).then(|| Scope::Tool(name.to_owned()))
            }
            Some(("model", name)) if !name.is_empty() => {
                let known: Vec<&str> = tiers.iter().flat_map(|tier| &tier.models).map(|name| name.as_str()).collect();
                // Without any tiers, each name would only repeat that they are missing.
                (self.raw.tiers.is_none() || self.known(("model", name), &known, place))
                    .then(|| Scope::Model(name.into()))
            }
            _ => {
                self.error(&path, format!("`{written}` is no scope")).help(SCOPES);
                None
            }
        }
    }
}
