//! The JSON form of a task: what tools return, and what is kept in events.
//!
//! The keys that clients of the first days rely on come first, in their order, and are always there; of the others
//! only those that say something. It knows nothing of tables, nor of what follows from a task (`overdue` and the like).

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize, Serializer};

use super::{Hours, Priority, Status, Task, TaskId};
use crate::error::{Error, Kind, Result};

/// A task, key by key.
#[derive(Serialize, Deserialize)]
pub(super) struct Record {
    id: TaskId,
    title: String,
    priority: Priority,
    description: Option<String>,
    due_date: Option<Date>,
    status: Status,
    #[serde(serialize_with = "millis")]
    created_at: Timestamp,
    #[serde(serialize_with = "millis")]
    updated_at: Timestamp,
    #[serde(serialize_with = "some_millis", skip_serializing_if = "Option::is_none", default)]
    completed_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    assignee: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    estimate_hours: Option<Hours>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    tags: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    project: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    parent_id: Option<TaskId>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    depends_on: Vec<TaskId>,
    version: u64,
}

impl Task {
    /// As a value, for an event or a result.
    pub fn to_record(&self) -> Result<serde_json::Value> {
        serde_json::to_value(self)
            .map_err(|error| Error::new(Kind::Internal, format!("{} can't be written as JSON", self.id)).source(error))
    }

    /// Back from what `to_record` wrote, also by an older version of this program.
    pub fn from_record(record: &serde_json::Value) -> Result<Self> {
        Self::deserialize(record).map_err(|error| {
            Error::new(Kind::Storage, "A stored task can't be read")
                .hint("The database was changed by hand or by a newer version; use that version or a backup.")
                .source(error)
        })
    }
}

/// What a timestamp is cut to before it is kept, so that the record that is returned is the record that is stored.
pub fn to_millis(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

impl From<Task> for Record {
    fn from(task: Task) -> Self {
        Self {
            id: task.id,
            title: task.title,
            priority: task.priority,
            description: task.description,
            due_date: task.due_date,
            status: task.status,
            created_at: task.created_at,
            updated_at: task.updated_at,
            completed_at: task.completed_at,
            assignee: task.assignee,
            estimate_hours: task.estimate,
            tags: task.tags,
            project: task.project,
            parent_id: task.parent_id,
            depends_on: task.depends_on,
            version: task.version,
        }
    }
}

impl From<Record> for Task {
    fn from(record: Record) -> Self {
        Self {
            id: record.id,
            title: record.title,
            description: record.description,
            priority: record.priority,
            status: record.status,
            due_date: record.due_date,
            created_at: record.created_at,
            updated_at: record.updated_at,
            completed_at: record.completed_at,
            assignee: record.assignee,
            estimate: record.estimate_hours,
            tags: record.tags,
            project: record.project,
            parent_id: record.parent_id,
            depends_on: record.depends_on,
            version: record.version,
        }
    }
}

/// Always three decimals, so that the text sorts as the time does.
fn millis<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{at:.3}"))
}

fn some_millis<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => millis(at, serializer),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
#[path = "stored_tests.rs"]
mod tests;
