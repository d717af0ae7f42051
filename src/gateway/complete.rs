//! One request, from ask to outcome. `Gateway::complete` is the front door; `run` is the request.
//!
//! The request runs in a task that the gateway owns. When the caller goes away, only a token is cancelled: the task
//! stops the upstream call and still settles.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::decide::{View, decide, nobody_wanted};
use super::dispatch::{Run, Spent};
use super::format::FormatMemory;
use super::health::Unwritten;
use super::memory::Memory;
use super::parts::{Beginning, Inner, Snapshot};
use super::record::{self, Settled};
use super::settle::{End, Waiting, settle};
use super::{Ledger, Upstream};
use crate::chat::NanoUsd;
use crate::error::{Error, Kind};
use crate::health::State;
use crate::limit::Callers;
use crate::policy::Policy;
use crate::provider::Sender;
use crate::request::{Ask, Attempt, CacheUse, Completion, Decision, Delivery, Outcome, Signals, Sink, Status};
use crate::store::Store;
use crate::telemetry::Metrics;

/// The one way to a model. Cheap to clone; all clones are the same gateway.
#[derive(Clone)]
pub struct Gateway(pub(super) Arc<Inner>);

/// How long cancelled requests get to write down what they spent.
const SETTLING: Duration = Duration::from_secs(2);

impl Gateway {
    pub fn new(policy: Arc<Policy>, sender: Sender, store: Store, metrics: Metrics) -> Self {
        Self::with_parts(policy, Box::new(sender), Box::new(store), metrics)
    }

    pub(crate) fn with_parts(
        policy: Arc<Policy>,
        upstream: Box<dyn Upstream>,
        ledger: Box<dyn Ledger>,
        metrics: Metrics,
    ) -> Self {
        let gateway = Self(Arc::new(Inner {
            callers: Callers::new(policy.clone()),
            current: RwLock::new(Arc::new(Snapshot::new(policy))),
            retries: Mutex::default(),
            formats: FormatMemory::default(),
            memory: Memory::default(),
            requests: TaskTracker::new(),
            ending: CancellationToken::new(),
            shutdown: CancellationToken::new(),
            upstream,
            ledger,
            unwritten: Unwritten::default(),
            ledger_fails: AtomicBool::default(),
            metrics,
        }));
        gateway.show_health();
        gateway
    }

    /// The policy that decides now. Whoever needs it twice for one answer takes it once.
    pub fn policy(&self) -> Arc<Policy> {
        self.0.snapshot().policy.clone()
    }

    /// Goes by this policy from now on. Requests in flight end on the one that they began with, and what is known of
    /// models that did not change is kept.
    pub fn follow(&self, policy: Arc<Policy>) {
        let before = self.policy();
        self.0.follow(policy.clone());
        // A gauge that nobody sets any more would stay as it was.
        for gone in before.models.keys().filter(|model| !policy.models.contains_key(*model)) {
            self.0.metrics.set_breaker(gone, State::Closed as u8);
        }
        self.show_health();
    }

    /// Gets an answer, if there is one to be had. Always returns, within the envelope's deadline, and always leaves
    /// exactly one outcome behind, also when this future is dropped.
    pub async fn complete(&self, ask: Ask) -> (Outcome, Completion) {
        let token = self.0.shutdown.child_token();
        let _cancel_when_dropped = token.clone().drop_guard();
        let (cancelled_by_caller, unread) = (ask.cancel.clone(), ask.delivery.unread());
        let beginning = Beginning::now();
        let abandoned = (ask.signals.clone(), beginning);
        let (caller, mut end) = oneshot::channel();
        self.0.requests.spawn(run(self.0.clone(), ask, (token.clone(), beginning), caller));
        let end = tokio::select! {
            end = &mut end => end,
            () = async { tokio::select! { () = cancelled_by_caller.cancelled() => {}, () = unread => {} } } => {
                token.cancel();
                end.await
            }
        };
        // The task catches panics itself; it can only be gone because the runtime is being torn down.
        end.unwrap_or_else(|_| {
            let (signals, beginning) = abandoned;
            let decision = self.explain(&signals);
            (self.unanswered((signals, decision), Status::Cancelled, beginning), Completion::None)
        })
    }

    /// Writes down a request that came to no question: one outcome, no attempts, no model wanted.
    pub async fn note(&self, signals: Signals, status: Status, started: std::time::Instant) -> Outcome {
        let beginning = Beginning { started: Instant::from_std(started), ..Beginning::now() };
        let decision = nobody_wanted(self.explain(&signals));
        let outcome = self.unanswered((signals, decision), status, beginning);
        let (caller, end) = oneshot::channel();
        let (inner, noted) = (self.0.clone(), (outcome.clone(), Completion::None));
        self.0.requests.spawn(async move { settle(&inner, noted, Waiting { end: caller, reader: None }).await });
        end.await.map_or(outcome, |(outcome, _)| outcome)
    }

