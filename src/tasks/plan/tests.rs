//! The sprint planner: what it takes, what it leaves, which swaps it lets through.

use jiff::civil::{Date, date};
use proptest::prelude::*;

use super::*;
use crate::tasks::samples::{hours, ids, linked, task};
use crate::tasks::work;

const START: Date = date(2026, 3, 2);

fn sprint(capacity_hours: u32) -> Sprint {
    Sprint { start: START, duration_days: 14, capacity: Hours { minutes: capacity_hours * 60 } }
}

fn planned(tasks: &[Task], capacity_hours: u32) -> Plan {
    plan(&Graph::new(tasks), &sprint(capacity_hours))
}

fn selected(plan: &Plan) -> Vec<TaskId> {
    plan.selected.iter().map(|planned| planned.id).collect()
}

fn why(plan: &Plan, id: u32) -> Why {
    plan.deferred.iter().find(|deferred| deferred.id == TaskId(id)).expect("deferred").why
}

#[test]
fn the_most_valuable_tasks_come_first_and_each_deferred_one_says_why() {
    let mut tasks = linked(4, &[]);
    tasks[0].priority = Priority::Low;
    tasks[1].priority = Priority::Urgent;
    tasks[2].priority = Priority::High;
    tasks[3].estimate = hours(50);
    let plan = planned(&tasks, 9);
    assert_eq!(selected(&plan), ids(&[2, 3]));
    assert_eq!((plan.hours.minutes, plan.spare.minutes, plan.assumed), (480, 60, 2));
    assert_eq!((plan.value.points(), plan.optimal, plan.available), (12.0, true, 4));
    assert_eq!(why(&plan, 1), Why::LowValue);
    assert_eq!(why(&plan, 4).to_string(), "no room: needs 50 h, the sprint has 9 h");
}

#[test]
fn a_valuable_task_pulls_in_what_it_waits_for_and_the_order_can_be_worked_through() {
    let mut tasks = linked(4, &[(1, 2), (2, 3)]);
    tasks[0].priority = Priority::Urgent;
    tasks[1].priority = Priority::Low;
    tasks[2].priority = Priority::Low;
    let plan = planned(&tasks, 12);
    assert_eq!(selected(&plan), ids(&[3, 2, 1]));
    assert_eq!(why(&plan, 4), Why::NoRoom { needs: work::ASSUMED, left: Hours { minutes: 0 } });
    let short = planned(&tasks, 8);
    assert_eq!(why(&short, 1), Why::DependsOn(TaskId(2)), "its whole chain takes 12 h");
}

#[test]
fn due_by_the_last_day_is_worth_half_as_much_again_and_the_day_after_is_not() {
    let mut tasks = linked(2, &[]);
    tasks[0].due_date = Some(date(2026, 3, 16));
    tasks[1].due_date = Some(date(2026, 3, 15));
    let plan = planned(&tasks, 4);
    assert_eq!((selected(&plan), plan.value.points()), (ids(&[2]), 3.0));
    tasks[0].due_date = Some(date(2020, 1, 1));
    assert_eq!(planned(&tasks, 8).value.points(), 6.0, "overdue counts");
}

#[test]
fn a_sprint_without_hours_takes_only_what_needs_none() {
    let mut tasks = linked(3, &[(3, 1)]);
    tasks[1].estimate = hours(0);
    tasks[2].estimate = hours(0);
    let plan = planned(&tasks, 0);
    assert_eq!((selected(&plan), plan.hours.minutes, plan.optimal), (ids(&[2]), 0, true));
    assert_eq!(planned(&[], 80).selected, []);
}

#[test]
fn closed_tasks_are_neither_planned_nor_waited_for() {
    let mut tasks = linked(3, &[(3, 1), (3, 2)]);
    tasks[0].status = Status::Completed;
    tasks[1].status = Status::Cancelled;
    assert_eq!(selected(&planned(&tasks, 80)), ids(&[3]));
}

#[test]
fn fifty_thousand_tasks_in_one_chain_are_planned() {
    let links: Vec<(u32, u32)> = (2..=50_000).map(|id| (id, id - 1)).collect();
    let plan = planned(&linked(50_000, &links), 80);
    assert_eq!(selected(&plan), ids(&(1..=20).collect::<Vec<_>>()));
}

fn swap(leaves: u32, enters: u32, why: &str) -> Swap {
    Swap { leaves: TaskId(leaves), enters: TaskId(enters), why: why.into() }
}

