//! What is told: metrics for Prometheus and the log on standard error.
//!
//! It reads outcomes; it decides nothing. Labels are small closed sets, never a caller's string.

mod families;
mod handles;
pub mod log;
mod metrics;
mod observe;
mod zero;

pub use families::{Shape, metric_names, metric_shapes};
pub use metrics::{InFlight, Metrics, Period, Reload, WarmUp};
pub use zero::ToolFigures;
