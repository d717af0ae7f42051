//! A database of an older taskgate with a ledger in it: opened by this one, it says the same.

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, SqliteConnection};

use super::usage::{modest, outcomes, rows};
use super::*;
use crate::request::{AttemptKind, Outcome};
use crate::store::{Dimension, Stretch};

/// The last version that had no hours, and no sum of what the cache saved.
const WITHOUT_HOURS: usize = 8;

/// The same ledger as that version would have left it.
async fn as_left_by(version: usize, kept: &Fixture) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("taskgate.db");
    let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let mut old = SqliteConnection::connect_with(&options).await.unwrap();
    crate::store::migrate::migrate_to(version, &mut old).await.unwrap();
    sqlx::query("ATTACH ? AS now").bind(kept.path().to_str().unwrap()).execute(&mut old).await.unwrap();
    for table in ["requests", "attempts", "rollups"] {
        let columns = sqlx::query_scalar("SELECT name FROM pragma_table_info(?, 'main')").bind(table);
        let columns: Vec<String> = columns.fetch_all(&mut old).await.unwrap();
        let columns = columns.join(", ");
        let copy = format!("INSERT INTO main.{table} ({columns}) SELECT {columns} FROM now.{table}");
        sqlx::raw_sql(AssertSqlSafe(copy)).execute(&mut old).await.unwrap();
    }
    old.close().await.unwrap();
    Fixture { store: Store::open(&path).await.unwrap(), folder }
}

/// Takes away what that version could not keep.
fn could_be_kept_then(outcome: &mut Outcome) {
    outcome.kept_back = None;
    for attempt in &mut outcome.attempts {
        attempt.budget = None;
        // It counted escalations that were never made; what becomes of them is another test's matter.
        if attempt.kind == AttemptKind::Escalation && !attempt.was_sent() {
            attempt.kind = AttemptKind::Fallback;
        }
    }
}

#[tokio::test]
async fn a_ledger_from_before_the_hours_has_the_same_rows_and_sums() {
    let mut runner = TestRunner::deterministic();
    for _ in 0..10 {
        let mut outcomes = modest(outcomes().new_tree(&mut runner).unwrap().current());
        outcomes.iter_mut().for_each(could_be_kept_then);
        let kept = Fixture::new().await;
        kept.store.record_all(&outcomes).await.unwrap();
        let old = as_left_by(WITHOUT_HOURS, &kept).await;
        assert_eq!(rows(&old).await, rows(&kept).await);
        let all = i64::try_from(outcomes.len()).unwrap();
        let hours: i64 = sqlx::query_scalar("SELECT sum(requests) FROM totals WHERE span = 3600")
            .fetch_one(&old.store.reader)
            .await
            .unwrap();
        assert_eq!(hours, all);
        let read = async |from: &Fixture| from.store.outcomes_after(0, 100).await.unwrap();
        assert_eq!(read(&old).await, read(&kept).await);
        // It goes on from there: the next row is in the sums of both.
        let mut next = outcomes[0].clone();
        next.id = crate::request::RequestId(uuid::Uuid::now_v7());
        old.store.record(&next).await.unwrap();
        let sums = old.store.usage(Stretch::since(moment(-10_000)), &[Dimension::Status]).await.unwrap();
        let requests: u64 = sums.values().map(|sums| sums.requests).sum();
        assert_eq!(i64::try_from(requests).unwrap(), all + 1);
    }
}
