//! Ways on after a setback: up to the next tier after a rejection, down after a failure, to a weaker answer format; and
//! what the ledger says of them, exactly.

use std::time::Duration;

use serde_json::{Value, json};

use super::{GOOD, POLICY, Scene, says, told};
use crate::binary::Home;
use crate::upstream::{Recorded, Reply, Step, Stream};

const LOCAL: &str = "task-api-model";
const HOSTED: &str = "gpt-4o";

const PLAN: &str =
    r#"{"plan": "We begin with TASK-0001, the budget review, and have time to spare.", "risks": [], "swaps": []}"#;

async fn plan(scene: &mut Scene) -> Value {
    scene.session.call("plan_sprint", json!({"sprint_name": "Sprint 1"})).await.result()
}

#[tokio::test]
async fn a_rejected_answer_goes_up_and_the_next_model_is_told_why() {
    let mut scene = Scene::both(POLICY).await;
    let invented = GOOD.replace("TASK-0001", "TASK-0099");
    scene.local_model().reply_with(Reply::new(invented).usage(310, 41));
    scene.hosted_model().reply_with(Reply::new(GOOD).usage(402, 37));
    let analysis = scene.analyze().await;
    assert_eq!((&analysis["status"], &analysis["error"]), (&json!("ok"), &Value::Null));
    let routing = &analysis["routing"];
    assert_eq!((&routing["model"], &routing["tier"]), (&json!(HOSTED), &json!("hosted")));
    assert_eq!((&routing["escalated"], &routing["attempts"]), (&json!(true), &json!(2)));

    let asked = scene.upstream.requests();
    assert_eq!(asked.len(), 2);
    assert!(!asked[0].prompt().contains("TASK-0099"));
    says(&asked[1].prompt(), &["TASK-0099, which does not exist"]);
    assert_eq!(asked[1].header("authorization"), Some("Bearer sk-scripted"));

    let (request, attempts) = scene.only_row().await;
    assert_eq!(told(&attempts), [(LOCAL, "first", "rejected"), (HOSTED, "escalation", "accepted")]);
    assert_eq!(attempts[0].check_reason.as_deref(), Some("unknown_task"));
    let used: Vec<_> =
        attempts.iter().map(|one| (one.tokens_in, one.tokens_out, one.usage.as_str(), one.cost)).collect();
    // 2.50 and 10.00 dollars a million tokens are 2,500 and 10,000 nano-dollars a token.
    let price = 402 * 2_500 + 37 * 10_000;
    assert_eq!(used, [(310, 41, "reported", 0), (402, 37, "reported", price)]);
    assert_eq!((request.status.as_str(), request.model.as_deref()), ("ok", Some(HOSTED)));
    assert_eq!((request.tokens_in, request.tokens_out, request.cost, request.wasted), (712, 78, price, 0));
    assert_eq!(routing["tokens"], json!({"input": 712, "cached_input": 0, "output": 78}));
    assert_eq!(routing["cost_usd"], json!(0.001375));
    scene.keeps_its_task().await;
}

#[tokio::test]
async fn when_the_hosted_model_is_rejected_too_both_are_told_and_paid_for() {
    let mut scene = Scene::both(POLICY).await;
    scene.local_model().reply("I would rather not.");
    scene.hosted_model().reply_with(Reply::new(GOOD.replace("TASK-0001", "TASK-0077")).usage(100, 10));
    let analysis = scene.analyze().await;
    assert_eq!(analysis["status"], "degraded");
    says(
        analysis["error"].as_str().unwrap(),
        &["task-api-model answered", "not a JSON object", "gpt-4o answered", "TASK-0077"],
    );
    let (request, attempts) = scene.only_row().await;
    assert_eq!(told(&attempts), [(LOCAL, "first", "rejected"), (HOSTED, "escalation", "rejected")]);
    assert_eq!((request.cost, request.wasted), (350_000, 350_000), "money that bought no answer");
    scene.lives_on().await;
}

