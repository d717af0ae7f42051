//! A task as rows: how one is read with its tags and dependencies in a single statement, and how it is written.
//!
//! One statement sees one state of the database, so a task is never a mixture of two versions.

use sqlx::sqlite::SqliteRow;
use sqlx::{SqliteConnection, SqliteExecutor};

use super::Change;
use super::cells::{cell, from_json, json, parsed, parsed_or_none, time, whole, word};
use crate::error::Result;
use crate::tasks::{Hours, Priority, Status, Task, TaskEvent, TaskId, to_millis};

/// `SELECT` of whole tasks, with what follows `FROM tasks`.
macro_rules! select_tasks {
    ($rest:literal) => {
        concat!(
            "SELECT id, title, description, priority, status, due_date, created_at, updated_at, completed_at, \
             assignee, estimate_minutes, project, parent_id, version, \
             (SELECT json_group_array(tag) FROM task_tags WHERE task = tasks.id) AS tags, \
             (SELECT json_group_array(needs) FROM task_dependencies WHERE task = tasks.id) AS depends_on \
             FROM tasks ",
            $rest
        )
    };
}
pub(super) use select_tasks;

/// A task that is not deleted.
pub(super) async fn fetch(executor: impl SqliteExecutor<'_>, id: TaskId) -> Result<Option<Task>> {
    let row =
        sqlx::query(select_tasks!("WHERE id = ? AND deleted_at IS NULL")).bind(id.0).fetch_optional(executor).await?;
    row.as_ref().map(task).transpose()
}

pub(super) fn task(row: &SqliteRow) -> Result<Task> {
    let mut tags: Vec<String> = from_json(cell(row, "tags")?, "tags")?;
    let mut depends_on: Vec<u32> = from_json(cell(row, "depends_on")?, "depends_on")?;
    tags.sort_unstable();
    depends_on.sort_unstable();
    Ok(Task {
        id: TaskId(cell(row, "id")?),
        title: cell(row, "title")?,
        description: cell(row, "description")?,
        priority: word(row, "priority", Priority::parse)?,
        status: word(row, "status", Status::parse)?,
        due_date: parsed_or_none(row, "due_date")?,
        created_at: parsed(row, "created_at")?,
        updated_at: parsed(row, "updated_at")?,
        completed_at: parsed_or_none(row, "completed_at")?,
        assignee: cell(row, "assignee")?,
        estimate: cell::<Option<u32>>(row, "estimate_minutes")?.map(|minutes| Hours { minutes }),
        tags,
        project: cell(row, "project")?,
        parent_id: cell::<Option<u32>>(row, "parent_id")?.map(TaskId),
        depends_on: depends_on.into_iter().map(TaskId).collect(),
        version: cell::<i64>(row, "version")?.unsigned_abs(),
    })
}

pub(super) fn event(row: &SqliteRow) -> Result<TaskEvent> {
    let record = |column: &'static str| -> Result<Option<serde_json::Value>> {
        cell::<Option<&str>>(row, column)?.map(|text| from_json(text, column)).transpose()
    };
    Ok(TaskEvent {
        task: TaskId(cell(row, "task")?),
        at: parsed(row, "at")?,
        by: cell(row, "by")?,
        what: cell(row, "what")?,
        before: record("before")?,
        after: record("after")?,
    })
}

/// Writes the task's own row, its tags and its dependencies, whether they are new or not.
pub(super) async fn save(conn: &mut SqliteConnection, before: Option<&Task>, task: &Task) -> Result<()> {
    let sql = match before {
        None => {
            "INSERT INTO tasks (title, description, priority, status, due_date, created_at, updated_at, completed_at, \
             assignee, assignee_key, estimate_minutes, project, parent_id, version, id) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        }
        Some(_) => {
            "UPDATE tasks SET title = ?, description = ?, priority = ?, status = ?, due_date = ?, created_at = ?, \
             updated_at = ?, completed_at = ?, assignee = ?, assignee_key = ?, estimate_minutes = ?, project = ?, \
             parent_id = ?, version = ? WHERE id = ?"
        }
    };
    sqlx::query(sql)
        .bind(&task.title)
        .bind(&task.description)
        .bind(task.priority.as_str())
        .bind(task.status.as_str())
        .bind(task.due_date.map(|day| day.to_string()))
        .bind(time(task.created_at))
        .bind(time(task.updated_at))
        .bind(task.completed_at.map(time))
        .bind(&task.assignee)
        .bind(task.assignee.as_deref().map(assignee_key))
        .bind(task.estimate.map(|hours| hours.minutes))
        .bind(&task.project)
        .bind(task.parent_id.map(|id| id.0))
        .bind(whole(task.version))
        .bind(task.id.0)
        .execute(&mut *conn)
        .await?;
    save_tags(conn, before, task).await?;
    save_dependencies(conn, before, task).await
}

/// Keeps a change, in the transaction that makes it.
pub(super) async fn keep_event(
    conn: &mut SqliteConnection,
    what: &'static str,
    (before, after): (Option<&Task>, Option<&Task>),
    change: Change<'_>,
) -> Result<()> {
    let Some(id) = before.or(after).map(|task| task.id) else { return Ok(()) };
    let record = |task: Option<&Task>| task.map(|task| json(&task.to_record()?)).transpose();
    sqlx::query("INSERT INTO task_events (task, at, \"by\", what, \"before\", \"after\") VALUES (?, ?, ?, ?, ?, ?)")
        .bind(id.0)
        .bind(time(to_millis(change.at)))
        .bind(change.by)
        .bind(what)
        .bind(record(before)?)
        .bind(record(after)?)
        .execute(conn)
        .await?;
    Ok(())
}

/// What names of people are compared by.
pub(super) fn assignee_key(name: &str) -> String {
    name.to_lowercase()
}

/// Ids as the JSON array that `json_each` takes, so that any number of them is one statement.
pub(super) fn id_list(ids: &[TaskId]) -> Result<String> {
    json(&ids.iter().map(|id| id.0).collect::<Vec<_>>())
}

async fn save_tags(conn: &mut SqliteConnection, before: Option<&Task>, task: &Task) -> Result<()> {
    let had = before.map_or(&[][..], |before| &before.tags);
    if had == task.tags {
        return Ok(());
    }
    sqlx::query("DELETE FROM task_tags WHERE task = ?").bind(task.id.0).execute(&mut *conn).await?;
    sqlx::query("INSERT INTO task_tags (task, tag) SELECT ?, value FROM json_each(?)")
        .bind(task.id.0)
        .bind(json(&task.tags)?)
        .execute(conn)
        .await?;
    Ok(())
}

async fn save_dependencies(conn: &mut SqliteConnection, before: Option<&Task>, task: &Task) -> Result<()> {
    let had = before.map_or(&[][..], |before| &before.depends_on);
    if had == task.depends_on {
        return Ok(());
    }
    sqlx::query("DELETE FROM task_dependencies WHERE task = ?").bind(task.id.0).execute(&mut *conn).await?;
    sqlx::query("INSERT INTO task_dependencies (task, needs) SELECT ?, value FROM json_each(?)")
        .bind(task.id.0)
        .bind(id_list(&task.depends_on)?)
        .execute(conn)
        .await?;
    Ok(())
}
