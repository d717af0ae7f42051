//! The only sender: one HTTP service that keeps status and headers and bounds every read.
//!
//! It translates between our values and the wire. It never retries, sleeps, prices or picks.
