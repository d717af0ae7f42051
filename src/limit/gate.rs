//! One set of limits: calls at once, requests and tokens per minute. Each is waited for as long as its caller has
//! patience, if the policy says so.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::bucket::Bucket;
use crate::chat::Tokens;
use crate::policy::{Limits, WhenReached};
use crate::request::Limit;

/// Clocks are coarse: a wait that rounds to nothing must not become a busy loop.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

pub struct Gate {
    written: Limits,
    at_once: Option<Arc<Semaphore>>,
    requests: Option<Bucket>,
    tokens: Option<Bucket>,
}

/// How long a call waits to be made.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For others to end.
    pub place: Duration,
    /// For the minute to go on. A longer wait is not begun.
    pub rate: Duration,
}

/// Leave to go on; its place is free again when this is dropped.
#[must_use]
pub struct Permit {
    _at_once: Option<OwnedSemaphorePermit>,
    tokens: Option<(Bucket, u32)>,
    /// A gate that someone is inside of is not forgotten.
    _gate: Option<Arc<Gate>>,
}

impl Permit {
    /// For what has no limits.
    pub(super) fn free() -> Self {
        Self { _at_once: None, tokens: None, _gate: None }
    }

    /// What was taken in the end, in place of what was expected. Nothing, if no call was made.
    pub fn used(&mut self, tokens: Tokens) {
        if let Some((bucket, taken)) = self.tokens.take() {
            bucket.correct(taken, tokens.0);
        }
    }
}

/// Which limit said no, what it is, and when it would say yes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    Concurrency { limit: u32 },
    Requests { limit: u32, wait: Duration },
    Tokens { limit: u32, wait: Duration },
}

impl Refusal {
    /// Of a model.
    pub fn limit(self) -> Limit {
        match self {
            Self::Concurrency { .. } => Limit::Concurrency,
            Self::Requests { .. } => Limit::RequestsPerMinute,
            Self::Tokens { .. } => Limit::TokensPerMinute,
        }
    }

    /// When another try may help. A place was waited for already.
    fn wait(self) -> Duration {
        match self {
            Self::Concurrency { .. } => Duration::ZERO,
            Self::Requests { wait, .. } | Self::Tokens { wait, .. } => wait,
        }
    }
}

impl Gate {
    pub(super) fn new(limits: Limits) -> Self {
        let per_minute = |limit: Option<u32>| limit.and_then(NonZeroU32::new);
        Self {
            written: limits,
            at_once: limits.concurrency.map(|places| Arc::new(Semaphore::new(places as usize))),
            requests: per_minute(limits.requests_per_minute).map(Bucket::new),
            tokens: per_minute(limits.tokens_per_minute).map(Bucket::new),
        }
    }

    /// The gate of the policy that follows. A limit that is still the same goes on counting where it was: who is inside
    /// keeps the place, and what the minute has seen stays seen.
    pub(super) fn followed_by(&self, limits: Limits) -> Self {
        let mut next = Self::new(limits);
        if limits.concurrency == self.written.concurrency {
            next.at_once.clone_from(&self.at_once);
        }
        if limits.requests_per_minute == self.written.requests_per_minute {
            next.requests.clone_from(&self.requests);
        }
        if limits.tokens_per_minute == self.written.tokens_per_minute {
            next.tokens.clone_from(&self.tokens);
        }
        next
    }

    pub(super) fn written(&self) -> Limits {
        self.written
    }

    pub fn counts_tokens(&self) -> bool {
        self.tokens.is_some()
    }

