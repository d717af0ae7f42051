//! The last step of a request: the outcome goes to the caller, the ledger, the metrics and the log. They cannot disagree.
//!
//! Over a pipe the row comes first, so that a host that kills the process loses nothing that it was answered; a database
//! that is held by another process or cannot be written keeps the answer only for a moment. Over HTTP the answer comes
//! first, and the row follows in a batch. Either way the request's own task goes on until the row is written or given up.

use std::sync::atomic::Ordering;
use std::time::Duration;

use backoff::{BackoffBuilder, ExponentialBuilder};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use super::health;
use super::parts::Inner;
use crate::error::{Error, Result};
use crate::names::ModelName;
use crate::request::{Completion, Door, Outcome, Sink};

/// How long an answer over a pipe waits for its row. Writing takes less than a millisecond; beyond this another process
/// holds the database.
const ROW_FIRST: Duration = Duration::from_secs(1);

/// How long a row is tried to be written again: a disk that is full may be tidied up in that time.
const TRY_FOR: Duration = Duration::from_secs(30);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What the caller gets.
pub(super) type End = (Outcome, Completion);

/// Who waits for the end of a request.
pub(super) struct Waiting {
    pub end: oneshot::Sender<End>,
    /// Whoever reads along, and what its stream ends with if that is not the answer's end.
    pub reader: Option<(Sink, Option<Error>)>,
}

/// Hands the end of a request to its caller and writes it down. Returns when both are done.
pub(super) async fn settle(inner: &Inner, (outcome, completion): End, waiting: Waiting) {
    inner.metrics.observe(&outcome);
    let mut writing = Box::pin(async {
        let written = inner.ledger.record(&outcome).await;
        // With the row: whoever has the answer may start the next process, which asks who was well.
        health::keep_turns(inner).await;
        written
    });
    let tried = match outcome.signals.door {
        Door::Stdio | Door::Cli => timeout(ROW_FIRST, &mut writing).await.ok(),
        Door::HttpMcp | Door::HttpChat => None,
    };
    waiting.tell((outcome.clone(), completion));
    let tried = match tried {
        Some(tried) => tried,
        None => writing.await,
    };
    let written = match tried {
        Ok(()) => Ok(()),
        Err(error) => write_again(inner, &outcome, error).await,
    };
    match written {
        Ok(()) => {
            if inner.ledger_fails.swap(false, Ordering::Relaxed) {
                tracing::info!("the ledger can be written to again");
            }
        }
        Err(error) => lose(inner, &outcome, &error),
    }
    log(&outcome);
}

impl Waiting {
    /// A caller who has gone away hears nothing more.
    fn tell(self, end: End) {
        if let Some((sink, error)) = self.reader {
            sink.end(error);
        }
        let _ = self.end.send(end);
    }
}

/// Tries again with growing pauses, for a while; one last time at once when the process is ending.
async fn write_again(inner: &Inner, outcome: &Outcome, mut error: Error) -> Result<()> {
    if !inner.ledger_fails.swap(true, Ordering::Relaxed) {
        tracing::warn!("request {} could not be written to the ledger yet, and is tried again: {error}", outcome.id);
    }
    let begun = Instant::now();
    let pauses = ExponentialBuilder::new().with_min_delay(FIRST_PAUSE).with_max_delay(LONGEST_PAUSE).with_factor(2.0);
    for pause in pauses.without_max_times().build() {
        let is_last = tokio::select! {
            () = tokio::time::sleep(pause) => begun.elapsed() >= TRY_FOR,
            () = inner.ending.cancelled() => true,
        };
        match inner.ledger.record(outcome).await {
            Ok(()) => return Ok(()),
            Err(again) => error = again,
        }
        if is_last {
            break;
        }
    }
    Err(error)
}

/// The log is all that is left of such a request; what it cost is missing in every sum.
fn lose(inner: &Inner, outcome: &Outcome, error: &Error) {
    inner.metrics.ledger_failed();
    tracing::error!(
        request = %outcome.id,
        cost_nanousd = outcome.cost.0,
        "request {} could not be written to the ledger and is lost to it, with a cost of {}: {error}",
        outcome.id,
        outcome.cost
    );
}

fn log(outcome: &Outcome) {
    tracing::info!(
        request = %outcome.id,
        door = outcome.signals.door.as_str(),
        tool = outcome.signals.target.as_str(),
        route = %outcome.decision.route,
        tier = %outcome.decision.tier,
        status = outcome.status.as_str(),
        model = outcome.model.as_ref().map(ModelName::as_str),
        attempts = outcome.attempts.len(),
        cost_nanousd = outcome.cost.0,
        latency_ms = outcome.latency.as_millis() as u64,
        "request {} {}: {}",
        outcome.id,
        outcome.signals.target.as_str(),
        outcome.status.as_str()
    );
}

#[cfg(test)]
#[path = "settle_tests.rs"]
mod tests;
