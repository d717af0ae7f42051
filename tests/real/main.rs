//! Tests with the real programs around taskgate: a real Prometheus, a real Chromium, and a real model behind a real
//! LiteLLM.
//!
//! They need what `.ci/real-setup` installs, and take minutes, so plain `cargo test` leaves them out:
//! `cargo test --test real`. Nothing here is skipped when a program is missing: the test fails and says what to run.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests stop at the first surprise")]

mod browser;
mod chain;
mod client;
mod formats;
mod history;
mod ledger;
mod load;
mod page;
mod policies;
mod processes;
mod prometheus;
mod recorder;
mod stack;
mod taskgate;
#[allow(unused_imports, reason = "the toolbox is shared; not every tool is used here")]
#[path = "../it/upstream/mod.rs"]
mod upstream;
