//! Changes to tasks: create, update, delete. Each is one transaction with its checks, its rows and its events; what is
//! returned is what is stored.

use sqlx::SqliteConnection;

use super::cells::{time, unreadable};
use super::read::not_found;
use super::rows::{self, keep_event, save};
use super::{Change, Created, Deleted, IdempotencyKey, Store, Updated, keys, links};
use crate::error::{Error, Kind, Result};
use crate::tasks::{Changed, Draft, Field, Patch, Task, TaskId, to_millis};

impl Store {
    pub async fn create_task(
        &self,
        draft: &Draft,
        key: Option<&IdempotencyKey>,
        change: Change<'_>,
    ) -> Result<Created> {
        let mut write = self.write().await?;
        if let Some(key) = key
            && let Some(task) = keys::find(&mut write, key).await?
        {
            return Ok(Created { task, repeated: true });
        }
        let task = Task::from_draft(next_id(&mut write).await?, draft, change.at);
        links::check(&mut write, None, &task).await?;
        save(&mut write, None, &task).await?;
        keep_event(&mut write, "created", (None, Some(&task)), change).await?;
        if let Some(key) = key {
            keys::keep(&mut write, key, task.id, change).await?;
        }
        write.commit().await?;
        Ok(Created { task, repeated: false })
    }

    /// `expected_version` is the version that the caller has seen: another one is refused.
    pub async fn update_task(
        &self,
        id: TaskId,
        patch: &Patch,
        expected_version: Option<u64>,
        change: Change<'_>,
    ) -> Result<Updated> {
        let mut write = self.write().await?;
        let before = rows::fetch(&mut *write, id).await?.ok_or_else(|| not_found(id))?;
        if let Some(expected) = expected_version.filter(|expected| *expected != before.version) {
            return Err(version_conflict(&before, expected));
        }
        let Changed { task: after, fields } = before.changed(patch, change.at)?;
        if fields.is_empty() {
            return Ok(Updated { before, after, fields });
        }
        links::check(&mut write, Some(&before), &after).await?;
        save(&mut write, Some(&before), &after).await?;
        keep_event(&mut write, "updated", (Some(&before), Some(&after)), change).await?;
        write.commit().await?;
        Ok(Updated { before, after, fields })
    }

    /// Soft: the row and the history stay, the id is not listed any more, and nothing refers to it.
    pub async fn delete_task(&self, id: TaskId, change: Change<'_>) -> Result<Deleted> {
        let mut write = self.write().await?;
        let task = rows::fetch(&mut *write, id).await?.ok_or_else(|| not_found(id))?;
        let mut unlinked = Vec::new();
        for before in referring(&mut write, id).await? {
            let after = before.changed(&unlinked_from(&before, id), change.at)?.task;
            save(&mut write, Some(&before), &after).await?;
            keep_event(&mut write, "updated", (Some(&before), Some(&after)), change).await?;
            unlinked.push(after.id);
        }
        sqlx::query("UPDATE tasks SET deleted_at = ? WHERE id = ?")
            .bind(time(to_millis(change.at)))
            .bind(id.0)
            .execute(&mut *write)
            .await?;
        keep_event(&mut write, "deleted", (Some(&task), None), change).await?;
        write.commit().await?;
        Ok(Deleted { task, unlinked })
    }
}

/// A number that no task of this database ever had. A transaction that fails gives its number back.
async fn next_id(conn: &mut SqliteConnection) -> Result<TaskId> {
    let number: i64 = sqlx::query_scalar("UPDATE counters SET value = value + 1 WHERE name = 'task' RETURNING value")
        .fetch_one(conn)
        .await?;
    u32::try_from(number).map(TaskId).map_err(|error| unreadable("counters").source(error))
}

/// The tasks that depend on this one or are its subtasks, by id.
async fn referring(conn: &mut SqliteConnection, id: TaskId) -> Result<Vec<Task>> {
    let rows = sqlx::query(rows::select_tasks!(
        "WHERE deleted_at IS NULL \
         AND (parent_id = ?1 OR id IN (SELECT task FROM task_dependencies WHERE needs = ?1)) ORDER BY id"
    ))
    .bind(id.0)
    .fetch_all(conn)
    .await?;
    rows.iter().map(rows::task).collect()
}

fn unlinked_from(task: &Task, gone: TaskId) -> Patch {
    let depends_on = task.depends_on.iter().copied().filter(|needed| *needed != gone).collect();
    let clear = if task.parent_id == Some(gone) { vec![Field::ParentId] } else { Vec::new() };
    Patch { depends_on: Some(depends_on), clear, ..Patch::default() }
}

fn version_conflict(task: &Task, expected: u64) -> Error {
    let Task { id, version, status, .. } = task;
    Error::new(Kind::Conflict, format!("{id} changed in the meantime: it is at version {version}, not {expected}"))
        .hint(format!(
            "Its version is now {version} and its status {}. Read it with get_task, then send the change again with expected_version {version}.",
            status.as_str()
        ))
}
