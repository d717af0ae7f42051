//! Why a text is not taken for a day, and what to write instead. It reads nothing.

use jiff::civil::Date;

use crate::error::Error;

const EXAMPLES: &str = "Write it as 2026-12-31, `tomorrow`, `next friday`, `in 3 days` or `end of month`.";

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Fault {
    Empty,
    Unreadable,
    /// A day that this month does not have, or a month that no year has.
    Impossible {
        year: i16,
        month: i16,
    },
    /// 03/04/2027: the days that it could be.
    Ambiguous(Vec<Date>),
    /// A time of day, and the day it was on if that is plain.
    Time(Option<Date>),
    Repeats,
    /// A month without a day.
    MonthOnly(&'static str),
    /// The weekday and the date beside it disagree.
    OtherWeekday(Date),
    OutOfRange,
}

impl Fault {
    pub(super) fn told(self, field: &str, text: &str) -> Error {
        let (what, hint) = match self {
            Self::Empty => ("it is empty".to_owned(), EXAMPLES.to_owned()),
            Self::Unreadable => (format!("I can't read `{text}` as a day"), EXAMPLES.to_owned()),
            Self::Impossible { year, month } => (format!("`{text}` is not in the calendar"), month_length(year, month)),
            Self::Ambiguous(readings) => {
                let what = match readings.as_slice() {
                    [_] => format!("`{text}` has its year last, where day and month are easily confused"),
                    _ => format!("`{text}` is ambiguous: is the day or the month first?"),
                };
                (what, year_first(&readings))
            }
            Self::Time(day) => (
                format!("`{text}` names a time, and a whole day is wanted"),
                match day {
                    Some(day) => format!("Write {day}; a time that matters can stand in the title."),
                    None => format!("Leave the time out; if it matters it can stand in the title. {EXAMPLES}"),
                },
            ),
            Self::Repeats => {
                (format!("`{text}` repeats, and one day is wanted"), format!("Give the first of the days. {EXAMPLES}"))
            }
            Self::MonthOnly(month) => (
                format!("`{text}` names a month, and a day is wanted"),
                format!("Write `{month} 15` or `end of {month}`, with a year if it is not the coming one."),
            ),
            Self::OtherWeekday(day) => {
                let weekday = day.strftime("%A");
                (format!("`{text}` does not fit the calendar"), format!("{day} is a {weekday}. Leave the weekday out."))
            }
            Self::OutOfRange => {
                (format!("`{text}` is too far away, or outside the years 1970 to 9999"), EXAMPLES.to_owned())
            }
        };
        Error::bad_request(format!("`{field}`: {what}")).hint(hint)
    }
}

fn month_length(year: i16, month: i16) -> String {
    match i8::try_from(month).ok().and_then(|month| Date::new(year, month, 1).ok()) {
        Some(first) => format!("{} has {} days. {EXAMPLES}", first.strftime("%B %Y"), first.days_in_month()),
        None => format!("There is no month {month}. {EXAMPLES}"),
    }
}

fn year_first(readings: &[Date]) -> String {
    match readings {
        [] => "Write the year first, as in 2026-12-31, or name the month, as in `March 4`.".to_owned(),
        [day] => format!("Write the year first: {day}."),
        [day, other, ..] => format!("Write the year first: {day} or {other}."),
    }
}
