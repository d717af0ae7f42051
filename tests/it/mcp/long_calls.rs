//! Calls that take a while because a model does: progress, cancelling, and the end of the input.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use taskgate::request::{AttemptResult, Outcome, Status};
use taskgate::store::Store;
use tokio::sync::watch;

use super::by_hand::{Session, call};
use super::{good_priority, taskgate};
use crate::taskgate::Taskgate;
use crate::upstream::{Step, Upstream};

fn slow_question() -> Value {
    json!({ "task_description": "Fix the door" })
}

fn with_progress(mut message: Value) -> Value {
    message["params"]["_meta"] = json!({ "progressToken": "p" });
    message
}

/// What the ledger holds of requests that wanted a model, when there is at least one.
async fn recorded(taskgate: &Taskgate) -> Vec<Outcome> {
    let store = Store::open(&taskgate.database()).await.unwrap();
    for _ in 0..6_000 {
        let rows = store.outcomes_after(0, 100).await.unwrap();
        let asked: Vec<Outcome> =
            rows.into_iter().map(|row| row.outcome).filter(|outcome| !outcome.decision.tier.is_none()).collect();
        if !asked.is_empty() {
            return asked;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("nothing was recorded");
}

#[tokio::test]
async fn progress_only_rises_goes_on_while_a_model_is_silent_and_ends_before_the_result() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = Upstream::start().await;
    let (go, hold) = watch::channel(false);
    let _ = upstream.on("task-api-model").then(Step::Once(hold, Box::new(Step::reply(good_priority()))));
    let mut session = Session::open(&taskgate(folder.path(), &upstream)).await;
    session.send(&with_progress(call(1, "smart_prioritize", slow_question()))).await;
    let (mut told, mut waits) = (Vec::new(), 0);
    let result = loop {
        let message = session.next().await;
        if message["method"] != "notifications/progress" {
            break message;
        }
        told.push(message["params"].clone());
        waits += u32::from(told[told.len() - 1]["message"].as_str().unwrap().starts_with("Asking task-api-model… ("));
        if waits == 2 {
            go.send(true).unwrap();
        }
    };
    assert_eq!(result["result"]["structuredContent"]["status"], "ok", "{result}");
    let numbers: Vec<f64> = told.iter().map(|told| told["progress"].as_f64().unwrap()).collect();
    assert!(numbers.len() >= 3 && numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
    assert!(told.iter().all(|told| told["progressToken"] == "p"));
    let lines: Vec<&str> = told.iter().map(|told| told["message"].as_str().unwrap()).collect();
    assert!(lines.contains(&"Asking task-api-model…"), "{lines:?}");
    let (rest, _) = session.end().await;
    assert!(rest.is_empty(), "nothing is told of a call after its result: {rest:?}");
}

#[tokio::test]
async fn without_a_progress_token_nothing_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = Upstream::start().await;
    let _ = upstream.on("task-api-model").reply(good_priority());
    let mut session = Session::open(&taskgate(folder.path(), &upstream)).await;
    session.send(&call(1, "smart_prioritize", slow_question())).await;
    let (_, before) = session.answer(1).await;
    assert!(before.is_empty(), "{before:?}");
}

#[tokio::test]
async fn a_cancelled_call_stops_the_model_and_is_still_written_down() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = Upstream::start().await;
    let _ = upstream.on("task-api-model").hang();
    let taskgate = taskgate(folder.path(), &upstream);
    let mut session = Session::open(&taskgate).await;
    session.send(&call(1, "smart_prioritize", slow_question())).await;
    upstream.wait_for(1).await;
    let cancel = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 1 } });
    session.send(&cancel).await;
    upstream.wait_for_drop().await;
    let listed = session.call(2, "list_tasks", json!({})).await;
    assert_eq!(listed["result"]["structuredContent"]["count"], 0, "others are not disturbed");
    let outcomes = recorded(&taskgate).await;
    assert_eq!(outcomes[0].status, Status::Cancelled);
    assert_eq!(outcomes[0].attempts[0].result, AttemptResult::Cancelled);
    let (rest, status) = session.end().await;
    assert!(rest.is_empty() && status.success(), "a cancelled request gets no answer: {rest:?}");
}

#[tokio::test]
async fn the_end_of_the_input_waits_for_every_answer() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = Upstream::start().await;
    // Longer than the five seconds that rmcp waits by itself.
    let _ = upstream.on("task-api-model").reply_after(Duration::from_secs(7), good_priority());
    let mut session = Session::open(&taskgate(folder.path(), &upstream)).await;
    let last = call(9, "smart_prioritize", slow_question());
    session.send(&call(8, "create_task", json!({ "title": "Quick" }))).await;
    // As `printf '%s' … | taskgate mcp` leaves it: without a line end.
    session.write(last.to_string().as_bytes()).await;
    let (answers, status) = session.end().await;
    assert!(status.success(), "{status}");
    let answer = |id: u64| answers.iter().find(|answer| answer["id"] == id).unwrap_or_else(|| panic!("{answers:?}"));
    assert_eq!(answer(8)["result"]["structuredContent"]["success"], true);
    assert_eq!(answer(9)["result"]["structuredContent"]["suggested"]["title"], "Fix the door");
}

#[cfg(unix)]
#[tokio::test]
async fn a_signal_ends_it_soon_and_what_was_spent_is_written_down() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = Upstream::start().await;
    let _ = upstream.on("task-api-model").hang();
    let taskgate = taskgate(folder.path(), &upstream);
    let mut session = Session::open(&taskgate).await;
    session.send(&call(1, "smart_prioritize", slow_question())).await;
    upstream.wait_for(1).await;
    let told = Instant::now();
    let killed = std::process::Command::new("kill").args(["-TERM", &session.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let mut log_of = session;
    let log = log_of.log().await;
    // The model was given 400 s, and the end of the input waits for 60 s.
    assert!(told.elapsed() < Duration::from_secs(40), "{:?}: {log}", told.elapsed());
    let (_, status) = log_of.end().await;
    assert!(status.success(), "{status}: {log}");
    assert_eq!(recorded(&taskgate).await[0].status, Status::Cancelled);
}
