//! Stretches of time that the rollups can sum exactly. Pure: no clock, no database.
//!
//! Sums are kept by quarters of an hour and by days of UTC, some by hours too. Whatever day of whatever time zone is asked
//! for begins at a full quarter, so a stretch is some whole days of UTC and what stands at its two ends.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// Spans that sums are kept of, in seconds. Each is some whole ones of the next smaller.
pub(super) const QUARTER: i64 = 15 * 60;
pub(super) const HOUR: i64 = 60 * 60;
pub(super) const DAY: i64 = 24 * 60 * 60;

/// From a full quarter of an hour up to another, the end not included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    from: i64,
    until: i64,
}

/// Rows of one span that belong to a stretch, by their `start`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    pub span: i64,
    pub from: i64,
    pub until: i64,
}

/// When the span that holds this moment began, in seconds since 1970.
pub(super) fn begin(at: Timestamp, span: i64) -> i64 {
    at.as_second().div_euclid(span) * span
}

impl Stretch {
    /// From the quarter that holds the one moment to the end of the one that holds the other, if that is not its first.
    pub fn between(from: Timestamp, until: Timestamp) -> Self {
        let last = begin(until, QUARTER);
        let is_full = last == until.as_second() && until.subsec_nanosecond() == 0;
        Self { from: begin(from, QUARTER), until: if is_full { last } else { last + QUARTER } }
    }

    /// Everything from the quarter that holds this moment on.
    pub fn since(from: Timestamp) -> Self {
        Self::between(from, Timestamp::MAX)
    }

    /// One day, from midnight to midnight of that zone.
    pub fn day(date: Date, zone: &TimeZone) -> Self {
        let next = date.checked_add(1.day()).unwrap_or(date);
        Self::between(midnight(date, zone), midnight(next, zone))
    }

    /// The days from one to another, both included; none when they are the wrong way round.
    pub fn days(first: Date, last: Date, zone: &TimeZone) -> Vec<(Date, Self)> {
        let days = first.series(1.day()).take_while(|day| *day <= last);
        days.map(|day| (day, Self::day(day, zone))).collect()
    }

    /// Cut into parts of so many quarters of an hour, the last one maybe shorter.
    pub fn parts(self, quarters: u32) -> Vec<Self> {
        let length = QUARTER * i64::from(quarters.max(1));
        let starts = (0..).map(|n| self.from + n * length).take_while(|start| *start < self.until);
        starts.map(|from| Self { from, until: (from + length).min(self.until) }).collect()
    }

    /// Its first moment.
    pub fn from(self) -> Timestamp {
        Timestamp::from_second(self.from).unwrap_or(Timestamp::MIN)
    }

    /// The first moment after it.
    pub fn until(self) -> Timestamp {
        Timestamp::from_second(self.until).unwrap_or(Timestamp::MAX)
    }

    /// The rows to sum when these spans are kept, the largest first: as far as it goes whole large ones, in smaller ones
    /// only its ends.
    pub(super) fn pieces(self, spans: &[i64]) -> Vec<Piece> {
        let Some((span, smaller)) = spans.split_first() else { return Vec::new() };
        let (first, last) = ((self.from + span - 1).div_euclid(*span) * span, self.until.div_euclid(*span) * span);
        if first >= last {
            return self.pieces(smaller);
        }
        let (before, after) = (Self { from: self.from, until: first }, Self { from: last, until: self.until });
        let mut pieces = before.pieces(smaller);
        pieces.push(Piece { span: *span, from: first, until: last });
        pieces.extend(after.pieces(smaller));
        pieces
    }
}

/// Where clocks are put forward at midnight, the day begins at the first moment that there is.
fn midnight(date: Date, zone: &TimeZone) -> Timestamp {
    date.to_zoned(zone.clone()).map_or(Timestamp::MAX, |midnight| midnight.timestamp())
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_stretch_takes_in_the_quarters_at_its_ends() {
        let stretch = Stretch::between(at("2026-11-23T10:07:00Z"), at("2026-11-23T11:00:00Z"));
        assert_eq!((stretch.from(), stretch.until()), (at("2026-11-23T10:00:00Z"), at("2026-11-23T11:00:00Z")));
        let stretch = Stretch::between(at("2026-11-23T10:00:00Z"), at("2026-11-23T11:00:00.000000001Z"));
        assert_eq!(stretch.until(), at("2026-11-23T11:15:00Z"));
        assert_eq!(Stretch::since(at("2026-11-23T10:07:00Z")).from(), at("2026-11-23T10:00:00Z"));
    }

    #[test]
    fn days_are_those_of_the_zone_and_meet() {
        for (zone, hours) in [("UTC", 72), ("Asia/Kathmandu", 72), ("Europe/Berlin", 73), ("America/New_York", 72)] {
            let zone = TimeZone::get(zone).unwrap();
            // Berlin's clocks go back on the 25th.
            let days = Stretch::days(date(2026, 10, 24), date(2026, 10, 26), &zone);
            assert_eq!(days.iter().map(|(day, _)| day.day()).collect::<Vec<_>>(), [24, 25, 26]);
            assert!(days.windows(2).all(|pair| pair[0].1.until == pair[1].1.from));
            assert_eq!(days[2].1.until - days[0].1.from, hours * 3_600, "{zone:?}");
            assert_eq!(days[0].1.from().to_zoned(zone).strftime("%H:%M").to_string(), "00:00");
        }
        assert_eq!(Stretch::days(date(2026, 10, 24), date(2026, 10, 23), &TimeZone::UTC), []);
    }

    #[test]
    fn a_day_of_utc_is_one_span_and_other_days_are_hours_with_quarters_at_their_ends() {
        let told = |zone: &str, spans: &[i64]| {
            let pieces = Stretch::day(date(2026, 11, 23), &TimeZone::get(zone).unwrap()).pieces(spans);
            pieces.iter().map(|piece| (piece.span, (piece.until - piece.from) / piece.span)).collect::<Vec<_>>()
        };
        assert_eq!(told("UTC", &[DAY, HOUR, QUARTER]), [(DAY, 1)]);
        assert_eq!(told("Europe/Berlin", &[DAY, HOUR, QUARTER]), [(HOUR, 24)]);
        assert_eq!(told("Asia/Kathmandu", &[DAY, HOUR, QUARTER]), [(QUARTER, 3), (HOUR, 23), (QUARTER, 1)]);
        assert_eq!(told("Asia/Kathmandu", &[DAY, QUARTER]), [(QUARTER, 96)]);
    }

    proptest! {
        #[test]
        fn pieces_cover_a_stretch_without_gap_or_overlap(from in 0_i64..400_000, length in 0_i64..4_000, quarters in 1_u32..200) {
            let stretch = Stretch { from: from * QUARTER, until: (from + length) * QUARTER };
            let spans = if quarters % 2 == 0 { &[DAY, QUARTER][..] } else { &[DAY, HOUR, QUARTER] };
            for part in [vec![stretch], stretch.parts(quarters)] {
                let pieces: Vec<Piece> = part.iter().flat_map(|part| part.pieces(spans)).collect();
                prop_assert_eq!(pieces.iter().map(|piece| piece.until - piece.from).sum::<i64>(), length * QUARTER);
                prop_assert!(pieces.windows(2).all(|pair| pair[0].until == pair[1].from));
                prop_assert!(pieces.iter().all(|piece| piece.from % piece.span == 0 && piece.until % piece.span == 0));
                prop_assert!(pieces.first().is_none_or(|first| first.from == stretch.from));
            }
        }
    }
}
