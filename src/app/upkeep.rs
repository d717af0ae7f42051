//! What goes on beside the door: the heartbeat, the budgets, the folding of histograms, and in a server the figures that come from
//! the database: sums, counts, and the requests of processes that nobody scrapes.
//!
//! A database that cannot be read for a while stops none of it; it is told once, and once again when it is back.

use std::future::Future;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::App;
use super::forget::forget;
use crate::classify::{CHECKS_AT_MOST, LEARN_EVERY, LOOK_BACK, PassRates};
use crate::error::Result;
use crate::gateway::{Gateway, together};
use crate::request::Door;
use crate::store::Store;
use crate::telemetry::Period;

/// How soon a request of another process shows in the metrics.
const TAIL_EVERY: Duration = Duration::from_secs(1);
/// As often as Prometheus scrapes, more or less.
const GAUGES_EVERY: Duration = Duration::from_secs(5);
const HEARTBEAT_EVERY: Duration = Duration::from_secs(15);
/// A process that was not heard for so long is gone, without having said so.
pub const SILENT: Duration = Duration::from_secs(45);

/// Whoever holds it counts the requests of processes that bind no port.
const LEASE: &str = "tail";
/// Long enough for a slow disk, short enough that a dead server is replaced before the next scrape but two.
const LEASE_FOR: Duration = Duration::from_secs(15);
const ROWS_AT_ONCE: u32 = 500;

/// Beside `taskgate mcp`, until `stop`.
pub(super) async fn of_a_session(app: &App, stop: &CancellationToken) {
    tokio::join!(
        fold(app, stop),
        beat(app, stop),
        money(app, HEARTBEAT_EVERY, stop),
        relearn(app, stop),
        forget(app, stop)
    );
}

/// Beside `taskgate serve`, until `stop`.
pub(super) async fn of_a_server(app: &App, stop: &CancellationToken) {
    app.metrics.ledger_level(Instant::now());
    let tail = async {
        every(TAIL_EVERY, "the ledger of other processes", stop, || tail(app)).await;
        // The next server need not wait. What is not counted yet is left to it: nobody scrapes this one any more.
        if let Err(error) = app.store.take_lease(LEASE, Timestamp::now(), Duration::ZERO).await {
            tracing::warn!("the next server has to wait for the rows of other processes: {error}");
        }
    };
    let gauges = every(GAUGES_EVERY, "spend and task counts", stop, || gauges(app));
    tokio::join!(
        fold(app, stop),
        beat(app, stop),
        money(app, GAUGES_EVERY, stop),
        relearn(app, stop),
        forget(app, stop),
        tail,
        gauges
    );
}

async fn fold(app: &App, stop: &CancellationToken) {
    every(GAUGES_EVERY, "the metrics", stop, || async {
        app.metrics.upkeep();
        Ok(())
    })
    .await;
}

async fn beat(app: &App, stop: &CancellationToken) {
    every(HEARTBEAT_EVERY, "this process's heartbeat", stop, || async {
        app.beat().await?;
        app.gateway.keep_turns().await;
        app.gateway.doubt(app.store.open_models().await?.into_iter().map(|(model, _)| model));
        Ok(())
    })
    .await;
}

/// Records what processes that are gone had set aside, and looks at how the budgets stand.
async fn money(app: &App, period: Duration, stop: &CancellationToken) {
    every(period, "the budgets", stop, || async {
        for request in app.store.settle_lost(Timestamp::now()).await? {
            tracing::warn!(%request, "request {request} was never recorded: its calls count at what was set aside for them");
        }
        app.gateway.look_at_budgets().await
    })
    .await;
}

/// Reads how the models' answers did in checks, and lets requests go by it from now on.
pub(super) async fn learn(store: &Store, gateway: &Gateway) -> Result<()> {
    let now = Timestamp::now();
    let since = now.checked_sub(LOOK_BACK).unwrap_or(Timestamp::MIN);
    gateway.learn(PassRates::new(&store.checked(since..Timestamp::MAX, CHECKS_AT_MOST).await?, now));
    Ok(())
}

