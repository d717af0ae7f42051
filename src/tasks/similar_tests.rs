//! What a sentence gives away: similar tasks, words of urgency, an effort, a title.

use jiff::civil::date;
use proptest::prelude::*;

use super::*;
use crate::tasks::samples::{hours, ids, task};

/// A Wednesday.
const TODAY: Date = date(2026, 3, 4);

fn titled(id: u32, title: &str, estimate: Option<Hours>) -> Task {
    Task { title: title.into(), estimate, ..task(id) }
}

#[test]
fn similar_tasks_share_telling_words_and_come_in_a_fixed_order() {
    let tasks = [
        titled(1, "Review the budget", hours(2)),
        titled(2, "Fix login page", None),
        titled(3, "Budget review for Q3", hours(6)),
        titled(4, "Budgets", None),
        titled(5, "Review budget", hours(3)),
        titled(6, "The a of", None),
    ];
    let found = similar(&tasks, "Please review the budgets for marketing");
    assert_eq!(found.iter().map(|similar| similar.id).collect::<Vec<_>>(), ids(&[1, 5, 3]));
    assert_eq!((found[0].percent, found[0].estimate), (66, hours(2)));
    assert_eq!(similar(&tasks, "the"), []);
    let long = "We have to go through all of the numbers again with finance and then review the budget in detail";
    assert_eq!(similar(&tasks, long)[0].id, TaskId(1), "a long text holds a short title whole");
}

#[test]
fn words_of_urgency_and_days_are_found_with_what_they_ask_for() {
    let friday = date(2026, 3, 6);
    let cases = [
        ("Fix the login page asap", Priority::Urgent, None),
        ("URGENT: server down", Priority::Urgent, None),
        ("This is not urgent, tidy the wiki", Priority::Low, None),
        ("It looks urgent but there is no rush", Priority::Low, None),
        ("An important letter", Priority::High, None),
        ("Send the report today", Priority::Urgent, Some(TODAY)),
        ("Send the report by EOD", Priority::Urgent, Some(TODAY)),
        ("Send the report tomorrow", Priority::High, Some(date(2026, 3, 5))),
        ("Send the report by Friday.", Priority::High, Some(friday)),
        ("Send the report by end of week", Priority::High, Some(friday)),
        ("Send the report before the end of the week", Priority::High, Some(friday)),
        ("Send the report next week", Priority::Normal, Some(date(2026, 3, 13))),
        ("Send the report on Tuesday", Priority::Normal, Some(date(2026, 3, 10))),
        ("Send the report in 2 days", Priority::High, Some(friday)),
        ("Due 2026-03-05, or Monday", Priority::High, Some(date(2026, 3, 5))),
        ("Due 2026-13-45", Priority::Normal, None),
        ("In 99999999999 days", Priority::Normal, None),
        ("Buy milk", Priority::Normal, None),
        ("", Priority::Normal, None),
    ];
    for (text, priority, due) in cases {
        let suggestion = suggest(&[], text, TODAY);
        assert_eq!((suggestion.priority, suggestion.found.due), (priority, due), "{text}");
    }
    let found = find("Urgent: call them by Friday, not today", TODAY);
    assert_eq!((found.urgency, found.dates), (vec!["urgent".to_owned()], vec!["by friday".into(), "today".into()]));
}

#[test]
fn the_effort_is_the_middle_of_similar_estimates_else_assumed_and_says_so() {
    let tasks = [
        titled(1, "Review budget", hours(2)),
        titled(2, "Review budget", hours(20)),
        titled(3, "Review budget", hours(3)),
    ];
    let suggestion = suggest(&tasks, "review budget", TODAY);
    assert_eq!((suggestion.effort.hours.minutes, suggestion.effort.assumed), (180, false));
    assert_eq!(suggestion.effort_reason, "The effort of 3 h is taken from TASK-0001, TASK-0002, TASK-0003.");
    let suggestion = suggest(&tasks[..2], "review budget", TODAY);
    assert_eq!(suggestion.effort.hours.minutes, 120);
    let suggestion = suggest(&tasks, "Paint the fence", TODAY);
    assert_eq!((suggestion.effort.hours, suggestion.effort.assumed), (work::ASSUMED, true));
    assert_eq!(suggestion.effort_reason, "No similar task has an estimate: 4 h are assumed.");
}

#[test]
fn the_title_is_the_first_clause_without_its_lead() {
    let cases = [
        ("Please fix the login page. It fails for all users.", "Fix the login page"),
        ("we need to prepare the Q3 report; Anna has the numbers", "Prepare the Q3 report"),
        ("URGENT: Can you call Dr. Smith\nabout the x-ray", "Call Dr. Smith"),
        ("upgrade to v1.2.3 of the library", "Upgrade to v1.2.3 of the library"),
        ("  - \"Water   the\tplants\" ", "Water the plants"),
        ("Hello! Deploy. Now", "Hello! Deploy"),
        ("please", "Please"),
        ("...", "New task"),
        ("", "New task"),
    ];
    for (text, expected) in cases {
        assert_eq!(title(text), expected, "{text}");
    }
    let long = title(&"word ".repeat(50));
    assert!(long.chars().count() <= 100 && long.ends_with("word…"), "{long}");
}

proptest! {
    #[test]
    fn whatever_the_text_the_suggestion_can_be_used(text in "\\PC{0,300}|[a-zA-Z .\n]{0,300}|(in |by |end of |the |week |not |urgent ){0,20}") {
        let suggestion = suggest(&[task(1)], &text, TODAY);
        let length = suggestion.title.chars().count();
        prop_assert!((1..=100).contains(&length), "{}", suggestion.title);
        prop_assert!(!suggestion.title.chars().any(char::is_control));
        prop_assert!(suggestion.effort.hours.minutes > 0);
        prop_assert_eq!(suggestion.clone(), suggest(&[task(1)], &text, TODAY));
    }
}
