//! The record of a task: its keys, their order, and the way back.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn bare() -> Task {
    let created_at = at("2026-01-02T14:30:00Z");
    let title = "Review budget".into();
    Task { title, priority: Priority::High, created_at, updated_at: created_at, ..crate::tasks::samples::task(1) }
}

#[test]
fn the_first_seven_keys_are_always_there_and_in_order() {
    assert_eq!(
        serde_json::to_string(&bare()).unwrap(),
        concat!(
            r#"{"id":"TASK-0001","title":"Review budget","priority":"high","description":null,"due_date":null,"#,
            r#""status":"pending","created_at":"2026-01-02T14:30:00.000Z","updated_at":"2026-01-02T14:30:00.000Z","version":1}"#
        )
    );
}

#[test]
fn what_a_task_says_is_told_key_by_key() {
    let task = Task {
        description: Some("All of it".into()),
        status: Status::Completed,
        due_date: Some(jiff::civil::date(2026, 12, 31)),
        completed_at: Some(at("2026-01-03T09:00:00.123456789Z")),
        assignee: Some("Ada".into()),
        estimate: Some(Hours { minutes: 210 }),
        tags: vec!["budget".into(), "q3".into()],
        project: Some("Finance".into()),
        parent_id: Some(TaskId(7)),
        depends_on: vec![TaskId(2), TaskId(12_345)],
        version: 4,
        ..bare()
    };
    let record = task.to_record().unwrap();
    let expected = json!({
        "id": "TASK-0001", "title": "Review budget", "priority": "high", "description": "All of it",
        "due_date": "2026-12-31", "status": "completed", "created_at": "2026-01-02T14:30:00.000Z",
        "updated_at": "2026-01-02T14:30:00.000Z", "completed_at": "2026-01-03T09:00:00.123Z", "assignee": "Ada",
        "estimate_hours": 3.5, "tags": ["budget", "q3"], "project": "Finance", "parent_id": "TASK-0007",
        "depends_on": ["TASK-0002", "TASK-12345"], "version": 4
    });
    assert_eq!(record, expected);
    let keys = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&record), keys(&expected));
}

#[test]
fn a_broken_record_is_a_storage_error_that_shows_no_task_text() {
    for broken in [json!({}), json!("x"), json!({"id": "TASK-0001", "title": "Secret"})] {
        let error = Task::from_record(&broken).unwrap_err();
        assert_eq!(error.kind, Kind::Storage);
        assert!(!error.message.contains("Secret"));
    }
}

#[test]
fn a_closed_task_is_never_late_and_waits_for_nothing() {
    let day = jiff::civil::date(2026, 11, 23);
    let late = |status, due_date| Task { status, due_date, ..bare() }.overdue(day);
    assert!(late(Status::Pending, day.yesterday().ok()));
    assert!(late(Status::InProgress, day.yesterday().ok()));
    assert!(!late(Status::Pending, Some(day)));
    assert!(!late(Status::Pending, None));
    assert!(!late(Status::Completed, day.yesterday().ok()));
    assert!(!late(Status::Cancelled, day.yesterday().ok()));

    let chained = Task { depends_on: vec![TaskId(2), TaskId(3)], ..bare() };
    let two_is_done = |id| id == TaskId(2);
    assert_eq!(chained.waits_for(two_is_done), [TaskId(3)]);
    assert!(!chained.ready(two_is_done));
    assert!(chained.ready(|_| true));
    let closed = Task { status: Status::Cancelled, ..chained };
    assert!(closed.waits_for(two_is_done).is_empty());
    assert!(!closed.ready(|_| true));
}

prop_compose! {
    fn tasks()(
        id in 1u32.., title in any::<String>(), description in any::<Option<String>>(),
        priority in prop::sample::select(Priority::ALL), status in prop::sample::select(Status::ALL),
        due in prop::option::of(-4_000_000i32..2_900_000), created in 0i64..253_402_207_200_000,
        updated in 0i64..253_402_207_200_000, completed in prop::option::of(0i64..253_402_207_200_000),
    )(
        assignee in any::<Option<String>>(), minutes in prop::option::of(1u32..=600_000),
        tags in any::<Vec<String>>(), project in any::<Option<String>>(), parent in prop::option::of(1u32..),
        depends_on in prop::collection::vec(1u32.., 0..5), version in 1u64..,
        fixed in Just((id, title, description, priority, status)), times in Just((due, created, updated, completed)),
    ) -> Task {
        let (id, title, description, priority, status) = fixed;
        let (due, created, updated, completed) = times;
        let time = |millis| Timestamp::from_millisecond(millis).unwrap();
        let day = |days: i32| jiff::civil::date(1970, 1, 1).saturating_add(jiff::Span::new().days(days));
        Task {
            id: TaskId(id), title, description, priority, status, due_date: due.map(day),
            created_at: time(created), updated_at: time(updated), completed_at: completed.map(time),
            assignee, estimate: minutes.map(|minutes| Hours { minutes }), tags, project,
            parent_id: parent.map(TaskId), depends_on: depends_on.into_iter().map(TaskId).collect(), version,
        }
    }
}

proptest! {
    #[test]
    fn a_task_comes_back_as_it_was(task in tasks()) {
        let text = serde_json::to_string(&task).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Task>(&text).unwrap(), &task);
        prop_assert_eq!(&Task::from_record(&task.to_record().unwrap()).unwrap(), &task);
    }

    #[test]
    fn a_time_cut_to_milliseconds_is_what_its_text_says(nanos in 0i128..4_000_000_000_000_000_000) {
        let time = Timestamp::from_nanosecond(nanos).unwrap();
        let text = format!("{time:.3}");
        prop_assert_eq!(text.parse::<Timestamp>().unwrap(), to_millis(time));
    }
}