#[tokio::test]
async fn a_failing_hosted_model_falls_back_down() {
    let mut scene = Scene::both(POLICY).await;
    scene.hosted_model().status(500);
    scene.local_model().reply(PLAN);
    let planned = plan(&mut scene).await;
    assert_eq!((&planned["status"], &planned["routing"]["model"]), (&json!("ok"), &json!(LOCAL)));
    assert_eq!(planned["routing"]["escalated"], false);
    let (request, attempts) = scene.only_row().await;
    assert_eq!(told(&attempts), [(HOSTED, "first", "upstream_error"), (LOCAL, "fallback", "accepted")]);
    assert_eq!((attempts[0].http_status, request.cost), (Some(500), 0));
    says(attempts[0].failure.as_deref().unwrap(), &["gpt-4o at openai failed", "500"]);
    scene.lives_on().await;
}

/// The state of the local model as the database has it.
async fn last_word(home: &Home) -> Vec<(String, i64)> {
    home.ledger().await.numbers("SELECT state, 1 FROM health").await
}

#[tokio::test]
async fn a_model_that_a_process_from_before_left_alone_is_told_to_be_well_again() {
    let breaker = "breaker: { failures: 2, window: 30s, consecutive_timeouts: 2, open: 200ms, probes: 1 }\n";
    let mut scene = Scene::local(&format!("{POLICY}{breaker}")).await;
    scene.local_model().status(500);
    for _ in 0..2 {
        assert_eq!(scene.analyze().await["status"], "degraded");
    }
    let Scene { upstream, home, session, .. } = scene;
    assert_eq!(session.close().await.code, Some(0));
    assert_eq!(last_word(&home).await, [("open".to_owned(), 1)]);
    tokio::time::sleep(Duration::from_millis(300)).await;
    upstream.on(LOCAL).reply(GOOD);
    let mut next = home.mcp().await;
    assert_eq!(next.call("analyze_workload", json!({})).await.result()["status"], "ok");
    assert_eq!(next.close().await.code, Some(0));
    assert_eq!(last_word(&home).await, [("closed".to_owned(), 1)]);
}

