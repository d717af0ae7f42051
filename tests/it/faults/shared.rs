//! Equal questions at the same moment: one call answers them all, whoever leaves; and what was not paid twice is counted.

use serde_json::{Value, json};
use tokio::sync::watch;

use super::{POLICY, Scene};
use crate::upstream::{Reply, Step};

const HOSTED: &str = "gpt-4o";
const QUESTION: &str = "plan_sprint";
const PRICE: i64 = 100 * 2_500 + 20 * 10_000;

const PLAN: &str =
    r#"{"plan": "We begin with TASK-0001, the budget review, and have time to spare.", "risks": [], "swaps": []}"#;

/// The hosted model answers when it is told to, and answers are kept.
async fn scene() -> (Scene, watch::Sender<bool>) {
    let scene = Scene::both(&POLICY.replace("cache: { ttl: 0s }", "cache: { ttl: 10m }")).await;
    let (go, hold) = watch::channel(false);
    let answer = Step::Reply(Reply::new(PLAN).usage(100, 20));
    scene.hosted_model().then(Step::Once(hold, Box::new(answer)));
    (scene, go)
}

/// Asks twice; the second question waits for the answer to the first.
async fn two_ask(scene: &mut Scene) -> (i64, i64) {
    let arguments = || json!({ "sprint_name": "Sprint 1" });
    let first = scene.session.ask(QUESTION, arguments()).await;
    scene.upstream.wait_for(1).await;
    let second = scene.session.ask_for_progress(QUESTION, arguments()).await;
    scene.session.told("Waiting for the answer to the same question").await;
    (first, second)
}

fn planned(response: &Value) -> (&Value, &Value, &Value) {
    let result = &response["result"]["structuredContent"];
    (&result["status"], &result["routing"]["cached"], &result["routing"]["cost_usd"])
}

#[tokio::test]
async fn two_equal_calls_at_once_are_one_call_upstream() {
    let (mut scene, go) = scene().await;
    let (first, second) = two_ask(&mut scene).await;
    go.send(true).unwrap();
    let (first, second) = (scene.session.response(first).await, scene.session.response(second).await);
    assert_eq!(planned(&first), (&json!("ok"), &json!(false), &json!(0.00045)));
    assert_eq!(planned(&second), (&json!("ok"), &json!(true), &json!(0.0)));
    let third = scene.session.call(QUESTION, json!({ "sprint_name": "Sprint 1" })).await.result();
    assert_eq!((&third["status"], &third["routing"]["cached"]), (&json!("ok"), &json!(true)));
    assert_eq!(scene.upstream.count(), 1);
    let ledger = scene.home.ledger().await;
    let kept = ledger.numbers("SELECT cache, saved FROM requests WHERE tier_wanted <> 'none' ORDER BY cache").await;
    let expected = [("hit", PRICE), ("miss", 0), ("shared", PRICE)];
    assert_eq!(kept, expected.map(|(cache, saved)| (cache.to_owned(), saved)));
    assert_eq!(ledger.number("SELECT sum(cost) FROM requests").await, PRICE, "paid once");
    scene.keeps_its_task().await;
}

#[tokio::test]
async fn a_cancelled_call_goes_on_for_the_one_that_waits_for_it() {
    let (mut scene, go) = scene().await;
    let (first, second) = two_ask(&mut scene).await;
    let cancelled = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": first}});
    scene.session.line(&cancelled).await;
    // Lines are read in their order: the answer to this one comes after the cancelling.
    scene.keeps_its_task().await;
    go.send(true).unwrap();
    let second = scene.session.response(second).await;
    assert_eq!(planned(&second), (&json!("ok"), &json!(true), &json!(0.0)), "{second}");
    assert_eq!(scene.upstream.count(), 1);
    scene.keeps_its_task().await;
    let ended = scene.session.close().await;
    assert!(!ended.out.contains(&format!("\"id\":{first},")), "a cancelled call gets no response: {}", ended.out);
    let ledger = scene.home.ledger().await;
    let (requests, attempts) = (ledger.requests().await, ledger.attempts().await);
    let costs: Vec<_> = requests.iter().map(|row| (row.attempts, row.cost, row.wasted)).collect();
    assert_eq!((costs.len(), costs.contains(&(1, PRICE, 0)), costs.contains(&(0, 0, 0))), (2, true, true), "{costs:?}");
    assert_eq!((attempts.len(), attempts[0].model.as_str(), attempts[0].result.as_str()), (1, HOSTED, "accepted"));
}
