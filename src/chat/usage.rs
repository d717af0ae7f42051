//! Tokens, and where a count of them comes from.

use std::ops::{Add, AddAssign};

use serde::{Deserialize, Serialize};

/// A number of tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tokens(pub u64);

/// What the chat format adds around one message: role, separators, start of the answer.
const PER_MESSAGE: u64 = 8;

impl Tokens {
    pub const ZERO: Self = Self(0);

    /// A likely count, for fitting and for estimates. English prose runs at about four bytes a token and tables of ids
    /// and dates at about three; the smaller figure is used, so that a fitted prompt fits.
    pub fn estimate(text: &str) -> Self {
        Self::of_bytes(text.len() as u64)
    }

    /// The same, for a text of which only the length is known.
    pub fn of_bytes(bytes: u64) -> Self {
        Self(bytes.div_ceil(3))
    }

    /// No tokenizer over bytes makes more tokens than bytes: the bound that money is reserved by.
    pub fn at_most(text: &str) -> Self {
        Self(text.len() as u64 + PER_MESSAGE)
    }

    pub fn per_message() -> Self {
        Self(PER_MESSAGE)
    }

    pub fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Add for Tokens {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Tokens {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl std::iter::Sum for Tokens {
    fn sum<I: Iterator<Item = Self>>(tokens: I) -> Self {
        tokens.fold(Self::ZERO, Add::add)
    }
}

/// What one call used. `cached_input` is the part of `input` that the upstream had in its prompt cache.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    pub input: Tokens,
    pub cached_input: Tokens,
    pub output: Tokens,
}

impl Add for Usage {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            input: self.input + other.input,
            cached_input: self.cached_input + other.cached_input,
            output: self.output + other.output,
        }
    }
}

/// Who says so. An estimate is never summed into a reported figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsageSource {
    Reported,
    Estimated,
    Unknown,
}

impl UsageSource {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reported => "reported",
            Self::Estimated => "estimated",
            Self::Unknown => "unknown",
        }
    }
}
