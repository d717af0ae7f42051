//! Making a task from a draft, and a changed task from a task and a patch: what the store does inside its transaction,
//! without the store.
//!
//! It does not know other tasks: whether ids exist and form no cycle is checked beside it.

use jiff::Timestamp;

use super::{Draft, Field, Patch, Status, Task, TaskId, to_millis};
use crate::error::{Error, Result};

/// What became of a task.
#[derive(Debug, Clone, PartialEq)]
pub struct Changed {
    pub task: Task,
    /// The fields that have another value now, in the record's order; none if nothing changed. What follows by itself
    /// (`completed_at`, `updated_at`, `version`) is not named.
    pub fields: Vec<&'static str>,
}

impl Task {
    /// A new, pending task.
    pub fn from_draft(id: TaskId, draft: &Draft, now: Timestamp) -> Self {
        let now = to_millis(now);
        Self {
            id,
            title: draft.title.clone(),
            description: draft.description.clone(),
            priority: draft.priority,
            status: Status::Pending,
            due_date: draft.due_date,
            created_at: now,
            updated_at: now,
            completed_at: None,
            assignee: draft.assignee.clone(),
            estimate: draft.estimate,
            tags: distinct(draft.tags.clone()),
            project: draft.project.clone(),
            parent_id: draft.parent_id,
            depends_on: distinct(draft.depends_on.clone()),
            version: 1,
        }
    }

    /// The task with the patch applied. One that changes nothing leaves version and times alone.
    pub fn changed(&self, patch: &Patch, now: Timestamp) -> Result<Changed> {
        patch.check()?;
        let mut task = self.clone();
        patch.write_into(&mut task);
        let fields = differing(self, &task);
        if fields.is_empty() {
            return Ok(Changed { task, fields });
        }
        // A clock that was set back must not make a change look older than the one before it.
        let now = to_millis(now).max(self.updated_at);
        if task.status != self.status {
            task.completed_at = (task.status == Status::Completed).then_some(now);
        }
        task.updated_at = now;
        task.version = self.version.saturating_add(1);
        Ok(Changed { task, fields })
    }
}

impl Patch {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Refuses a patch that says nothing, or both a value and nothing for one field.
    pub fn check(&self) -> Result<()> {
        if self.is_empty() {
            return Err(Error::bad_request("There is nothing to change").hint(
                "Give at least one field with its new value, such as `status`, or name fields to empty in `clear`.",
            ));
        }
        match self.clear.iter().find(|field| self.sets(**field)) {
            None => Ok(()),
            Some(field) => {
                let field = field.as_str();
                Err(Error::bad_request(format!("`{field}`: it is given a value and named in `clear`"))
                    .hint(format!("Leave `{field}` out of `clear` to set it, or give no value to empty it.")))
            }
        }
    }

    fn sets(&self, field: Field) -> bool {
        match field {
            Field::Description => self.description.is_some(),
            Field::DueDate => self.due_date.is_some(),
            Field::Assignee => self.assignee.is_some(),
            Field::EstimateHours => self.estimate.is_some(),
            Field::Tags => self.tags.is_some(),
            Field::Project => self.project.is_some(),
            Field::ParentId => self.parent_id.is_some(),
            Field::DependsOn => self.depends_on.is_some(),
        }
    }

    fn write_into(&self, task: &mut Task) {
        set(&mut task.title, &self.title);
        set(&mut task.priority, &self.priority);
        set(&mut task.status, &self.status);
        set_some(&mut task.description, &self.description);
        set_some(&mut task.due_date, &self.due_date);
        set_some(&mut task.assignee, &self.assignee);
        set_some(&mut task.estimate, &self.estimate);
        set_some(&mut task.project, &self.project);
        set_some(&mut task.parent_id, &self.parent_id);
        set(&mut task.tags, &self.tags.clone().map(distinct));
        set(&mut task.depends_on, &self.depends_on.clone().map(distinct));
        for field in &self.clear {
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
    }
}

fn differing(before: &Task, after: &Task) -> Vec<&'static str> {
    let fields = [
        ("title", before.title != after.title),
        ("priority", before.priority != after.priority),
        ("description", before.description != after.description),
        ("due_date", before.due_date != after.due_date),
        ("status", before.status != after.status),
        ("assignee", before.assignee != after.assignee),
        ("estimate_hours", before.estimate != after.estimate),
        ("tags", before.tags != after.tags),
        ("project", before.project != after.project),
        ("parent_id", before.parent_id != after.parent_id),
        ("depends_on", before.depends_on != after.depends_on),
    ];
    fields.into_iter().filter_map(|(field, differs)| differs.then_some(field)).collect()
}

fn set<T: Clone>(place: &mut T, value: &Option<T>) {
    if let Some(value) = value {
        place.clone_from(value);
    }
}

fn set_some<T: Clone>(place: &mut Option<T>, value: &Option<T>) {
    if value.is_some() {
        place.clone_from(value);
    }
}

fn distinct<T: Ord>(mut values: Vec<T>) -> Vec<T> {
    values.sort_unstable();
    values.dedup();
    values
}

#[cfg(test)]
#[path = "change_tests.rs"]
mod tests;
