//! Which tasks there are and how they stand: what a model's answer is held against.

use std::collections::HashMap;

use crate::request::{Rejection, RejectionCode};
use crate::tasks::TaskId;
use crate::tasks::graph::Graph;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Open, and waits for nothing.
    Ready,
    /// Open, and waits for an open task.
    Blocked,
    Closed,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    tasks: HashMap<TaskId, Standing>,
}

impl Known {
    pub fn new(graph: &Graph<'_>) -> Self {
        let standing = |id| match (graph.is_open(id), graph.is_blocked(id)) {
            (false, _) => Standing::Closed,
            (true, true) => Standing::Blocked,
            (true, false) => Standing::Ready,
        };
        Self { tasks: graph.tasks().iter().map(|task| (task.id, standing(task.id))).collect() }
    }

    pub fn standing(&self, id: TaskId) -> Option<Standing> {
        self.tasks.get(&id).copied()
    }

    pub fn exists(&self, id: TaskId) -> Result<Standing, Rejection> {
        self.standing(id).ok_or_else(|| unknown(&id.to_string()))
    }

    pub fn open(&self, id: TaskId) -> Result<Standing, Rejection> {
        match self.exists(id)? {
            Standing::Closed => {
                let why = format!("The answer named {id}, which is not open");
                Err(Rejection::new(RejectionCode::ClosedTask, why))
            }
            standing => Ok(standing),
        }
    }

    pub fn ready(&self, id: TaskId) -> Result<(), Rejection> {
        match self.open(id)? {
            Standing::Blocked => {
                let why = format!("The answer chose {id}, which is blocked by another task");
                Err(Rejection::new(RejectionCode::BlockedTask, why))
            }
            _ => Ok(()),
        }
    }
}

/// `id` is made of "TASK-" and digits only.
pub(super) fn unknown(id: &str) -> Rejection {
    Rejection::new(RejectionCode::UnknownTask, format!("The answer named {id}, which does not exist"))
}
