//! The processes that share the database: each has a row, and says in it that it is alive and which policy it follows.

use std::sync::atomic::Ordering;

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;

use super::Store;
use super::cells::{cell, parsed, time};
use super::types::Process;
use crate::error::{Error, Kind, Result};

impl Store {
    /// Enters this process; what this store and its clones record from now on names it. `command` is what it was
    /// started for.
    pub async fn register_process(&self, pid: u32, command: &str, policy_hash: &str, at: Timestamp) -> Result<i64> {
        let mut write = self.write().await?;
        let id = sqlx::query(
            "INSERT INTO processes (pid, command, started, policy_hash, heartbeat) VALUES (?1, ?2, ?3, ?4, ?3)",
        )
        .bind(pid)
        .bind(command)
        .bind(time(at))
        .bind(policy_hash)
        .execute(&mut *write)
        .await?
        .last_insert_rowid();
        write.commit().await?;
        self.process.store(id, Ordering::Release);
        Ok(id)
    }

    /// Says that this process is alive, which policy it follows, and which one it refused since.
    pub async fn heartbeat(&self, at: Timestamp, policy_hash: &str, refused: Option<&str>) -> Result<()> {
        let mut write = self.write().await?;
        let beat = sqlx::query("UPDATE processes SET heartbeat = ?, policy_hash = ?, refused = ? WHERE id = ?")
            .bind(time(at))
            .bind(policy_hash)
            .bind(refused)
            .bind(self.process.load(Ordering::Acquire))
            .execute(&mut *write)
            .await?;
        write.commit().await?;
        match beat.rows_affected() {
            0 => Err(Error::new(Kind::Internal, "This process is not registered with the database")
                .hint("Restart taskgate; the database may have been replaced while it ran.")),
            _ => Ok(()),
        }
    }

    /// Says that this process has ended, so that nobody waits for its next heartbeat. One that never entered has nothing
    /// to say.
    pub async fn end_process(&self, at: Timestamp) -> Result<()> {
        let process = self.process.load(Ordering::Acquire);
        if process == 0 {
            return Ok(());
        }
        let mut write = self.write().await?;
        sqlx::query("UPDATE processes SET ended = ? WHERE id = ?")
            .bind(time(at))
            .bind(process)
            .execute(&mut *write)
            .await?;
        write.commit().await?;
        Ok(())
    }

    /// The processes that have not ended and were heard since then, oldest first.
    pub async fn processes(&self, heard_since: Timestamp) -> Result<Vec<Process>> {
        let rows = sqlx::query("SELECT * FROM processes WHERE ended IS NULL AND heartbeat >= ? ORDER BY id")
            .bind(time(heard_since))
            .fetch_all(&self.reader)
            .await?;
        rows.iter().map(process).collect()
    }
}

fn process(row: &SqliteRow) -> Result<Process> {
    Ok(Process {
        pid: cell(row, "pid")?,
        command: cell(row, "command")?,
        started: parsed(row, "started")?,
        heartbeat: parsed(row, "heartbeat")?,
        policy_hash: cell(row, "policy_hash")?,
        refused: cell(row, "refused")?,
    })
}
