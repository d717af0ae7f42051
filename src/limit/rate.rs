//! Per model: calls at once, requests and tokens per minute. Each is waited for as long as its caller has patience.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::bucket::Bucket;
use crate::chat::Tokens;
use crate::names::ModelName;
use crate::policy::{Limits, Policy};
use crate::request::Limit;

/// Clocks are coarse: a wait that rounds to nothing must not become a busy loop.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// The limits of every model of a policy.
pub struct Limiter {
    models: BTreeMap<ModelName, ModelLimits>,
}

struct ModelLimits {
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

/// Leave to make one call; its place is free again when this is dropped.
#[must_use]
pub struct Permit {
    _at_once: Option<OwnedSemaphorePermit>,
    tokens: Option<(Bucket, u32)>,
}

impl Permit {
    /// What the call took in the end, in place of what was expected. Nothing, if it was not made.
    pub fn used(&mut self, tokens: Tokens) {
        if let Some((bucket, taken)) = self.tokens.take() {
            bucket.correct(taken, tokens.0);
        }
    }
}

/// Which limit said no, and when it would say yes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    Concurrency,
    Requests { wait: Duration },
    Tokens { wait: Duration },
}

impl Refusal {
    pub fn limit(self) -> Limit {
        match self {
            Self::Concurrency => Limit::Concurrency,
            Self::Requests { .. } => Limit::RequestsPerMinute,
            Self::Tokens { .. } => Limit::TokensPerMinute,
        }
    }

    /// When another try may help. A place was waited for already.
    fn wait(self) -> Duration {
        match self {
            Self::Concurrency => Duration::ZERO,
            Self::Requests { wait } | Self::Tokens { wait } => wait,
        }
    }
}

impl Limiter {
    pub fn new(policy: &Policy) -> Self {
        let models = policy.models.iter().map(|(name, model)| (name.clone(), ModelLimits::new(model.limits))).collect();
        Self { models }
    }

    /// The limiter of the policy that follows. A limit that is still the same goes on counting where it was: calls in
    /// flight keep their places, and what the minute has seen stays seen.
    pub fn followed_by(&self, policy: &Policy) -> Self {
        let limits = |name: &ModelName, written| match self.models.get(name) {
            Some(before) => before.followed_by(written),
            None => ModelLimits::new(written),
        };
        let models = policy.models.iter().map(|(name, model)| (name.clone(), limits(name, model.limits))).collect();
        Self { models }
    }

