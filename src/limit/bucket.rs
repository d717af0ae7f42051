//! What a minute allows of something: taken before a call, corrected after it.
//!
//! governor decides whether there is enough; it cannot give back or take more afterward, so its state is kept here.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{NotKeyed, StateStore};
use governor::{Quota, RateLimiter};
use tokio::time::Instant;

/// What is used beyond what was taken is missing for no longer than this: an upstream that reports nonsense must not
/// close a door for good.
const LONGEST_DEBT: Duration = Duration::from_secs(3_600);

/// Clones are the same bucket.
#[derive(Clone)]
pub(super) struct Bucket(Arc<Inner>);

struct Inner {
    per_minute: NonZeroU32,
    limiter: RateLimiter<NotKeyed, Arrival, Runtime, NoOpMiddleware<std::time::Instant>>,
    arrival: Arrival,
    /// From when on `arrival` counts.
    begun: std::time::Instant,
    /// How long one takes to come back.
    each: Duration,
}

impl Bucket {
    pub fn new(per_minute: NonZeroU32) -> Self {
        let (quota, arrival) = (Quota::per_minute(per_minute), Arrival::default());
        let limiter = RateLimiter::new(quota, arrival.clone(), Runtime);
        let begun = Runtime.now();
        Self(Arc::new(Inner { per_minute, limiter, arrival, begun, each: quota.replenish_interval() }))
    }

    pub fn per_minute(&self) -> u32 {
        self.0.per_minute.get()
    }

    /// Nothing is missing that would still have to come back.
    pub fn is_full(&self) -> bool {
        self.owed_for().is_zero()
    }

    /// How long until the whole minute is there again.
    pub fn owed_for(&self) -> Duration {
        let full = Duration::from_nanos(self.0.arrival.0.load(Ordering::Acquire));
        full.saturating_sub(Runtime.now().saturating_duration_since(self.0.begun))
    }

    /// Takes so many, or says in how long there would be enough. More than a whole minute has would never be there: it
    /// takes the minute instead. Gives back how many it took.
    pub fn take(&self, wanted: u64) -> Result<u32, Duration> {
        let wanted = NonZeroU32::new(u32::try_from(wanted).unwrap_or(u32::MAX)).unwrap_or(NonZeroU32::MIN);
        let wanted = wanted.min(self.0.per_minute);
        match self.0.limiter.check_n(wanted) {
            Ok(Err(not_until)) => Err(not_until.wait_time_from(Runtime.now())),
            Ok(Ok(())) | Err(_) => Ok(wanted.get()),
        }
    }

    /// So many were taken, and so many were used: the rest comes back, or what is missing is taken from the minutes to
    /// come.
    pub fn correct(&self, taken: u32, used: u64) {
        let nanos = |number: u64| number.saturating_mul(self.0.each.as_nanos() as u64);
        let (taken, used) = (nanos(taken.into()), nanos(used));
        let now = Runtime.now().saturating_duration_since(self.0.begun);
        let latest = (now + LONGEST_DEBT).as_nanos() as u64;
        self.0.arrival.change(|at| at.saturating_sub(taken).saturating_add(used).min(latest.max(at)));
    }
}

/// When the bucket is full again, in nanoseconds since the limiter was made: all that governor keeps of the past. Zero:
/// nothing was taken yet.
#[derive(Clone, Default)]
struct Arrival(Arc<AtomicU64>);

impl Arrival {
    fn change(&self, change: impl Fn(u64) -> u64) {
        // It always has a next value, so this cannot fail.
        let _ = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, |at| Some(change(at)));
    }
}

impl StateStore for Arrival {
    type Key = NotKeyed;

    fn measure_and_replace<T, F, E>(&self, _: &NotKeyed, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut before = self.0.load(Ordering::Acquire);
        loop {
            let (outcome, after) = measure((before != 0).then(|| Nanos::from(before)))?;
            match self.0.compare_exchange_weak(before, after.as_u64(), Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Ok(outcome),
                Err(other) => before = other,
            }
        }
    }
}

/// The runtime's clock, which tests can stop.
#[derive(Clone)]
struct Runtime;

impl Clock for Runtime {
    type Instant = std::time::Instant;

    fn now(&self) -> Self::Instant {
        Instant::now().into_std()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bucket(per_minute: u32) -> Bucket {
        Bucket::new(NonZeroU32::new(per_minute).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_not_used_comes_back_and_what_was_used_beyond_is_waited_for() {
        let bucket = bucket(6_000);
        assert_eq!(bucket.take(4_000), Ok(4_000));
        bucket.correct(4_000, 1_000);
        assert_eq!(bucket.take(5_000), Ok(5_000));
        assert_eq!(bucket.take(100), Err(Duration::from_secs(1)));
        bucket.correct(5_000, 5_900);
        assert_eq!(bucket.take(100), Err(Duration::from_secs(10)), "a hundred a second come back");
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(bucket.take(100), Ok(100));
    }

    #[tokio::test(start_paused = true)]
    async fn more_than_a_minute_has_takes_the_minute() {
        let bucket = bucket(1_000);
        assert_eq!(bucket.take(u64::MAX), Ok(1_000));
        assert!(bucket.take(1).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn nonsense_closes_it_for_an_hour_and_no_longer() {
        let bucket = bucket(600);
        for used in [u64::MAX, 10_000_000_000_000] {
            assert_eq!(bucket.take(100), Ok(100));
            bucket.correct(100, used);
            assert_eq!(bucket.owed_for(), LONGEST_DEBT);
            assert!(bucket.take(1).is_err());
            tokio::time::sleep(LONGEST_DEBT).await;
            assert!(bucket.is_full());
        }
    }

    proptest! {
        /// Whatever was expected, no stretch of time sees more used than the minute at its start and what came back.
        #[test]
        fn what_is_used_keeps_to_the_rate(calls in prop::collection::vec((1u32..2_000, 0u64..2_000, 0u64..5_000), 1..60)) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
            runtime.block_on(async {
                let (bucket, begun) = (bucket(6_000), Instant::now());
                let mut used_up = 0;
                for (expected, used, pause) in calls {
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                    let Ok(taken) = bucket.take(expected.into()) else { continue };
                    // A call that used more than was expected may pass the rate, by no more than that.
                    let allowed = 6_000 + begun.elapsed().as_millis() as u64 / 10;
                    prop_assert!(used_up + u64::from(taken) <= allowed, "{used_up} + {taken} > {allowed}");
                    bucket.correct(taken, used);
                    used_up += used;
                }
                Ok(())
            })?;
        }
    }
}
