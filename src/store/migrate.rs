//! The schema's versions. Each step is one SQL file, and all that are missing run in the one transaction that the
//! caller opened, so two processes that open a new file at the same moment take turns.
//!
//! sqlx's own migrator takes no lock on SQLite, which is why it is not used.

use sqlx::{AssertSqlSafe, SqliteConnection};

use crate::error::{Error, Kind, Result};

/// In order; the version of a database is the number of steps that it has taken. Steps are never edited, only added.
const STEPS: &[&str] = &[
    include_str!("migrations/0001_initial.sql"),
    include_str!("migrations/0002_health.sql"),
    include_str!("migrations/0003_rollups.sql"),
    include_str!("migrations/0004_decisions.sql"),
    include_str!("migrations/0005_reservations.sql"),
    include_str!("migrations/0006_processes.sql"),
    include_str!("migrations/0007_pass_rates.sql"),
    include_str!("migrations/0008_saved.sql"),
    include_str!("migrations/0009_totals.sql"),
    include_str!("migrations/0010_kept_back.sql"),
    include_str!("migrations/0011_refusals.sql"),
    include_str!("migrations/0012_escalations.sql"),
    include_str!("migrations/0013_lost_rows.sql"),
];

/// A database of this version has nothing to take.
pub(super) const NEWEST: usize = STEPS.len();

/// "tgat", in the file's header: this database is ours.
const APPLICATION_ID: i64 = 0x7467_6174;

/// Brings the schema to the newest version, inside an IMMEDIATE transaction.
pub(super) async fn migrate(conn: &mut SqliteConnection) -> Result<()> {
    migrate_to(NEWEST, conn).await
}

/// Tests of a later step stop before it.
pub(super) async fn migrate_to(target: usize, conn: &mut SqliteConnection) -> Result<()> {
    let version = version(conn).await?;
    if version >= target {
        return Ok(());
    }
    for step in &STEPS[version..target] {
        sqlx::raw_sql(*step).execute(&mut *conn).await?;
    }
    let stamp = format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {target}");
    sqlx::raw_sql(AssertSqlSafe(stamp)).execute(conn).await?;
    Ok(())
}

/// How many steps the database has taken; an error when it is not ours or newer than this program. It only reads, so
/// it can be asked before anything is changed.
pub(super) async fn version(conn: &mut SqliteConnection) -> Result<usize> {
    let application: i64 = sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut *conn).await?;
    let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *conn).await?;
    let objects: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema").fetch_one(conn).await?;
    let untouched = application == 0 && version == 0 && objects == 0;
    if application != APPLICATION_ID && !untouched {
        return Err(Error::new(Kind::Storage, "The database belongs to another program")
            .hint("Name another file with --database or TASKGATE_DATABASE_URL; it is left as it was."));
    }
    match usize::try_from(version) {
        Ok(known) if known <= STEPS.len() => Ok(known),
        _ => Err(Error::new(
            Kind::Storage,
            format!("The database has schema version {version}; this taskgate knows versions up to {}", STEPS.len()),
        )
        .hint("A newer taskgate wrote it. Update taskgate, or name another file with --database.")),
    }
}
