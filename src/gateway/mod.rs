//! The path of a request: decide, try, check, settle. READ SECOND, after `lib.rs`: `complete` is the whole story.
//!
//! - `complete`: one request from ask to outcome, in a task that the gateway owns
//! - `decide`: which models, in which order, and why (pure); `begin`: where conversations and pass rates let it begin
//! - `callers`: whether who asks may, before anything is looked up or asked
//! - `lookup`: what is kept, or in flight for an equal request; `dispatch`: the candidate loop; `call`: one candidate
//! - `deliver`: how the answer is handed over, whole or as a stream, and the commit point of a stream
//! - `used`: what a call used, and who says so
//! - `retry`: what a failure means for the next step (pure)
//! - `meter`: the envelope of time, attempts and money (pure); `money`: what is set aside for a call, and the budgets that
//!   pay for it; `budgets`: what spent ones mean for a decision (pure); `format`: the answer formats that backends take
//! - `asleep`: local models that are not loaded
//! - `health`: who is well, asked before a call and told after it
//! - `memory`: pass rates, and who answered a conversation last
//! - `record`: the outcome; `settle`: to the caller, and to its three readers; `rehearse`: what would happen, for `explain`
//! - `spending`: what the ledger's sums say of money, beside the highest tier (pure)
//!
//! It knows neither tools nor doors: what it needs of them comes with the ask.

mod asleep;
mod begin;
mod budgets;
mod call;
mod callers;
mod complete;
mod decide;
mod deliver;
mod dispatch;
#[cfg(test)]
mod exact_tests;
#[cfg(test)]
pub(crate) mod fixtures;
mod format;
mod health;
mod lookup;
mod memory;
mod meter;
mod money;
mod parts;
#[cfg(test)]
mod properties;
mod record;
mod rehearse;
mod retry;
mod settle;
mod spending;
#[cfg(test)]
mod stream_properties;
mod used;

pub use complete::Gateway;
pub use decide::{Setback, View, decide, may_follow};
pub use health::{ModelHealth, together};
pub use rehearse::{CallerLimits, KnownRate, PlannedCall, Rehearsal};
pub use spending::{Comparison, Spending, is_unpriced};

use std::future::Future;
use std::pin::Pin;

use futures_util::future::BoxFuture;
use jiff::Timestamp;

use crate::chat::NanoUsd;
use crate::error::Result;
use crate::names::ModelName;
use crate::provider::{Answer, Call, Listener, Sender};
use crate::request::{Allowance, Attempt, Outcome, RequestId, Standing};
use crate::store::{OpenRequest, Reserved, Store};

/// Where calls go: the sender, or a fake in tests of the loop.
pub(crate) trait Upstream: Send + Sync {
    fn send<'a>(
        &'a self,
        call: Call<'a>,
        listener: &'a mut dyn Listener,
    ) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;
}

impl Upstream for Sender {
    fn send<'a>(
        &'a self,
        call: Call<'a>,
        listener: &'a mut dyn Listener,
    ) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>> {
        Box::pin(Sender::send(self, call, listener))
    }
}

/// Where outcomes are kept: the store, or memory in tests of the loop.
pub(crate) trait Ledger: Send + Sync {
    fn record<'a>(&'a self, outcome: &'a Outcome) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;

    /// A breaker opened, until then, or closed, and when: a hint for other processes.
    fn keep_turn<'a>(
        &'a self,
        model: &'a ModelName,
        open_until: Option<Timestamp>,
        at: Timestamp,
    ) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;

    /// Sets money aside for an attempt, if every allowance has room for its worst case.
    fn reserve<'a>(
        &'a self,
        request: OpenRequest<'a>,
        attempt: &'a Attempt,
        lease_until: Timestamp,
        allowances: &'a [Allowance],
    ) -> BoxFuture<'a, Result<Reserved>>;

    /// An attempt has ended and cost this much, though its request goes on.
    fn settle(&self, request: RequestId, n: u32, cost: NanoUsd) -> BoxFuture<'_, Result<()>>;

    fn standings<'a>(&'a self, allowances: &'a [Allowance]) -> BoxFuture<'a, Result<Vec<Standing>>>;
}

impl Ledger for Store {
    fn record<'a>(&'a self, outcome: &'a Outcome) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>> {
        Box::pin(Store::record(self, outcome))
    }

    fn keep_turn<'a>(
        &'a self,
        model: &'a ModelName,
        open_until: Option<Timestamp>,
        at: Timestamp,
    ) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>> {
        Box::pin(self.keep_health(model, open_until, at))
    }

    fn reserve<'a>(
        &'a self,
        request: OpenRequest<'a>,
        attempt: &'a Attempt,
        lease_until: Timestamp,
        allowances: &'a [Allowance],
    ) -> BoxFuture<'a, Result<Reserved>> {
        Box::pin(Store::reserve(self, request, attempt, lease_until, allowances))
    }

    fn settle(&self, request: RequestId, n: u32, cost: NanoUsd) -> BoxFuture<'_, Result<()>> {
        Box::pin(Store::settle(self, request, n, cost))
    }

    fn standings<'a>(&'a self, allowances: &'a [Allowance]) -> BoxFuture<'a, Result<Vec<Standing>>> {
        Box::pin(Store::standings(self, allowances))
    }
}
