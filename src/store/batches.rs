//! The rows of requests that came in over HTTP, written together: a busy server takes the database's lock some times a
//! second, not once a request.
//!
//! Whoever records a request waits for its row, here as elsewhere; the queue is bounded, so a database that does not
//! keep up holds back the requests' own tasks and loses nothing. Killing the process loses what is in the queue.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::{Store, fault};
use crate::error::{Error, Kind, Result};
use crate::request::Outcome;

/// How long the first row of a batch waits for others. With the write itself, rows are at most a tenth of a second
/// behind.
const LINGER: Duration = Duration::from_millis(50);

/// Rows in one transaction. As many as this take a few dozen milliseconds, and other processes wait for no longer.
const LARGEST: usize = 256;

/// Rows that wait. An outcome is a few kilobytes.
const WAITING: usize = 1_024;

pub(super) type Queue = mpsc::Sender<Entry>;

pub(super) struct Entry {
    outcome: Outcome,
    written: oneshot::Sender<Result<()>>,
}

/// Writes what is queued; whoever runs it waits for its end.
#[must_use]
pub struct BatchWriter {
    store: Store,
    queue: mpsc::Receiver<Entry>,
}

impl Store {
    /// The same store, whose requests over HTTP are recorded in batches, by this writer, for as long as it runs.
    pub fn in_batches(mut self) -> (Self, BatchWriter) {
        let (queue, receiver) = mpsc::channel(WAITING);
        let writer = BatchWriter { store: self.clone(), queue: receiver };
        self.queue = Some(queue);
        (self, writer)
    }
}

impl BatchWriter {
    /// Until `stop`, and then until the queue is empty. What is recorded later is written at once.
    pub async fn run(mut self, stop: CancellationToken) {
        while let Some(batch) = self.next(&stop).await {
            self.write(batch).await;
        }
        self.queue.close();
        while let Some(batch) = self.next(&stop).await {
            self.write(batch).await;
        }
    }

    /// Waits for a row, and a little for others. `None` when there is none and none is to come, or it is told to stop.
    async fn next(&mut self, stop: &CancellationToken) -> Option<Vec<Entry>> {
        let mut batch = Vec::new();
        let first = tokio::select! {
            // First what is there: after `stop` the queue is emptied.
            biased;
            received = self.queue.recv_many(&mut batch, LARGEST) => received,
            () = stop.cancelled() => 0,
        };
        let until = Instant::now() + LINGER;
        while first > 0 && batch.len() < LARGEST {
            let room = LARGEST - batch.len();
            let received = tokio::select! {
                biased;
                () = stop.cancelled() => 0,
                () = sleep_until(until) => 0,
                received = self.queue.recv_many(&mut batch, room) => received,
            };
            if received == 0 {
                break;
            }
        }
        (first > 0).then_some(batch)
    }

    async fn write(&self, batch: Vec<Entry>) {
        let (outcomes, waiting): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|entry| (entry.outcome, entry.written)).unzip();
        match self.store.record_all(&outcomes).await {
            // Whoever no longer waits for its row needs no word.
            Ok(()) => waiting.into_iter().for_each(|written| drop(written.send(Ok(())))),
            Err(error) if outcomes.len() > 1 && fault::is_of_a_row(&error) => {
                for (outcome, written) in outcomes.iter().zip(waiting) {
                    let _ = written.send(self.store.record_all(std::slice::from_ref(outcome)).await);
                }
            }
            Err(error) => {
                for written in waiting {
                    let told = Error::new(error.kind, error.message.clone());
                    let _ = written.send(Err(told.hint(error.hint.clone().unwrap_or_default())));
                }
            }
        }
    }
}

/// Queues an outcome and waits for its row. When the writer has ended, it is written at once.
pub(super) async fn record(store: &Store, queue: &Queue, outcome: &Outcome) -> Result<()> {
    let (written, told) = oneshot::channel();
    if queue.send(Entry { outcome: outcome.clone(), written }).await.is_err() {
        return store.record_all(std::slice::from_ref(outcome)).await;
    }
    told.await.unwrap_or_else(|_| {
        Err(Error::new(Kind::Internal, "The ledger's writer ended before it wrote").hint("Look in the log."))
    })
}
