//! `routing.yaml`: read strictly (`raw`), compiled once (`compile`), handed out as values (`types`).
//!
//! A compiled `Policy` cannot be invalid, and raw YAML types never leave this folder. Nothing here knows a request, a
//! database or the network.

mod types;

pub use types::{
    Backend, ChatCheck, Classifier, Envelope, Escalate, Fallback, Limits, Location, Match, Model, Policy, Retry, Route,
    RouteTier, Tier, Timeouts,
};
