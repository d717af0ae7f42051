//! Money: budgets that hold a call back, and a process that is killed while one is under way.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use taskgate::store::Store;
use tokio::sync::watch;

use super::{GOOD, POLICY, Scene, says, told};
use crate::binary::{Session, until};
use crate::upstream::{Reply, Step};

const HOSTED: &str = "gpt-4o";
const LOCAL: &str = "task-api-model";

/// The policy with one budget.
fn with_budget(budget: &str) -> String {
    format!("{POLICY}budgets:\n  - {budget}\n")
}

#[tokio::test]
async fn a_process_that_is_killed_in_a_call_is_charged_what_it_had_set_aside() {
    let mut scene = Scene::both(&with_budget("{ name: day, limit_usd: 0.015, per: day }")).await;
    scene.hosted_model().hang();
    scene.session.ask("plan_sprint", json!({"sprint_name": "Sprint 1"})).await;
    scene.upstream.wait_for(1).await;
    // SIGKILL: it gets no word in.
    scene.session.kill().await;
    let ledger = scene.home.ledger().await;
    let reserved = ledger.number("SELECT reserved FROM reservations").await;
    assert!((7_500_000..15_000_000).contains(&reserved), "one call fits, two do not: {reserved}");
    assert_eq!(ledger.attempts().await.len(), 0);

    // Before its lease ends and after, there is no room for another call.
    let mut next = scene.home.mcp().await;
    scene.local_model().reply("I would rather not.");
    let plan = next.call("plan_sprint", json!({"sprint_name": "Sprint 1"})).await.result();
    says(
        plan["error"].as_str().unwrap(),
        &["gpt-4o could cost $0.0", "budget `day` has $0.00", "of $0.015", "set aside"],
    );
    let store = Store::open(&scene.home.database()).await.unwrap();
    let later = Timestamp::now() + Duration::from_secs(3_600);
    let mut lost = Vec::new();
    for minutes in [0, 1, 2] {
        lost.push(store.settle_lost(later + Duration::from_secs(60 * minutes)).await.unwrap().len());
    }
    assert_eq!(lost, [0, 1, 0], "once, after a minute to wake up");
    let attempts = ledger.attempts().await;
    let charged: Vec<_> = attempts.iter().filter(|attempt| attempt.cost > 0).collect();
    assert_eq!(charged.len(), 1);
    assert_eq!((charged[0].cost, charged[0].usage.as_str()), (reserved, "unknown"));
    assert_eq!(ledger.number("SELECT count(*) FROM reservations").await, 0);
    assert_eq!(ledger.number("SELECT sum(cost) FROM rollups WHERE span = 86400").await, reserved);
}

#[tokio::test]
async fn a_spent_budget_sends_what_it_would_pay_for_to_the_free_model_and_explain_says_so() {
    // One call fits, two do not.
    let policy = with_budget("{ name: day, limit_usd: 0.015, per: day }");
    let mut scene = Scene::both(&policy).await;
    let plan = |text: &str| {
        Reply::new(format!(r#"{{"plan": "{text} TASK-0001, the budget review.", "risks": [], "swaps": []}}"#))
    };
    // It reports more than it was allowed: what cannot be held back is told.
    let (go, hold) = watch::channel(false);
    let overrun = Step::Reply(plan("Begin with").usage(30_000, 100));
    scene.hosted_model().then(Step::Once(hold, Box::new(overrun)));
    scene.local_model().reply_with(plan("First").usage(300, 40));
    let first = scene.session.ask("plan_sprint", json!({"sprint_name": "Sprint 1"})).await;
    scene.upstream.wait_for(1).await;
    // While nothing is spent, no look at the budgets can tell the decision what the reservation will.
    let second = scene.session.call("plan_sprint", json!({"sprint_name": "Sprint 2"})).await.result();
    assert_eq!((&second["status"], &second["routing"]["model"]), (&json!("ok"), &json!(LOCAL)), "{second}");
    let ledger = scene.home.ledger().await;
    let held_back = ledger.attempts().await;
    assert_eq!(told(&held_back), [(HOSTED, "first", "skipped"), (LOCAL, "fallback", "accepted")]);
    let why = held_back[0].failure.as_deref().unwrap();
    says(why, &["gpt-4o could cost $0.0", "budget `day` has $0.00", " of $0.015", "set aside"]);
    go.send(true).unwrap();
    let first = scene.session.response(first).await["result"]["structuredContent"].clone();
    assert_eq!((&first["status"], &first["routing"]["model"]), (&json!("ok"), &json!(HOSTED)), "{first}");

    // A process that knows it before it decides asks the free model first.
    let mut later = Session::open(scene.home.command(&["mcp"]), &scene.home.path("later.log")).await;
    until("a look at the budgets", || later.log().contains("budget `day` has spent $0.076 of its $0.015 for this day"))
        .await;
    let third = later.call("plan_sprint", json!({"sprint_name": "Sprint 3"})).await.result();
    assert_eq!((&third["status"], &third["routing"]["model"]), (&json!("ok"), &json!(LOCAL)), "{third}");
    let attempts = ledger.attempts().await;
    assert_eq!(told(&attempts[3..]), [(LOCAL, "first", "accepted")]);
    assert_eq!(scene.upstream.requests_of(HOSTED).len(), 1, "it was called once, and is not called again");
    let checked = scene.home.run(&["check"], b"").await;
    let told = "warning: budget `day` has spent $0.076 of $0.015 and begins anew on ";
    says(
        &checked.out,
        &[told, "until then only models that cost nothing are asked", "help: raise `limit_usd`, or wait"],
    );
    assert_eq!((checked.code, checked.err.as_str()), (Some(0), ""));
    let explained = scene.home.run(&["explain", "plan_sprint", "sprint_name=Sprint 4"], b"").await.json();
    assert_eq!(explained["decision"]["candidates"][1]["excluded"], "budget_spent", "{explained}");
    let reasons = explained["decision"]["reasons"].to_string();
    says(&reasons, &["gpt-4o is left out: budget `day` has spent $0.076 of $0.015 and begins anew on "]);
}

#[tokio::test]
async fn one_that_rejects_answers_from_logic_alone_and_says_why() {
    let mut scene = Scene::both(&with_budget("{ name: day, limit_usd: 0.005, per: day, when_spent: reject }")).await;
    scene.local_model().reply(GOOD);
    let plan = scene.session.call("plan_sprint", json!({"sprint_name": "Sprint 1"})).await.result();
    assert_eq!(plan["status"], "degraded");
    says(plan["error"].as_str().unwrap(), &["gpt-4o could cost", "budget `day` has $0.005", " of $0.005"]);
    assert_eq!(scene.upstream.count(), 0);
    assert_eq!(scene.analyze().await["status"], "ok", "who begins at the free model needs no money");
}
