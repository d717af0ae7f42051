//! The end of a request. Exactly one per request, always; ledger, metrics, log and result all read this value.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Attempt, AttemptResult, Decision, Exclusion, Limit, Signals};
use crate::chat::{NanoUsd, Reply, Usage};
use crate::error::{Error, Kind};
use crate::names::{ModelName, TierName, words};

/// UUID version 7: sorts by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(pub Uuid);

impl std::fmt::Display for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    pub id: RequestId,
    pub at: Timestamp,
    pub signals: Signals,
    pub policy_hash: String,
    pub decision: Decision,
    pub status: Status,
    /// The model whose answer was used.
    pub model: Option<ModelName>,
    pub attempts: Vec<Attempt>,
    /// Sums over the attempts.
    pub usage: Usage,
    pub cost: NanoUsd,
    /// The part of `cost` that bought no answer.
    pub wasted: NanoUsd,
    /// The same tokens at the first priced model of the highest tier; `None` when that is unknown.
    pub counterfactual: Option<NanoUsd>,
    pub cache: CacheUse,
    /// What the answer had cost when it was got first; zero where it was got now.
    pub saved: NanoUsd,
    pub latency: Duration,
    pub ttft: Option<Duration>,
    /// Why no model's answer was used, in one sentence that is safe to show.
    pub failure: Option<String>,
    /// The limit of the caller's that left it without an answer: of who asks, or of a budget that rejects.
    pub kept_back: Option<KeptBack>,
    /// What an equal request tried, whose end without an answer this one shares. The rows are the other's.
    pub shared: Vec<Attempt>,
}

/// A limit that ended a request, and how long to wait before the next one; `None`: nobody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptBack {
    pub limit: Limit,
    pub wait: Option<Duration>,
}

impl Outcome {
    /// Answers that were rejected and handed to the next tier.
    pub fn escalations(&self) -> usize {
        let sent = self.attempts.iter().filter(|attempt| attempt.was_sent());
        sent.filter(|attempt| attempt.kind == super::AttemptKind::Escalation).count()
    }

    /// What led to its end: its own attempts, or those of the request whose end it shares.
    pub fn tried(&self) -> &[Attempt] {
        if self.attempts.is_empty() { &self.shared } else { &self.attempts }
    }

    /// What a caller without a complete answer is told; `None` for one who has it.
    pub fn error(&self) -> Option<Error> {
        if self.kept_back.is_some() {
            return self.refusal();
        }
        let kind = match self.status {
            Status::Ok | Status::Cached => return None,
            Status::Cancelled => Kind::Cancelled,
            Status::Rejected => Kind::BadRequest,
            Status::Degraded | Status::Partial | Status::Failed => {
                self.tried().last().map_or_else(|| self.kind_of_nothing(), |last| kind_of(last.result, last.kept_back))
            }
        };
        let message = self.failure.clone().unwrap_or_else(|| "No model answered this request".to_owned());
        Some(Error::new(kind, message))
    }

    /// What the caller ran into, as an error that says what to do next, and when.
    fn refusal(&self) -> Option<Error> {
        let KeptBack { limit, wait } = self.kept_back?;
        let (kind, hint) = match limit {
            Limit::Budget => (
                Kind::OverBudget,
                "Wait until the budget begins anew, or raise its `limit_usd` under `budgets` in routing.yaml.",
            ),
            _ => (Kind::RateLimited, "Ask again later, or raise the caller's limits under `callers` in routing.yaml."),
        };
        let message = self.failure.as_deref().unwrap_or("A limit of the caller's is reached.");
        Some(Error::new(kind, message.trim_end_matches('.')).hint(hint).retry_after(wait))
    }

