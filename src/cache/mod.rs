//! Answers that were accepted, kept for a while: the key, the entries, one call for equal requests in flight. Beside
//! them, which model answered a conversation last.
//!
//! It knows neither models nor policy; the gateway says what is worth keeping and for how long.

mod conversations;
mod entries;
mod flights;
mod key;

pub use conversations::Conversations;
pub use entries::{Answers, CachedAnswer, Found};
pub use flights::{Failure, Follower, Landed, Lead, Next, Showing};
pub use key::{CacheKey, KeyParts};
