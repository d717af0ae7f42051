//! `taskgate simulate --policy NEW`: recorded requests through another policy, beside the present one and honest
//! controls. Nothing is called, changed or written down.

use std::io::{IsTerminal, Write, stderr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use jiff::Timestamp;
use serde_json::json;

use super::window::{self, Last};
use super::{forecast, output};
use crate::app::App;
use crate::chat::NanoUsd;
use crate::policy::{self, BUILT_IN_NAME, Budget, Policy};
use crate::request::Allowance;
use crate::simulate::{Comparison, Contender, Gates, Sample, Traffic, run as replay, traffic};

/// More requests than this are sampled, unless all are asked for: a share of this many is off by half a percent
/// at most (95%), and more would keep a person waiting.
const AT_MOST: u64 = 50_000;

/// What takes longer than this shows how far it is.
const UNNOTICED: Duration = Duration::from_secs(1);

/// How a pipeline learns that a gate failed: 1 and 2 are taken by what went wrong and what was not understood.
const GATE_FAILED: u8 = 3;

#[derive(Args)]
#[command(
    after_help = "Exit codes: 0 replayed, and every gate passed; 1 something went wrong; 2 not understood; 3 a gate \
                        failed.\nThe present policy is given before the command: taskgate --policy OLD simulate --policy NEW."
)]
pub(super) struct Arguments {
    /// The policy to try; the present one is the one that would be used without this command
    #[arg(long, value_name = "FILE", required = true)]
    policy: PathBuf,
    #[command(flatten)]
    reading: Reading,
    /// Take backends without a key in this environment as unusable; otherwise both policies are replayed as if all keys
    /// were set
    #[arg(long)]
    keys_as_set: bool,
    #[command(flatten)]
    gates: GateArguments,
}

/// What both commands on recorded traffic take.
#[derive(Args)]
pub(super) struct Reading {
    /// How far back: 30d and 2w are whole days with today, 12h are hours
    #[arg(long, value_name = "TIME", default_value = "30d")]
    last: Last,
    /// Read every request; otherwise of more than 50,000 evenly spread runs are read
    #[arg(long)]
    all: bool,
    /// Print JSON on one line
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
struct GateArguments {
    /// Fail when the expected cost rises by more than this share of the present policy's
    #[arg(long, value_name = "SHARE", value_parser = window::increase)]
    max_cost_increase: Option<f64>,
    /// Fail when escalations rise by more than this share of the questions
    #[arg(long, value_name = "SHARE", value_parser = window::share)]
    max_escalation_increase: Option<f64>,
    /// Fail when checked answers fall by more than this share of the questions
    #[arg(long, value_name = "SHARE", value_parser = window::share)]
    max_checked_drop: Option<f64>,
    /// Fail when fewer questions than this start in the lowest tier
    #[arg(long, value_name = "SHARE", value_parser = window::share)]
    min_local_share: Option<f64>,
    /// Let a cost that is unknown, because a model has no price, pass --max-cost-increase
    #[arg(long)]
    allow_unknown_cost: bool,
}

/// `present` is the file of the present policy.
pub(super) async fn run(app: &App, asked: &Arguments, present: Option<&Path>) -> anyhow::Result<ExitCode> {
    let Some(new) = read(&asked.policy) else { return Ok(ExitCode::FAILURE) };
    let current = app.policy();
    let shown = |file: &Path| file.display().to_string();
    let read = asked.reading.traffic(app).await?;
    let comparison = Comparison {
        new: Contender { name: shown(&asked.policy), policy: &new, opening: opening(app, &new, read.since).await? },
        present: Contender {
            name: present.map_or_else(|| BUILT_IN_NAME.to_owned(), shown),
            policy: &current,
            opening: opening(app, &current, read.since).await?,
        },
        keys_as_set: asked.keys_as_set,
        since: read.since,
        requests: read.requests,
    };
    let report = replay(&comparison, &read.traffic);
    let breaches = asked.gates.gates().judge(&report);
    if asked.reading.json {
        let mut json = json!(report);
        json["failed_gates"] = json!(breaches);
        output::result(&json.to_string())?;
    } else {
        output::result(&forecast::report(&report, &current.time_zone))?;
    }
    for breach in &breaches {
        output::remark(&format!("gate {} failed: {}", breach.gate, breach.why));
    }
    Ok(if breaches.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(GATE_FAILED) })
}

/// What the ledger has for each budget of the period that is under way at the first moment of a replay.
async fn opening(app: &App, policy: &Policy, since: Timestamp) -> anyhow::Result<Vec<NanoUsd>> {
    // The sums of the ledger are by quarters of an hour; the one that the replay begins in is its own.
    let quarter = Timestamp::from_second(since.as_second().div_euclid(900) * 900)?;
    let until_then = |budget: &Budget| Allowance { ends: quarter, ..budget.allowance(since, &policy.time_zone) };
    let allowances: Vec<Allowance> = policy.budgets.iter().map(until_then).collect();
    Ok(app.store.standings(&allowances).await?.into_iter().map(|standing| standing.spent).collect())
}

/// Recorded traffic as it was read.
pub(super) struct Read {
    pub since: Timestamp,
    /// All requests since then.
    pub requests: u64,
    pub traffic: Traffic,
}

impl Reading {
    pub(super) async fn traffic(&self, app: &App) -> anyhow::Result<Read> {
        let since = self.last.begin(Timestamp::now(), &app.policy().time_zone);
        let sample = Sample { since, at_most: (!self.all).then_some(AT_MOST) };
        let (begun, shows) = (Instant::now(), stderr().is_terminal());
        let mut told = false;
        let progress = |read: u64, of: u64| {
            if shows && begun.elapsed() > UNNOTICED {
                told = true;
                let (read, of) = (forecast::counted(read), forecast::counted(of));
                let _ = write!(stderr(), "\r\x1b[2KReading {read} of about {of} requests…");
            }
        };
        let (traffic, requests) = traffic(&app.store, sample, progress).await?;
        if told {
            let _ = write!(stderr(), "\r\x1b[2K");
        }
        Ok(Read { since, requests, traffic })
    }
}

impl GateArguments {
    fn gates(&self) -> Gates {
        Gates {
            max_cost_increase: self.max_cost_increase,
            max_escalation_increase: self.max_escalation_increase,
            max_checked_drop: self.max_checked_drop,
            min_local_share: self.min_local_share,
            allow_unknown_cost: self.allow_unknown_cost,
        }
    }
}

/// The policy to try. One that is wrong is told whole, as `check` would.
fn read(file: &Path) -> Option<Policy> {
    let compiled = policy::read(Some(file), &|name| std::env::var(name).ok());
    if compiled.policy.is_none() {
        output::remark(&compiled.problems.render(stderr().is_terminal()));
        output::remark(&format!("error: {} cannot be used as a policy", file.display()));
    }
    compiled.policy
}
