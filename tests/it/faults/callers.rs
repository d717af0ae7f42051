//! Limits of who asks, through the built program: who is let in, what is said to who is not, and that a changed policy
//! forgets nothing.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{GOOD, POLICY, Scene, says};
use crate::binary::Session;
use crate::server::Server;
use crate::taskgate::Taskgate;
use crate::upstream::{Reply, Script, Step, Upstream};

const LOCAL: &str = "task-api-model";

fn with_callers(callers: &str) -> String {
    format!("{POLICY}callers:\n  {callers}\n")
}

fn always(model: Script) {
    model.answer(|_| Step::reply(GOOD));
}

#[tokio::test]
async fn who_asks_too_often_gets_the_answer_of_logic_and_hears_when_to_come_again() {
    let policy = with_callers("default: { limits: { requests_per_minute: 2, when_reached: refuse } }");
    let mut scene = Scene::local(&policy).await;
    always(scene.local_model());
    for _ in 0..2 {
        assert_eq!(scene.analyze().await["status"], "ok");
    }
    let third = scene.analyze().await;
    assert_eq!((&third["status"], &third["routing"]["attempts"]), (&json!("degraded"), &json!(0)), "{third}");
    let told = third["error"].as_str().unwrap();
    says(told, &["Caller `local` is at its limit of 2 requests per minute: try again in "]);
    assert!(!told.contains("LiteLLM"), "no model is to blame: {told}");
    assert_eq!(scene.upstream.requests_of(LOCAL).len(), 2);
    for _ in 0..5 {
        scene.keeps_its_task().await;
    }

    let ledger = scene.home.ledger().await;
    assert_eq!(ledger.number("SELECT count(*) FROM requests WHERE kept_back IS NOT NULL").await, 1);
    let refused = ledger.requests().await.into_iter().find(|request| request.status == "degraded").unwrap();
    let explained = scene.home.run(&["explain", "--request", &refused.id], b"").await.json();
    assert_eq!(explained["kept_back"], "caller_requests_per_minute", "{explained}");
    let wait = explained["retry_after_ms"].as_u64().unwrap();
    assert!((1..=30_000).contains(&wait), "{wait}");
    says(explained["failure"].as_str().unwrap(), &["try again in"]);
    let explained = scene.home.run(&["explain", "analyze_workload"], b"").await.json();
    let limits =
        json!({"concurrency": null, "requests_per_minute": 2, "tokens_per_minute": null, "when_reached": "refuse"});
    assert_eq!(explained["caller"], json!({"name": "local", "limits": limits}), "{explained}");
    let logic = scene.home.run(&["explain", "list_tasks"], b"").await.json();
    assert!(logic.get("caller").is_none(), "what needs no model does not count: {logic}");
}

/// A server that reads the rows of another process counts them as its own.
#[tokio::test]
async fn the_refusal_is_counted_by_whoever_serves_metrics_by_the_limit_and_not_by_the_caller() {
    let policy = with_callers("local: { limits: { requests_per_minute: 1, when_reached: refuse } }");
    let folder = tempfile::tempdir().unwrap();
    let upstream = Upstream::start().await;
    always(upstream.on(LOCAL));
    let taskgate = Taskgate::new(folder.path(), &policy).with("LITELLM_PROXY_URL", upstream.base_url());
    let server = Server::start(&taskgate);
    let mut session = Session::open(taskgate.command(&["mcp"]).into(), &folder.path().join("mcp.log")).await;
    session.call("create_task", json!({"title": "Review budget"})).await.result();
    let mut ended = Vec::new();
    for _ in 0..3 {
        ended.push(session.call("analyze_workload", json!({})).await.result()["status"].clone());
    }
    assert_eq!(ended, [json!("ok"), json!("degraded"), json!("degraded")]);
    let begun = Instant::now();
    loop {
        let text = server.get("/metrics").body;
        let lines: Vec<&str> =
            text.lines().filter(|line| line.starts_with("taskgate_limit_rejections_total")).collect();
        assert!(lines.iter().all(|line| !line.contains("\"local\"")), "{lines:?}");
        if lines.contains(&r#"taskgate_limit_rejections_total{limit="caller_requests_per_minute"} 2"#) {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{lines:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_place_is_waited_for_and_a_changed_policy_forgets_no_count() {
    let one = with_callers("default: { limits: { concurrency: 1, requests_per_minute: 2 } }");
    let mut scene = Scene::local(&one).await;
    let late = Duration::from_millis(700);
    scene.local_model().reply_after(late, GOOD).reply_after(late, GOOD).reply(GOOD);
    let begun = Instant::now();
    let both = [
        scene.session.ask("analyze_workload", json!({})).await,
        scene.session.ask("analyze_workload", json!({})).await,
    ];
    for id in both {
        let answer = scene.session.response(id).await;
        assert_eq!(answer["result"]["structuredContent"]["status"], "ok", "{answer}");
    }
    assert!(begun.elapsed() >= 2 * late, "one after the other: {:?}", begun.elapsed());
    // Other words for the same limits: both are gone. Then another number, whose minute begins anew.
    let refusing = one.replace("requests_per_minute: 2", "requests_per_minute: 2, when_reached: refuse");
    follows(&scene, &refusing, 1).await;
    assert_eq!(scene.analyze().await["status"], "degraded");
    follows(&scene, &refusing.replace("requests_per_minute: 2", "requests_per_minute: 3"), 2).await;
    assert_eq!(scene.analyze().await["status"], "ok");
}

/// The session goes by this policy, its so-manieth change.
async fn follows(scene: &Scene, policy: &str, changes: usize) {
    std::fs::write(scene.home.path("routing.yaml"), policy).unwrap();
    let begun = Instant::now();
    while scene.session.log().matches("takes over from").count() < changes {
        assert!(begun.elapsed() < Duration::from_secs(60), "the policy was never taken");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn tokens_are_given_back_as_far_as_they_were_not_used() {
    // Each question sets more than a third of this aside, for an answer of up to 1,024 tokens, and uses a tenth of that.
    let policy = with_callers("local: { limits: { tokens_per_minute: 3400, when_reached: refuse } }");
    let mut scene = Scene::local(&policy).await;
    let says_for = |input: u64, output: u64| Reply::new(GOOD).usage(input, output);
    scene.local_model().reply_with(says_for(80, 40)).reply_with(says_for(80, 40)).reply_with(says_for(80, 40));
    for _ in 0..3 {
        assert_eq!(scene.analyze().await["status"], "ok");
    }
    scene.local_model().reply_with(says_for(3_300, 40));
    assert_eq!(scene.analyze().await["status"], "ok");
    let fifth = scene.analyze().await;
    assert_eq!(fifth["status"], "degraded", "{fifth}");
    says(
        fifth["error"].as_str().unwrap(),
        &["Caller `local` is at its limit of 3400 tokens per minute: try again in "],
    );
    assert_eq!(scene.upstream.requests_of(LOCAL).len(), 4);
}
