//! The breaker of one model. Pure: how a call ended and the time go in; what it does next follows from these alone.
//!
//! Closed: calls go through. Open: none does, for a while. Half-open: a few probes at a time find out. A probe that is
//! answered closes it, one that fails opens it again; one that timed out for longer, since somebody waited for it.

use std::time::{Duration, Instant};

use super::Evidence;
use crate::names::words;
use crate::policy::Breaker as Rules;

words!(
    /// In the words of operators, and in the order of the gauge: 0, 1, 2.
    State {
        Closed => "closed",
        HalfOpen => "half_open",
        Open => "open",
    }
);

/// One breaker. Two of them with the same history are equal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Breaker {
    phase: Phase,
    /// Probes in flight. A slow one can outlive the phase that it was let in by, and still counts.
    probing: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    Closed {
        /// When the failures of the last window were; fewer than would open it.
        failures: Vec<Instant>,
        /// Timeouts and refused connections since anything else was heard.
        silent: u32,
    },
    HalfOpen {
        slow: u32,
    },
    /// `slow`: so many probes in a row have timed out.
    Open {
        until: Instant,
        slow: u32,
    },
}

/// However many probes time out, the next is made after this time, or the policy's if that is longer.
const LONGEST: Duration = Duration::from_secs(300);

/// After each probe that timed out, the time until the next is so many times as long: with a call a minute, the third of
/// them is the last for some while.
const FACTOR: u32 = 4;

/// May a call be made?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    Free,
    /// Yes, as a probe: it has to be given back with `release`.
    Probe,
    /// Not before that moment; `None`: not before a probe that is under way has ended.
    Refused {
        until: Option<Instant>,
    },
}

impl Breaker {
    /// One that is open from the start.
    pub fn opened(until: Instant) -> Self {
        Self { phase: Phase::Open { until, slow: 0 }, probing: 0 }
    }

    pub fn state(&self, now: Instant) -> State {
        match self.phase {
            Phase::Closed { .. } => State::Closed,
            Phase::Open { until, .. } if now < until => State::Open,
            Phase::HalfOpen { .. } | Phase::Open { .. } => State::HalfOpen,
        }
    }

    /// Until when it is open, if it is.
    pub fn open_until(&self) -> Option<Instant> {
        match self.phase {
            Phase::Open { until, .. } => Some(until),
            Phase::Closed { .. } | Phase::HalfOpen { .. } => None,
        }
    }

    /// What `admit` would say; changes nothing.
    pub fn look(&self, now: Instant, rules: &Rules) -> Entry {
        match self.phase {
            Phase::Closed { .. } => Entry::Free,
            Phase::Open { until, .. } if now < until => Entry::Refused { until: Some(until) },
            Phase::HalfOpen { .. } | Phase::Open { .. } if self.probing < rules.probes => Entry::Probe,
            Phase::HalfOpen { .. } | Phase::Open { .. } => Entry::Refused { until: None },
        }
    }

    /// Asks to make a call now.
    pub fn admit(&mut self, now: Instant, rules: &Rules) -> Entry {
        let entry = self.look(now, rules);
        if entry == Entry::Probe {
            if let Phase::Open { slow, .. } = self.phase {
                self.phase = Phase::HalfOpen { slow };
            }
            self.probing += 1;
        }
        entry
    }

    /// A probe is over, however it ended.
    pub fn release(&mut self) {
        self.probing = self.probing.saturating_sub(1);
    }

    /// A call ended. While the breaker is half-open only probes count: calls from before say nothing about now. While
    /// it is open nothing counts, so that it stays open for its whole time.
    pub fn heard(&mut self, evidence: Evidence, is_probe: bool, now: Instant, rules: &Rules) {
        let (failed, nothing_came) = match evidence {
            Evidence::None | Evidence::KeyRefused | Evidence::Busy(_) => return,
            Evidence::Answered => (false, false),
            Evidence::Failed | Evidence::Forbidden => (true, false),
            Evidence::TimedOut | Evidence::Unreachable => (true, true),
        };
        match &mut self.phase {
            Phase::Closed { failures, silent } => {
                *silent = if nothing_came { silent.saturating_add(1) } else { 0 };
                if !failed {
                    return;
                }
                failures.retain(|at| now.saturating_duration_since(*at) < rules.window);
                failures.push(now);
                let many = failures.len() >= rules.failures as usize;
                if many || *silent >= rules.consecutive_timeouts || evidence == Evidence::Forbidden {
                    self.phase = Phase::open(now, rules, 0);
                }
            }
            Phase::HalfOpen { slow } if is_probe && failed => {
                let slow = if evidence == Evidence::TimedOut { slow.saturating_add(1) } else { 0 };
                self.phase = Phase::open(now, rules, slow);
            }
            Phase::HalfOpen { .. } if is_probe => self.phase = Phase::default(),
            Phase::HalfOpen { .. } | Phase::Open { .. } => {}
        }
    }
}

/// No breaker is open for longer at a time.
pub(super) fn longest(rules: &Rules) -> Duration {
    rules.open.max(LONGEST)
}

impl Default for Phase {
    fn default() -> Self {
        Self::Closed { failures: Vec::new(), silent: 0 }
    }
}

impl Phase {
    fn open(now: Instant, rules: &Rules, slow: u32) -> Self {
        let time = rules.open.saturating_mul(FACTOR.saturating_pow(slow)).min(longest(rules));
        // The policy allows no time that a clock could not hold.
        Self::Open { until: now.checked_add(time).unwrap_or(now), slow }
    }
}

#[cfg(test)]
#[path = "breaker_tests.rs"]
mod tests;
