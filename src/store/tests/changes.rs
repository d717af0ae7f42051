//! Creating, changing and deleting tasks: what is stored, what is refused, what history keeps.

use super::*;
use crate::error::Kind;
use crate::store::IdempotencyKey;
use crate::tasks::{Field, Hours, Status};

fn full() -> Draft {
    Draft {
        title: "Write the report \u{1f4c4}".to_owned(),
        description: Some("It's \"urgent\"; DROP TABLE tasks;--\nsecond line".to_owned()),
        priority: Priority::Urgent,
        due_date: Some("2026-12-24".parse().unwrap()),
        assignee: Some("Ängela".to_owned()),
        estimate: Some(Hours { minutes: 90 }),
        tags: vec!["zeta".to_owned(), "alpha".to_owned(), "zeta".to_owned()],
        project: Some("Budget".to_owned()),
        parent_id: Some(TaskId(1)),
        depends_on: ids(&[2, 1, 2]),
    }
}

fn key(key: &str, body: &str) -> IdempotencyKey {
    IdempotencyKey { key: key.to_owned(), body: body.to_owned() }
}

#[tokio::test]
async fn what_is_returned_is_what_is_stored_also_after_a_restart() {
    let kept = Fixture::new().await;
    kept.create_many(2).await;
    let task = kept.create(full()).await;
    assert_eq!(task.id.to_string(), "TASK-0003");
    assert_eq!((task.status, task.version), (Status::Pending, 1));
    assert_eq!((task.tags.clone(), task.depends_on.clone()), (vec!["alpha".into(), "zeta".into()], ids(&[1, 2])));
    assert_eq!((task.created_at, task.updated_at), (moment(0), moment(0)));
    assert_eq!(kept.store.task(task.id).await.unwrap(), task);

    let patch = Patch { status: Some(Status::InProgress), tags: Some(vec!["beta".into()]), ..Patch::default() };
    let changed = kept.update(3, patch).await;
    let kept = kept.reopen().await;
    assert_eq!(kept.store.task(task.id).await.unwrap(), changed);
    assert_eq!(kept.store.tasks().await.unwrap().last(), Some(&changed));
}

#[tokio::test]
async fn an_unknown_task_is_named_in_the_words_that_clients_match() {
    let kept = Fixture::new().await;
    let error = kept.store.task(TaskId(42)).await.unwrap_err();
    assert_eq!((error.kind, error.message.as_str()), (Kind::NotFound, "Task TASK-0042 not found"));
    assert_eq!(error.hint.as_deref(), Some("Call list_tasks to see the ids."));
    let update = kept.store.update_task(TaskId(42), &Patch::default(), None, at(1)).await.unwrap_err();
    let delete = kept.store.delete_task(TaskId(42), at(1)).await.unwrap_err();
    let history = kept.store.history(TaskId(42)).await.unwrap_err();
    for error in [update, delete, history] {
        assert_eq!(error.message, "Task TASK-0042 not found");
    }
}

#[tokio::test]
async fn a_change_counts_the_version_up_and_completing_sets_the_time_until_reopened() {
    let kept = Fixture::new().await;
    kept.create_many(1).await;
    let done = kept.update(1, Patch { status: Some(Status::Completed), ..Patch::default() }).await;
    assert_eq!((done.version, done.completed_at, done.updated_at), (2, Some(moment(1)), moment(1)));
    let open = kept.update(1, Patch { status: Some(Status::Pending), ..Patch::default() }).await;
    assert_eq!((open.version, open.completed_at), (3, None));
}

#[tokio::test]
async fn a_patch_that_changes_nothing_leaves_no_trace() {
    let kept = Fixture::new().await;
    kept.create_many(2).await;
    let before = kept.create(full()).await;
    let patch = Patch {
        title: Some(before.title.clone()),
        tags: Some(before.tags.clone()),
        status: Some(Status::Pending),
        ..Patch::default()
    };
    let updated = kept.store.update_task(before.id, &patch, Some(1), at(5)).await.unwrap();
    assert_eq!((&updated.before, &updated.after), (&before, &before));
    assert_eq!(kept.store.history(before.id).await.unwrap().len(), 1);
}

#[tokio::test]
async fn clearing_empties_every_optional_field() {
    let kept = Fixture::new().await;
    kept.create_many(2).await;
    let task = kept.create(full()).await;
    let bare = kept.update(3, Patch { clear: Field::ALL.to_vec(), ..Patch::default() }).await;
    let expected = Task {
        description: None,
        due_date: None,
        assignee: None,
        estimate: None,
        tags: Vec::new(),
        project: None,
        parent_id: None,
        depends_on: Vec::new(),
        version: 2,
        updated_at: moment(1),
        ..task
    };
    assert_eq!(bare, expected);
    assert_eq!(kept.store.task(bare.id).await.unwrap(), expected);
}

