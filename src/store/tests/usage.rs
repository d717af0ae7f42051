//! The rollups: always what the rows of the ledger come to, whoever wrote them and whatever stretch is asked for.

use jiff::ToSpan;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use sqlx::Row;

use super::ledger::{outcome, some_outcome};
use super::*;
use crate::chat::{NanoUsd, Tokens};
use crate::request::{Outcome, answering};
use crate::store::{Dimension, Groups, Stretch, Sums};

/// The steps that make the sums of the rows.
const MIGRATIONS: [&str; 4] = [
    "DROP TABLE rollups; DROP TABLE totals",
    include_str!("../migrations/0003_rollups.sql"),
    include_str!("../migrations/0009_totals.sql"),
    include_str!("../migrations/0012_escalations.sql"),
];

/// A few days in which several outcomes meet in one quarter of an hour.
pub(super) fn outcomes() -> impl Strategy<Value = Vec<Outcome>> {
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
    let mut rows = Vec::new();
    for table in ["rollups", "totals"] {
        let columns = sqlx::query_scalar("SELECT name FROM pragma_table_info(?)").bind(table);
        let columns: Vec<String> = columns.fetch_all(&kept.store.reader).await.unwrap();
        let sql = format!("SELECT concat_ws('|', '{table}', {}) FROM {table} ORDER BY 1", columns.join(", "));
        let found = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_all(&kept.store.reader);
        rows.extend::<Vec<String>>(found.await.unwrap());
    }
    rows
}

/// The sums as the steps of the schema make them of the rows, not as they were written along the way.
pub(super) async fn make_again(kept: &Fixture) {
    let mut write = kept.store.write().await.unwrap();
    for step in MIGRATIONS {
        sqlx::raw_sql(step).execute(&mut *write).await.unwrap();
    }
    write.commit().await.unwrap();
}

/// What these outcomes come to in a stretch, by plain arithmetic.
fn expected(outcomes: &[Outcome], over: Stretch) -> Found {
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
        sum(&mut requests.iter().map(|outcome| outcome.saved.0)),
    ];
    (requests.len() as u64, attempts.len() as u64, money)
}

/// Amounts whose sums fit, so that plain arithmetic can be compared with.
pub(super) fn modest(outcomes: Vec<Outcome>) -> Vec<Outcome> {
    with_amounts(outcomes, |amount| amount >> 16)
}

/// Amounts whose sums stay at the bound once they are there, in whatever order they are added up.
fn positive(outcomes: Vec<Outcome>) -> Vec<Outcome> {
    with_amounts(outcomes, i64::saturating_abs)
}

fn with_amounts(mut outcomes: Vec<Outcome>, amount: fn(i64) -> i64) -> Vec<Outcome> {
    for outcome in &mut outcomes {
        outcome.counterfactual = outcome.counterfactual.map(|money| NanoUsd(amount(money.0)));
        outcome.saved = NanoUsd(amount(outcome.saved.0));
        outcome.attempts.iter_mut().for_each(|attempt| attempt.cost = NanoUsd(amount(attempt.cost.0)));
    }
    outcomes
}

type Found = (u64, u64, Vec<i64>);

fn found(sums: Sums) -> Found {
    (sums.requests, sums.attempts, vec![sums.cost.0, sums.wasted.0, sums.counterfactual.0, sums.saved.0])
}

/// Zones of all kinds, each with a day before its clocks change, if they do.
const ZONES: [(&str, &str); 7] = [
    ("UTC", "2026-11-20T00:00:00Z"),
    ("Asia/Kathmandu", "2026-11-20T00:00:00Z"),
    ("Asia/Kolkata", "2026-11-20T00:00:00Z"),
    ("Europe/Berlin", "2026-10-23T20:00:00Z"),
    ("America/St_Johns", "2026-10-30T12:00:00Z"),
    ("Pacific/Chatham", "2026-09-24T12:00:00Z"),
    ("Australia/Lord_Howe", "2026-10-01T12:00:00Z"),
];

/// The same outcomes, as if the tests' time had begun then.
fn begun_at(mut outcomes: Vec<Outcome>, begin: &str) -> Vec<Outcome> {
    let later = begin.parse::<Timestamp>().unwrap().duration_since(moment(0));
    for outcome in &mut outcomes {
        outcome.at += later;
        outcome.attempts.iter_mut().for_each(|attempt| attempt.started_at += later);
    }
    outcomes
}

fn total(groups: Groups) -> Sums {
    groups.into_values().sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_kept_along_the_way_is_what_the_migrations_make_of_the_rows(
        outcomes in prop_oneof![outcomes().prop_map(positive), outcomes().prop_map(modest)], size in 1_usize..5,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let kept = Fixture::new().await;
            for batch in outcomes.chunks(size) {
                kept.store.record_all(batch).await.unwrap();
            }
            let along_the_way = rows(&kept).await;
            make_again(&kept).await;
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

    #[test]
    fn a_day_of_any_zone_is_the_sum_of_what_happened_on_it(
        outcomes in outcomes().prop_map(modest), zone in proptest::sample::select(&ZONES[..]),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let ((zone, begin), kept) = (zone, Fixture::new().await);
            let outcomes = begun_at(outcomes, begin);
            kept.store.record_all(&outcomes).await.unwrap();
            let zone = TimeZone::get(zone).unwrap();
            let first = begin.parse::<Timestamp>().unwrap().to_zoned(zone.clone()).date();
            let days: Vec<Stretch> =
                Stretch::days(first, first + 6.days(), &zone).into_iter().map(|(_, day)| day).collect();
            let whole = Stretch::between(days[0].from(), days[6].until());
            let (by_status, by_tool) = ([Dimension::Model, Dimension::Status], [Dimension::Tool]);
            let mut asked: Vec<(Stretch, &[Dimension])> = days.iter().map(|day| (*day, &by_status[..])).collect();
            asked.push((whole, &by_tool));
            let mut groups = kept.store.usage_of(&asked).await.unwrap();
            assert_eq!(found(total(groups.pop().unwrap())), expected(&outcomes, whole));
            for (day, groups) in days.into_iter().zip(groups) {
                assert_eq!(found(total(groups)), expected(&outcomes, day), "{day:?} of {zone:?}");
            }
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
async fn the_first_use_is_known_to_the_quarter_of_an_hour() {
    let kept = Fixture::new().await;
    assert_eq!(kept.store.first_use().await.unwrap(), None);
    let outcomes: Vec<Outcome> = (0..3).map(|_| some_outcome(vec![("a", 1, 0)])).collect();
    kept.store.record_all(&outcomes).await.unwrap();
    let first: i64 = sqlx::query("SELECT min(start) AS first FROM rollups WHERE span = 900")
        .fetch_one(&kept.store.reader)
        .await
        .unwrap()
        .get("first");
    assert_eq!(kept.store.first_use().await.unwrap().map(Timestamp::as_second), Some(first));
}
