//! What comes first, and the reasons that are told for it.

use jiff::civil::date;
use proptest::prelude::*;

use super::*;
use crate::tasks::samples::{hours, ids, linked, task};
use crate::tasks::work::days_after;

const TODAY: Date = date(2026, 3, 2);

fn ranked(tasks: &[Task], wish: Wish) -> Ranking {
    rank(&Graph::new(tasks), TODAY, &wish, usize::MAX)
}

fn order(ranking: &Ranking) -> Vec<TaskId> {
    ranking.tasks.iter().map(|ranked| ranked.id).collect()
}

fn dated(id: u32, priority: Priority, due: Option<Date>) -> Task {
    Task { priority, due_date: due, ..task(id) }
}

#[test]
fn days_and_priorities_make_the_order() {
    let tasks = [
        dated(1, Priority::Low, None),
        dated(2, Priority::Normal, None),
        dated(3, Priority::Low, Some(TODAY)),
        dated(4, Priority::Urgent, None),
        dated(5, Priority::Normal, Some(TODAY)),
        dated(6, Priority::Urgent, Some(date(2026, 3, 1))),
        dated(7, Priority::Normal, Some(date(2026, 3, 3))),
    ];
    assert_eq!(order(&ranked(&tasks, Wish::default())), ids(&[6, 5, 4, 7, 3, 2, 1]));
}

#[test]
fn the_reason_names_days_priority_and_what_it_unblocks_and_never_a_title() {
    let mut tasks = linked(5, &[(2, 1), (3, 2), (4, 1)]);
    tasks[0].priority = Priority::Urgent;
    tasks[0].due_date = Some(date(2026, 2, 28));
    tasks[1].due_date = Some(date(2026, 3, 3));
    tasks[1].priority = Priority::High;
    tasks[4].status = Status::InProgress;
    let ranking = ranked(&tasks, Wish::default());
    let reason = |id| ranking.tasks.iter().find(|ranked| ranked.id == TaskId(id)).expect("ranked").reason.as_str();
    assert_eq!(reason(1), "overdue by 2 days, urgent, unblocks 3 tasks");
    assert_eq!(reason(2), "due tomorrow, high priority, unblocks 1 task, blocked by TASK-0001");
    assert_eq!(reason(5), "already in progress");
    assert!(ranking.tasks.iter().all(|ranked| !ranked.reason.contains("Task number")));
    assert_eq!(ranked(&[task(1)], Wish::default()).tasks[0].reason, "no due day, normal priority");
}

#[test]
fn what_holds_up_a_pressing_task_is_pressing_and_says_for_whom() {
    let mut tasks = linked(4, &[(1, 2), (2, 3)]);
    tasks[0].priority = Priority::Urgent;
    tasks[0].due_date = Some(TODAY);
    tasks[3].priority = Priority::High;
    tasks[3].due_date = Some(TODAY);
    let ranking = ranked(&tasks, Wish::default());
    assert_eq!(order(&ranking), ids(&[3, 4, 1, 2]), "a blocked task never comes first, however pressing");
    assert_eq!(ranking.tasks[0].reason, "unblocks 2 tasks, TASK-0001 (due today, urgent) waits for it");
    let graph = Graph::new(&tasks);
    let weight: Vec<TaskId> = by_weight(&graph, TODAY).iter().map(|task| task.id).collect();
    assert_eq!(weight, ids(&[1, 2, 3, 4]), "in a table the goal stands beside the way to it");
}

#[test]
fn a_begun_task_gets_a_nudge_among_equals_only() {
    let mut tasks = linked(3, &[]);
    tasks[1].status = Status::InProgress;
    tasks[2].priority = Priority::High;
    assert_eq!(order(&ranked(&tasks, Wish::default())), ids(&[3, 2, 1]));
}

#[test]
fn the_filter_keeps_one_persons_tasks_and_tells_when_all_of_them_are_blocked() {
    let mut tasks = linked(3, &[(2, 1)]);
    tasks[0].assignee = Some("Ben".into());
    tasks[1].assignee = Some(" Ana".into());
    let ranking = ranked(&tasks, Wish { assignee: Some("ana"), ..Wish::default() });
    assert_eq!((order(&ranking), ranking.considered), (ids(&[2]), 1));
    assert_eq!((ranking.next(), ranking.nothing_fits), (None, false));
    assert_eq!(ranked(&tasks, Wish { assignee: Some("Eve"), ..Wish::default() }).tasks, []);
}

#[test]
fn what_fits_into_the_time_comes_first_and_that_nothing_does_is_said() {
    let mut tasks = linked(3, &[(3, 2)]);
    tasks[0].priority = Priority::Urgent;
    tasks[1].estimate = Some(Hours { minutes: 30 });
    tasks[2].estimate = Some(Hours { minutes: 5 });
    let wish = |minutes| Wish { available_minutes: Some(minutes), ..Wish::default() };
    let ranking = ranked(&tasks, wish(30));
    assert_eq!((order(&ranking), ranking.nothing_fits), (ids(&[2, 1, 3]), false));
    assert_eq!(ranking.tasks[0].reason, "unblocks 1 task, takes 30 min, which fits into 30 min");
    assert_eq!(ranking.tasks[1].reason, "urgent, takes 4 h (assumed), more than 30 min");
    let ranking = ranked(&tasks, wish(29));
    assert_eq!((order(&ranking), ranking.nothing_fits), (ids(&[1, 2, 3]), true));
}

#[test]
fn fifty_thousand_tasks_are_ranked_and_only_the_first_are_told() {
    let links: Vec<(u32, u32)> = (2..=50_000).map(|id| (id, id - 1)).collect();
    let tasks = linked(50_000, &links);
    let ranking = rank(&Graph::new(&tasks), TODAY, &Wish::default(), 3);
    assert_eq!((order(&ranking), ranking.considered), (ids(&[1, 2, 3]), 50_000));
}

proptest! {
    #[test]
    fn the_order_is_total_ready_first_and_independent_of_how_the_tasks_are_listed(
        rows in prop::collection::vec((0usize..4, 0usize..4, prop::option::of(0u32..20), 0u32..8, any::<prop::sample::Index>()), 1..20),
        minutes in prop::option::of(0u32..600),
    ) {
        let mut tasks: Vec<Task> = Vec::new();
        for (at, (priority, status, due, estimate, below)) in rows.into_iter().enumerate() {
            let mut task = task(at as u32 + 1);
            task.priority = Priority::ALL[priority];
            task.status = Status::ALL[status];
            task.due_date = due.map(|days| days_after(date(2026, 2, 20), days));
            task.estimate = hours(estimate).filter(|hours| hours.minutes > 0);
            task.depends_on = (at > 0).then(|| TaskId(below.index(at) as u32 + 1)).into_iter().collect();
            tasks.push(task);
        }
        let wish = Wish { available_minutes: minutes, ..Wish::default() };
        let ranking = ranked(&tasks, wish);
        let groups: Vec<(bool, bool)> = ranking.tasks.iter().map(|ranked| (ranked.blocked, !ranked.fits)).collect();
        prop_assert!(groups.is_sorted());
        let graph = Graph::new(&tasks);
        prop_assert!(ranking.next().is_none_or(|next| graph.is_ready(next.id)));
        prop_assert_eq!(ranking.tasks.len(), graph.open().len());
        let mut listed_backward = tasks.clone();
        listed_backward.reverse();
        prop_assert_eq!(&ranking, &ranked(&listed_backward, wish));
    }
}
