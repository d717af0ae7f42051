//! What plain logic knows of a workload: counts, hours due against hours available, who has how much, what holds what up.
//!
//! Every number here is exact for the tasks given; what had to be assumed (hours that nobody estimated, a day of rest)
//! is said beside it. No model is asked and none is known.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use super::graph::Graph;
use super::rank::{Wish, rank};
use super::work::{self, count, days_after, effort, person, working_days};
use super::{Hours, Priority, Status, Task, TaskId};
use crate::names::words;

words!(
    /// How far ahead a workload is looked at.
    Horizon {
        Day => "day",
        Week => "week",
        Month => "month",
    }
);

impl Horizon {
    /// Days that are looked at, today among them.
    pub fn days(self) -> u32 {
        match self {
            Self::Day => 1,
            Self::Week => 7,
            Self::Month => 30,
        }
    }

    /// The last day that belongs to it: today, today + 6, today + 29.
    pub fn last_day(self, today: Date) -> Date {
        days_after(today, self.days() - 1)
    }
}

words!(
    /// Hours due over hours available: below 0.8, below 1, more.
    Assessment {
        Manageable => "manageable",
        Heavy => "heavy",
        Overloaded => "overloaded",
    }
);

impl Assessment {
    pub fn of(ratio: f64) -> Self {
        match ratio {
            ratio if ratio < 0.8 => Self::Manageable,
            ratio if ratio < 1.0 => Self::Heavy,
            _ => Self::Overloaded,
        }
    }

    /// The same, or the next one up or down.
    pub fn is_within_one_step(self, other: Self) -> bool {
        (self as i8 - other as i8).abs() <= 1
    }
}

/// The lesson's summary: all tasks; `urgent` and `high` by priority, whatever the status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    pub total: u32,
    pub pending: u32,
    pub urgent: u32,
    pub high: u32,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Workload {
    pub summary: Summary,
    pub open: u32,
    pub in_progress: u32,
    pub blocked: u32,
    /// Open and due before today.
    pub overdue: u32,
    /// Open and due from today to `last_day`, both included. Overdue ones are not among them.
    pub due: u32,
    /// Open without a due day: their hours are in no horizon.
    pub undated: u32,
    pub horizon: Horizon,
    pub last_day: Date,
    /// Hours of open tasks that are overdue or due in the horizon.
    pub due_hours: Hours,
    /// Of those tasks, how many count the assumed hours because nobody estimated them.
    pub assumed: u32,
    /// Working days in the horizon x 8 h x people.
    pub available: Hours,
    pub working_days: u32,
    /// The horizon is a day of rest: `available` is that of the next working day, by which the work has to be done.
    pub day_of_rest: bool,
    /// Who has open tasks, at least 1.
    pub people: u32,
    /// `due_hours` over `available`.
    pub ratio: f64,
    pub assessment: Assessment,
    /// Most hours due first; the tasks that nobody has come last.
    pub load: Vec<Load>,
    /// The longest ones.
    pub chains: Vec<Chain>,
    /// What to take on first; what can be begun stands before what is blocked.
    pub priorities: Vec<FirstTask>,
}

/// One person's part.
#[derive(Debug, Clone, PartialEq)]
pub struct Load {
    /// As first written; `None` is for tasks without an assignee.
    pub assignee: Option<String>,
    pub open: u32,
    pub overdue: u32,
    /// Hours of all their open tasks.
    pub hours: Hours,
    /// Of those, what is overdue or due in the horizon.
    pub due_hours: Hours,
    /// `due_hours` over one person's hours in the horizon.
    pub ratio: f64,
}

/// Tasks that have to be done one after another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// First what can be begun now. Of a long chain, the beginning and the end.
    pub ids: Vec<TaskId>,
    /// All tasks of the chain.
    pub length: u32,
}

/// A task to take on first, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstTask {
    pub id: TaskId,
    pub reason: String,
}

/// What makes a question large or knotty, counted on open tasks.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Measured {
    pub tasks: u32,
    /// Dependencies among them, and the steps in their longest chain.
    pub edges: u32,
    pub depth: u32,
    /// Hours of work over hours available.
    pub load: f64,
    /// Tasks whose due day cannot be met, counting each person's working days and what has to be done before.
    pub conflicts: u32,
    pub people: u32,
}

const CHAINS_SHOWN: usize = 5;
const CHAIN_IDS_SHOWN: usize = 8;
const PRIORITIES_SHOWN: usize = 5;

pub fn summary(tasks: &[Task]) -> Summary {
    let of = |test: &dyn Fn(&Task) -> bool| count(tasks.iter().filter(|task| test(task)).count());
    Summary {
        total: count(tasks.len()),
        pending: of(&|task| task.status == Status::Pending),
        urgent: of(&|task| task.priority == Priority::Urgent),
        high: of(&|task| task.priority == Priority::High),
    }
}

