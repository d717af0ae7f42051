//! The plan without a model, and how large a result can get.

use std::time::Duration;

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
                    Tasks without an estimate, counted as 4 h each: 2.\n\
                    Selected, in this order:\n\
                    - TASK-0001 Task number 1 (4 h)\n\
                    - TASK-0002 Task number 2 (4 h)\n\
                    Deferred to the backlog:\n\
                    - TASK-0004 Task number 4: no room: needs 40 h, the sprint has 8 h";
    assert_eq!(text, expected);
}

#[test]
fn a_sprint_into_which_nothing_fits_says_so() {
    let (text, _) = of_facts(&board(), 1);
    assert!(text.starts_with("Sprint 12 (2026-11-23 to 2026-12-06): no task fits into 1 h.\nDeferred"), "{text}");
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

/// Not a measurement: a guard against something that grows with the square of the tasks.
#[test]
fn fifty_thousand_tasks_are_ranked_planned_and_written_down_in_time() {
    use crate::tasks::{TaskId, rank};
    let tasks: Vec<Task> = (1..=50_000)
        .map(|number| {
            let mut task = task(number);
            task.depends_on = if number % 7 == 0 { vec![TaskId(number - 1)] } else { vec![] };
            task.due_date = (number % 3 == 0).then(|| TODAY.saturating_add(jiff::Span::new().days(number % 40)));
            task
        })
        .collect();
    let started = worked();
    let graph = Graph::new(&tasks);
    let wanted = wanted(80);
    let plan = plan(&graph, &wanted.sprint);
    let workload = facts::workload(&graph, TODAY, facts::Horizon::Week);
    let ranking = rank::rank(&graph, TODAY, &rank::Wish::default(), usize::MAX);
    let written = [
        prompts::plan_sprint::prompt(&graph, "S", &wanted.sprint, &plan),
        prompts::analyze_workload::prompt(&graph, &workload, TODAY),
        prompts::suggest_next_action::prompt(&graph, &ranking, None, TODAY.at(9, 0, 0, 0)),
    ];
    let spec = crate::tools::samples::spec(4_096, 1_024);
    assert!(written.iter().all(|prompt| prompt.render(&spec, &[]).is_ok()));
    let took = worked() - started;
    assert!(took < Duration::from_secs(30), "{took:?}");
}

/// How long this thread has had a processor, whatever else the machine does; elsewhere than on Linux, the time of day.
fn worked() -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = told.and_then(|told| told.split(' ').next()?.parse().ok());
    nanos.map_or_else(|| std::time::UNIX_EPOCH.elapsed().unwrap(), Duration::from_nanos)
}
