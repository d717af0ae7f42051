//! Tests with the real programs around taskgate: a real Prometheus, and a real model behind a real LiteLLM.
//!
//! They need what `.ci/real-setup` installs, and take minutes, so plain `cargo test` leaves them out:
//! `cargo test --test real`. Nothing here is skipped when a program is missing: the test fails and says what to run.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod chain;
mod client;
mod ledger;
mod load;
mod policies;
mod processes;
mod prometheus;
mod recorder;
mod taskgate;
#[path = "../it/upstream/mod.rs"]
mod upstream;
