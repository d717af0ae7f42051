//! The planner's problem as numbers: what each open task costs, is worth and waits for.
//!
//! It also spreads values over dependencies. A dependency is worth little by itself but carries what waits for it; a bound
//! that ignores this is far too high. Moving part of a task's value to what it waits for never makes the sum of a
//! selection smaller, as long as the selection has all dependencies: so any such move gives a true upper bound, and
//! the moves that level the value per minute along each link give a tight one. (These are Lagrange multipliers on the
//! links, set once.)

use super::Sprint;
use crate::tasks::graph::Graph;
use crate::tasks::work::{effort, pressing};

/// One half point of value in the fixed-point numbers that spread values are kept in.
pub(super) const SCALE: i64 = 1 << 16;

/// Links that are leveled in all, so that ordinary lists are leveled well and huge ones cost no more than a few
/// milliseconds. A worse spread only makes the bound weaker.
const LEVELED: usize = 400_000;
const MOST_SWEEPS: usize = 400;

/// Above this many items, a closure that is too large is found by its longest chain alone.
const CLOSURES_UP_TO: usize = 4_000;

pub(super) struct Item {
    /// Position in the graph's tasks.
    pub at: usize,
    pub minutes: u64,
    /// In half points.
    pub value: u64,
    /// In half points times `SCALE`, after spreading.
    pub spread: i64,
    /// Items by number; dependencies have smaller numbers than what waits for them.
    pub waits_for: Vec<usize>,
    pub waited_by: Vec<usize>,
    /// It fits into the sprint with all that it waits for.
    pub possible: bool,
}

pub(super) struct Problem {
    pub items: Vec<Item>,
    /// Items by spread value per minute, greatest first; free ones before all.
    pub order: Vec<usize>,
    pub capacity: u64,
}

impl Problem {
    pub(super) fn new(graph: &Graph, sprint: &Sprint) -> Self {
        let tasks = graph.tasks();
        let mut number = vec![usize::MAX; tasks.len()];
        for (item, &at) in graph.order().iter().enumerate() {
            number[at] = item;
        }
        let numbers = |positions: &mut dyn Iterator<Item = usize>| {
            let mut numbers: Vec<usize> = positions.map(|at| number[at]).collect();
            numbers.sort_unstable();
            numbers
        };
        let item = |&at: &usize| {
            let value = sprint.value(&tasks[at]).halves;
            Item {
                at,
                minutes: u64::from(effort(&tasks[at]).hours.minutes),
                value,
                spread: i64::try_from(value).unwrap_or(i64::MAX / SCALE) * SCALE,
                waits_for: numbers(&mut graph.waits(at)),
                waited_by: numbers(&mut graph.waited_by(at)),
                possible: true,
            }
        };
        let items = graph.order().iter().map(item).collect();
        let mut problem = Self { items, order: Vec::new(), capacity: u64::from(sprint.capacity.minutes) };
        problem.rule_out();
        problem.spread();
        problem.order = (0..problem.items.len()).collect();
        let keys: Vec<_> = problem.items.iter().map(|item| pressing(&tasks[item.at])).collect();
        let items = &problem.items;
        problem.order.sort_unstable_by(|a, b| rate(&items[*b], &items[*a]).then(keys[*a].cmp(&keys[*b])));
        problem
    }

    /// Marks what can never be selected, and all that waits for it.
    fn rule_out(&mut self) {
        let exact = self.items.len() <= CLOSURES_UP_TO;
        let mut chain: Vec<u64> = Vec::with_capacity(self.items.len());
        for number in 0..self.items.len() {
            let item = &self.items[number];
            let below = item.waits_for.iter().map(|dependency| chain[*dependency]).max().unwrap_or(0);
            chain.push(below + item.minutes);
            self.items[number].possible = item.waits_for.iter().all(|dependency| self.items[*dependency].possible)
                && chain[number] <= self.capacity
                && (!exact || self.closure_fits(number));
        }
    }

    fn closure_fits(&self, number: usize) -> bool {
        let mut seen = std::collections::HashSet::from([number]);
        let mut open = vec![number];
        let mut minutes = 0;
        while let Some(next) = open.pop() {
            minutes += self.items[next].minutes;
            if minutes > self.capacity {
                return false;
            }
            open.extend(self.items[next].waits_for.iter().copied().filter(|below| seen.insert(*below)));
        }
        true
    }

    /// Levels the value per minute along each link, back and forth.
    fn spread(&mut self) {
        let mut links: Vec<Link> = Vec::new();
        for (upper, item) in self.items.iter().enumerate().filter(|(_, item)| item.possible) {
            links.extend(item.waits_for.iter().map(|&lower| Link { upper, lower, moved: 0 }));
        }
        for sweep in 0..(LEVELED / links.len().max(1)).clamp(2, MOST_SWEEPS) {
            if sweep % 2 == 0 {
                links.iter_mut().rev().for_each(|link| self.level(link));
            } else {
                links.iter_mut().for_each(|link| self.level(link));
            }
        }
    }

    fn level(&mut self, link: &mut Link) {
        let (upper, lower) = (&self.items[link.upper], &self.items[link.lower]);
        let (up, low) = (i128::from(upper.minutes.max(1)), i128::from(lower.minutes.max(1)));
        let wanted = (i128::from(upper.spread) * low - i128::from(lower.spread) * up) / (up + low);
        // Value moves down a link freely; back up goes only what came down it.
        let moved = i64::try_from(wanted).unwrap_or(0).max(-link.moved);
        link.moved += moved;
        self.items[link.upper].spread -= moved;
        self.items[link.lower].spread += moved;
    }
}

struct Link {
    upper: usize,
    lower: usize,
    moved: i64,
}

/// Compares spread value per minute; what takes no time comes after all others, that is, is greatest.
fn rate(a: &Item, b: &Item) -> std::cmp::Ordering {
    let free = (a.minutes == 0).cmp(&(b.minutes == 0));
    let (left, right) = (i128::from(a.spread) * i128::from(b.minutes), i128::from(b.spread) * i128::from(a.minutes));
    free.then(left.cmp(&right))
}