pub fn workload(graph: &Graph, today: Date, horizon: Horizon) -> Workload {
    let last_day = horizon.last_day(today);
    let of = |test: &dyn Fn(&Task) -> bool| count(graph.open().filter(|task| test(task)).count());
    let counts_now = |task: &Task| task.due_date.is_some_and(|due| due <= last_day);
    let due_hours = hours_of(graph.open().filter(|task| counts_now(task)));
    let people = people(graph);
    let working = working_days(today, last_day);
    let each = Hours { minutes: working.max(1) * work::WORKING_DAY.minutes };
    let available = Hours { minutes: each.minutes.saturating_mul(people) };
    let ratio = ratio(due_hours, available);
    Workload {
        summary: summary(graph.tasks()),
        open: of(&|_| true),
        in_progress: of(&|task| task.status == Status::InProgress),
        blocked: graph.blocked(),
        overdue: of(&|task| task.overdue(today)),
        due: of(&|task| counts_now(task) && !task.overdue(today)),
        undated: of(&|task| task.due_date.is_none()),
        horizon,
        last_day,
        due_hours,
        assumed: of(&|task| counts_now(task) && effort(task).assumed),
        available,
        working_days: working,
        day_of_rest: working == 0,
        people,
        ratio,
        assessment: Assessment::of(ratio),
        load: load(graph, today, last_day, each),
        chains: chains(graph),
        priorities: rank(graph, today, &Wish::default(), PRIORITIES_SHOWN)
            .tasks
            .into_iter()
            .map(|ranked| FirstTask { id: ranked.id, reason: ranked.reason })
            .collect(),
    }
}

/// Distinct assignees of open tasks; somebody has to do the work, so at least one.
pub fn people(graph: &Graph) -> u32 {
    let names: BTreeSet<String> = graph.open().filter_map(|task| task.assignee.as_deref().map(person)).collect();
    count(names.len()).max(1)
}

/// Hours of all open tasks.
pub fn open_hours(graph: &Graph) -> Hours {
    hours_of(graph.open())
}

/// `work` over `available`; work without any time for it counts as against one minute.
pub fn ratio(work: Hours, available: Hours) -> f64 {
    f64::from(work.minutes) / f64::from(available.minutes.max(1))
}

/// The numbers of the question. `load` is the caller's: each tool has its own capacity; 0 where there is none.
pub fn measure(graph: &Graph, today: Date, load: f64) -> Measured {
    Measured {
        tasks: count(graph.open().len()),
        edges: graph.edges(),
        depth: graph.depth(),
        load,
        conflicts: conflicts(graph, today),
        people: people(graph),
    }
}

/// Open tasks that are due before something they wait for, or sooner than one person after another can work through
/// the longest chain up to them. What is overdue is among them.
fn conflicts(graph: &Graph, today: Date) -> u32 {
    let tasks = graph.tasks();
    let mut minutes = vec![0_u64; tasks.len()];
    let mut conflicts = 0;
    for &at in graph.order() {
        let before = graph.waits(at).map(|below| minutes[below]).max().unwrap_or(0);
        minutes[at] = before + u64::from(effort(&tasks[at]).hours.minutes);
        let Some(due) = tasks[at].due_date else { continue };
        let room = u64::from(working_days(today, due)) * u64::from(work::WORKING_DAY.minutes);
        let too_late = graph.waits(at).any(|below| tasks[below].due_date.is_some_and(|earlier| earlier > due));
        if too_late || due < today || minutes[at] > room {
            conflicts += 1;
        }
    }
    conflicts
}

fn hours_of<'t>(tasks: impl Iterator<Item = &'t Task>) -> Hours {
    tasks.map(|task| effort(task).hours).sum()
}

fn load(graph: &Graph, today: Date, last_day: Date, each: Hours) -> Vec<Load> {
    let mut parts: BTreeMap<Option<String>, Load> = BTreeMap::new();
    // By position, so that the spelling that is shown does not depend on what waits for what.
    let mut order = graph.order().to_vec();
    order.sort_unstable();
    for task in order.into_iter().map(|at| &graph.tasks()[at]) {
        let part = parts.entry(task.assignee.as_deref().map(person)).or_insert_with(|| Load {
            assignee: task.assignee.as_deref().map(|name| name.trim().to_owned()),
            open: 0,
            overdue: 0,
            hours: Hours::default(),
            due_hours: Hours::default(),
            ratio: 0.0,
        });
        part.open += 1;
        part.overdue += u32::from(task.overdue(today));
        part.hours += effort(task).hours;
        if task.due_date.is_some_and(|due| due <= last_day) {
            part.due_hours += effort(task).hours;
        }
    }
    let mut load: Vec<Load> = parts.into_values().collect();
    for part in &mut load {
        part.ratio = ratio(part.due_hours, each);
    }
    // The sort keeps people with equal hours in the order of their names.
    load.sort_by_key(|part| (part.assignee.is_none(), Reverse(part.due_hours), Reverse(part.hours)));
    load
}

/// The longest chain up to each task that nothing waits for, longest first.
fn chains(graph: &Graph) -> Vec<Chain> {
    let tasks = graph.tasks();
    let last = |at: &usize| graph.waits(*at).next().is_some() && graph.waited_by(*at).next().is_none();
    let mut ends: Vec<TaskId> = graph.order().iter().copied().filter(last).map(|at| tasks[at].id).collect();
    ends.sort_unstable_by_key(|id| (Reverse(graph.height(*id)), *id));
    ends.truncate(CHAINS_SHOWN);
    ends.into_iter().map(|id| shown(graph.chain_to(id))).collect()
}

fn shown(mut ids: Vec<TaskId>) -> Chain {
    let length = count(ids.len());
    if ids.len() > CHAIN_IDS_SHOWN {
        ids.drain(CHAIN_IDS_SHOWN / 2..ids.len() - CHAIN_IDS_SHOWN / 2);
    }
    Chain { ids, length }
}

#[cfg(test)]
#[path = "facts_tests.rs"]
mod tests;
