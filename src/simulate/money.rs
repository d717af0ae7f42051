//! Budgets through a replay: what each has left when a question comes, by what the policy is expected to have spent until
//! then, and what it keeps back. Pure; periods are the policy's own.
//!
//! As in the gateway, a call is kept back when its worst case no longer fits. What is set aside for calls that are under
//! way at the same moment is not: nobody knows it.

use jiff::Timestamp;
use jiff::civil::DateTime;
use serde::Serialize;

use super::traffic::Question;
use crate::chat::NanoUsd;
use crate::limit::Spent;
use crate::names::{BudgetName, ModelName};
use crate::policy::{Budget, Policy, WhenSpent};
use crate::request::Signals;

/// The sum of chances from which on a call is taken to have been kept back: it is likelier than not.
const LIKELY: f64 = 0.5;

/// What was left of each budget when each question came. Nothing in it: nothing is held back.
#[derive(Debug, Default)]
pub struct Money {
    budgets: Vec<Budget>,
    /// Question by question, in nano-dollars.
    left: Vec<f64>,
}

/// The same for one question.
#[derive(Clone, Copy)]
pub struct Purse<'a> {
    budgets: &'a [Budget],
    left: &'a [f64],
}

/// What came of one budget.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BudgetReport {
    pub budget: BudgetName,
    pub limit_nanousd: NanoUsd,
    pub per: &'static str,
    pub rejects: bool,
    /// Periods that a question fell into, and those of them in which it kept a call back.
    pub periods: u64,
    pub spent: Vec<SpentPeriod>,
}

/// A period in which a budget did not pay for everything.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SpentPeriod {
    /// When the first call no longer fitted, and what the policy's clocks said.
    pub at: Timestamp,
    pub local: DateTime,
    /// Calls that were kept back: left to free models, or the end of their request. For all requests, also those that a
    /// sample leaves out.
    pub kept_back: f64,
}

/// The budgets of a policy while its questions go by.
pub struct Ledger<'a> {
    policy: &'a Policy,
    /// How many requests each question stands for.
    weight: f64,
    accounts: Vec<Account>,
    money: Money,
}

struct Account {
    ends: Timestamp,
    spent: f64,
    /// Of this period.
    kept_back: f64,
    counted: bool,
    since: Option<Timestamp>,
    report: BudgetReport,
}

impl<'a> Ledger<'a> {
    /// `opening`: what each budget had spent already in the period that is under way at `since`.
    pub fn open(policy: &'a Policy, since: Timestamp, opening: &[NanoUsd], weight: f64) -> Self {
        let account = |(at, budget): (usize, &Budget)| Account {
            ends: budget.per.around(since, &policy.time_zone).1,
            spent: opening.get(at).map_or(0.0, |spent| spent.0 as f64),
            kept_back: 0.0,
            counted: false,
            since: None,
            report: BudgetReport {
                budget: budget.name.clone(),
                limit_nanousd: budget.limit,
                per: budget.per.as_str(),
                rejects: budget.when_spent == WhenSpent::Reject,
                periods: 0,
                spent: Vec::new(),
            },
        };
        let accounts = policy.budgets.iter().enumerate().map(account).collect();
        Self { policy, weight, accounts, money: Money { budgets: policy.budgets.clone(), left: Vec::new() } }
    }

    /// Time goes on to this moment, and a question comes.
    pub fn comes(&mut self, now: Timestamp) {
        for (account, budget) in self.accounts.iter_mut().zip(&self.policy.budgets) {
            if now >= account.ends {
                account.close(self.policy);
                (account.ends, account.spent) = (budget.per.around(now, &self.policy.time_zone).1, 0.0);
            }
            account.report.periods += u64::from(!std::mem::replace(&mut account.counted, true));
            self.money.left.push(budget.limit.0 as f64 - account.spent);
        }
    }

    /// What the decision about the question that came last may know: the budgets that have nothing left.
    pub fn spent(&self) -> impl Iterator<Item = (BudgetName, Spent)> {
        let pairs = self.policy.budgets.iter().zip(&self.accounts);
        let spent = pairs.filter(|(budget, account)| account.spent >= budget.limit.0 as f64);
        spent.map(|(budget, account)| {
            (budget.name.clone(), Spent { amount: NanoUsd(account.spent as i64), until: account.ends })
        })
    }

    /// What the question that came last has.
    pub fn purse(&self) -> Purse<'_> {
        let first = self.money.left.len() - self.accounts.len();
        Purse { budgets: &self.money.budgets, left: &self.money.left[first..] }
    }

    pub fn paid(&mut self, signals: &Signals, model: &ModelName, cost: f64) {
        for (account, budget) in self.accounts.iter_mut().zip(&self.policy.budgets) {
            if budget.scope.covers(signals, model) {
                account.spent += cost * self.weight;
            }
        }
    }

    pub fn kept_back(&mut self, budget: usize, chance: f64, now: Timestamp) {
        let Some(account) = self.accounts.get_mut(budget) else { return };
        account.kept_back += chance * self.weight;
        if account.kept_back >= LIKELY && account.since.is_none() {
            account.since = Some(now);
        }
    }

    pub fn close(mut self) -> (Money, Vec<BudgetReport>) {
        self.accounts.iter_mut().for_each(|account| account.close(self.policy));
        (self.money, self.accounts.into_iter().map(|account| account.report).collect())
    }
}

impl Account {
    /// The period is over.
    fn close(&mut self, policy: &Policy) {
        if let Some(at) = self.since.take() {
            let local = at.to_zoned(policy.time_zone.clone()).datetime();
            self.report.spent.push(SpentPeriod { at, local, kept_back: self.kept_back });
        }
        (self.kept_back, self.counted) = (0.0, false);
    }
}

impl Money {
    pub fn at(&self, question: &Question) -> Purse<'_> {
        let first = question.number as usize * self.budgets.len();
        let left = self.left.get(first..first + self.budgets.len()).unwrap_or_default();
        Purse { budgets: &self.budgets, left }
    }
}

impl Purse<'_> {
    /// The budget that does not pay for a call that could cost this much, and how the request goes on. Of several, one
    /// that rejects speaks.
    pub fn keeps_back(&self, signals: &Signals, model: &ModelName, worst: f64) -> Option<(usize, WhenSpent)> {
        if worst <= 0.0 {
            return None;
        }
        let pairs = self.budgets.iter().zip(self.left).enumerate();
        let refusing = pairs.filter(|(_, (budget, left))| worst > **left && budget.scope.covers(signals, model));
        let speaker = refusing.min_by_key(|(_, (budget, _))| budget.when_spent == WhenSpent::FreeOnly);
        speaker.map(|(at, (budget, _))| (at, budget.when_spent))
    }
}

#[cfg(test)]
#[path = "money_tests.rs"]
mod tests;
