//! How much may be asked of a model at once and in a minute, in this process.
//!
//! It knows numbers, not requests: the gateway says what a call will take.

mod rate;

pub use rate::{Limiter, Permit, Refusal};
