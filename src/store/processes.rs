//! The processes that share the database: each has a row, and says in it that it is alive and which policy it follows.

use std::sync::atomic::Ordering;

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;

use super::Store;
use super::cells::{cell, parsed, time, whole};
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

    /// Says that this process is alive, which policy it follows, which one it refused since, and how many rows of the
    /// ledger it has lost.
    pub async fn heartbeat(
        &self,
        at: Timestamp,
        policy_hash: &str,
        refused: Option<&str>,
        lost_rows: u64,
    ) -> Result<()> {
        let mut write = self.write().await?;
        let beat =
            sqlx::query("UPDATE processes SET heartbeat = ?, policy_hash = ?, refused = ?, lost_rows = ? WHERE id = ?")
                .bind(time(at))
                .bind(policy_hash)
                .bind(refused)
                .bind(whole(lost_rows))
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
    pub async fn end_process(&self, at: Timestamp, lost_rows: u64) -> Result<()> {
        let process = self.process.load(Ordering::Acquire);
        if process == 0 {
            return Ok(());
        }
        let mut write = self.write().await?;
        sqlx::query("UPDATE processes SET ended = ?, lost_rows = ? WHERE id = ?")
            .bind(time(at))
            .bind(whole(lost_rows))
            .bind(process)
            .execute(&mut *write)
            .await?;
        write.commit().await?;
        Ok(())
    }

    /// The rows that processes which were alive since then say they have lost.
    pub async fn lost_rows(&self, since: Timestamp) -> Result<u64> {
        let lost: i64 = sqlx::query_scalar(
            "SELECT coalesce(sum(lost_rows), 0) FROM processes WHERE heartbeat >= ?1 OR ended >= ?1",
        )
        .bind(time(since))
        .fetch_one(&self.reader)
        .await?;
        Ok(lost.unsigned_abs())
    }

    /// The lost rows of processes that nobody scrapes, each of them once.
    pub async fn take_lost_rows(&self) -> Result<u64> {
        const SUM: &str = "SELECT coalesce(sum(lost_rows - lost_rows_counted), 0) FROM processes \
                           WHERE command <> 'serve' AND lost_rows > lost_rows_counted";
        if sqlx::query_scalar::<_, i64>(SUM).fetch_one(&self.reader).await? == 0 {
            return Ok(0);
        }
        let mut write = self.write().await?;
        let lost: i64 = sqlx::query_scalar(SUM).fetch_one(&mut *write).await?;
        sqlx::query("UPDATE processes SET lost_rows_counted = lost_rows WHERE command <> 'serve'")
            .execute(&mut *write)
            .await?;
        write.commit().await?;
        Ok(lost.unsigned_abs())
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
