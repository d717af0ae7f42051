//! Forgetting: what is too old goes in small steps, whole, and the sums over it stay.

use super::ledger::some_outcome;
use super::*;
use crate::request::Outcome;
use crate::store::{Dimension, Stretch};

fn outcome_at(minute: i64) -> Outcome {
    Outcome { at: moment(minute), ..some_outcome(vec![("a", 5, minute), ("b", 7, minute)]) }
}

async fn count(kept: &Fixture, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(&kept.store.reader).await.unwrap()
}

#[tokio::test]
async fn what_is_too_old_goes_a_few_at_a_time_and_the_sums_stay() {
    let kept = Fixture::new().await;
    let outcomes: Vec<Outcome> = [50, 10, 40, 20, 30].map(outcome_at).to_vec();
    kept.store.record_all(&outcomes).await.unwrap();
    let everything = Stretch::since(moment(0));
    let before = kept.store.usage(everything, &[Dimension::Model]).await.unwrap();
    assert_eq!(kept.store.forget_before(moment(40), 2).await.unwrap(), 2, "the oldest two");
    assert_eq!(count(&kept, "SELECT count(*) FROM attempts").await, 6);
    assert_eq!(kept.store.forget_before(moment(40), 2).await.unwrap(), 1);
    assert_eq!(kept.store.forget_before(moment(40), 2).await.unwrap(), 0, "what is as old as that stays");
    let left: Vec<_> = kept.store.outcomes_after(0, 10).await.unwrap().into_iter().map(|row| row.outcome).collect();
    assert_eq!(left, [outcomes[0].clone(), outcomes[2].clone()]);
    assert_eq!(count(&kept, "SELECT count(*) FROM attempts").await, 4);
    assert_eq!(kept.store.usage(everything, &[Dimension::Model]).await.unwrap(), before);
}
