//! Which breakers were open last: what a process that starts now can know of the models before it calls one.

use jiff::Timestamp;

use super::Store;
use super::cells::{cell, parsed, time};
use crate::error::Result;
use crate::names::ModelName;

impl Store {
    /// A breaker opened until then, or closed. What is older than what is kept already is dropped: processes write in
    /// any order.
    pub async fn keep_health(&self, model: &ModelName, open_until: Option<Timestamp>, at: Timestamp) -> Result<()> {
        let mut write = self.write().await?;
        sqlx::query(
            "INSERT INTO health (model, state, until, at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (model) \
             DO UPDATE SET state = ?2, until = ?3, at = ?4 WHERE at <= ?4",
        )
        .bind(model.as_str())
        .bind(if open_until.is_some() { "open" } else { "closed" })
        .bind(open_until.map(time))
        .bind(time(at))
        .execute(&mut *write)
        .await?;
        write.commit().await?;
        Ok(())
    }

    /// The models that were to be left alone until then, and that nobody heard answer since, also when that time is over.
    pub async fn open_models(&self) -> Result<Vec<(ModelName, Timestamp)>> {
        let rows = sqlx::query("SELECT model, until FROM health WHERE state = 'open' ORDER BY model")
            .fetch_all(&self.reader)
            .await?;
        rows.iter().map(|row| Ok((ModelName::from(cell::<&str>(row, "model")?), parsed(row, "until")?))).collect()
    }
}
