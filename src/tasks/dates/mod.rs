//! A day as people say it ("next friday", "in 3 days", "2026-12-31"), turned into the day that is meant.
//!
//! What is read, and how, when people differ:
//! - a weekday is the coming one and never today (today has its own word); with "this" it may be today;
//! - "next friday" is the Friday of the week after this one; weeks start on Monday;
//! - "next week" and "next month" are a week and a month from today; the end of a week is its Friday, at a weekend Sunday;
//! - a day of a month without a year is the coming one.
//!
//! What could mean two days, a time, or nothing is refused with examples. Today comes in as a value; time zones are the
//! caller's. `fault` words the refusals, `phrase` reads the words.

mod fault;
mod phrase;

use jiff::civil::Date;

use self::fault::Fault;
use super::model::clip;
use super::text::clean_line;
use crate::error::Result;

/// Longer than any day can be said; what is longer is not looked at.
const MAX_PHRASE: usize = 80;

/// The day in the argument `due_date`.
pub fn due_date(text: &str, today: Date) -> Result<Date> {
    day("due_date", text, today)
}

/// The day in the argument `field`.
pub fn day(field: &str, text: &str, today: Date) -> Result<Date> {
    let text = clean_line(text);
    read(&text.to_lowercase(), today).map_err(|fault| fault.told(field, &clip(&text)))
}

fn read(text: &str, today: Date) -> Result<Date, Fault> {
    if text.is_empty() {
        return Err(Fault::Empty);
    }
    if text.len() > MAX_PHRASE {
        return Err(Fault::Unreadable);
    }
    let date = if text.starts_with(|first: char| first.is_ascii_digit()) && has_separated_numbers(text) {
        numbers(text)?
    } else {
        phrase::read(text, today)?
    };
    if (1970..=9999).contains(&date.year()) { Ok(date) } else { Err(Fault::OutOfRange) }
}

/// "2026-12-31", "03/04/2027", also with a time behind it; not "5 march" or "2nd-last".
fn has_separated_numbers(text: &str) -> bool {
    let rest = text.trim_start_matches(|digit: char| digit.is_ascii_digit());
    rest.starts_with(['-', '/', '.']) && rest[1..].starts_with(|next: char| next.is_ascii_digit())
}

/// Year first has one meaning. Everything else has two, in one country or another.
fn numbers(text: &str) -> Result<Date, Fault> {
    let end = text.find(|letter: char| !letter.is_ascii_digit() && !matches!(letter, '-' | '/' | '.'));
    let (date, rest) = text.split_at(end.unwrap_or(text.len()));
    let parts: Vec<&str> = date.split(['-', '/', '.']).collect();
    let date = match parts.as_slice() {
        [year, month, day] if year.len() == 4 => calendar_day(number(year)?, number(month)?, number(day)?)?,
        [first, second, year] if first.len() < 3 && second.len() < 3 && matches!(year.len(), 2 | 4) => {
            return Err(two_ways(first, second, year)?);
        }
        [first, _] if first.len() < 3 && rest.is_empty() => return Err(Fault::Ambiguous(Vec::new())),
        _ => return Err(Fault::Unreadable),
    };
    match rest {
        "" => Ok(date),
        rest if rest.starts_with(['t', ' ']) && rest.contains(|digit: char| digit.is_ascii_digit()) => {
            Err(Fault::Time(Some(date)))
        }
        _ => Err(Fault::Unreadable),
    }
}

/// Both readings, as far as they are days.
fn two_ways(first: &str, second: &str, year: &str) -> Result<Fault, Fault> {
    let (first, second, short) = (number(first)?, number(second)?, year.len() == 2);
    let year = number(year)? + if short { 2000 } else { 0 };
    let mut readings: Vec<Date> = [(first, second), (second, first)]
        .into_iter()
        .filter_map(|(month, day)| calendar_day(year, month, day).ok())
        .collect();
    readings.dedup();
    Ok(Fault::Ambiguous(readings))
}

fn number(digits: &str) -> Result<i16, Fault> {
    digits.parse().map_err(|_| Fault::Unreadable)
}

fn calendar_day(year: i16, month: i16, day: i16) -> Result<Date, Fault> {
    let date = i8::try_from(month).ok().zip(i8::try_from(day).ok()).map(|(month, day)| Date::new(year, month, day));
    match date {
        Some(Ok(date)) => Ok(date),
        _ => Err(Fault::Impossible { year, month }),
    }
}

#[cfg(test)]
mod tests;
