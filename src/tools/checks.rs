//! Checks that several tools share: ids in text, text that says something, text that goes round in circles.
//!
//! Pure functions of the answer and of what is known. Reasons name ids and numbers, never titles.

use std::collections::HashMap;

use super::known::{Known, unknown};
use super::record::clipped;
use crate::request::{Rejection, RejectionCode};
use crate::tasks::TaskId;

/// Fewer letters than this say nothing that a person could use.
const FEWEST_LETTERS: usize = 15;
/// No text that was asked for is longer; a longer one is cut, so that a result stays small whatever a model writes.
const SHOWN: usize = 3_000;
/// How often in a row the same words may come.
const REPEATS: usize = 4;
/// The longest run of words that is looked for again.
const LONGEST_PERIOD: usize = 40;

/// Text for people, in the field `key` of an answer: there, not markup, not a loop, and every id in it exists.
pub(super) fn prose(key: &str, text: Option<String>, known: &Known) -> Result<String, Rejection> {
    let Some(text) = text else {
        let why = format!("The answer has no text under \"{key}\"");
        return Err(Rejection::new(RejectionCode::WrongShape, why));
    };
    if text.chars().filter(|letter| letter.is_alphabetic()).count() < FEWEST_LETTERS {
        return Err(Rejection::new(RejectionCode::Empty, format!("The text under \"{key}\" says nothing")));
    }
    let start = text.trim_start().to_lowercase();
    if start.starts_with("<!doctype") || start.starts_with("<html") {
        return Err(Rejection::new(RejectionCode::WrongShape, format!("The text under \"{key}\" is HTML")));
    }
    if repeats(&text) {
        let why = format!("The text under \"{key}\" repeats itself again and again");
        return Err(Rejection::new(RejectionCode::Repetition, why));
    }
    existing(&text, known)?;
    Ok(clipped(&text, SHOWN))
}

/// The beginning of a text that broke off, at most as long as any. A sentence that is whole keeps its end.
pub(super) fn broken_off(text: &str) -> String {
    let text = clipped(text, SHOWN);
    let gap = if text.ends_with(['.', '!', '?']) { " " } else { "" };
    format!("{}{gap}…", text.trim_end_matches('…'))
}

/// Every id that the text names exists.
pub(super) fn existing(text: &str, known: &Known) -> Result<(), Rejection> {
    ids_in(text)?.into_iter().try_for_each(|id| known.exists(id).map(|_| ()))
}

