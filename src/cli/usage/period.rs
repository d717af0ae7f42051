//! The time that is asked about, cut into the parts that a chart shows: days of the policy's zone, or hours. Pure.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::cli::window::Last;
use crate::error::{Error, Result};
use crate::store::Stretch;

/// Longer than this program is old, and short enough to read day by day.
const MOST_DAYS: i32 = 3_660;
const MOST_HOURS: u16 = 72;
const QUARTERS_OF_AN_HOUR: u32 = 4;
const DEFAULT_DAYS: u16 = 30;

pub(super) struct Period {
    /// As a heading tells it.
    pub told: String,
    pub zone: TimeZone,
    /// What each part is: a day or an hour.
    pub unit: &'static str,
    /// At least one, in order, without a gap.
    pub parts: Vec<Part>,
}

#[derive(Debug)]
pub(super) struct Part {
    pub name: String,
    pub over: Stretch,
}

/// As `--last` takes it.
pub(super) fn last(text: &str) -> Result<Last, String> {
    match text.parse()? {
        Last::Hours(hours) if hours > MOST_HOURS => {
            Err(format!("at most {MOST_HOURS}h; for longer, write days, such as 7d"))
        }
        last => Ok(last),
    }
}

impl Period {
    pub fn last(last: Last, now: Timestamp, zone: &TimeZone) -> Result<Self> {
        let today = now.to_zoned(zone.clone()).date();
        match last {
            Last::Days(days) => {
                let first = Last::first_day(days, today);
                let told = if days == 1 { "Today".to_owned() } else { format!("The last {days} days") };
                Self::days(first, today, zone, &told)
            }
            Last::Hours(hours) => {
                let over = Stretch::between(now - SignedDuration::from_hours(i64::from(hours)), now);
                let parts = over.parts(QUARTERS_OF_AN_HOUR).into_iter().map(|over| {
                    let name = over.from().to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string();
                    Part { name, over }
                });
                let told = format!("The last {hours} hours, up to {}", now.to_zoned(zone.clone()).strftime("%H:%M"));
                Ok(Self { told, zone: zone.clone(), unit: "hour", parts: parts.collect() })
            }
        }
    }

    /// Whole days, both ends included. Without a first one it is as long as usual.
    pub fn between(since: Option<Date>, until: Option<Date>, now: Timestamp, zone: &TimeZone) -> Result<Self> {
        let last = until.unwrap_or_else(|| now.to_zoned(zone.clone()).date());
        let usual = || Last::first_day(DEFAULT_DAYS, last);
        Self::days(since.unwrap_or_else(usual), last, zone, "Usage")
    }

    fn days(first: Date, last: Date, zone: &TimeZone, told: &str) -> Result<Self> {
        let length = last.since(first).map_or(i32::MAX, |span| span.get_days());
        if length < 0 {
            return Err(Error::bad_request(format!("The period ends on {last}, before it begins on {first}"))
                .hint("Give --since a day that is not behind --until, or behind today."));
        }
        if length > MOST_DAYS {
            return Err(Error::bad_request(format!("A period of {length} days is too long"))
                .hint("Give --since or --last fewer days, ten years at the most."));
        }
        let days = Stretch::days(first, last, zone).into_iter();
        let parts = days.map(|(day, over)| Part { name: day.to_string(), over }).collect();
        let told = if first == last { format!("{told}, {first}") } else { format!("{told}, {first} to {last}") };
        Ok(Self { told, zone: zone.clone(), unit: "day", parts })
    }

    pub fn from(&self) -> Option<Timestamp> {
        self.parts.first().map(|part| part.over.from())
    }

    pub fn until(&self) -> Option<Timestamp> {
        self.parts.last().map(|part| part.over.until())
    }

    /// All parts as one.
    pub fn whole(&self) -> Stretch {
        let (from, until) = (self.from().unwrap_or_default(), self.until().unwrap_or_default());
        Stretch::between(from, until)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn berlin() -> TimeZone {
        TimeZone::get("Europe/Berlin").unwrap()
    }

    /// Half past midnight in Berlin, still the day before in Greenwich.
    fn now() -> Timestamp {
        "2026-11-26T23:30:00Z".parse().unwrap()
    }

    fn names(period: &Period) -> Vec<&str> {
        period.parts.iter().map(|part| part.name.as_str()).collect()
    }

    #[test]
    fn more_hours_than_a_chart_shows_are_days() {
        assert_eq!((last("72h"), last("4w")), (Ok(Last::Hours(72)), Ok(Last::Days(28))));
        assert!(last("73h").unwrap_err().contains("7d") && last("soon").is_err());
    }

    #[test]
    fn days_are_whole_and_end_with_today_where_the_policy_lives() {
        let period = Period::last(Last::Days(2), now(), &berlin()).ok().unwrap();
        assert_eq!(names(&period), ["2026-11-26", "2026-11-27"]);
        assert_eq!(period.told, "The last 2 days, 2026-11-26 to 2026-11-27");
        assert_eq!(period.from().unwrap().to_string(), "2026-11-25T23:00:00Z");
        assert_eq!(Period::last(Last::Days(1), now(), &berlin()).ok().unwrap().told, "Today, 2026-11-27");
    }

    #[test]
    fn hours_end_now() {
        let period = Period::last(Last::Hours(2), now(), &berlin()).ok().unwrap();
        assert_eq!(names(&period), ["2026-11-26 22:30", "2026-11-26 23:30"]);
        assert_eq!(period.until(), Some(now()));
        assert_eq!(period.told, "The last 2 hours, up to 00:30");
    }

    #[test]
    fn a_period_by_its_days_has_its_ends_and_is_refused_the_wrong_way_round() {
        let between = |since, until| Period::between(since, until, now(), &berlin());
        let period = between(Some(date(2026, 11, 24)), Some(date(2026, 11, 25))).ok().unwrap();
        assert_eq!(names(&period), ["2026-11-24", "2026-11-25"]);
        assert_eq!(between(None, Some(date(2026, 3, 30))).ok().unwrap().parts.len(), 30);
        assert_eq!(names(&between(Some(date(2026, 11, 26)), None).ok().unwrap()), ["2026-11-26", "2026-11-27"]);
        let error = between(Some(date(2026, 11, 28)), None).err().unwrap();
        assert!(error.message.contains("2026-11-27") && error.hint.is_some(), "{error}");
        assert!(between(Some(date(1, 1, 1)), None).err().unwrap().message.contains("too long"));
    }
}
