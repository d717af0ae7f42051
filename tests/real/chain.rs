//! The lesson's tools on a real model: taskgate over stdio, LiteLLM, llama.cpp's server, SmolLM2.
//!
//! What a small model says differs from run to run, and most of it fails its check. So these tests hold what must be
//! true of any answer: it was asked for and counted as it was reported, an accepted one is right, a rejected one was
//! handed on with its reason or answered from logic, and progress was told while it streamed.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::client::{Answer, Client};
use crate::ledger::{AttemptRow, Ledger};
use crate::load::{create_small_tasks, create_tasks};
use crate::policies::Knobs;
use crate::processes::tell;
use crate::recorder::Exchange;
use crate::stack::{LOCAL, Stack};
use crate::upstream::{Reply, Upstream};

const HOSTED: &str = "gpt-4o";

#[tokio::test]
async fn the_lesson_tools_are_answered_by_a_real_model() {
    let stack = Stack::start().await;
    let taskgate = stack.taskgate(&Knobs::default());
    let client = Client::start(&taskgate, "mcp").await;
    let mut ids = create_tasks(&client).await;

    let mut streamed = 0;
    for (tool, arguments) in lesson_calls() {
        let asked_before = stack.recorder.exchanges().len();
        let answer = client.call(tool, arguments).await;
        let asked = stack.recorder.exchanges().split_off(asked_before);
        assert!(!asked.is_empty(), "{tool} asked no model: {:?}", answer.result);
        for exchange in &asked {
            // On a busy machine this server may say nothing in time; what it says must be an answer, so the prompt fits.
            let status = exchange.status.unwrap_or(200);
            assert_eq!(status, 200, "{tool}: {}", String::from_utf8_lossy(&exchange.reply));
            assert!(exchange.is_stream(), "{tool} collects a stream, so that progress can be told");
        }
        holds_for_any_answer(tool, &answer);
        streamed += told_while_it_streamed(&answer, &asked);
        match answer.result["status"].as_str() {
            Some("ok") => accepted_answer_is_right(tool, &answer.result, &ids),
            Some("degraded" | "partial") => {}
            other => panic!("{tool}: status {other:?}"),
        }
    }
    assert!(streamed > 0, "no progress was told while an answer streamed");

    // A list that the model's context does not hold is fitted to it: what comes back is no refusal of its length.
    ids.extend(create_small_tasks(&client, 60).await);
    let long = client.call("analyze_workload", json!({ "time_horizon": "month" })).await;
    holds_for_any_answer("analyze_workload", &long);
    assert_eq!(long.result["summary"]["total"], ids.len());
    let last = stack.recorder.exchanges().pop().unwrap();
    assert_eq!(last.status.unwrap_or(200), 200, "{}", String::from_utf8_lossy(&last.reply));

    client.close().await;
    let ledger = Ledger::open(&taskgate.database()).await;
    ledger_tells_what_was_reported(&ledger, &stack.recorder.exchanges()).await;
    every_request_is_explained(&ledger).await;
}

#[tokio::test]
async fn a_rejected_local_answer_is_answered_by_the_hosted_model() {
    let stack = Stack::start().await;
    let hosted = Upstream::start().await;
    hosted.on(HOSTED).reply_with(Reply::new(good_priority()).usage(420, 60));
    // Sixteen tokens are no whole answer: whatever the model says is cut off, or lacks something.
    let taskgate = stack
        .taskgate(&Knobs { local_max_output: 16, ..Knobs::default() })
        .with("OPENAI_BASE_URL", hosted.base_url())
        .with("OPENAI_API_KEY", "sk-test");
    let client = Client::start(&taskgate, "mcp").await;
    let arguments = json!({ "task_description": "The shop's certificate ends on Friday and nobody renewed it" });
    let answer = client.call("smart_prioritize", arguments).await;
    client.close().await;

    assert_eq!(answer.result["status"], "ok", "{:?}", answer.result);
    assert_eq!(answer.result["routing"]["model"], HOSTED);
    assert_eq!(answer.result["routing"]["escalated"], true);
    assert_eq!(answer.result["suggested"]["title"], "Renew the TLS certificate of the shop");
    let told: Vec<&str> = answer.heard.iter().map(|heard| heard.message.as_str()).collect();
    let rejected = told.iter().find_map(|told| told.strip_suffix("; asking gpt-4o…"));
    let why = rejected.unwrap_or_else(|| panic!("the reader is told why another model is asked: {told:?}"));

    let ledger = Ledger::open(&taskgate.database()).await;
    let attempts = ledger.attempts().await;
    assert_eq!(steps(&attempts), [(LOCAL, "first", "rejected"), (HOSTED, "escalation", "accepted")], "{attempts:?}");
    let reason = attempts[0].check_reason.clone().unwrap_or_default();
    assert!(["cut_off", "not_json", "empty", "wrong_shape", "out_of_range"].contains(&reason.as_str()), "{attempts:?}");
    assert!(attempts[0].tokens_out > 0 && attempts[0].tokens_out <= 20, "{attempts:?}");
    // 420 tokens at 2,500 nano-dollars and 60 at 10,000.
    assert_eq!((attempts[1].tokens_in, attempts[1].tokens_out, attempts[1].cost), (420, 60, 1_650_000));
    ledger_tells_what_was_reported(&ledger, &stack.recorder.exchanges()).await;

    let asked = hosted.request().prompt();
    assert!(asked.contains(why), "the next model is told what was wrong: {why} {asked}");
}

