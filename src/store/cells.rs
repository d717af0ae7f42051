//! How single values stand in a column: times, days, durations, tokens, words, JSON. Both directions of each.
//!
//! A value that cannot be read back is a fault of the store, never a panic.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::sqlite::SqliteRow;
use sqlx::{Decode, Row, Sqlite, Type};

use crate::chat::{NanoUsd, Tokens};
use crate::error::{Error, Kind, Result};

const NANOS_PER_MS: f64 = 1_000_000.0;

/// RFC 3339 with a fixed number of decimals: text of the same length sorts by time.
pub(super) fn time(at: Timestamp) -> String {
    format!("{at:.9}")
}

/// Milliseconds with a fraction: people and SQL read milliseconds, and no nanosecond is lost in up to three weeks.
pub(super) fn millis(duration: Duration) -> f64 {
    duration.as_nanos() as f64 / NANOS_PER_MS
}

pub(super) fn duration(millis: f64) -> Duration {
    Duration::from_nanos((millis * NANOS_PER_MS).round() as u64)
}

/// SQLite's integers are signed. No real count comes near the bound; a nonsensical one stays the largest there is.
pub(super) fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn count(tokens: Tokens) -> i64 {
    whole(tokens.0)
}

pub(super) fn json<T: Serialize + ?Sized>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| {
        Error::new(Kind::Internal, "A record could not be written as JSON").hint("Look in the log.").source(error)
    })
}

pub(super) fn from_json<T: DeserializeOwned>(text: &str, what: &'static str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| unreadable(what).source(error))
}

/// A column that holds what the record says it holds, or the fault that names the column.
pub(super) fn cell<'r, T>(row: &'r SqliteRow, column: &'static str) -> Result<T>
where
    T: Decode<'r, Sqlite> + Type<Sqlite>,
{
    row.try_get(column).map_err(|error| unreadable(column).source(error))
}

/// A column of text that a type reads: a time, a day.
pub(super) fn parsed<T>(row: &SqliteRow, column: &'static str) -> Result<T>
where
    T: std::str::FromStr,
    T::Err: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let text: &str = cell(row, column)?;
    text.parse().map_err(|error: T::Err| unreadable(column).source(error))
}

pub(super) fn parsed_or_none<T>(row: &SqliteRow, column: &'static str) -> Result<Option<T>>
where
    T: std::str::FromStr,
    T::Err: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    match cell::<Option<&str>>(row, column)? {
        Some(text) => text.parse().map(Some).map_err(|error: T::Err| unreadable(column).source(error)),
        None => Ok(None),
    }
}

/// A column that holds one word of a closed set.
pub(super) fn word<T>(row: &SqliteRow, column: &'static str, parse: fn(&str) -> Option<T>) -> Result<T> {
    parse(cell(row, column)?).ok_or_else(|| unreadable(column))
}

pub(super) fn tokens(row: &SqliteRow, column: &'static str) -> Result<Tokens> {
    let count: i64 = cell(row, column)?;
    u64::try_from(count).map(Tokens).map_err(|error| unreadable(column).source(error))
}

/// Two columns that `summed` reads. SQLite gives up on a sum that passes 64 bits, so it runs over both halves of each
/// amount.
macro_rules! halves {
    ($column:literal) => {
        concat!("sum(", $column, " >> 32) AS high, sum(", $column, " & 4294967295) AS low")
    };
}
pub(super) use halves;

/// The sum of no rows is zero; one that does not fit is the largest there is.
pub(super) fn summed(row: &SqliteRow) -> Result<NanoUsd> {
    summed_as(row, "high", "low")
}

/// The same, of halves by other names.
pub(super) fn summed_as(row: &SqliteRow, high: &'static str, low: &'static str) -> Result<NanoUsd> {
    let half = |column| Ok::<i128, Error>(cell::<Option<i64>>(row, column)?.unwrap_or(0).into());
    let sum = (half(high)? << 32) + half(low)?;
    Ok(NanoUsd(i64::try_from(sum).unwrap_or(if sum < 0 { i64::MIN } else { i64::MAX })))
}

pub(super) fn unreadable(what: &'static str) -> Error {
    Error::new(Kind::Storage, format!("A stored record could not be read: `{what}` holds something unknown"))
        .hint("The database may have been written by a newer taskgate or by hand. Update taskgate or restore a backup.")
}
