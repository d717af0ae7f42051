//! The lesson's own examples and constants, through the built program: a client that was written against the lesson
//! works unchanged.

use serde_json::{Value, json};

use crate::binary::{Ended, Home};
use crate::upstream::Upstream;

const LINE: &str = r#"{"method": "tools/call", "params": {"name": "create_task", "arguments": {"title": "Review budget", "priority": "high"}}}"#;

const NOT_RUNNING: &str = "Could not connect to model server. Ensure LiteLLM proxy and Ollama are running.";

#[track_caller]
fn has_keys(result: &Value, keys: &[&str]) {
    let missing: Vec<_> = keys.iter().filter(|key| result.get(**key).is_none()).collect();
    assert!(missing.is_empty(), "{missing:?} are missing in {result}");
}

/// The result of the lesson's first example, whichever way it was called.
#[track_caller]
fn is_the_first_task(result: &Value) {
    has_keys(result, &["success", "task", "message"]);
    assert_eq!(result["success"], true);
    assert_eq!(result["message"], "Created task TASK-0001: Review budget");
    let task = &result["task"];
    has_keys(task, &["id", "title", "priority", "description", "due_date", "status", "created_at"]);
    let lesson = json!(["TASK-0001", "Review budget", "high", null, null, "pending"]);
    let own: Vec<&Value> =
        ["id", "title", "priority", "description", "due_date", "status"].iter().map(|key| &task[*key]).collect();
    assert_eq!(json!(own), lesson);
    task["created_at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
}

async fn call(home: &Home, tool: &str, arguments: Value) -> Ended {
    home.run(&["call", tool, "--json", &arguments.to_string()], b"").await
}

#[tokio::test]
async fn the_lessons_echo_line_creates_its_task() {
    let home = Home::new();
    let ended = home.run(&["call", "--stdin"], format!("{LINE}\n").as_bytes()).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    is_the_first_task(&ended.json());
    let again = home.run(&["call", "--stdin"], LINE.as_bytes()).await;
    assert_eq!(again.json()["message"], "Created task TASK-0002: Review budget");
}

#[tokio::test]
async fn the_same_call_over_mcp_gives_the_same_result() {
    let home = Home::new();
    let mut session = home.mcp().await;
    is_the_first_task(
        &session.call("create_task", json!({"title": "Review budget", "priority": "high"})).await.result(),
    );
    let second = session.call("create_task", json!({"title": "Call Ann"})).await.result();
    assert_eq!((&second["task"]["id"], &second["task"]["priority"]), (&json!("TASK-0002"), &json!("normal")));
    assert_eq!(session.close().await.code, Some(0));
}

#[tokio::test]
async fn a_pipe_that_ends_at_once_is_answered_before_the_end() {
    let home = Home::new();
    let opening = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "echo", "version": "1"}}});
    let mut call: Value = serde_json::from_str(LINE).unwrap();
    call["jsonrpc"] = json!("2.0");
    call["id"] = json!("the call");
    let notified = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    let ended = home.run(&["mcp"], format!("{opening}\n{notified}\n{call}").as_bytes()).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let response: Value = serde_json::from_str(ended.out.lines().last().unwrap()).unwrap();
    assert_eq!(response["id"], "the call");
    is_the_first_task(&response["result"]["structuredContent"]);
}

#[tokio::test]
async fn a_list_has_a_count_and_takes_the_lessons_filters() {
    let home = Home::new();
    let mut session = home.mcp().await;
    assert_eq!(session.call("list_tasks", json!({})).await.result(), json!({"count": 0, "tasks": []}));
    for (title, priority) in [("a", "urgent"), ("b", "low"), ("c", "urgent")] {
        session.call("create_task", json!({"title": title, "priority": priority})).await.result();
    }
    session.call("update_task", json!({"task_id": "TASK-0003", "status": "in_progress"})).await.result();
    for (filter, expected) in [
        (json!({}), 3),
        (json!({"priority": "urgent"}), 2),
        (json!({"status": "pending"}), 2),
        (json!({"status": "pending", "priority": "urgent"}), 1),
        (json!({"status": "completed"}), 0),
    ] {
        let listed = session.call("list_tasks", filter.clone()).await.result();
        assert_eq!(
            (&listed["count"], listed["tasks"].as_array().unwrap().len()),
            (&json!(expected), expected),
            "{filter}"
        );
    }
}

#[tokio::test]
async fn an_update_says_so_and_an_unknown_id_is_told_in_the_lessons_words() {
    let home = Home::new();
    let mut session = home.mcp().await;
    session.call("create_task", json!({"title": "Review budget", "description": "All of it"})).await.result();
    let change = json!({"task_id": "TASK-0001", "title": "Review the budget", "status": "completed"});
    let updated = session.call("update_task", change).await.result();
    assert_eq!((&updated["success"], &updated["message"]), (&json!(true), &json!("Updated task TASK-0001")));
    let task = &updated["task"];
    has_keys(task, &["id", "title", "priority", "description", "due_date", "status", "created_at", "updated_at"]);
    assert_eq!((&task["title"], &task["status"]), (&json!("Review the budget"), &json!("completed")));
    assert_eq!(task["description"], "All of it");

    let exactly = r#"{"success":false,"error":"Task TASK-0042 not found","hint":"Call list_tasks to see the ids."}"#;
    let refusal = session.call("update_task", json!({"task_id": "TASK-0042", "status": "completed"})).await.refusal();
    assert_eq!(refusal.text, exactly);
    let ended = call(&home, "update_task", json!({"task_id": "TASK-0042", "status": "completed"})).await;
    assert_eq!((ended.code, ended.out.trim()), (Some(1), exactly));
}