#[tokio::test]
async fn a_failing_hosted_model_falls_back_to_the_local_one() {
    let stack = Stack::start().await;
    let hosted = Upstream::start().await;
    hosted.on(HOSTED).status(500);
    let routes = "  - { name: important, match: { tools: [suggest_next_action] }, tier: hosted }";
    let taskgate = stack
        .taskgate(&Knobs { routes, ..Knobs::default() })
        .with("OPENAI_BASE_URL", hosted.base_url())
        .with("OPENAI_API_KEY", "sk-test");
    let client = Client::start(&taskgate, "mcp").await;
    let ids = create_tasks(&client).await;
    let answer = client.call("suggest_next_action", json!({})).await;
    client.close().await;

    let ledger = Ledger::open(&taskgate.database()).await;
    let attempts = ledger.attempts().await;
    // A 500 is no short fault: the same model is not asked again.
    let [failed, local] = attempts.as_slice() else { panic!("{attempts:?}") };
    assert_eq!(steps([failed]), [(HOSTED, "first", "upstream_error")]);
    assert_eq!((failed.http_status, failed.cost), (Some(500), 0), "{failed:?}");
    assert_eq!((local.model.as_str(), local.kind.as_str()), (LOCAL, "fallback"), "{local:?}");
    assert!(local.tokens_in > 0 && local.tokens_out > 0, "{local:?}");
    match answer.result["status"].as_str() {
        Some("ok") => {
            assert_eq!(answer.result["routing"]["model"], LOCAL);
            accepted_answer_is_right("suggest_next_action", &answer.result, &ids);
        }
        Some("degraded" | "partial") => {}
        other => panic!("status {other:?}"),
    }
    ledger_tells_what_was_reported(&ledger, &stack.recorder.exchanges()).await;
    every_request_is_explained(&ledger).await;
}

