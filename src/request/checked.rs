//! What checks said of answers, and the rate that is made of it. Plain values; `classify::PassRates` does the sums.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use crate::chat::Usage;
use crate::names::ModelName;

/// Some answers of one model to one wording of one tool's question, made at about the same time, that were checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    pub model: ModelName,
    pub tool: String,
    pub prompt_version: String,
    /// When the last of them began.
    pub at: Timestamp,
    pub passed: u32,
    pub rejected: u32,
    /// Sums over them.
    pub latency: Duration,
    pub usage: Usage,
}

/// How often a model's answers pass.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PassRate {
    /// 0 to 1.
    pub rate: f64,
    /// How many checks it rests on, each by what it still counts.
    pub sample: f64,
    /// The rate when nothing is known.
    pub prior: f64,
}
