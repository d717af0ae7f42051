//! `get_task`: one task with what surrounds it: subtasks, what it blocks and waits for, its history.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::arguments::task_id;
use super::record::{FieldChange, TaskRecord, TaskRef, Waits, changes, time};
use super::spec::{About, Annotations, ToolSpec, spec as tool_spec};
use super::toolbox::{Call, Tool};
use crate::error::Result;
use crate::tasks::{Task, TaskEvent};

/// How many neighbors of a kind are shown.
const NEIGHBORS_SHOWN: usize = 50;
/// How many changes are shown, the newest ones.
const EVENTS_SHOWN: usize = 20;

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
    let cut = [&subtasks, &blocks, &blocked_by].iter().any(|tasks| tasks.len() > NEIGHBORS_SHOWN);
    let truncated = cut || history.len() > EVENTS_SHOWN;
    let waits = if blocked_by.is_empty() { Waits::ForNothing } else { Waits::ForOthers };
    Ok(Shown {
        task: TaskRecord::new(&task, waits, call.today),
        subtasks: shown(&subtasks),
        blocks: shown(&blocks),
        blocked_by: shown(&blocked_by),
        history: history.iter().skip(history.len().saturating_sub(EVENTS_SHOWN)).map(event).collect(),
        truncated,
        hint: truncated.then(|| {
            format!(
                "At most {NEIGHBORS_SHOWN} tasks of a kind and the newest {EVENTS_SHOWN} of {} changes are shown.",
                history.len()
            )
        }),
    })
}

fn shown(tasks: &[&Task]) -> Vec<TaskRef> {
    tasks.iter().take(NEIGHBORS_SHOWN).map(|task| TaskRef::new(task)).collect()
}

fn event(event: &TaskEvent) -> Event {
    let changes = match (&event.before, &event.after) {
        (Some(before), Some(after)) => changes(before, after),
        _ => Vec::new(),
    };
    Event { at: time(event.at), by: event.by.clone(), what: event.what.clone(), changes }
}
