//! `taskgate usage`: what was asked, who answered, and what it cost; by model, tool, route, caller, tier or day.
//!
//! It reads the sums of the ledger, so a year takes as long as a day.

mod export;
mod period;
mod report;
mod text;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use jiff::civil::Date;

use self::period::Period;
use self::report::Report;
use super::window::Last;
use super::{call, output};
use crate::app::App;
use crate::error::Result;
use crate::store::{Dimension, Stretch};

#[derive(Args)]
pub(super) struct Arguments {
    /// What to tell apart
    #[arg(long, value_enum, default_value_t = By::Model)]
    by: By,
    /// How far back: 30d and 4w are whole days with today, 12h are hours
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = period::last, conflicts_with_all = ["since", "until"])]
    last: Last,
    /// From this day on, YYYY-MM-DD [default: 30 days up to the last one]
    #[arg(long, value_name = "DAY")]
    since: Option<Date>,
    /// Up to this day, it included [default: today]
    #[arg(long, value_name = "DAY")]
    until: Option<Date>,
    /// One line of JSON with everything, money in nano-dollars; what is not known is null
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// A line for each row, with a heading, money in dollars; what is not known is empty
    #[arg(long)]
    csv: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    Model,
    Tool,
    Route,
    Caller,
    Tier,
    Day,
}

impl By {
    fn as_str(self) -> &'static str {
        self.dimension().map_or("day", Dimension::as_str)
    }

    /// What the parts of a period are told apart by, and what its whole: days and hours are many, so each is only asked for
    /// what costs little.
    fn told_apart(self) -> (Vec<Dimension>, Option<[Dimension; 3]>) {
        let rest = [Dimension::Model, Dimension::Status];
        match self.dimension() {
            None => (rest.to_vec(), None),
            Some(own @ (Dimension::Tier | Dimension::Model)) => ([own, rest[0], rest[1]].to_vec(), None),
            Some(own) => (rest.to_vec(), Some([own, rest[0], rest[1]])),
        }
    }

    /// `None`: days are stretches of their own.
    fn dimension(self) -> Option<Dimension> {
        match self {
            Self::Model => Some(Dimension::Model),
            Self::Tool => Some(Dimension::Tool),
            Self::Route => Some(Dimension::Route),
            Self::Caller => Some(Dimension::Caller),
            Self::Tier => Some(Dimension::Tier),
            Self::Day => None,
        }
    }
}

/// `false`: the period makes no sense; why was printed.
pub(super) async fn run(app: &App, asked: &Arguments) -> anyhow::Result<bool> {
    match report(app, asked, Timestamp::now()).await {
        Err(error) => call::refused(error),
        Ok(report) => {
            output::result(&match (asked.json, asked.csv) {
                (true, _) => export::json(&report).to_string(),
                (_, true) => export::csv(&report),
                _ => text::text(&report, output::width()),
            })?;
            Ok(true)
        }
    }
}

/// Everything is read at once: what is told apart adds up to what is told in all.
async fn report(app: &App, asked: &Arguments, now: Timestamp) -> Result<Report> {
    let policy = app.policy();
    let period = match (asked.since, asked.until) {
        (None, None) => Period::last(asked.last, now, &policy.time_zone)?,
        (since, until) => Period::between(since, until, now, &policy.time_zone)?,
    };
    let (of_parts, of_all) = asked.by.told_apart();
    let mut stretches: Vec<(Stretch, &[Dimension])> =
        period.parts.iter().map(|part| (part.over, of_parts.as_slice())).collect();
    if let Some(dimensions) = &of_all {
        stretches.push((period.whole(), dimensions.as_slice()));
    }
    let mut groups = app.store.usage_of(&stretches).await?;
    let rows = of_all.and_then(|_| groups.pop());
    let report = Report::new(period, asked.by, groups, &policy);
    let report = if let Some(rows) = rows { report.with_rows(rows, &policy) } else { report };
    let first_use = if report.is_empty() { app.store.first_use().await? } else { None };
    Ok(Report { first_use, ..report })
}
