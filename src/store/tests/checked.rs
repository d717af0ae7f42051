//! What pass rates are read from: checked answers alone, the newest of them, counted by the hour.

use std::time::Duration;

use super::ledger::some_outcome;
use super::*;
use crate::chat::{Tokens, Usage};
use crate::request::{AttemptResult, Outcome, Target};

/// A request in this minute whose answer ended like this.
fn asked(minute: i64, result: AttemptResult) -> Outcome {
    let mut outcome = some_outcome(vec![("small", 0, 0)]);
    outcome.signals.target = Target::Tool("plan_sprint".into());
    outcome.signals.prompt_version = "3".into();
    outcome.attempts[0].started_at = moment(minute);
    outcome.attempts[0].result = result;
    outcome.attempts[0].latency = Duration::from_millis(1_500);
    outcome.attempts[0].usage = Usage { input: Tokens(100), cached_input: Tokens(0), output: Tokens(10) };
    outcome
}

#[tokio::test]
async fn accepted_and_rejected_answers_are_counted_and_nothing_else() {
    let fixture = Fixture::new().await;
    let results = AttemptResult::ALL.iter().map(|result| asked(1, *result));
    let later = asked(70, AttemptResult::Accepted);
    let mut other = asked(2, AttemptResult::Rejected);
    other.signals.prompt_version = "4".into();
    fixture.store.record_all(&results.chain([later, other]).collect::<Vec<_>>()).await.unwrap();
    let mut checked = fixture.store.checked(moment(0)..Timestamp::MAX, 1_000).await.unwrap();
    checked.sort_by_key(|checked| (checked.prompt_version.clone(), checked.at));
    let found: Vec<_> = checked.iter().map(|some| (some.prompt_version.as_str(), some.passed, some.rejected)).collect();
    assert_eq!(found, [("3", 1, 1), ("3", 1, 0), ("4", 0, 1)], "{checked:?}");
    assert_eq!((checked[0].at, checked[0].latency), (moment(1), Duration::from_secs(3)));
    assert_eq!((checked[0].usage.input, checked[0].usage.output), (Tokens(200), Tokens(20)));
    let newest = fixture.store.checked(moment(0)..Timestamp::MAX, 1).await.unwrap();
    assert_eq!((newest.len(), newest[0].at), (1, moment(70)));
    let before = fixture.store.checked(moment(0)..moment(2), 1_000).await.unwrap();
    assert_eq!(before.iter().map(|some| some.passed + some.rejected).collect::<Vec<_>>(), [2], "up to that moment");
    assert!(fixture.store.checked(moment(71)..Timestamp::MAX, 1_000).await.unwrap().is_empty());
}

#[tokio::test]
async fn rows_from_before_the_wording_was_written_down_count_for_nothing() {
    let fixture = Fixture::new().await;
    fixture.store.record(&asked(1, AttemptResult::Rejected)).await.unwrap();
    let mut write = fixture.store.write().await.unwrap();
    sqlx::raw_sql("UPDATE requests SET prompt_version = NULL").execute(&mut *write).await.unwrap();
    write.commit().await.unwrap();
    assert!(fixture.store.checked(moment(0)..Timestamp::MAX, 1_000).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_newest_are_found_by_their_index() {
    let fixture = Fixture::new().await;
    let plan = "EXPLAIN QUERY PLAN SELECT a.*, r.tool, r.prompt_version FROM attempts a JOIN requests r ON r.id = a.request \
         WHERE a.result IN ('accepted', 'rejected') AND a.started_at >= '2026' AND a.started_at < '2027' ORDER BY a.started_at DESC LIMIT 5000";
    let rows = sqlx::query(plan).fetch_all(&fixture.store.reader).await.unwrap();
    let steps: Vec<String> = rows.iter().map(|row| sqlx::Row::get(row, "detail")).collect();
    assert!(steps[0].contains("attempts_checked"), "{steps:?}");
    assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE")), "no sorting: {steps:?}");
}
