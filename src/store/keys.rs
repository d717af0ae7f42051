//! Idempotency keys: what a key made, remembered in the transaction that made it, so that it also holds after a crash.

use sqlx::{Row, SqliteConnection};

use super::cells::time;
use super::{Change, IdempotencyKey, rows};
use crate::error::{Error, Kind, Result};
use crate::tasks::{Task, TaskId};

/// The task that the key made before, as it stands now.
pub(super) async fn find(conn: &mut SqliteConnection, key: &IdempotencyKey) -> Result<Option<Task>> {
    let Some(row) = sqlx::query("SELECT body, task FROM idempotency_keys WHERE key = ?")
        .bind(&key.key)
        .fetch_optional(&mut *conn)
        .await?
    else {
        return Ok(None);
    };
    let id = TaskId(row.try_get("task")?);
    if row.try_get::<&str, _>("body")? != key.body {
        return Err(Error::new(
            Kind::Conflict,
            format!("This idempotency_key was used for {id}, with other arguments"),
        )
        .hint("Use a new key for a new task. To change the first one, call update_task."));
    }
    match rows::fetch(conn, id).await? {
        Some(task) => Ok(Some(task)),
        None => Err(Error::new(Kind::Conflict, format!("This idempotency_key was used for {id}, which is deleted"))
            .hint("Use a new key to make the task again.")),
    }
}

pub(super) async fn keep(
    conn: &mut SqliteConnection,
    key: &IdempotencyKey,
    task: TaskId,
    change: Change<'_>,
) -> Result<()> {
    sqlx::query("INSERT INTO idempotency_keys (key, body, task, at) VALUES (?, ?, ?, ?)")
        .bind(&key.key)
        .bind(&key.body)
        .bind(task.0)
        .bind(time(change.at))
        .execute(conn)
        .await?;
    Ok(())
}
