//! What waits for what: cycles that a change would make, and the dependencies among open tasks.
//!
//! Only open tasks wait and only open tasks block: a completed, cancelled or deleted dependency holds nothing up.
//! It knows neither days nor hours. All of it walks iteratively, because a chain may be as long as the task list.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::OnceLock;

use petgraph::Direction;
use petgraph::algo::{kosaraju_scc, toposort};
use petgraph::graph::{DiGraph, NodeIndex};

use super::work::count;
use super::{Task, TaskId, reach};
use crate::error::{Error, Result};

/// A link from a task to what it depends on, or to its parent.
pub type Link = (TaskId, TaskId);

pub fn dependency_links(tasks: &[Task]) -> impl Iterator<Item = Link> {
    tasks.iter().flat_map(|task| task.depends_on.iter().map(|dependency| (task.id, *dependency)))
}

pub fn parent_links(tasks: &[Task]) -> impl Iterator<Item = Link> {
    tasks.iter().filter_map(|task| Some((task.id, task.parent_id?)))
}

/// Refuses dependencies that lead back to `task`. What `task` depends on among `links` is taken as replaced.
pub fn refuse_dependency_cycle(
    links: impl IntoIterator<Item = Link>,
    task: TaskId,
    depends_on: &[TaskId],
) -> Result<()> {
    match cycle(links, task, depends_on) {
        Some(cycle) => Err(Error::bad_request(format!("`depends_on` would make a cycle: {}", path_text(&cycle)))
            .hint(format!("Leave out {}, or first remove one of the other dependencies on this path.", cycle[1]))),
        None => Ok(()),
    }
}

/// Refuses a parent that is `task` itself or one of its subtasks. The parent of `task` among `links` is taken as replaced.
pub fn refuse_parent_cycle(links: impl IntoIterator<Item = Link>, task: TaskId, parent: TaskId) -> Result<()> {
    match cycle(links, task, &[parent]) {
        Some(cycle) => Err(Error::bad_request(format!("`parent_id` would make a cycle: {}", path_text(&cycle)))
            .hint("A task cannot be its own parent, nor a subtask of one of its subtasks: choose another parent.")),
        None => Ok(()),
    }
}

/// Those of `wanted` that are not among `known`, by id and once each.
pub fn unknown_ids(known: impl IntoIterator<Item = TaskId>, wanted: &[TaskId]) -> Vec<TaskId> {
    let mut unknown: BTreeSet<TaskId> = wanted.iter().copied().collect();
    for id in known {
        unknown.remove(&id);
    }
    unknown.into_iter().collect()
}

/// The dependencies among the open ones of some tasks.
pub struct Graph<'a> {
    tasks: &'a [Task],
    position: HashMap<TaskId, usize>,
    /// A node is a position in `tasks`; an edge goes from an open task to an open one that it waits for.
    waits_for: DiGraph<(), ()>,
    /// Positions of the open tasks, each after all that it waits for.
    order: Vec<usize>,
    /// Steps in the longest chain of dependencies below a task.
    height: Vec<u32>,
    blocks: OnceLock<Vec<u32>>,
}

impl<'a> Graph<'a> {
    /// The store lets no cycle in. One that is there all the same (a file edited by hand) is opened where a task waits
    /// for one with a larger id, so that everything here has an order to go by.
    pub fn new(tasks: &'a [Task]) -> Self {
        let position: HashMap<TaskId, usize> = tasks.iter().enumerate().map(|(at, task)| (task.id, at)).collect();
        let mut waits_for = open_links(tasks, &position);
        let sorted = toposort(&waits_for, None).or_else(|_| {
            open_cycles(&mut waits_for, tasks);
            toposort(&waits_for, None)
        });
        let order: Vec<usize> = sorted
            .unwrap_or_default()
            .into_iter()
            .rev()
            .map(NodeIndex::index)
            .filter(|at| tasks[*at].is_open())
            .collect();
        let mut height = vec![0; tasks.len()];
        for &at in &order {
            let below = waits_for.neighbors(NodeIndex::new(at)).map(|node| height[node.index()] + 1);
            height[at] = below.max().unwrap_or(0);
        }
        Self { tasks, position, waits_for, order, height, blocks: OnceLock::new() }
    }

