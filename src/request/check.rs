//! The verdict on an answer: accepted, or rejected with a reason that the next model is told.

use serde::{Deserialize, Serialize};

use crate::names::words;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Accepted,
    Rejected(Rejection),
}

/// Why an answer was not good enough. `code` is one of a small closed set (metrics, ledger); `why` is a sentence for
/// the next model and the reader of the result. Neither goes into a log or a metric with task text in it: `why` may
/// name ids and numbers, never titles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    pub code: RejectionCode,
    pub why: String,
}

words!(
    /// What kind of fault was found.
    RejectionCode {
        Empty => "empty",
        CutOff => "cut_off",
        NotJson => "not_json",
        WrongShape => "wrong_shape",
        UnknownTask => "unknown_task",
        ClosedTask => "closed_task",
        BlockedTask => "blocked_task",
        OutOfRange => "out_of_range",
        Contradiction => "contradiction",
        Repetition => "repetition",
    }
);

impl Rejection {
    pub fn new(code: RejectionCode, why: impl Into<String>) -> Self {
        Self { code, why: why.into() }
    }
}
