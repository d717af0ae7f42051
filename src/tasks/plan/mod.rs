//! The sprint planner: the open tasks of greatest value that fit into the hours of a sprint, each with all that it waits for.
//!
//! A task is worth its priority's weight (urgent 8, high 4, normal 2, low 1), half as much again if it is due by the
//! last day of the sprint. `problem` holds the numbers, `search` finds the selection, `swap` lets somebody else improve it
//! without breaking it. No title is read here, and no model is known.

mod problem;
mod search;
mod swap;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;

use jiff::civil::Date;

use super::graph::Graph;
use super::work::{Effort, count, days_after, effort, pressing};
use super::{Hours, Priority, Status, Task, TaskId};
use problem::Problem;
pub use swap::{DroppedSwap, Swap, Swapped, apply_swaps};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sprint {
    pub start: Date,
    /// At least one day is meant; the sprint's last day is `start + duration_days - 1`.
    pub duration_days: u32,
    pub capacity: Hours,
}

impl Sprint {
    pub fn last_day(&self) -> Date {
        days_after(self.start, self.duration_days.saturating_sub(1))
    }

    /// Due by the last day; what is overdue counts.
    pub fn covers(&self, task: &Task) -> bool {
        task.due_date.is_some_and(|due| due <= self.last_day())
    }

    pub fn value(&self, task: &Task) -> Value {
        let weight = match task.priority {
            Priority::Urgent => 8,
            Priority::High => 4,
            Priority::Normal => 2,
            Priority::Low => 1,
        };
        Value { halves: weight * if self.covers(task) { 3 } else { 2 } }
    }
}

/// What a selection is worth, in half points so that sums are exact.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Value {
    pub halves: u64,
}

impl Value {
    pub fn points(self) -> f64 {
        self.halves as f64 / 2.0
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.points())
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// In an order that can be worked through: dependencies first, then by priority and due day.
    pub selected: Vec<Planned>,
    /// The other open tasks, by priority and due day.
    pub deferred: Vec<Deferred>,
    pub hours: Hours,
    pub capacity: Hours,
    pub spare: Hours,
    pub value: Value,
    /// No selection is worth more than this.
    pub bound: Value,
    /// The value is the bound: no other selection is worth more, proven and not guessed.
    pub optimal: bool,
    /// Selected tasks that count the assumed hours because nobody estimated them.
    pub assumed: u32,
    /// Tasks whose status is pending: what the lesson calls available.
    pub available: u32,
}

impl Plan {
    pub fn selects(&self, id: TaskId) -> bool {
        self.selected.iter().any(|planned| planned.id == id)
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Planned {
    pub id: TaskId,
    pub effort: Effort,
    pub value: Value,
    /// Due by the sprint's last day, or overdue.
    pub due_inside: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Deferred {
    pub id: TaskId,
    pub effort: Effort,
    pub why: Why,
}

/// Why a task is not in the sprint. It reads as a sentence without its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It alone takes more than the whole sprint has.
    TooLarge {
        needs: Hours,
        capacity: Hours,
    },
    NoRoom {
        needs: Hours,
        left: Hours,
    },
    /// It would fit in place of others, and is worth less for each hour than any of them.
    LowValue,
    DependsOn(TaskId),
    /// A swap put the other one in its place.
    SwappedFor(TaskId),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { needs, capacity } => {
                write!(f, "no room: needs {needs}, the sprint has {capacity}")
            }
            Self::NoRoom { needs, left } => {
                write!(f, "no room: needs {needs}, {left} left")
            }
            Self::LowValue => f.write_str("low value: worth less for each hour than what was selected"),
            Self::DependsOn(id) => write!(f, "depends on {id}, which is deferred"),
            Self::SwappedFor(id) => write!(f, "swapped for {id}"),
        }
    }
}