    /// `tokens` is what the call is expected to take, prompt and answer.
    pub async fn admit(&self, model: &ModelName, tokens: Tokens, patience: Patience) -> Result<Permit, Refusal> {
        let Some(limits) = self.models.get(model) else {
            return Ok(Permit { _at_once: None, tokens: None });
        };
        let at_once = match &limits.at_once {
            None => None,
            Some(places) => match tokio::time::timeout(patience.place, places.clone().acquire_owned()).await {
                Ok(Ok(place)) => Some(place),
                // The semaphore is never closed, so only the time can have run out.
                Ok(Err(_)) | Err(_) => return Err(Refusal::Concurrency),
            },
        };
        let until = Instant::now() + patience.rate;
        loop {
            let refusal = match limits.take(tokens) {
                Ok(tokens) => return Ok(Permit { _at_once: at_once, tokens }),
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
}

impl ModelLimits {
    fn new(limits: Limits) -> Self {
        let per_minute = |limit: Option<u32>| limit.and_then(NonZeroU32::new);
        Self {
            written: limits,
            at_once: limits.concurrency.map(|places| Arc::new(Semaphore::new(places as usize))),
            requests: per_minute(limits.requests_per_minute).map(Bucket::new),
            tokens: per_minute(limits.tokens_per_minute).map(Bucket::new),
        }
    }

    /// One request and these tokens of the minute, or neither.
    fn take(&self, tokens: Tokens) -> Result<Option<(Bucket, u32)>, Refusal> {
        let taken = match &self.tokens {
            None => None,
            Some(bucket) => Some((bucket.clone(), bucket.take(tokens.0).map_err(|wait| Refusal::Tokens { wait })?)),
        };
        let request = self.requests.as_ref().map_or(Ok(1), |bucket| bucket.take(1));
        if let (Err(_), Some((bucket, taken))) = (&request, &taken) {
            bucket.correct(*taken, 0);
        }
        request.map_err(|wait| Refusal::Requests { wait })?;
        Ok(taken)
    }

    fn followed_by(&self, limits: Limits) -> Self {
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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(limits: Limits) -> Limiter {
        let models = BTreeMap::from([(ModelName::from("m"), ModelLimits::new(limits))]);
        Limiter { models }
    }

    async fn admit(limiter: &Limiter, tokens: u64) -> Result<Permit, Refusal> {
        let patience = Patience { place: Duration::from_millis(10), rate: Duration::ZERO };
        limiter.admit(&"m".into(), Tokens(tokens), patience).await
    }

    #[tokio::test]
    async fn a_place_is_given_back_when_the_permit_is_dropped() {
        let limiter = limiter(Limits { concurrency: Some(1), ..Limits::default() });
        let held = admit(&limiter, 1).await.ok().unwrap();
        assert_eq!(admit(&limiter, 1).await.err(), Some(Refusal::Concurrency));
        drop(held);
        assert!(admit(&limiter, 1).await.is_ok());
    }

    #[tokio::test]
    async fn the_minutes_requests_run_out_and_the_refusal_says_for_how_long() {
        let limiter = limiter(Limits { requests_per_minute: Some(2), ..Limits::default() });
        assert!(admit(&limiter, 1).await.is_ok() && admit(&limiter, 1).await.is_ok());
        let Some(Refusal::Requests { wait }) = admit(&limiter, 1).await.err() else { panic!("let through") };
        assert!(wait > Duration::from_secs(20) && wait <= Duration::from_secs(30), "{wait:?}");
    }

    #[tokio::test]
    async fn a_call_larger_than_a_minute_takes_the_whole_minute() {
        let limiter = limiter(Limits { tokens_per_minute: Some(1_000), ..Limits::default() });
        assert!(admit(&limiter, 50_000).await.is_ok());
        assert!(matches!(admit(&limiter, 500).await.err(), Some(Refusal::Tokens { .. })));
    }

    #[tokio::test]
    async fn a_refusal_for_tokens_uses_up_no_request() {
        let limits = Limits { tokens_per_minute: Some(100), requests_per_minute: Some(2), ..Limits::default() };
        let limiter = limiter(limits);
        assert!(admit(&limiter, 90).await.is_ok());
        for _ in 0..5 {
            assert!(matches!(admit(&limiter, 90).await.err(), Some(Refusal::Tokens { .. })));
        }
        assert!(admit(&limiter, 5).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_for_requests_gives_the_tokens_back() {
        let limits = Limits { tokens_per_minute: Some(100), requests_per_minute: Some(1), ..Limits::default() };
        let limiter = limiter(limits);
        assert!(admit(&limiter, 10).await.is_ok());
        for _ in 0..20 {
            assert!(matches!(admit(&limiter, 90).await.err(), Some(Refusal::Requests { .. })));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_call_did_not_take_is_there_for_the_next() {
        let limiter = limiter(Limits { tokens_per_minute: Some(100), ..Limits::default() });
        let mut permit = admit(&limiter, 100).await.ok().unwrap();
        assert!(admit(&limiter, 60).await.is_err());
        permit.used(Tokens(40));
        assert!(admit(&limiter, 60).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_short_wait_is_waited_and_a_long_one_is_not_begun() {
        // One comes back every ten seconds.
        let limiter = limiter(Limits { requests_per_minute: Some(6), ..Limits::default() });
        for _ in 0..6 {
            assert!(admit(&limiter, 1).await.is_ok());
        }
        let within = async |seconds| {
            let begun = Instant::now();
            let patience = Patience { place: Duration::ZERO, rate: Duration::from_secs(seconds) };
            (limiter.admit(&"m".into(), Tokens(1), patience).await.is_ok(), begun.elapsed().as_secs())
        };
        assert_eq!(within(9).await, (false, 0));
        assert_eq!(within(10).await, (true, 10));
        // Two wait for what comes back; the patience of the second one ends before its turn.
        let (one, two) = tokio::join!(within(15), within(15));
        let mut ended = [one, two];
        ended.sort_unstable();
        assert_eq!(ended, [(false, 10), (true, 10)]);
    }

    #[tokio::test]
    async fn a_model_without_limits_is_always_admitted() {
        let limiter = limiter(Limits::default());
        for _ in 0..100 {
            assert!(admit(&limiter, 1 << 40).await.is_ok());
        }
    }
}