fn lesson_calls() -> [(&'static str, Value); 4] {
    let text = "The payment provider says that our API key leaks in the browser's console, a customer has seen it. \
                It has to be replaced before the weekend sale starts";
    [
        ("analyze_workload", json!({ "time_horizon": "week" })),
        ("smart_prioritize", json!({ "task_description": text })),
        ("plan_sprint", json!({ "sprint_name": "Before the sale", "duration_days": 7, "team_capacity_hours": 30 })),
        ("suggest_next_action", json!({})),
    ]
}

/// An answer that passes smart_prioritize's check.
fn good_priority() -> String {
    json!({
        "priority": "urgent", "title": "Renew the TLS certificate of the shop", "effort_hours": 2,
        "considerations": "The shop is down for every visitor once it has ended.",
    })
    .to_string()
}

fn holds_for_any_answer(tool: &str, answer: &Answer) {
    let result = &answer.result;
    let text = ["analysis", "recommendation", "plan", "suggestion"].iter().find_map(|key| result.get(*key)?.as_str());
    assert!(text.is_some_and(|text| !text.trim().is_empty()), "{tool} always answers: {result:?}");
    let routing = &result["routing"];
    for key in ["tier", "complexity", "reason", "attempts", "escalated", "tokens", "cost_usd", "latency_ms"] {
        assert!(routing.get(key).is_some(), "{tool}: routing has no {key}: {routing}");
    }
    let told: Vec<&str> = answer.heard.iter().map(|heard| heard.message.as_str()).collect();
    assert!(told.iter().any(|told| told.contains(LOCAL)), "{tool} says whom it asks: {told:?}");
    let rises = answer.heard.windows(2).all(|pair| pair[0].progress < pair[1].progress);
    assert!(rises, "{tool}: progress only rises: {:?}", answer.heard);
    tell(&format!(
        "{tool}: {} after {:.1} s, tokens {}, {}",
        result["status"],
        answer.took.as_secs_f64(),
        routing["tokens"],
        routing["reason"]
    ));
}

/// How many notifications came between the request and the last byte of its answer, but for the one that it is sent.
fn told_while_it_streamed(answer: &Answer, asked: &[Exchange]) -> usize {
    let during = |at| asked.iter().any(|exchange| exchange.started < at && at < exchange.last_byte);
    answer.heard.iter().filter(|heard| during(heard.at) && heard.message.contains("tokens")).count()
}

/// What the check of each tool promises, looked at from outside.
fn accepted_answer_is_right(tool: &str, result: &Map<String, Value>, ids: &[String]) {
    assert_eq!(result["routing"]["model"], LOCAL, "{tool}: {result:?}");
    let known: BTreeSet<&str> = ids.iter().map(String::as_str).collect();
    let named = task_ids(&Value::Object(result.clone()).to_string());
    assert!(named.iter().all(|id| known.contains(id.as_str())), "{tool} names a task that is not there: {named:?}");
    match tool {
        "smart_prioritize" => {
            let told: Value = serde_json::from_str(result["recommendation"].as_str().unwrap()).unwrap();
            assert!(["low", "normal", "high", "urgent"].contains(&told["priority"].as_str().unwrap()), "{told}");
            let hours = told["effort_hours"].as_f64().unwrap();
            assert!(hours > 0.0 && hours <= 400.0, "{told}");
            let title = told["title"].as_str().unwrap();
            assert!(!title.is_empty() && title.chars().count() <= 100, "{told}");
        }
        "suggest_next_action" => {
            let id = result["task_id"].as_str().unwrap();
            assert!(known.contains(id) && id != ids[3], "the fourth task waits for the fifth: {result:?}");
        }
        "plan_sprint" => {
            let hours = |key: &str| result[key].as_f64().unwrap();
            assert!(hours("selected_hours") <= hours("capacity_hours"), "{result:?}");
            assert!(result["selected"].as_array().is_some_and(|selected| !selected.is_empty()), "{result:?}");
        }
        _ => {
            let assessment = result["assessment"].as_str().unwrap();
            assert!(["manageable", "heavy", "overloaded"].contains(&assessment), "{result:?}");
            assert!(result.get("priorities").is_none_or(|list| list.as_array().unwrap().len() <= 3), "{result:?}");
        }
    }
}

/// Every task that a text names, as "TASK-0001" also where it says "task-1".
fn task_ids(text: &str) -> BTreeSet<String> {
    let upper = text.to_uppercase();
    let digits = |rest: &str| rest.chars().take_while(char::is_ascii_digit).collect::<String>();
    let numbers = upper.split("TASK-").skip(1).filter_map(|rest| digits(rest).parse::<u64>().ok());
    numbers.map(|number| format!("TASK-{number:04}")).collect()
}

/// Every attempt that is flagged as reported has exactly the figures of one reply, and the other way round; requests
/// are the sums of their attempts.
async fn ledger_tells_what_was_reported(ledger: &Ledger, exchanges: &[Exchange]) {
    let mut said: Vec<(i64, i64)> = exchanges.iter().filter_map(Exchange::usage).collect();
    let attempts = ledger.attempts().await;
    let reported = attempts.iter().filter(|attempt| attempt.model == LOCAL && attempt.usage == "reported");
    let mut written: Vec<(i64, i64)> = reported.map(|attempt| (attempt.tokens_in, attempt.tokens_out)).collect();
    assert!(!written.is_empty(), "no usage was reported: {attempts:?}");
    said.sort_unstable();
    written.sort_unstable();
    assert_eq!(written, said, "ledger and replies");
    for request in ledger.requests().await {
        let own: Vec<&AttemptRow> = attempts.iter().filter(|attempt| attempt.request == request.id).collect();
        let sum = |of: fn(&AttemptRow) -> i64| own.iter().map(|attempt| of(attempt)).sum::<i64>();
        assert_eq!(request.attempts, own.len() as i64, "{request:?}");
        assert_eq!(request.tokens_in, sum(|attempt| attempt.tokens_in), "{request:?}");
        assert_eq!(request.tokens_out, sum(|attempt| attempt.tokens_out), "{request:?}");
        assert_eq!(request.cost, sum(|attempt| attempt.cost), "{request:?}");
    }
}

/// No request ends without an accepted answer unless its attempts say why.
async fn every_request_is_explained(ledger: &Ledger) {
    let attempts = ledger.attempts().await;
    for request in ledger.requests().await {
        let own: Vec<&AttemptRow> = attempts.iter().filter(|attempt| attempt.request == request.id).collect();
        let reasons: Vec<&str> = own.iter().filter_map(|attempt| attempt.check_reason.as_deref()).collect();
        tell(&format!("{} {}: {:?} {reasons:?}", request.tool, request.status, steps(own.iter().copied())));
        for attempt in &own {
            match attempt.result.as_str() {
                "accepted" => {}
                "rejected" => assert!(attempt.check_reason.is_some(), "{attempt:?}"),
                _ => assert!(attempt.failure.is_some(), "{attempt:?}"),
            }
        }
        let accepted = own.last().is_some_and(|last| last.result == "accepted");
        assert_eq!(request.status == "ok", accepted, "{request:?} {own:?}");
        assert_eq!(request.model.is_some(), accepted, "{request:?}");
    }
}

fn steps<'a>(attempts: impl IntoIterator<Item = &'a AttemptRow>) -> Vec<(&'a str, &'a str, &'a str)> {
    let step = |attempt: &'a AttemptRow| (attempt.model.as_str(), attempt.kind.as_str(), attempt.result.as_str());
    attempts.into_iter().map(step).collect()
}
