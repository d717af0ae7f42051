//! `delete_task`: takes a task out of every list, keeps its record and history, and unlinks what named it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::arguments::task_id;
use super::record::{TaskRecord, ids};
use super::spec::{About, Annotations, ToolSpec, spec as tool_spec};
use super::toolbox::{Call, Tool};
use crate::error::{Error, Result};

/// How many unlinked tasks are named.
const UNLINKED_SHOWN: usize = 200;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// Such as TASK-0001
    task_id: String,
    /// Must be true
    confirm: Option<bool>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Deleted {
    success: bool,
    /// The record as it stood last.
    task: TaskRecord,
    message: String,
    /// Tasks that depended on it or were its subtasks, and no longer name it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unlinked: Vec<String>,
    /// Only the first of them are named.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
}

pub(super) fn spec(tool: Tool) -> ToolSpec {
    let about = About {
        title: "Delete a task",
        description: "Delete a task that was created by mistake or is not wanted at all. For work that is done or given \
                      up, use update_task with status completed or cancelled. The record is kept, but no list shows it; \
                      tasks that depended on it are named and unlinked. \
                      Example: {\"task_id\": \"TASK-0001\", \"confirm\": true}",
        annotations: Annotations::REPLACES,
    };
    tool_spec::<Params, Deleted>(tool, about)
}

pub(super) async fn run(call: &Call<'_>, arguments: Map<String, Value>) -> Result<Deleted> {
    let params: Params = call.read(arguments)?;
    let id = task_id("task_id", &params.task_id)?;
    if params.confirm != Some(true) {
        // An unknown id is told first, so that nobody confirms a slip of the hand.
        call.store.task(id).await?;
        return Err(Error::bad_request(format!("`confirm` must be true to delete {id}"))
            .hint("Ask the user if in doubt, then call again with \"confirm\": true."));
    }
    let deleted = call.store.delete_task(id, call.change()).await?;
    let waits = call.waits(&deleted.task).await?;
    Ok(Deleted {
        success: true,
        message: format!("Deleted task {id}: {}", deleted.task.title),
        task: TaskRecord::new(&deleted.task, waits, call.today),
        unlinked: ids(&deleted.unlinked[..deleted.unlinked.len().min(UNLINKED_SHOWN)]),
        truncated: deleted.unlinked.len() > UNLINKED_SHOWN,
    })
}
