//! What is told: metrics for Prometheus and the log on standard error.
//!
//! It reads outcomes; it decides nothing. Labels are small closed sets, never a caller's string.

mod families;
pub mod log;
mod metrics;
mod observe;

pub use families::metric_names;
pub use metrics::{InFlight, Metrics, Period};