    /// `tokens` is what is expected to be taken, prompts and answers.
    pub async fn admit(self: Arc<Self>, tokens: Tokens, patience: Patience) -> Result<Permit, Refusal> {
        let patience = match self.written.when_reached {
            WhenReached::Wait => patience,
            WhenReached::Refuse => Patience { place: Duration::ZERO, rate: Duration::ZERO },
        };
        let at_once = match &self.at_once {
            None => None,
            Some(places) => match tokio::time::timeout(patience.place, places.clone().acquire_owned()).await {
                Ok(Ok(place)) => Some(place),
                // The semaphore is never closed, so only the time can have run out.
                Ok(Err(_)) | Err(_) => {
                    return Err(Refusal::Concurrency { limit: self.written.concurrency.unwrap_or_default() });
                }
            },
        };
        let until = Instant::now() + patience.rate;
        loop {
            let refusal = match self.take(tokens) {
                Ok(tokens) => return Ok(Permit { _at_once: at_once, tokens, _gate: Some(self) }),
                Err(refusal) => refusal,
            };
            let wait = refusal.wait();
            if Instant::now() + wait > until {
                return Err(refusal);
            }
            // Whoever waits as long may be quicker; then the next wait has to fit into what is left.
            tokio::time::sleep(wait.max(SHORTEST_WAIT)).await;
        }
    }

    /// One request and these tokens of the minute, or neither.
    fn take(&self, tokens: Tokens) -> Result<Option<(Bucket, u32)>, Refusal> {
        let taken = match &self.tokens {
            None => None,
            Some(bucket) => Some((
                bucket.clone(),
                bucket.take(tokens.0).map_err(|wait| Refusal::Tokens { limit: bucket.per_minute(), wait })?,
            )),
        };
        let Some(requests) = &self.requests else { return Ok(taken) };
        match requests.take(1) {
            Ok(_) => Ok(taken),
            Err(wait) => {
                if let Some((bucket, taken)) = &taken {
                    bucket.correct(*taken, 0);
                }
                Err(Refusal::Requests { limit: requests.per_minute(), wait })
            }
        }
    }

    /// It remembers nothing that a new one would not know: no place is taken, and the minute is whole.
    pub(super) fn is_as_new(&self) -> bool {
        let places = self.written.concurrency.unwrap_or_default() as usize;
        let is_empty = self.at_once.as_ref().is_none_or(|free| free.available_permits() == places);
        is_empty && [&self.requests, &self.tokens].into_iter().flatten().all(Bucket::is_full)
    }

