//! Words of closed sets as people and models write them, and what to say when a word is not in the set.
//!
//! Spelling is forgiven ("In Progress" is `in_progress`), meaning is not guessed: "done" is refused, and the answer
//! says that `completed` is the word.

use super::{Field, Priority, Sort, Status};
use crate::error::{Error, Result};

/// What people call things elsewhere, and our word for it.
const ELSEWHERE: &[(&str, &str)] = &[
    ("critical", "urgent"),
    ("highest", "urgent"),
    ("blocker", "urgent"),
    ("asap", "urgent"),
    ("important", "high"),
    ("medium", "normal"),
    ("default", "normal"),
    ("minor", "low"),
    ("lowest", "low"),
    ("trivial", "low"),
    ("todo", "pending"),
    ("to_do", "pending"),
    ("open", "pending"),
    ("new", "pending"),
    ("backlog", "pending"),
    ("not_started", "pending"),
    ("doing", "in_progress"),
    ("started", "in_progress"),
    ("active", "in_progress"),
    ("wip", "in_progress"),
    ("done", "completed"),
    ("finished", "completed"),
    ("closed", "completed"),
    ("resolved", "completed"),
    ("canceled", "cancelled"),
    ("dropped", "cancelled"),
    ("wont_do", "cancelled"),
    ("due", "due_date"),
    ("deadline", "due_date"),
    ("updated", "updated_at"),
    ("owner", "assignee"),
    ("estimate", "estimate_hours"),
    ("parent", "parent_id"),
    ("dependencies", "depends_on"),
    ("labels", "tags"),
];

macro_rules! read {
    ($($type:ident),+) => {
        $(impl $type {
            /// The word in the argument `field`, or an error that names the words there are.
            pub fn read(field: &str, word: &str) -> Result<Self> {
                Self::parse(&plain(word)).ok_or_else(|| unknown(field, word, Self::ALL.iter().map(|known| known.as_str())))
            }
        })+
    };
}
read!(Priority, Status, Sort, Field);

/// The known word that was probably meant, if one is close.
pub fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // One slip in three letters is a slip; more is another word.
    let slips = |known: &str| strsim::osa_distance(word, known);
    // Each letter more or less is a slip, so megabytes are not compared letter by letter.
    let letters = word.chars().count();
    let near = |known: &&str| {
        let length = known.chars().count();
        let allowed = (length / 3).max(1);
        letters.abs_diff(length) <= allowed && slips(known) <= allowed
    };
    known.into_iter().filter(near).min_by_key(|known| slips(known))
}

fn plain(word: &str) -> String {
    word.trim().to_lowercase().replace([' ', '-'], "_")
}

fn unknown(field: &str, word: &str, known: impl Iterator<Item = &'static str>) -> Error {
    let known: Vec<&str> = known.collect();
    let shown = super::model::clip(&super::clean_line(word));
    let error = Error::bad_request(format!("`{field}`: `{shown}` is not one of {}", known.join(", ")));
    let word = plain(word);
    let elsewhere = ELSEWHERE.iter().find(|(theirs, ours)| *theirs == word && known.contains(ours));
    match elsewhere.map(|(_, ours)| *ours).or_else(|| closest(&word, known.iter().copied())) {
        Some(meant) => error.hint(format!("Did you mean `{meant}`?")),
        None => error.hint("Use one of these words."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelling_is_forgiven() {
        for word in ["in_progress", "In Progress", " IN-PROGRESS "] {
            assert_eq!(Status::read("status", word).unwrap(), Status::InProgress, "{word}");
        }
        assert_eq!(Priority::read("priority", "HIGH").unwrap(), Priority::High);
        assert_eq!(Sort::read("sort", "due date").unwrap(), Sort::DueDate);
        assert_eq!(Field::read("clear", "due_date").unwrap(), Field::DueDate);
    }

    #[test]
    fn a_wrong_word_is_told_the_right_ones() {
        let error = Priority::read("priority", "critical").unwrap_err();
        assert_eq!(error.message, "`priority`: `critical` is not one of low, normal, high, urgent");
        let hints = [
            (Priority::read("priority", "critical").unwrap_err(), "Did you mean `urgent`?"),
            (Priority::read("priority", "urgnet").unwrap_err(), "Did you mean `urgent`?"),
            (Priority::read("priority", "banana").unwrap_err(), "Use one of these words."),
            (Priority::read("priority", "").unwrap_err(), "Use one of these words."),
            (Status::read("status", "done").unwrap_err(), "Did you mean `completed`?"),
            (Status::read("status", "canceled").unwrap_err(), "Did you mean `cancelled`?"),
            (Sort::read("sort", "due").unwrap_err(), "Did you mean `due_date`?"),
            (Field::read("clear", "asignee").unwrap_err(), "Did you mean `assignee`?"),
        ];
        for (error, hint) in hints {
            assert_eq!(error.hint.as_deref(), Some(hint), "{}", error.message);
        }
    }

    #[test]
    fn a_huge_or_hostile_word_is_cut_short() {
        let error = Status::read("status", &"x\u{202e}".repeat(10_000)).unwrap_err();
        assert!(error.message.chars().count() < 160, "{}", error.message);
        assert!(!error.message.contains('\u{202e}'));
    }

    #[test]
    fn the_closest_word_is_close() {
        assert_eq!(closest("titel", ["title", "tags"]), Some("title"));
        assert_eq!(closest("prioritty", ["title", "priority"]), Some("priority"));
        assert_eq!(closest("zzz", ["title", "priority"]), None);
    }

    #[test]
    fn every_word_from_elsewhere_leads_to_a_word_of_ours() {
        let ours: Vec<&str> = (Priority::ALL.iter().map(|word| word.as_str()))
            .chain(Status::ALL.iter().map(|word| word.as_str()))
            .chain(Sort::ALL.iter().map(|word| word.as_str()))
            .chain(Field::ALL.iter().map(|word| word.as_str()))
            .collect();
        for (theirs, meant) in ELSEWHERE {
            assert!(ours.contains(meant) && !ours.contains(theirs), "{theirs} -> {meant}");
        }
    }
}
