//! Days in words. Each phrase is matched whole, so that nothing in it is passed over.
//!
//! `interim` counts days and months; it is given only what it reads exactly. Left to itself it takes "3 moons" for
//! months, ignores what follows "4 July", reads "2027" as New Year, and says the Friday after next for "next friday"
//! on a Saturday.

use std::borrow::Cow;

use interim::{Dialect, parse_date_string};
use jiff::ToSpan;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;

use super::calendar_day;
use super::fault::Fault;

const NUMBERS: [&str; 13] =
    ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const TIMES: &[&str] = &[
    "am",
    "pm",
    "a.m",
    "p.m",
    "noon",
    "midnight",
    "morning",
    "afternoon",
    "evening",
    "night",
    "hour",
    "hours",
    "h",
    "hr",
    "hrs",
    "minute",
    "minutes",
    "min",
    "mins",
    "seconds",
    "now",
    "o'clock",
    "at",
];

#[derive(Debug, Clone, Copy, PartialEq)]
enum Unit {
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

/// `text` is in lower case and not empty.
pub(super) fn read(text: &str, today: Date) -> Result<Date, Fault> {
    let words = words(text);
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    relative(&words, today)
        .or_else(|| ends(&words, today))
        .or_else(|| dated(&words, today))
        .unwrap_or_else(|| Err(why_not(&words)))
}

/// What is likely wrong with words that are no day.
fn why_not(words: &[&str]) -> Fault {
    if matches!(words.first(), Some(&("every" | "each" | "daily" | "weekly" | "monthly" | "yearly"))) {
        return Fault::Repeats;
    }
    if words.iter().any(|word| names_time(word)) { Fault::Time(None) } else { Fault::Unreadable }
}

/// Without what says nothing: "by the 5th of March," is "5 march".
fn words(text: &str) -> Vec<Cow<'_, str>> {
    let words = text.split([' ', ',', '\u{a0}']).map(|word| word.trim_end_matches(['.', '!']));
    let words = words.filter(|word| !matches!(*word, "" | "the" | "of"));
    let leads = |word: &&str| matches!(*word, "on" | "by" | "due" | "until");
    words.skip_while(leads).map(plain).collect()
}

/// Numbers as digits: "two", "a", "5th".
fn plain(word: &str) -> Cow<'_, str> {
    if matches!(word, "a" | "an") {
        return "1".into();
    }
    if let Some(number) = NUMBERS.iter().position(|name| *name == word) {
        return number.to_string().into();
    }
    let digits = ["st", "nd", "rd", "th"].iter().find_map(|ending| word.strip_suffix(ending));
    digits.filter(|digits| count(digits).is_some()).unwrap_or(word).into()
}

fn names_time(word: &str) -> bool {
    let after_digits = word.trim_start_matches(|digit: char| digit.is_ascii_digit());
    word.contains(':') || TIMES.contains(&word) || (after_digits.len() < word.len() && TIMES.contains(&after_digits))
}

/// Counted from today.
fn relative(words: &[&str], today: Date) -> Option<Result<Date, Fault>> {
    match *words {
        ["today" | "tonight" | "eod"] | ["end", "day"] => Some(Ok(today)),
        ["tomorrow" | "tmr" | "tmrw"] => Some(counted("tomorrow", today)),
        ["yesterday"] => Some(counted("yesterday", today)),
        ["day", "after", "tomorrow"] => Some(counted("2 days", today)),
        ["next", word] => match weekday(word) {
            Some(day) => Some(in_week(today, day, 1)),
            None => Some(shifted(1, unit_of(word)?, "", today)),
        },
        ["this" | "coming", day] | ["this", "coming", day] if weekday(day).is_some() => {
            let yesterday = today.yesterday().map_err(|_| Fault::OutOfRange);
            Some(yesterday.and_then(|yesterday| coming(yesterday, weekday(day).unwrap_or(today.weekday()))))
        }
        [day] => Some(coming(today, weekday(day)?)),
        ["in", number, unit] | [number, unit] | [number, unit, "from", "now" | "today"] => {
            Some(shifted(count(number)?, unit_of(unit)?, "", today))
        }
        [number, unit, "ago"] => Some(shifted(count(number)?, unit_of(unit)?, " ago", today)),
        _ => None,
    }
}

/// The last day of something.
fn ends(words: &[&str], today: Date) -> Option<Result<Date, Fault>> {
    match *words {
        ["eow"] => Some(end_of(Unit::Week, 0, today)),
        ["eom"] => Some(end_of(Unit::Month, 0, today)),
        ["eoq"] => Some(end_of(Unit::Quarter, 0, today)),
        ["eoy"] => Some(end_of(Unit::Year, 0, today)),
        ["end", "next", unit] => Some(end_of(unit_of(unit)?, 1, today)),
        ["this", unit] | ["end", "this", unit] => Some(end_of(unit_of(unit)?, 0, today)),
        ["end", word] => match month(word) {
            Some(month) => Some(last_day(year_of_coming(month, today), month)),
            None => Some(end_of(unit_of(word)?, 0, today)),
        },
        ["end", name, year] => Some(last_day(four_digits(year)?, month(name)?)),
        _ => None,
    }
}

