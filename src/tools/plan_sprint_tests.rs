use super::*;
use crate::tools::samples::{TODAY, board, task};

fn wanted(hours: u32) -> Wanted {
    let sprint = Sprint { start: TODAY, duration_days: 14, capacity: Hours::whole(hours) };
    Wanted { name: "Sprint 12".to_owned(), sprint, capacity_hours: hours }
}

fn of_facts(tasks: &[Task], hours: u32) -> (String, Planning) {
    let (wanted, graph) = (wanted(hours), Graph::new(tasks));
    let plan = plan(&graph, &wanted.sprint);
    let text = plain_text(&wanted, &graph, &plan);
    let judged = Judged { plan, text: text.clone(), risks: vec![], applied: vec![], dropped: vec![] };
    (text, result(&wanted, &graph, judged, Routing::logic("test")))
}

#[test]
fn the_plan_in_words_says_what_is_in_and_why_the_rest_is_not() {
    let (text, _) = of_facts(&board(), 8);
    let expected = "Sprint 12 (2026-11-23 to 2026-12-06): 2 tasks take 8 h of 8 h.\n\
                    2 of them have no estimate and count 4 h each.\n\
                    Selected, in this order:\n\
                    - TASK-0001 Task number 1 (4 h)\n\
                    - TASK-0002 Task number 2 (4 h)\n\
                    Deferred to the backlog:\n\
                    - TASK-0004 Task number 4: no room: needs 40 h with what it waits for, the sprint has 8 h";
    assert_eq!(text, expected);
}

#[test]
fn a_plan_of_thousands_stays_small() {
    let tasks: Vec<Task> = (1..=2_000)
        .map(|number| {
            let mut task = task(number);
            task.title = "t".repeat(200);
            task
        })
        .collect();
    let (_, planning) = of_facts(&tasks, 4_000);
    let json = serde_json::to_string(&planning).unwrap();
    assert!(json.len() / 4 <= 5_000, "{}", json.len() / 4);
    assert!(planning.truncated && planning.hint.is_some());
    assert_eq!(planning.selected_count + planning.deferred_count, 2_000);
}

#[test]
fn names_are_short_and_visible() {
    assert_eq!(name(" Sprint\n12\u{202e} ").unwrap(), "Sprint 12");
    assert!(name("\u{200b}").is_err() && name(&"n".repeat(101)).is_err());
}
