//! Once a day, whichever process's turn it is: requests that are older than the policy keeps them are deleted, in small
//! steps with pauses, so that nobody waits for the database. The sums over them stay.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::App;
use super::upkeep::every;
use crate::error::Result;

/// A session that is only just starting, or that is over in a moment, has something better to do.
const FIRST: Duration = Duration::from_secs(60);
/// How soon it is noticed that a day is over, or that the policy keeps less from now on.
const EVERY: Duration = Duration::from_secs(600);
const A_DAY: i64 = 24 * 60 * 60;

/// Whoever holds it deletes; its cursor says up to when all is deleted, in seconds since 1970.
const LEASE: &str = "forget";
/// A process that is gone is replaced when this is over.
const LEASE_FOR: Duration = Duration::from_secs(60);

/// Some tens of milliseconds of writing, and about as long a pause.
const REQUESTS_AT_ONCE: u32 = 200;
const PAUSE: Duration = Duration::from_millis(50);

/// Until `stop`.
pub(super) async fn forget(app: &App, stop: &CancellationToken) {
    tokio::select! {
        () = sleep(FIRST) => {}
        () = stop.cancelled() => return,
    }
    every(EVERY, "what the ledger keeps", stop, || forget_old(app, Timestamp::now(), stop)).await;
}

async fn forget_old(app: &App, now: Timestamp, stop: &CancellationToken) -> Result<()> {
    let cutoff = now.checked_sub(app.policy().retain).unwrap_or(Timestamp::MIN);
    let forgotten = app.store.lease_cursor(LEASE).await?;
    let due = cutoff.as_second() - forgotten >= A_DAY;
    while due && !stop.is_cancelled() && app.store.take_lease(LEASE, Timestamp::now(), LEASE_FOR).await? {
        let deleted = app.store.forget_before(cutoff, REQUESTS_AT_ONCE).await?;
        if deleted < u64::from(REQUESTS_AT_ONCE) {
            return app.store.set_lease_cursor(LEASE, cutoff.as_second()).await;
        }
        sleep(PAUSE).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;
    use std::time::Instant;

    use jiff::{SignedDuration, ToSpan};

    use super::*;
    use crate::gateway::fixtures;
    use crate::request::{Measures, Status};

    async fn app(database: &Path) -> App {
        App::open("serve", Arc::new(fixtures::policy()), database).await.unwrap()
    }

    async fn rows(app: &App) -> usize {
        app.store.outcomes_after(0, 1_000).await.unwrap().len()
    }

    #[tokio::test]
    async fn old_requests_are_forgotten_once_a_day_by_one_process() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("taskgate.db");
        let (one, other, stop) = (app(&database).await, app(&database).await, CancellationToken::new());
        let note = || async {
            let signals = fixtures::signals("list_tasks", Measures::default());
            one.gateway.note(signals, Status::Ok, Instant::now()).await
        };
        for _ in 0..=REQUESTS_AT_ONCE {
            note().await;
        }
        let keeps = SignedDuration::try_from(fixtures::policy().retain).unwrap();
        let later = |hours: i64| Timestamp::now() + keeps + hours.hours();
        forget_old(&one, later(-1), &stop).await.unwrap();
        assert_eq!(rows(&one).await, 201, "they are not old yet");
        // An hour later they are, and a day has not passed; two hours more, and the other process holds the lease.
        forget_old(&one, later(1), &stop).await.unwrap();
        assert_eq!(rows(&one).await, 201);
        forget_old(&other, later(24), &stop).await.unwrap();
        assert_eq!(rows(&one).await, 201, "the other's lease has not ended");
        forget_old(&one, later(24), &stop).await.unwrap();
        assert_eq!(rows(&one).await, 0, "more than one step");
        note().await;
        forget_old(&one, later(24 + 1), &stop).await.unwrap();
        assert_eq!(rows(&one).await, 1, "once a day");
    }

    #[tokio::test]
    async fn a_process_that_ends_stops_in_the_middle() {
        let folder = tempfile::tempdir().unwrap();
        let app = app(&folder.path().join("taskgate.db")).await;
        app.gateway.note(fixtures::signals("list_tasks", Measures::default()), Status::Ok, Instant::now()).await;
        let stop = CancellationToken::new();
        stop.cancel();
        forget_old(&app, Timestamp::now() + 10_000.hours(), &stop).await.unwrap();
        assert_eq!(rows(&app).await, 1);
    }
}
