//! What checks said of the models' answers lately: what pass rates are made of.

use std::ops::Range;

use jiff::Timestamp;

use super::Store;
use super::cells::{cell, duration, parsed, time, tokens};
use crate::chat::{Tokens, Usage};
use crate::error::Result;
use crate::names::ModelName;
use crate::request::Checked;

impl Store {
    /// The newest checked answers of that time, at most `limit` of them, counted together by the hour.
    pub async fn checked(&self, time_of: Range<Timestamp>, limit: u32) -> Result<Vec<Checked>> {
        let rows = sqlx::query(
            "SELECT model, tool, prompt_version, max(started_at) AS at, sum(result = 'accepted') AS passed, \
             sum(result = 'rejected') AS rejected, total(latency_ms) AS latency_ms, \
             CAST(total(tokens_in) AS INTEGER) AS tokens_in, CAST(total(tokens_out) AS INTEGER) AS tokens_out \
             FROM (SELECT a.*, r.tool, r.prompt_version FROM attempts a JOIN requests r ON r.id = a.request \
             WHERE a.result IN ('accepted', 'rejected') AND a.started_at >= ? AND a.started_at < ? ORDER BY a.started_at DESC LIMIT ?) \
             WHERE prompt_version IS NOT NULL GROUP BY model, tool, prompt_version, substr(started_at, 1, 13)",
        )
        .bind(time(time_of.start))
        .bind(time(time_of.end))
        .bind(limit)
        .fetch_all(&self.reader)
        .await?;
        let checked = |row| {
            Ok(Checked {
                model: ModelName::from(cell::<&str>(row, "model")?),
                tool: cell(row, "tool")?,
                prompt_version: cell(row, "prompt_version")?,
                at: parsed(row, "at")?,
                passed: cell(row, "passed")?,
                rejected: cell(row, "rejected")?,
                latency: duration(cell(row, "latency_ms")?),
                usage: Usage {
                    input: tokens(row, "tokens_in")?,
                    cached_input: Tokens::ZERO,
                    output: tokens(row, "tokens_out")?,
                },
            })
        };
        rows.iter().map(checked).collect()
    }
}
