//! Forgetting: requests and attempts that are older than the policy keeps them, a few at a time. The sums over them stay.

use jiff::Timestamp;

use super::Store;
use super::cells::time;
use crate::error::Result;

impl Store {
    /// Deletes the oldest requests that came in before then, at most so many, with their attempts; says how many. Few at a
    /// time, because nobody else writes meanwhile.
    ///
    /// The file does not shrink: its free pages are used again by what comes next.
    pub async fn forget_before(&self, cutoff: Timestamp, at_most: u32) -> Result<u64> {
        let mut write = self.write().await?;
        let ids: Vec<String> = sqlx::query_scalar("SELECT id FROM requests WHERE at < ? ORDER BY at LIMIT ?")
            .bind(time(cutoff))
            .bind(at_most)
            .fetch_all(&mut *write)
            .await?;
        for id in &ids {
            sqlx::query("DELETE FROM attempts WHERE request = ?").bind(id).execute(&mut *write).await?;
            sqlx::query("DELETE FROM requests WHERE id = ?").bind(id).execute(&mut *write).await?;
        }
        write.commit().await?;
        Ok(ids.len() as u64)
    }
}
