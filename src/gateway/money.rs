//! Money in the path of a request: set aside before a call, settled when it has ended and the request goes on.
//!
//! The row of an attempt is written as if it cost all that was set aside, and corrected by what comes back: a call that
//! panics, or whose end nobody hears, has its price in the ledger. Recording the request takes what it had set aside;
//! if it is never recorded, the lease ends, and what was set aside is recorded as spent.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::time::timeout;

use super::Gateway;
use super::callers::over_budget;
use super::dispatch::{End, Run};
use super::parts::Snapshot;
use crate::chat::{NanoUsd, Usage, UsageSource};
use crate::error::Result;
use crate::names::{BudgetName, ModelName};
use crate::policy::{Budget, Model, Policy, WhenSpent};
use crate::request::{Allowance, Attempt, AttemptKind, AttemptResult, Limit, Signals, Standing};
use crate::store::OpenRequest;

/// Beyond what a request may take: for its end, and for a database that others hold.
const LEASE_BEYOND: Duration = Duration::from_secs(60);

/// How long a request waits for the database where it can go on without. Writing takes less than a millisecond; beyond
/// this another process holds it.
const PATIENCE: Duration = Duration::from_secs(1);

/// Budgets in their present periods.
struct Payers<'p> {
    budgets: Vec<&'p Budget>,
    allowances: Vec<Allowance>,
}

/// A call that a budget does not pay for: which one, why, and if that ends the request, when it begins anew.
struct Refused {
    budget: Option<BudgetName>,
    why: String,
    rejects_until: Option<Timestamp>,
}

impl Gateway {
    /// Looks up how the budgets stand, for decisions and gauges, and tells of each whose money runs out.
    pub async fn look_at_budgets(&self) -> Result<()> {
        let snapshot = self.0.snapshot();
        let policy = &snapshot.policy;
        let payers = Payers::new(policy.budgets.iter(), Timestamp::now(), &policy.time_zone);
        let standings = match payers.budgets.as_slice() {
            [] => Vec::new(),
            _ => self.0.ledger.standings(&payers.allowances).await?,
        };
        snapshot.saw(&payers, &standings);
        self.0.metrics.set_budgets(&payers.allowances, &standings);
        Ok(())
    }
}

impl Snapshot {
    fn saw(&self, payers: &Payers<'_>, standings: &[Standing]) {
        for ((budget, allowance), standing) in payers.budgets.iter().zip(&payers.allowances).zip(standings) {
            if self.purse().saw(budget, allowance, *standing) {
                let Budget { name, per, .. } = budget;
                let [spent, limit] = NanoUsd::apart([standing.spent, budget.limit]);
                tracing::warn!(budget = %name, "budget `{name}` has spent {spent} of its {limit} for this {}", per.as_str());
            }
        }
    }
}