    /// How long until the minute's tokens are all there again.
    #[cfg(test)]
    pub(crate) fn tokens_owed_for(&self) -> Duration {
        self.tokens.as_ref().map_or(Duration::ZERO, Bucket::owed_for)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(limits: Limits) -> Arc<Gate> {
        Arc::new(Gate::new(limits))
    }

    async fn admit(gate: &Arc<Gate>, tokens: u64) -> Result<Permit, Refusal> {
        let patience = Patience { place: Duration::from_millis(10), rate: Duration::ZERO };
        gate.clone().admit(Tokens(tokens), patience).await
    }

    #[tokio::test]
    async fn a_place_is_given_back_when_the_permit_is_dropped() {
        let gate = gate(Limits { concurrency: Some(1), ..Limits::default() });
        let held = admit(&gate, 1).await.ok().unwrap();
        assert_eq!(admit(&gate, 1).await.err(), Some(Refusal::Concurrency { limit: 1 }));
        drop(held);
        assert!(admit(&gate, 1).await.is_ok());
    }

    #[tokio::test]
    async fn the_minutes_requests_run_out_and_the_refusal_says_for_how_long() {
        let gate = gate(Limits { requests_per_minute: Some(2), ..Limits::default() });
        assert!(admit(&gate, 1).await.is_ok() && admit(&gate, 1).await.is_ok());
        let Some(Refusal::Requests { limit: 2, wait }) = admit(&gate, 1).await.err() else { panic!("let through") };
        assert!(wait > Duration::from_secs(20) && wait <= Duration::from_secs(30), "{wait:?}");
    }

    #[tokio::test]
    async fn a_call_larger_than_a_minute_takes_the_whole_minute() {
        let gate = gate(Limits { tokens_per_minute: Some(1_000), ..Limits::default() });
        assert!(admit(&gate, 50_000).await.is_ok());
        assert!(matches!(admit(&gate, 500).await.err(), Some(Refusal::Tokens { limit: 1_000, .. })));
    }

    #[tokio::test]
    async fn a_refusal_for_tokens_uses_up_no_request() {
        let gate = gate(Limits { tokens_per_minute: Some(100), requests_per_minute: Some(2), ..Limits::default() });
        assert!(admit(&gate, 90).await.is_ok());
        for _ in 0..5 {
            assert!(matches!(admit(&gate, 90).await.err(), Some(Refusal::Tokens { .. })));
        }
        assert!(admit(&gate, 5).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_for_requests_gives_the_tokens_back() {
        let gate = gate(Limits { tokens_per_minute: Some(100), requests_per_minute: Some(1), ..Limits::default() });
        assert!(admit(&gate, 10).await.is_ok());
        for _ in 0..20 {
            assert!(matches!(admit(&gate, 90).await.err(), Some(Refusal::Requests { .. })));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_call_did_not_take_is_there_for_the_next() {
        let gate = gate(Limits { tokens_per_minute: Some(100), ..Limits::default() });
        let mut permit = admit(&gate, 100).await.ok().unwrap();
        assert!(admit(&gate, 60).await.is_err());
        permit.used(Tokens(40));
        assert!(admit(&gate, 60).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_short_wait_is_waited_and_a_long_one_is_not_begun() {
        // One comes back every ten seconds.
        let gate = gate(Limits { requests_per_minute: Some(6), ..Limits::default() });
        for _ in 0..6 {
            assert!(admit(&gate, 1).await.is_ok());
        }
        let within = async |seconds| {
            let begun = Instant::now();
            let patience = Patience { place: Duration::ZERO, rate: Duration::from_secs(seconds) };
            (gate.clone().admit(Tokens(1), patience).await.is_ok(), begun.elapsed().as_secs())
        };
        assert_eq!(within(9).await, (false, 0));
        assert_eq!(within(10).await, (true, 10));
        // Two wait for what comes back; the patience of the second one ends before its turn.
        let (one, two) = tokio::join!(within(15), within(15));
        let mut ended = [one, two];
        ended.sort_unstable();
        assert_eq!(ended, [(false, 10), (true, 10)]);
    }

    #[tokio::test(start_paused = true)]
    async fn where_the_policy_refuses_nobody_waits_however_patient() {
        let refusing = Limits { when_reached: WhenReached::Refuse, ..Limits::default() };
        let patience = Patience { place: Duration::from_secs(60), rate: Duration::from_secs(60) };
        let begun = Instant::now();
        let places = gate(Limits { concurrency: Some(1), ..refusing });
        let held = places.clone().admit(Tokens(1), patience).await.ok().unwrap();
        assert!(places.clone().admit(Tokens(1), patience).await.is_err());
        drop(held);
        assert!(places.admit(Tokens(1), patience).await.is_ok(), "a free place is no wait");
        let minute = gate(Limits { requests_per_minute: Some(1), ..refusing });
        assert!(minute.clone().admit(Tokens(1), patience).await.is_ok());
        assert!(minute.admit(Tokens(1), patience).await.is_err());
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_gate_is_as_new_when_nobody_is_inside_and_the_minute_is_whole() {
        let limits = Limits { concurrency: Some(2), requests_per_minute: Some(60), ..Limits::default() };
        let gate = gate(limits);
        assert!(gate.is_as_new());
        let held = admit(&gate, 1).await.ok().unwrap();
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(!gate.is_as_new(), "someone is inside");
        drop(held);
        assert!(gate.is_as_new());
        drop(admit(&gate, 1).await.ok().unwrap());
        assert!(!gate.is_as_new(), "one of sixty is gone");
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(gate.is_as_new());
    }
}
