//! The task and the ways to make and change one. Parsing, limits and derived facts live beside it.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::names::words;

/// "TASK-0001". Counts from 1, is never reused, grows past four digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(pub u32);

words!(
    /// How urgent a task is.
    Priority {
        Low => "low",
        Normal => "normal",
        High => "high",
        Urgent => "urgent",
    }
);

words!(
    /// Where a task stands. Pending and in progress are open.
    Status {
        Pending => "pending",
        InProgress => "in_progress",
        Completed => "completed",
        Cancelled => "cancelled",
    }
);

/// Hours of work, kept in whole minutes so that sums are exact.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hours {
    pub minutes: u32,
}

/// A task as it is stored. `overdue`, `blocked` and `ready` follow from it and are never stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(into = "super::stored::Record", from = "super::stored::Record")]
pub struct Task {
    pub id: TaskId,
    /// 1 to 200 characters.
    pub title: String,
    /// Up to 10,000 characters.
    pub description: Option<String>,
    pub priority: Priority,
    pub status: Status,
    /// A day, in no time zone.
    pub due_date: Option<Date>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub completed_at: Option<Timestamp>,
    pub assignee: Option<String>,
    pub estimate: Option<Hours>,
    /// Sorted, without repeats.
    pub tags: Vec<String>,
    pub project: Option<String>,
    pub parent_id: Option<TaskId>,
    /// Sorted, without repeats.
    pub depends_on: Vec<TaskId>,
    /// Counts from 1, one up with each change.
    pub version: u64,
}

/// A task that is wanted: checked, without what the store gives it.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    pub title: String,
    pub description: Option<String>,
    pub priority: Priority,
    pub due_date: Option<Date>,
    pub assignee: Option<String>,
    pub estimate: Option<Hours>,
    pub tags: Vec<String>,
    pub project: Option<String>,
    pub parent_id: Option<TaskId>,
    pub depends_on: Vec<TaskId>,
}

/// A checked change. `None` leaves a field alone; `clear` empties optional ones.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Patch {
    pub title: Option<String>,
    pub description: Option<String>,
    pub priority: Option<Priority>,
    pub status: Option<Status>,
    pub due_date: Option<Date>,
    pub assignee: Option<String>,
    pub estimate: Option<Hours>,
    pub tags: Option<Vec<String>>,
    pub project: Option<String>,
    pub parent_id: Option<TaskId>,
    pub depends_on: Option<Vec<TaskId>>,
    pub clear: Vec<Field>,
}

words!(
    /// A field that can be emptied.
    Field {
        Description => "description",
        DueDate => "due_date",
        Assignee => "assignee",
        EstimateHours => "estimate_hours",
        Tags => "tags",
        Project => "project",
        ParentId => "parent_id",
        DependsOn => "depends_on",
    }
);

/// One change as it is kept: the record before and after, as JSON of the stored fields.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskEvent {
    pub task: TaskId,
    pub at: Timestamp,
    pub by: String,
    /// created, updated, deleted.
    pub what: String,
    pub before: Option<serde_json::Value>,
    pub after: Option<serde_json::Value>,
}

impl Status {
    /// There is still something to do.
    pub fn is_open(self) -> bool {
        match self {
            Self::Pending | Self::InProgress => true,
            Self::Completed | Self::Cancelled => false,
        }
    }
}

impl Task {
    pub fn is_open(&self) -> bool {
        self.status.is_open()
    }

    /// Open, and its day is past. A task that is due today is not late yet.
    pub fn overdue(&self, today: Date) -> bool {
        self.is_open() && self.due_date.is_some_and(|due| due < today)
    }

    /// What it still waits for, given what is done. A closed task waits for nothing.
    pub fn waits_for(&self, is_done: impl Fn(TaskId) -> bool) -> Vec<TaskId> {
        if !self.is_open() {
            return Vec::new();
        }
        self.depends_on.iter().copied().filter(|id| !is_done(*id)).collect()
    }

    /// Open, and everything that it depends on is done.
    pub fn ready(&self, is_done: impl Fn(TaskId) -> bool) -> bool {
        self.is_open() && self.waits_for(is_done).is_empty()
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TASK-{:04}", self.0)
    }
}

impl From<TaskId> for String {
    fn from(id: TaskId) -> Self {
        id.to_string()
    }
}

impl Serialize for TaskId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TaskId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|error: crate::error::Error| serde::de::Error::custom(error.message))
    }
}

impl std::str::FromStr for TaskId {
    type Err = crate::error::Error;

    /// Takes what people and models write: "TASK-0007", "task-7", "7".
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let digits = match text.get(..5) {
            Some(prefix) if prefix.eq_ignore_ascii_case("TASK-") => &text[5..],
            _ => text,
        };
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        match digits.parse::<u32>() {
            Ok(number) if plain && number > 0 => Ok(Self(number)),
            _ => Err(crate::error::Error::bad_request(format!("`{}` is not a task id", clip(text)))
                .hint("A task id looks like TASK-0001; call list_tasks to see the ids.")),
        }
    }
}

/// Enough of a wrong value to recognize it by.
pub(crate) fn clip(text: &str) -> String {
    const SHOWN: usize = 60;
    if text.chars().count() <= SHOWN {
        return text.to_owned();
    }
    text.chars().take(SHOWN).chain(['…']).collect()
}
