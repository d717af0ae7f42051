//! The rollups: always what the rows of the ledger come to, whoever wrote them and whatever stretch is asked for.

use proptest::prelude::*;
use sqlx::Row;

use super::ledger::{outcome, some_outcome};
use super::*;
use crate::chat::{NanoUsd, Tokens};
use crate::request::{Outcome, answering};
use crate::store::{Dimension, Groups, Stretch, Sums};

pub(super) const MIGRATION: &str = include_str!("../migrations/0003_rollups.sql");

/// A few days in which several outcomes meet in one quarter of an hour.
fn outcomes() -> impl Strategy<Value = Vec<Outcome>> {
    let minutes = || prop_oneof![0_i64..30, 0_i64..6_000];
    let placed =
        (outcome(), minutes(), proptest::collection::vec(minutes(), 4)).prop_map(|(mut outcome, at, started)| {
            outcome.at = moment(at);
            for (attempt, minute) in outcome.attempts.iter_mut().zip(started) {
                attempt.started_at = moment(minute);
            }
            outcome
        });
    proptest::collection::vec(placed, 1..12)
}

pub(super) async fn rows(kept: &Fixture) -> Vec<String> {
    let columns: Vec<String> = sqlx::query_scalar("SELECT name FROM pragma_table_info('rollups')")
        .fetch_all(&kept.store.reader)
        .await
        .unwrap();
    let sql = format!("SELECT concat_ws('|', {}) FROM rollups ORDER BY 1", columns.join(", "));
    sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_all(&kept.store.reader).await.unwrap()
}

/// What these outcomes come to in a stretch, by plain arithmetic.
fn expected(outcomes: &[Outcome], over: Stretch) -> (u64, u64, Vec<i64>) {
    let within = |at: Timestamp| (over.from()..over.until()).contains(&at);
    let requests: Vec<_> = outcomes.iter().filter(|outcome| within(outcome.at)).collect();
    let attempts = outcomes.iter().flat_map(|outcome| {
        let bought = answering(outcome.status, &outcome.attempts).map(|attempt| attempt.n);
        outcome.attempts.iter().map(move |attempt| (attempt, bought == Some(attempt.n)))
    });
    let attempts: Vec<_> = attempts.filter(|(attempt, _)| within(attempt.started_at)).collect();
    let sum = |amounts: &mut dyn Iterator<Item = i64>| amounts.sum::<i64>();
    let money = vec![
        sum(&mut attempts.iter().map(|(attempt, _)| attempt.cost.0)),
        sum(&mut attempts.iter().filter(|(_, bought)| !bought).map(|(attempt, _)| attempt.cost.0)),
        sum(&mut requests.iter().filter_map(|outcome| outcome.counterfactual).map(|amount| amount.0)),
    ];
    (requests.len() as u64, attempts.len() as u64, money)
}

/// Amounts whose sums fit, so that plain arithmetic can be compared with.
fn modest(mut outcomes: Vec<Outcome>) -> Vec<Outcome> {
    for outcome in &mut outcomes {
        outcome.counterfactual = outcome.counterfactual.map(|amount| NanoUsd(amount.0 >> 16));
        outcome.attempts.iter_mut().for_each(|attempt| attempt.cost = NanoUsd(attempt.cost.0 >> 16));
    }
    outcomes
}

fn total(groups: Groups) -> Sums {
    groups.into_values().sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_kept_along_the_way_is_what_the_migration_makes_of_the_rows(outcomes in outcomes(), size in 1_usize..5) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let kept = Fixture::new().await;
            for batch in outcomes.chunks(size) {
                kept.store.record_all(batch).await.unwrap();
            }
            let along_the_way = rows(&kept).await;
            let mut write = kept.store.write().await.unwrap();
            sqlx::raw_sql("DROP TABLE rollups").execute(&mut *write).await.unwrap();
            sqlx::raw_sql(MIGRATION).execute(&mut *write).await.unwrap();
            write.commit().await.unwrap();
            assert_eq!(along_the_way, rows(&kept).await);
        });
    }

    #[test]
    fn any_stretch_is_the_sum_of_what_happened_in_it(
        outcomes in outcomes().prop_map(modest), from in 0_i64..6_000, length in 0_i64..6_000,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let kept = Fixture::new().await;
            kept.store.record_all(&outcomes).await.unwrap();
            let over = Stretch::between(moment(from), moment(from + length));
            let found = |sums: Sums| {
                (sums.requests, sums.attempts, vec![sums.cost.0, sums.wasted.0, sums.counterfactual.0])
            };
            let whole = kept.store.usage(over, &[]).await.unwrap();
            assert_eq!(found(total(whole)), expected(&outcomes, over));
            for dimension in Dimension::ALL {
                let apart = kept.store.usage(over, &[*dimension]).await.unwrap();
                assert_eq!(found(total(apart)), expected(&outcomes, over), "by {}", dimension.as_str());
            }
            let parts = kept.store.usage_in(&over.parts(7), &[Dimension::Tier, Dimension::Status]).await.unwrap();
            assert_eq!(found(parts.into_iter().map(total).sum()), expected(&outcomes, over));
        });
    }
}

