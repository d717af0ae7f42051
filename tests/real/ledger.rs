//! The ledger as it lies in the database, read beside the running program, by plain SQL.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqliteRow};
use sqlx::{FromRow, Row};

pub struct Ledger {
    pool: SqlitePool,
    answered: Arc<AtomicI64>,
}

/// How long a row may take that is written beside the answer, or after it.
const PATIENCE: Duration = Duration::from_secs(120);

/// One row of `attempts` and the tool that it was made for.
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptRow {
    pub request: String,
    pub tool: String,
    pub model: String,
    pub kind: String,
    pub result: String,
    pub check_reason: Option<String>,
    pub failure: Option<String>,
    pub tokens_in: i64,
    pub tokens_out: i64,
    pub usage: String,
    pub cost: i64,
    pub http_status: Option<i64>,
}

/// One row of `requests`, as far as it is looked at here.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestRow {
    pub id: String,
    pub tool: String,
    pub route: String,
    pub status: String,
    pub model: Option<String>,
    pub attempts: i64,
    pub tokens_in: i64,
    pub tokens_out: i64,
    pub cost: i64,
    pub wasted: i64,
}

impl Ledger {
    pub async fn open(database: &Path) -> Self {
        let options = SqliteConnectOptions::new().filename(database).read_only(true);
        Self { pool: SqlitePool::connect_with(options).await.unwrap(), answered: Arc::default() }
    }

    /// Has at least as many requests as were answered, whenever it is read: on a machine that is busy for longer than an
    /// answer waits for its row, the row comes after it.
    #[allow(dead_code, reason = "the tests with real programs wait for their figures anyway")]
    pub fn of(self, answered: Arc<AtomicI64>) -> Self {
        Self { answered, ..self }
    }

    async fn pool(&self) -> &SqlitePool {
        let begun = Instant::now();
        loop {
            let (rows,): (i64,) = sqlx::query_as("SELECT count(*) FROM requests").fetch_one(&self.pool).await.unwrap();
            let answered = self.answered.load(Ordering::Relaxed);
            if rows >= answered {
                return &self.pool;
            }
            assert!(begun.elapsed() < PATIENCE, "{answered} requests were answered, {rows} have rows");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// In the order in which they were made.
    pub async fn attempts(&self) -> Vec<AttemptRow> {
        let sql = "SELECT a.*, r.tool FROM attempts a JOIN requests r ON r.id = a.request ORDER BY r.seq, a.n";
        sqlx::query_as(sql).fetch_all(self.pool().await).await.unwrap()
    }

    /// The requests that wanted a model.
    pub async fn requests(&self) -> Vec<RequestRow> {
        let sql = "SELECT * FROM requests WHERE tier_wanted <> 'none' ORDER BY seq";
        sqlx::query_as(sql).fetch_all(self.pool().await).await.unwrap()
    }

    /// A statement with one number for an answer; an empty sum is 0.
    pub async fn number(&self, sql: &'static str) -> i64 {
        let (sum,): (Option<i64>,) = sqlx::query_as(sql).fetch_one(self.pool().await).await.unwrap();
        sum.unwrap_or(0)
    }

    /// A statement with a word and a number in each row.
    pub async fn numbers(&self, sql: &'static str) -> Vec<(String, i64)> {
        sqlx::query_as(sql).fetch_all(self.pool().await).await.unwrap()
    }
}

impl FromRow<'_, SqliteRow> for AttemptRow {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            request: row.try_get("request")?,
            tool: row.try_get("tool")?,
            model: row.try_get("model")?,
            kind: row.try_get("kind")?,
            result: row.try_get("result")?,
            check_reason: row.try_get("check_reason")?,
            failure: row.try_get("failure")?,
            tokens_in: row.try_get("tokens_in")?,
            tokens_out: row.try_get("tokens_out")?,
            usage: row.try_get("usage")?,
            cost: row.try_get("cost")?,
            http_status: row.try_get("http_status")?,
        })
    }
}

impl FromRow<'_, SqliteRow> for RequestRow {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            tool: row.try_get("tool")?,
            route: row.try_get("route")?,
            status: row.try_get("status")?,
            model: row.try_get("model")?,
            attempts: row.try_get("attempts")?,
            tokens_in: row.try_get("tokens_in")?,
            tokens_out: row.try_get("tokens_out")?,
            cost: row.try_get("cost")?,
            wasted: row.try_get("wasted")?,
        })
    }
}
