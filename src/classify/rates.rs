//! How often a model's answers to a tool's question pass their checks, and whether asking it first still pays. Pure: what
//! was recorded and the time go in.
//!
//! A rate is the mean of a Beta distribution: a prior of `PRIOR_PASSED` to `PRIOR_REJECTED`, and every checked answer on
//! top, which counts half as much after each `HALF_LIFE`. Without news a rate drifts back to the prior and its sample to
//! nothing, so a model that was given up is asked again in time. A call that failed was not checked and says nothing
//! here: that is the breaker's matter.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::chat::{NanoUsd, Price, Tokens, Usage};
use crate::names::ModelName;
use crate::request::{Checked, PassRate};

/// Most answers pass: three of four, believed as firmly as four checks.
const PRIOR_PASSED: f64 = 3.0;
const PRIOR_REJECTED: f64 = 1.0;
const HALF_LIFE: Duration = Duration::from_secs(7 * 86_400);
/// After five half-lives a check counts for a thirtieth: what is older is not read.
pub const LOOK_BACK: Duration = Duration::from_secs(35 * 86_400);
/// The newest ones; enough for a rate of each model and tool, and read within milliseconds when a process starts.
pub const CHECKS_AT_MOST: u32 = 5_000;
/// A rate moves by days; a minute is soon enough to see what other processes found out.
pub const LEARN_EVERY: Duration = Duration::from_secs(60);
/// Checks, by what they still count: with fewer nothing is changed by them.
pub const ENOUGH: f64 = 8.0;
/// What a second of a person's waiting is taken to be worth: a tenth of a cent.
const A_SECOND: NanoUsd = NanoUsd(1_000_000);

/// What is known of every model, by tool and version of the prompt.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PassRates(BTreeMap<(String, String), BTreeMap<ModelName, Track>>);

/// A model's record with one tool's question. Everything is a sum that is weighed by age.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Track {
    passed: f64,
    rejected: f64,
    seconds: f64,
    tokens_in: f64,
    tokens_out: f64,
}

impl PassRates {
    pub fn new(checked: &[Checked], now: Timestamp) -> Self {
        let mut rates = Self::default();
        for some in checked {
            let key = (some.tool.clone(), some.prompt_version.clone());
            rates.0.entry(key).or_default().entry(some.model.clone()).or_default().add(some, now);
        }
        rates
    }

    pub fn of(&self, tool: &str, prompt_version: &str) -> BTreeMap<ModelName, Track> {
        self.0.get(&(tool.to_owned(), prompt_version.to_owned())).cloned().unwrap_or_default()
    }
}

impl Track {
    pub fn add(&mut self, checked: &Checked, now: Timestamp) {
        // Clocks differ between machines that share a file; what is said to come from the future is new.
        let age = Duration::try_from(now.duration_since(checked.at)).unwrap_or_default();
        let fresh = Self::new((checked.passed, checked.rejected), checked.latency, checked.usage);
        *self = self.and(fresh.aged(age));
    }

    /// So many answers that passed and that did not, as they are when they are made. The rest are sums over them.
    pub fn new((passed, rejected): (u32, u32), latency: Duration, usage: Usage) -> Self {
        Self {
            passed: passed.into(),
            rejected: rejected.into(),
            seconds: latency.as_secs_f64(),
            tokens_in: usage.input.0 as f64,
            tokens_out: usage.output.0 as f64,
        }
    }

    /// The same so much later.
    pub fn aged(self, by: Duration) -> Self {
        self.times(0.5_f64.powf(by.as_secs_f64() / HALF_LIFE.as_secs_f64()))
    }

    /// As if every check had been made so many times.
    pub fn times(self, weight: f64) -> Self {
        Self {
            passed: self.passed * weight,
            rejected: self.rejected * weight,
            seconds: self.seconds * weight,
            tokens_in: self.tokens_in * weight,
            tokens_out: self.tokens_out * weight,
        }
    }

    pub fn and(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            rejected: self.rejected + other.rejected,
            seconds: self.seconds + other.seconds,
            tokens_in: self.tokens_in + other.tokens_in,
            tokens_out: self.tokens_out + other.tokens_out,
        }
    }

    /// Without what was added before. What rounding leaves of nothing is nothing.
    pub fn without(self, other: Self) -> Self {
        let Self { passed, rejected, seconds, tokens_in, tokens_out } = self.and(other.times(-1.0));
        Self {
            passed: passed.max(0.0),
            rejected: rejected.max(0.0),
            seconds: seconds.max(0.0),
            tokens_in: tokens_in.max(0.0),
            tokens_out: tokens_out.max(0.0),
        }
    }

    pub fn rate(&self) -> PassRate {
        let prior = PRIOR_PASSED + PRIOR_REJECTED;
        PassRate {
            rate: (PRIOR_PASSED + self.passed) / (prior + self.sample()),
            sample: self.sample(),
            prior: PRIOR_PASSED / prior,
        }
    }

    /// Checks, by what they still count.
    pub fn sample(&self) -> f64 {
        self.passed + self.rejected
    }

    pub fn is_enough(&self) -> bool {
        self.sample() >= ENOUGH
    }

    /// Whether asking this model first, and `next` after a rejection, costs more on average than to begin with `next`.
    ///
    /// A call costs its price and the wait: C = money + seconds × `A_SECOND`. With a pass rate of p, asking first costs
    /// C + (1 − p) × C', beginning with the next C': it is a waste when C > p × C'. Money is for this model's usual
    /// tokens at both prices; a next model that was never timed is taken to be as fast.
    pub fn is_waste(&self, price: Option<Price>, next: Option<&Self>, next_price: Option<Price>) -> bool {
        if !self.is_enough() {
            return false;
        }
        let usage = Usage {
            input: self.mean_tokens(self.tokens_in),
            output: self.mean_tokens(self.tokens_out),
            ..Usage::default()
        };
        let timed = next.filter(|next| next.sample() >= 1.0).unwrap_or(self);
        self.rate().rate * cost(next_price, usage, timed.mean_seconds()) < cost(price, usage, self.mean_seconds())
    }

    fn mean_seconds(&self) -> f64 {
        self.seconds / self.sample()
    }

    fn mean_tokens(&self, sum: f64) -> Tokens {
        Tokens((sum / self.sample()).round() as u64)
    }
}

fn cost(price: Option<Price>, usage: Usage, seconds: f64) -> f64 {
    let money = price.map_or(NanoUsd::ZERO, |price| price.cost(usage));
    money.0 as f64 + seconds * A_SECOND.0 as f64
}

#[cfg(test)]
#[path = "rates_tests.rs"]
mod tests;
