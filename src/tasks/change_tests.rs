//! What a change does to a task, and which changes are refused.

use jiff::ToSpan;
use jiff::civil::date;
use proptest::prelude::*;

use super::*;
use crate::error::Kind;
use crate::tasks::{Hours, Priority};

fn noon() -> Timestamp {
    "2026-11-23T12:00:00.123456Z".parse().unwrap()
}

fn later() -> Timestamp {
    noon() + 1.hour()
}

fn full() -> Task {
    let draft = Draft {
        title: "Review budget".into(),
        description: Some("All of it".into()),
        priority: Priority::High,
        due_date: Some(date(2026, 12, 31)),
        assignee: Some("Ada".into()),
        estimate: Some(Hours::whole(3)),
        tags: vec!["q3".into(), "budget".into(), "q3".into()],
        project: Some("Finance".into()),
        parent_id: Some(TaskId(9)),
        depends_on: vec![TaskId(5), TaskId(2), TaskId(5)],
    };
    Task::from_draft(TaskId(10), &draft, noon())
}

fn status(status: Status) -> Patch {
    Patch { status: Some(status), ..Patch::default() }
}

#[test]
fn a_new_task_is_pending_with_distinct_sorted_lists_and_times_in_milliseconds() {
    let task = full();
    assert_eq!((task.status, task.version, task.completed_at), (Status::Pending, 1, None));
    assert_eq!(task.tags, ["budget", "q3"]);
    assert_eq!(task.depends_on, [TaskId(2), TaskId(5)]);
    assert_eq!(task.created_at.to_string(), "2026-11-23T12:00:00.123Z");
    assert_eq!(Task::from_record(&task.to_record().unwrap()).unwrap(), task);
}

#[test]
fn every_field_can_be_set_and_is_named() {
    let patch = Patch {
        title: Some("New".into()),
        description: Some("New".into()),
        priority: Some(Priority::Low),
        status: Some(Status::InProgress),
        due_date: Some(date(2027, 1, 1)),
        assignee: Some("Bob".into()),
        estimate: Some(Hours::whole(1)),
        tags: Some(vec!["z".into(), "a".into(), "z".into()]),
        project: Some("New".into()),
        parent_id: Some(TaskId(1)),
        depends_on: Some(vec![TaskId(4), TaskId(3)]),
        clear: Vec::new(),
    };
    let Changed { task, fields } = full().changed(&patch, later()).unwrap();
    let all = "title priority description due_date status assignee estimate_hours tags project parent_id depends_on";
    assert_eq!(fields.join(" "), all);
    assert_eq!((task.tags, task.depends_on), (vec!["a".to_owned(), "z".to_owned()], vec![TaskId(3), TaskId(4)]));
    assert_eq!((task.version, task.updated_at), (2, to_millis(later())));
    assert_eq!(task.created_at, full().created_at);
}

#[test]
fn every_optional_field_can_be_cleared_and_only_once_counts() {
    for field in Field::ALL {
        let patch = Patch { clear: vec![*field, *field], ..Patch::default() };
        let once = full().changed(&patch, later()).unwrap();
        assert_eq!(once.fields, [field.as_str()]);
        let twice = once.task.changed(&patch, later() + 1.hour()).unwrap();
        assert_eq!(twice, Changed { task: once.task, fields: Vec::new() });
    }
}

#[test]
fn a_field_is_set_or_cleared_not_both() {
    let patch = Patch {
        tags: Some(vec!["a".into()]),
        assignee: Some("Ada".into()),
        clear: vec![Field::Project, Field::Tags],
        ..Patch::default()
    };
    let error = full().changed(&patch, later()).unwrap_err();
    assert_eq!(error.kind, Kind::BadRequest);
    assert_eq!(error.message, "`tags`: it is given a value and named in `clear`");
}

#[test]
fn an_empty_patch_is_refused_with_a_hint() {
    let error = full().changed(&Patch::default(), later()).unwrap_err();
    assert_eq!((error.kind, error.message.as_str()), (Kind::BadRequest, "There is nothing to change"));
    assert!(error.hint.unwrap().contains("`clear`"));
}

#[test]
fn the_time_of_completion_follows_the_status() {
    let done = full().changed(&status(Status::Completed), later()).unwrap();
    assert_eq!((done.fields, done.task.completed_at), (vec!["status"], Some(to_millis(later()))));

    let again = done.task.changed(&status(Status::Completed), later() + 1.hour()).unwrap();
    assert_eq!(again, Changed { task: done.task.clone(), fields: Vec::new() });

    let renamed = Patch { title: Some("Other".into()), ..Patch::default() };
    let renamed = done.task.changed(&renamed, later() + 1.hour()).unwrap();
    assert_eq!(renamed.task.completed_at, Some(to_millis(later())));

    for other in [Status::Pending, Status::InProgress, Status::Cancelled] {
        let reopened = done.task.changed(&status(other), later() + 1.hour()).unwrap();
        assert_eq!(reopened.task.completed_at, None, "{other:?}");
    }
}

#[test]
fn a_clock_that_was_set_back_does_not_turn_time_round() {
    let changed = full().changed(&status(Status::Completed), noon() - 24.hours()).unwrap();
    assert_eq!(changed.task.updated_at, full().updated_at);
    assert_eq!(changed.task.completed_at, Some(full().updated_at));
}

proptest! {
    #[test]
    fn whatever_happens_version_counts_changes_and_completion_follows_status(
        steps in prop::collection::vec((prop::sample::select(Status::ALL), 0i64..10_000), 1..20),
    ) {
        let (mut task, mut changes, mut now) = (full(), 0, noon());
        for (wanted, wait) in steps {
            now += wait.milliseconds();
            let changed = task.changed(&status(wanted), now).unwrap();
            changes += u64::from(!changed.fields.is_empty());
            prop_assert!(changed.task.updated_at >= task.updated_at);
            task = changed.task;
            prop_assert_eq!(task.version, 1 + changes);
            prop_assert_eq!(task.completed_at.is_some(), task.status == Status::Completed);
        }
    }
}
