//! The only sender: one HTTP service that keeps status and headers and bounds every read.
//!
//! It translates between our values and the wire. It never retries, sleeps, prices or picks; it knows neither the
//! ledger nor who asks. Read `sender` first, then `whole` and `stream`, then the table in `failure`.

mod address;
mod clock;
mod connect;
mod failure;
mod listener;
mod progress;
mod read;
mod refusal;
mod sender;
mod sse;
mod status;
mod stream;
mod trouble;
mod wait;
mod whole;
mod wire;

pub use listener::{Listener, Said};
pub use sender::{Answer, Bounds, Call, Sender};
pub use status::Seen;