#[tokio::test]
async fn a_stream_that_is_cut_is_answered_by_the_next_model() {
    let mut scene = Scene::both(POLICY).await;
    scene.local_model().stream_with(Stream::texts([r#"{"assessment": "manage"#]).cut());
    scene.hosted_model().reply(GOOD);
    let analysis = scene.analyze().await;
    assert_eq!((&analysis["status"], &analysis["routing"]["model"]), (&json!("ok"), &json!(HOSTED)));
    let (_, attempts) = scene.only_row().await;
    assert_eq!(told(&attempts), [(LOCAL, "first", "cut"), (HOSTED, "fallback", "accepted")]);
}

#[tokio::test]
async fn a_refused_key_is_named_by_its_variable_and_never_shown() {
    let mut scene = Scene::both(POLICY).await;
    scene.hosted_model().status_with(
        401,
        &[("content-type", "application/json")],
        r#"{"error": {"message": "Incorrect API key provided: sk-scripted"}}"#,
    );
    scene.local_model().status(500);
    let planned = plan(&mut scene).await;
    assert_eq!(planned["status"], "degraded");
    says(planned["error"].as_str().unwrap(), &["gpt-4o", "Set OPENAI_API_KEY to a key that openai accepts."]);
    let (_, attempts) = scene.only_row().await;
    assert_eq!(told(&attempts), [(HOSTED, "first", "auth"), (LOCAL, "fallback", "upstream_error")]);
    let everything = format!("{planned} {attempts:?} {}", scene.session.log());
    assert!(!everything.contains("sk-scripted"), "{everything}");
    scene.lives_on().await;
}

fn takes_no_format(asked: &Recorded) -> Step {
    if asked.body.get("response_format").is_none() {
        return Step::reply(GOOD);
    }
    let body =
        r#"{"error": {"message": "response_format is not supported by this server", "type": "invalid_request_error"}}"#;
    Step::status_with(400, &[("content-type", "application/json")], body)
}

#[tokio::test]
async fn a_format_that_is_refused_is_not_asked_for_again() {
    let mut scene = Scene::local(POLICY).await;
    scene.local_model().answer(takes_no_format);
    assert_eq!(scene.analyze().await["status"], "ok");
    assert_eq!(scene.analyze().await["status"], "ok");
    let formats: Vec<bool> =
        scene.upstream.requests().iter().map(|asked| asked.body.get("response_format").is_some()).collect();
    assert_eq!(formats, [true, false, false], "one call was lost to it, in the life of the process");
    let attempts = scene.home.ledger().await.attempts().await;
    let expected = [(LOCAL, "first", "upstream_error"), (LOCAL, "retry", "accepted"), (LOCAL, "first", "accepted")];
    assert_eq!(told(&attempts), expected);
    says(attempts[0].failure.as_deref().unwrap(), &["does not take the answer format"]);
    scene.keeps_its_task().await;
}

#[tokio::test]
async fn usage_with_cached_tokens_is_booked_as_reported() {
    let mut scene = Scene::both(POLICY).await;
    let mut reply = Reply::new(PLAN);
    reply.usage = Some(json!({
        "prompt_tokens": 1_200, "completion_tokens": 77, "total_tokens": 1_277,
        "prompt_tokens_details": {"cached_tokens": 1_024},
    }));
    scene.hosted_model().reply_with(reply);
    let planned = plan(&mut scene).await;
    let price: i64 = 176 * 2_500 + 1_024 * 1_250 + 77 * 10_000;
    assert_eq!(planned["routing"]["tokens"], json!({"input": 1_200, "cached_input": 1_024, "output": 77}));
    let (request, attempts) = scene.only_row().await;
    assert_eq!((attempts[0].tokens_in, attempts[0].tokens_out, attempts[0].cost), (1_200, 77, price));
    assert_eq!((request.cost, request.wasted), (price, 0));
    let ledger = scene.home.ledger().await;
    assert_eq!(ledger.number("SELECT sum(tokens_cached) FROM attempts").await, 1_024);
    assert_eq!(ledger.number("SELECT sum(cost) FROM requests").await, price);
}

#[tokio::test]
async fn usage_that_nobody_reports_is_estimated_and_flagged() {
    let mut scene = Scene::local(POLICY).await;
    scene.local_model().reply_with(Reply::new(GOOD).no_usage());
    assert_eq!(scene.analyze().await["status"], "ok");
    let (_, attempts) = scene.only_row().await;
    assert_eq!(attempts[0].usage, "estimated");
    assert!(attempts[0].tokens_in > 100 && attempts[0].tokens_out > 10, "{attempts:?}");
}

#[tokio::test]
async fn a_cancelled_call_stops_its_model_and_keeps_its_row() {
    let mut scene = Scene::both(POLICY).await;
    scene.hosted_model().stream_with(Stream::texts([r#"{"plan": "We begin with"#]).hang());
    let id = scene.session.ask("plan_sprint", json!({"sprint_name": "Sprint 1"})).await;
    scene.upstream.wait_for(1).await;
    let cancelled = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}});
    scene.session.line(&cancelled).await;
    scene.upstream.wait_for_drop().await;
    // At the end of the input it waits for what is in flight, so the row is there afterward.
    scene.keeps_its_task().await;
    let ended = scene.session.close().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(!ended.out.contains(&format!("\"id\":{id}")), "a cancelled call gets no response: {}", ended.out);
    let ledger = scene.home.ledger().await;
    let (requests, attempts) = (ledger.requests().await, ledger.attempts().await);
    assert_eq!((requests.len(), requests[0].status.as_str()), (1, "cancelled"));
    assert_eq!(told(&attempts), [(HOSTED, "first", "cancelled")]);
    assert!(attempts[0].tokens_in > 0 && attempts[0].usage == "estimated", "the prompt was sent: {attempts:?}");
    assert_eq!((requests[0].cost, requests[0].wasted), (attempts[0].cost, attempts[0].cost));
    assert!(attempts[0].cost > 0);
}