#[tokio::test]
async fn a_wrong_version_is_refused_with_the_current_one() {
    let kept = Fixture::new().await;
    kept.create_many(1).await;
    kept.update(1, Patch { status: Some(Status::InProgress), ..Patch::default() }).await;
    let late = Patch { title: Some("Mine".into()), ..Patch::default() };
    let error = kept.store.update_task(TaskId(1), &late, Some(1), at(2)).await.unwrap_err();
    assert_eq!(error.kind, Kind::Conflict);
    let hint = error.hint.unwrap();
    assert!(hint.contains("version is now 2") && hint.contains("in_progress"), "{hint}");
    assert_eq!(kept.store.task(TaskId(1)).await.unwrap().title, "Task 1");
    assert_eq!(kept.store.update_task(TaskId(1), &late, Some(2), at(2)).await.unwrap().after.title, "Mine");
}

#[tokio::test]
async fn a_key_makes_one_task_also_across_a_restart_and_another_body_is_refused() {
    let kept = Fixture::new().await;
    let first = kept.store.create_task(&draft("Once"), Some(&key("k1", "a")), at(0)).await.unwrap();
    assert!(!first.repeated);
    let renamed = kept.update(1, Patch { title: Some("Renamed".into()), ..Patch::default() }).await;
    let kept = kept.reopen().await;
    let again = kept.store.create_task(&draft("Once"), Some(&key("k1", "a")), at(9)).await.unwrap();
    assert_eq!((again.repeated, again.task), (true, renamed));

    let other = kept.store.create_task(&draft("Twice"), Some(&key("k1", "b")), at(9)).await.unwrap_err();
    assert_eq!(other.kind, Kind::Conflict);
    assert!(other.message.contains("TASK-0001"), "{}", other.message);
    kept.store.delete_task(TaskId(1), at(10)).await.unwrap();
    let gone = kept.store.create_task(&draft("Once"), Some(&key("k1", "a")), at(11)).await.unwrap_err();
    assert_eq!(gone.kind, Kind::Conflict);
    assert_eq!(kept.store.tasks().await.unwrap(), []);
}

#[tokio::test]
async fn a_refused_creation_uses_up_neither_key_nor_number() {
    let kept = Fixture::new().await;
    let wrong = Draft { depends_on: ids(&[7]), ..draft("Wrong") };
    kept.store.create_task(&wrong, Some(&key("k", "a")), at(0)).await.unwrap_err();
    let right = kept.store.create_task(&draft("Right"), Some(&key("k", "b")), at(0)).await.unwrap();
    assert_eq!((right.task.id, right.repeated), (TaskId(1), false));
}

#[tokio::test]
async fn numbers_are_never_used_again() {
    let kept = Fixture::new().await;
    kept.create_many(3).await;
    for id in [3, 2] {
        kept.store.delete_task(TaskId(id), at(1)).await.unwrap();
    }
    let kept = kept.reopen().await;
    assert_eq!(kept.create(draft("Next")).await.id, TaskId(4));
}

#[tokio::test]
async fn history_tells_every_change_with_the_records_before_and_after() {
    let kept = Fixture::new().await;
    kept.create_many(1).await;
    let by = Change { by: "claude", at: moment(3) };
    let patch = Patch { priority: Some(Priority::High), ..Patch::default() };
    kept.store.update_task(TaskId(1), &patch, None, by).await.unwrap();
    kept.store.delete_task(TaskId(1), at(4)).await.unwrap();
    let events = kept.store.history(TaskId(1)).await.unwrap();
    let told: Vec<_> = events.iter().map(|event| (event.what.as_str(), event.by.as_str(), event.at)).collect();
    let expected = [("created", "local", moment(0)), ("updated", "claude", moment(3)), ("deleted", "local", moment(4))];
    assert_eq!(told, expected);
    let word =
        |record: &Option<serde_json::Value>| record.as_ref().map(|it| it["priority"].as_str().unwrap().to_owned());
    let priorities: Vec<_> = events.iter().map(|event| (word(&event.before), word(&event.after))).collect();
    let (normal, high) = (Some("normal".to_owned()), Some("high".to_owned()));
    assert_eq!(priorities, [(None, normal.clone()), (normal, high.clone()), (high, None)]);
}

#[tokio::test]
async fn deleting_names_and_unlinks_what_referred_to_the_task() {
    let kept = Fixture::new().await;
    kept.create_many(2).await;
    kept.create(Draft { depends_on: ids(&[1, 2]), ..draft("Depends") }).await;
    kept.create(Draft { parent_id: Some(TaskId(1)), depends_on: ids(&[1]), ..draft("Both") }).await;
    let deleted = kept.store.delete_task(TaskId(1), at(8)).await.unwrap();
    assert_eq!((deleted.task.id, deleted.unlinked), (TaskId(1), ids(&[3, 4])));
    assert_eq!(kept.store.task(TaskId(1)).await.unwrap_err().kind, Kind::NotFound);
    let (depends, both) = (kept.store.task(TaskId(3)).await.unwrap(), kept.store.task(TaskId(4)).await.unwrap());
    assert_eq!((depends.depends_on, depends.version, depends.updated_at), (ids(&[2]), 2, moment(8)));
    assert_eq!((both.depends_on, both.parent_id, both.version), (ids(&[]), None, 2));
    assert_eq!(kept.store.history(TaskId(4)).await.unwrap().len(), 2);
    assert_eq!(kept.store.delete_task(TaskId(1), at(9)).await.unwrap_err().kind, Kind::NotFound);
    assert_eq!(kept.store.task_counts().await.unwrap()[0], (Status::Pending, 3));
}
