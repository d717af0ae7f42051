//! A question about many tasks: which ones, in what order, how many at a time. Values only; the store answers it.

use jiff::civil::Date;

use super::{Priority, Status, TaskId};

/// All that are given must hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    pub status: Option<Status>,
    pub priority: Option<Priority>,
    pub assignee: Option<String>,
    pub project: Option<String>,
    pub tag: Option<String>,
    /// Open, and everything that it depends on is done.
    pub ready: Option<bool>,
    /// Open, and its due day is past.
    pub overdue: Option<bool>,
    pub due_before: Option<Date>,
    pub due_after: Option<Date>,
    pub sort: Sort,
    pub limit: u32,
    pub after: Option<Cursor>,
}

crate::names::words!(
    /// Undated tasks come last when sorted by due day; ties go by id.
    Sort {
        Id => "id",
        DueDate => "due_date",
        Priority => "priority",
        UpdatedAt => "updated_at",
    }
);

/// Where the next page starts: opaque to callers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    pub sort: Sort,
    /// The sort key of the last record shown, as the store compares it.
    pub key: String,
    pub id: TaskId,
}
