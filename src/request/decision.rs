//! What was decided, and why: enough to explain it from the stored row alone.

use serde::{Deserialize, Serialize};

use crate::names::{ModelName, RouteName, TierName};

/// Which models are tried, in which order, and why. Pure data; `gateway::decide` makes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    pub route: RouteName,
    /// Where the request starts; `none` means that logic alone answers.
    pub tier: TierName,
    pub complexity: Complexity,
    /// Every model of the policy that was considered, in the order of trying, the excluded ones last.
    pub candidates: Vec<Candidate>,
    pub reasons: Vec<Reason>,
}

impl Decision {
    /// The models that may be called, in order.
    pub fn admitted(&self) -> impl Iterator<Item = &Candidate> {
        self.candidates.iter().filter(|candidate| candidate.excluded.is_none())
    }

    /// The models that may not be called at this moment, and otherwise could.
    pub fn left_alone(&self) -> impl Iterator<Item = &Candidate> {
        self.candidates.iter().filter(|candidate| candidate.excluded.is_some_and(Exclusion::passes))
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    pub model: ModelName,
    pub tier: TierName,
    /// `None`: it is in.
    pub excluded: Option<Exclusion>,
}

/// Why a model is out before anything was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exclusion {
    /// Its tier is above the route's `max_tier`.
    AboveMaxTier,
    /// The backend's key is not set.
    NoKey,
    /// It lacks a capability that the request needs.
    MissingCapability,
    /// The prompt does not fit its context, and nobody may shorten it.
    TooLong,
    /// The policy does not go that way: `fallback` and `escalate` are off in that direction.
    NotAllowed,
    /// It failed too often and is left alone for now.
    Unhealthy,
    /// Nobody was there when it was called last, and it is left alone for now.
    Unreachable,
    /// Its backend asked to be left alone for longer than a request can wait.
    Busy,
    /// Its backend did not accept our key, or the account has nothing left, and is left alone for now.
    KeyRefused,
    /// A budget that pays for it is spent; or one that ends the request is, at a model before it.
    BudgetSpent,
    /// What it costs is not known, so the budget that pays for it could not be held.
    Unpriced,
    /// It is not in memory, and the request has no time to wait for it.
    NotLoaded,
}

impl Exclusion {
    /// It says something of this moment, not of the policy or the request.
    pub fn passes(self) -> bool {
        match self {
            Self::Unhealthy
            | Self::Unreachable
            | Self::Busy
            | Self::KeyRefused
            | Self::BudgetSpent
            | Self::NotLoaded => true,
            Self::AboveMaxTier
            | Self::NoKey
            | Self::MissingCapability
            | Self::TooLong
            | Self::NotAllowed
            | Self::Unpriced => false,
        }
    }
}

/// The classifier's score, 0 to 1, and what made it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Complexity {
    pub score: f64,
    pub contributions: Vec<Contribution>,
}

/// One signal's part: `value` as seen, `share` of it on a scale from 0 to 1, times `weight`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Contribution {
    pub signal: String,
    pub value: f64,
    pub share: f64,
    pub weight: f64,
    pub contribution: f64,
}

/// One step of the decision. `code` is one of a small closed set, `text` a sentence with numbers in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    pub code: String,
    pub text: String,
}

impl Reason {
    pub fn new(code: &'static str, text: impl Into<String>) -> Self {
        Self { code: code.to_owned(), text: text.into() }
    }
}
