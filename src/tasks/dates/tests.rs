//! Each phrase with a fixed today, and each refusal with what it teaches.

use jiff::ToSpan;
use jiff::civil::{Weekday, date};
use proptest::prelude::*;

use super::*;

/// A Monday.
const TODAY: Date = date(2026, 11, 23);

fn read_on(today: Date, phrase: &str) -> String {
    match due_date(phrase, today) {
        Ok(day) => day.to_string(),
        Err(error) => format!("refused: {} {}", error.message, error.hint.unwrap_or_default()),
    }
}

const ON_A_MONDAY: &[(&str, &str)] = &[
    ("2026-12-31", "2026-12-31"),
    ("2026/12/31", "2026-12-31"),
    ("2026-1-5", "2026-01-05"),
    (" 2026-12-31\n", "2026-12-31"),
    ("2028-02-29", "2028-02-29"),
    ("9999-12-31", "9999-12-31"),
    ("2020-01-01", "2020-01-01"),
    ("today", "2026-11-23"),
    ("Today.", "2026-11-23"),
    ("end of day", "2026-11-23"),
    ("tomorrow", "2026-11-24"),
    ("TOMORROW", "2026-11-24"),
    ("the day after tomorrow", "2026-11-25"),
    ("yesterday", "2026-11-22"),
    ("friday", "2026-11-27"),
    ("by Friday", "2026-11-27"),
    ("this friday", "2026-11-27"),
    ("next friday", "2026-12-04"),
    ("next tue", "2026-12-01"),
    ("monday", "2026-11-30"),
    ("this monday", "2026-11-23"),
    ("next monday", "2026-11-30"),
    ("sunday", "2026-11-29"),
    ("next sunday", "2026-12-06"),
    ("in 3 days", "2026-11-26"),
    ("3 days", "2026-11-26"),
    ("three days from now", "2026-11-26"),
    ("in 0 days", "2026-11-23"),
    ("2 days ago", "2026-11-21"),
    ("in a week", "2026-11-30"),
    ("in 2 weeks", "2026-12-07"),
    ("two weeks from today", "2026-12-07"),
    ("next week", "2026-11-30"),
    ("this week", "2026-11-27"),
    ("end of week", "2026-11-27"),
    ("end of the week", "2026-11-27"),
    ("end of next week", "2026-12-04"),
    ("in 1 month", "2026-12-23"),
    ("next month", "2026-12-23"),
    ("next year", "2027-11-23"),
    ("in 9999 days", "2054-04-09"),
    ("end of month", "2026-11-30"),
    ("end of the month", "2026-11-30"),
    ("by the end of this month", "2026-11-30"),
    ("eom", "2026-11-30"),
    ("end of next month", "2026-12-31"),
    ("end of quarter", "2026-12-31"),
    ("end of next quarter", "2027-03-31"),
    ("end of year", "2026-12-31"),
    ("eoy", "2026-12-31"),
    ("end of next year", "2027-12-31"),
    ("end of March", "2027-03-31"),
    ("end of november", "2026-11-30"),
    ("end of February 2028", "2028-02-29"),
    ("March 5", "2027-03-05"),
    ("March 5th", "2027-03-05"),
    ("5 March", "2027-03-05"),
    ("the 5th of March", "2027-03-05"),
    ("5 March 2027", "2027-03-05"),
    ("March 5, 2027", "2027-03-05"),
    ("mar 5 2028", "2028-03-05"),
    ("December 24", "2026-12-24"),
    ("November 23", "2026-11-23"),
    ("November 22", "2027-11-22"),
    ("sept 1", "2027-09-01"),
    ("Friday, March 5", "2027-03-05"),
    ("31 December 9999", "9999-12-31"),
];

#[test]
fn phrases_on_a_monday() {
    for (phrase, expected) in ON_A_MONDAY {
        assert_eq!(read_on(TODAY, phrase), *expected, "{phrase:?}");
    }
}

#[test]
fn phrases_on_days_where_they_get_hard() {
    let (friday, saturday, sunday) = (date(2026, 11, 27), date(2026, 11, 28), date(2026, 11, 29));
    let cases = [
        // Today has its own word.
        (friday, "friday", "2026-12-04"),
        (friday, "this friday", "2026-11-27"),
        (friday, "next friday", "2026-12-04"),
        (saturday, "friday", "2026-12-04"),
        (saturday, "next friday", "2026-12-04"),
        (sunday, "next monday", "2026-11-30"),
        (friday, "end of week", "2026-11-27"),
        (saturday, "end of week", "2026-11-29"),
        (sunday, "end of week", "2026-11-29"),
        (saturday, "end of next week", "2026-12-04"),
        (date(2026, 1, 31), "next month", "2026-02-28"),
        (date(2028, 2, 29), "next year", "2029-02-28"),
        (date(2026, 12, 31), "tomorrow", "2027-01-01"),
        (date(2026, 12, 31), "end of next month", "2027-01-31"),
        (date(2026, 12, 31), "end of quarter", "2026-12-31"),
        (date(2028, 1, 1), "end of february", "2028-02-29"),
        (date(2027, 6, 1), "February 29", "2028-02-29"),
        (date(2026, 2, 28), "end of month", "2026-02-28"),
    ];
    for (today, phrase, expected) in cases {
        assert_eq!(read_on(today, phrase), expected, "{phrase:?} on {today}");
    }
}

