//! Reads recorded traffic from the ledger: in short reads, two at a time, never more than a few thousand rows at once.

use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;

use super::traffic::{BLOCKS, Traffic};
use crate::classify::{CHECKS_AT_MOST, LOOK_BACK};
use crate::error::Result;
use crate::store::{Store, TrafficSpan};

/// Rows of one read; of a sample fewer, so that more parts of a day are in it.
const READ: i64 = 500;
const READ_OF_A_SAMPLE: i64 = 100;

/// Reads under way at a time; the store has three connections for reading.
const READS: usize = 3;

/// Which part of the recorded traffic is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    pub since: Timestamp,
    /// Of more requests than this, evenly spread runs of so many in all are read. `None`: all are.
    pub at_most: Option<u64>,
}

/// `progress` hears how many rows were read, and of how many.
pub async fn traffic(store: &Store, sample: Sample, mut progress: impl FnMut(u64, u64)) -> Result<(Traffic, u64)> {
    let mut traffic = Traffic::default();
    let Some(span) = store.traffic_span(sample.since).await? else { return Ok((traffic, 0)) };
    let every = every(span, sample.at_most);
    let length = if every > 1 { READ_OF_A_SAMPLE } else { READ };
    let expected = span.requests / every;
    let run = usize::try_from(expected).unwrap_or(usize::MAX) / (BLOCKS * 8);
    let starts =
        (span.first..=span.last).step_by(length as usize).step_by(usize::try_from(every).unwrap_or(usize::MAX));
    let mut reads = stream::iter(starts)
        .map(|start| store.traffic(start..=(start + length - 1).min(span.last), sample.since))
        .buffered(READS);
    while let Some(requests) = reads.try_next().await? {
        for request in &requests {
            traffic.add(request, run.clamp(1, length as usize));
        }
        progress(traffic.requests, expected);
    }
    let since = sample.since.checked_sub(LOOK_BACK).unwrap_or(Timestamp::MIN);
    let before = store.checked(since..sample.since, CHECKS_AT_MOST).await?;
    Ok((traffic.finish(span.requests, &before), span.requests))
}

/// Every how many runs of rows one is read. Runs that stand in line, not single rows: a row costs its page, whichever
/// of the rows on it are wanted.
fn every(span: TrafficSpan, at_most: Option<u64>) -> u64 {
    at_most.map_or(1, |most| span.requests.div_ceil(most.max(1))).max(1)
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
