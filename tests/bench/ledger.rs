//! The ledger with a month of a million requests in it: filling it, and what people and gauges wait for then.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use taskgate::policy::BUILT_IN;
use taskgate::request::Outcome;
use taskgate::store::{Dimension, Store, Stretch};
use tokio::runtime::Runtime;

use super::month::{DAYS, Month};
use super::report;

pub const REQUESTS: u64 = 1_000_000;
const SEED: u64 = 20_261_123;
const AT_ONCE: usize = 2_000;
const ROUNDS: usize = 20;

/// Fills the database with the month up to now, unless it has requests already.
pub fn fill(path: &Path, requests: u64) {
    let runtime = Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let store = Store::open(path).await.expect("a database");
        if store.first_use().await.expect("a ledger").is_some() {
            println!("{} has requests already and is left as it is", path.display());
            return;
        }
        let started = Instant::now();
        let start = Timestamp::now() - SignedDuration::from_hours(24 * DAYS);
        let mut month = Month::new(SEED, start, requests);
        loop {
            let batch: Vec<Outcome> = month.by_ref().take(AT_ONCE).collect();
            if batch.is_empty() {
                break;
            }
            store.record_all(&batch).await.expect("a row");
        }
        store.close().await;
        let took = started.elapsed().as_secs_f64();
        println!("{requests} requests written in {took:.0} s, {:.0} a second", requests as f64 / took);
    });
}

pub fn figures(path: &Path) {
    fill(path, REQUESTS);
    let size = std::fs::metadata(path).expect("a database").len() as f64 / 1e9;
    println!("the database with a month of a million requests: {size:.2} GB");
    for arguments in
        [&["usage"][..], &["usage", "--by", "day"], &["usage", "--by", "caller", "--last", "7d"], &["usage", "--json"]]
    {
        report(&format!("`taskgate {}`, the whole process", arguments.join(" ")), timed(|| run(path, arguments)));
    }
    let new = path.with_extension("new.yaml");
    std::fs::write(&new, BUILT_IN.replace("hosted: 0.60", "hosted: 0.50")).expect("a policy");
    let simulate = ["simulate", "--policy", new.to_str().expect("a path of text"), "--json"];
    let calibrate = ["calibrate", "--tier", "hosted", "--share", "20%", "--json"];
    for (name, arguments) in [("simulate", &simulate[..]), ("calibrate", &calibrate[..])] {
        report(&format!("`taskgate {name}`, a sample, the whole process"), timed(|| run(path, arguments)));
        let all = [arguments, &["--all"]].concat();
        report(&format!("`taskgate {name} --all`, the whole process"), timed(|| run(path, &all)));
    }
    let runtime = Runtime::new().expect("a runtime");
    let store = runtime.block_on(Store::open(path)).expect("a database");
    let now = Timestamp::now();
    for zone in ["UTC", "Asia/Kathmandu"] {
        let zone = TimeZone::get(zone).expect("a zone");
        let today = now.to_zoned(zone.clone()).date();
        let name = zone.iana_name().unwrap_or_default().to_owned();
        let begin = |day: Date| day.to_zoned(zone.clone()).expect("a midnight").timestamp();
        let gauges = || {
            runtime.block_on(store.spend(begin(today))).expect("sums");
            runtime.block_on(store.spend(begin(today.first_of_month()))).expect("sums");
        };
        report(&format!("both spend gauges, days of {name}"), timed(gauges));
        let first = today.checked_sub((DAYS - 1).days()).expect("a day");
        let days: Vec<Stretch> = Stretch::days(first, today, &zone).into_iter().map(|(_, day)| day).collect();
        let read = |stretches: &[Stretch], by: &[Dimension]| {
            runtime.block_on(store.usage_in(stretches, by)).expect("sums");
        };
        report(&format!("cost by model, 30 days of {name}"), timed(|| read(&days, &[Dimension::Model])));
        let by = [Dimension::Tier, Dimension::Status];
        report(&format!("requests by tier and status, 30 days of {name}"), timed(|| read(&days, &by)));
        let hours = Stretch::between(now - SignedDuration::from_hours(24), now).parts(4);
        report(&format!("requests by tier and status, 24 hours of {name}"), timed(|| read(&hours, &by)));
    }
    let newest = || drop(runtime.block_on(store.last_decisions(50)).expect("rows"));
    report("the newest 50 decisions, whole", timed(newest));
}

/// What the command does for a person, from start to end.
fn run(path: &Path, arguments: &[&str]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_taskgate"));
    let ended = command.args(arguments).env("TASKGATE_DATABASE_URL", path).stdout(Stdio::null()).status();
    assert!(ended.expect("the binary starts").success());
}

fn timed(mut work: impl FnMut()) -> Vec<Duration> {
    let mut once = || {
        let started = Instant::now();
        work();
        started.elapsed()
    };
    // The first one reads from the disk.
    once();
    (0..ROUNDS).map(|_| once()).collect()
}
