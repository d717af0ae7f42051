//! One test binary: the product's parts against real sockets and a scripted upstream.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests stop at the first surprise")]

mod provider;
mod upstream;
