//! How budgets stand: what the rollups have of a scope and a period, and what is set aside beside it.
//!
//! A budget that is new, renamed or changed counts what was spent before it was written.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::SqliteConnection;

use super::cells::{cell, halves, parsed, summed, time};
use super::rollups::ROLLUPS;
use super::{Store, Stretch};
use crate::chat::NanoUsd;
use crate::error::Result;
use crate::names::BudgetName;
use crate::request::{Allowance, Standing};

impl Store {
    /// How each allowance stands now, in their order.
    pub async fn standings(&self, allowances: &[Allowance]) -> Result<Vec<Standing>> {
        standings(&mut *self.read().await?, allowances).await
    }

    /// The budgets that kept a call back since then, and when each did so last.
    pub async fn last_refusals(&self, since: Timestamp) -> Result<BTreeMap<BudgetName, Timestamp>> {
        let rows = sqlx::query(
            "SELECT budget, max(started_at) AS last FROM attempts WHERE budget IS NOT NULL AND started_at >= ? \
             GROUP BY budget",
        );
        let rows = rows.bind(time(since)).fetch_all(&self.reader).await?;
        rows.iter().map(|row| Ok((BudgetName::from(cell::<&str>(row, "budget")?), parsed(row, "last")?))).collect()
    }
}

/// The same as part of a read or a write that the caller began.
pub(super) async fn standings(conn: &mut SqliteConnection, allowances: &[Allowance]) -> Result<Vec<Standing>> {
    let mut standings = Vec::with_capacity(allowances.len());
    for allowance in allowances {
        let (spent, reserved) = (spent(conn, allowance).await?, reserved(conn, allowance).await?);
        standings.push(Standing { spent, reserved });
    }
    Ok(standings)
}

/// Periods begin at midnights, and all midnights are at full quarters of an hour: rollups know them exactly.
async fn spent(conn: &mut SqliteConnection, allowance: &Allowance) -> Result<NanoUsd> {
    let mut spent = NanoUsd::ZERO;
    for piece in Stretch::between(allowance.begins, allowance.ends).pieces(ROLLUPS) {
        let row = sqlx::query(concat!(
            "SELECT ",
            halves!("cost"),
            " FROM rollups WHERE span = ? AND start >= ? AND start < ? \
             AND ? IN ('all', 'model:' || model, 'caller:' || caller, 'tool:' || tool)"
        ));
        let row = row.bind(piece.span).bind(piece.from).bind(piece.until).bind(allowance.scope.to_string());
        spent += summed(&row.fetch_one(&mut *conn).await?)?;
    }
    Ok(spent)
}

/// Also what dead owners have left: it counts in full until it is in the ledger.
async fn reserved(conn: &mut SqliteConnection, allowance: &Allowance) -> Result<NanoUsd> {
    let row = sqlx::query(concat!(
        "SELECT ",
        halves!("amount"),
        " FROM reservations WHERE at >= ? AND at < ? \
         AND ? IN ('all', 'model:' || model, 'caller:' || caller, 'tool:' || tool)"
    ));
    let row = row.bind(time(allowance.begins)).bind(time(allowance.ends)).bind(allowance.scope.to_string());
    summed(&row.fetch_one(conn).await?)
}
