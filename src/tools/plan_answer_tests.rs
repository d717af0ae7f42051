//! Answers about a sprint: swaps that hold and that do not, texts that agree and that do not.

use serde_json::json;

use super::*;
use crate::request::RejectionCode;
use crate::tasks::plan::plan;
use crate::tasks::{Hours, TaskId};
use crate::tools::samples::{TODAY, board, reply};

/// 1 (4 h, urgent) and 2 (4 h, waits for 1) are in; 4 (40 h) is out; 5 (4 h) and 6 (2 h, done) besides.
fn ground() -> Ground {
    let mut tasks = board();
    tasks.push(crate::tools::samples::task(5));
    tasks[4].priority = crate::tasks::Priority::Low;
    let sprint = Sprint { start: TODAY, duration_days: 14, capacity: Hours::whole(8) };
    let graph = Graph::new(&tasks);
    let (known, plan) = (Known::new(&graph), plan(&graph, &sprint));
    assert_eq!(plan.selected.iter().map(|planned| planned.id).collect::<Vec<_>>(), [TaskId(1), TaskId(2)]);
    Ground { tasks: Arc::new(tasks), known, sprint, plan }
}

fn judged(answer: &Value) -> Result<Judged, Rejection> {
    judge(&reply(answer.to_string()), &ground())
}

const TEXT: &str = "First TASK-0001, then TASK-0002 as soon as it is free.";

#[test]
fn a_good_answer_with_a_good_swap_changes_the_plan() {
    let swap = json!([{"out": "TASK-0002", "in": "TASK-0005", "why": "smaller risk"}]);
    let read =
        judged(&json!({"plan": "First TASK-0001, then the rest.", "risks": "Little time.", "swaps": swap})).unwrap();
    let ids: Vec<TaskId> = read.plan.selected.iter().map(|planned| planned.id).collect();
    assert_eq!(ids, [TaskId(1), TaskId(5)]);
    assert_eq!((read.risks, read.applied.len(), read.dropped), (vec!["Little time.".to_owned()], 1, vec![]));
}

#[test]
fn swaps_that_fail_are_dropped_and_told() {
    let cases = [
        (json!({"out": "TASK-0002", "in": "TASK-0099", "why": "x"}), "TASK-0099 does not exist"),
        (json!({"out": "TASK-0002", "in": "TASK-0003", "why": "x"}), "TASK-0003 is not open"),
        (json!({"out": "TASK-0005", "in": "TASK-0004", "why": "x"}), "TASK-0005 is not in the sprint"),
        (json!({"out": "TASK-0002", "in": "TASK-0001", "why": "x"}), "TASK-0001 is in the sprint already"),
        (
            json!({"out": "TASK-0002", "in": "TASK-0004", "why": "x"}),
            "with TASK-0004 the sprint would take 44 h of 8 h",
        ),
        (
            json!({"out": "TASK-0001", "in": "TASK-0005"}),
            "TASK-0001 is urgent and no reason was given for taking it out",
        ),
        (
            json!({"out": "TASK-0001", "in": "TASK-0005", "why": "x"}),
            "TASK-0002 is in the sprint and depends on TASK-0001",
        ),
        (json!({"out": "the login"}), "it does not name a task to take out and one to take in"),
        (json!("TASK-0001"), "it does not name a task to take out and one to take in"),
        (
            json!({"out": "TASK-0002", "in": "TASK-0005", "why": "see TASK-0077"}),
            "its reason names a task that does not exist",
        ),
    ];
    for (swap, reason) in cases {
        let read = judged(&json!({"plan": TEXT, "risks": [], "swaps": [swap]})).expect(reason);
        assert_eq!(read.dropped.iter().map(|dropped| dropped.reason.as_str()).collect::<Vec<_>>(), [reason]);
        assert_eq!((read.plan, read.applied.len()), (ground().plan, 0), "{reason}");
    }
}

#[test]
fn a_flood_of_swaps_is_held() {
    let swap = json!({"out": "TASK-0002", "in": "TASK-0099", "why": "x"});
    let read = judged(&json!({"plan": TEXT, "swaps": vec![swap; 500]})).unwrap();
    assert!(read.dropped.len() <= 2 * MOST_SWAPS + 1, "{}", read.dropped.len());
}

#[test]
fn bad_answers_are_refused_with_code_and_reason() {
    use RejectionCode::*;
    let cases = [
        (json!({"risks": []}), WrongShape, "The answer has no text under \"plan\""),
        (json!({"plan": {"a": 1}}), WrongShape, "The answer has no text under \"plan\""),
        (
            json!({"plan": "First TASK-0099, then the others."}),
            UnknownTask,
            "The answer named TASK-0099, which does not exist",
        ),
        (
            json!({"plan": "First TASK-0003, then the others."}),
            ClosedTask,
            "The answer named TASK-0003, which is not open",
        ),
        (
            json!({"plan": "TASK-0001 and TASK-0004 are selected."}),
            Contradiction,
            "The plan text calls TASK-0004 selected, but it is not in the sprint",
        ),
        (
            json!({"plan": "First TASK-0001. TASK-0002 is deferred."}),
            Contradiction,
            "The plan text calls TASK-0002 deferred, but it is in the sprint",
        ),
        (
            json!({"plan": TEXT, "risks": ["TASK-0099 may slip"]}),
            UnknownTask,
            "The answer named TASK-0099, which does not exist",
        ),
        (
            json!({"plan": "plan the sprint ".repeat(20)}),
            Repetition,
            "The text under \"plan\" repeats itself again and again",
        ),
    ];
    for (answer, code, why) in cases {
        let rejection = judged(&answer).expect_err(&answer.to_string());
        assert_eq!((rejection.code, rejection.why.as_str()), (code, why), "{answer}");
    }
}

#[test]
fn a_text_that_rests_on_a_dropped_swap_is_refused() {
    let swap = json!([{"out": "TASK-0002", "in": "TASK-0004", "why": "more fun"}]);
    let answer = json!({"plan": "TASK-0001 and TASK-0004 are selected.", "swaps": swap});
    assert_eq!(judged(&answer).unwrap_err().code, RejectionCode::Contradiction);
}
