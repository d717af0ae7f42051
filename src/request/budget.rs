//! What a budget counts and how it stands: values that the policy, the ledger and the decision share.

use std::fmt;

use jiff::Timestamp;

use super::Signals;
use crate::chat::NanoUsd;
use crate::names::{BudgetName, ModelName};

/// Whose money a budget is about. Its text is what stands in the policy, and in the ledger's sums.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    All,
    Caller(String),
    Tool(String),
    Model(ModelName),
}

impl Scope {
    /// Whether a call of this model counts, made for a request with these signals.
    pub fn covers(&self, signals: &Signals, model: &ModelName) -> bool {
        match self {
            Self::All => true,
            Self::Caller(name) => signals.caller == *name,
            Self::Tool(name) => signals.target.as_str() == name,
            Self::Model(name) => model == name,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Caller(name) => write!(f, "caller:{name}"),
            Self::Tool(name) => write!(f, "tool:{name}"),
            Self::Model(name) => write!(f, "model:{name}"),
        }
    }
}

/// One budget in one of its periods: what counts, and how much may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowance {
    pub budget: BudgetName,
    pub scope: Scope,
    pub limit: NanoUsd,
    /// The first moment of the period, and the first after it. A call counts where it began.
    pub begins: Timestamp,
    pub ends: Timestamp,
}

/// How much of an allowance is gone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// What the ledger has.
    pub spent: NanoUsd,
    /// What is set aside for calls under way, or spent by ones whose request has not ended.
    pub reserved: NanoUsd,
}

impl Standing {
    /// Whether a call that may cost this much keeps within the limit, whatever becomes of the others under way.
    pub fn admits(&self, worst_case: NanoUsd, limit: NanoUsd) -> bool {
        self.spent + self.reserved + worst_case <= limit
    }
}