    /// Why nobody was asked.
    fn kind_of_nothing(&self) -> Kind {
        if self.status == Status::Partial {
            // Another's call, which broke off.
            return Kind::UpstreamCut;
        }
        if self.decision.admitted().next().is_some() {
            return Kind::DeadlineExceeded;
        }
        let left_out = |wanted: &[Exclusion]| {
            self.decision.candidates.iter().any(|one| one.excluded.is_some_and(|why| wanted.contains(&why)))
        };
        if left_out(&[Exclusion::BudgetSpent]) {
            Kind::OverBudget
        } else if left_out(&[Exclusion::Unhealthy, Exclusion::Unreachable, Exclusion::KeyRefused, Exclusion::NotLoaded])
        {
            Kind::UpstreamUnreachable
        } else if left_out(&[Exclusion::Busy]) {
            Kind::UpstreamBusy
        } else if left_out(&[Exclusion::TooLong]) {
            Kind::ContextTooLong
        } else {
            Kind::Config
        }
    }

    /// The model whose answer was handed on, if one's was.
    pub fn answering_model(&self) -> Option<&ModelName> {
        let answered = matches!(self.status, Status::Ok | Status::Cached | Status::Partial);
        self.model.as_ref().filter(|_| answered)
    }

    /// The tier of that model; `none` when logic answered.
    pub fn answering_tier(&self) -> TierName {
        let Some(model) = self.answering_model() else { return TierName::none() };
        let tried = self.attempts.iter().find(|attempt| attempt.model == *model).map(|attempt| &attempt.tier);
        let decided = || self.decision.candidates.iter().find(|candidate| candidate.model == *model);
        tried.or_else(|| decided().map(|candidate| &candidate.tier)).cloned().unwrap_or_else(TierName::none)
    }
}

/// What an attempt's end is, said as an error.
fn kind_of(result: AttemptResult, kept_back: Option<Limit>) -> Kind {
    match (result, kept_back) {
        (AttemptResult::Skipped, Some(Limit::Budget)) => Kind::OverBudget,
        (AttemptResult::Skipped, Some(Limit::Storage)) => Kind::Storage,
        (AttemptResult::Skipped, Some(_)) => Kind::RateLimited,
        (AttemptResult::RateLimited, _) => Kind::UpstreamBusy,
        (AttemptResult::Timeout, _) => Kind::UpstreamTimeout,
        (AttemptResult::Connect, _) => Kind::UpstreamUnreachable,
        (AttemptResult::Cut, _) => Kind::UpstreamCut,
        (AttemptResult::Auth, _) => Kind::UpstreamAuth,
        (AttemptResult::Quota, _) => Kind::UpstreamQuota,
        (AttemptResult::Context, _) => Kind::ContextTooLong,
        (AttemptResult::Refused, _) => Kind::ContentRefused,
        (AttemptResult::Cancelled, _) => Kind::Cancelled,
        (
            AttemptResult::Accepted
            | AttemptResult::Unchecked
            | AttemptResult::Rejected
            | AttemptResult::UpstreamError
            | AttemptResult::Skipped,
            _,
        ) => Kind::UpstreamFailed,
    }
}

/// The attempt whose answer was used: the last one of a request that got one. Whatever was paid for the others bought
/// nothing.
pub fn answering(status: Status, attempts: &[Attempt]) -> Option<&Attempt> {
    attempts.last().filter(|_| status == Status::Ok)
}

words!(
    Status {
        Ok => "ok",
        /// Answered from logic because no model gave an accepted answer.
        Degraded => "degraded",
        /// The text so far of a stream that broke, beside the facts.
        Partial => "partial",
        Cached => "cached",
        /// The caller's fault: nothing was tried.
        Rejected => "rejected",
        Failed => "failed",
        Cancelled => "cancelled",
    }
);

words!(
    CacheUse {
        Hit => "hit",
        Miss => "miss",
        /// Another request that asked the same was in flight; its answer served both.
        Shared => "shared",
        /// Not looked up.
        Bypass => "bypass",
    }
);

/// What the caller gets beside the outcome.
#[derive(Debug, Clone, PartialEq)]
pub enum Completion {
    /// An accepted (or unchecked) answer.
    Answer(Reply),
    /// What may be shown of a stream that broke, when nobody else answered. Nothing for a caller who read along: it was
    /// shown everything.
    Partial(String),
    None,
}
