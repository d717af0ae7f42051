//! What the database says, in words for people: which kind of failure, and what to do about it.
//!
//! No SQL and no file path stands in a message. The cause goes along as the source, for the log.

use std::borrow::Cow;

use crate::error::{Error, Kind};

/// The primary result codes of SQLite that say something to a person; see sqlite.org/rescode.html.
const BUSY: u32 = 5;
const LOCKED: u32 = 6;
const READONLY: u32 = 8;
const IOERR: u32 = 10;
const CORRUPT: u32 = 11;
const FULL: u32 = 13;
const CANTOPEN: u32 = 14;
const TOOBIG: u32 = 18;
const CONSTRAINT: u32 = 19;
const MISMATCH: u32 = 20;
const NOTADB: u32 = 26;

/// Extended codes carry the primary one in their lowest byte.
const PRIMARY: u32 = 0xff;

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        let (message, hint) = describe(&error);
        Self::new(Kind::Storage, message).hint(hint).source(error)
    }
}

/// Another process holds the lock: the same call may work a moment later.
pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    matches!(code(error), Some(BUSY | LOCKED))
}

/// What was to be written is at fault, not the database: other rows can still be written.
pub(super) fn is_of_a_row(error: &Error) -> bool {
    let cause = std::error::Error::source(error).and_then(|source| source.downcast_ref::<sqlx::Error>());
    cause.is_none_or(|cause| matches!(code(cause), Some(TOOBIG | CONSTRAINT | MISMATCH)))
}

fn describe(error: &sqlx::Error) -> (&'static str, &'static str) {
    let again = "Try again in a moment. If it goes on, look for a program that holds the database open.";
    match error {
        sqlx::Error::PoolTimedOut => return ("The database is busy", again),
        sqlx::Error::PoolClosed => return ("The database is closed", "taskgate is shutting down; start it again."),
        _ => {}
    }
    match code(error) {
        Some(BUSY | LOCKED) => ("The database is busy: another process is writing", again),
        Some(READONLY) => (
            "The database cannot be written to",
            "Check the permissions of the database file and its folder, and that the disk is not mounted read-only.",
        ),
        Some(IOERR) => (
            "The disk failed while the database was in use",
            "Check that the disk is well and not full. A folder on a network share or in a synchronized drive is not a safe place for the database.",
        ),
        Some(CORRUPT | NOTADB) => (
            "The database file is damaged, or is not a database",
            "Restore a backup, or name another file with --database or TASKGATE_DATABASE_URL.",
        ),
        Some(FULL) => ("The disk is full: nothing was saved", "Free some space, then try again."),
        Some(CANTOPEN) => (
            "The database file cannot be opened",
            "Check that the path names a file, not a folder, and that you may read and write it.",
        ),
        _ => ("The database failed", "Look in the log for the cause, then try again."),
    }
}

fn code(error: &sqlx::Error) -> Option<u32> {
    let code: Cow<'_, str> = error.as_database_error()?.code()?;
    code.parse::<u32>().ok().map(|extended| extended & PRIMARY)
}
