//! The envelope of one request: one deadline, one number of attempts, one sum of money, whatever happens inside. Pure.

use std::time::Duration;

use tokio::time::Instant;

use crate::chat::NanoUsd;
use crate::policy::{Envelope, Timeouts};

/// What is used up of an envelope.
#[derive(Debug, Clone)]
pub struct Meter {
    envelope: Envelope,
    started: Instant,
    attempts: u32,
    spent: NanoUsd,
}

/// Why no further attempt is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exhausted {
    Time,
    Attempts,
    /// This attempt could cost more than is left; a cheaper one may still be made.
    Money,
}

impl Meter {
    pub fn new(envelope: Envelope, started: Instant) -> Self {
        Self { envelope, started, attempts: 0, spent: NanoUsd::ZERO }
    }

    /// May another attempt be made that costs at most `worst_case`?
    pub fn admits(&self, worst_case: NanoUsd, now: Instant) -> Result<(), Exhausted> {
        if self.left(now).is_zero() {
            return Err(Exhausted::Time);
        }
        if self.attempts >= self.envelope.max_attempts {
            return Err(Exhausted::Attempts);
        }
        if worst_case > NanoUsd::ZERO && self.spent + worst_case > self.envelope.max_cost {
            return Err(Exhausted::Money);
        }
        Ok(())
    }

    pub fn attempted(&mut self) {
        self.attempts += 1;
    }

    pub fn spend(&mut self, cost: NanoUsd) {
        self.spent += cost;
    }

    /// What the next attempt may cost at most.
    pub fn unspent(&self) -> NanoUsd {
        (self.envelope.max_cost - self.spent).max(NanoUsd::ZERO)
    }

    pub fn left(&self, now: Instant) -> Duration {
        self.envelope.deadline.saturating_sub(now.saturating_duration_since(self.started))
    }

    /// The time for one attempt that begins now.
    pub fn attempt_time(&self, now: Instant, another_may_follow: bool) -> Duration {
        self.envelope.attempt_time(self.left(now), another_may_follow)
    }

    /// A model's own timeouts, cut to the time for one attempt.
    pub fn cut(timeouts: Timeouts, time: Duration) -> Timeouts {
        Timeouts {
            connect: timeouts.connect.min(time),
            first_token: timeouts.first_token.min(time),
            idle: timeouts.idle.min(time),
            total: timeouts.total.min(time),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn meter(start: Instant) -> Meter {
        Meter::new(Envelope { deadline: 40 * SECOND, max_attempts: 2, max_cost: NanoUsd(100) }, start)
    }

    #[test]
    fn attempts_money_and_time_each_end_it() {
        let start = Instant::now();
        let mut meter = meter(start);
        assert_eq!(meter.admits(NanoUsd(100), start), Ok(()));
        assert_eq!(meter.admits(NanoUsd(101), start), Err(Exhausted::Money));
        meter.spend(NanoUsd(60));
        assert_eq!(meter.admits(NanoUsd(41), start), Err(Exhausted::Money));
        meter.spend(NanoUsd(60));
        assert_eq!(meter.admits(NanoUsd::ZERO, start), Ok(()), "a free model may go on");
        meter.attempted();
        meter.attempted();
        assert_eq!(meter.admits(NanoUsd::ZERO, start), Err(Exhausted::Attempts));
        assert_eq!(meter.admits(NanoUsd::ZERO, start + 40 * SECOND), Err(Exhausted::Time));
    }

    #[test]
    fn a_call_gives_up_after_thirty_of_forty_seconds_and_leaves_the_rest_to_the_next() {
        let start = Instant::now();
        let meter = meter(start);
        assert_eq!(meter.attempt_time(start, true), 30 * SECOND);
        assert_eq!(meter.attempt_time(start, false), 30 * SECOND);
        assert_eq!(meter.attempt_time(start + 30 * SECOND, false), 10 * SECOND);
        assert_eq!(meter.attempt_time(start + 30 * SECOND, true), 5 * SECOND);
    }

    proptest! {
        #[test]
        fn an_attempt_never_outlives_the_request(passed in 0u64..100_000, more: bool) {
            let start = Instant::now();
            let (meter, now) = (meter(start), start + Duration::from_millis(passed));
            prop_assert!(meter.attempt_time(now, more) <= meter.left(now));
        }
    }
}