#[tokio::test]
async fn without_tasks_the_lessons_answers_come_at_once() {
    let home = Home::new();
    let mut session = home.mcp().await;
    let analysis = session.call("analyze_workload", json!({})).await.result();
    assert_eq!(analysis["analysis"], "No tasks to analyze. Create some tasks first.");
    assert_eq!((&analysis["summary"], &analysis["status"]), (&json!({"total": 0}), &json!("empty")));
    let next = session.call("suggest_next_action", json!({})).await.result();
    assert_eq!(next["suggestion"], "No tasks found. Start by creating some tasks!");
    assert_eq!((&next["reasoning"], &next["task_count"]), (&json!("Empty task list"), &json!(0)));
    let plan = session.call("plan_sprint", json!({"sprint_name": "Sprint 1"})).await.result();
    let lesson = json!({"sprint": "Sprint 1", "duration_days": 14, "capacity_hours": 80, "available_tasks": 0});
    lesson.as_object().unwrap().iter().for_each(|(key, value)| assert_eq!(&plan[key], value, "{key}"));
    assert!(plan["plan"].is_string());
    assert_eq!(home.ledger().await.attempts().await, [], "nobody is asked about nothing");
}

#[tokio::test]
async fn without_a_model_every_tool_answers_and_says_what_to_start() {
    let home = Home::new();
    let mut session = home.mcp().await;
    for (title, priority) in [("Fix login", "urgent"), ("Write docs", "high"), ("Tidy up", "normal")] {
        session.call("create_task", json!({"title": title, "priority": priority})).await.result();
    }
    session.call("update_task", json!({"task_id": "TASK-0001", "status": "completed"})).await.result();

    let analysis = session.call("analyze_workload", json!({})).await.result();
    // As the lesson counts: urgent and high whatever the status.
    assert_eq!(analysis["summary"], json!({"total": 3, "pending": 2, "urgent": 1, "high": 1}));
    let text = analysis["analysis"].as_str().unwrap();
    assert!(text.starts_with("Model unavailable. Basic summary provided. ") && text.contains("TASK-0002"), "{text}");
    assert_eq!(analysis["time_horizon"], "week");

    let advice = session.call("smart_prioritize", json!({"task_description": "Urgent: fix the login"})).await.result();
    assert_eq!(advice["input"], "Urgent: fix the login");
    let recommendation: Value = serde_json::from_str(advice["recommendation"].as_str().unwrap()).unwrap();
    has_keys(&recommendation, &["priority", "title", "effort_hours", "considerations"]);
    assert_eq!(recommendation, advice["suggested"]);

    let sprint = json!({"sprint_name": "Sprint 7", "duration_days": 7, "team_capacity_hours": 20});
    let plan = session.call("plan_sprint", sprint).await.result();
    let lesson = json!({"sprint": "Sprint 7", "duration_days": 7, "capacity_hours": 20, "available_tasks": 2});
    lesson.as_object().unwrap().iter().for_each(|(key, value)| assert_eq!(&plan[key], value, "{key}"));
    assert!(plan["plan"].as_str().unwrap().starts_with("Model unavailable. "), "{}", plan["plan"]);

    let next = session.call("suggest_next_action", json!({})).await.result();
    assert!(next["suggestion"].as_str().unwrap().contains("TASK-0002"), "{}", next["suggestion"]);
    assert_eq!(next["task_count"], 3);
    next["generated_at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();

    for result in [analysis, advice, plan, next] {
        assert_eq!((&result["status"], &result["error"]), (&json!("degraded"), &json!(NOT_RUNNING)), "{result}");
        assert_eq!((&result["routing"]["model"], &result["routing"]["tier"]), (&Value::Null, &json!("none")));
    }
}

#[tokio::test]
async fn models_are_asked_as_in_the_lesson() {
    let upstream = Upstream::start().await;
    // Nobody's answer is accepted here; what matters is what was asked.
    upstream.on("task-api-model").reply("no");
    let home = Home::new().with("LITELLM_PROXY_URL", upstream.base_url());
    let mut session = home.mcp().await;
    session.call("create_task", json!({"title": "Review budget"})).await.result();
    for (tool, arguments, role, temperature) in [
        (
            "analyze_workload",
            json!({"time_horizon": "month"}),
            "You are TaskMaster, an expert at workload analysis and prioritization.",
            0.7,
        ),
        ("smart_prioritize", json!({"task_description": "x y"}), "You are TaskMaster. Analyze tasks", 0.7),
        (
            "plan_sprint",
            json!({"sprint_name": "Sprint 1"}),
            "You are TaskMaster, an expert Agile coach and sprint planner.",
            0.2,
        ),
        ("suggest_next_action", json!({}), "You are TaskMaster, helping users focus on what matters most.", 0.7),
    ] {
        session.call(tool, arguments).await.result();
        let asked = upstream.requests().pop().unwrap();
        assert_eq!(asked.model, "task-api-model");
        assert_eq!(asked.header("authorization"), Some("Bearer sk-local-dev-key"));
        let system = &asked.body["messages"][0];
        assert_eq!(system["role"], "system");
        assert!(system["content"].as_str().unwrap().starts_with(role), "{tool}: {system}");
        let sent = asked.body["temperature"].as_f64().unwrap();
        assert!((sent - temperature).abs() < 1e-6, "{tool}: {sent}");
    }
    assert_eq!(upstream.count(), 4);
}
