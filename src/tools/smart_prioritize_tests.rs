//! Suggestions that pass and that do not.

use super::*;
use crate::tools::samples::{TODAY, board, reply};

fn judged(answer: &Value) -> Result<Suggested, Rejection> {
    let tasks = board();
    judge(&reply(answer.to_string()), &Known::new(&Graph::new(&tasks)))
}

fn answer() -> Value {
    json!({"priority": "high", "title": "Prepare slides", "effort_hours": 3, "considerations": "Needs TASK-0001."})
}

fn with(key: &str, value: Value) -> Value {
    let mut answer = answer();
    answer[key] = value;
    answer
}

#[test]
fn good_answers_pass() {
    let cases = [
        (with("priority", json!(" Urgent ")), "urgent", 3.0, "Needs TASK-0001."),
        (with("effort_hours", json!("2.5")), "high", 2.5, "Needs TASK-0001."),
        (with("effort_hours", json!(0.001)), "high", 0.02, "Needs TASK-0001."),
        (with("effort_hours", json!(400)), "high", 400.0, "Needs TASK-0001."),
        (with("considerations", json!(["one", "two"])), "high", 3.0, "one; two"),
        (with("considerations", json!([])), "high", 3.0, ""),
    ];
    for (answer, priority, effort, considerations) in cases {
        let read = judged(&answer).unwrap();
        assert_eq!(
            (read.priority.as_str(), read.effort_hours, read.considerations.as_str()),
            (priority, effort, considerations)
        );
    }
}

#[test]
fn bad_answers_are_refused_with_code_and_reason() {
    use RejectionCode::*;
    let cases = [
        (json!({}), WrongShape, "\"priority\" must be low, normal, high or urgent"),
        (with("priority", json!("critical")), WrongShape, "\"priority\" must be low, normal, high or urgent"),
        (with("priority", json!(3)), WrongShape, "\"priority\" must be low, normal, high or urgent"),
        (with("title", json!("")), WrongShape, "\"title\" is missing"),
        (with("title", json!("t".repeat(101))), OutOfRange, "\"title\" has 101 characters, at most 100 are allowed"),
        (with("effort_hours", json!(0)), OutOfRange, "\"effort_hours\" is 0, it must be above 0 and at most 400"),
        (with("effort_hours", json!(-2)), OutOfRange, "\"effort_hours\" is -2, it must be above 0 and at most 400"),
        (with("effort_hours", json!(401)), OutOfRange, "\"effort_hours\" is 401, it must be above 0 and at most 400"),
        (with("effort_hours", json!("a day")), WrongShape, "\"effort_hours\" must be a number"),
        (with("considerations", json!(7)), WrongShape, "\"considerations\" must be text or a list of texts"),
        (
            with("considerations", json!("After TASK-0099.")),
            UnknownTask,
            "The answer named TASK-0099, which does not exist",
        ),
    ];
    for (answer, code, why) in cases {
        let rejection = judged(&answer).expect_err(&answer.to_string());
        assert_eq!((rejection.code, rejection.why.as_str()), (code, why), "{answer}");
    }
}

#[test]
fn the_facts_alone_make_a_suggestion_that_would_pass() {
    for text in ["URGENT: fix the login by friday", "x", &"word ".repeat(2_000), "東京 🎉"] {
        let suggested = from_facts(&similar::suggest(&board(), text, TODAY));
        let read = judged(&json!(suggested)).unwrap();
        assert_eq!(read.title, suggested.title);
    }
}
