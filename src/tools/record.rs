//! Tasks as results show them: whole, as a line of a list, and as a list of what changed.
//!
//! The lesson's keys are always there; other keys only when they say something.

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::tasks::{Hours, Task, TaskId};

/// How much of a description a list shows.
const DESCRIPTION_SHOWN: usize = 100;
/// How much of a changed value is shown.
const VALUE_SHOWN: usize = 60;

/// A task with everything that is stored of it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(super) struct TaskRecord {
    id: String,
    title: String,
    #[schemars(extend("enum" = ["low", "normal", "high", "urgent"]))]
    priority: String,
    description: Option<String>,
    /// A day, YYYY-MM-DD.
    due_date: Option<String>,
    #[schemars(extend("enum" = ["pending", "in_progress", "completed", "cancelled"]))]
    status: String,
    /// RFC 3339, UTC.
    created_at: String,
    updated_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    completed_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    assignee: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    estimate_hours: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    project: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_id: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    depends_on: Vec<String>,
    version: u64,
    /// Open, and its due day is past. Left out when false, like the other two.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    overdue: bool,
    /// Open, and waits for an open task.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    blocked: bool,
    /// Open, and waits for nothing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    ready: bool,
}

/// A task in a list: what tells it from the others. The lesson's keys and little more.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(super) struct TaskLine {
    id: String,
    title: String,
    priority: String,
    status: String,
    due_date: Option<String>,
    /// Its beginning, ended by "…" when there is more.
    description: Option<String>,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    assignee: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    overdue: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    blocked: bool,
}

/// A task beside another one.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(super) struct TaskRef {
    pub id: String,
    pub title: String,
    pub status: String,
}

/// One field that has another value now. A side without a value is left out.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(super) struct FieldChange {
    pub field: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// Whether a task can be begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waits {
    ForNothing,
    ForOthers,
}

impl TaskRecord {
    pub fn new(task: &Task, waits: Waits, today: Date) -> Self {
        let open = task.is_open();
        Self {
            id: task.id.to_string(),
            title: task.title.clone(),
            priority: task.priority.as_str().to_owned(),
            description: task.description.clone(),
            due_date: task.due_date.map(|due| due.to_string()),
            status: task.status.as_str().to_owned(),
            created_at: time(task.created_at),
            updated_at: time(task.updated_at),
            completed_at: task.completed_at.map(time),
            assignee: task.assignee.clone(),
            estimate_hours: task.estimate.map(hours),
            tags: task.tags.clone(),
            project: task.project.clone(),
            parent_id: task.parent_id.map(|id| id.to_string()),
            depends_on: ids(&task.depends_on),
            version: task.version,
            overdue: task.overdue(today),
            blocked: open && waits == Waits::ForOthers,
            ready: open && waits == Waits::ForNothing,
        }
    }
}

impl TaskLine {
    pub fn new(task: &Task, waits: Waits, today: Date) -> Self {
        Self {
            id: task.id.to_string(),
            title: task.title.clone(),
            priority: task.priority.as_str().to_owned(),
            status: task.status.as_str().to_owned(),
            due_date: task.due_date.map(|due| due.to_string()),
            description: task.description.as_deref().map(|text| clipped(text, DESCRIPTION_SHOWN)),
            created_at: time(task.created_at),
            assignee: task.assignee.clone(),
            overdue: task.overdue(today),
            blocked: task.is_open() && waits == Waits::ForOthers,
        }
    }

    /// Something of it is not shown.
    pub fn is_cut(task: &Task) -> bool {
        task.description.as_deref().is_some_and(|text| text.chars().nth(DESCRIPTION_SHOWN).is_some())
    }
}

impl TaskRef {
    pub fn new(task: &Task) -> Self {
        Self {
            id: task.id.to_string(),
            title: clipped(&task.title, VALUE_SHOWN),
            status: task.status.as_str().to_owned(),
        }
    }
}

/// The fields that differ between two records, as JSON of the stored fields; what follows by itself is left out.
pub(super) fn changes(before: &Value, after: &Value) -> Vec<FieldChange> {
    const FOLLOW: &[&str] = &["id", "updated_at", "created_at", "completed_at", "version"];
    let none = serde_json::Map::new();
    let (before, after) = (before.as_object().unwrap_or(&none), after.as_object().unwrap_or(&none));
    let added = after.keys().filter(|key| !before.contains_key(*key));
    let keys = before.keys().chain(added).filter(|key| !FOLLOW.contains(&key.as_str()));
    keys.filter(|key| before.get(*key) != after.get(*key))
        .map(|key| FieldChange {
            field: key.clone(),
            before: before.get(key).and_then(text),
            after: after.get(key).and_then(text),
        })
        .collect()
}

fn text(value: &Value) -> Option<String> {
    let text = match value {
        Value::Null => return None,
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().filter_map(text).collect::<Vec<_>>().join(", "),
        value => value.to_string(),
    };
    Some(clipped(&text, VALUE_SHOWN)).filter(|text| !text.is_empty())
}

/// As many items from the beginning as stay under so many bytes of JSON.
pub(super) fn within<T: Serialize>(items: Vec<T>, bytes: usize) -> Vec<T> {
    let mut left = bytes;
    let fits = move |item: &T| {
        let size = json_size(item) + 1;
        let fits = size <= left;
        left = left.saturating_sub(size);
        fits
    };
    items.into_iter().take_while(fits).collect()
}

pub(super) fn json_size<T: Serialize>(value: &T) -> usize {
    serde_json::to_string(value).map_or(usize::MAX, |json| json.len())
}

/// Hours to two decimals, which is enough to tell every minute from the next.
pub(super) fn hours(hours: Hours) -> f64 {
    rounded(hours.as_f64())
}

pub(super) fn rounded(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

pub(super) fn ids(ids: &[TaskId]) -> Vec<String> {
    ids.iter().map(TaskId::to_string).collect()
}

/// To the millisecond, which is what the store keeps.
pub(super) fn time(at: jiff::Timestamp) -> String {
    format!("{at:.3}")
}

/// At most `limit` characters, ended by "…" when there were more.
pub(super) fn clipped(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
        None => text.to_owned(),
    }
}

/// "due 2026-11-27, Friday", when the caller gave a phrase and not that day itself.
pub(super) fn day_told(due: Option<Date>, phrase: Option<&str>) -> Option<String> {
    let (due, phrase) = (due?, phrase?);
    (phrase.trim() != due.to_string()).then(|| format!("due {due}, {}", due.strftime("%A")))
}
