//! Models that cannot be reached, say nonsense, say no, break off or say nothing: the tool answers from its facts.

use std::time::Duration;

use serde_json::{Value, json};

use super::{GOOD, POLICY, Scene, first_task, says, told};
use crate::binary::Home;
use crate::upstream::{Step, Stream};

const LOCAL: &str = "task-api-model";

/// What one fault has to look like.
struct Expected {
    /// Parts of the result's `error`.
    error: &'static [&'static str],
    status: &'static str,
    /// How the attempt ended.
    attempt: &'static str,
    http: Option<i64>,
}

/// Plays this to a tool call, and looks at the answer, the ledger, and what comes after.
async fn fault(policy: &str, step: Step, expected: Expected) -> Value {
    let mut scene = Scene::local(policy).await;
    scene.local_model().then(step);
    let analysis = scene.analyze().await;
    assert_eq!(analysis["status"], expected.status, "{analysis}");
    says(analysis["error"].as_str().unwrap(), expected.error);
    assert_eq!(analysis["summary"], json!({"total": 1, "pending": 1, "urgent": 0, "high": 1}));
    assert_eq!(analysis["priorities"][0]["id"], "TASK-0001");
    assert_eq!(analysis["routing"]["attempts"], 1);

    let (request, attempts) = scene.only_row().await;
    assert_eq!((request.status.as_str(), request.model), (expected.status, None));
    assert_eq!((request.cost, request.wasted), (0, 0));
    assert_eq!(told(&attempts), [(LOCAL, "first", expected.attempt)]);
    assert_eq!(attempts[0].http_status, expected.http);
    scene.lives_on().await;
    analysis
}

#[tokio::test]
async fn no_model_reachable() {
    let home = Home::new().policy(POLICY);
    let mut session = home.mcp().await;
    let task = first_task(&mut session).await;
    let analysis = session.call("analyze_workload", json!({})).await.result();
    let lesson = "Could not connect to model server. Ensure LiteLLM proxy and Ollama are running.";
    assert_eq!((&analysis["status"], &analysis["error"]), (&json!("degraded"), &json!(lesson)));
    let ledger = home.ledger().await;
    let (requests, attempts) = (ledger.requests().await, ledger.attempts().await);
    assert_eq!((requests.len(), requests[0].status.as_str()), (1, "degraded"));
    assert_eq!(told(&attempts), [(LOCAL, "first", "connect")]);
    assert_eq!((attempts[0].tokens_in, attempts[0].http_status), (0, None), "nothing was read by anyone");
    assert_eq!(session.call("get_task", json!({"task_id": "TASK-0001"})).await.result()["task"], task);
}

#[tokio::test]
async fn a_model_that_nobody_serves_is_left_alone_also_by_the_next_process() {
    let home = Home::new().policy(&format!("{POLICY}breaker: {{ open: 1h }}\n"));
    let mut session = home.mcp().await;
    first_task(&mut session).await;
    let lesson = "Could not connect to model server. Ensure LiteLLM proxy and Ollama are running.";
    let mut sent = Vec::new();
    for _ in 0..3 {
        let analysis = session.call("analyze_workload", json!({})).await.result();
        assert_eq!((&analysis["status"], &analysis["error"]), (&json!("degraded"), &json!(lesson)));
        sent.push(analysis["routing"]["attempts"].clone());
    }
    assert_eq!(sent, [1, 1, 0], "the third waits for nobody");
    session.close().await;
    let mut session = home.mcp().await;
    let analysis = session.call("analyze_workload", json!({})).await.result();
    assert_eq!(analysis["routing"]["attempts"], 0, "{analysis}");
    says(analysis["error"].as_str().unwrap(), &["task-api-model failed lately", "left alone", "Ollama"]);
}

#[tokio::test]
async fn nonsense() {
    let step = Step::reply("Colorless green ideas sleep furiously.");
    let error =
        &["task-api-model answered, but its answer was not accepted", "was not a JSON object", "OPENAI_API_KEY"];
    fault(POLICY, step, Expected { error, status: "degraded", attempt: "rejected", http: Some(200) }).await;
}

#[tokio::test]
async fn a_task_that_does_not_exist() {
    let step = Step::reply(GOOD.replace("TASK-0001", "TASK-0099"));
    let error = &["was not accepted", "TASK-0099, which does not exist"];
    let analysis =
        fault(POLICY, step, Expected { error, status: "degraded", attempt: "rejected", http: Some(200) }).await;
    assert!(!analysis["analysis"].as_str().unwrap().contains("TASK-0099"));
}

#[tokio::test]
async fn html() {
    let error = &["task-api-model at local answered something that is neither JSON nor a stream", "base_url"];
    let expected = Expected { error, status: "degraded", attempt: "upstream_error", http: Some(200) };
    fault(POLICY, Step::html(200), expected).await;
}

