//! What a failed attempt means for the next step. Pure: randomness and the time that is left come in.

use std::time::Duration;

use backoff::{BackoffBuilder, ExponentialBuilder};

use crate::error::{Error, Retry as Where};
use crate::policy::Retry;

/// What to do after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The same model, after this wait.
    Again { wait: Duration },
    /// Another candidate.
    Other,
    /// Nobody.
    Stop,
}

/// `calls` counts the calls of this model within the request, the failed one included. `jitter` is between 0 and 1.
/// `left` is the time that this model may still use: a wait that eats it up is no use.
pub fn after(error: &Error, calls: u32, policy: &Retry, jitter: f64, left: Duration) -> Step {
    match error.kind.retry() {
        Where::Never => return Step::Stop,
        Where::Next => return Step::Other,
        Where::Same if calls >= policy.max_per_model => return Step::Other,
        Where::Same => {}
    }
    let wait = match error.retry_after {
        Some(asked) if asked > policy.max_retry_after => return Step::Other,
        Some(asked) => asked,
        None => full_jitter(policy, calls, jitter),
    };
    if wait < left { Step::Again { wait } } else { Step::Other }
}

/// Anything between nothing and the exponential ceiling, so that callers who failed together do not return together
/// ("full jitter": M. Brooker, Exponential Backoff and Jitter, AWS Architecture Blog, 2015).
fn full_jitter(policy: &Retry, calls: u32, jitter: f64) -> Duration {
    let mut ceilings =
        ExponentialBuilder::new().with_min_delay(policy.initial).with_max_delay(policy.max).without_max_times().build();
    let ceiling = ceilings.nth(calls.saturating_sub(1) as usize).unwrap_or(policy.max).min(policy.max);
    ceiling.mul_f64(jitter.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::Kind;

    const SECOND: Duration = Duration::from_secs(1);

    fn policy() -> Retry {
        Retry {
            max_per_model: 3,
            initial: Duration::from_millis(250),
            max: 8 * SECOND,
            max_retry_after: 15 * SECOND,
            budget: 0.2,
            budget_floor_per_minute: 10,
        }
    }

    fn step(kind: Kind, retry_after: Option<Duration>, calls: u32) -> Step {
        after(&Error::new(kind, "x").retry_after(retry_after), calls, &policy(), 1.0, 30 * SECOND)
    }

    #[test]
    fn what_follows_from_a_failure() {
        let again = |millis| Step::Again { wait: Duration::from_millis(millis) };
        let cases = [
            (Kind::UpstreamUnreachable, None, 1, again(250)),
            (Kind::UpstreamUnreachable, None, 2, again(500)),
            (Kind::UpstreamUnreachable, None, 3, Step::Other),
            (Kind::UpstreamBusy, Some(2 * SECOND), 1, again(2_000)),
            (Kind::UpstreamBusy, Some(16 * SECOND), 1, Step::Other),
            (Kind::UpstreamFailed, None, 1, Step::Other),
            (Kind::UpstreamTimeout, None, 1, Step::Other),
            (Kind::UpstreamAuth, None, 1, Step::Other),
            (Kind::UpstreamCut, None, 1, Step::Other),
            (Kind::Cancelled, None, 1, Step::Stop),
            (Kind::BadRequest, None, 1, Step::Stop),
        ];
        for (kind, retry_after, calls, expected) in cases {
            assert_eq!(step(kind, retry_after, calls), expected, "{kind:?} {retry_after:?} {calls}");
        }
    }

    #[test]
    fn a_wait_that_outlives_the_request_is_not_begun() {
        let busy = Error::new(Kind::UpstreamBusy, "x").retry_after(Some(5 * SECOND));
        assert_eq!(after(&busy, 1, &policy(), 1.0, 5 * SECOND), Step::Other);
    }

    proptest! {
        #[test]
        fn a_wait_stays_below_its_ceiling(calls in 1u32..64, jitter in 0.0f64..=1.0) {
            let policy = Retry { max_per_model: 100, ..policy() };
            let error = Error::new(Kind::UpstreamUnreachable, "x");
            let Step::Again { wait } = after(&error, calls, &policy, jitter, 60 * SECOND) else { panic!("no retry") };
            prop_assert!(wait <= policy.max.mul_f64(jitter) + Duration::from_millis(1));
        }
    }
}
