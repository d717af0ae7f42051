//! `update_task`: changes the fields that are given, leaves the others, and tells what changed.

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::arguments::{task_id, task_ids};
use super::record::{FieldChange, TaskRecord, changes, day_told};
use super::spec::{About, Annotations, ToolSpec, spec as tool_spec};
use super::toolbox::{Call, Tool};
use crate::error::{Error, Kind, Result};
use crate::tasks::{Field, Hours, Patch, Priority, Status, Task, TaskId};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// Such as TASK-0001
    task_id: String,
    /// New title
    title: Option<String>,
    /// New priority
    #[schemars(extend("enum" = ["low", "normal", "high", "urgent"]))]
    priority: Option<String>,
    /// New status
    #[schemars(extend("enum" = ["pending", "in_progress", "completed", "cancelled"]))]
    status: Option<String>,
    /// New description
    description: Option<String>,
    /// YYYY-MM-DD or a phrase
    due_date: Option<String>,
    /// Who does it
    assignee: Option<String>,
    /// Hours of work
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 10000))]
    estimate_hours: Option<f64>,
    /// All its tags
    #[schemars(length(max = 20))]
    tags: Option<Vec<String>>,
    /// Name of a project
    project: Option<String>,
    /// The task that this is a subtask of
    parent_id: Option<String>,
    /// All ids that it depends on
    #[schemars(length(max = 100))]
    depends_on: Option<Vec<String>>,
    /// Fields to empty: description, due_date, assignee, estimate_hours, tags, project, parent_id, depends_on
    clear: Option<Vec<String>>,
    /// Refuse if the task is at another version
    #[schemars(range(min = 1))]
    expected_version: Option<u64>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Updated {
    success: bool,
    task: TaskRecord,
    message: String,
    /// Empty when every field had that value already.
    changed: Vec<FieldChange>,
}

pub(super) fn spec(tool: Tool) -> ToolSpec {
    let about = About {
        title: "Update a task",
        description: "Change fields of one task: complete it, move its due day, assign it, set what it depends on. Only \
                      the fields given are changed; lists are replaced whole; clear empties fields. Not for new tasks \
                      (create_task). Returns the stored record and what changed. \
                      Example: {\"task_id\": \"TASK-0001\", \"status\": \"completed\"}",
        annotations: Annotations::REPLACES,
    };
    tool_spec::<Params, Updated>(tool, about)
}

pub(super) async fn run(call: &Call<'_>, arguments: Map<String, Value>) -> Result<Updated> {
    let params: Params = call.read(arguments)?;
    let id = task_id("task_id", &params.task_id)?;
    let phrase = params.due_date.clone();
    let version = params.expected_version;
    let patch = patch(params, call.today)?;
    let updated = match call.store.update_task(id, &patch, version, call.change()).await {
        Err(error) if error.kind == Kind::Conflict => return Err(with_record(call, id, error).await),
        updated => updated?,
    };
    let waits = call.waits(&updated.after).await?;
    Ok(Updated {
        success: true,
        message: message(&updated.after, phrase.as_deref()),
        changed: changes(&updated.before.to_record()?, &updated.after.to_record()?),
        task: TaskRecord::new(&updated.after, waits, call.today),
    })
}

fn patch(params: Params, today: Date) -> Result<Patch> {
    use crate::tasks::{description, due_date, name, tags, title};
    let mut clear = Vec::new();
    for word in params.clear.unwrap_or_default() {
        let field = Field::read("clear", &word)?;
        if !clear.contains(&field) {
            clear.push(field);
        }
    }
    let description = params.description.as_deref().map(description).transpose()?;
    if description == Some(None) && !clear.contains(&Field::Description) {
        // An empty description is the wish to have none.
        clear.push(Field::Description);
    }
    Ok(Patch {
        title: params.title.map(|text| title(&text)).transpose()?,
        description: description.flatten(),
        priority: params.priority.map(|word| Priority::read("priority", &word)).transpose()?,
        status: params.status.map(|word| Status::read("status", &word)).transpose()?,
        due_date: params.due_date.map(|text| due_date(&text, today)).transpose()?,
        assignee: params.assignee.map(|text| name("assignee", &text)).transpose()?,
        estimate: params.estimate_hours.map(|hours| Hours::read("estimate_hours", hours)).transpose()?,
        tags: params.tags.map(|texts| tags(&texts)).transpose()?,
        project: params.project.map(|text| name("project", &text)).transpose()?,
        parent_id: params.parent_id.map(|text| task_id("parent_id", &text)).transpose()?,
        depends_on: params.depends_on.map(|texts| task_ids("depends_on", &texts)).transpose()?,
        clear,
    })
}

fn message(task: &Task, phrase: Option<&str>) -> String {
    match day_told(task.due_date, phrase) {
        Some(told) => format!("Updated task {} ({told})", task.id),
        None => format!("Updated task {}", task.id),
    }
}

/// A caller that was overtaken needs the record that is there now.
async fn with_record(call: &Call<'_>, id: TaskId, error: Error) -> Error {
    let next = error.hint.clone().unwrap_or_default();
    match call.store.task(id).await.and_then(|task| task.to_record()) {
        Ok(record) => error.hint(format!("{next} The record is now {record}").trim().to_owned()),
        Err(_) => error,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::tools::arguments::read;
    use crate::tools::spec::input_schema;

    fn patched(arguments: Value) -> Result<Patch> {
        let params = read(&input_schema::<Params>(), arguments.as_object().unwrap().clone())?;
        patch(params, jiff::civil::date(2026, 11, 23))
    }

    #[test]
    fn an_empty_description_is_cleared() {
        let patch = patched(json!({"task_id": "1", "description": " ", "clear": ["due_date", "description"]})).unwrap();
        assert_eq!((patch.description, patch.clear), (None, vec![Field::DueDate, Field::Description]));
    }

    #[test]
    fn bad_fields_are_named() {
        let cases = [
            (json!({"task_id": "1", "clear": ["title"]}), "clear"),
            (json!({"task_id": "1", "priority": "critical"}), "priority"),
            (json!({"task_id": "1", "due_date": "someday"}), "due_date"),
            (json!({"task_id": "1", "assignee": ""}), "assignee"),
            (json!({"task_id": "1", "depends_on": ["x"]}), "depends_on"),
            (json!({"task_id": "1", "expected_version": 0}), "expected_version"),
        ];
        for (given, field) in cases {
            let error = patched(given.clone()).expect_err(&given.to_string());
            assert!(error.message.contains(&format!("`{field}`")), "{}", error.message);
        }
    }
}
