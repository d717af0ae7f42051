//! The OpenAI chat protocol as it is really spoken: what we send strictly, what we read leniently.
//!
//! Nothing here knows a connection or a clock.

mod heard;
mod sent;
mod usage;

pub(super) use heard::Wire;
pub(super) use sent::body;

#[cfg(test)]
mod tests;
