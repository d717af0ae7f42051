//! The tests that drive the crate from outside, in one binary: its parts against real sockets, and the built program.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests stop at the first surprise")]

mod alerts;
mod binary;
mod command_line;
mod dashboards;
mod explain_chat;
mod faults;
mod hammer;
mod kill;
#[allow(dead_code, reason = "shared with the tests of real programs, which use the rest")]
#[path = "../real/ledger.rs"]
mod ledger;
mod lesson;
mod mcp;
#[path = "../real/policies.rs"]
mod policies;
mod provider;
mod reload;
mod series;
mod server;
mod simulate;
mod sleepers;
mod streams;
#[path = "../real/taskgate.rs"]
mod taskgate;
mod tidy;
mod upstream;
mod usage;
