//! Limits on money over days: what each counts, and when its periods begin and end by the policy's clocks. Pure.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::chat::NanoUsd;
use crate::names::BudgetName;
use crate::request::{Allowance, Scope};

#[derive(Debug, Clone, PartialEq)]
pub struct Budget {
    pub name: BudgetName,
    pub scope: Scope,
    pub limit: NanoUsd,
    pub per: Period,
    pub when_spent: WhenSpent,
    /// The share of the limit, 0 to 1, from which on it is told that the money runs out.
    pub warn_at: f64,
}

/// From midnight to midnight. Weeks begin on Mondays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    Day,
    Week,
    Month,
}

/// What becomes of a request whose next call no longer fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenSpent {
    /// It goes on with models that cost nothing.
    FreeOnly,
    /// It ends there.
    Reject,
}

impl Budget {
    /// The budget in the period that `now` is in.
    pub fn allowance(&self, now: Timestamp, zone: &TimeZone) -> Allowance {
        let (begins, ends) = self.per.around(now, zone);
        Allowance { budget: self.name.clone(), scope: self.scope.clone(), limit: self.limit, begins, ends }
    }

    pub fn is_low(&self, spent: NanoUsd) -> bool {
        spent.0 as f64 >= self.limit.0 as f64 * self.warn_at
    }
}

impl Period {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// The first moment of the period that `now` is in, and the first one after it.
    pub fn around(self, now: Timestamp, zone: &TimeZone) -> (Timestamp, Timestamp) {
        let today = now.to_zoned(zone.clone()).date();
        let (first, last) = match self {
            Self::Day => (today, today),
            Self::Week => {
                let monday = i64::from(today.weekday().to_monday_zero_offset());
                (moved(today, -monday), moved(today, 6 - monday))
            }
            Self::Month => (today.first_of_month(), today.last_of_month()),
        };
        // At the edge of the calendar there is no next midnight; whatever counts there counts in one period.
        let midnight = |day: Date, otherwise| day.to_zoned(zone.clone()).map_or(otherwise, |first| first.timestamp());
        (midnight(first, Timestamp::MIN), midnight(moved(last, 1), Timestamp::MAX))
    }
}

fn moved(day: Date, days: i64) -> Date {
    day.saturating_add(jiff::Span::new().days(days))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn around(period: Period, now: &str, zone: &str) -> (String, String) {
        let (begins, ends) = period.around(now.parse().unwrap(), &TimeZone::get(zone).unwrap());
        (begins.to_string(), ends.to_string())
    }

    #[test]
    fn periods_begin_and_end_at_midnights_of_the_zone_also_when_the_clocks_change() {
        use Period::{Day, Month, Week};
        let cases = [
            (Day, "2026-11-26T12:00:00Z", "UTC", "2026-11-26T00:00:00Z", "2026-11-27T00:00:00Z"),
            // The first moment belongs to the day, the last one still does.
            (Day, "2026-11-26T00:00:00Z", "UTC", "2026-11-26T00:00:00Z", "2026-11-27T00:00:00Z"),
            (Day, "2026-11-25T23:59:59.999999999Z", "UTC", "2026-11-25T00:00:00Z", "2026-11-26T00:00:00Z"),
            // Already the next day in Auckland, still the one before in New York.
            (Day, "2026-07-01T13:00:00Z", "Pacific/Auckland", "2026-07-01T12:00:00Z", "2026-07-02T12:00:00Z"),
            (Day, "2026-07-01T03:00:00Z", "America/New_York", "2026-06-30T04:00:00Z", "2026-07-01T04:00:00Z"),
            // 23 hours and 25 hours long.
            (Day, "2026-03-29T10:00:00Z", "Europe/Berlin", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"),
            (Day, "2026-10-25T10:00:00Z", "Europe/Berlin", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),
            // The hour that happens twice is one day both times.
            (Day, "2026-10-25T00:30:00Z", "Europe/Berlin", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),
            (Day, "2026-10-25T01:30:00Z", "Europe/Berlin", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),
            // Where clocks change at midnight there is a day without one (Santiago) and a day with two (Havana).
            (Day, "2026-09-06T12:00:00Z", "America/Santiago", "2026-09-06T04:00:00Z", "2026-09-07T03:00:00Z"),
            (Day, "2026-11-01T12:00:00Z", "America/Havana", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"),
            // Weeks begin on Mondays: a Sunday, a Monday, and a week with a change of clocks in it.
            (Week, "2026-11-29T23:00:00Z", "UTC", "2026-11-23T00:00:00Z", "2026-11-30T00:00:00Z"),
            (Week, "2026-11-30T00:00:00Z", "UTC", "2026-11-30T00:00:00Z", "2026-12-07T00:00:00Z"),
            (Week, "2026-03-28T12:00:00Z", "Europe/Berlin", "2026-03-22T23:00:00Z", "2026-03-29T22:00:00Z"),
            (Month, "2026-02-28T12:00:00Z", "UTC", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"),
            (Month, "2028-02-29T12:00:00Z", "UTC", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"),
            (Month, "2026-12-31T23:30:00Z", "Europe/Berlin", "2026-12-31T23:00:00Z", "2027-01-31T23:00:00Z"),
            (Month, "2026-03-10T12:00:00Z", "America/New_York", "2026-03-01T05:00:00Z", "2026-04-01T04:00:00Z"),
        ];
        for (period, now, zone, begins, ends) in cases {
            assert_eq!(around(period, now, zone), (begins.to_owned(), ends.to_owned()), "{period:?} {now} {zone}");
        }
    }

    proptest! {
        /// No moment is in two periods, and none is in none.
        #[test]
        fn the_next_period_begins_where_one_ends(
            second in 0i64..4_000_000_000,
            period in prop::sample::select(vec![Period::Day, Period::Week, Period::Month]),
            zone in prop::sample::select(vec!["UTC", "Europe/Berlin", "America/Havana", "Australia/Lord_Howe", "Asia/Kathmandu"]),
        ) {
            let (now, zone) = (Timestamp::from_second(second).unwrap(), TimeZone::get(zone).unwrap());
            let (begins, ends) = period.around(now, &zone);
            prop_assert!(begins <= now && now < ends);
            prop_assert_eq!(period.around(begins, &zone), (begins, ends));
            prop_assert_eq!(period.around(ends, &zone).0, ends);
        }
    }
}
