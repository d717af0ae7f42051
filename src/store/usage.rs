//! What was used and spent, from the rollups alone: milliseconds, however many requests the ledger has.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, SqliteConnection};

use super::Store;
use super::cells::{cell, summed_as};
use super::rollups::{ROLLUPS, Sums, TOTALS};
use super::stretch::{Piece, Stretch};
use crate::chat::{NanoUsd, Tokens, Usage};
use crate::error::Result;
use crate::names::{ModelName, words};

words!(
    /// What usage can be told apart by.
    Dimension {
        Tier => "tier",
        Model => "model",
        Tool => "tool",
        Route => "route",
        Caller => "caller",
        Door => "door",
        Status => "status",
    }
);

impl Dimension {
    /// Whether the table `totals` tells it apart, which has a fraction of the rows of `rollups`.
    fn is_in_totals(self) -> bool {
        match self {
            Self::Tier | Self::Model | Self::Status => true,
            Self::Tool | Self::Route | Self::Caller | Self::Door => false,
        }
    }
}

/// Sums by the names of what they were asked for by, in the order of the names.
pub type Groups = BTreeMap<Vec<String>, Sums>;

impl Store {
    /// The sums of a stretch, told apart by these dimensions; without any, at most one group. A model without a name is
    /// no model: what logic or a refusal answered.
    pub async fn usage(&self, over: Stretch, by: &[Dimension]) -> Result<Groups> {
        Ok(self.usage_in(&[over], by).await?.pop().unwrap_or_default())
    }

    /// The same for several stretches, all from one state of the database.
    pub async fn usage_in(&self, stretches: &[Stretch], by: &[Dimension]) -> Result<Vec<Groups>> {
        let asked: Vec<_> = stretches.iter().map(|stretch| (*stretch, by)).collect();
        self.usage_of(&asked).await
    }

    /// The same for stretches that are each told apart by dimensions of their own. Tier, model and status cost little for
    /// any number of stretches; the other dimensions are better asked for a long stretch than for many short ones.
    pub async fn usage_of(&self, asked: &[(Stretch, &[Dimension])]) -> Result<Vec<Groups>> {
        let mut read = self.read().await?;
        let mut found = Vec::with_capacity(asked.len());
        for (stretch, by) in asked {
            let (table, spans) = if by.iter().all(|dimension| dimension.is_in_totals()) {
                ("totals", TOTALS)
            } else {
                ("rollups", ROLLUPS)
            };
            let (sql, mut groups) = (select(table, by), Groups::new());
            for piece in stretch.pieces(spans) {
                add_piece(&mut read, &sql, (piece, by), &mut groups).await?;
            }
            found.push(groups);
        }
        Ok(found)
    }

    /// What each model cost since then, by the attempts' start, by name. Exact for a moment at a full quarter of an hour,
    /// as the beginning of a day is; else from the beginning of that quarter.
    pub async fn spend(&self, since: Timestamp) -> Result<Vec<(ModelName, NanoUsd)>> {
        let groups = self.usage(Stretch::since(since), &[Dimension::Model]).await?;
        let spent = groups.into_iter().filter(|(_, sums)| sums.attempts > 0);
        Ok(spent.map(|(names, sums)| (ModelName::from(names.concat()), sums.cost)).collect())
    }

    /// When the first request that the rollups know came in, to the quarter of an hour.
    pub async fn first_use(&self) -> Result<Option<Timestamp>> {
        let first: Option<i64> =
            sqlx::query_scalar("SELECT min(start) FROM rollups WHERE span = 900").fetch_one(&self.reader).await?;
        Ok(first.and_then(|second| Timestamp::from_second(second).ok()))
    }
}

/// Money is summed in halves, because SQLite gives up on a sum that passes 64 bits. Counts are held small enough.
fn select(table: &str, by: &[Dimension]) -> String {
    let names: String = by.iter().map(|dimension| format!("{}, ", dimension.as_str())).collect();
    let groups: Vec<&str> = by.iter().map(|dimension| dimension.as_str()).collect();
    let group = if groups.is_empty() { String::new() } else { format!(" GROUP BY {}", groups.join(", ")) };
    let counts = COUNTS.map(|column| format!("coalesce(sum({column}), 0) AS {column}")).join(", ");
    let money = MONEY
        .map(|column| {
            format!(
                "coalesce(sum({column} >> 32), 0) AS {column}_high, \
                 coalesce(sum({column} & 4294967295), 0) AS {column}_low"
            )
        })
        .join(", ");
    format!("SELECT {names}{counts}, {money} FROM {table} WHERE span = ? AND start >= ? AND start < ?{group}")
}

const COUNTS: [&str; 13] = [
    "requests",
    "latency_us",
    "counterfactual_unknown",
    "attempts",
    "skipped",
    "accepted",
    "rejected",
    "escalations",
    "tokens_in",
    "tokens_cached",
    "tokens_out",
    "tokens_estimated",
    "usage_unknown",
];

const MONEY: [&str; 5] = ["counterfactual", "cost_estimated", "cost", "wasted", "saved"];

async fn add_piece(
    conn: &mut SqliteConnection,
    sql: &str,
    (piece, by): (Piece, &[Dimension]),
    groups: &mut Groups,
) -> Result<()> {
    // Made of the words above alone.
    let query = sqlx::query(AssertSqlSafe(sql)).bind(piece.span).bind(piece.from).bind(piece.until);
    for row in &query.fetch_all(conn).await? {
        let sums = sums(row)?;
        if sums != Sums::default() {
            let names = by.iter().map(|dimension| cell(row, dimension.as_str()));
            *groups.entry(names.collect::<Result<_>>()?).or_default() += sums;
        }
    }
    Ok(())
}

fn sums(row: &SqliteRow) -> Result<Sums> {
    let count = |column| Ok::<u64, crate::error::Error>(cell::<i64>(row, column)?.unsigned_abs());
    Ok(Sums {
        requests: count("requests")?,
        latency: Duration::from_micros(count("latency_us")?),
        counterfactual: summed_as(row, "counterfactual_high", "counterfactual_low")?,
        counterfactual_unknown: count("counterfactual_unknown")?,
        attempts: count("attempts")?,
        skipped: count("skipped")?,
        accepted: count("accepted")?,
        rejected: count("rejected")?,
        escalations: count("escalations")?,
        usage: Usage {
            input: Tokens(count("tokens_in")?),
            cached_input: Tokens(count("tokens_cached")?),
            output: Tokens(count("tokens_out")?),
        },
        estimated: Tokens(count("tokens_estimated")?),
        cost_estimated: summed_as(row, "cost_estimated_high", "cost_estimated_low")?,
        usage_unknown: count("usage_unknown")?,
        cost: summed_as(row, "cost_high", "cost_low")?,
        wasted: summed_as(row, "wasted_high", "wasted_low")?,
        saved: summed_as(row, "saved_high", "saved_low")?,
    })
}
