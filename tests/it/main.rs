//! The tests that drive the crate from outside, in one binary.

mod tidy;
