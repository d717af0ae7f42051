//! What the page shows beside sums: the last decisions, how models were seen, which policies are followed.

use std::time::Duration;

use sqlx::Row;

use super::*;
use crate::names::ModelName;

/// Records a request of each of these tiers, `none` for logic alone.
async fn record(fixture: &Fixture, tiers: &[&str]) {
    for (n, tier) in (0..).zip(tiers) {
        let mut outcome = super::ledger::some_outcome(vec![("one", n, 5), ("two", n, 7)]);
        outcome.at = moment(n);
        outcome.decision.tier = (*tier).into();
        fixture.store.record(&outcome).await.unwrap();
    }
}

#[tokio::test]
async fn the_last_decisions_are_whole_newest_first_and_skip_what_wanted_no_model() {
    let fixture = Fixture::new().await;
    record(&fixture, &["local", "none", "hosted", "none", "local", "none"]).await;
    let last = fixture.store.last_decisions(2).await.unwrap();
    assert_eq!(last.iter().map(|outcome| outcome.at).collect::<Vec<_>>(), [moment(4), moment(2)]);
    for outcome in &last {
        assert_eq!(*outcome, fixture.store.outcome(outcome.id).await.unwrap());
    }
    assert_eq!(fixture.store.last_decisions(20).await.unwrap().len(), 3);
}

#[tokio::test]
async fn the_last_decisions_are_found_without_reading_the_rest() {
    let fixture = Fixture::new().await;
    let plan = "EXPLAIN QUERY PLAN SELECT * FROM requests WHERE tier_wanted <> 'none' ORDER BY seq DESC LIMIT 20";
    let plan = sqlx::query(plan).fetch_all(&fixture.store.reader).await.unwrap();
    let steps: Vec<&str> = plan.iter().map(|step| step.get("detail")).collect();
    assert_eq!(steps, ["SCAN requests USING INDEX requests_that_wanted_a_model"]);
}

#[tokio::test]
async fn models_are_known_as_they_were_seen_last() {
    let fixture = Fixture::new().await;
    let (one, two) = (ModelName::from("one"), ModelName::from("two"));
    fixture.store.keep_health(&one, Some(moment(9)), moment(0)).await.unwrap();
    fixture.store.keep_health(&two, Some(moment(9)), moment(0)).await.unwrap();
    fixture.store.keep_health(&two, None, moment(1)).await.unwrap();
    let seen = fixture.store.seen_health().await.unwrap();
    let seen: Vec<_> = seen.into_iter().map(|seen| (seen.model, seen.open_until)).collect();
    assert_eq!(seen, [(one, Some(moment(9))), (two, None)]);
}

#[tokio::test]
async fn only_processes_that_go_on_follow_a_policy() {
    let fixture = Fixture::new().await;
    let second = |number| moment(0) + Duration::from_secs(number);
    for (policy, beats) in [("ended", vec![]), ("gone", vec![1]), ("old", vec![1, 60]), ("new", vec![70])] {
        fixture.store.register_process(7, "mcp", policy, second(0)).await.unwrap();
        for beat in beats {
            fixture.store.heartbeat(second(beat), policy, None, 0).await.unwrap();
        }
    }
    assert_eq!(fixture.store.followed_policies(second(30)).await.unwrap(), ["old", "new"]);
    assert_eq!(fixture.store.followed_policies(second(0)).await.unwrap(), ["gone", "old", "new"]);
}