/// The best plan that is found within a fixed amount of work: the same tasks always give the same plan.
pub fn plan(graph: &Graph, sprint: &Sprint) -> Plan {
    let problem = Problem::new(graph, sprint);
    let found = search::solve(&problem);
    let mut chosen = vec![false; graph.tasks().len()];
    for (item, _) in problem.items.iter().zip(&found.chosen).filter(|(_, chosen)| **chosen) {
        chosen[item.at] = true;
    }
    written(graph, sprint, &chosen, Value { halves: found.bound })
}

/// The plan for a set of positions that is closed under dependencies and fits.
fn written(graph: &Graph, sprint: &Sprint, chosen: &[bool], bound: Value) -> Plan {
    let tasks = graph.tasks();
    let selected: Vec<Planned> = workable_order(graph, chosen)
        .into_iter()
        .map(|at| Planned {
            id: tasks[at].id,
            effort: effort(&tasks[at]),
            value: sprint.value(&tasks[at]),
            due_inside: sprint.covers(&tasks[at]),
        })
        .collect();
    let hours = selected.iter().map(|planned| planned.effort.hours).sum();
    let value = Value { halves: selected.iter().map(|planned| planned.value.halves).sum() };
    let mut plan = Plan {
        deferred: Vec::new(),
        hours,
        capacity: sprint.capacity,
        spare: Hours { minutes: sprint.capacity.minutes.saturating_sub(hours.minutes) },
        value,
        bound,
        optimal: value == bound,
        assumed: count(selected.iter().filter(|planned| planned.effort.assumed).count()),
        available: count(tasks.iter().filter(|task| task.status == Status::Pending).count()),
        selected,
    };
    plan.deferred = deferred(graph, sprint, chosen, &plan);
    plan
}

/// Of all that can be begun, the most pressing first.
fn workable_order(graph: &Graph, chosen: &[bool]) -> Vec<usize> {
    let tasks = graph.tasks();
    let mut waiting: Vec<usize> = vec![0; tasks.len()];
    let mut ready = BinaryHeap::new();
    for &at in graph.order().iter().filter(|at| chosen[**at]) {
        waiting[at] = graph.waits(at).count();
        if waiting[at] == 0 {
            ready.push(Reverse((pressing(&tasks[at]), at)));
        }
    }
    let mut order = Vec::new();
    while let Some(Reverse((_, at))) = ready.pop() {
        order.push(at);
        for next in graph.waited_by(at).filter(|next| chosen[*next]) {
            waiting[next] -= 1;
            if waiting[next] == 0 {
                ready.push(Reverse((pressing(&tasks[next]), next)));
            }
        }
    }
    order
}

fn deferred(graph: &Graph, sprint: &Sprint, chosen: &[bool], plan: &Plan) -> Vec<Deferred> {
    let tasks = graph.tasks();
    let mut rest: Vec<usize> = graph.order().iter().copied().filter(|at| !chosen[*at]).collect();
    rest.sort_unstable_by_key(|at| pressing(&tasks[*at]));
    // Value for each hour, compared without dividing: a / b < c / d is a * d < c * b.
    let rate = |value: Value, hours: Hours| (u128::from(value.halves), u128::from(hours.minutes));
    let lowest = plan
        .selected
        .iter()
        .map(|planned| rate(planned.value, planned.effort.hours))
        .min_by(|a, b| (a.0 * b.1).cmp(&(b.0 * a.1)));
    let why = |at: usize| {
        let needs = effort(&tasks[at]).hours;
        let missing = graph.waits(at).filter(|below| !chosen[*below]).map(|below| tasks[below].id).min();
        let own = rate(sprint.value(&tasks[at]), needs);
        match (missing, lowest) {
            (Some(id), _) => Why::DependsOn(id),
            _ if needs > sprint.capacity => Why::TooLarge { needs, capacity: sprint.capacity },
            (None, Some(lowest)) if own.0 * lowest.1 < lowest.0 * own.1 => Why::LowValue,
            _ => Why::NoRoom { needs, left: plan.spare },
        }
    };
    rest.into_iter().map(|at| Deferred { id: tasks[at].id, effort: effort(&tasks[at]), why: why(at) }).collect()
}
