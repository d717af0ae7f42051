//! The store against real files in temporary folders.

mod batches;
mod changes;
mod checked;
mod concurrency;
mod faults;
mod health;
mod kill;
mod ledger;
mod links;
mod money;
mod paging;
mod processes;
mod retention;
mod shown;
mod speed;
mod traffic;
mod upgrade;
mod usage;

use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};
use sqlx::Connection;
use tempfile::TempDir;

use super::{Change, Store};
use crate::tasks::{Draft, Patch, Priority, Task, TaskId};

/// A database in a folder that goes away with it.
struct Fixture {
    folder: TempDir,
    store: Store,
}

impl Fixture {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("taskgate.db")).await.unwrap();
        Self { folder, store }
    }

    /// A database that has taken so many steps of the schema, and these statements; opened as it is today.
    async fn of_version(version: usize, sql: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taskgate.db");
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path).create_if_missing(true);
        let mut old = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
        super::migrate::migrate_to(version, &mut old).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut old).await.unwrap();
        old.close().await.unwrap();
        Self { store: Store::open(&path).await.unwrap(), folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("taskgate.db")
    }

    async fn reopen(self) -> Self {
        self.store.close().await;
        let store = Store::open(&self.folder.path().join("taskgate.db")).await.unwrap();
        Self { folder: self.folder, store }
    }

    async fn create(&self, draft: Draft) -> Task {
        self.store.create_task(&draft, None, at(0)).await.unwrap().task
    }

    async fn create_many(&self, number: u32) {
        for n in 1..=number {
            self.create(draft(&format!("Task {n}"))).await;
        }
    }

    async fn update(&self, id: u32, patch: Patch) -> Task {
        self.store.update_task(TaskId(id), &patch, None, at(1)).await.unwrap().after
    }
}

/// A plain task, as the first version of the schema has it.
const OLD_TASK: &str = "INSERT INTO tasks (id, title, priority, status, created_at, updated_at, version) VALUES \
    (1, 'Review the budget', 'normal', 'pending', '2026-11-23T10:00:00Z', '2026-11-23T10:00:00Z', 1);";

fn draft(title: &str) -> Draft {
    Draft {
        title: title.to_owned(),
        description: None,
        priority: Priority::Normal,
        due_date: None,
        assignee: None,
        estimate: None,
        tags: Vec::new(),
        project: None,
        parent_id: None,
        depends_on: Vec::new(),
    }
}

/// `minutes` after the tests' beginning of time, with the milliseconds that tasks keep.
fn moment(minutes: i64) -> Timestamp {
    Timestamp::new(1_790_000_000, 123_000_000).unwrap() + SignedDuration::from_mins(minutes)
}

fn at(minutes: i64) -> Change<'static> {
    Change { by: "local", at: moment(minutes) }
}

fn ids(numbers: &[u32]) -> Vec<TaskId> {
    numbers.iter().copied().map(TaskId).collect()
}
