//! How hard a request is: signals in, a score with its contributions out; what can be read off a chat request; and what
//! pass rates make of recorded checks. Pure.
//!
//! It knows neither tiers nor models: `gateway::decide` turns the score into a tier.

mod chat;
mod rates;
mod score;
mod text;

pub use chat::{chat_signals, conversation_key};
pub use rates::{CHECKS_AT_MOST, ENOUGH, LEARN_EVERY, LOOK_BACK, PassRates, Track};
pub use score::score;
