//! What to do next, and which tasks matter: one total order over open tasks, with the reason for each place.
//!
//! A task's points come from its due day, its priority, how much it unblocks and whether it was begun. What holds up a
//! more pressing task is itself nearly as pressing. The reasons name days, numbers and ids, never titles.

use std::cmp::Reverse;

use jiff::civil::Date;

use super::graph::Graph;
use super::work::{Effort, counted, days_between, effort, person};
use super::{Hours, Priority, Status, Task, TaskId};

/// What the person who asks can take on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wish<'a> {
    /// Only tasks of this person; case does not matter.
    pub assignee: Option<&'a str>,
    pub available_minutes: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ranking {
    /// Best first, cut to the limit: ready tasks that fit, ready ones that do not, blocked ones.
    pub tasks: Vec<Ranked>,
    /// Open tasks that the wish allows, also those beyond the limit.
    pub considered: u32,
    /// Minutes were given, something is ready, and nothing ready fits into them.
    pub nothing_fits: bool,
}

impl Ranking {
    /// What to do next: `None` when nothing is open, or all of it is blocked.
    pub fn next(&self) -> Option<&Ranked> {
        self.tasks.first().filter(|ranked| !ranked.blocked)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ranked {
    pub id: TaskId,
    /// "overdue by 2 days, urgent, unblocks 3 tasks".
    pub reason: String,
    pub effort: Effort,
    pub blocked: bool,
    /// Into the available minutes; always true when none were given.
    pub fits: bool,
    /// Open tasks that wait for it, directly or not.
    pub unblocks: u32,
}

/// The open tasks in the order in which to take them on, with a reason each.
pub fn rank(graph: &Graph, today: Date, wish: &Wish, limit: usize) -> Ranking {
    let tasks = graph.tasks();
    let points = all_points(graph, today);
    let wanted = wish.assignee.map(person);
    let allowed = |at: &usize| {
        let Some(wanted) = &wanted else { return true };
        tasks[*at].assignee.as_deref().is_some_and(|name| person(name) == *wanted)
    };
    let fits = |at: usize| wish.available_minutes.is_none_or(|minutes| effort(&tasks[at]).hours <= Hours { minutes });
    let mut order: Vec<usize> = graph.order().iter().copied().filter(allowed).collect();
    order.sort_by_cached_key(|at| (blocked(graph, *at), !fits(*at), points[*at].key(&tasks[*at])));
    let first_ready = order.first().copied().filter(|at| !blocked(graph, *at));
    let ranked = |&at: &usize| Ranked {
        id: tasks[at].id,
        reason: reason(graph, today, at, &points[at], wish.available_minutes),
        effort: effort(&tasks[at]),
        blocked: blocked(graph, at),
        fits: fits(at),
        unblocks: graph.blocks_of(at),
    };
    Ranking {
        tasks: order.iter().take(limit).map(ranked).collect(),
        considered: super::work::count(order.len()),
        nothing_fits: first_ready.is_some_and(|at| !fits(at)),
    }
}

/// The open tasks in the order in which they matter, blocked or not: what a table in a prompt should show first.
pub fn by_weight<'a>(graph: &Graph<'a>, today: Date) -> Vec<&'a Task> {
    let tasks = graph.tasks();
    let points = all_points(graph, today);
    let mut order = graph.order().to_vec();
    order.sort_by_cached_key(|at| points[*at].key(&tasks[*at]));
    order.into_iter().map(|at| &tasks[at]).collect()
}

fn blocked(graph: &Graph, at: usize) -> bool {
    graph.waits(at).next().is_some()
}

#[derive(Debug, Clone, Copy, Default)]
struct Points {
    /// From the due day and the priority, or from those of a task that waits for it.
    pressure: u32,
    /// The position of the waiting task, perhaps several steps up, whose pressure it is.
    from: Option<usize>,
    /// From what it unblocks and from having been begun.
    extra: u32,
}

impl Points {
    /// Most points first, then the due day with undated tasks last, then the id: no two tasks are equal.
    fn key(&self, task: &Task) -> (Reverse<u32>, Date, TaskId) {
        (Reverse(self.pressure + self.extra), task.due_date.unwrap_or(Date::MAX), task.id)
    }
}

