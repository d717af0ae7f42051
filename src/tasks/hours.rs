//! Hours of work as people give and read them: "3.5". Inside they are whole minutes, so that sums are exact.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub};

use serde::{Deserialize, Serialize};

use super::Hours;
use crate::error::{Error, Result};

const MINUTES_PER_HOUR: f64 = 60.0;
/// More than five working years: surely not one task and not one sprint.
const MAX_HOURS: f64 = 10_000.0;

impl Hours {
    pub const ZERO: Self = Self { minutes: 0 };

    pub const fn whole(hours: u32) -> Self {
        Self { minutes: hours.saturating_mul(60) }
    }

    /// More than nothing, at most 10,000, rounded to whole minutes. `field` is the argument that the hours stand in.
    pub fn read(field: &str, hours: f64) -> Result<Self> {
        let read = from_f64(hours).filter(|read| read.minutes > 0 && hours <= MAX_HOURS);
        read.ok_or_else(|| {
            let shown = super::model::clip(&hours.to_string());
            Error::bad_request(format!("`{field}`: {shown} is not an amount of hours"))
                .hint("Give hours above 0 and up to 10,000; half an hour is 0.5, a minute 0.02.")
        })
    }

    /// Exact to the minute, as far as a float can be.
    pub fn as_f64(self) -> f64 {
        f64::from(self.minutes) / MINUTES_PER_HOUR
    }

    /// Two decimals, which is enough to tell every minute from the next.
    fn shown(self) -> f64 {
        (self.as_f64() * 100.0).round() / 100.0
    }
}

impl fmt::Display for Hours {
    /// "4 h", "1.5 h", "20 min": exact, in the larger unit where it reads well.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.minutes {
            minutes if minutes % 60 == 0 => write!(f, "{} h", minutes / 60),
            minutes if minutes < 60 => write!(f, "{minutes} min"),
            minutes if minutes % 60 == 30 => write!(f, "{}.5 h", minutes / 60),
            minutes => write!(f, "{} h {} min", minutes / 60, minutes % 60),
        }
    }
}

impl Add for Hours {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { minutes: self.minutes.saturating_add(other.minutes) }
    }
}

impl AddAssign for Hours {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Hours {
    type Output = Self;
    /// Never below nothing.
    fn sub(self, other: Self) -> Self {
        Self { minutes: self.minutes.saturating_sub(other.minutes) }
    }
}

impl Sum for Hours {
    fn sum<I: Iterator<Item = Self>>(hours: I) -> Self {
        hours.fold(Self::ZERO, Add::add)
    }
}

impl Serialize for Hours {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.shown())
    }
}

impl<'de> Deserialize<'de> for Hours {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let hours = f64::deserialize(deserializer)?;
        from_f64(hours).ok_or_else(|| serde::de::Error::custom(format_args!("{hours} is not an amount of hours")))
    }
}

fn from_f64(hours: f64) -> Option<Hours> {
    let minutes = (hours * MINUTES_PER_HOUR).round();
    let fits = minutes >= 0.0 && minutes <= f64::from(u32::MAX);
    // In range and whole, so the conversion loses nothing.
    fits.then_some(Hours { minutes: minutes as u32 })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hours_are_read_to_the_minute_and_told_as_hours() {
        let cases = [(3.5, 210, "3.5 h"), (8.0, 480, "8 h"), (0.33, 20, "20 min"), (1.0 / 60.0, 1, "1 min")];
        for (hours, minutes, shown) in cases {
            let read = Hours::read("estimate_hours", hours).unwrap();
            assert_eq!((read.minutes, read.to_string().as_str()), (minutes, shown));
        }
        assert_eq!(Hours::read("estimate_hours", 10_000.0).unwrap(), Hours::whole(10_000));
    }

    #[test]
    fn what_is_no_amount_of_hours_is_refused_by_field() {
        for wrong in [0.0, -1.0, 0.001, 10_000.1, 1e300, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let error = Hours::read("estimate_hours", wrong).unwrap_err();
            assert!(error.message.starts_with("`estimate_hours`: "), "{}", error.message);
            assert!(error.message.len() < 120, "{}", error.message);
            assert!(error.hint.unwrap().contains("10,000"));
        }
    }

    #[test]
    fn sums_are_exact_and_stop_at_the_ends() {
        let third = Hours::read("h", 1.0 / 3.0).unwrap();
        assert_eq!([third; 3].into_iter().sum::<Hours>(), Hours::whole(1));
        assert_eq!(Hours { minutes: u32::MAX } + third, Hours { minutes: u32::MAX });
        assert_eq!(third - Hours::whole(1), Hours::ZERO);
    }

    proptest! {
        #[test]
        fn every_minute_survives_json(minutes in 0u32..=700_000) {
            let hours = Hours { minutes };
            let json = serde_json::to_string(&hours).unwrap();
            prop_assert_eq!(serde_json::from_str::<Hours>(&json).unwrap(), hours);
        }
    }
}
