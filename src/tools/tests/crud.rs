//! The task tools: the lesson's keys and sentences, refusals that teach, one row of the ledger for each call.

use super::*;
use crate::error::Kind;
use crate::request::Status;

#[tokio::test]
async fn the_lessons_example_gives_the_lessons_answer() {
    let world = World::new([]).await;
    let created = world.call("create_task", json!({"title": "Review budget", "priority": "high"})).await;
    assert_eq!(created["success"], true);
    assert_eq!(created["message"], "Created task TASK-0001: Review budget");
    let task = &created["task"];
    assert_eq!((text(task, "id"), text(task, "title")), ("TASK-0001", "Review budget"));
    assert_eq!((text(task, "priority"), text(task, "status")), ("high", "pending"));
    assert_eq!((&task["description"], &task["due_date"]), (&Value::Null, &Value::Null));
    assert_eq!(text(task, "created_at"), "2026-11-23T09:30:00.123Z");

    let listed = world.call("list_tasks", json!({"status": "pending"})).await;
    assert_eq!((&listed["count"], text(&listed["tasks"][0], "id")), (&json!(1), "TASK-0001"));
    for key in ["id", "title", "priority", "description", "due_date", "status", "created_at"] {
        assert!(listed["tasks"][0].as_object().unwrap().contains_key(key), "{key}");
    }

    let updated = world.call("update_task", json!({"task_id": "TASK-0001", "status": "in_progress"})).await;
    assert_eq!((&updated["success"], text(&updated, "message")), (&json!(true), "Updated task TASK-0001"));
    assert_eq!(updated["changed"], json!([{"field": "status", "before": "pending", "after": "in_progress"}]));
    let missing = world.error("update_task", json!({"task_id": "TASK-0042", "title": "x"})).await;
    assert_eq!((missing.kind, missing.message.as_str()), (Kind::NotFound, "Task TASK-0042 not found"));
}

#[tokio::test]
async fn a_phrase_is_stored_and_told_as_a_day() {
    let world = World::new([]).await;
    let created = world.call("create_task", json!({"title": "a", "due_date": "in 3 days"})).await;
    assert_eq!(created["task"]["due_date"], "2026-11-26");
    assert_eq!(created["message"], "Created task TASK-0001: a (due 2026-11-26, Thursday)");
    let plain = world.call("create_task", json!({"title": "b", "due_date": "2026-11-26"})).await;
    assert_eq!(plain["message"], "Created task TASK-0002: b");
    let updated = world.call("update_task", json!({"task_id": "2", "due_date": "tomorrow"})).await;
    assert_eq!(updated["message"], "Updated task TASK-0002 (due 2026-11-24, Tuesday)");
}

#[tokio::test]
async fn a_repeated_key_gives_the_first_task_again() {
    let world = World::new([]).await;
    let wish = json!({"title": "a", "due_date": "tomorrow", "idempotency_key": "k"});
    let first = world.call("create_task", wish.clone()).await;
    let again = world.call("create_task", wish).await;
    assert_eq!((&again["task"], &again["repeated"]), (&first["task"], &json!(true)));
    let other = world.error("create_task", json!({"title": "b", "idempotency_key": "k"})).await;
    assert_eq!(other.kind, Kind::Conflict);
}

#[tokio::test]
async fn a_wrong_version_is_refused_with_the_record() {
    let world = World::new([]).await;
    world.call("create_task", json!({"title": "a"})).await;
    world.call("update_task", json!({"task_id": "1", "title": "b"})).await;
    let error = world.error("update_task", json!({"task_id": "1", "title": "c", "expected_version": 1})).await;
    assert_eq!(error.kind, Kind::Conflict);
    let hint = error.hint.unwrap();
    assert!(hint.contains("\"title\":\"b\"") && hint.contains("\"version\":2"), "{hint}");
}

#[tokio::test]
async fn a_task_is_shown_with_its_surroundings() {
    let world = World::new([]).await.with_board().await;
    let shown = world.call("get_task", json!({"task_id": "TASK-0001"})).await;
    assert_eq!(shown["blocks"][0]["id"], "TASK-0002");
    assert_eq!(shown["task"]["ready"], true);
    let blocked = world.call("get_task", json!({"task_id": "TASK-0002"})).await;
    assert_eq!((&blocked["blocked_by"][0]["id"], &blocked["task"]["blocked"]), (&json!("TASK-0001"), &json!(true)));
    let done = world.call("get_task", json!({"task_id": "TASK-0003"})).await;
    let history = done["history"].as_array().unwrap();
    assert_eq!((history.len(), text(&history[1], "what")), (2, "updated"));
    assert_eq!(history[1]["changes"][0], json!({"field": "status", "before": "pending", "after": "completed"}));
}

