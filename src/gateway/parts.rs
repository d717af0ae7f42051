//! What the steps of a request share: the gateway's parts, built once, and when the request came in.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::format::FormatMemory;
use super::{Ledger, Upstream};
use crate::cache::Answers;
use crate::health::Board;
use crate::limit::{Limiter, RetryBudget};
use crate::policy::Policy;
use crate::telemetry::Metrics;

pub(super) struct Inner {
    pub policy: Arc<Policy>,
    pub upstream: Box<dyn Upstream>,
    pub answers: Answers,
    pub limiter: Limiter,
    pub board: Board,
    pub retries: Mutex<RetryBudget>,
    pub formats: FormatMemory,
    pub ledger: Box<dyn Ledger>,
    pub metrics: Metrics,
    pub requests: TaskTracker,
    /// Parent of every request's token: cancelled when draining takes too long.
    pub shutdown: CancellationToken,
}

impl Inner {
    /// The second tries that this process may still make.
    pub fn retries(&self) -> MutexGuard<'_, RetryBudget> {
        self.retries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When a request came in, on both clocks.
#[derive(Clone, Copy)]
pub(super) struct Beginning {
    pub at: Timestamp,
    pub started: Instant,
}

impl Beginning {
    pub fn now() -> Self {
        Self { at: Timestamp::now(), started: Instant::now() }
    }
}
