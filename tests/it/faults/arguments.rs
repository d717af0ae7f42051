//! Arguments that cannot be meant: each refusal names the field, the value, what is allowed and what to do next.

use std::time::Duration;

use serde_json::{Value, json};

use super::first_task;
use crate::binary::Home;

/// Megabytes that are compared letter by letter with what they might have meant took a debug build longer than this;
/// all else takes a few seconds at most. Counted as the program's work, whatever else the machine does.
const WORK: Duration = Duration::from_secs(25);

/// A call, parts of its error, and a part of its hint.
type Case = (&'static str, Value, &'static [&'static str], &'static str);

/// Each call is refused with these words, changes nothing, and is one row of the ledger without attempts.
async fn refused(cases: Vec<Case>) {
    let home = Home::new();
    let mut session = home.mcp().await;
    let task = first_task(&mut session).await;
    let calls = i64::try_from(cases.len()).unwrap();
    for (tool, arguments, error, hint) in cases {
        let before = session.worked();
        let refusal = session.call(tool, arguments).await.refusal();
        let took = session.worked() - before;
        assert!(took < WORK, "{tool}: {took:?} for {refusal:?}");
        let missing: Vec<_> = error.iter().filter(|part| !refusal.error.contains(**part)).collect();
        assert!(missing.is_empty(), "{tool}: {missing:?} are not in {refusal:?}");
        assert!(refusal.hint.contains(hint) && !refusal.hint.is_empty(), "{tool}: {refusal:?}");
        assert!(refusal.text.len() < 2_000, "{tool}: {} bytes", refusal.text.len());
    }
    let kept = session.call("get_task", json!({"task_id": "TASK-0001"})).await.result();
    assert_eq!(kept["task"], task);
    assert_eq!(session.call("list_tasks", json!({})).await.result()["count"], 1);
    let ledger = home.ledger().await;
    let rows = ledger.numbers("SELECT status, count(*) FROM requests GROUP BY 1 ORDER BY 1").await;
    assert_eq!(rows, [("ok".to_owned(), 3), ("rejected".to_owned(), calls)]);
    assert_eq!(ledger.attempts().await, []);
    assert_eq!(session.close().await.code, Some(0));
}

#[tokio::test]
async fn wrong_types() {
    refused(vec![
        ("create_task", json!({"title": 7}), &["`title`", "text", "7"], "`title`"),
        ("create_task", json!({"title": ["a"]}), &["`title`", "a list"], "`title`"),
        ("create_task", json!({"title": "a", "tags": "b"}), &["`tags`", "a list of at most 20", "\"b\""], "`tags`"),
        ("create_task", json!({"title": "a", "tags": ["b", 3]}), &["`tags[1]`", "text", "3"], "`tags[1]`"),
        ("create_task", json!({"title": "a", "estimate_hours": "4"}), &["`estimate_hours`", "a number"], "estimate"),
        (
            "create_task",
            json!({"title": "a", "estimate_hours": -1}),
            &["`estimate_hours`", "above 0", "-1"],
            "estimate",
        ),
        ("create_task", json!({"title": "a", "priority": "critical"}), &["`priority`", "urgent", "critical"], ""),
        ("create_task", json!({"title": "a", "priority": {"is": "high"}}), &["`priority`", "an object"], "priority"),
        ("update_task", json!({"task_id": "TASK-0001", "status": "donee"}), &["`status`", "completed", "donee"], ""),
        (
            "update_task",
            json!({"task_id": "TASK-0001", "expected_version": 1.5}),
            &["`expected_version`", "1.5"],
            "version",
        ),
        ("update_task", json!({"task_id": "TASK-0001"}), &["nothing to change"], "at least one field"),
        ("list_tasks", json!({"limit": 1_000}), &["`limit`", "100", "1000"], "limit"),
        ("list_tasks", json!({"ready": "yes"}), &["`ready`", "true or false", "yes"], "ready"),
        ("plan_sprint", json!({"sprint_name": "a", "duration_days": 0}), &["`duration_days`", "1 to 365", "0"], "days"),
        ("plan_sprint", json!({"sprint_name": "a", "duration_days": 1e300}), &["`duration_days`", "1 to 365"], "days"),
        ("analyze_workload", json!({"time_horizon": "year"}), &["`time_horizon`", "month", "year"], ""),
        ("smart_prioritize", json!({}), &["`task_description` is missing"], "task_description"),
    ])
    .await;
}

#[tokio::test]
async fn unknown_fields() {
    refused(vec![
        (
            "create_task",
            json!({"titel": "a"}),
            &["unknown field `titel`, did you mean `title`?"],
            "The fields are title,",
        ),
        ("create_task", json!({"title": "a", "due": "tomorrow"}), &["`due`", "did you mean `due_date`?"], "due_date"),
        ("update_task", json!({"id": "TASK-0001", "status": "completed"}), &["`id`", "`task_id`?"], "task_id"),
        ("list_tasks", json!({"xyzzy": 1}), &["unknown field `xyzzy`"], "The fields are"),
        ("suggest_next_action", json!({"who\u{202e}": "me"}), &["unknown field `who`"], "assignee"),
    ])
    .await;
}

#[tokio::test]
async fn empty_and_over_long_texts() {
    let long = |length: usize| "x".repeat(length);
    refused(vec![
        ("create_task", json!({"title": ""}), &["`title`", "empty", "1 to 200"], "what has to be done"),
        ("create_task", json!({"title": " \u{200b}\t "}), &["`title`", "empty"], "what has to be done"),
        ("create_task", json!({"title": long(201)}), &["`title`", "201", "200"], "description"),
        (
            "create_task",
            json!({"title": "a", "description": long(10_001)}),
            &["`description`", "10001", "10000"],
            "Keep",
        ),
        ("create_task", json!({"title": "a", "assignee": long(101)}), &["`assignee`", "101"], "short"),
        ("create_task", json!({"title": "a", "idempotency_key": ""}), &["`idempotency_key`"], "unique"),
        ("update_task", json!({"task_id": "TASK-0001", "title": ""}), &["`title`", "empty"], "what has to be done"),
        ("smart_prioritize", json!({"task_description": ""}), &["`task_description`", "1 to 10000"], "sentence"),
        ("plan_sprint", json!({"sprint_name": long(101)}), &["`sprint_name`", "101"], "Sprint 12"),
    ])
    .await;
}

#[tokio::test]
async fn two_hundred_characters_are_no_more_than_two_hundred_whatever_their_bytes() {
    let home = Home::new();
    let mut session = home.mcp().await;
    let title = "ö日🦀e".repeat(50);
    assert_eq!(session.call("create_task", json!({"title": title})).await.result()["task"]["title"], title);
}

#[tokio::test]
async fn impossible_dates() {
    let due = |text: &str| json!({"title": "a", "due_date": text});
    refused(vec![
        ("create_task", due("2027-02-30"), &["`due_date`", "`2027-02-30`", "not in the calendar"], "28 days"),
        ("create_task", due("2027-13-01"), &["`due_date`", "2027-13-01"], "2026-12-31"),
        ("create_task", due("03/04/2027"), &["`due_date`", "ambiguous"], "2027-03-04 or 2027-04-03"),
        ("create_task", due("someday"), &["`due_date`", "someday"], "next friday"),
        ("create_task", due(""), &["`due_date`", "empty"], "next friday"),
        ("create_task", json!({"title": "a", "due_date": 20270101}), &["`due_date`", "text", "20270101"], "due_date"),
        (
            "update_task",
            json!({"task_id": "TASK-0001", "due_date": "2027-02-29"}),
            &["`due_date`", "not in the calendar"],
            "28 days",
        ),
        ("list_tasks", json!({"due_before": "2027-04-31"}), &["`due_before`", "2027-04-31"], "30 days"),
    ])
    .await;
}

#[tokio::test]
async fn unknown_ids() {
    refused(vec![
        ("get_task", json!({"task_id": "TASK-0042"}), &["Task TASK-0042 not found"], "list_tasks"),
        ("delete_task", json!({"task_id": "TASK-0042", "confirm": true}), &["Task TASK-0042 not found"], "list_tasks"),
        ("get_task", json!({"task_id": "the budget one"}), &["`task_id`", "TASK-0001", "the budget one"], "list_tasks"),
        ("get_task", json!({"task_id": "TASK-99999999999999"}), &["`task_id`", "TASK-99999999999999"], "list_tasks"),
        ("get_task", json!({"task_id": "TASK-0000"}), &["`task_id`", "TASK-0000"], "list_tasks"),
        ("create_task", json!({"title": "a", "parent_id": "TASK-0042"}), &["`parent_id`", "TASK-0042"], "list_tasks"),
        (
            "create_task",
            json!({"title": "a", "depends_on": ["TASK-0001", "TASK-0042", "TASK-0043"]}),
            &["`depends_on`", "TASK-0042, TASK-0043"],
            "list_tasks",
        ),
    ])
    .await;
}

#[tokio::test]
async fn cycles() {
    let home = Home::new();
    let mut session = home.mcp().await;
    first_task(&mut session).await;
    session.call("create_task", json!({"title": "b", "depends_on": ["TASK-0001"]})).await.result();
    session
        .call("create_task", json!({"title": "c", "depends_on": ["TASK-0002"], "parent_id": "TASK-0001"}))
        .await
        .result();
    let before = session.call("list_tasks", json!({"detail": "full"})).await.result();
    for (change, error, hint) in [
        (
            json!({"task_id": "TASK-0001", "depends_on": ["TASK-0003"]}),
            "`depends_on` would form a cycle: TASK-0001 -> TASK-0003 -> TASK-0002 -> TASK-0001",
            "Leave out TASK-0003",
        ),
        (
            json!({"task_id": "TASK-0001", "depends_on": ["TASK-0001"]}),
            "names TASK-0001 itself",
            "cannot wait for itself",
        ),
        (
            json!({"task_id": "TASK-0001", "parent_id": "TASK-0003"}),
            "`parent_id` would form a cycle: TASK-0001 -> TASK-0003 -> TASK-0001",
            "TASK-0003",
        ),
        (json!({"task_id": "TASK-0001", "parent_id": "TASK-0001"}), "names TASK-0001 itself", "contain itself"),
    ] {
        let refusal = session.call("update_task", change).await.refusal();
        assert!(refusal.error.contains(error) && refusal.hint.contains(hint), "{refusal:?}");
    }
    assert_eq!(session.call("list_tasks", json!({"detail": "full"})).await.result(), before);
}

#[tokio::test]
async fn ten_megabytes() {
    let much = "lorem ipsum ".repeat(10 * 1024 * 1024 / 12);
    let many: Vec<Value> = (0..1_000_000).map(|_| json!("TASK-0001")).collect();
    let deep = (0..100).fold(json!(much.clone()), |value, _| json!([value]));
    refused(vec![
        ("create_task", json!({"title": "a", "description": much}), &["`description`", "10000"], "Keep"),
        ("create_task", json!({"title": "a", "depends_on": many}), &["`depends_on`", "100", "1000000"], "Shorten"),
        ("create_task", json!({"title": "a", "description": deep}), &["`description`", "a list"], "description"),
        ("create_task", json!({ much.clone(): 1 }), &["unknown field `lorem ipsum"], "title"),
        ("create_task", json!({"title": "a", "due_date": much}), &["`due_date`"], "2026-12-31"),
        ("update_task", json!({"task_id": "TASK-0001", "status": much}), &["`status`", "in_progress"], "one of these"),
        ("smart_prioritize", json!({"task_description": much}), &["`task_description`", "10000"], "sentence"),
    ])
    .await;
}
