//! The open database: one connection that writes, a few that read, and how a write begins.
//!
//! Several processes share one file. WAL lets readers go on beside a writer; writers of all processes queue up at
//! `BEGIN IMMEDIATE` for at most `PATIENCE`. Within a process the writers queue for the one writing connection, so
//! SQLite's lock is fought for by processes only.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::{Duration, Instant};

use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Sqlite, SqlitePool, Transaction};
use uuid::Uuid;

use super::batches::Queue;
use super::{fault, files, migrate};
use crate::error::{Error, Kind, Result};

/// How long a write waits for the writes of other processes.
const PATIENCE: Duration = Duration::from_secs(10);

/// A caller in this process may have to wait for one that waits for another process.
const POOL_PATIENCE: Duration = Duration::from_secs(15);

/// How soon the switch to WAL is tried again while another process makes it: SQLite does not wait there by itself.
const SWITCH_PAUSE: Duration = Duration::from_millis(10);

const READERS: u32 = 3;

/// Pages that each connection keeps, in KiB (negative means that to SQLite): the operating system caches the file too,
/// and Claude Desktop runs each server twice.
const PAGE_CACHE: &str = "-512";

/// Statements kept prepared on each connection; all of ours and the common forms of the task list fit.
const STATEMENTS: usize = 200;

/// The database. Clones share it.
#[derive(Debug, Clone)]
pub struct Store {
    writer: SqlitePool,
    pub(super) reader: SqlitePool,
    /// The row of this process in `processes`; 0 until it registers.
    pub(super) process: Arc<AtomicI64>,
    /// The name under which this store and its clones hold leases.
    pub(super) owner: Arc<str>,
    /// Where requests over HTTP wait to be recorded in batches; `None`: each is recorded at once.
    pub(super) queue: Option<Queue>,
}

impl Store {
    /// Opens the file, made first if it is not there, and brings its schema to the newest version.
    ///
    /// The hint of an error names the path: whoever opens a database chose it.
    pub async fn open(path: &Path) -> Result<Self> {
        Self::open_at(path).await.map_err(|error| {
            let next = error.hint.clone().unwrap_or_default();
            error.hint(format!("The database is {}. {next}", path.display()))
        })
    }

    /// Waits until what is under way has ended, then closes the file.
    pub async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<()> {
        sqlx::query("SELECT value FROM counters WHERE name = 'task'").fetch_one(&self.reader).await?;
        Ok(())
    }

    /// Begins a write. Dropping it undoes everything, also when the caller's future is dropped halfway.
    pub(super) async fn write(&self) -> Result<Transaction<'static, Sqlite>> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// Begins a read of several statements that all see the same state of the database.
    pub(super) async fn read(&self) -> Result<Transaction<'static, Sqlite>> {
        Ok(self.reader.begin_with("BEGIN DEFERRED").await?)
    }

    async fn open_at(path: &Path) -> Result<Self> {
        let path = files::prepare(path).await?;
        if path.is_dir() {
            return Err(Error::new(Kind::Storage, "The database path is a folder").hint("Name a file in it."));
        }
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .foreign_keys(true)
            .busy_timeout(PATIENCE)
            .synchronous(SqliteSynchronous::Normal)
            .statement_cache_capacity(STATEMENTS)
            .pragma("cache_size", PAGE_CACHE)
            .disable_statement_logging();
        let writer = pool(1).connect_with(options.clone()).await?;
        let reader = pool(READERS).connect_lazy_with(options.pragma("query_only", "on"));
        let store =
            Self { writer, reader, process: Arc::default(), owner: Uuid::now_v7().to_string().into(), queue: None };
        // In a transaction of its own: the questions it asks must all see the same state of the file.
        let version = migrate::version(&mut *store.writer.begin().await?).await?;
        store.switch_to_wal().await?;
        // A database that needs nothing opens beside one who writes.
        if version < migrate::NEWEST {
            let mut write = store.write().await?;
            migrate::migrate(&mut write).await?;
            write.commit().await?;
        }
        Ok(store)
    }

    async fn switch_to_wal(&self) -> Result<()> {
        let begun = Instant::now();
        loop {
            match sqlx::query_scalar::<_, String>("PRAGMA journal_mode = WAL").fetch_one(&self.writer).await {
                Ok(mode) if mode.eq_ignore_ascii_case("wal") => return Ok(()),
                Ok(_) => {
                    return Err(Error::new(Kind::Storage, "The disk does not support what the database needs (WAL)")
                        .hint("Put the database on a local disk, not on a network share."));
                }
                Err(error) if fault::is_busy(&error) && begun.elapsed() < PATIENCE => {
                    tokio::time::sleep(SWITCH_PAUSE).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(POOL_PATIENCE)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        // SQLite ends a transaction on its own after some failures (a full disk, a failing one), and the connection goes on
        // counting it as open. Such a connection is thrown away when it is met; the pool makes a new one.
        .before_acquire(|connection, _| Box::pin(async { Ok(!connection.is_in_transaction()) }))
}