    /// All tasks, closed ones too, as they were given.
    pub fn tasks(&self) -> &'a [Task] {
        self.tasks
    }

    pub fn task(&self, id: TaskId) -> Option<&'a Task> {
        self.position.get(&id).map(|at| &self.tasks[*at])
    }

    /// The open tasks, each after all that it waits for.
    pub fn open(&self) -> impl ExactSizeIterator<Item = &'a Task> {
        let tasks = self.tasks;
        self.order.iter().map(move |at| &tasks[*at])
    }

    pub fn is_open(&self, id: TaskId) -> bool {
        self.task(id).is_some_and(Task::is_open)
    }

    /// Open, and something that it depends on is not done.
    pub fn is_blocked(&self, id: TaskId) -> bool {
        self.position.get(&id).is_some_and(|at| self.waits(*at).next().is_some())
    }

    /// Open, and nothing holds it up.
    pub fn is_ready(&self, id: TaskId) -> bool {
        self.is_open(id) && !self.is_blocked(id)
    }

    /// The open tasks that it waits for directly, by id.
    pub fn blocked_by(&self, id: TaskId) -> Vec<TaskId> {
        self.position.get(&id).map(|at| self.ids(self.waits(*at))).unwrap_or_default()
    }

    /// The open tasks that wait for it directly, by id.
    pub fn blocks(&self, id: TaskId) -> Vec<TaskId> {
        self.position.get(&id).map(|at| self.ids(self.waited_by(*at))).unwrap_or_default()
    }

    /// All open tasks that have to be done before it, directly or not, by id.
    pub fn needs(&self, id: TaskId) -> Vec<TaskId> {
        let Some(&start) = self.position.get(&id) else { return Vec::new() };
        let mut seen = BTreeSet::from([start]);
        let mut open = vec![start];
        while let Some(at) = open.pop() {
            open.extend(self.waits(at).filter(|next| seen.insert(*next)));
        }
        seen.remove(&start);
        self.ids(seen.into_iter())
    }

    /// How many open tasks wait for it, directly or not.
    pub fn blocks_count(&self, id: TaskId) -> u32 {
        self.position.get(&id).map_or(0, |at| self.blocks_of(*at))
    }

    /// Open tasks that are blocked.
    pub fn blocked(&self) -> u32 {
        count(self.order.iter().filter(|at| self.height[**at] > 0).count())
    }

    /// Dependencies among open tasks.
    pub fn edges(&self) -> u32 {
        count(self.waits_for.edge_count())
    }

    /// Steps in the longest chain of dependencies: 0 when no task waits for another.
    pub fn depth(&self) -> u32 {
        self.height.iter().copied().max().unwrap_or(0)
    }

    /// The longest chain that ends in `id`: first what can be begun now, last the task itself.
    pub fn chain_to(&self, id: TaskId) -> Vec<TaskId> {
        let mut next = self.position.get(&id).copied().filter(|at| self.tasks[*at].is_open());
        let mut chain = Vec::new();
        while let Some(at) = next {
            chain.push(self.tasks[at].id);
            next = self.waits(at).min_by_key(|below| (u32::MAX - self.height[*below], self.tasks[*below].id));
        }
        chain.reverse();
        chain
    }

    /// Steps in the longest chain of dependencies below the task.
    pub fn height(&self, id: TaskId) -> u32 {
        self.position.get(&id).map_or(0, |at| self.height[*at])
    }

    pub(super) fn order(&self) -> &[usize] {
        &self.order
    }

    pub(super) fn waits(&self, at: usize) -> impl Iterator<Item = usize> {
        self.waits_for.neighbors(NodeIndex::new(at)).map(NodeIndex::index)
    }

    pub(super) fn waited_by(&self, at: usize) -> impl Iterator<Item = usize> {
        self.waits_for.neighbors_directed(NodeIndex::new(at), Direction::Incoming).map(NodeIndex::index)
    }

    pub(super) fn blocks_of(&self, at: usize) -> u32 {
        self.blocks.get_or_init(|| reach::counts(&self.waits_for, &self.order))[at]
    }

    fn ids(&self, positions: impl Iterator<Item = usize>) -> Vec<TaskId> {
        let mut ids: Vec<TaskId> = positions.map(|at| self.tasks[at].id).collect();
        ids.sort_unstable();
        ids
    }
}

