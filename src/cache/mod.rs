//! Answers that were accepted, kept for a while: the key, the entries, one call for equal requests in flight.
//!
//! It knows neither models nor policy; the gateway says what is worth keeping and for how long.

mod entries;
mod key;

pub use entries::{Answers, CachedAnswer, Lookup};
pub use key::{CacheKey, KeyParts};