impl Run<'_> {
    /// The row of an attempt that is about to be made, with its worst case set aside in every budget that it counts
    /// against.
    pub(super) async fn paid_for(
        &mut self,
        model: &Model,
        kind: AttemptKind,
        worst_case: NanoUsd,
        patience: Duration,
    ) -> Result<Attempt, End> {
        let attempt = self.begun(model, kind, worst_case);
        if worst_case == NanoUsd::ZERO {
            return Ok(attempt);
        }
        let (signals, policy, name) = (&self.ask.signals, self.policy, &model.spec.name);
        let payers = Payers::of(policy, signals, name, attempt.started_at);
        let request = OpenRequest {
            id: self.beginning.id,
            at: self.beginning.at,
            signals,
            decision: self.decision,
            policy_hash: &policy.hash,
        };
        // Without a budget there is no limit that the call could break.
        let is_free_to_go = payers.budgets.is_empty();
        let patience = if is_free_to_go { patience.min(PATIENCE) } else { patience };
        let lease_until = attempt.started_at.checked_add(self.longest(model) + LEASE_BEYOND).unwrap_or(Timestamp::MAX);
        let asked = tokio::select! {
            biased;
            () = self.cancel.cancelled() => return Err(End::Stop { why: "The request was cancelled.".to_owned() }),
            asked = timeout(patience, self.inner.ledger.reserve(request, &attempt, lease_until, &payers.allowances)) => asked,
        };
        let failure = match asked {
            Ok(Ok(reserved)) => {
                self.snapshot.saw(&payers, &reserved.standings);
                if reserved.granted {
                    return Ok(attempt);
                }
                let refusal = payers.refusal(&reserved.standings, (name, worst_case), &policy.time_zone);
                return Err(self.over_budget(model, kind, refusal));
            }
            Ok(Err(error)) => error.message,
            Err(_) => "the database is busy".to_owned(),
        };
        if is_free_to_go {
            tracing::warn!(model = %name, "no money could be set aside for {name}: {failure}");
            return Ok(attempt);
        }
        let why = format!("No money could be set aside for {name}: {}.", failure.trim_end_matches('.'));
        Err(self.keep_back(model, kind, Limit::Storage, why))
    }

    fn over_budget(
        &mut self,
        model: &Model,
        kind: AttemptKind,
        Refused { budget, why, rejects_until }: Refused,
    ) -> End {
        let end = self.keep_back(model, kind, Limit::Budget, why.clone());
        if let Some(row) = self.attempts.last_mut() {
            row.budget = budget;
        }
        let Some(anew) = rejects_until else { return end };
        self.kept_back = Some(over_budget(anew));
        End::Stop { why }
    }

    /// An attempt as it stands if nobody ever hears how it ended.
    fn begun(&self, model: &Model, kind: AttemptKind, worst_case: NanoUsd) -> Attempt {
        Attempt {
            n: self.next_number(),
            model: model.spec.name.clone(),
            tier: model.tier.clone(),
            kind,
            result: AttemptResult::UpstreamError,
            rejection: None,
            kept_back: None,
            budget: None,
            failure: Some("How this call ended is not known.".to_owned()),
            usage: Usage::default(),
            usage_source: UsageSource::Unknown,
            reserved: worst_case,
            cost: worst_case,
            started_at: Timestamp::now(),
            ttft: None,
            latency: Duration::ZERO,
            http_status: None,
        }
    }

    /// What the last call cost is known, and the request goes on: what it did not need is free for others at once.
    pub(super) async fn settle_last(&self) {
        let last = self.attempts.last().filter(|attempt| attempt.cost != attempt.reserved);
        if let Some(attempt) = last {
            self.settle(attempt.n, attempt.cost).await;
        }
    }

    /// Nothing was sent after all.
    pub(super) async fn give_back(&self, attempt: &Attempt) {
        if attempt.reserved > NanoUsd::ZERO {
            self.settle(attempt.n, NanoUsd::ZERO).await;
        }
    }

    /// Whoever holds the database does not hold the request: beyond a moment, this is written while it goes on.
    async fn settle(&self, n: u32, cost: NanoUsd) {
        let (inner, request) = (self.inner.clone(), self.beginning.id);
        let settling = self.inner.requests.spawn(async move {
            if let Err(error) = inner.ledger.settle(request, n, cost).await {
                // It stays set aside until the request is recorded.
                tracing::warn!(%request, "attempt {n} could not be settled yet: {error}");
            }
        });
        let _ = timeout(PATIENCE.min(self.time_left()), settling).await;
    }
}

impl<'p> Payers<'p> {
    fn new(budgets: impl Iterator<Item = &'p Budget>, now: Timestamp, zone: &TimeZone) -> Self {
        let budgets: Vec<&Budget> = budgets.collect();
        let allowances = budgets.iter().map(|budget| budget.allowance(now, zone)).collect();
        Self { budgets, allowances }
    }

    fn of(policy: &'p Policy, signals: &Signals, model: &ModelName, now: Timestamp) -> Self {
        Self::new(policy.budgets_for(signals, model), now, &policy.time_zone)
    }

    /// Which budget does not pay. Of several, one that rejects speaks.
    fn refusal(&self, standings: &[Standing], (model, worst_case): (&ModelName, NanoUsd), zone: &TimeZone) -> Refused {
        let all = self.budgets.iter().zip(&self.allowances).zip(standings);
        let refusing = all.filter(|((_, allowance), standing)| !standing.admits(worst_case, allowance.limit));
        let speaker = refusing.min_by_key(|((budget, _), _)| budget.when_spent == WhenSpent::FreeOnly);
        let Some(((budget, allowance), standing)) = speaker else {
            return Refused { budget: None, why: format!("No budget pays for {model}."), rejects_until: None };
        };
        let Allowance { budget: name, limit, ends, .. } = allowance;
        let left = (*limit - standing.spent - standing.reserved).max(NanoUsd::ZERO);
        let anew = ends.to_zoned(zone.clone()).date();
        let [cost, left, limit] = NanoUsd::apart([worst_case, left, *limit]);
        let aside = match standing.reserved {
            NanoUsd::ZERO => String::new(),
            aside => format!(" ({aside} set aside for requests under way)"),
        };
        let why = format!(
            "{model} could cost {cost}; budget `{name}` has {left} of {limit} left{aside} and begins anew on {anew}."
        );
        let rejects_until = (budget.when_spent == WhenSpent::Reject).then_some(*ends);
        Refused { budget: Some(name.clone()), why, rejects_until }
    }
}

#[cfg(test)]
#[path = "money_tests.rs"]
mod tests;
