//! What goes into the store and comes out of it, beside the task domain's and the request's own values.

use jiff::Timestamp;

use crate::request::{Decision, Outcome, RequestId, Signals, Standing};
use crate::tasks::{Cursor, Task, TaskId};

/// Who changes a task, and when.
#[derive(Debug, Clone, Copy)]
pub struct Change<'a> {
    pub by: &'a str,
    pub at: Timestamp,
}

/// A caller's promise that calls with the same key are one call. `body` is a hash of the arguments: the same key with
/// another body is a mistake, and is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    pub key: String,
    pub body: String,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Created {
    pub task: Task,
    /// The key was used before: this is the task that it made then, as it stands now.
    pub repeated: bool,
}

/// `before` and `after` are equal when the patch changed nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Updated {
    pub before: Task,
    pub after: Task,
    /// The fields that have another value now.
    pub fields: Vec<&'static str>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Deleted {
    /// The record as it stood last.
    pub task: Task,
    /// The tasks that depended on it or were its subtasks, by id. They no longer name it.
    pub unlinked: Vec<TaskId>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Listing {
    /// All that match, not only this page.
    pub count: u64,
    pub tasks: Vec<Task>,
    /// Where the next page starts; `None` on the last one.
    pub next: Option<Cursor>,
}

/// A request as the ledger has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// Rises in the order of recording, across processes.
    pub seq: i64,
    /// The row of the process that recorded it; 0 when it had not registered.
    pub process: i64,
    pub outcome: Outcome,
}

/// A request under way: what its row needs should its process die before it writes it.
#[derive(Debug, Clone, Copy)]
pub struct OpenRequest<'a> {
    pub id: RequestId,
    pub at: Timestamp,
    pub signals: &'a Signals,
    pub decision: &'a Decision,
    pub policy_hash: &'a str,
}

/// What came of asking for money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reserved {
    /// Every allowance has room for it, and it is set aside.
    pub granted: bool,
    /// How each allowance stood before, in their order.
    pub standings: Vec<Standing>,
}

/// One process that shares the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    pub pid: u32,
    /// What it was started for: `serve`, `mcp`.
    pub command: String,
    pub started: Timestamp,
    pub heartbeat: Timestamp,
    pub policy_hash: String,
    /// The policy that it read last and did not take, by the hash of its text.
    pub refused: Option<String>,
}
