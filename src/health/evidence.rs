//! What the end of a call says about the health of the model that was called.

use std::time::Duration;

use crate::error::{Error, Kind};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// It answered; whether the answer was any good is for others to say.
    Answered,
    /// It failed, in whatever way.
    Failed,
    /// Nothing came in time.
    TimedOut,
    /// Nobody was there to take the connection.
    Unreachable,
    /// The backend does not let our key use this model; another one it may.
    Forbidden,
    /// It asks to be left alone for so long.
    Busy(Duration),
    /// The backend does not accept our key, or its account has nothing left: no model of it can be called.
    KeyRefused,
    /// Nothing: the caller went away, the question was at fault, or a rate limit was met.
    None,
}

/// `status` is the one that the upstream answered with, if it did.
///
/// Exhaustive on purpose: a new kind has to say whether it is a sign of bad health.
pub fn evidence(error: Option<&Error>, status: Option<u16>) -> Evidence {
    let Some(error) = error else { return Evidence::Answered };
    match error.kind {
        Kind::UpstreamUnreachable => Evidence::Unreachable,
        Kind::UpstreamTimeout => Evidence::TimedOut,
        Kind::UpstreamAuth if status == Some(403) => Evidence::Forbidden,
        Kind::UpstreamAuth | Kind::UpstreamQuota => Evidence::KeyRefused,
        // The request was at fault, or the policy: a model by another name, an address that is not the API's.
        Kind::UpstreamFailed | Kind::UpstreamProtocol if status.is_some_and(|status| (300..500).contains(&status)) => {
            Evidence::None
        }
        Kind::UpstreamFailed | Kind::UpstreamProtocol | Kind::UpstreamCut => Evidence::Failed,
        // A limit is no illness, and who says when to come back is well enough to say so.
        Kind::UpstreamBusy
        | Kind::BadRequest
        | Kind::NotFound
        | Kind::Conflict
        | Kind::UnknownTool
        | Kind::RateLimited
        | Kind::OverBudget
        | Kind::ContextTooLong
        | Kind::ContentRefused
        | Kind::FormatRefused
        | Kind::DeadlineExceeded
        | Kind::Cancelled
        | Kind::Config
        | Kind::Storage
        | Kind::Internal => Evidence::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_model_or_its_backend_did_counts() {
        let cases = [
            (Kind::UpstreamUnreachable, None, Evidence::Unreachable),
            (Kind::UpstreamTimeout, None, Evidence::TimedOut),
            (Kind::UpstreamTimeout, Some(200), Evidence::TimedOut),
            (Kind::UpstreamAuth, Some(401), Evidence::KeyRefused),
            (Kind::UpstreamAuth, Some(403), Evidence::Forbidden),
            (Kind::UpstreamQuota, Some(429), Evidence::KeyRefused),
            (Kind::UpstreamBusy, Some(429), Evidence::None),
            (Kind::UpstreamBusy, Some(503), Evidence::None),
            (Kind::UpstreamBusy, Some(200), Evidence::None),
            (Kind::UpstreamFailed, Some(503), Evidence::Failed),
            (Kind::UpstreamFailed, Some(500), Evidence::Failed),
            (Kind::UpstreamFailed, Some(200), Evidence::Failed),
            (Kind::UpstreamFailed, Some(422), Evidence::None),
            (Kind::UpstreamProtocol, Some(200), Evidence::Failed),
            (Kind::UpstreamProtocol, Some(307), Evidence::None),
            (Kind::UpstreamProtocol, Some(404), Evidence::None),
            (Kind::UpstreamProtocol, None, Evidence::Failed),
            (Kind::UpstreamCut, Some(200), Evidence::Failed),
            (Kind::FormatRefused, Some(500), Evidence::None),
            (Kind::ContextTooLong, Some(400), Evidence::None),
            (Kind::ContentRefused, Some(400), Evidence::None),
            (Kind::Cancelled, None, Evidence::None),
            (Kind::BadRequest, Some(400), Evidence::None),
        ];
        for (kind, status, expected) in cases {
            assert_eq!(evidence(Some(&Error::new(kind, "x")), status), expected, "{kind:?} {status:?}");
        }
        assert_eq!(evidence(None, Some(200)), Evidence::Answered);
    }
}