/// 1 to 4 selected (4 depends on 3), 5 to 8 not: 6 depends on 5, 7 is large, 8 is closed.
fn swap_case() -> Vec<Task> {
    let mut tasks = linked(8, &[(4, 3), (6, 5)]);
    tasks[0].priority = Priority::Urgent;
    for task in &mut tasks[1..4] {
        task.priority = Priority::High;
    }
    tasks[6].estimate = hours(5);
    tasks[7].status = Status::Completed;
    tasks
}

#[test]
fn a_swap_that_would_break_the_plan_is_dropped_with_its_reason() {
    let tasks = swap_case();
    let graph = Graph::new(&tasks);
    let before = plan(&graph, &sprint(16));
    assert_eq!(selected(&before), ids(&[1, 2, 3, 4]));
    let cases = [
        (swap(99, 5, "x"), "TASK-0099 does not exist"),
        (swap(2, 99, "x"), "TASK-0099 does not exist"),
        (swap(2, 8, "x"), "TASK-0008 is not open"),
        (swap(5, 7, "x"), "TASK-0005 is not in the sprint"),
        (swap(2, 1, "x"), "TASK-0001 is in the sprint already"),
        (swap(1, 5, " - "), "TASK-0001 is urgent and no reason was given for taking it out"),
        (swap(3, 5, "x"), "TASK-0004 is in the sprint and depends on TASK-0003"),
        (swap(2, 6, "x"), "TASK-0006 depends on TASK-0005, which would not be in the sprint"),
        (swap(2, 7, "x"), "with TASK-0007 the sprint would take 17 h of 16 h"),
    ];
    for (swap, reason) in cases {
        let after = apply_swaps(&graph, &sprint(16), &before, std::slice::from_ref(&swap));
        assert_eq!(after.plan, before);
        assert_eq!(after.dropped, [DroppedSwap { swap, reason: reason.into() }]);
    }
}

#[test]
fn swaps_that_hold_are_made_also_when_one_waits_for_another() {
    let tasks = swap_case();
    let graph = Graph::new(&tasks);
    let before = plan(&graph, &sprint(16));
    let swaps = [swap(1, 6, "the client is away"), swap(2, 5, "")];
    let after = apply_swaps(&graph, &sprint(16), &before, &swaps);
    assert_eq!((after.applied.len(), after.dropped.len()), (2, 0));
    assert_eq!(selected(&after.plan), ids(&[3, 4, 5, 6]));
    assert_eq!(why(&after.plan, 1), Why::SwappedFor(TaskId(6)));
    assert!(before.optimal && !after.plan.optimal);
}

prop_compose! {
    /// Tasks with dependencies on earlier ones, as (hours, priority, due day from the start, status, dependencies).
    fn some_tasks(max: usize)(
        rows in prop::collection::vec(
            (prop::option::of(0u32..10), 0usize..4, prop::option::of(0u32..20), 0usize..8, prop::collection::vec(any::<prop::sample::Index>(), 0..3)),
            0..=max,
        )
    ) -> Vec<Task> {
        let mut tasks: Vec<Task> = Vec::new();
        for (at, (estimate, priority, due, status, waits)) in rows.into_iter().enumerate() {
            let mut task = task(at as u32 + 1);
            task.estimate = estimate.and_then(hours);
            task.priority = Priority::ALL[priority];
            task.due_date = due.map(|days| days_after(START, days));
            task.status = *Status::ALL.get(status).unwrap_or(&Status::Pending);
            if at > 0 {
                task.depends_on = waits.iter().map(|index| TaskId(index.index(at) as u32 + 1)).collect();
                task.depends_on.sort_unstable();
                task.depends_on.dedup();
            }
            tasks.push(task);
        }
        tasks
    }
}

fn check_invariants(graph: &Graph, sprint: &Sprint, plan: &Plan) {
    assert!(plan.hours <= sprint.capacity);
    assert!(plan.value <= plan.bound && plan.optimal == (plan.value == plan.bound));
    assert_eq!(plan.spare.minutes, sprint.capacity.minutes - plan.hours.minutes);
    let mut done = Vec::new();
    for planned in &plan.selected {
        assert!(graph.is_open(planned.id) && !done.contains(&planned.id));
        assert!(graph.blocked_by(planned.id).iter().all(|id| done.contains(id)), "a dependency comes first");
        done.push(planned.id);
    }
    assert_eq!(plan.selected.len() + plan.deferred.len(), graph.open().len());
}