#[tokio::test]
async fn an_endless_stream() {
    let stream = Stream::texts([r#"{"assessment": "manageable", "analysis": ""#]).endless(&"word ".repeat(4_000));
    let error = &["task-api-model at local answered more than", "bytes", "log of local"];
    let expected = Expected { error, status: "degraded", attempt: "upstream_error", http: Some(200) };
    fault(POLICY, Step::Stream(stream), expected).await;
}

#[tokio::test]
async fn a_200_with_an_error_inside() {
    let step = Step::error_inside_200(json!({"message": "CUDA out of memory", "code": "oom"}));
    let error = &["task-api-model at local failed with an error inside its answer", "log of local"];
    fault(POLICY, step, Expected { error, status: "degraded", attempt: "upstream_error", http: Some(200) }).await;
}

#[tokio::test]
async fn a_500() {
    let error = &["task-api-model at local failed (status 500", "log of local"];
    let expected = Expected { error, status: "degraded", attempt: "upstream_error", http: Some(500) };
    fault(POLICY, Step::status(500), expected).await;
}

#[tokio::test]
async fn a_stream_that_is_cut_in_a_sentence() {
    let begun = r#"{"assessment": "manageable", "priorities": ["TASK-0001"], "analysis": "Begin with TASK-0001 and"#;
    let error = &["The connection to task-api-model at local ended before the answer did", "Try again"];
    let expected = Expected { error, status: "partial", attempt: "cut", http: Some(200) };
    let analysis = fault(POLICY, Step::Stream(Stream::texts([begun]).cut()), expected).await;
    assert_eq!(analysis["analysis"], "Begin with TASK-0001 and…");
}

#[tokio::test]
async fn a_stream_that_is_cut_before_it_says_anything() {
    let error = &["ended before the answer did", "Try again"];
    let expected = Expected { error, status: "degraded", attempt: "cut", http: Some(200) };
    fault(POLICY, Step::Stream(Stream::new().cut()), expected).await;
}

#[tokio::test]
async fn a_stream_that_is_cut_before_anything_can_be_used_of_it() {
    let error = &["ended before the answer did", "Try again"];
    let expected = Expected { error, status: "degraded", attempt: "cut", http: Some(200) };
    let stream = Stream::texts([r#"{"assessment": "manage"#]).cut();
    let analysis = fault(POLICY, Step::Stream(stream), expected).await;
    assert!(analysis["analysis"].as_str().unwrap().starts_with("Model unavailable. "), "{analysis}");
}

#[tokio::test]
async fn a_model_that_never_begins() {
    let policy = POLICY.replacen("first_token: 100s", "first_token: 3s", 1);
    let error = &["task-api-model at local said nothing within 3s", "raise the timeouts of task-api-model"];
    let mut scene = Scene::local(&policy).await;
    scene.local_model().hang();
    let analysis = scene.analyze().await;
    assert_eq!(analysis["status"], "degraded");
    says(analysis["error"].as_str().unwrap(), error);
    let (request, attempts) = scene.only_row().await;
    assert_eq!((request.status.as_str(), told(&attempts)), ("degraded", vec![(LOCAL, "first", "timeout")]));
    assert!(attempts[0].tokens_in > 0 && attempts[0].usage == "estimated", "it may have read the prompt");
    scene.upstream.wait_for_drop().await;
    scene.keeps_its_task().await;
}

#[tokio::test]
async fn a_model_that_stalls_in_a_sentence() {
    let policy = POLICY.replacen("idle: 100s", "idle: 300ms", 1);
    let begun = r#"{"assessment": "manageable", "priorities": ["TASK-0001"], "analysis": "Begin with TASK-0001 and"#;
    let mut scene = Scene::local(&policy).await;
    scene.local_model().stream_with(Stream::texts([begun]).hang());
    let analysis = scene.analyze().await;
    assert_eq!((&analysis["status"], &analysis["analysis"]), (&json!("partial"), &json!("Begin with TASK-0001 and…")));
    says(analysis["error"].as_str().unwrap(), &["paused for longer than 300ms", "raise the timeouts"]);
    let (request, attempts) = scene.only_row().await;
    assert_eq!((request.status.as_str(), told(&attempts)), ("partial", vec![(LOCAL, "first", "timeout")]));
    scene.upstream.wait_for_drop().await;
    scene.keeps_its_task().await;
}

#[tokio::test]
async fn a_model_that_drips_without_an_end_meets_the_deadline() {
    let policy = POLICY.replacen("total: 120s", "total: 3s", 1);
    let drip = (0..600)
        .fold(Stream::texts([r#"{"analysis": "#]), |stream, _| stream.text(" ").wait(Duration::from_millis(50)));
    let mut scene = Scene::local(&policy).await;
    scene.local_model().stream_with(drip);
    let analysis = scene.analyze().await;
    assert_eq!(analysis["status"], "degraded");
    says(analysis["error"].as_str().unwrap(), &["was not done within 3s"]);
    let (_, attempts) = scene.only_row().await;
    assert_eq!(told(&attempts), [(LOCAL, "first", "timeout")]);
    scene.upstream.wait_for_drop().await;
    scene.keeps_its_task().await;
}
