//! `get_task`: one task with what surrounds it: subtasks, what it blocks and waits for, its history.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::arguments::task_id;
use super::record::{FieldChange, TaskRecord, TaskRef, Waits, changes, json_size, time, within};
use super::spec::{About, Annotations, ToolSpec, spec as tool_spec};
use super::toolbox::{Call, Tool};
use crate::error::Result;
use crate::tasks::{Task, TaskEvent};

/// How many neighbors of a kind are shown.
const NEIGHBORS_SHOWN: usize = 20;
/// How many changes are shown, the newest ones.
const EVENTS_SHOWN: usize = 20;
/// Bytes of a result as JSON, under the 60 KB that none may pass; and the most that may stand around the record.
const RESULT_BYTES: usize = 57_000;
const AROUND_BYTES: usize = 16_000;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// Such as TASK-0001
    task_id: String,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Shown {
    task: TaskRecord,
    subtasks: Vec<TaskRef>,
    /// Open tasks that depend on it.
    blocks: Vec<TaskRef>,
    /// Open tasks that it waits for.
    blocked_by: Vec<TaskRef>,
    /// Newest last.
    history: Vec<Event>,
    /// Not all neighbors or changes are shown.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Event {
    at: String,
    by: String,
    what: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    changes: Vec<FieldChange>,
}

pub(super) fn spec(tool: Tool) -> ToolSpec {
    let about = About {
        title: "Get a task",
        description: "Show one task in full: description, subtasks, what it blocks and waits for, and its newest 20 \
                      changes. Use it before changing or discussing a task; for many tasks use list_tasks. \
                      Example: {\"task_id\": \"TASK-0001\"}",
        annotations: Annotations::READS,
    };
    tool_spec::<Params, Shown>(tool, about)
}

pub(super) async fn run(call: &Call<'_>, arguments: Map<String, Value>) -> Result<Shown> {
    let params: Params = call.read(arguments)?;
    let id = task_id("task_id", &params.task_id)?;
    let task = call.store.task(id).await?;
    let all = call.store.tasks().await?;
    let history = call.store.history(id).await?;

    let subtasks: Vec<&Task> = all.iter().filter(|other| other.parent_id == Some(id)).collect();
    let waits_for = |other: &Task, on: &Task| other.is_open() && on.is_open() && other.depends_on.contains(&on.id);
    let blocks: Vec<&Task> = all.iter().filter(|other| waits_for(other, &task)).collect();
    let blocked_by: Vec<&Task> = all.iter().filter(|other| waits_for(&task, other)).collect();
    let waits = if blocked_by.is_empty() { Waits::ForNothing } else { Waits::ForOthers };
    let record = TaskRecord::new(&task, waits, call.today);
    let around = RESULT_BYTES.saturating_sub(json_size(&record)).min(AROUND_BYTES);
    // From the newest back, and then in their order again.
    let mut newest = within(history.iter().rev().take(EVENTS_SHOWN).map(event).collect(), around / 2);
    newest.reverse();
    let shown = |tasks: &[&Task]| {
        within(tasks.iter().take(NEIGHBORS_SHOWN).map(|task| TaskRef::new(task)).collect(), around / 6)
    };
    let [children, above, below] = [shown(&subtasks), shown(&blocks), shown(&blocked_by)];
    let neighbors = subtasks.len() + blocks.len() + blocked_by.len();
    let truncated = newest.len() < history.len() || children.len() + above.len() + below.len() < neighbors;
    Ok(Shown {
        task: record,
        subtasks: children,
        blocks: above,
        blocked_by: below,
        history: newest,
        truncated,
        hint: truncated.then(|| {
            format!(
                "At most {NEIGHBORS_SHOWN} tasks of a kind and the newest {EVENTS_SHOWN} of {} changes are shown.",
                history.len()
            )
        }),
    })
}

fn event(event: &TaskEvent) -> Event {
    let changes = match (&event.before, &event.after) {
        (Some(before), Some(after)) => changes(before, after),
        _ => Vec::new(),
    };
    Event { at: time(event.at), by: event.by.clone(), what: event.what.clone(), changes }
}
