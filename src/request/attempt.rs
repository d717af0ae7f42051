//! One try at one candidate: one row of the ledger.

use std::time::Duration;

use jiff::Timestamp;

use super::Rejection;
use crate::chat::{NanoUsd, Usage, UsageSource};
use crate::names::{BudgetName, ModelName, TierName, words};

#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// Counts from 1 within the request.
    pub n: u32,
    pub model: ModelName,
    pub tier: TierName,
    pub kind: AttemptKind,
    pub result: AttemptResult,
    pub rejection: Option<Rejection>,
    /// Which limit of ours kept it back, if one did.
    pub kept_back: Option<Limit>,
    /// Which budget did, if one did.
    pub budget: Option<BudgetName>,
    /// What went wrong, safe to show; `None` for an accepted answer.
    pub failure: Option<String>,
    pub usage: Usage,
    pub usage_source: UsageSource,
    /// The worst case that was set aside before it was sent; zero for free models.
    pub reserved: NanoUsd,
    pub cost: NanoUsd,
    pub started_at: Timestamp,
    pub ttft: Option<Duration>,
    pub latency: Duration,
    pub http_status: Option<u16>,
}

impl Attempt {
    /// False when a model was skipped, or the question was too long for it before anyone was asked.
    pub fn was_sent(&self) -> bool {
        match self.result {
            AttemptResult::Skipped => false,
            AttemptResult::Context => self.http_status.is_some(),
            _ => true,
        }
    }
}

words!(
    /// Why this attempt was made.
    AttemptKind {
        First => "first",
        Retry => "retry",
        Fallback => "fallback",
        Escalation => "escalation",
    }
);

words!(
    /// A limit of the policy that a call, or the request as a whole, can run into.
    Limit {
        Concurrency => "concurrency",
        RequestsPerMinute => "requests_per_minute",
        TokensPerMinute => "tokens_per_minute",
        CallerConcurrency => "caller_concurrency",
        CallerRequestsPerMinute => "caller_requests_per_minute",
        CallerTokensPerMinute => "caller_tokens_per_minute",
        Budget => "budget",
        /// The second tries that the policy allows a process.
        Retries => "retries",
        /// The database, which could not be asked for its money.
        Storage => "storage",
    }
);

impl Limit {
    /// Of who asks, and not of a model or of money.
    pub fn is_of_caller(self) -> bool {
        matches!(self, Self::CallerConcurrency | Self::CallerRequestsPerMinute | Self::CallerTokensPerMinute)
    }
}

words!(
    /// How an attempt ended.
    AttemptResult {
        Accepted => "accepted",
        Unchecked => "unchecked",
        Rejected => "rejected",
        RateLimited => "rate_limited",
        Timeout => "timeout",
        Connect => "connect",
        UpstreamError => "upstream_error",
        Cut => "cut",
        Auth => "auth",
        /// The account at the upstream has nothing left.
        Quota => "quota",
        Context => "context",
        Refused => "refused",
        Cancelled => "cancelled",
        /// Nothing was sent: a limit, the envelope or the prompt's size kept it back.
        Skipped => "skipped",
    }
);
