//! From one outcome to the metrics: the only place that counts requests, attempts, tokens and money.
//!
//! A live outcome and one that was read back from the ledger give the same figures; nothing here asks for the time.

use std::time::Duration;

use super::families as family;
use super::metrics::Metrics;
use crate::chat::{NanoUsd, UsageSource};
use crate::request::{Attempt, AttemptKind, AttemptResult, CacheUse, Outcome, answering};

/// The one operation that models are called for.
const OPERATION: &str = "chat";

impl Metrics {
    pub fn observe(&self, outcome: &Outcome) {
        self.observe_request(outcome);
        for (index, attempt) in outcome.attempts.iter().enumerate() {
            let before = &outcome.attempts[..index];
            self.count(&family::ATTEMPTS, attempt_labels(attempt), 1);
            if let Some(limit) = attempt.kept_back {
                self.count(&family::LIMIT_REJECTIONS, [limit.as_str()], 1);
            }
            if let Some(budget) = &attempt.budget {
                self.count(&family::BUDGET_REFUSALS, [self.budget_label(budget)], 1);
            }
            if !attempt.was_sent() {
                continue;
            }
            self.observe_attempt(outcome, attempt);
            self.observe_step(before, attempt);
            self.observe_operation(attempt);
        }
    }

    fn observe_request(&self, outcome: &Outcome) {
        let (signals, decision) = (&outcome.signals, &outcome.decision);
        let (door, tool, route) = (signals.door.as_str(), signals.target.as_str(), decision.route.as_str());
        let tier = outcome.answering_tier();
        let status = outcome.status.as_str();
        self.count(&family::REQUESTS, [door, tool, route, tier.as_str(), status], 1);
        self.record(&family::REQUEST_DURATION, [door, route, tier.as_str()], outcome.latency.as_secs_f64());
        if let Some(amount) = outcome.counterfactual {
            self.count(&family::COUNTERFACTUAL, [route], nano(amount));
        }
        if outcome.saved > NanoUsd::ZERO {
            self.count(&family::CACHE_SAVED, [route], nano(outcome.saved));
        }
        // A budget's are told by the attempts that it kept back.
        if let Some(kept_back) = outcome.kept_back.filter(|kept_back| kept_back.limit.is_of_caller()) {
            self.count(&family::LIMIT_REJECTIONS, [kept_back.limit.as_str()], 1);
        }
        // Waiting for another request's answer is not our own work, and there is no attempt to take it off by.
        if outcome.cache != CacheUse::Shared {
            let upstream: Duration = outcome.attempts.iter().map(|attempt| attempt.latency).sum();
            self.record(&family::OVERHEAD, [door], outcome.latency.saturating_sub(upstream).as_secs_f64());
        }
        if !decision.tier.is_none() {
            self.count(&family::CACHE_REQUESTS, [outcome.cache.as_str()], 1);
            self.record(&family::COMPLEXITY, [route], decision.complexity.score);
        }
    }

    fn observe_attempt(&self, outcome: &Outcome, attempt: &Attempt) {
        let model = attempt.model.as_str();
        self.count(&family::COST, [model, outcome.decision.route.as_str()], nano(attempt.cost));
        self.count(&family::TOOL_COST, [outcome.signals.target.as_str()], nano(attempt.cost));
        self.count(&family::PRICE_LOOKUPS, [model, self.pricing_of(&attempt.model)], 1);
        let answered = matches!(attempt.result, AttemptResult::Accepted | AttemptResult::Unchecked);
        let bought = answering(outcome.status, &outcome.attempts).is_some_and(|last| last.n == attempt.n);
        if !bought && attempt.cost > NanoUsd::ZERO {
            self.count(&family::WASTED, [model, attempt.result.as_str()], nano(attempt.cost));
        }
        if attempt.cost > attempt.reserved {
            for budget in self.budgets_for(&outcome.signals, &attempt.model) {
                self.count(&family::BUDGET_OVERRUN, [budget.as_str()], nano(attempt.cost - attempt.reserved));
            }
        }
        if matches!(attempt.result, AttemptResult::Accepted | AttemptResult::Rejected) {
            self.count(&family::CHECKS, [outcome.signals.target.as_str(), model, attempt.result.as_str()], 1);
        }
        if (answered || attempt.result == AttemptResult::Rejected) && attempt.usage_source != UsageSource::Reported {
            self.count(&family::USAGE_MISSING, [model], 1);
        }
        if attempt.usage_source != UsageSource::Unknown {
            let usage = attempt.usage;
            let fresh = usage.input.saturating_sub(usage.cached_input);
            let kinds = [("input", fresh), ("cached_input", usage.cached_input), ("output", usage.output)];
            for (kind, tokens) in kinds.into_iter().filter(|(_, tokens)| tokens.0 > 0) {
                self.count(&family::TOKENS, [model, kind, attempt.usage_source.as_str()], tokens.0);
            }
        }
        if let Some(ttft) = attempt.ttft {
            self.record(&family::TIME_TO_FIRST_TOKEN, [model], ttft.as_secs_f64());
        }
    }

    /// Why this attempt follows the ones before it.
    fn observe_step(&self, before: &[Attempt], attempt: &Attempt) {
        let sent = before.iter().rev().find(|earlier| earlier.was_sent());
        // Models that were passed over on the way are no steps of their own, unless nothing else came before.
        let Some(last) = sent.or(before.last()) else { return };
        let reason = last.result.as_str();
        match attempt.kind {
            AttemptKind::First => {}
            AttemptKind::Retry => self.count(&family::RETRIES, [attempt.model.as_str(), reason], 1),
            AttemptKind::Fallback => {
                self.count(&family::FALLBACKS, [last.model.as_str(), attempt.model.as_str(), reason], 1);
            }
            AttemptKind::Escalation => {
                let rejected = before.iter().rev().find(|earlier| earlier.rejection.is_some()).unwrap_or(last);
                let reason = rejected.rejection.as_ref().map_or(reason, |rejection| rejection.code.as_str());
                self.count(&family::ESCALATIONS, [rejected.tier.as_str(), attempt.tier.as_str(), reason], 1);
            }
        }
    }

    fn observe_operation(&self, attempt: &Attempt) {
        let (provider, model) = (self.provider_of(&attempt.model), attempt.model.as_str());
        let whole =
            matches!(attempt.result, AttemptResult::Accepted | AttemptResult::Unchecked | AttemptResult::Rejected);
        let error = if whole { "" } else { attempt.result.as_str() };
        self.record(&family::GEN_AI_DURATION, [OPERATION, &provider, model, error], attempt.latency.as_secs_f64());
        if attempt.usage_source == UsageSource::Reported {
            for (kind, tokens) in [("input", attempt.usage.input), ("output", attempt.usage.output)] {
                self.record(&family::GEN_AI_TOKENS, [OPERATION, &provider, model, kind], tokens.0 as f64);
            }
        }
    }
}

fn attempt_labels(attempt: &Attempt) -> [&str; 3] {
    [attempt.model.as_str(), attempt.kind.as_str(), attempt.result.as_str()]
}

/// A ledger never owes money, but a counter must not go back if one did.
fn nano(amount: NanoUsd) -> u64 {
    u64::try_from(amount.0).unwrap_or(0)
}

#[cfg(test)]
#[path = "observe_tests.rs"]
mod tests;