#[tokio::test]
async fn a_request_counts_under_the_model_that_answered_and_an_attempt_under_its_own() {
    use crate::request::{AttemptResult, Status};
    let kept = Fixture::new().await;
    let mut outcome = some_outcome(vec![("small", 5, 0), ("big", 70, 0)]);
    (outcome.at, outcome.status, outcome.model) = (moment(0), Status::Ok, Some("big".into()));
    outcome.signals.caller = "ann".to_owned();
    outcome.attempts[0].result = AttemptResult::Rejected;
    outcome.attempts[1].result = AttemptResult::Accepted;
    let mut logic = some_outcome(vec![]);
    (logic.at, logic.status, logic.model) = (moment(0), Status::Degraded, None);
    kept.store.record_all(&[outcome, logic]).await.unwrap();
    let models = kept.store.usage(Stretch::since(moment(0)), &[Dimension::Model]).await.unwrap();
    let seen: Vec<_> = models
        .iter()
        .map(|(names, sums)| (names[0].as_str(), sums.requests, sums.attempts, sums.cost.0, sums.wasted.0))
        .collect();
    assert_eq!(seen, [("", 1, 0, 0, 0), ("big", 1, 1, 70, 0), ("small", 0, 1, 5, 5)]);
    assert_eq!((models[&["big".to_owned()][..]].accepted, models[&["small".to_owned()][..]].rejected), (1, 1));
    let caller = kept.store.usage(Stretch::since(moment(0)), &[Dimension::Caller]).await.unwrap();
    assert_eq!(caller[&["ann".to_owned()][..]].cost, NanoUsd(75));
    assert_eq!(kept.store.usage(Stretch::since(moment(60)), &[]).await.unwrap(), Groups::new());
}

#[tokio::test]
async fn spend_sums_by_model_since_a_moment_and_never_overflows() {
    let kept = Fixture::new().await;
    let other = Store::open(&kept.path()).await.unwrap();
    // The tests' time begins 800 seconds into a quarter of an hour: the next but one begins between minutes 16 and 17.
    kept.store.record(&some_outcome(vec![("gpt", 100, 16), ("gpt", 7, 17), ("free", 0, 17)])).await.unwrap();
    other.record(&some_outcome(vec![("gpt", 5_000_000_000, 18), ("gpt", -3, 3_000)])).await.unwrap();
    let spend = kept.store.spend(moment(17)).await.unwrap();
    assert_eq!(spend, [("free".into(), NanoUsd(0)), ("gpt".into(), NanoUsd(5_000_000_004))]);
    kept.store.record(&some_outcome(vec![("gpt", i64::MAX, 4_000), ("gpt", i64::MAX, 4_000)])).await.unwrap();
    kept.store.record(&some_outcome(vec![("gpt", i64::MAX, 4_000)])).await.unwrap();
    assert_eq!(kept.store.spend(moment(3_900)).await.unwrap(), [("gpt".into(), NanoUsd(i64::MAX))]);
}

#[tokio::test]
async fn a_count_that_a_backend_made_up_leaves_the_sums_readable() {
    let kept = Fixture::new().await;
    for _ in 0..3 {
        let mut outcome = some_outcome(vec![("mad", 1, 0)]);
        outcome.attempts[0].usage.input = Tokens(i64::MAX as u64);
        kept.store.record(&outcome).await.unwrap();
    }
    let usage = kept.store.usage(Stretch::since(moment(0)), &[Dimension::Model]).await.unwrap();
    assert_eq!(usage[&["mad".to_owned()][..]].usage.input, Tokens(3 << 40));
}

#[tokio::test]
async fn the_newest_requests_come_first() {
    let kept = Fixture::new().await;
    assert_eq!(kept.store.latest_outcomes(2).await.unwrap(), []);
    assert_eq!(kept.store.first_use().await.unwrap(), None);
    let outcomes: Vec<Outcome> = (0..3).map(|_| some_outcome(vec![("a", 1, 0)])).collect();
    kept.store.record_all(&outcomes).await.unwrap();
    let newest = kept.store.latest_outcomes(2).await.unwrap();
    assert_eq!(newest.iter().map(|row| row.outcome.id).collect::<Vec<_>>(), [outcomes[2].id, outcomes[1].id]);
    let first: i64 = sqlx::query("SELECT min(start) AS first FROM rollups WHERE span = 900")
        .fetch_one(&kept.store.reader)
        .await
        .unwrap()
        .get("first");
    assert_eq!(kept.store.first_use().await.unwrap().map(Timestamp::as_second), Some(first));
}
