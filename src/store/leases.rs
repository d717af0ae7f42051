//! What one process at a time does for all: named leases with a cursor.

use std::time::Duration;

use jiff::Timestamp;

use super::Store;
use super::cells::time;
use crate::error::{Error, Kind, Result};

impl Store {
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
