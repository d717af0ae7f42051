//! How an answer came about, for the reader of a result: who gave it, after what, for how much.

use rust_decimal::prelude::ToPrimitive;
use schemars::JsonSchema;
use serde::Serialize;

use super::record::rounded;
use crate::request::{AttemptResult, CacheUse, Outcome};

/// Where an answer comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    Ok,
    Degraded,
    Partial,
    Empty,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(super) struct Routing {
    /// The model whose answer was used; null when logic answered.
    model: Option<String>,
    /// Its tier; none is logic alone.
    tier: String,
    /// How hard the question was judged, 0 to 1.
    complexity: f64,
    /// Why it went there.
    reason: String,
    /// Calls that were sent to models.
    attempts: u32,
    /// An answer was rejected and a higher tier asked.
    escalated: bool,
    cached: bool,
    tokens: TokensUsed,
    cost_usd: f64,
    latency_ms: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
struct TokensUsed {
    input: u64,
    cached_input: u64,
    output: u64,
}

impl Routing {
    pub fn of(outcome: &Outcome) -> Self {
        let answered = outcome.model.as_ref();
        let candidates = &outcome.decision.candidates;
        let tier = answered.and_then(|model| candidates.iter().find(|candidate| candidate.model == *model));
        let reasons: Vec<&str> = outcome.decision.reasons.iter().map(|reason| reason.text.as_str()).collect();
        let sent = outcome.attempts.iter().filter(|attempt| attempt.result != AttemptResult::Skipped).count();
        Self {
            model: answered.map(ToString::to_string),
            tier: tier.map_or_else(|| crate::names::TierName::NONE.to_owned(), |candidate| candidate.tier.to_string()),
            complexity: rounded(outcome.decision.complexity.score),
            reason: reasons.join(" "),
            attempts: u32::try_from(sent).unwrap_or(u32::MAX),
            escalated: outcome.escalations() > 0,
            cached: answered.is_some() && matches!(outcome.cache, CacheUse::Hit | CacheUse::Shared),
            tokens: TokensUsed {
                input: outcome.usage.input.0,
                cached_input: outcome.usage.cached_input.0,
                output: outcome.usage.output.0,
            },
            cost_usd: outcome.cost.as_usd().to_f64().unwrap_or(0.0),
            latency_ms: u64::try_from(outcome.latency.as_millis()).unwrap_or(u64::MAX),
        }
    }

    /// Logic answered, because there was nothing to ask about.
    pub fn logic(reason: &str) -> Self {
        Self {
            model: None,
            tier: crate::names::TierName::NONE.to_owned(),
            complexity: 0.0,
            reason: reason.to_owned(),
            attempts: 0,
            escalated: false,
            cached: false,
            tokens: TokensUsed { input: 0, cached_input: 0, output: 0 },
            cost_usd: 0.0,
            latency_ms: 0,
        }
    }
}
