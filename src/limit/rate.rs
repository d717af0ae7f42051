//! Per model: calls at once (a semaphore that is waited for), requests and tokens per minute (governor, refused).

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::chat::Tokens;
use crate::names::ModelName;
use crate::policy::{Limits, Policy};
use crate::request::Limit;

/// The limits of every model of a policy.
pub struct Limiter {
    models: BTreeMap<ModelName, ModelLimits>,
    clock: DefaultClock,
}

struct ModelLimits {
    written: Limits,
    at_once: Option<Arc<Semaphore>>,
    requests: Option<Arc<DefaultDirectRateLimiter>>,
    tokens: Option<TokenLimit>,
}

#[derive(Clone)]
struct TokenLimit {
    per_minute: NonZeroU32,
    limiter: Arc<DefaultDirectRateLimiter>,
}

/// Leave to make one call; it ends when this is dropped.
#[must_use]
pub struct Permit {
    _at_once: Option<OwnedSemaphorePermit>,
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
}

impl Limiter {
    pub fn new(policy: &Policy) -> Self {
        let models = policy.models.iter().map(|(name, model)| (name.clone(), ModelLimits::new(model.limits))).collect();
        Self { models, clock: DefaultClock::default() }
    }

    /// The limiter of the policy that follows. A limit that is still the same goes on counting where it was: calls in
    /// flight keep their places, and what the minute has seen stays seen.
    pub fn followed_by(&self, policy: &Policy) -> Self {
        let limits = |name: &ModelName, written| match self.models.get(name) {
            Some(before) => before.followed_by(written),
            None => ModelLimits::new(written),
        };
        let models = policy.models.iter().map(|(name, model)| (name.clone(), limits(name, model.limits))).collect();
        Self { models, clock: self.clock.clone() }
    }

    /// Waits at most `patience` for a free place, and not at all for a rate: a minute is longer than any request lives.
    /// `tokens` is what the call is expected to take, prompt and answer.
    pub async fn admit(&self, model: &ModelName, tokens: Tokens, patience: Duration) -> Result<Permit, Refusal> {
        let Some(limits) = self.models.get(model) else {
            return Ok(Permit { _at_once: None });
        };
        let at_once = match &limits.at_once {
            None => None,
            Some(places) => match tokio::time::timeout(patience, places.clone().acquire_owned()).await {
                Ok(Ok(place)) => Some(place),
                // The semaphore is never closed, so only the time can have run out.
                Ok(Err(_)) | Err(_) => return Err(Refusal::Concurrency),
            },
        };
        // Tokens first: a refusal there must not use up one of the minute's requests.
        if let Some(limit) = &limits.tokens {
            // A call larger than a whole minute's allowance would never be let through; it takes the minute instead.
            let wanted = NonZeroU32::new(u32::try_from(tokens.0).unwrap_or(u32::MAX)).unwrap_or(NonZeroU32::MIN);
            let wanted = wanted.min(limit.per_minute);
            if let Ok(Err(not_until)) = limit.limiter.check_n(wanted) {
                return Err(Refusal::Tokens { wait: not_until.wait_time_from(self.clock.now()) });
            }
        }
        if let Some(Err(not_until)) = limits.requests.as_ref().map(|limiter| limiter.check()) {
            return Err(Refusal::Requests { wait: not_until.wait_time_from(self.clock.now()) });
        }
        Ok(Permit { _at_once: at_once })
    }
}

impl ModelLimits {
    fn new(limits: Limits) -> Self {
        let per_minute = |limit: Option<u32>| limit.and_then(NonZeroU32::new);
        Self {
            written: limits,
            at_once: limits.concurrency.map(|places| Arc::new(Semaphore::new(places as usize))),
            requests: per_minute(limits.requests_per_minute)
                .map(|limit| Arc::new(RateLimiter::direct(Quota::per_minute(limit)))),
            tokens: per_minute(limits.tokens_per_minute).map(|per_minute| TokenLimit {
                per_minute,
                limiter: Arc::new(RateLimiter::direct(Quota::per_minute(per_minute))),
            }),
        }
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
        Limiter { models, clock: DefaultClock::default() }
    }

    async fn admit(limiter: &Limiter, tokens: u64) -> Result<Permit, Refusal> {
        limiter.admit(&"m".into(), Tokens(tokens), Duration::from_millis(10)).await
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

    #[tokio::test]
    async fn a_model_without_limits_is_always_admitted() {
        let limiter = limiter(Limits::default());
        for _ in 0..100 {
            assert!(admit(&limiter, 1 << 40).await.is_ok());
        }
    }
}
