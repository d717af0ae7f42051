//! What is kept: tasks with every change, the ledger of requests and attempts with sums over it, reservations, processes, which models
//! were well. One SQLite file.
//!
//! It knows no policy rule, no model and no door. All SQL of the crate is in this folder, behind the plain functions of
//! `Store`; a second implementation (PostgreSQL) takes the same functions. Read `database` first: how the file is opened
//! and how a write begins. Times are kept as RFC 3339 text with nine decimals, money as integer nano-dollars.

mod batches;
mod budgets;
mod cells;
mod checked;
mod database;
mod fault;
mod files;
mod health;
mod keys;
mod leases;
mod ledger;
mod links;
mod list;
mod migrate;
mod outcomes;
mod processes;
mod read;
mod reservations;
mod retention;
mod rollups;
mod rows;
mod shown;
mod stretch;
mod tasks;
#[cfg(test)]
mod tests;
mod traffic;
mod types;
mod usage;

pub use batches::BatchWriter;
pub use database::Store;
pub use rollups::Sums;
pub use shown::SeenHealth;
pub use stretch::Stretch;
pub use traffic::{PastAttempt, PastRequest, TrafficSpan};
pub use types::{Change, Created, Deleted, IdempotencyKey, Listing, OpenRequest, Process, Recorded, Reserved, Updated};
pub use usage::{Dimension, Groups};
