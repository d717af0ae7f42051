//! Hours of work and days to do it in: what a task costs when nobody said, and how many working days a span has.
//!
//! A working day is Monday to Friday, eight hours a person. Holidays are not known here.

use std::cmp::Reverse;

use jiff::SignedDuration;
use jiff::civil::{Date, Weekday};

use super::{Hours, Priority, Task, TaskId};

/// What a task without an estimate counts.
pub const ASSUMED: Hours = Hours { minutes: 4 * 60 };

/// One person's working day.
pub const WORKING_DAY: Hours = Hours { minutes: 8 * 60 };

/// The hours that a task counts, and whether somebody said so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effort {
    pub hours: Hours,
    /// Nobody estimated it: these are `ASSUMED` hours.
    pub assumed: bool,
}

pub fn effort(task: &Task) -> Effort {
    Effort { hours: task.estimate.unwrap_or(ASSUMED), assumed: task.estimate.is_none() }
}

/// Working days from `first` to `last`, both counted; none when `last` comes before `first`.
pub fn working_days(first: Date, last: Date) -> u32 {
    let days = days_between(first, last) + 1;
    if days <= 0 {
        return 0;
    }
    let start = i64::from(first.weekday().to_monday_zero_offset());
    let rest = (0..days % 7).filter(|day| (start + day) % 7 < 5).count();
    u32::try_from(days / 7 * 5).unwrap_or(u32::MAX).saturating_add(u32::try_from(rest).unwrap_or(0))
}

pub fn is_working_day(day: Date) -> bool {
    !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday)
}

/// From `from` to `to`; negative when `to` is earlier.
pub fn days_between(from: Date, to: Date) -> i64 {
    from.duration_until(to).as_hours() / 24
}

/// The day that many days later, held at the end of the calendar.
pub fn days_after(day: Date, days: u32) -> Date {
    day.saturating_add(SignedDuration::from_hours(24 * i64::from(days)))
}

/// "1 task", "3 tasks".
pub fn counted(count: u32, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {many}") }
}

/// A number for counting things in memory; no list here is longer than `u32` can say.
pub(super) fn count(things: usize) -> u32 {
    u32::try_from(things).unwrap_or(u32::MAX)
}

/// Who a name means: case and outer blanks do not make another person.
pub(super) fn person(name: &str) -> String {
    name.trim().to_lowercase()
}

/// Most pressing first: priority, then due day with undated tasks last, then id.
pub(super) fn pressing(task: &Task) -> (Reverse<u8>, Date, TaskId) {
    let step = match task.priority {
        Priority::Urgent => 3,
        Priority::High => 2,
        Priority::Normal => 1,
        Priority::Low => 0,
    };
    (Reverse(step), task.due_date.unwrap_or(Date::MAX), task.id)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;
    use crate::tasks::Status;

    #[test]
    fn a_span_counts_both_its_ends() {
        let monday = date(2026, 3, 2);
        assert_eq!(working_days(monday, monday), 1);
        assert_eq!(working_days(monday, date(2026, 3, 8)), 5);
        assert_eq!(working_days(date(2026, 3, 7), date(2026, 3, 8)), 0);
        assert_eq!(working_days(monday, date(2026, 3, 1)), 0);
        assert_eq!(working_days(date(2026, 3, 6), date(2026, 3, 9)), 2);
    }

    #[test]
    fn hours_read_well() {
        let text = |minutes| Hours { minutes }.to_string();
        assert_eq!(
            [text(0), text(240), text(90), text(20), text(135)],
            ["0 h", "4 h", "1.5 h", "20 min", "2 h 15 min"]
        );
    }

    #[test]
    fn a_task_due_today_is_not_overdue() {
        let mut task = crate::tasks::samples::task(1);
        task.due_date = Some(date(2026, 3, 2));
        assert!(!task.overdue(date(2026, 3, 2)));
        assert!(task.overdue(date(2026, 3, 3)));
        task.status = Status::Completed;
        assert!(!task.overdue(date(2026, 3, 3)));
    }

    proptest! {
        #[test]
        fn working_days_are_those_that_a_walk_over_the_calendar_meets(start in 0u32..800, length in 0u32..80) {
            let first = days_after(date(2025, 1, 1), start);
            let walked = (0..length).filter(|day| is_working_day(days_after(first, *day))).count();
            if let Some(steps) = length.checked_sub(1) {
                prop_assert_eq!(working_days(first, days_after(first, steps)) as usize, walked);
            }
        }
    }
}
