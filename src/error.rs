//! The one error of the crate: what went wrong, whose fault it is, and what to do next.
//!
//! It knows neither HTTP statuses nor MCP: each door translates in its own `error.rs`. Whether another try makes
//! sense follows from the kind alone (`Kind::retry`). The list of attempts lives in the outcome, not here.

use std::time::Duration;

/// The result of everything that can fail below the command line.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// One failure. `message` says what happened in words that are safe to show to the caller; `hint` says what to do next.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    pub kind: Kind,
    pub message: String,
    pub hint: Option<String>,
    /// How long to wait before the next try, if anyone said so: the upstream, or a limit of ours.
    pub retry_after: Option<Duration>,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What went wrong, as far as anyone branches on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    BadRequest,
    NotFound,
    /// The record changed under the caller, or a key was used for something else.
    Conflict,
    UnknownTool,
    RateLimited,
    OverBudget,
    ContextTooLong,
    ContentRefused,
    /// The upstream said "not now": a rate limit, or an overload that names its end (503 with Retry-After).
    UpstreamBusy,
    UpstreamUnreachable,
    UpstreamAuth,
    /// The account at the upstream has nothing left: its key is good, and no wait helps.
    UpstreamQuota,
    UpstreamFailed,
    UpstreamTimeout,
    /// The upstream answered something that is not the protocol.
    UpstreamProtocol,
    /// The upstream does not take the answer format that was asked for; a weaker one may do.
    FormatRefused,
    /// A stream that ended before it was complete.
    UpstreamCut,
    DeadlineExceeded,
    Cancelled,
    /// The policy or the settings are wrong.
    Config,
    Storage,
    Internal,
}

/// Who has to act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Caller,
    Upstream,
    Gateway,
}

/// Where another try makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// The same model may answer a moment later.
    Same,
    /// This model will not; another may.
    Next,
    /// Nobody can help.
    Never,
}

impl Kind {
    /// Exhaustive on purpose: a new kind has to say where it may be tried again.
    pub fn retry(self) -> Retry {
        match self {
            Self::UpstreamBusy | Self::UpstreamUnreachable | Self::FormatRefused => Retry::Same,
            Self::UpstreamAuth
            | Self::UpstreamQuota
            | Self::UpstreamFailed
            | Self::UpstreamTimeout
            | Self::UpstreamProtocol
            | Self::UpstreamCut
            | Self::ContextTooLong
            | Self::ContentRefused
            | Self::RateLimited => Retry::Next,
            Self::BadRequest
            | Self::NotFound
            | Self::Conflict
            | Self::UnknownTool
            | Self::OverBudget
            | Self::DeadlineExceeded
            | Self::Cancelled
            | Self::Config
            | Self::Storage
            | Self::Internal => Retry::Never,
        }
    }

    pub fn fault(self) -> Fault {
        match self {
            Self::BadRequest
            | Self::NotFound
            | Self::Conflict
            | Self::UnknownTool
            | Self::RateLimited
            | Self::OverBudget
            | Self::ContextTooLong
            | Self::Cancelled => Fault::Caller,
            Self::ContentRefused
            | Self::UpstreamBusy
            | Self::UpstreamUnreachable
            | Self::UpstreamAuth
            | Self::UpstreamQuota
            | Self::UpstreamFailed
            | Self::UpstreamTimeout
            | Self::UpstreamProtocol
            | Self::FormatRefused
            | Self::UpstreamCut => Fault::Upstream,
            Self::DeadlineExceeded | Self::Config | Self::Storage | Self::Internal => Fault::Gateway,
        }
    }

    /// The word for this kind in logs, metrics and the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::UnknownTool => "unknown_tool",
            Self::RateLimited => "rate_limited",
            Self::OverBudget => "over_budget",
            Self::ContextTooLong => "context_too_long",
            Self::ContentRefused => "content_refused",
            Self::UpstreamBusy => "upstream_busy",
            Self::UpstreamUnreachable => "upstream_unreachable",
            Self::UpstreamAuth => "upstream_auth",
            Self::UpstreamQuota => "upstream_quota",
            Self::UpstreamFailed => "upstream_failed",
            Self::UpstreamTimeout => "upstream_timeout",
            Self::UpstreamProtocol => "upstream_protocol",
            Self::FormatRefused => "format_refused",
            Self::UpstreamCut => "upstream_cut",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::Cancelled => "cancelled",
            Self::Config => "config",
            Self::Storage => "storage",
            Self::Internal => "internal",
        }
    }
}

impl Error {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, retry_after: None, source: None }
    }

    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(Kind::BadRequest, message)
    }

    /// What the reader should do next.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub fn retry_after(mut self, wait: Option<Duration>) -> Self {
        self.retry_after = wait;
        self
    }

    /// The cause, for the log; it is never shown to a caller.
    pub fn source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_stays_small_enough_to_return_by_value() {
        assert!(size_of::<Error>() <= 128, "{}", size_of::<Error>());
    }

    #[test]
    fn a_callers_fault_is_never_tried_again_except_where_a_larger_model_or_free_one_can_help() {
        let all =
            [Kind::BadRequest, Kind::NotFound, Kind::Conflict, Kind::UnknownTool, Kind::OverBudget, Kind::Cancelled];
        for kind in all {
            assert_eq!((kind.fault(), kind.retry()), (Fault::Caller, Retry::Never), "{kind:?}");
        }
    }
}
