//! A process that writes batches and is killed: what it was told to be written is there, whole, and the sums fit.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio_util::sync::CancellationToken;

use super::ledger::some_outcome;
use super::usage::{make_again, rows};
use super::*;
use crate::request::{Door, Outcome, RequestId};

/// Tells a child which database to write to. A child without it has nothing to do.
const DATABASE: &str = "TASKGATE_TEST_BATCHES";
/// How often, and how it is chosen when; both are printed when it fails.
const ROUNDS: &str = "TASKGATE_KILL_ROUNDS";
const SEED: &str = "TASKGATE_KILL_SEED";
const AT_ONCE: usize = 40;

fn child(path: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "store::tests::kill::as_a_child_record_requests", "--nocapture"])
        .env(DATABASE, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// As a server does: many at once, each told when its row is written.
#[tokio::test]
async fn as_a_child_record_requests() {
    let Ok(path) = std::env::var(DATABASE) else { return };
    let (store, writer) = Store::open(Path::new(&path)).await.unwrap().in_batches();
    let record = || async {
        let mut outcome: Outcome = some_outcome(vec![("a", 3, 0), ("b", 4, 0)]);
        (outcome.signals.door, outcome.at) = (Door::HttpChat, moment(0));
        store.record(&outcome).await.unwrap();
        outcome.id
    };
    let work = async {
        let mut under_way: FuturesUnordered<_> = (0..AT_ONCE).map(|_| record()).collect();
        while let Some(RequestId(written)) = under_way.next().await {
            writeln!(std::io::stdout(), "written {written}").unwrap();
            under_way.push(record());
        }
    };
    tokio::join!(work, writer.run(CancellationToken::new()));
}

/// What the child said was written until it was killed, which is after so many lines and so long.
fn killed(path: &Path, lines: usize, after: Duration) -> Vec<String> {
    let mut child = child(path);
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut written: Vec<String> = Vec::new();
    let mut read = |written: &mut Vec<String>| {
        let line = output.next()?.ok()?;
        written.extend(line.strip_prefix("written ").map(str::to_owned));
        Some(())
    };
    while written.len() < lines {
        read(&mut written).expect("the child goes on until it is killed");
    }
    std::thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
    while read(&mut written).is_some() {}
    written
}

#[tokio::test]
async fn killing_a_server_loses_no_row_that_it_was_told_of_and_leaves_whole_ones_only() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let (rounds, seed) = (number(ROUNDS).unwrap_or(10), number(SEED).unwrap_or_else(|| fastrand::u64(..)));
    let again = format!("again with {SEED}={seed} {ROUNDS}={rounds}");
    let mut random = fastrand::Rng::with_seed(seed);
    let kept = Fixture::new().await;
    for round in 0..rounds {
        let (lines, after) = (random.usize(1..200), Duration::from_micros(random.u64(..60_000)));
        let (path, store) = (kept.path(), &kept.store);
        let written = tokio::task::spawn_blocking(move || killed(&path, lines, after)).await.unwrap();
        let ids: std::collections::BTreeSet<String> =
            sqlx::query_scalar("SELECT id FROM requests").fetch_all(&store.reader).await.unwrap().into_iter().collect();
        // The last line may be a half.
        let lost: Vec<&String> = written.iter().filter(|id| id.len() == 36 && !ids.contains(*id)).collect();
        assert!(lost.is_empty(), "round {round}: {lost:?}, {again}");
        let broken: i64 = sqlx::query_scalar(
            "SELECT (SELECT count(*) FROM requests r WHERE attempts <> (SELECT count(*) FROM attempts WHERE request = r.id)) \
             + (SELECT count(*) FROM attempts WHERE request NOT IN (SELECT id FROM requests))",
        )
        .fetch_one(&store.reader)
        .await
        .unwrap();
        let check: String = sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&store.reader).await.unwrap();
        assert_eq!((broken, check.as_str()), (0, "ok"), "round {round}, {again}");
    }
    let along_the_way = rows(&kept).await;
    make_again(&kept).await;
    assert_eq!(along_the_way, rows(&kept).await, "{again}");
}
