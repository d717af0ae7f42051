//! Recorded traffic, as a replay reads it: in order, of the time that is asked for, with each attempt at its request.

use super::ledger::some_outcome;
use super::*;
use crate::chat::UsageSource;
use crate::request::Outcome;
use crate::store::{PastAttempt, PastRequest, TrafficSpan};

fn at_minute(minute: i64, attempts: Vec<(&str, i64, i64)>) -> Outcome {
    Outcome { at: moment(minute), ..some_outcome(attempts) }
}

fn as_read(seq: i64, outcome: &Outcome) -> PastRequest {
    let attempts = outcome.attempts.iter().map(|attempt| PastAttempt {
        model: attempt.model.clone(),
        kind: attempt.kind,
        result: attempt.result,
        usage: (attempt.usage_source != UsageSource::Unknown).then_some(attempt.usage),
        started_at: attempt.started_at,
        latency: attempt.latency,
    });
    PastRequest {
        seq,
        id: outcome.id.to_string(),
        at: outcome.at,
        policy_hash: outcome.policy_hash.clone(),
        tier_wanted: outcome.decision.tier.clone(),
        status: outcome.status,
        answered: outcome.model.is_some(),
        cost: outcome.cost,
        signals: serde_json::to_string(&outcome.signals).unwrap(),
        attempts: attempts.collect(),
    }
}

#[tokio::test]
async fn what_is_read_is_what_was_recorded() {
    let kept = Fixture::new().await;
    let mut outcomes = vec![
        at_minute(0, vec![("small", 0, 0)]),
        at_minute(5, vec![("small", 0, 5), ("big", 70, 5)]),
        at_minute(6, vec![]),
        at_minute(7, vec![("big", 7, 7)]),
    ];
    outcomes[3].attempts[0].usage_source = UsageSource::Unknown;
    for outcome in &outcomes {
        kept.store.record(outcome).await.unwrap();
    }
    let all = kept.store.traffic(1..=4, moment(0)).await.unwrap();
    let expected: Vec<PastRequest> = (1..).zip(&outcomes).map(|(seq, outcome)| as_read(seq, outcome)).collect();
    assert_eq!(all, expected);
    assert_eq!(all[3].attempts[0].usage, None);
    assert_eq!(kept.store.traffic(2..=3, moment(0)).await.unwrap(), expected[1..3]);
    assert_eq!(kept.store.traffic(1..=4, moment(6)).await.unwrap(), expected[2..]);
}

#[tokio::test]
async fn a_span_tells_which_rows_a_time_reaches_back_to() {
    let kept = Fixture::new().await;
    assert_eq!(kept.store.traffic_span(moment(0)).await.unwrap(), None);
    for minute in [0, 5, 6] {
        kept.store.record(&at_minute(minute, vec![])).await.unwrap();
    }
    assert_eq!(kept.store.traffic_span(moment(1)).await.unwrap(), Some(TrafficSpan { first: 2, last: 3, requests: 2 }));
    assert_eq!(kept.store.traffic_span(moment(7)).await.unwrap(), None);
}