#[test]
fn refusals_teach() {
    let examples = "Write it as 2026-12-31, `tomorrow`, `next friday`, `in 3 days` or `end of month`.";
    let cases = [
        ("soonish", format!("`due_date`: I can't read `soonish` as a day {examples}")),
        ("", format!("`due_date`: it is empty {examples}")),
        ("2026-02-30", format!("`due_date`: `2026-02-30` is not in the calendar February 2026 has 28 days. {examples}")),
        ("February 29 2027", format!("`due_date`: `February 29 2027` is not in the calendar February 2027 has 28 days. {examples}")),
        ("2026-13-01", format!("`due_date`: `2026-13-01` is not in the calendar There is no month 13. {examples}")),
        (
            "03/04/2027",
            "`due_date`: `03/04/2027` is ambiguous: is the day or the month first? \
             Write the year first: 2027-03-04 or 2027-04-03."
                .to_owned(),
        ),
        (
            "31.12.27",
            "`due_date`: `31.12.27` has its year last, where day and month are easily confused Write the year first: 2027-12-31."
                .to_owned(),
        ),
        (
            "3/4",
            "`due_date`: `3/4` is ambiguous: is the day or the month first? \
             Write the year first, as in 2026-12-31, or name the month, as in `March 4`."
                .to_owned(),
        ),
        (
            "2026-12-31T17:00:00Z",
            "`due_date`: `2026-12-31T17:00:00Z` names a time, and a whole day is wanted \
             Write 2026-12-31; a time that matters can stand in the title."
                .to_owned(),
        ),
        (
            "March",
            "`due_date`: `March` names a month, and a day is wanted \
             Write `March 15` or `end of March`, with a year if it is not the coming one."
                .to_owned(),
        ),
        (
            "Monday, March 5 2027",
            "`due_date`: `Monday, March 5 2027` does not fit the calendar 2027-03-05 is a Friday. Leave the weekday out."
                .to_owned(),
        ),
        ("1969-12-31", format!("`due_date`: `1969-12-31` is too far away, or outside the years 1970 to 9999 {examples}")),
    ];
    for (phrase, expected) in cases {
        assert_eq!(read_on(TODAY, phrase), format!("refused: {expected}"));
    }
}

#[test]
fn each_kind_of_nonsense_has_its_own_answer() {
    let cases = [
        (
            "names a time",
            &["friday 8pm", "tomorrow at noon", "in 3 hours", "9:30", "now", "tomorrow morning", "8 pm"][..],
        ),
        ("repeats", &["every friday", "every year on July 1", "daily"]),
        (
            "outside the years",
            &["in 10000 days", "in 99999999999 years", "in 9000 years", "0000-01-01", "100 years ago"],
        ),
        ("not in the calendar", &["April 31", "February 30", "32 March", "March 99999", "2026-00-10", "2026-04-31"]),
        (
            "can't read",
            &[
                "2027",
                "20261231",
                "friday please",
                "4 July whatever",
                "3 moons",
                "2 weird",
                "marching 5",
                "next",
                "in",
                "end of",
                "-3 days",
                "3.5 days",
                "2026-12",
                "1/2/3/4",
                "2026-12-31 friday",
                "day",
                "next nothing",
                "'; DROP TABLE tasks; --",
                "🎉",
                "明日",
                "99999999999999999999",
                "2026-12-31-01",
                "12345-01-01",
            ],
        ),
    ];
    for (expected, phrases) in cases {
        for phrase in phrases {
            let told = read_on(TODAY, phrase);
            assert!(told.starts_with("refused: ") && told.contains(expected), "{phrase:?}: {told}");
        }
    }
}

#[test]
fn the_field_is_named_and_a_long_text_is_cut() {
    let error = day("due_before", &"x".repeat(100_000), TODAY).unwrap_err();
    assert!(error.message.starts_with("`due_before`: I can't read `xxx"), "{}", error.message);
    assert!(error.message.len() < 200);
}

proptest! {
    #[test]
    fn no_text_and_no_day_upsets_it(text in "\\PC{0,40}", days in -700_000i32..2_900_000) {
        let today = date(1970, 1, 1).saturating_add(days.days());
        let _ = due_date(&text, today);
    }

    #[test]
    fn words_in_any_order_end_well(
        words in prop::collection::vec(prop::sample::select(&[
            "next", "this", "in", "end", "of", "friday", "week", "month", "march", "5", "2027", "ago", "a", "29", "99999",
        ][..]), 0..5),
        days in 0i32..2_900_000,
    ) {
        let today = date(1970, 1, 1).saturating_add(days.days());
        if let Ok(day) = due_date(&words.join(" "), today) {
            prop_assert!((1970..=9999).contains(&day.year()));
        }
    }

    #[test]
    fn an_absolute_day_is_itself_whatever_today_is(days in 0i32..2_900_000, today in 0i32..2_900_000) {
        let day = |days: i32| date(1970, 1, 1).saturating_add(days.days());
        prop_assert_eq!(due_date(&day(days).to_string(), day(today)).unwrap(), day(days));
        let spoken = day(days).strftime("%A, %B %-d, %Y").to_string();
        prop_assert_eq!(due_date(&spoken, day(today)).unwrap(), day(days));
    }

    #[test]
    fn weekdays_lie_ahead_and_next_ones_in_the_week_after(days in 0i32..100_000, weekday in 0i8..7) {
        let today = date(1970, 1, 1).saturating_add(days.days());
        let weekday = Weekday::from_monday_zero_offset(weekday).unwrap();
        let name = format!("{weekday:?}");
        let ahead = |phrase: &str| (due_date(phrase, today).unwrap() - today).get_days();
        let (plain, this, next) = (ahead(&name), ahead(&format!("this {name}")), ahead(&format!("next {name}")));
        prop_assert!((1..=7).contains(&plain) && (0..=6).contains(&this));
        prop_assert_eq!(plain % 7, this % 7);
        let monday = 7 - i32::from(today.weekday().to_monday_zero_offset());
        prop_assert!((monday..monday + 7).contains(&next));
    }
}
