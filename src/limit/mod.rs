//! How much may be asked of a model at once and in a minute, and how often again, in this process; and what is known
//! here of the budgets, which hold over all processes.
//!
//! It knows numbers, not requests: the gateway says what a call will take.

mod bucket;
mod budget;
mod rate;
mod retries;

pub use budget::{Purse, Spent};
pub use rate::{Limiter, Patience, Permit, Refusal};
pub use retries::RetryBudget;