#[tokio::test]
async fn deleting_wants_a_yes_and_tells_what_was_unlinked() {
    let world = World::new([]).await.with_board().await;
    let unsure = world.error("delete_task", json!({"task_id": "TASK-0001"})).await;
    assert_eq!(unsure.message, "`confirm` must be true to delete TASK-0001");
    let deleted = world.call("delete_task", json!({"task_id": "TASK-0001", "confirm": true})).await;
    assert_eq!(deleted["message"], "Deleted task TASK-0001: Fix the login");
    assert_eq!(deleted["unlinked"], json!(["TASK-0002"]));
    let gone = world.error("get_task", json!({"task_id": "TASK-0001"})).await;
    assert_eq!(gone.message, "Task TASK-0001 not found");
}

#[tokio::test]
async fn lists_are_paged_flagged_and_small() {
    let world = World::new([]).await;
    for number in 0..25 {
        let title = "t".repeat(200);
        world
            .call(
                "create_task",
                json!({"title": title, "description": "d".repeat(4_000), "tags": [format!("n{number}")]}),
            )
            .await;
    }
    let page = world.call("list_tasks", json!({})).await;
    assert_eq!((&page["count"], page["tasks"].as_array().unwrap().len()), (&json!(25), 20));
    assert_eq!(page["truncated"], true);
    assert!(page.to_string().len() / 4 < 5_000, "{}", page.to_string().len());
    let rest = world.call("list_tasks", json!({"cursor": page["next_cursor"]})).await;
    assert_eq!((text(&rest["tasks"][0], "id"), &rest["next_cursor"]), ("TASK-0021", &Value::Null));

    let full = world.call("list_tasks", json!({"detail": "full", "limit": 100})).await;
    let shown = full["tasks"].as_array().unwrap().len();
    assert!(shown < 25 && text(&full, "hint").contains("next_cursor"), "{shown}");
    let after = world.call("list_tasks", json!({"detail": "full", "cursor": full["next_cursor"]})).await;
    assert_eq!(text(&after["tasks"][0], "id"), format!("TASK-{:04}", shown + 1));
}

/// The fattest task there can be, with the fattest surroundings: `World::call` holds every result under 60 KB.
#[tokio::test]
async fn no_record_is_too_large_to_show() {
    let world = World::new([]).await;
    let fat = |letter: &str, number: usize| letter.repeat(number);
    let tags = |letter: &str| (0..20).map(|n| format!("{}{n:02}", fat(letter, 98))).collect::<Vec<_>>();
    let fields = |letter: &str| {
        json!({"title": fat(letter, 200), "description": fat(letter, 10_000), "assignee": fat(letter, 100),
               "project": fat(letter, 100), "tags": tags(letter), "estimate_hours": 1})
    };
    world.call("create_task", fields("🎉")).await;
    for letter in ["🎈", "🎁", "🎉"] {
        let mut update = fields(letter);
        update["task_id"] = "1".into();
        world.call("update_task", update).await;
    }
    for _ in 0..60 {
        world.call("create_task", json!({"title": fat("🎉", 200), "parent_id": "1", "depends_on": ["1"]})).await;
    }
    let shown = world.call("get_task", json!({"task_id": "1"})).await;
    assert_eq!(shown["truncated"], true);
    assert!(!shown["history"].as_array().unwrap().is_empty() && !shown["blocks"].as_array().unwrap().is_empty());
    world.call("list_tasks", json!({"detail": "full", "limit": 100})).await;
    world.call("delete_task", json!({"task_id": "1", "confirm": true})).await;
}

#[tokio::test]
async fn every_call_leaves_one_row_that_says_how_it_ended() {
    let world = World::new([]).await;
    world.call("create_task", json!({"title": "a"})).await;
    world.error("create_task", json!({"titel": "a"})).await;
    world.error("get_task", json!({"task_id": "9"})).await;
    let rows: Vec<(String, Status, usize)> = world
        .ledger()
        .await
        .into_iter()
        .map(|row| (row.outcome.signals.target.as_str().to_owned(), row.outcome.status, row.outcome.attempts.len()))
        .collect();
    let row = |tool: &str, status| (tool.to_owned(), status, 0);
    let expected =
        [row("create_task", Status::Ok), row("create_task", Status::Rejected), row("get_task", Status::Rejected)];
    assert_eq!(rows, expected);
}
