//! What bounds a request: retries, the envelope, caching, and the defaults that routes start from.

use std::time::Duration;

use super::Meaning;
use crate::chat::NanoUsd;
use crate::policy::raw::{RawEnvelope, RawEscalate, RawFallback};
use crate::policy::types::{Breaker, Envelope, Escalate, Fallback, Retry};
use crate::policy::values::Lapse;

pub(super) const CACHE_MAX_BYTES: u64 = 64 << 20;
const CACHE_TTL: Duration = Duration::from_secs(600);
const RETRY: Retry = Retry {
    max_per_model: 2,
    initial: Duration::from_millis(250),
    max: Duration::from_secs(8),
    max_retry_after: Duration::from_secs(15),
    budget: 0.2,
    budget_floor_per_minute: 10,
};
const BREAKER: Breaker = Breaker {
    failures: 5,
    window: Duration::from_secs(30),
    consecutive_timeouts: 2,
    open: Duration::from_secs(15),
    probes: 1,
};
/// Each failure of the window is remembered.
const MOST_FAILURES: u32 = 1_000;
/// A model that is left alone for longer is better taken out of its tier.
const LONGEST_OPEN: Duration = Duration::from_secs(86_400);
const ENVELOPE: Envelope =
    Envelope { deadline: Duration::from_secs(40), max_attempts: 5, max_cost: NanoUsd(250_000_000) };

/// As long as the pass rates of models, `simulate` and a look back want it.
const RETAIN: Duration = Duration::from_secs(90 * 86_400);
/// Whoever tails the ledger may be away for a night.
const SHORTEST_RETAIN: Duration = Duration::from_secs(86_400);

/// What a route has unless it says otherwise.
pub(super) struct Defaults {
    pub escalate: Escalate,
    pub fallback: Fallback,
    pub envelope: Envelope,
    pub cache_ttl: Duration,
}

impl Meaning<'_> {
    pub(super) fn defaults(&mut self) -> Defaults {
        let raw = self.raw;
        Defaults {
            escalate: escalate(raw.escalate.as_ref(), Escalate { on_rejected: true }),
            fallback: fallback(raw.fallback.as_ref(), Fallback { upward: true, downward: true }),
            envelope: self.envelope(raw.envelope.as_ref(), ENVELOPE, &["envelope"]),
            cache_ttl: raw.cache.as_ref().and_then(|cache| cache.ttl).map_or(CACHE_TTL, |ttl| ttl.0),
        }
    }

    /// What is left out comes from `under`.
    pub(super) fn envelope(&mut self, raw: Option<&RawEnvelope>, under: Envelope, path: &[&str]) -> Envelope {
        let Some(raw) = raw else { return under };
        let deadline = raw.deadline.map_or(under.deadline, |deadline| deadline.0);
        if deadline.is_zero() {
            let path = [path, &["deadline"]].concat();
            self.error(&path, "a deadline of zero leaves no time for any answer").help("the default is 40s");
        }
        let max_attempts = raw.max_attempts.unwrap_or(under.max_attempts);
        if max_attempts == 0 {
            let path = [path, &["max_attempts"]].concat();
            let problem = self.error(&path, "with 0 attempts no model is ever asked");
            problem.help("write 1 or more; for logic only, use a route with `tier: none`");
        }
        let max_cost = raw.max_cost_usd.map_or(under.max_cost, |usd| usd.0);
        Envelope { deadline, max_attempts, max_cost }
    }

    pub(super) fn retain(&mut self) -> Duration {
        let retain = self.raw.ledger.as_ref().and_then(|ledger| ledger.retain).map_or(RETAIN, |lapse| lapse.0);
        if retain < SHORTEST_RETAIN {
            let message = format!("{retain:?} is too short: what reads the ledger may be a day behind");
            self.error(&["ledger", "retain"], message).help("write 1d or more; the default is 90d");
        }
        retain
    }

    pub(super) fn retry(&mut self) -> Retry {
        let Some(raw) = &self.raw.retry else { return RETRY };
        let or = |given: Option<Lapse>, default: Duration| given.map_or(default, |lapse| lapse.0);
        let retry = Retry {
            max_per_model: raw.max_per_model.unwrap_or(RETRY.max_per_model),
            initial: or(raw.initial, RETRY.initial),
            max: or(raw.max, RETRY.max),
            max_retry_after: or(raw.max_retry_after, RETRY.max_retry_after),
            budget: raw.budget.map_or(RETRY.budget, |share| share.0),
            budget_floor_per_minute: raw.budget_floor_per_minute.unwrap_or(RETRY.budget_floor_per_minute),
        };
        if retry.max_per_model == 0 {
            let problem = self.error(&["retry", "max_per_model"], "with 0 calls no model is ever asked");
            problem.help("write 1 for no second try");
        }
        if retry.initial.is_zero() {
            let problem = self.error(&["retry", "initial"], "a first wait of zero hammers a backend that is busy");
            problem.help("the default is 250ms");
        }
        if retry.max < retry.initial {
            let at = if raw.max.is_some() { "max" } else { "initial" };
            let message = format!("`max` ({:?}) is shorter than `initial` ({:?})", retry.max, retry.initial);
            self.error(&["retry", at], message);
        }
        retry
    }

    /// What is left out has its default: no policy is without a breaker.
    pub(super) fn breaker(&mut self) -> Breaker {
        let Some(raw) = &self.raw.breaker else { return BREAKER };
        let or = |given: Option<Lapse>, default: Duration| given.map_or(default, |lapse| lapse.0);
        let breaker = Breaker {
            failures: raw.failures.unwrap_or(BREAKER.failures),
            window: or(raw.window, BREAKER.window),
            consecutive_timeouts: raw.consecutive_timeouts.unwrap_or(BREAKER.consecutive_timeouts),
            open: or(raw.open, BREAKER.open),
            probes: raw.probes.unwrap_or(BREAKER.probes),
        };
        if !(1..=MOST_FAILURES).contains(&breaker.failures) {
            let message = format!("`failures: {}` is out of range", breaker.failures);
            let help = format!("write 1 to {MOST_FAILURES}; the default is 5");
            self.error(&["breaker", "failures"], message).help(help);
        }
        if breaker.window.is_zero() {
            self.error(&["breaker", "window"], "a window of zero holds no failure").help("the default is 30s");
        }
        if breaker.consecutive_timeouts == 0 {
            let problem = self.error(&["breaker", "consecutive_timeouts"], "with 0 no model would ever be asked");
            problem.help("write 1 or more; the default is 2");
        }
        if breaker.open.is_zero() || breaker.open > LONGEST_OPEN {
            let message = format!("a model can't be left alone for {:?}", breaker.open);
            self.error(&["breaker", "open"], message).help("write 1ms to 1d; the default is 15s");
        }
        if breaker.probes == 0 {
            let problem = self.error(&["breaker", "probes"], "with 0 probes a model that failed never comes back");
            problem.help("the default is 1");
        }
        breaker
    }
}

pub(super) fn escalate(raw: Option<&RawEscalate>, under: Escalate) -> Escalate {
    Escalate { on_rejected: raw.and_then(|raw| raw.on_rejected).unwrap_or(under.on_rejected) }
}

pub(super) fn fallback(raw: Option<&RawFallback>, under: Fallback) -> Fallback {
    Fallback {
        upward: raw.and_then(|raw| raw.upward).unwrap_or(under.upward),
        downward: raw.and_then(|raw| raw.downward).unwrap_or(under.downward),
    }
}
