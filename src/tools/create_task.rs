//! `create_task`: one new task, once per idempotency key.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::arguments::{task_id, task_ids};
use super::record::TaskRecord;
use super::spec::{About, Annotations, ToolSpec, spec as tool_spec};
use super::toolbox::{Call, Tool};
use crate::error::{Error, Result};
use crate::store::IdempotencyKey;
use crate::tasks::{Draft, Hours, Priority, Task};

/// Longer keys say nothing more.
const MAX_KEY: usize = 200;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// What has to be done, 1-200 characters
    title: String,
    /// Default normal
    #[schemars(extend("enum" = ["low", "normal", "high", "urgent"]))]
    priority: Option<String>,
    /// Details, up to 10,000 characters
    description: Option<String>,
    /// YYYY-MM-DD, or a phrase: "next friday", "in 3 days", "end of month"
    due_date: Option<String>,
    /// Who does it
    assignee: Option<String>,
    /// Hours of work; 0.5 is half an hour
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 10000))]
    estimate_hours: Option<f64>,
    /// At most 20
    #[schemars(length(max = 20))]
    tags: Option<Vec<String>>,
    /// Name of a project
    project: Option<String>,
    /// The task that this is a subtask of, such as TASK-0001
    parent_id: Option<String>,
    /// Ids of tasks that must be done before
    #[schemars(length(max = 100))]
    depends_on: Option<Vec<String>>,
    /// Any text of your own: repeating a call with it creates nothing new
    idempotency_key: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Created {
    success: bool,
    task: TaskRecord,
    message: String,
    /// The key was used before: this is the task that it created then.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    repeated: bool,
}

pub(super) fn spec(tool: Tool) -> ToolSpec {
    let about = About {
        title: "Create a task",
        description: "Create one task; use it when the user names something to be done. To change a task that exists, \
                      use update_task; to have priority and effort suggested first, smart_prioritize. Returns the \
                      stored record with its id and the absolute due day. \
                      Example: {\"title\": \"Review budget\", \"priority\": \"high\", \"due_date\": \"next friday\"}",
        annotations: Annotations::ADDS,
    };
    tool_spec::<Params, Created>(tool, about)
}

pub(super) async fn run(call: &Call<'_>, arguments: Map<String, Value>) -> Result<Created> {
    let body = fingerprint(&arguments);
    let params: Params = call.read(arguments)?;
    let key = params.idempotency_key.as_deref().map(|key| idempotency_key(key, body)).transpose()?;
    let phrase = params.due_date.clone();
    let draft = draft(params, call.today)?;
    let created = call.store.create_task(&draft, key.as_ref(), call.change()).await?;
    let waits = call.waits(&created.task).await?;
    Ok(Created {
        success: true,
        message: message(&created.task, phrase.as_deref()),
        task: TaskRecord::new(&created.task, waits, call.today),
        repeated: created.repeated,
    })
}

fn draft(params: Params, today: jiff::civil::Date) -> Result<Draft> {
    use crate::tasks::{description, due_date, name, tags, title};
    Ok(Draft {
        title: title(&params.title)?,
        description: params.description.as_deref().map(description).transpose()?.flatten(),
        priority: params.priority.map_or(Ok(Priority::Normal), |word| Priority::read("priority", &word))?,
        due_date: params.due_date.map(|text| due_date(&text, today)).transpose()?,
        assignee: params.assignee.map(|text| name("assignee", &text)).transpose()?,
        estimate: params.estimate_hours.map(|hours| Hours::read("estimate_hours", hours)).transpose()?,
        tags: tags(&params.tags.unwrap_or_default())?,
        project: params.project.map(|text| name("project", &text)).transpose()?,
        parent_id: params.parent_id.map(|text| task_id("parent_id", &text)).transpose()?,
        depends_on: task_ids("depends_on", &params.depends_on.unwrap_or_default())?,
    })
}

/// The lesson's sentence, and the day that a phrase was taken for.
fn message(task: &Task, phrase: Option<&str>) -> String {
    let sentence = format!("Created task {}: {}", task.id, task.title);
    match super::record::day_told(task.due_date, phrase) {
        Some(told) => format!("{sentence} ({told})"),
        None => sentence,
    }
}

fn idempotency_key(key: &str, body: String) -> Result<IdempotencyKey> {
    let length = key.chars().count();
    if key.trim().is_empty() || length > MAX_KEY {
        let message = format!("`idempotency_key` must be text of 1 to {MAX_KEY} characters, not of {length}");
        return Err(Error::bad_request(message).hint("Any text that is unique to this task will do."));
    }
    Ok(IdempotencyKey { key: key.to_owned(), body })
}

/// Equal for calls that ask for the same, whatever the order of their arguments.
fn fingerprint(arguments: &Map<String, Value>) -> String {
    let mut parts: Vec<(&String, &Value)> =
        arguments.iter().filter(|(name, value)| *name != "idempotency_key" && !value.is_null()).collect();
    parts.sort_unstable_by_key(|(name, _)| *name);
    let mut hasher = blake3::Hasher::new();
    for (name, value) in parts {
        hasher.update(name.as_bytes()).update(b"\0").update(value.to_string().as_bytes()).update(b"\0");
    }
    hasher.finalize().to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_same_wish_in_another_order_has_the_same_fingerprint() {
        let of = |value: Value| fingerprint(value.as_object().unwrap());
        let first = of(json!({"title": "a", "priority": "high", "idempotency_key": "1"}));
        assert_eq!(first, of(json!({"priority": "high", "title": "a", "description": null, "idempotency_key": "2"})));
        assert_ne!(first, of(json!({"title": "a", "priority": "low"})));
        assert_ne!(of(json!({"title": "ab"})), of(json!({"titl": "eab"})));
    }

    #[test]
    fn a_key_says_something() {
        assert!(idempotency_key(" ", String::new()).is_err());
        assert!(idempotency_key(&"k".repeat(201), String::new()).is_err());
        assert!(idempotency_key("k", String::new()).is_ok());
    }
}
