//! How many second tries a process makes: a share of its requests, so that an outage is not amplified, and never fewer
//! than a floor, so that one lonely request still gets its retry. Pure: the time comes in.
//!
//! The shape is that of tower's retry budget (deposits by requests, withdrawals by retries, a reserve), over a sliding
//! minute.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::policy::Retry;

/// What is looked back on.
const WINDOW: Duration = Duration::from_secs(60);

/// The window moves in steps of this length, so that its memory does not grow with the traffic.
const STEP: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub struct RetryBudget {
    /// Oldest first; at most as many as fit into the window.
    slices: VecDeque<Slice>,
}

#[derive(Debug)]
struct Slice {
    begun: Instant,
    requests: u64,
    retries: u64,
}

impl RetryBudget {
    /// A request that may call models came in.
    pub fn request(&mut self, now: Instant) {
        self.slice(now).requests += 1;
    }

    /// Takes one retry, if one is left.
    pub fn take(&mut self, rules: &Retry, now: Instant) -> bool {
        self.slice(now);
        let (requests, retries) =
            self.slices.iter().fold((0, 0), |sum, slice| (sum.0 + slice.requests, sum.1 + slice.retries));
        let share = (requests as f64 * rules.budget).floor() as u64;
        let left = retries < share.max(rules.budget_floor_per_minute.into());
        if left {
            self.slice(now).retries += 1;
        }
        left
    }

    fn slice(&mut self, now: Instant) -> &mut Slice {
        while self.slices.front().is_some_and(|slice| now.saturating_duration_since(slice.begun) >= WINDOW) {
            self.slices.pop_front();
        }
        let is_current = |slice: &Slice| now.saturating_duration_since(slice.begun) < STEP;
        let current = match self.slices.back() {
            Some(last) if is_current(last) => self.slices.pop_back(),
            _ => None,
        };
        self.slices.push_back(current.unwrap_or(Slice { begun: now, requests: 0, retries: 0 }));
        let last = self.slices.len() - 1;
        &mut self.slices[last]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rules(budget: f64, floor: u32) -> Retry {
        Retry {
            max_per_model: 2,
            initial: STEP,
            max: STEP,
            max_retry_after: STEP,
            budget,
            budget_floor_per_minute: floor,
        }
    }

    #[test]
    fn a_lonely_request_gets_its_retry_from_the_floor() {
        let (mut budget, now) = (RetryBudget::default(), Instant::now());
        budget.request(now);
        assert!(budget.take(&rules(0.2, 1), now));
        assert!(!budget.take(&rules(0.2, 1), now));
        assert!(budget.take(&rules(0.2, 1), now + WINDOW), "a minute later there is one again");
    }

    #[test]
    fn an_outage_is_amplified_by_no_more_than_the_share() {
        let (mut budget, now) = (RetryBudget::default(), Instant::now());
        let granted = (0..1_000).filter(|_| {
            budget.request(now);
            budget.take(&rules(0.2, 10), now)
        });
        assert_eq!(granted.count(), 200);
    }

    #[test]
    fn nothing_is_granted_where_nothing_may_be() {
        let (mut budget, now) = (RetryBudget::default(), Instant::now());
        budget.request(now);
        assert!(!budget.take(&rules(0.0, 0), now));
    }

    proptest! {
        #[test]
        fn no_retry_is_granted_beyond_the_share_of_the_minutes_requests_or_the_floor(
            steps in prop::collection::vec((0u64..9_000, any::<bool>()), 1..300),
            floor in 0u32..5,
        ) {
            let (mut budget, mut now) = (RetryBudget::default(), Instant::now());
            let (mut requests, mut retries) = (Vec::new(), Vec::new());
            for (wait, retry) in steps {
                now += Duration::from_millis(wait);
                if !retry {
                    budget.request(now);
                    requests.push(now);
                } else if budget.take(&rules(0.5, floor), now) {
                    retries.push(now);
                    // The window moves in steps: it remembers between the last 55 and the last 60 seconds.
                    let within = |times: &[Instant], window| times.iter().filter(|at| now - **at < window).count();
                    let most = (within(&requests, WINDOW) as f64 * 0.5).floor().max(f64::from(floor));
                    let granted = within(&retries, WINDOW - STEP);
                    prop_assert!(granted as f64 <= most, "{granted} > {most}");
                }
            }
            prop_assert!(budget.slices.len() <= 13);
        }
    }
}
