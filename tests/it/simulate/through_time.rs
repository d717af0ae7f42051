//! Pass rates and budgets in a replay, by the built program over a real database.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use taskgate::request::{AttemptResult, Outcome, RequestId};
use taskgate::store::Store;

use super::{Ledger, policy, row, share};
use crate::policies::noon;

const MINUTES: i64 = 10;

/// A ledger of nothing but the call that was rejected at the local model, which took five seconds for it, and accepted
/// at the hosted one: so many of them, ten minutes apart, the last an hour ago.
async fn rejected(times: i64) -> Ledger {
    let ledger = Ledger::filled(1).await;
    let store = Store::open(&ledger.home.database()).await.unwrap();
    let real = store.outcomes_after(0, 100).await.unwrap().into_iter().map(|it| it.outcome);
    let mut model: Outcome = real.into_iter().find(|outcome| outcome.attempts.len() == 2).unwrap();
    assert_eq!(model.attempts[0].result, AttemptResult::Rejected);
    model.attempts[0].latency = Duration::from_secs(5);
    let now = Timestamp::now();
    let at = |n: i64| now - SignedDuration::from_mins(60 + (times - n) * MINUTES);
    let copies = (0..times).map(|n| {
        let mut copy = Outcome { id: RequestId(uuid::Uuid::now_v7()), at: at(n), ..model.clone() };
        copy.attempts.iter_mut().for_each(|attempt| attempt.started_at = at(n));
        copy
    });
    store.record_all(&copies.collect::<Vec<_>>()).await.unwrap();
    store.close().await;
    ledger
}

fn write(ledger: &Ledger, new: &str) {
    std::fs::write(ledger.home.path("new.yaml"), new).unwrap();
}

fn through_time<'a>(report: &'a Value, subject: &str) -> &'a Value {
    report["through_time"].as_array().unwrap().iter().find(|told| told["subject"] == subject).unwrap()
}

fn without_explore(threshold: f64) -> String {
    policy(threshold).replace("classifier: {", "classifier: { explore: 0%,")
}

#[tokio::test]
async fn a_tier_whose_recorded_answers_were_rejected_is_passed_over_as_it_would_have_been() {
    let ledger = rejected(60).await;
    write(&ledger, &without_explore(0.9));
    let report = ledger.simulate(&["--json"]).await.json();
    // Nine checks come before eight count; the five calls that made the ledger stand at its end.
    let passed = through_time(&report, "new")["passed_over"].as_u64().unwrap();
    assert!((50..=56).contains(&passed), "{report}");
    assert_eq!(share(row(&report, "new"), "hosted"), passed as f64 / 65.0);
    let present = through_time(&report, "present");
    let (over, explored) = (present["passed_over"].as_u64().unwrap(), present["explored"].as_u64().unwrap());
    assert_eq!(over + explored, passed, "the present one explores: {report}");
    assert_eq!(share(row(&report, "recorded"), "hosted"), 0.0);
    let escalations = |subject| row(&report, subject)["escalations"]["value"].as_f64().unwrap();
    assert!(escalations("new") < 0.2 && escalations("recorded") > 0.9, "{report}");
    let again = ledger.simulate(&["--json"]).await.json();
    assert_eq!(
        (&again["rows"], &again["through_time"]),
        (&report["rows"], &report["through_time"]),
        "nothing is random"
    );
    let said = ledger.simulate(&[]).await.out;
    assert!(said.contains("questions begin above a tier whose answers are mostly rejected"), "{said}");
}

#[tokio::test]
async fn a_small_budget_caps_what_a_policy_costs_and_says_from_when_on() {
    let ledger = rejected(60).await;
    // The rows are of the last eleven hours: all of one month.
    let all_hosted = without_explore(0.0).replace("Asia/Kathmandu", &noon());
    write(&ledger, &all_hosted);
    let unlimited = ledger.simulate(&["--json"]).await.json();
    let cost = |report: &Value, subject: &str| row(report, subject)["cost_nanousd"].as_i64().unwrap();
    // 60 of the real call, and the five that were never asked of it cost about as much.
    assert!(cost(&unlimited, "new") > 60 * 2_300_000, "{unlimited}");
    assert_eq!(through_time(&unlimited, "new")["budgets"], json!([]));
    for (when_spent, rejects, said) in [
        ("free_only", false, "kept back, and their requests left to free models"),
        ("reject", true, "kept back, which ends their requests"),
    ] {
        let budget = format!(
            "budgets:\n  - {{ name: small, scope: \"model:gpt-4o\", limit_usd: 0.06, per: month, when_spent: {when_spent} }}\n"
        );
        write(&ledger, &format!("{all_hosted}{budget}"));
        let report = ledger.simulate(&["--json"]).await.json();
        let small = &through_time(&report, "new")["budgets"][0];
        let (periods, spent) = (small["periods"].as_u64().unwrap(), small["spent"].as_array().unwrap());
        assert!(periods <= 2 && spent.len() as u64 <= periods && !spent.is_empty(), "{small}");
        assert!(cost(&report, "new") <= periods as i64 * 60_000_000, "{report}");
        assert!(cost(&report, "new") < cost(&unlimited, "new") / 2 * periods as i64, "{report}");
        let kept_back: f64 = spent.iter().map(|period| period["kept_back"].as_f64().unwrap()).sum();
        assert!(kept_back > 25.0 && small["rejects"] == json!(rejects), "{small}");
        let checked = row(&report, "new")["checked"]["value"].as_f64().unwrap();
        assert!(checked < 0.9, "the local model's answers to these are rejected: {report}");
        assert_eq!(cost(&report, "all_highest"), cost(&unlimited, "all_highest"), "the bound knows no budget");
        let codes = report["unknowns"].as_array().unwrap();
        assert!(codes.iter().any(|unknown| unknown["code"] == "budgets"), "{report}");
        let text = ledger.simulate(&[]).await.out.replace("\n    ", " ");
        assert!(text.contains("new: budget `small` ($0.06 a month) runs out in") && text.contains(said), "{text}");
    }
}
