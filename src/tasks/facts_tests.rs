//! The numbers that plain logic finds, on tasks made for it.

use jiff::civil::date;
use proptest::prelude::*;

use super::*;
use crate::tasks::samples::{hours, ids, linked, task};

/// A Monday.
const TODAY: Date = date(2026, 3, 2);

fn facts(tasks: &[Task], today: Date, horizon: Horizon) -> Workload {
    workload(&Graph::new(tasks), today, horizon)
}

#[test]
fn the_summary_counts_closed_tasks_too_as_the_lesson_does() {
    let mut tasks = linked(4, &[]);
    tasks[0].priority = Priority::Urgent;
    tasks[0].status = Status::Completed;
    tasks[1].priority = Priority::High;
    tasks[2].status = Status::InProgress;
    assert_eq!(summary(&tasks), Summary { total: 4, pending: 2, urgent: 1, high: 1 });
    let facts = facts(&tasks, TODAY, Horizon::Week);
    assert_eq!((facts.open, facts.in_progress, facts.undated), (3, 1, 3));
}

#[test]
fn a_horizon_counts_today_and_its_last_day() {
    for (horizon, last, days) in
        [(Horizon::Day, TODAY, 1), (Horizon::Week, date(2026, 3, 8), 5), (Horizon::Month, date(2026, 3, 31), 22)]
    {
        let mut tasks = linked(5, &[]);
        let past = days_after(last, 1);
        let due = [date(2026, 3, 1), TODAY, last, past, past];
        for (task, due) in tasks.iter_mut().zip(due) {
            task.due_date = Some(due);
        }
        tasks[4].due_date = None;
        let facts = facts(&tasks, TODAY, horizon);
        assert_eq!((facts.overdue, facts.due, facts.undated, facts.working_days), (1, 2, 1, days), "{horizon:?}");
        assert_eq!((facts.due_hours.minutes, facts.assumed), (12 * 60, 3), "overdue ones count, undated ones do not");
    }
}

#[test]
fn the_assessment_is_hours_due_over_hours_available_to_the_people_who_have_tasks() {
    // One person has 40 hours in a week.
    for (due, expected) in
        [(31, Assessment::Manageable), (32, Assessment::Heavy), (39, Assessment::Heavy), (40, Assessment::Overloaded)]
    {
        let mut tasks = linked(1, &[]);
        tasks[0].due_date = Some(TODAY);
        tasks[0].estimate = hours(due);
        let one = facts(&tasks, TODAY, Horizon::Week);
        assert_eq!((one.assessment, one.people), (expected, 1), "{due} h");
        tasks.push(Task { assignee: Some("Ben".into()), ..task(2) });
        tasks.push(Task { assignee: Some("ben ".into()), ..task(3) });
        tasks.push(Task { assignee: Some("Ana".into()), ..task(4) });
        tasks.push(Task { assignee: Some("Eve".into()), status: Status::Completed, ..task(5) });
        let two = facts(&tasks, TODAY, Horizon::Week);
        assert_eq!((two.people, two.available.minutes), (2, 80 * 60));
        assert!((two.ratio * 2.0 - one.ratio).abs() < 1e-9);
    }
}

#[test]
fn on_a_day_of_rest_the_next_working_days_hours_stand_in() {
    let saturday = date(2026, 3, 7);
    let mut tasks = linked(1, &[]);
    assert_eq!(facts(&tasks, saturday, Horizon::Day).assessment, Assessment::Manageable);
    tasks[0].due_date = Some(saturday);
    let day = facts(&tasks, saturday, Horizon::Day);
    assert_eq!((day.working_days, day.day_of_rest, day.available.minutes), (0, true, 480));
    assert!((day.ratio - 0.5).abs() < 1e-9);
    assert!(!facts(&tasks, saturday, Horizon::Week).day_of_rest);
}

