//! Progress of one call as notifications: rising numbers, never more than a person can read, never silent for long.
//!
//! A tool that reports never waits for the client: what it says goes into a small queue, and a full queue forgets the
//! oldest line. What was said last is always told before the result.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rmcp::model::{ProgressNotificationParam, ProgressToken};
use rmcp::service::RequestContext;
use rmcp::{Peer, RoleServer};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::request::{Progress, ProgressSink};

/// Hosts give up on a call that is silent for too long; 5 s is the promise, so a second is left for a slow pipe.
const SILENCE: Duration = Duration::from_secs(4);
/// A streaming model reports every few tokens; four lines a second are enough to see it move.
const PACE: Duration = Duration::from_millis(250);
const QUEUED: usize = 64;
/// Claude Code shows no more of a line.
const SHOWN: usize = 200;

/// The end that tells the client. Without a progress token there is nobody to tell.
pub(super) struct Reporter {
    queue: Arc<Queue>,
    listener: Option<(Peer<RoleServer>, ProgressToken)>,
    cancelled: CancellationToken,
}

struct Queue {
    lines: Mutex<VecDeque<Progress>>,
    more: Notify,
}

impl Reporter {
    pub(super) fn new(context: &RequestContext<RoleServer>) -> (Self, ProgressSink) {
        let queue = Arc::new(Queue { lines: Mutex::default(), more: Notify::new() });
        let listener = context.meta.get_progress_token().map(|token| (context.peer.clone(), token));
        let sink: ProgressSink = match listener {
            None => Arc::new(|_| {}),
            Some(_) => {
                let queue = queue.clone();
                Arc::new(move |line| queue.push(line))
            }
        };
        (Self { queue, listener, cancelled: context.ct.clone() }, sink)
    }
}

/// Tells the client until the call is done and everything that it said is told.
pub(super) async fn forward(reporter: Reporter, done: &CancellationToken) {
    let Reporter { queue, listener, cancelled } = reporter;
    let Some((peer, token)) = listener else { return };
    let (peer, token, cancelled) = (&peer, &token, &cancelled);
    relay(&queue, done, move |number, message| async move {
        if cancelled.is_cancelled() {
            return;
        }
        let report = ProgressNotificationParam::new(token.clone(), number).with_message(message);
        // Waiting for the write keeps the order, and puts the last line before the result.
        if peer.notify_progress(report).await.is_err() {
            tracing::debug!("the client is gone; its call is cancelled");
            cancelled.cancel();
        }
    })
    .await;
}

/// Hands on each line with its number, not too many at once, and says something where nothing is said for long.
async fn relay<F: Future<Output = ()>>(
    queue: &Queue,
    done: &CancellationToken,
    mut tell: impl FnMut(f64, String) -> F,
) {
    let (started, mut told, mut last) = (Instant::now(), 0.0, "Working…".to_owned());
    let mut next_line = started;
    loop {
        let quiet_until = Instant::now() + SILENCE;
        let finished = tokio::select! {
            () = done.cancelled() => true,
            () = async { sleep_until(next_line).await; queue.more.notified().await } => false,
            () = sleep_until(quiet_until) => false,
        };
        let mut lines = queue.take();
        if lines.is_empty() && !finished {
            lines.push(Progress::Note(format!("{last} ({} s)", started.elapsed().as_secs())));
        } else if let Some(line) = lines.last() {
            last = line.to_string();
        }
        for line in lines {
            told += 1.0;
            let message: String = line.to_string().chars().take(SHOWN).collect();
            tell(told, message.trim().to_owned()).await;
        }
        if finished {
            return;
        }
        next_line = Instant::now() + PACE;
    }
}

impl Queue {
    fn push(&self, line: Progress) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        // Only the latest count of tokens is worth telling.
        if matches!((lines.back(), &line), (Some(Progress::Generating(..)), Progress::Generating(..))) {
            lines.pop_back();
        } else if lines.len() == QUEUED {
            lines.pop_front();
        }
        lines.push_back(line);
        drop(lines);
        self.more.notify_one();
    }

    fn take(&self) -> Vec<Progress> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use tokio::time::sleep;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_five_seconds_are_silent_and_no_line_is_lost() {
        let (queue, done, begun) =
            (Queue { lines: Mutex::default(), more: Notify::new() }, CancellationToken::new(), Instant::now());
        let told = RefCell::new(Vec::new());
        let relaying = relay(&queue, &done, |number, message| {
            told.borrow_mut().push((begun.elapsed().as_millis(), number, message));
            std::future::ready(())
        });
        let say = |line: &str| queue.push(Progress::Note(line.to_owned()));
        let working = async {
            say("Asking…");
            sleep(Duration::from_secs(9)).await;
            say("Checking…");
            say("Asking another…");
            // Within the pace of the lines before: it has to wait.
            sleep(Duration::from_millis(100)).await;
            say("Checking again…");
            sleep(Duration::from_millis(200)).await;
            say("Done.");
            done.cancel();
        };
        tokio::join!(relaying, working);
        let expected = [
            (0, "Asking…"),
            (4_000, "Asking… (4 s)"),
            (8_000, "Asking… (8 s)"),
            (9_000, "Checking…"),
            (9_000, "Asking another…"),
            (9_250, "Checking again…"),
            (9_300, "Done."),
        ];
        let expected: Vec<_> = (1..).zip(expected).map(|(n, (at, line))| (at, f64::from(n), line.to_owned())).collect();
        assert_eq!(told.into_inner(), expected);
    }
}