/// The ids that a text names, in its order and once each. One that no task could have is a fault at once.
pub(super) fn ids_in(text: &str) -> Result<Vec<TaskId>, Rejection> {
    let mut ids = Vec::new();
    let upper = text.to_ascii_uppercase();
    for (at, mark) in upper.match_indices("TASK-") {
        let inside_a_word = text[..at].chars().next_back().is_some_and(char::is_alphanumeric);
        let digits: String = text[at + mark.len()..].chars().take_while(char::is_ascii_digit).collect();
        if inside_a_word || digits.is_empty() {
            continue;
        }
        // Too large a number names no task any more than 0 does.
        let id = digits.parse::<TaskId>().map_err(|_| unknown(&format!("TASK-{}", &digits[..digits.len().min(12)])))?;
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    Ok(ids)
}

/// An id in a field of its own: "TASK-0003", or the same with words around it.
pub(super) fn id_in_field(text: &str) -> Result<Option<TaskId>, Rejection> {
    let named = ids_in(text)?.into_iter().next();
    Ok(named.or_else(|| text.trim().parse().ok()))
}

/// The same words four times in a row, the same sentence four times in all, or a word without end.
fn repeats(text: &str) -> bool {
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower.split_whitespace().collect();
    runs_in_circles(&words) || says_a_sentence_again(&lower) || words.iter().any(|word| is_endless(word))
}

fn runs_in_circles(words: &[&str]) -> bool {
    (1..=LONGEST_PERIOD.min(words.len() / REPEATS)).any(|period| {
        // One word has to come more often: "very very very very important" is style.
        let needed = (period * REPEATS).max(8) - period;
        let mut run = 0;
        words.iter().zip(&words[period..]).any(|(word, later)| {
            run = if word == later { run + 1 } else { 0 };
            run >= needed
        })
    })
}

fn says_a_sentence_again(text: &str) -> bool {
    const SHORTEST: usize = 5;
    let mut said: HashMap<&str, usize> = HashMap::new();
    text.split(['.', '!', '?', '\n', ';']).map(str::trim).any(|sentence| {
        if sentence.split_whitespace().nth(SHORTEST - 1).is_none() {
            return false;
        }
        let times = said.entry(sentence).or_default();
        *times += 1;
        *times >= REPEATS
    })
}

/// "aaaa…" or "hahaha…" of more letters than any word has. A ruler of dashes is none.
fn is_endless(word: &str) -> bool {
    const LONG: usize = 60;
    const LONGEST_SYLLABLE: usize = 8;
    let letters: Vec<char> = word.chars().filter(|letter| letter.is_alphanumeric()).collect();
    if letters.len() < LONG {
        return false;
    }
    (1..=LONGEST_SYLLABLE).any(|period| {
        let same = letters.iter().zip(&letters[period..]).filter(|(letter, later)| letter == later).count();
        same * 10 >= (letters.len() - period) * 9
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tasks::graph::Graph;
    use crate::tools::samples::board;

    fn code(text: &str) -> Result<(), RejectionCode> {
        let tasks = board();
        let known = Known::new(&Graph::new(&tasks));
        prose("analysis", Some(text.to_owned()), &known).map(|_| ()).map_err(|rejection| rejection.code)
    }

    #[test]
    fn good_prose_passes() {
        let good = [
            "The week is manageable: begin with TASK-0001, then TASK-0002 is free to start.",
            "Very very very very important: finish task-1 today, then see (TASK-0003).",
            "- one thing to do\n- another thing to do\n- a third thing to do\n--------------------------------------------------------------------",
            "Die Woche ist machbar, mit TASK-0001 anfangen. 先做最重要的事情，然后休息，再做其他的事情吧。",
        ];
        for text in good {
            assert_eq!(code(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn bad_prose_is_refused() {
        let loops = "Focus on the urgent tasks first and then move on. ".repeat(5);
        let circles = "and then the next and then the next ".repeat(4);
        let cases = [
            ("", RejectionCode::Empty),
            ("ok.", RejectionCode::Empty),
            ("1234567890 1234567890", RejectionCode::Empty),
            ("<html><body>502 Bad Gateway from the proxy</body></html>", RejectionCode::WrongShape),
            (loops.as_str(), RejectionCode::Repetition),
            (circles.as_str(), RejectionCode::Repetition),
            (&"work ".repeat(50), RejectionCode::Repetition),
            (&"ha".repeat(100), RejectionCode::Repetition),
            ("Begin with TASK-0099, it is the most urgent one.", RejectionCode::UnknownTask),
            ("Begin with task-99 and then do all of the others.", RejectionCode::UnknownTask),
            ("Begin with TASK-0000 and then do all of the others.", RejectionCode::UnknownTask),
            ("Begin with TASK-99999999999999999999 and then rest.", RejectionCode::UnknownTask),
        ];
        for (text, expected) in cases {
            assert_eq!(code(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn the_reason_is_a_sentence_with_the_id() {
        let tasks = board();
        let known = Known::new(&Graph::new(&tasks));
        let rejection = existing("see TASK-0099", &known).unwrap_err();
        assert_eq!(rejection.why, "The answer named TASK-0099, which does not exist");
    }

    #[test]
    fn ids_are_told_from_what_looks_like_them() {
        let ids = ids_in("MULTITASK-5, TASK-XXXX, TASK-, **TASK-0002**, task-2 and TASK-0001–TASK-0004").unwrap();
        assert_eq!(ids, [TaskId(2), TaskId(1), TaskId(4)]);
        assert_eq!(id_in_field("3"), Ok(Some(TaskId(3))));
        assert_eq!(id_in_field("TASK-0002: Task number 2"), Ok(Some(TaskId(2))));
        assert_eq!(id_in_field("none"), Ok(None));
    }
}