/// By position. What waits for a task comes first, so that its pressure is known.
fn all_points(graph: &Graph, today: Date) -> Vec<Points> {
    /// A task that only holds up another stays just behind what is as pressing by itself.
    const STEP: u32 = 4;
    const BEGUN: u32 = 8;
    const EACH_UNBLOCKED: u32 = 3;
    const UNBLOCKED_COUNTED: u32 = 10;
    let tasks = graph.tasks();
    let mut points = vec![Points::default(); tasks.len()];
    for &at in graph.order().iter().rev() {
        let own = due_points(&tasks[at], today) + priority_points(tasks[at].priority);
        let waiting = graph.waited_by(at).map(|above| (points[above].pressure.saturating_sub(STEP), above));
        let most = waiting.max_by_key(|(pressure, above)| (*pressure, Reverse(tasks[*above].id)));
        let begun = if tasks[at].status == Status::InProgress { BEGUN } else { 0 };
        let extra = begun + EACH_UNBLOCKED * graph.blocks_of(at).min(UNBLOCKED_COUNTED);
        points[at] = match most {
            Some((pressure, above)) if pressure > own => {
                Points { pressure, from: points[above].from.or(Some(above)), extra }
            }
            _ => Points { pressure: own, from: None, extra },
        };
    }
    points
}

/// An urgent task without a day stands above a low one that is due today, and below a normal one.
fn priority_points(priority: Priority) -> u32 {
    match priority {
        Priority::Urgent => 60,
        Priority::High => 30,
        Priority::Normal => 12,
        Priority::Low => 0,
    }
}

fn due_points(task: &Task, today: Date) -> u32 {
    let Some(due) = task.due_date else { return 0 };
    match days_between(today, due) {
        late @ ..0 => 60 + 2 * u32::try_from(late.unsigned_abs().min(10)).unwrap_or(10),
        0 => 55,
        1 => 45,
        2..=3 => 35,
        4..=7 => 22,
        8..=14 => 10,
        _ => 4,
    }
}

fn reason(graph: &Graph, today: Date, at: usize, points: &Points, minutes: Option<u32>) -> String {
    let task = &graph.tasks()[at];
    let mut parts: Vec<String> = Vec::new();
    parts.extend(due_text(task, today));
    parts.extend(priority_text(task.priority).map(str::to_owned));
    if task.status == Status::InProgress {
        parts.push("already in progress".to_owned());
    }
    match graph.blocks_of(at) {
        0 => {}
        unblocked => parts.push(format!("unblocks {}", counted(unblocked, "task", "tasks"))),
    }
    parts.extend(points.from.map(|above| held_up_text(&graph.tasks()[above], today)));
    parts.extend(waiting_text(graph, task.id));
    parts.extend(minutes.map(|minutes| fit_text(effort(task), minutes)));
    if parts.is_empty() { "no due day, normal priority".to_owned() } else { parts.join(", ") }
}

fn due_text(task: &Task, today: Date) -> Option<String> {
    let due = task.due_date?;
    Some(match days_between(today, due) {
        -1 => "overdue by 1 day".to_owned(),
        late @ ..-1 => format!("overdue by {} days", late.unsigned_abs()),
        0 => "due today".to_owned(),
        1 => "due tomorrow".to_owned(),
        days @ 2..=14 => format!("due in {days} days"),
        _ => format!("due {due}"),
    })
}

fn priority_text(priority: Priority) -> Option<&'static str> {
    match priority {
        Priority::Urgent => Some("urgent"),
        Priority::High => Some("high priority"),
        Priority::Normal => None,
        Priority::Low => Some("low priority"),
    }
}

fn held_up_text(task: &Task, today: Date) -> String {
    let why: Vec<String> =
        due_text(task, today).into_iter().chain(priority_text(task.priority).map(str::to_owned)).collect();
    if why.is_empty() {
        return format!("{} waits for it", task.id);
    }
    format!("{} ({}) waits for it", task.id, why.join(", "))
}

fn waiting_text(graph: &Graph, id: TaskId) -> Option<String> {
    match graph.blocked_by(id).as_slice() {
        [] => None,
        [only] => Some(format!("blocked by {only}")),
        [first, second] => Some(format!("blocked by {first} and {second}")),
        [first, rest @ ..] => Some(format!("blocked by {first} and {} others", rest.len())),
    }
}

fn fit_text(effort: Effort, minutes: u32) -> String {
    let assumed = if effort.assumed { " (assumed)" } else { "" };
    let (needs, available) = (effort.hours, Hours { minutes });
    if effort.hours.minutes <= minutes {
        return format!("takes {needs}{assumed}, which fits into {available}");
    }
    format!("takes {needs}{assumed}, more than {available}")
}

#[cfg(test)]
#[path = "rank_tests.rs"]
mod tests;
