//! Processes and what one of them does for all: rows in `processes`, and named leases with a cursor.

use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;

use super::Store;
use super::cells::time;
use crate::error::{Error, Kind, Result};

impl Store {
    /// Enters this process; what this store and its clones record from now on names it.
    pub async fn register_process(&self, pid: u32, policy_hash: &str, at: Timestamp) -> Result<i64> {
        let mut write = self.write().await?;
        let id = sqlx::query("INSERT INTO processes (pid, started, policy_hash, heartbeat) VALUES (?, ?, ?, ?)")
            .bind(pid)
            .bind(time(at))
            .bind(policy_hash)
            .bind(time(at))
            .execute(&mut *write)
            .await?
            .last_insert_rowid();
        write.commit().await?;
        self.process.store(id, Ordering::Release);
        Ok(id)
    }

    /// Says that this process is alive and which policy it follows.
    pub async fn heartbeat(&self, at: Timestamp, policy_hash: &str) -> Result<()> {
        let mut write = self.write().await?;
        let beat = sqlx::query("UPDATE processes SET heartbeat = ?, policy_hash = ? WHERE id = ?")
            .bind(time(at))
            .bind(policy_hash)
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

    /// Takes the lease, or keeps it: true when it is free, has run out, or is ours already. It ends `ttl` after `now`.
    pub async fn take_lease(&self, name: &str, now: Timestamp, ttl: Duration) -> Result<bool> {
        let until = now.checked_add(ttl).unwrap_or(Timestamp::MAX);
        let mut write = self.write().await?;
        let taken = sqlx::query(
            "INSERT INTO leases (name, owner, until) VALUES (?1, ?2, ?3) ON CONFLICT (name) \
             DO UPDATE SET owner = ?2, until = ?3 WHERE owner = ?2 OR until <= ?4",
        )
        .bind(name)
        .bind(&*self.owner)
        .bind(time(until))
        .bind(time(now))
        .execute(&mut *write)
        .await?;
        write.commit().await?;
        Ok(taken.rows_affected() > 0)
    }

    /// How far the work under this lease came, whoever did it; 0 at first.
    pub async fn lease_cursor(&self, name: &str) -> Result<i64> {
        let cursor = sqlx::query_scalar("SELECT cursor FROM leases WHERE name = ?")
            .bind(name)
            .fetch_optional(&self.reader)
            .await?;
        Ok(cursor.unwrap_or(0))
    }

    /// Only the holder may move the cursor; anyone else gets `Kind::Conflict` and has to stop.
    pub async fn set_lease_cursor(&self, name: &str, cursor: i64) -> Result<()> {
        let mut write = self.write().await?;
        let moved = sqlx::query("UPDATE leases SET cursor = ? WHERE name = ? AND owner = ?")
            .bind(cursor)
            .bind(name)
            .bind(&*self.owner)
            .execute(&mut *write)
            .await?;
        write.commit().await?;
        match moved.rows_affected() {
            0 => Err(Error::new(Kind::Conflict, format!("The lease `{name}` is held by another process"))
                .hint("That process goes on with the work; this one tries again when the lease has ended.")),
            _ => Ok(()),
        }
    }
}
