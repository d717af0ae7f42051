//! Choices that pass and that do not, and the ranking in words.

use serde_json::json;

use super::*;
use crate::tools::samples::{TODAY, board, reply};

fn judged(answer: &Value) -> Result<Judged, Rejection> {
    let tasks = board();
    let asked_about = HashSet::from([TaskId(1), TaskId(2)]);
    judge(&reply(answer.to_string()), &Known::new(&Graph::new(&tasks)), &asked_about)
}

fn with(key: &str, value: Value) -> Value {
    let mut answer = json!({
        "task_id": "TASK-0001", "suggestion": "Fix the login before anything else.",
        "why": "It is urgent and due tomorrow.", "estimate_minutes": 90, "after": "Then TASK-0002."
    });
    answer[key] = value;
    answer
}

#[test]
fn a_good_answer_is_read() {
    let read = judged(&with("estimate_minutes", json!("45"))).unwrap();
    assert_eq!((read.task, read.estimate_minutes), (TaskId(1), 45));
    assert!(judged(&with("after", Value::Null)).unwrap().after.is_none());
    assert!(judged(&with("suggestion", json!("Do TASK-0001, so that TASK-0002 can start."))).is_ok());
}

#[test]
fn bad_answers_are_refused_with_code_and_reason() {
    use RejectionCode::*;
    let cases = [
        (with("task_id", json!("TASK-0099")), UnknownTask, "The answer named TASK-0099, which does not exist"),
        (with("task_id", json!("TASK-0003")), ClosedTask, "The answer named TASK-0003, which is not open"),
        (
            with("task_id", json!("TASK-0002")),
            BlockedTask,
            "The answer chose TASK-0002, which is blocked by another task",
        ),
        (
            with("task_id", json!("TASK-0004")),
            Contradiction,
            "The answer chose TASK-0004, which is not among the tasks that were asked about",
        ),
        (with("task_id", json!("the login")), WrongShape, "\"task_id\" must be the id of a task"),
        (with("task_id", Value::Null), WrongShape, "\"task_id\" must be the id of a task"),
        (
            with("suggestion", json!("Work on TASK-0004 now, it is quick.")),
            Contradiction,
            "The suggestion speaks of TASK-0004, but \"task_id\" is TASK-0001",
        ),
        (with("suggestion", json!("")), WrongShape, "The answer has no text under \"suggestion\""),
        (with("why", json!("because")), Empty, "The text under \"why\" says nothing"),
        (with("estimate_minutes", json!(0)), OutOfRange, "\"estimate_minutes\" must be a number from 1 to 10000"),
        (
            with("estimate_minutes", json!("an hour")),
            OutOfRange,
            "\"estimate_minutes\" must be a number from 1 to 10000",
        ),
        (with("after", json!("TASK-0098")), UnknownTask, "The answer named TASK-0098, which does not exist"),
    ];
    for (answer, code, why) in cases {
        let rejection = judged(&answer).expect_err(&answer.to_string());
        assert_eq!((rejection.code, rejection.why.as_str()), (code, why), "{answer}");
    }
}

#[test]
fn when_nothing_fits_into_the_time_it_says_so_first() {
    let tasks = board();
    let graph = Graph::new(&tasks);
    let ranking = rank(&graph, TODAY, &Wish { assignee: None, available_minutes: Some(5) }, usize::MAX);
    let text = worded(&from_facts(&graph, &ranking, ranking.next().unwrap()));
    assert!(text.starts_with("Nothing fits into the time at hand. Begin with TASK-0001: Task number 1."), "{text}");
}

#[test]
fn the_ranking_in_words_is_useful_to_read() {
    let tasks = board();
    let graph = Graph::new(&tasks);
    let ranking = rank(&graph, TODAY, &Wish::default(), usize::MAX);
    let text = worded(&from_facts(&graph, &ranking, ranking.next().unwrap()));
    let expected = "Work on TASK-0001 now: Task number 1. It takes 4 h (assumed, it has no estimate).\n\nWhy: ";
    assert!(text.starts_with(expected), "{text}");
    assert!(text.ends_with("\nEstimated time: 4 h\nAfter that: TASK-0004: Task number 4"), "{text}");
}
