//! The time limits of one call: what may still be waited for, and which limit ended it.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

use super::trouble::Trouble;
use crate::policy::Timeouts;

#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    started: Instant,
    timeouts: Timeouts,
    /// How long the call waited for whoever reads its answer.
    held: Duration,
}

/// What a call waits for. The total limit holds in every one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waiting {
    FirstToken,
    /// Since then nothing was said.
    NextToken(Instant),
    /// Since then there is nothing more to say: only the usage may still come.
    Rest(Instant),
    End,
}

/// How long the usage of an answer that is complete is waited for. It follows at once, or not at all.
const REST: Duration = Duration::from_secs(2);

impl Clock {
    pub(super) fn start(timeouts: Timeouts) -> Self {
        Self { started: Instant::now(), timeouts, held: Duration::ZERO }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// How long the call has waited for whoever reads its answer, so far.
    pub(super) fn held(&self) -> Duration {
        self.held
    }

    pub(super) fn connect(&self) -> Duration {
        self.timeouts.connect
    }

    /// Waits for `work` as long as this kind of waiting and the whole call may take.
    pub(super) async fn wait<T>(&self, waiting: Waiting, work: impl Future<Output = T>) -> Result<T, Trouble> {
        let total = self.timeouts.total.saturating_sub(self.elapsed());
        let own = match waiting {
            Waiting::FirstToken => self.timeouts.first_token.saturating_sub(self.elapsed()),
            Waiting::NextToken(since) | Waiting::Rest(since) => self.limit(waiting).saturating_sub(since.elapsed()),
            Waiting::End => total,
        };
        let (left, ended_by) = if own < total { (own, waiting) } else { (total, Waiting::End) };
        tokio::time::timeout(left, work).await.map_err(|_| match ended_by {
            // Whoever took the larger part of the time has used it up.
            Waiting::End if self.held > self.timeouts.total / 2 => Trouble::Unread(self.timeouts.total),
            ended_by => Trouble::Slow(ended_by, self.limit(ended_by)),
        })
    }

    /// Waits until the reader of the answer has taken what came. Only the total limit holds here, and what ends by it is
    /// not the upstream's fault.
    pub(super) async fn wait_for_reader(&mut self, taking: impl Future<Output = ()>) -> Result<(), Trouble> {
        let begun = Instant::now();
        let left = self.timeouts.total.saturating_sub(self.elapsed());
        let taken = tokio::time::timeout(left, taking).await;
        self.held += begun.elapsed();
        taken.map_err(|_| Trouble::Unread(self.timeouts.total))
    }

    fn limit(&self, waiting: Waiting) -> Duration {
        match waiting {
            Waiting::FirstToken => self.timeouts.first_token,
            Waiting::NextToken(_) => self.timeouts.idle,
            Waiting::Rest(_) => REST.min(self.timeouts.idle),
            Waiting::End => self.timeouts.total,
        }
    }
}
