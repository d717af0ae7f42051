//! How much may be asked of a model at once and in a minute, and how often again, in this process.
//!
//! It knows numbers, not requests: the gateway says what a call will take.

mod rate;
mod retries;

pub use rate::{Limiter, Permit, Refusal};
pub use retries::RetryBudget;
