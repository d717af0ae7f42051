//! The sprint planner alone, on projects of 500 tasks that hang together.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::civil::date;
use taskgate::tasks::graph::Graph;
use taskgate::tasks::plan::{Sprint, plan};
use taskgate::tasks::{Draft, Hours, Priority, Task, TaskId};

const TASKS: u32 = 500;
const PROJECTS: u64 = 50;

/// One time per generated project, each with another seed, capacity from a tenth to all of the work.
pub fn times() -> Vec<Duration> {
    (0..PROJECTS)
        .map(|seed| {
            let (tasks, capacity) = project(seed);
            let sprint = Sprint { start: date(2026, 11, 23), duration_days: 14, capacity };
            let started = Instant::now();
            let graph = Graph::new(&tasks);
            let selected = plan(&graph, &sprint).selected.len();
            let took = started.elapsed();
            assert!(selected > 0, "a plan of nothing measures nothing");
            took
        })
        .collect()
}

fn project(seed: u64) -> (Vec<Task>, Hours) {
    let mut random = fastrand::Rng::with_seed(seed);
    let now = Timestamp::UNIX_EPOCH;
    let tasks: Vec<Task> = (1..=TASKS)
        .map(|number| {
            let mut earlier: Vec<TaskId> = (0..random.u32(0..3)).map(|_| TaskId(random.u32(1..=number))).collect();
            earlier.retain(|id| id.0 < number);
            earlier.sort_unstable();
            earlier.dedup();
            let draft = Draft {
                title: format!("Task {number}"),
                description: None,
                priority: Priority::ALL[random.usize(0..Priority::ALL.len())],
                due_date: random.bool().then(|| date(2026, 11, random.i8(20..=30))),
                assignee: None,
                estimate: random.bool().then(|| Hours { minutes: 30 * random.u32(1..=32) }),
                tags: Vec::new(),
                project: None,
                parent_id: None,
                depends_on: earlier,
            };
            Task::from_draft(TaskId(number), &draft, now)
        })
        .collect();
    let capacity = Hours { minutes: 60 * random.u32(80..=2_000) };
    (tasks, capacity)
}