/// A day of a named month, with the weekday and the year if they are said.
fn dated(words: &[&str], today: Date) -> Option<Result<Date, Fault>> {
    if let [first, rest @ ..] = words
        && let (Some(said), false) = (weekday(first), rest.is_empty())
    {
        let fits = |date: Date| if date.weekday() == said { Ok(date) } else { Err(Fault::OtherWeekday(date)) };
        return dated(rest, today).map(|date| date.and_then(fits));
    }
    let (name, day, year) = match *words {
        [name] | [name, _] if month(name).is_some() && words.get(1).is_none_or(|word| four_digits(word).is_some()) => {
            return Some(Err(Fault::MonthOnly(month_name(month(name)?))));
        }
        [first, second] | [first, second, _] if month(first).is_some() => (first, second, words.get(2)),
        [first, second] | [first, second, _] => (second, first, words.get(2)),
        _ => return None,
    };
    let (month, day) = (month(name)?, count(day)?);
    match year {
        Some(year) => Some(calendar_day(four_digits(year)?, month, day)),
        None => Some(coming_day(month, day, today)),
    }
}

fn coming_day(month: i16, day: i16, today: Date) -> Result<Date, Fault> {
    match (calendar_day(today.year(), month, day), calendar_day(today.year() + 1, month, day)) {
        (Ok(date), _) if date >= today => Ok(date),
        (_, Ok(date)) => Ok(date),
        (Err(fault), _) | (_, Err(fault)) => Err(fault),
    }
}

fn shifted(number: i16, unit: Unit, ago: &str, today: Date) -> Result<Date, Fault> {
    let (number, unit) = match unit {
        Unit::Day => (i32::from(number), "days"),
        Unit::Week => (i32::from(number), "weeks"),
        Unit::Month => (i32::from(number), "months"),
        Unit::Quarter => (i32::from(number) * 3, "months"),
        Unit::Year => (i32::from(number), "years"),
    };
    // `interim` reads numbers of four digits; more would be two numbers to it.
    if number > 9_999 {
        return Err(Fault::OutOfRange);
    }
    counted(&format!("{number} {unit}{ago}"), today)
}

fn counted(phrase: &str, today: Date) -> Result<Date, Fault> {
    let start = today.to_zoned(TimeZone::UTC).map_err(|_| Fault::OutOfRange)?;
    parse_date_string(phrase, start, Dialect::Uk).map(|then| then.date()).map_err(|_| Fault::OutOfRange)
}

/// The first such weekday after `day`.
fn coming(day: Date, weekday: Weekday) -> Result<Date, Fault> {
    day.nth_weekday(1, weekday).map_err(|_| Fault::OutOfRange)
}

/// A weekday of this week or one ahead; weeks start on Monday.
fn in_week(today: Date, weekday: Weekday, ahead: i32) -> Result<Date, Fault> {
    let days = i32::from(weekday.to_monday_zero_offset()) - i32::from(today.weekday().to_monday_zero_offset());
    today.checked_add((days + 7 * ahead).days()).map_err(|_| Fault::OutOfRange)
}

fn end_of(unit: Unit, ahead: i16, today: Date) -> Result<Date, Fault> {
    let month = i16::from(today.month());
    match unit {
        Unit::Day => today.checked_add(ahead.days()).map_err(|_| Fault::OutOfRange),
        Unit::Week if ahead == 0 && in_week(today, Weekday::Friday, 0)? < today => in_week(today, Weekday::Sunday, 0),
        Unit::Week => in_week(today, Weekday::Friday, ahead.into()),
        Unit::Month => last_day(today.year(), month + ahead),
        Unit::Quarter => last_day(today.year(), (month - 1) / 3 * 3 + 3 + 3 * ahead),
        Unit::Year => last_day(today.year() + ahead, 12),
    }
}

/// A month past the twelfth is one of the next year.
fn last_day(year: i16, month: i16) -> Result<Date, Fault> {
    let (year, month) = if month > 12 { (year + 1, month - 12) } else { (year, month) };
    calendar_day(year, month, 1).map(Date::last_of_month).map_err(|_| Fault::OutOfRange)
}

fn year_of_coming(month: i16, today: Date) -> i16 {
    if month >= i16::from(today.month()) { today.year() } else { today.year() + 1 }
}

fn unit_of(word: &str) -> Option<Unit> {
    match word {
        "day" | "days" | "d" => Some(Unit::Day),
        "week" | "weeks" | "w" => Some(Unit::Week),
        "month" | "months" => Some(Unit::Month),
        "quarter" | "quarters" => Some(Unit::Quarter),
        "year" | "years" | "y" => Some(Unit::Year),
        _ => None,
    }
}

fn weekday(word: &str) -> Option<Weekday> {
    match word {
        "monday" | "mon" => Some(Weekday::Monday),
        "tuesday" | "tue" | "tues" => Some(Weekday::Tuesday),
        "wednesday" | "wed" => Some(Weekday::Wednesday),
        "thursday" | "thu" | "thur" | "thurs" => Some(Weekday::Thursday),
        "friday" | "fri" => Some(Weekday::Friday),
        "saturday" | "sat" => Some(Weekday::Saturday),
        "sunday" | "sun" => Some(Weekday::Sunday),
        _ => None,
    }
}

/// 1 to 12, from the name or its first three letters.
fn month(word: &str) -> Option<i16> {
    let named = |name: &&str| name.eq_ignore_ascii_case(word) || name[..3].eq_ignore_ascii_case(word);
    let word_is =
        |(number, name): (i16, &&'static str)| (named(name) || (number == 9 && word == "sept")).then_some(number);
    (1..).zip(&MONTHS).find_map(word_is)
}

fn month_name(month: i16) -> &'static str {
    (1..).zip(MONTHS).find_map(|(number, name)| (number == month).then_some(name)).unwrap_or_default()
}

fn count(word: &str) -> Option<i16> {
    let digits = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| word.parse().unwrap_or(i16::MAX))
}

fn four_digits(word: &str) -> Option<i16> {
    if word.len() == 4 { count(word) } else { None }
}