/// The best value over all subsets.
fn brute_force(graph: &Graph, sprint: &Sprint) -> u64 {
    let open: Vec<&Task> = graph.open().collect();
    let number = |id: TaskId| open.iter().position(|task| task.id == id).expect("open");
    let waits: Vec<Vec<usize>> =
        open.iter().map(|task| graph.blocked_by(task.id).into_iter().map(number).collect()).collect();
    (0..1_u32 << open.len())
        .filter(|set| {
            (0..open.len()).all(|at| set & 1 << at == 0 || waits[at].iter().all(|below| set & 1 << below != 0))
        })
        .map(|set| {
            let of = |number: &dyn Fn(&Task) -> u64| -> u64 {
                open.iter().enumerate().filter(|(at, _)| set & 1 << at != 0).map(|(_, task)| number(task)).sum()
            };
            let minutes = of(&|task| u64::from(effort(task).hours.minutes));
            if minutes <= u64::from(sprint.capacity.minutes) { of(&|task| sprint.value(task).halves) } else { 0 }
        })
        .max()
        .unwrap_or(0)
}

/// By value for each hour, one after another, each with what it waits for if that fits.
fn greedy(graph: &Graph, sprint: &Sprint) -> u64 {
    let mut open: Vec<&Task> = graph.open().collect();
    let rate = |task: &Task| sprint.value(task).points() / f64::from(effort(task).hours.minutes);
    open.sort_by(|a, b| rate(b).total_cmp(&rate(a)).then(a.id.cmp(&b.id)));
    let (mut taken, mut minutes, mut value) = (Vec::new(), 0, 0);
    for task in open {
        let mut added = graph.needs(task.id);
        added.push(task.id);
        added.retain(|id| !taken.contains(id));
        let tasks = || added.iter().filter_map(|id| graph.task(*id));
        let more: u32 = tasks().map(|task| effort(task).hours.minutes).sum();
        if minutes + more <= sprint.capacity.minutes {
            minutes += more;
            value += tasks().map(|task| sprint.value(task).halves).sum::<u64>();
            taken.extend(added.clone());
        }
    }
    value
}

proptest! {
    #[test]
    fn small_plans_are_proven_and_equal_the_best_of_all_subsets(tasks in some_tasks(10), capacity in 0u32..50) {
        let graph = Graph::new(&tasks);
        let plan = plan(&graph, &sprint(capacity));
        check_invariants(&graph, &sprint(capacity), &plan);
        prop_assert!(plan.optimal);
        prop_assert_eq!(plan.value.halves, brute_force(&graph, &sprint(capacity)));
    }

    #[test]
    fn larger_plans_hold_and_are_never_worse_than_plain_greedy(tasks in some_tasks(80), capacity in 0u32..200) {
        let graph = Graph::new(&tasks);
        let plan = plan(&graph, &sprint(capacity));
        check_invariants(&graph, &sprint(capacity), &plan);
        prop_assert!(plan.value.halves >= greedy(&graph, &sprint(capacity)));
        prop_assert_eq!(&plan, &super::plan(&Graph::new(&tasks), &sprint(capacity)));
    }

    #[test]
    fn whatever_is_swapped_the_plan_holds(
        tasks in some_tasks(12),
        capacity in 0u32..50,
        pairs in prop::collection::vec((0u32..15, 0u32..15, prop::sample::select(vec!["", "because"])), 0..8),
    ) {
        let graph = Graph::new(&tasks);
        let before = plan(&graph, &sprint(capacity));
        let swaps: Vec<Swap> = pairs.iter().map(|(leaves, enters, why)| swap(*leaves, *enters, why)).collect();
        let after = apply_swaps(&graph, &sprint(capacity), &before, &swaps);
        check_invariants(&graph, &sprint(capacity), &after.plan);
        prop_assert_eq!(after.applied.len() + after.dropped.len(), swaps.len());
        prop_assert!(after.dropped.iter().all(|dropped| !dropped.reason.is_empty()));
        for planned in before.selected.iter().filter(|planned| !after.plan.selects(planned.id)) {
            let urgent = graph.task(planned.id).is_some_and(|task| task.priority == Priority::Urgent);
            let because = after.applied.iter().any(|swap| swap.leaves == planned.id && !swap.why.is_empty());
            prop_assert!(!urgent || because);
        }
    }
}
