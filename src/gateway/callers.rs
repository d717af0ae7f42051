//! Who asks: what its limits let it ask at once and in a minute, before the cache and before any model.
//!
//! A request that no model can answer does not count. One that is let in counts once, whatever becomes of it; its tokens
//! are set aside as the first model would take them, and corrected at its end by what all its calls took: nothing, if the
//! answer was kept or another's.

use std::time::Duration;

use jiff::Timestamp;

use super::budgets;
use super::dispatch::{Run, fitted};
use crate::cache::CachedAnswer;
use crate::chat::{Tokens, UsageSource};
use crate::limit::{Patience, Permit, Refusal};
use crate::request::{Attempt, CacheUse, Candidate, KeptBack, Limit};

/// A caller's place, and what was set aside of its tokens.
pub(super) struct Leave {
    permit: Permit,
    expected: Tokens,
}

impl Leave {
    /// The request is over. A call of which nobody knows what it took leaves at least what was expected.
    pub fn settle(mut self, attempts: &[Attempt]) {
        let known = attempts.iter().map(|attempt| attempt.usage.input + attempt.usage.output);
        let known = known.fold(Tokens::ZERO, |sum, tokens| sum + tokens);
        let unknown = |attempt: &Attempt| attempt.was_sent() && attempt.usage_source == UsageSource::Unknown;
        let least = if attempts.iter().any(unknown) { self.expected } else { Tokens::ZERO };
        self.permit.used(known.max(least));
    }
}

impl Run<'_> {
    /// The answer, if the caller's limits let the request in.
    pub async fn answer_caller(&mut self) -> (Option<CachedAnswer>, CacheUse) {
        if !self.let_in().await {
            return (None, CacheUse::Bypass);
        }
        // Not before: who is turned away keeps no model in memory.
        self.snapshot.warm(self.decision);
        self.find_answer().await
    }

    /// A caller who is gone waits for nothing.
    async fn let_in(&mut self) -> bool {
        let caller = &self.ask.caller.name;
        let Some(gate) = self.inner.callers.gate(caller).filter(|_| self.has_candidates()) else { return true };
        let expected = if gate.counts_tokens() { self.expected_tokens() } else { Tokens::ZERO };
        // Half of the time is the answer's own, and no wait is longer than a backend may ask for.
        let half = self.time_left() / 2;
        let patience = Patience { place: half, rate: self.policy.retry.max_retry_after.min(half) };
        let admitted = tokio::select! {
            biased;
            () = self.cancel.cancelled() => {
                self.fail("The request was cancelled.");
                return false;
            }
            admitted = gate.admit(expected, patience) => admitted,
        };
        match admitted {
            Ok(permit) => {
                self.leave = Some(Leave { permit, expected });
                true
            }
            Err(refusal) => {
                self.fail(told(caller, refusal));
                self.kept_back = Some(kept_back(refusal));
                false
            }
        }
    }

    /// What the first model that can be asked would take, prompt and answer.
    fn expected_tokens(&self) -> Tokens {
        let expected = |candidate: &Candidate| {
            let model = self.policy.models.get(&candidate.model)?;
            let request = fitted(model, (self.ask.render)(&model.spec, &[]).ok()?);
            Some(request.estimated_input() + request.max_output)
        };
        self.candidates().find_map(expected).unwrap_or(Tokens::ZERO)
    }

    /// The limit of the caller's that ended this request: one that it ran into, or a budget that rejects and was seen to
    /// be spent when the request was decided.
    pub fn limit_of_the_caller(&self) -> Option<KeptBack> {
        let until = || {
            let spent = self.snapshot.purse().spent(self.beginning.at);
            budgets::rejects_until(self.policy, &self.ask.signals, &spent, &self.decision.candidates)
        };
        self.kept_back.or_else(|| until().map(over_budget))
    }
}

/// A budget that begins anew then.
pub(super) fn over_budget(anew: Timestamp) -> KeptBack {
    let wait = Duration::try_from(anew.duration_since(Timestamp::now())).unwrap_or_default();
    KeptBack { limit: Limit::Budget, wait: Some(wait) }
}

fn kept_back(refusal: Refusal) -> KeptBack {
    match refusal {
        Refusal::Concurrency { .. } => KeptBack { limit: Limit::CallerConcurrency, wait: None },
        Refusal::Requests { wait, .. } => KeptBack { limit: Limit::CallerRequestsPerMinute, wait: Some(wait) },
        Refusal::Tokens { wait, .. } => KeptBack { limit: Limit::CallerTokensPerMinute, wait: Some(wait) },
    }
}

fn told(caller: &str, refusal: Refusal) -> String {
    let seconds = |wait: Duration| wait.as_secs_f64().ceil();
    match refusal {
        Refusal::Concurrency { limit } => format!(
            "Caller `{caller}` is at its limit of {limit} requests at once: try again when one of them has ended."
        ),
        Refusal::Requests { limit, wait } => format!(
            "Caller `{caller}` is at its limit of {limit} requests per minute: try again in {} s.",
            seconds(wait)
        ),
        Refusal::Tokens { limit, wait } => {
            format!("Caller `{caller}` is at its limit of {limit} tokens per minute: try again in {} s.", seconds(wait))
        }
    }
}

#[cfg(test)]
#[path = "callers_tests.rs"]
mod tests;
