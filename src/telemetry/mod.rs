//! What is told: metrics for Prometheus and the log on standard error.
//!
//! It reads outcomes; it decides nothing. Labels are small closed sets, never a caller's string.
