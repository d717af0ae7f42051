//! Swaps that somebody proposes for a plan: each is made if the plan is still a plan after it, else dropped with the reason.
//!
//! Who proposes them does not matter here; a model's proposals are checked like anybody's.

use std::collections::HashMap;

use super::{Plan, Sprint, Why, written};
use crate::tasks::graph::Graph;
use crate::tasks::work::effort;
use crate::tasks::{Hours, Priority, TaskId};

/// `leaves` goes out of the sprint and `enters` comes in, because of `why`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swap {
    pub leaves: TaskId,
    pub enters: TaskId,
    pub why: String,
}

/// A swap that would have broken the plan, and what it would have broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DroppedSwap {
    pub swap: Swap,
    /// Names ids and numbers, never titles.
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Swapped {
    pub plan: Plan,
    /// In the order in which they were made.
    pub applied: Vec<Swap>,
    pub dropped: Vec<DroppedSwap>,
}

/// Tries the swaps in their order. One that cannot be made yet is tried again after others were, since a task and what it
/// waits for may come in by two swaps. `graph` and `sprint` are those that the plan was made from.
pub fn apply_swaps(graph: &Graph, sprint: &Sprint, plan: &Plan, swaps: &[Swap]) -> Swapped {
    let mut draft = Draft::new(graph, sprint, plan);
    let mut waiting: Vec<&Swap> = swaps.iter().collect();
    let mut applied: Vec<Swap> = Vec::new();
    let dropped = loop {
        let before = applied.len();
        let mut failed = Vec::new();
        for swap in waiting {
            match draft.make(swap) {
                Ok(()) => applied.push(swap.clone()),
                Err(reason) => failed.push((swap, reason)),
            }
        }
        if applied.len() == before {
            break failed;
        }
        waiting = failed.into_iter().map(|(swap, _)| swap).collect();
    };
    let dropped = dropped.into_iter().map(|(swap, reason)| DroppedSwap { swap: swap.clone(), reason }).collect();
    Swapped { plan: draft.finish(plan, &applied), applied, dropped }
}

struct Draft<'g, 'a> {
    graph: &'g Graph<'a>,
    sprint: &'g Sprint,
    position: HashMap<TaskId, usize>,
    chosen: Vec<bool>,
    minutes: u64,
}

impl<'g, 'a> Draft<'g, 'a> {
    fn new(graph: &'g Graph<'a>, sprint: &'g Sprint, plan: &Plan) -> Self {
        let tasks = graph.tasks();
        let position: HashMap<TaskId, usize> = tasks.iter().enumerate().map(|(at, task)| (task.id, at)).collect();
        let mut chosen = vec![false; tasks.len()];
        for at in plan.selected.iter().filter_map(|planned| position.get(&planned.id)) {
            chosen[*at] = true;
        }
        Self { graph, sprint, position, chosen, minutes: u64::from(plan.hours.minutes) }
    }

    fn make(&mut self, swap: &Swap) -> Result<(), String> {
        let leaves = self.open(swap.leaves)?;
        let enters = self.open(swap.enters)?;
        self.refuse_wrong_sides(swap, leaves, enters)?;
        if self.task(leaves).priority == Priority::Urgent && !swap.why.chars().any(char::is_alphanumeric) {
            return Err(format!("{} is urgent and no reason was given for taking it out", swap.leaves));
        }
        self.refuse_broken_links(swap, leaves, enters)?;
        let minutes = self.minutes - self.cost(leaves) + self.cost(enters);
        if minutes > u64::from(self.sprint.capacity.minutes) {
            let needed = Hours { minutes: u32::try_from(minutes).unwrap_or(u32::MAX) };
            let capacity = self.sprint.capacity;
            return Err(format!("with {} the sprint would take {needed} of {capacity}", swap.enters));
        }
        self.chosen[leaves] = false;
        self.chosen[enters] = true;
        self.minutes = minutes;
        Ok(())
    }

    fn open(&self, id: TaskId) -> Result<usize, String> {
        match self.position.get(&id) {
            None => Err(format!("{id} does not exist")),
            Some(_) if !self.graph.is_open(id) => Err(format!("{id} is not open")),
            Some(&at) => Ok(at),
        }
    }

    fn refuse_wrong_sides(&self, swap: &Swap, leaves: usize, enters: usize) -> Result<(), String> {
        if !self.chosen[leaves] {
            return Err(format!("{} is not in the sprint", swap.leaves));
        }
        if self.chosen[enters] {
            return Err(format!("{} is in the sprint already", swap.enters));
        }
        Ok(())
    }

    fn refuse_broken_links(&self, swap: &Swap, leaves: usize, enters: usize) -> Result<(), String> {
        let name = |at: usize| self.task(at).id;
        if let Some(left) = self.graph.waited_by(leaves).filter(|above| self.chosen[*above]).map(name).min() {
            return Err(format!("{left} is in the sprint and depends on {}", swap.leaves));
        }
        let missing = |below: &usize| *below == leaves || !self.chosen[*below];
        match self.graph.waits(enters).filter(missing).map(name).min() {
            Some(missing) => Err(format!("{} depends on {missing}, which would not be in the sprint", swap.enters)),
            None => Ok(()),
        }
    }

    fn task(&self, at: usize) -> &'a crate::tasks::Task {
        &self.graph.tasks()[at]
    }

    fn cost(&self, at: usize) -> u64 {
        u64::from(effort(self.task(at)).hours.minutes)
    }

    /// The bound stays: it holds for every selection.
    fn finish(self, before: &Plan, applied: &[Swap]) -> Plan {
        let mut plan = written(self.graph, self.sprint, &self.chosen, before.bound);
        let replaced: HashMap<TaskId, TaskId> = applied.iter().map(|swap| (swap.leaves, swap.enters)).collect();
        for deferred in &mut plan.deferred {
            if let Some(&enters) = replaced.get(&deferred.id) {
                deferred.why = Why::SwappedFor(enters);
            }
        }
        plan
    }
}
