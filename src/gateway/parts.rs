//! What the steps of a request share: the gateway's parts, built once, the snapshot of the policy that the request began
//! with, and when it came in.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use jiff::Timestamp;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::format::FormatMemory;
use super::health::Unwritten;
use super::memory::Memory;
use super::{Ledger, Upstream};
use crate::cache::Answers;
use crate::health::{Board, Residents};
use crate::limit::{Callers, Limiter, Purse, RetryBudget};
use crate::policy::Policy;
use crate::request::RequestId;
use crate::telemetry::Metrics;

pub(super) struct Inner {
    /// What requests that come in now go by. A request takes it once, and never looks here again.
    pub current: RwLock<Arc<Snapshot>>,
    /// Who asks is counted over all policies: a caller has one count.
    pub callers: Callers,
    pub upstream: Box<dyn Upstream>,
    pub retries: Mutex<RetryBudget>,
    pub formats: FormatMemory,
    pub memory: Memory,
    pub ledger: Box<dyn Ledger>,
    pub unwritten: Unwritten,
    /// The last row could not be written: that is told once, and once again when it works.
    pub ledger_fails: AtomicBool,
    pub metrics: Metrics,
    pub requests: TaskTracker,
    /// Cancelled when draining begins: nothing new comes in, and rows that cannot be written are not waited for.
    pub ending: CancellationToken,
    /// Parent of every request's token: cancelled when draining takes too long.
    pub shutdown: CancellationToken,
}

/// A policy, and what is made for it.
pub(super) struct Snapshot {
    pub policy: Arc<Policy>,
    pub answers: Answers,
    pub limiter: Limiter,
    pub board: Board,
    pub residents: Residents,
    purse: Mutex<Purse>,
}

impl Snapshot {
    pub fn new(policy: Arc<Policy>) -> Self {
        Self {
            answers: Answers::new(policy.cache_max_bytes),
            limiter: Limiter::new(&policy),
            board: Board::of(&policy),
            residents: Residents::default(),
            purse: Mutex::default(),
            policy,
        }
    }

    /// The next one: what did not change in the policy goes on as it is.
    fn followed_by(&self, policy: Arc<Policy>) -> Self {
        let same_size = policy.cache_max_bytes == self.policy.cache_max_bytes;
        Self {
            answers: if same_size { self.answers.clone() } else { Answers::new(policy.cache_max_bytes) },
            limiter: self.limiter.followed_by(&policy),
            board: self.board.followed_by(&policy),
            residents: self.residents.clone(),
            purse: Mutex::new(self.purse().followed_by(&self.policy.budgets, &policy.budgets)),
            policy,
        }
    }

    /// What is known here of the budgets.
    pub fn purse(&self) -> MutexGuard<'_, Purse> {
        self.purse.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on requests go by this policy; those in flight end on the one that they began with.
    pub fn follow(&self, policy: Arc<Policy>) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        self.callers.follow(policy.clone());
        *current = Arc::new(current.followed_by(policy));
    }

    /// The second tries that this process may still make.
    pub fn retries(&self) -> MutexGuard<'_, RetryBudget> {
        self.retries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which request this is, and when it came in, on both clocks.
#[derive(Clone, Copy)]
pub(super) struct Beginning {
    pub id: RequestId,
    pub at: Timestamp,
    pub started: Instant,
}

impl Beginning {
    pub fn now() -> Self {
        Self { id: RequestId(Uuid::now_v7()), at: Timestamp::now(), started: Instant::now() }
    }
}

#[cfg(test)]
#[path = "parts_tests.rs"]
mod tests;
