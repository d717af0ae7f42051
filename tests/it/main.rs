//! The tests that drive the crate from outside, in one binary: its parts against real sockets, and the built program.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests stop at the first surprise")]

mod provider;
mod tidy;
mod upstream;
