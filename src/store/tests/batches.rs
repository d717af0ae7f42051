//! Batches: requests over HTTP are written together, soon, all of them; what is at fault alone is refused alone.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use sqlx::Connection;
use sqlx::sqlite::SqliteConnectOptions;
use tokio_util::sync::CancellationToken;

use super::ledger::some_outcome;
use super::*;
use crate::request::{Door, Outcome};
use crate::store::BatchWriter;

fn outcome(door: Door) -> Outcome {
    let mut outcome = some_outcome(vec![("a", 1, 0), ("b", 2, 0)]);
    outcome.signals.door = door;
    outcome
}

fn outcomes(number: usize) -> Vec<Outcome> {
    (0..number).map(|_| outcome(Door::HttpChat)).collect()
}

fn batched(kept: &Fixture) -> (Store, BatchWriter) {
    kept.store.clone().in_batches()
}

async fn rows(kept: &Fixture) -> usize {
    kept.store.outcomes_after(0, 10_000).await.unwrap().len()
}

#[tokio::test]
async fn requests_that_come_together_are_written_together_and_all_of_them() {
    let kept = Fixture::new().await;
    let (store, writer) = batched(&kept);
    let stop = CancellationToken::new();
    let running = tokio::spawn(writer.run(stop.clone()));
    let outcomes = outcomes(600);
    let work = join_all(outcomes.iter().map(|outcome| store.record(outcome)));
    let watch = async {
        let mut states = std::collections::BTreeSet::new();
        while *states.last().unwrap_or(&0) < outcomes.len() {
            states.insert(rows(&kept).await);
        }
        states.len()
    };
    let (written, states) = tokio::join!(work, watch);
    assert!(written.iter().all(Result::is_ok));
    assert!(states <= 5, "600 rows are three batches, and nothing: {states}");
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn what_is_queued_when_it_ends_is_written_and_what_comes_later_too() {
    let kept = Fixture::new().await;
    let (store, writer) = batched(&kept);
    let outcomes = outcomes(300);
    let stop = CancellationToken::new();
    stop.cancel();
    let work = join_all(outcomes.iter().map(|outcome| store.record(outcome)));
    let (written, ()) = tokio::join!(work, async {
        // All are queued before the writer begins, which is told to end at once.
        tokio::task::yield_now().await;
        writer.run(stop).await;
    });
    assert!(written.iter().all(Result::is_ok));
    assert_eq!(rows(&kept).await, 300);
    store.record(&outcome(Door::HttpMcp)).await.unwrap();
    assert_eq!(rows(&kept).await, 301);
}

#[tokio::test]
async fn a_full_queue_makes_the_next_one_wait_and_loses_nothing() {
    let kept = Fixture::new().await;
    let (store, writer) = batched(&kept);
    let outcomes = outcomes(1_500);
    let mut work = Box::pin(join_all(outcomes.iter().map(|outcome| store.record(outcome))));
    let early = tokio::time::timeout(Duration::from_millis(100), &mut work).await;
    assert!(early.is_err(), "nobody writes yet");
    let stop = CancellationToken::new();
    let running = tokio::spawn(writer.run(stop.clone()));
    assert!(work.await.iter().all(Result::is_ok));
    stop.cancel();
    running.await.unwrap();
    assert_eq!(rows(&kept).await, 1_500);
}

#[tokio::test]
async fn calls_over_a_pipe_wait_for_no_batch() {
    let kept = Fixture::new().await;
    let (store, _idle) = batched(&kept);
    for door in [Door::Stdio, Door::Cli] {
        store.record(&outcome(door)).await.unwrap();
    }
    assert_eq!(rows(&kept).await, 2);
}

#[tokio::test]
async fn a_row_that_is_refused_takes_no_other_with_it() {
    let kept = Fixture::new().await;
    let (store, writer) = batched(&kept);
    let mut outcomes = outcomes(3);
    outcomes[1].attempts[1].n = 1;
    let stop = CancellationToken::new();
    let work = join_all(outcomes.iter().map(|outcome| store.record(outcome)));
    let (written, ()) = tokio::join!(async { (work.await, stop.cancel()).0 }, writer.run(stop.clone()));
    assert_eq!(written.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    assert_eq!(rows(&kept).await, 2);
}

#[tokio::test]
async fn a_locked_database_keeps_the_batch_until_it_is_free() {
    let kept = Fixture::new().await;
    let (store, writer) = batched(&kept);
    let options = SqliteConnectOptions::new().filename(kept.path());
    let mut other = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let (outcomes, stop, begun) = (outcomes(10), CancellationToken::new(), Instant::now());
    let work = join_all(outcomes.iter().map(|outcome| store.record(outcome)));
    let free = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    };
    let written = async { (work.await, stop.cancel()).0 };
    let (written, (), ()) = tokio::join!(written, writer.run(stop.clone()), free);
    assert!(written.iter().all(Result::is_ok) && begun.elapsed() >= Duration::from_millis(300));
    assert_eq!(rows(&kept).await, 10);
}