async fn relearn(app: &App, stop: &CancellationToken) {
    every(LEARN_EVERY, "pass rates", stop, || learn(&app.store, &app.gateway)).await;
}

pub(super) async fn every<F: Future<Output = Result<()>>>(
    period: Duration,
    what: &str,
    stop: &CancellationToken,
    mut work: impl FnMut() -> F,
) {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stop.cancelled() => return,
        }
        match work().await {
            Ok(()) if failing => tracing::info!("{what}: working again"),
            Err(error) if !failing => tracing::warn!("{what}: not up to date, {error}"),
            Ok(()) | Err(_) => continue,
        }
        failing = !failing;
    }
}

/// Counts what other processes have recorded since the cursor, if it is this process's turn to.
async fn tail(app: &App) -> Result<()> {
    let before = Instant::now();
    if app.store.take_lease(LEASE, Timestamp::now(), LEASE_FOR).await? {
        while count_rows(app).await? == ROWS_AT_ONCE as usize {}
        app.metrics.ledger_failed_elsewhere(app.store.take_lost_rows().await?);
    }
    app.metrics.ledger_level(before);
    Ok(())
}

/// The next rows behind the cursor; how many there were.
async fn count_rows(app: &App) -> Result<usize> {
    let rows = app.store.outcomes_after(app.store.lease_cursor(LEASE).await?, ROWS_AT_ONCE).await?;
    let Some(last) = rows.last() else { return Ok(0) };
    // Before the counting, which cannot fail: a cursor that does not move, because the database is busy or the lease went
    // to another process meanwhile, would have these rows counted twice.
    app.store.set_lease_cursor(LEASE, last.seq).await?;
    for row in &rows {
        if row.process != app.process && unscraped(row.outcome.signals.door) {
            app.metrics.observe(&row.outcome);
        }
    }
    Ok(rows.len())
}

/// A server that has HTTP doors is scraped itself and has counted what came in by them.
fn unscraped(door: Door) -> bool {
    match door {
        Door::Stdio | Door::Cli => true,
        Door::HttpMcp | Door::HttpChat => false,
    }
}

async fn gauges(app: &App) -> Result<()> {
    let (now, policy) = (Timestamp::now(), app.policy());
    app.gateway.show_health();
    // Most calls are made by processes that nobody scrapes.
    let seen = app.store.seen_health().await?;
    for own in app.gateway.health() {
        let seen = seen.iter().find(|seen| seen.model == own.model);
        app.metrics.set_breaker(&own.model, together(own.state, seen, now) as u8);
    }
    let (day, month) = beginnings(now, &policy.time_zone);
    app.metrics.set_spend(Period::Day, &app.store.spend(day).await?);
    app.metrics.set_spend(Period::Month, &app.store.spend(month).await?);
    app.metrics.set_tasks(&app.store.task_counts().await?);
    Ok(())
}