    /// The outcome of a request that asked nobody, not yet written down.
    pub(super) fn unanswered(
        &self,
        (signals, decision): (Signals, Decision),
        status: Status,
        beginning: Beginning,
    ) -> Outcome {
        let settled = Settled { status, ..Settled::new(signals, decision) };
        record::outcome(settled, &self.policy(), beginning)
    }

    /// Waits for the requests in flight; after `patience` it cancels them and lets them settle.
    pub async fn drain(&self, patience: Duration) {
        self.0.requests.close();
        self.0.ending.cancel();
        if tokio::time::timeout(patience, self.0.requests.wait()).await.is_err() {
            tracing::warn!("requests still in flight after {patience:?}: cancelling them");
            self.0.shutdown.cancel();
            // Whoever does not settle in this time has lost its row; the log says so.
            if tokio::time::timeout(SETTLING, self.0.requests.wait()).await.is_err() {
                tracing::error!("{} requests did not settle before the end", self.0.requests.len());
            }
        }
    }
}

/// The request's task: from the question to the row.
async fn run(inner: Arc<Inner>, ask: Ask, at: (CancellationToken, Beginning), caller: oneshot::Sender<End>) {
    let (answered, reader) = answer(&inner, ask, at).await;
    settle(&inner, answered, Waiting { end: caller, reader }).await;
}

/// Decide, look up, try.
async fn answer(inner: &Arc<Inner>, ask: Ask, (cancel, beginning): (CancellationToken, Beginning)) -> (End, Reader) {
    let _in_flight = inner.metrics.request_started(ask.signals.door);
    let snapshot = inner.snapshot();
    let policy = &snapshot.policy;
    let known = inner.view_of(&snapshot, &ask.signals, ask.conversation);
    let decision = decide(policy, &ask.signals, &View { draw: Some(fastrand::f64()), ..known });
    let route = policy.route(&ask.signals.target, &ask.signals.projects, &ask.signals.caller);
    let mut settled = Settled::new(ask.signals.clone(), decision.clone());
    let (mut completion, mut taken) = (Completion::None, true);
    if let Some(route) = route {
        let mut run = Run::new(inner, (&snapshot, route), &ask, &decision, (cancel.clone(), beginning));
        // A panic in a tool's render or check must not lose what the attempts so far have cost.
        let found = AssertUnwindSafe(run.deliver()).catch_unwind().await;
        let (answer, cache, all) = found.unwrap_or_else(|_| {
            tracing::error!(tool = ask.signals.target.as_str(), "a request panicked; it is settled as failed");
            run.fail("An internal error stopped this request.");
            (None, CacheUse::Bypass, true)
        });
        taken = all;
        let Spent { attempts, partial, failure, kept_back, shared } = run.finish();
        // What went wrong on the way to an answer stands in the rows of the attempts.
        let failure = failure.filter(|_| answer.is_none());
        let kept_back = kept_back.filter(|_| answer.is_none() && !cancel.is_cancelled());
        settled = Settled { attempts, cache, failure, kept_back, shared, ..settled };
        completion = match (&answer, partial) {
            (Some(answer), _) => Completion::Answer(answer.reply.clone()),
            (None, Some(text)) if !cancel.is_cancelled() => Completion::Partial(text),
            (None, _) => Completion::None,
        };
        if matches!(cache, CacheUse::Hit | CacheUse::Shared) {
            settled.saved = answer.as_ref().map_or(NanoUsd::ZERO, |answer| answer.cost);
        }
        settled.model = answer.map(|answer| answer.model);
    }
    settled.status = status(&completion, &settled, cancel.is_cancelled(), ask.answers_anyway);
    if settled.status != Status::Ok && settled.status != Status::Cached && settled.failure.is_none() {
        settled.failure = Some(record::why_nobody(policy, &decision));
    }
    let outcome = record::outcome(settled, policy, beginning);
    inner.memory.answered(ask.conversation, outcome.model.as_ref());
    let reader = reader(ask.delivery, &outcome, taken);
    ((outcome, completion), reader)
}

/// Whoever reads along, and what its stream ends with if that is not the answer's end.
type Reader = Option<(Sink, Option<Error>)>;

fn reader(delivery: Delivery, outcome: &Outcome, taken: bool) -> Reader {
    let Delivery::Stream(sink) = delivery else { return None };
    let untaken = || Error::new(Kind::Cancelled, "The request was cancelled before all of its answer was read");
    Some((sink, if taken { outcome.error() } else { Some(untaken()) }))
}

fn status(completion: &Completion, settled: &Settled, cancelled: bool, answers_anyway: bool) -> Status {
    let is_rejected = || settled.kept_back.is_some() && !settled.attempts.iter().any(Attempt::was_sent);
    match completion {
        Completion::Answer(_) if matches!(settled.cache, CacheUse::Hit | CacheUse::Shared) => Status::Cached,
        Completion::Answer(_) => Status::Ok,
        _ if cancelled => Status::Cancelled,
        Completion::Partial(_) => Status::Partial,
        Completion::None if answers_anyway => Status::Degraded,
        Completion::None if is_rejected() => Status::Rejected,
        Completion::None => Status::Failed,
    }
}

#[cfg(test)]
#[path = "complete_tests.rs"]
mod tests;