#[test]
fn load_is_told_per_person_with_the_unassigned_last() {
    let mut tasks = linked(4, &[]);
    for (task, name) in tasks.iter_mut().zip([None, Some("ana"), Some("Ben"), Some("Ana")]) {
        task.assignee = name.map(str::to_owned);
        task.due_date = Some(date(2026, 3, 1));
    }
    tasks[2].due_date = None;
    tasks[2].estimate = hours(30);
    let load = facts(&tasks, TODAY, Horizon::Day).load;
    let told: Vec<_> = load
        .iter()
        .map(|part| (part.assignee.as_deref(), part.open, part.overdue, part.hours.minutes, part.due_hours.minutes))
        .collect();
    assert_eq!(told, [(Some("ana"), 2, 2, 480, 480), (Some("Ben"), 1, 0, 1800, 0), (None, 1, 1, 240, 240)]);
    assert!((load[0].ratio - 1.0).abs() < 1e-9);
}

#[test]
fn chains_start_with_what_can_be_begun_and_priorities_with_what_matters() {
    let mut links: Vec<(u32, u32)> = (2..=12).map(|id| (id, id - 1)).collect();
    links.push((14, 13));
    let mut tasks = linked(15, &links);
    tasks[14].priority = Priority::Urgent;
    let facts = facts(&tasks, TODAY, Horizon::Week);
    assert_eq!(facts.chains[0], Chain { ids: ids(&[1, 2, 3, 4, 9, 10, 11, 12]), length: 12 });
    assert_eq!(facts.chains[1], Chain { ids: ids(&[13, 14]), length: 2 });
    assert_eq!((facts.chains.len(), facts.blocked), (2, 12));
    assert_eq!((facts.priorities[0].id, facts.priorities[0].reason.as_str()), (TaskId(15), "urgent"));
    assert_eq!(facts.priorities.len(), 5);
}

#[test]
fn conflicts_are_days_that_cannot_be_met() {
    let mut tasks = linked(7, &[(2, 1), (4, 3), (6, 5)]);
    tasks[0].estimate = hours(8);
    tasks[1].due_date = Some(TODAY); // 12 h in a chain, 8 h today
    tasks[2].due_date = Some(date(2026, 3, 6));
    tasks[3].due_date = Some(date(2026, 3, 5)); // due before what it waits for
    tasks[5].due_date = Some(TODAY); // 8 h in a chain: just met
    tasks[6].due_date = Some(date(2026, 3, 1)); // overdue
    let measured = measure(&Graph::new(&tasks), TODAY, 0.5);
    let expected = Measured { tasks: 7, edges: 3, depth: 1, load: 0.5, conflicts: 3, people: 1 };
    assert_eq!(measured, expected);
}

#[test]
fn no_tasks_make_no_numbers_up() {
    let facts = facts(&[], TODAY, Horizon::Month);
    assert_eq!((facts.open, facts.people, facts.due_hours, facts.ratio), (0, 1, Hours::default(), 0.0));
    assert_eq!(facts.assessment, Assessment::Manageable);
    assert!(Assessment::Heavy.is_within_one_step(Assessment::Overloaded));
    assert!(!Assessment::Manageable.is_within_one_step(Assessment::Overloaded));
}

proptest! {
    #[test]
    fn the_parts_add_up(
        rows in prop::collection::vec((0usize..4, prop::option::of(0u32..60), prop::option::of(0u32..40), 0usize..4), 0..40),
        horizon in 0usize..3,
    ) {
        let tasks: Vec<Task> = rows.into_iter().enumerate().map(|(at, (status, due, estimate, name))| Task {
            status: Status::ALL[status],
            due_date: due.map(|days| days_after(date(2026, 2, 15), days)),
            estimate: estimate.and_then(hours),
            assignee: ["Ana", "ana", "Ben"].get(name).map(|name| (*name).to_owned()),
            ..task(at as u32 + 1)
        }).collect();
        let facts = facts(&tasks, TODAY, Horizon::ALL[horizon]);
        let sum = |of: &dyn Fn(&Load) -> u32| facts.load.iter().map(of).sum::<u32>();
        prop_assert_eq!(sum(&|part| part.open), facts.open);
        prop_assert_eq!(sum(&|part| part.overdue), facts.overdue);
        prop_assert_eq!(sum(&|part| part.due_hours.minutes), facts.due_hours.minutes);
        prop_assert!(facts.overdue + facts.due + facts.undated <= facts.open);
        prop_assert!(facts.ratio.is_finite());
    }
}
