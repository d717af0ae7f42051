//! How hard a request is: signals in, a score with its contributions out. Pure.
//!
//! It knows neither tiers nor models: `gateway::decide` turns the score into a tier.

mod score;

pub use score::{Signal, score};
