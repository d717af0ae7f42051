//! How far back, and shares: `30d`, `20%`, as flags take them. Pure.

use std::str::FromStr;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

/// `30d`, `4w`, `12h`. Days are those of the policy's zone, today one of them; hours are hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Last {
    Days(u16),
    Hours(u16),
}

impl FromStr for Last {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a length of time: write 30d, 12h or 2w");
        let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
        let number = number.parse::<u16>().ok().filter(|number| *number > 0).ok_or_else(wrong)?;
        match unit {
            "h" => Ok(Self::Hours(number)),
            "d" => Ok(Self::Days(number)),
            "w" => number.checked_mul(7).map(Self::Days).ok_or_else(wrong),
            _ => Err(wrong()),
        }
    }
}

impl Last {
    /// Of so many days that end with today.
    pub fn first_day(days: u16, today: Date) -> Date {
        today.checked_sub((i64::from(days) - 1).days()).unwrap_or(Date::MIN)
    }

    /// When that time began.
    pub fn begin(self, now: Timestamp, zone: &TimeZone) -> Timestamp {
        match self {
            Self::Hours(hours) => now - SignedDuration::from_hours(hours.into()),
            Self::Days(days) => {
                let first = Self::first_day(days, now.to_zoned(zone.clone()).date());
                first.to_zoned(zone.clone()).map_or(Timestamp::UNIX_EPOCH, |midnight| midnight.timestamp())
            }
        }
    }
}

/// A share, written in percent; from 0 to 1.
pub(super) fn share(text: &str) -> Result<f64, String> {
    percent(text).filter(|share| (0.0..=1.0).contains(share)).ok_or_else(|| not_a_share(text, "0% to 100%, like 20%"))
}

/// A share that may be more than all: an increase.
pub(super) fn increase(text: &str) -> Result<f64, String> {
    percent(text).filter(|share| *share >= 0.0).ok_or_else(|| not_a_share(text, "0% or more, like 5%"))
}

fn percent(text: &str) -> Option<f64> {
    let number = text.strip_suffix('%')?.trim_end().parse::<f64>().ok()?;
    number.is_finite().then_some(number / 100.0)
}

fn not_a_share(text: &str, write: &str) -> String {
    format!("`{text}` is not a share: write {write}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time() {
        let read = |text: &str| text.parse::<Last>().ok();
        assert_eq!(
            (read("30d"), read("4w"), read("12h")),
            (Some(Last::Days(30)), Some(Last::Days(28)), Some(Last::Hours(12)))
        );
        for wrong in ["", "d", "0d", "-1d", "30", "30m", "1.5d", "30 d", "99999999d", "30é", "é", "9999w"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn days_begin_at_a_midnight_of_the_zone_and_hours_where_they_are() {
        let zone = TimeZone::get("Asia/Kathmandu").unwrap();
        // A quarter past midnight in Kathmandu, and the evening before in London.
        let now: Timestamp = "2026-11-26T18:30:00Z".parse().unwrap();
        let begin = |last: Last| last.begin(now, &zone).to_string();
        assert_eq!(begin(Last::Days(1)), "2026-11-26T18:15:00Z");
        assert_eq!(begin(Last::Days(30)), "2026-10-28T18:15:00Z");
        assert_eq!(begin(Last::Hours(1)), "2026-11-26T17:30:00Z");
        assert!(Last::Days(u16::MAX).begin(now, &zone) < Timestamp::UNIX_EPOCH, "no arithmetic overflows");
    }

    #[test]
    fn shares() {
        assert_eq!((share("20%"), share("0.5%"), increase("150%")), (Ok(0.2), Ok(0.005), Ok(1.5)));
        for text in ["20", "0.2", "101%", "-1%", "%", "NaN%", "inf%"] {
            assert!(share(text).is_err(), "{text}");
        }
        assert!(increase("-1%").is_err() && increase("5").is_err());
    }
}