/// When the day and the month that `now` is in began, by the policy's clocks.
fn beginnings(now: Timestamp, zone: &TimeZone) -> (Timestamp, Timestamp) {
    let today = now.to_zoned(zone.clone()).date();
    let begin = |day: jiff::civil::Date| day.to_zoned(zone.clone()).map_or(now, |midnight| midnight.timestamp());
    (begin(today), begin(today.first_of_month()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::gateway::fixtures;
    use crate::request::{Measures, Status};

    async fn app(database: &Path) -> App {
        App::open("serve", Arc::new(fixtures::policy()), database).await.unwrap()
    }

    fn counted(app: &App) -> bool {
        let text = app.metrics.render();
        text.lines().any(|line| line.starts_with("taskgate_requests_total{") && !line.ends_with(" 0"))
    }

    #[tokio::test]
    async fn rows_are_counted_by_whoever_moved_the_cursor_over_them_and_once() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("taskgate.db");
        let (session, slow, quick) = (app(&database).await, app(&database).await, app(&database).await);
        let signals = fixtures::signals("list_tasks", Measures::default());
        session.gateway.note(signals, Status::Ok, Instant::now()).await;
        // The slow one held the lease once; it was asleep when it ran out.
        assert!(quick.store.take_lease(LEASE, Timestamp::now(), LEASE_FOR).await.unwrap());
        assert!(count_rows(&slow).await.is_err());
        assert_eq!((count_rows(&quick).await.unwrap(), counted(&quick), counted(&slow)), (1, true, false));
        assert_eq!(count_rows(&quick).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_row_that_a_session_has_lost_is_counted_by_one_server_and_once() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("taskgate.db");
        let session = App::open("mcp", Arc::new(fixtures::policy()), &database).await.unwrap();
        let (one, other) = (app(&database).await, app(&database).await);
        session.metrics.ledger_failed();
        one.metrics.ledger_failed();
        for app in [&session, &one, &other] {
            app.beat().await.unwrap();
        }
        tail(&one).await.unwrap();
        tail(&one).await.unwrap();
        tail(&other).await.unwrap();
        let lost =
            |app: &App, rows: u64| app.metrics.render().contains(&format!("taskgate_ledger_failures_total {rows}\n"));
        assert!(lost(&one, 2) && lost(&other, 0), "its own, and the session's");
        session.metrics.ledger_failed();
        session.close().await;
        tail(&one).await.unwrap();
        assert!(lost(&one, 3), "{}", one.metrics.render());
        assert_eq!(one.store.lost_rows(Timestamp::now() - Duration::from_secs(60)).await.unwrap(), 3);
        assert_eq!(one.store.lost_rows(Timestamp::now() + Duration::from_secs(60)).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_breaker_that_opened_in_another_process_is_shown() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("taskgate.db");
        let (session, server) = (app(&database).await, app(&database).await);
        let (now, small, gone) = (Timestamp::now(), "small".into(), "gone".into());
        let until = Some(now + Duration::from_secs(60));
        session.store.keep_health(&small, until, now).await.unwrap();
        session.store.keep_health(&gone, until, now).await.unwrap();
        gauges(&server).await.unwrap();
        let text = server.metrics.render();
        assert!(text.contains("taskgate_breaker_state{model=\"small\"} 2"), "{text}");
        assert!(!text.contains("\"gone\""), "no model of this policy has that name");
        session.store.keep_health(&small, None, now).await.unwrap();
        gauges(&server).await.unwrap();
        assert!(server.metrics.render().contains("taskgate_breaker_state{model=\"small\"} 0"));
    }

    #[tokio::test]
    async fn a_process_that_starts_knows_what_checks_said_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("taskgate.db");
        let early = app(&database).await;
        let ask = || fixtures::ask(CancellationToken::new());
        let known = |app: &App| app.gateway.rehearse(&ask()).0.pass_rates;
        let mut outcome = early.gateway.note(ask().signals, Status::Ok, Instant::now()).await;
        outcome.attempts = vec![fixtures::rejected_attempt(1), fixtures::rejected_attempt(2)];
        outcome.id = crate::request::RequestId(uuid::Uuid::now_v7());
        early.store.record(&outcome).await.unwrap();
        let late = app(&database).await;
        assert_eq!((known(&late)[0].model.as_str(), known(&late)[0].counts), ("small", false));
        assert!((known(&late)[0].pass_rate.sample - 2.0).abs() < 1e-3);
        assert!(known(&early).is_empty(), "it has not looked since");
        learn(&early.store, &early.gateway).await.unwrap();
        assert_eq!(known(&early).len(), 1);
    }

    #[test]
    fn a_day_begins_at_midnight_of_the_policys_zone() {
        let zone = TimeZone::get("America/New_York").unwrap();
        // Two in the morning in London on the first; still the evening before in New York.
        let now: Timestamp = "2026-12-01T02:00:00Z".parse().unwrap();
        let (day, month) = beginnings(now, &zone);
        assert_eq!(day.to_string(), "2026-11-30T05:00:00Z");
        assert_eq!(month.to_string(), "2026-11-01T04:00:00Z");
    }

    #[test]
    fn only_requests_that_nobody_scrapes_are_tailed() {
        assert!(unscraped(Door::Stdio) && unscraped(Door::Cli) && !unscraped(Door::HttpMcp));
    }
}
