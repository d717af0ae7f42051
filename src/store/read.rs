//! Reading tasks: one, all, counts, and a task's history.

use super::cells::{cell, word};
use super::{Store, rows};
use crate::error::{Error, Kind, Result};
use crate::tasks::{Status, Task, TaskEvent, TaskId};

impl Store {
    pub async fn task(&self, id: TaskId) -> Result<Task> {
        rows::fetch(&self.reader, id).await?.ok_or_else(|| not_found(id))
    }

    /// All that are not deleted, by id.
    pub async fn tasks(&self) -> Result<Vec<Task>> {
        let rows =
            sqlx::query(rows::select_tasks!("WHERE deleted_at IS NULL ORDER BY id")).fetch_all(&self.reader).await?;
        rows.iter().map(rows::task).collect()
    }

    /// Every change, the oldest first; also of a deleted task.
    pub async fn history(&self, id: TaskId) -> Result<Vec<TaskEvent>> {
        let rows = sqlx::query(
            "SELECT task, at, \"by\", what, \"before\", \"after\" FROM task_events WHERE task = ? ORDER BY seq",
        )
        .bind(id.0)
        .fetch_all(&self.reader)
        .await?;
        if rows.is_empty() {
            return Err(not_found(id));
        }
        rows.iter().map(rows::event).collect()
    }

    /// How many tasks have each status; every status is named.
    pub async fn task_counts(&self) -> Result<Vec<(Status, u64)>> {
        let rows = sqlx::query("SELECT status, count(*) AS many FROM tasks WHERE deleted_at IS NULL GROUP BY status")
            .fetch_all(&self.reader)
            .await?;
        let mut counts: Vec<(Status, u64)> = Status::ALL.iter().map(|status| (*status, 0)).collect();
        for row in &rows {
            let (status, many) = (word(row, "status", Status::parse)?, cell::<i64>(row, "many")?);
            if let Some(count) = counts.iter_mut().find(|(known, _)| *known == status) {
                count.1 = many.unsigned_abs();
            }
        }
        Ok(counts)
    }
}

/// The first sentence is fixed: clients match it.
pub(super) fn not_found(id: TaskId) -> Error {
    Error::new(Kind::NotFound, format!("Task {id} not found")).hint("Call list_tasks to see the ids.")
}
