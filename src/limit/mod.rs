//! How much may be asked of a model at once and in a minute, how much a caller may ask, and how often again, in this
//! process; and what is known here of the budgets, which hold over all processes.
//!
//! It knows numbers, not requests: the gateway says what a call will take.

mod bucket;
mod budget;
mod callers;
mod gate;
mod rate;
mod retries;

pub use budget::{Purse, Spent};
pub use callers::Callers;
pub use gate::{Gate, Patience, Permit, Refusal};
pub use rate::Limiter;
pub use retries::RetryBudget;
