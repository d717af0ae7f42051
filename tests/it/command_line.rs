//! The commands as a shell runs them: what they print, where, and how they end.

use std::io::Write;
use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::Value;

use crate::policies::{Knobs, policy};
use crate::taskgate::Taskgate;

/// The lesson's own line.
const LESSON_LINE: &str = r#"{"method": "tools/call", "params": {"name": "create_task", "arguments": {"title": "Review budget", "priority": "high"}}}"#;

fn taskgate(folder: &Path) -> Taskgate {
    Taskgate::new(folder, &policy(&Knobs::default()))
}

fn run(taskgate: &Taskgate, arguments: &[&str]) -> Output {
    taskgate.command(arguments).output().unwrap()
}

fn fed(taskgate: &Taskgate, arguments: &[&str], input: &[u8]) -> Output {
    let mut command = taskgate.command(arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

fn printed(output: &Output) -> Value {
    let text = std::str::from_utf8(&output.stdout).unwrap();
    assert_eq!(text.lines().count(), 1, "one line of JSON: {text}");
    serde_json::from_str(text).unwrap()
}

#[test]
fn the_lessons_line_creates_a_task() {
    let folder = tempfile::tempdir().unwrap();
    let output = fed(&taskgate(folder.path()), &["call", "--stdin"], LESSON_LINE.as_bytes());
    let created = printed(&output);
    assert!(output.status.success());
    assert_eq!(created["message"], "Created task TASK-0001: Review budget");
    assert_eq!((&created["task"]["priority"], &created["success"]), (&Value::from("high"), &Value::from(true)));
}

#[test]
fn keys_and_values_take_their_types_from_the_tool() {
    let folder = tempfile::tempdir().unwrap();
    let taskgate = taskgate(folder.path());
    let pairs = ["call", "create_task", "title=42", "estimate_hours=1.5", "tags=b,a", "due_date=2026-12-01"];
    let task = &printed(&run(&taskgate, &pairs))["task"];
    assert_eq!((&task["title"], &task["estimate_hours"]), (&Value::from("42"), &Value::from(1.5)));
    assert_eq!(task["tags"], serde_json::json!(["a", "b"]));
    let json = r#"{"title": "From JSON", "priority": "low"}"#;
    let task = &printed(&run(&taskgate, &["call", "create_task", "--json", json, "priority=urgent"]))["task"];
    assert_eq!((&task["title"], &task["priority"]), (&Value::from("From JSON"), &Value::from("urgent")));
}

#[test]
fn a_failed_call_prints_the_lessons_error_and_ends_with_1() {
    let folder = tempfile::tempdir().unwrap();
    let taskgate = taskgate(folder.path());
    let calls: [(&[&str], &str); 5] = [
        (&["call", "get_task", "task_id=TASK-0042"], "Task TASK-0042 not found"),
        (&["call", "create_task", "titel=x"], "unknown field `titel`, did you mean `title`?"),
        (&["call", "create_task", "estimate_hours=soon", "title=x"], "estimate_hours"),
        (&["call", "create_task", "title"], "`title` is not key=value"),
        (&["call", "make_coffee"], "make_coffee"),
    ];
    for (arguments, told) in calls {
        let output = run(&taskgate, arguments);
        let error = printed(&output);
        assert_eq!((output.status.code(), &error["success"]), (Some(1), &Value::from(false)), "{arguments:?}");
        assert!(error["error"].as_str().unwrap().contains(told), "{arguments:?}: {error}");
        assert!(error["hint"].is_string(), "{arguments:?}: {error}");
    }
}

#[test]
fn what_is_no_call_on_standard_input_is_told_with_what_to_write() {
    let folder = tempfile::tempdir().unwrap();
    let taskgate = taskgate(folder.path());
    for input in ["", "{\"method\": \"tools/ca", "\u{fffd}", "{\"method\": \"tools/list\"}", "[1]"] {
        let output = fed(&taskgate, &["call", "--stdin"], input.as_bytes());
        let error = printed(&output);
        assert_eq!(output.status.code(), Some(1), "{input}");
        assert!(error["hint"].as_str().unwrap().contains("tools/call"), "{input}: {error}");
    }
}

#[test]
fn a_policy_with_mistakes_or_a_database_that_cannot_be_opened_stops_the_start_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let broken = Taskgate::new(folder.path(), "version: 1\nmodells: {}\n");
    let output = run(&broken, &["mcp"]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && error.contains("modells") && error.contains(":2:1"), "{error}");
    std::fs::write(
        folder.path().join("file.db"),
        "not a database at all, but long enough to be read as one".repeat(50),
    )
    .unwrap();
    let fine = taskgate(folder.path());
    let output = run(&fine, &["mcp", "--database", folder.path().join("file.db").to_str().unwrap()]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && error.contains("hint:") && output.stdout.is_empty(), "{error}");
}

#[test]
fn an_unknown_command_ends_with_2() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(run(&taskgate(folder.path()), &["brew"]).status.code(), Some(2));
}

#[test]
fn explain_shows_the_decision_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let taskgate = taskgate(folder.path());
    printed(&run(&taskgate, &["call", "create_task", "title=Only"]));
    let explained = printed(&run(&taskgate, &["explain", "suggest_next_action"]));
    assert_eq!(explained["decision"]["tier"], "local");
    assert!(explained["decision"]["complexity"]["score"].as_f64().unwrap() > 0.0, "{explained}");
    assert_eq!(explained["calls"][0]["model"], explained["decision"]["candidates"][0]["model"], "{explained}");
    let logic = printed(&run(&taskgate, &["explain", "create_task", "title=Never"]));
    assert_eq!((&logic["decision"]["tier"], logic["calls"].as_array().unwrap().len()), (&Value::from("none"), 0));
    assert_eq!(printed(&run(&taskgate, &["call", "list_tasks"]))["count"], 1);
}

#[test]
fn a_past_request_is_explained_from_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    let taskgate = taskgate(folder.path());
    let mut logged = taskgate.command(&["call", "create_task", "title=Only"]);
    let log = String::from_utf8(logged.env("TASKGATE_LOG", "info").output().unwrap().stderr).unwrap();
    let id = log.split("\"request\":\"").nth(1).unwrap().split('"').next().unwrap();
    let past = printed(&run(&taskgate, &["explain", "--request", id]));
    assert_eq!((&past["id"], &past["status"]), (&Value::from(id), &Value::from("ok")));
    assert_eq!(past["target"]["tool"], "create_task");
    let unknown = run(&taskgate, &["explain", "--request", "01900000-0000-7000-8000-000000000000"]);
    assert!(!unknown.status.success() && printed(&unknown)["hint"].is_string());
}
