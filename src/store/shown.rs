//! What is shown of the database beside sums: the last requests that wanted a model, how models were seen last, and which
//! processes are alive.

use jiff::Timestamp;

use super::Store;
use super::cells::{cell, parsed_or_none, time};
use super::outcomes;
use crate::error::Result;
use crate::names::ModelName;
use crate::request::Outcome;

/// What some process saw of a model last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenHealth {
    pub model: ModelName,
    /// Until when it was to be left alone; `None`: it answers.
    pub open_until: Option<Timestamp>,
}

impl Store {
    /// The last requests that wanted a model, the newest first.
    pub async fn last_decisions(&self, limit: u32) -> Result<Vec<Outcome>> {
        let mut read = self.read().await?;
        let requests = sqlx::query("SELECT * FROM requests WHERE tier_wanted <> 'none' ORDER BY seq DESC LIMIT ?")
            .bind(limit)
            .fetch_all(&mut *read)
            .await?;
        let Some(oldest) = requests.last() else { return Ok(Vec::new()) };
        let attempts = sqlx::query(
            "SELECT a.* FROM requests r JOIN attempts a ON a.request = r.id \
             WHERE r.seq >= ? AND r.tier_wanted <> 'none' ORDER BY r.seq, a.n",
        )
        .bind(cell::<i64>(oldest, "seq")?)
        .fetch_all(&mut *read)
        .await?;
        let recorded = outcomes::recorded(&requests, &attempts)?;
        Ok(recorded.into_iter().map(|recorded| recorded.outcome).collect())
    }

    /// What was seen last of each model that ever failed.
    pub async fn seen_health(&self) -> Result<Vec<SeenHealth>> {
        let rows =
            sqlx::query("SELECT model, CASE state WHEN 'open' THEN until END AS until FROM health ORDER BY model")
                .fetch_all(&self.reader)
                .await?;
        rows.iter()
            .map(|row| {
                Ok(SeenHealth {
                    model: ModelName::from(cell::<&str>(row, "model")?),
                    open_until: parsed_or_none(row, "until")?,
                })
            })
            .collect()
    }

    /// The policies of the servers and sessions that were alive since then: a hash for each. A command that ran and ended
    /// has no heartbeat after its start.
    pub async fn followed_policies(&self, since: Timestamp) -> Result<Vec<String>> {
        let rows = sqlx::query_scalar(
            "SELECT policy_hash FROM processes WHERE heartbeat >= ? AND heartbeat > started AND ended IS NULL ORDER BY id",
        )
        .bind(time(since))
        .fetch_all(&self.reader)
        .await?;
        Ok(rows)
    }
}
