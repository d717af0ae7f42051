//! Answer and row, in paused time: which comes first, and what becomes of a row that cannot be written.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::chat::NanoUsd;
use crate::error::Kind;
use crate::gateway::fixtures::{Kept, Script, ask, policy};
use crate::gateway::{Gateway, Ledger};
use crate::request::{Allowance, Ask, Attempt, RequestId, Standing, Status};
use crate::store::{OpenRequest, Reserved};
use crate::telemetry::Metrics;

/// Takes its time over each row, and refuses the first ones.
struct Slow {
    takes: Duration,
    refuses: AtomicU32,
    kept: Arc<Kept>,
}

impl Ledger for Slow {
    fn record<'a>(&'a self, outcome: &'a Outcome) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>> {
        Box::pin(async move {
            tokio::time::sleep(self.takes).await;
            let left = self.refuses.load(Ordering::Relaxed);
            if left > 0 {
                self.refuses.store(left - 1, Ordering::Relaxed);
                return Err(Error::new(Kind::Storage, "The disk is full: nothing was saved"));
            }
            self.kept.record(outcome).await
        })
    }

    fn keep_turn<'a>(
        &'a self,
        model: &'a ModelName,
        open_until: Option<Timestamp>,
        at: Timestamp,
    ) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>> {
        self.kept.keep_turn(model, open_until, at)
    }

    fn reserve<'a>(
        &'a self,
        request: OpenRequest<'a>,
        attempt: &'a Attempt,
        lease_until: Timestamp,
        allowances: &'a [Allowance],
    ) -> BoxFuture<'a, Result<Reserved>> {
        self.kept.reserve(request, attempt, lease_until, allowances)
    }

    fn settle(&self, request: RequestId, n: u32, cost: NanoUsd) -> BoxFuture<'_, Result<()>> {
        Ledger::settle(&self.kept, request, n, cost)
    }

    fn standings<'a>(&'a self, allowances: &'a [Allowance]) -> BoxFuture<'a, Result<Vec<Standing>>> {
        self.kept.standings(allowances)
    }
}

struct World {
    gateway: Gateway,
    metrics: Metrics,
    kept: Arc<Kept>,
}

fn world(takes: Duration, refuses: u32) -> World {
    let (kept, metrics) = (Arc::new(Kept::default()), Metrics::for_tests());
    let ledger = Box::new(Slow { takes, refuses: AtomicU32::new(refuses), kept: kept.clone() });
    let gateway = Gateway::with_parts(Arc::new(policy()), Box::new(Script::new([])), ledger, metrics.clone());
    World { gateway, metrics, kept }
}

impl World {
    /// How long the caller waited, how many rows there were then, and how many at the end.
    async fn ask(&self, door: Door) -> (Duration, usize, usize) {
        let mut question = ask(CancellationToken::new());
        question.signals.door = door;
        let (began, (outcome, _)) = (Instant::now(), self.gateway.complete(question).await);
        assert_eq!(outcome.status, Status::Ok);
        let (waited, rows) = (began.elapsed(), self.rows());
        self.gateway.drain(Duration::from_secs(60)).await;
        (waited, rows, self.rows())
    }

    fn rows(&self) -> usize {
        self.kept.0.lock().unwrap().len()
    }

    fn lost(&self) -> u32 {
        let text = self.metrics.render();
        let line = text.lines().find(|line| line.starts_with("taskgate_ledger_failures_total "));
        line.unwrap().rsplit(' ').next().unwrap().parse().unwrap()
    }
}

const MODEL: Duration = Duration::from_millis(5);

#[tokio::test(start_paused = true)]
async fn over_a_pipe_the_row_comes_first() {
    for door in [Door::Stdio, Door::Cli] {
        let takes = Duration::from_millis(300);
        assert_eq!(world(takes, 0).ask(door).await, (MODEL + takes, 1, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_database_that_others_hold_keeps_an_answer_for_a_moment_only() {
    assert_eq!(world(Duration::from_secs(10), 0).ask(Door::Stdio).await, (MODEL + ROW_FIRST, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn over_http_the_answer_comes_first() {
    for door in [Door::HttpMcp, Door::HttpChat] {
        assert_eq!(world(Duration::from_millis(300), 0).ask(door).await, (MODEL, 0, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_asked_no_model_is_answered_the_same_way() {
    let world = world(Duration::from_secs(10), 0);
    let Ask { signals, .. } = ask(CancellationToken::new());
    let began = Instant::now();
    let outcome = world.gateway.note(signals, Status::Ok, began.into_std()).await;
    assert_eq!((began.elapsed(), world.rows()), (ROW_FIRST, 0));
    world.gateway.drain(Duration::from_secs(60)).await;
    assert_eq!(world.kept.0.lock().unwrap().as_slice(), [outcome]);
}

#[tokio::test(start_paused = true)]
async fn a_row_that_is_refused_is_tried_again_and_the_answer_does_not_wait_for_that() {
    let world = world(Duration::ZERO, 6);
    let mut question = ask(CancellationToken::new());
    question.signals.door = Door::Stdio;
    let began = Instant::now();
    world.gateway.complete(question).await;
    assert_eq!((began.elapsed(), world.rows()), (MODEL, 0));
    tokio::time::sleep(TRY_FOR).await;
    assert_eq!((world.rows(), world.lost()), (1, 0), "written once");
}

#[tokio::test(start_paused = true)]
async fn a_row_that_is_never_taken_is_lost_in_the_end_and_counted() {
    let world = world(Duration::ZERO, u32::MAX);
    world.gateway.complete(ask(CancellationToken::new())).await;
    tokio::time::sleep(TRY_FOR - Duration::from_secs(1)).await;
    assert_eq!(world.lost(), 0, "it is still tried");
    tokio::time::sleep(LONGEST_PAUSE + Duration::from_secs(2)).await;
    assert_eq!((world.lost(), world.rows()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_process_is_not_held_up_by_a_row_that_is_refused() {
    let world = world(Duration::ZERO, u32::MAX);
    world.gateway.complete(ask(CancellationToken::new())).await;
    let began = Instant::now();
    world.gateway.drain(Duration::from_secs(60)).await;
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(world.lost(), 1);
}
