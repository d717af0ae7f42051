//! What a patch makes of a task, and a task as the JSON that events keep.

use serde_json::{Value, json};

use super::Change;
use crate::tasks::{Field, Patch, Status, Task};

/// Equal to `before` when the patch changes nothing; else one version up.
pub(super) fn apply(before: &Task, patch: &Patch, change: Change<'_>) -> Task {
    let mut after = before.clone();
    for field in &patch.clear {
        clear(&mut after, *field);
    }
    let Patch { title, priority, status, tags, depends_on, .. } = patch.clone();
    after.title = title.unwrap_or(after.title);
    after.priority = priority.unwrap_or(after.priority);
    after.status = status.unwrap_or(after.status);
    after.tags = tags.map_or(after.tags, super::tasks::sorted);
    after.depends_on = depends_on.map_or(after.depends_on, super::tasks::sorted);
    after.description = patch.description.clone().or(after.description);
    after.due_date = patch.due_date.or(after.due_date);
    after.assignee = patch.assignee.clone().or(after.assignee);
    after.estimate = patch.estimate.or(after.estimate);
    after.project = patch.project.clone().or(after.project);
    after.parent_id = patch.parent_id.or(after.parent_id);
    if after.status != before.status {
        after.completed_at = (after.status == Status::Completed).then_some(change.at);
    }
    if after != *before {
        after.version += 1;
        after.updated_at = change.at;
    }
    after
}

/// The stored fields.
pub(super) fn record(task: &Task) -> Value {
    json!({
        "id": task.id,
        "title": task.title,
        "description": task.description,
        "priority": task.priority,
        "status": task.status,
        "due_date": task.due_date,
        "created_at": task.created_at,
        "updated_at": task.updated_at,
        "completed_at": task.completed_at,
        "assignee": task.assignee,
        "estimate_hours": task.estimate.map(|hours| f64::from(hours.minutes) / 60.0),
        "tags": task.tags,
        "project": task.project,
        "parent_id": task.parent_id,
        "depends_on": task.depends_on,
        "version": task.version,
    })
}

fn clear(task: &mut Task, field: Field) {
    match field {
        Field::Description => task.description = None,
        Field::DueDate => task.due_date = None,
        Field::Assignee => task.assignee = None,
        Field::EstimateHours => task.estimate = None,
        Field::Tags => task.tags.clear(),
        Field::Project => task.project = None,
        Field::ParentId => task.parent_id = None,
        Field::DependsOn => task.depends_on.clear(),
    }
}
