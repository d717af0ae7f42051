//! Answers about a workload that pass and that do not, and the summary without a model.

use serde_json::json;

use super::*;
use crate::chat::Finish;
use crate::tools::samples::{TODAY, board, reply};

fn judged(answer: &str) -> Result<Judged, Rejection> {
    let tasks = board();
    judge(&reply(answer), &Known::new(&Graph::new(&tasks)), Assessment::Manageable)
}

fn answer(assessment: &str, priorities: Value, analysis: &str) -> String {
    json!({"assessment": assessment, "priorities": priorities, "analysis": analysis}).to_string()
}

const FINE: &str = "A quiet week: begin with TASK-0001, it is due tomorrow.";

#[test]
fn good_answers_pass_in_many_wrappings() {
    let plain = answer("manageable", json!(["TASK-0001", "TASK-0004"]), FINE);
    let passing = [
        plain.clone(),
        format!("```json\n{plain}\n```"),
        format!("Sure, here is the analysis:\n{plain}\nLet me know!"),
        answer("Heavy", json!(["TASK-0002"]), FINE),
        answer("heavy", json!([{"id": "TASK-0001", "why": "due"}, "TASK-0001: Task number 1"]), FINE),
    ];
    for text in passing {
        assert!(judged(&text).is_ok(), "{text}: {:?}", judged(&text));
    }
    assert_eq!(judged(&plain).unwrap().priorities, [TaskId(1), TaskId(4)]);
}

#[test]
fn bad_answers_are_refused_with_code_and_reason() {
    use RejectionCode::*;
    let ids = json!(["TASK-0001"]);
    let cases = [
        (String::new(), Empty, "The answer was empty"),
        ("asdf jklö asdf".into(), NotJson, "The answer was not a JSON object"),
        ("<html><body>Bad Gateway</body></html>".into(), NotJson, "The answer was not a JSON object"),
        ("{}".into(), WrongShape, "\"assessment\" must be manageable, heavy or overloaded"),
        (answer("fine", ids.clone(), FINE), WrongShape, "\"assessment\" must be manageable, heavy or overloaded"),
        (
            answer("overloaded", ids.clone(), FINE),
            Contradiction,
            "The assessment overloaded contradicts the hours, by which the workload is manageable",
        ),
        (answer("heavy", json!(["TASK-0099"]), FINE), UnknownTask, "The answer named TASK-0099, which does not exist"),
        (answer("heavy", json!(["TASK-0003"]), FINE), ClosedTask, "The answer named TASK-0003, which is not open"),
        (answer("heavy", json!("TASK-0001"), FINE), WrongShape, "\"priorities\" must be a list of up to 3 task ids"),
        (answer("heavy", json!(["the login"]), FINE), WrongShape, "\"priorities\" must be a list of up to 3 task ids"),
        (answer("heavy", json!([]), FINE), WrongShape, "The answer named no priorities, though tasks are open"),
        (
            answer("heavy", ids.clone(), "See TASK-0077 for the rest of it."),
            UnknownTask,
            "The answer named TASK-0077, which does not exist",
        ),
        (answer("heavy", ids.clone(), ""), WrongShape, "The answer has no text under \"analysis\""),
        (answer("heavy", ids.clone(), "ok"), Empty, "The text under \"analysis\" says nothing"),
        (
            answer("heavy", ids.clone(), &"Focus on the urgent work first. ".repeat(9)),
            Repetition,
            "The text under \"analysis\" repeats itself again and again",
        ),
    ];
    for (text, code, why) in cases {
        let rejection = judged(&text).expect_err(&text);
        assert_eq!((rejection.code, rejection.why.as_str()), (code, why), "{text}");
    }
}

#[test]
fn more_than_three_priorities_are_too_many() {
    let tasks: Vec<Task> = (1..=5).map(crate::tools::samples::task).collect();
    let known = Known::new(&Graph::new(&tasks));
    let four = answer("manageable", json!(["1", "2", "3", "4"]), FINE);
    let rejection = judge(&reply(four), &known, Assessment::Manageable).unwrap_err();
    assert_eq!(rejection.code, RejectionCode::OutOfRange);
    assert_eq!(rejection.why, "The answer named 4 priorities, at most 3 were asked for");
}

#[test]
fn a_cut_answer_is_refused_even_if_it_can_be_read() {
    let tasks = board();
    let cut = Reply { finish: Finish::Length, ..reply(answer("manageable", json!(["1"]), FINE)) };
    let rejection = judge(&cut, &Known::new(&Graph::new(&tasks)), Assessment::Manageable).unwrap_err();
    assert_eq!(rejection.code, RejectionCode::CutOff);
}

#[test]
fn the_basic_summary_goes_on_with_what_is_known() {
    let tasks = board();
    let graph = Graph::new(&tasks);
    let text = basic_summary(&facts::workload(&graph, TODAY, Horizon::Week));
    let begins = "Model unavailable. Basic summary provided. 3 of 4 tasks are open: 0 overdue, 1 due by 2026-11-29, 1 blocked, \
                  2 without a due day. The work that is due takes 4 h, 40 h are available: manageable. \
                  Due tasks without an estimate, counted as 4 h each: 1. Focus first on TASK-0001 (";
    assert!(text.starts_with(begins), "{text}");
}