/// The shortest way from `task` over `first` back to `task`, with `task` at both ends.
fn cycle(links: impl IntoIterator<Item = Link>, task: TaskId, first: &[TaskId]) -> Option<Vec<TaskId>> {
    let mut leads_to: HashMap<TaskId, Vec<TaskId>> = HashMap::new();
    for (from, to) in links.into_iter().filter(|(from, _)| *from != task) {
        leads_to.entry(from).or_default().push(to);
    }
    let mut came_from: HashMap<TaskId, TaskId> = HashMap::new();
    let mut open: VecDeque<TaskId> = VecDeque::new();
    for &id in first {
        came_from.entry(id).or_insert(task);
        open.push_back(id);
    }
    while let Some(at) = open.pop_front() {
        if at == task {
            return Some(way_back(&came_from, task));
        }
        for &next in leads_to.get(&at).into_iter().flatten() {
            if let Entry::Vacant(first_visit) = came_from.entry(next) {
                first_visit.insert(at);
                open.push_back(next);
            }
        }
    }
    None
}

fn way_back(came_from: &HashMap<TaskId, TaskId>, task: TaskId) -> Vec<TaskId> {
    let mut path = vec![task];
    let mut at = task;
    while let Some(&before) = came_from.get(&at) {
        path.push(before);
        at = before;
        if at == task {
            break;
        }
    }
    path.reverse();
    path
}

/// Long cycles are told by their ends: the reader can act on those.
fn path_text(path: &[TaskId]) -> String {
    const ENDS: usize = 4;
    let arrows = |ids: &[TaskId]| ids.iter().map(TaskId::to_string).collect::<Vec<_>>().join(" -> ");
    if path.len() <= 2 * ENDS + 1 {
        return arrows(path);
    }
    let left_out = path.len() - 2 * ENDS;
    format!("{} -> … ({left_out} more) … -> {}", arrows(&path[..ENDS]), arrows(&path[path.len() - ENDS..]))
}

fn open_links(tasks: &[Task], position: &HashMap<TaskId, usize>) -> DiGraph<(), ()> {
    let mut graph = DiGraph::with_capacity(tasks.len(), 0);
    for _ in tasks {
        graph.add_node(());
    }
    for (at, task) in tasks.iter().enumerate().filter(|(_, task)| task.is_open()) {
        let known = task.depends_on.iter().filter_map(|id| position.get(id).copied());
        for dependency in known.filter(|other| *other != at && tasks[*other].is_open()) {
            graph.add_edge(NodeIndex::new(at), NodeIndex::new(dependency), ());
        }
    }
    graph
}

fn open_cycles(graph: &mut DiGraph<(), ()>, tasks: &[Task]) {
    let mut knot = vec![0; tasks.len()];
    for (number, nodes) in kosaraju_scc(&*graph).into_iter().enumerate() {
        for node in nodes {
            knot[node.index()] = number;
        }
    }
    graph.retain_edges(|graph, edge| match graph.edge_endpoints(edge) {
        Some((from, to)) => knot[from.index()] != knot[to.index()] || tasks[to.index()].id < tasks[from.index()].id,
        None => false,
    });
}

#[cfg(test)]
#[path = "graph_tests.rs"]
mod tests;
