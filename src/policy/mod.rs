//! `routing.yaml`: read strictly (`raw`), compiled once (`compile`), handed out as values (`types`).
//!
//! A compiled `Policy` cannot be invalid, and raw YAML types never leave this folder. Nothing here knows a request, a
//! database or the network.

mod budget;
mod compile;
mod difference;
mod expand;
mod later;
mod lint;
mod mask;
mod problems;
#[expect(dead_code, reason = "every key of version 1 is read; `later` refuses those that nothing uses yet")]
mod raw;
mod refusal;
mod shape;
mod tree;
mod types;
mod values;
mod vocabulary;
mod watch;

#[cfg(test)]
mod tests;

pub use budget::{Budget, Period, WhenSpent};
pub use compile::{BUILT_IN, BUILT_IN_NAME, Compiled, Sources, compile, read};
pub use difference::difference;
pub use expand::Environment;
pub use problems::{Findings, Place, Problem, Problems, Severity};
pub use refusal::{LastRefusal, Refusal};
pub use shape::schema;
pub use types::{
    Backend, Breaker, ChatCheck, Classifier, Envelope, Escalate, Fallback, Identity, Limits, Location, Match, Model,
    Policy, Retry, Route, RouteTier, StatusEndpoint, StatusKind, Sticky, Tier, Timeouts, WhenReached,
};
pub use vocabulary::TOOLS;
pub use watch::Watch;
