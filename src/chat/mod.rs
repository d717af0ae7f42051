//! What is said to a model and what comes back, as values: request, reply, usage, money.
//!
//! Nothing here knows a policy, a tool, a backend or the network.

mod model;
mod money;
mod reply;
mod request;
mod usage;

pub use model::{Capabilities, Capability, ModelSpec};
pub use money::{NanoUsd, Price};
pub use reply::{Finish, Reply};
pub use request::{ChatRequest, Format, Message, Role};
pub use usage::{Tokens, Usage, UsageSource};
