//! What plain logic can say about a task that is only described: tasks like it, words of urgency, days that it names, and
//! from these a priority, an effort and a title.
//!
//! It scans words; it understands nothing. English only. A day is recognized to judge how pressing the task is, not
//! to be stored.

use std::collections::{BTreeSet, HashMap};

use jiff::civil::{Date, Weekday};

use super::work::{self, Effort, days_between};
use super::{Hours, Priority, Task, TaskId};

/// An existing task whose title shares words with the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Similar {
    pub id: TaskId,
    /// Shared words over all words of both, in percent.
    pub percent: u8,
    pub estimate: Option<Hours>,
    pub priority: Priority,
}

/// Words and phrases as they stand in the text, in lower case and in its order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// "urgent", "asap", "no rush".
    pub urgency: Vec<String>,
    /// "by friday", "tomorrow", "2026-03-06".
    pub dates: Vec<String>,
    /// The earliest day that is meant, as far as it can be told.
    pub due: Option<Date>,
    /// What the words of urgency ask for; a calming word stands above an alarming one, since it is rarer and on purpose.
    pub priority: Option<Priority>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    pub priority: Priority,
    /// A sentence: what the priority follows from.
    pub priority_reason: String,
    /// 1 to 100 characters.
    pub title: String,
    /// From similar tasks' estimates; `assumed` when there are none.
    pub effort: Effort,
    /// A sentence: what the effort follows from.
    pub effort_reason: String,
    pub similar: Vec<Similar>,
    pub found: Found,
}

const SIMILAR_SHOWN: usize = 3;
const SIMILAR_PERCENT: u32 = 20;
const TITLE_CHARS: usize = 100;

pub fn suggest(tasks: &[Task], text: &str, today: Date) -> Suggestion {
    let found = find(text, today);
    let similar = similar(tasks, text);
    let (priority, priority_reason) = priority(&found, today);
    let (effort, effort_reason) = effort(&similar);
    Suggestion { priority, priority_reason, title: title(text), effort, effort_reason, similar, found }
}

/// Up to three tasks whose titles have most words in common with the text; equal ones by id.
pub fn similar(tasks: &[Task], text: &str) -> Vec<Similar> {
    let wanted = telling_words(text);
    let mut found: Vec<Similar> = tasks.iter().filter_map(|task| compared(task, &wanted)).collect();
    found.sort_unstable_by_key(|similar| (u8::MAX - similar.percent, similar.id));
    found.truncate(SIMILAR_SHOWN);
    found
}

/// The words of urgency and the days that the text names.
pub fn find(text: &str, today: Date) -> Found {
    let words = words(text);
    let mut found = Found::default();
    let mut at = 0;
    while at < words.len() {
        let rest: Vec<&str> = words[at..].iter().map(String::as_str).collect();
        if let Some((length, priority)) = urgency(&rest) {
            found.urgency.push(rest[..length].join(" "));
            found.priority = Some(found.priority.map_or(priority, |other| stronger(other, priority)));
            at += length;
        } else if let Some((length, day)) = day(&rest, today) {
            let from =
                at - usize::from(at > 0 && ["by", "before", "until", "due", "on"].contains(&words[at - 1].as_str()));
            found.dates.push(words[from..at + length].join(" "));
            found.due = Some(found.due.map_or(day, |other| other.min(day)));
            at += length;
        } else {
            at += 1;
        }
    }
    found
}

/// The first clause, without what only leads up to it, at most 100 characters. Never empty.
pub fn title(text: &str) -> String {
    let line: String = text.trim().chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect();
    let line = without_lead(first_clause(&line));
    let clean = line.split_whitespace().collect::<Vec<_>>().join(" ");
    let clean = clean.trim_matches(|c: char| c.is_whitespace() || ".,;:-–—*#>\"'`".contains(c));
    let short = shortened(clean);
    let mut letters = short.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).take(TITLE_CHARS).collect(),
        None => "New task".to_owned(),
    }
}

fn priority(found: &Found, today: Date) -> (Priority, String) {
    if let Some(priority) = found.priority {
        return (priority, format!("The text says \"{}\".", found.urgency.join("\", \"")));
    }
    let Some(due) = found.due else {
        return (Priority::Normal, "The text names no day and no urgency.".to_owned());
    };
    let said = match found.dates.as_slice() {
        [day] => format!("The text says \"{day}\", which is {due}."),
        days => format!("The text says \"{}\"; the earliest of these days is {due}.", days.join("\", \"")),
    };
    match days_between(today, due) {
        ..=0 => (Priority::Urgent, said),
        1..=3 => (Priority::High, said),
        _ => (Priority::Normal, said),
    }
}

/// The middle one of the estimates, the lower of two.
fn effort(similar: &[Similar]) -> (Effort, String) {
    let mut known: Vec<(Hours, TaskId)> = similar
        .iter()
        .filter_map(|similar| Some((similar.estimate.filter(|hours| hours.minutes > 0)?, similar.id)))
        .collect();
    known.sort_unstable();
    let Some(middle) = known.get(known.len().saturating_sub(1) / 2) else {
        let reason = format!("No similar task has an estimate: {} are assumed.", work::ASSUMED);
        return (Effort { hours: work::ASSUMED, assumed: true }, reason);
    };
    let mut ids: Vec<TaskId> = known.iter().map(|(_, id)| *id).collect();
    ids.sort_unstable();
    let ids: Vec<String> = ids.iter().map(TaskId::to_string).collect();
    let hours = middle.0;
    (Effort { hours: middle.0, assumed: false }, format!("The effort of {hours} is taken from {}.", ids.join(", ")))
}

fn words(text: &str) -> Vec<String> {
    let split = text.split(|c: char| !(c.is_alphanumeric() || c == '-' || c == '\'' || c == '’'));
    split
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()).replace('’', "'").to_lowercase())
        .filter(|word| !word.is_empty())
        .collect()
}

/// The words that tell one task from another, without endings of number.
fn telling_words(text: &str) -> BTreeSet<String> {
    const COMMON: &[&str] = &[
        "a", "an", "and", "are", "as", "at", "be", "before", "but", "by", "can", "do", "for", "from", "has", "have",
        "i", "if", "in", "is", "it", "its", "me", "my", "need", "needs", "new", "of", "on", "or", "our", "please",
        "should", "so", "some", "task", "that", "the", "their", "them", "then", "there", "they", "this", "to", "up",
        "us", "we", "when", "which", "will", "with", "you", "your", "asap", "urgent", "today", "tomorrow",
    ];
    let plain = |word: String| match word.strip_suffix('s') {
        Some(stem) if stem.chars().count() > 2 && !stem.ends_with('s') => stem.to_owned(),
        _ => word,
    };
    words(text).into_iter().filter(|word| !COMMON.contains(&word.as_str())).map(plain).collect()
}

fn compared(task: &Task, wanted: &BTreeSet<String>) -> Option<Similar> {
    let own = telling_words(&task.title);
    let shared = work::count(own.intersection(wanted).count());
    let all = work::count(own.union(wanted).count());
    // A long description cannot match a short title by half: a title that it holds whole is similar all the same.
    let whole = shared >= 2 && shared == work::count(own.len());
    let percent =
        (shared * 100).checked_div(all).filter(|percent| shared > 0 && (whole || *percent >= SIMILAR_PERCENT))?;
    Some(Similar {
        id: task.id,
        percent: u8::try_from(percent).unwrap_or(100),
        estimate: task.estimate,
        priority: task.priority,
    })
}

/// Longer phrases first, so that "not urgent" is not read as "urgent".
const URGENCY: &[(&str, Priority)] = &[
    ("as soon as possible", Priority::Urgent),
    ("not at all urgent", Priority::Low),
    ("nice to have", Priority::Low),
    ("not very urgent", Priority::Low),
    ("not so urgent", Priority::Low),
    ("no hurry", Priority::Low),
    ("no rush", Priority::Low),
    ("not critical", Priority::Low),
    ("not important", Priority::Low),
    ("not urgent", Priority::Low),
    ("isn't urgent", Priority::Low),
    ("low priority", Priority::Low),
    ("some day", Priority::Low),
    ("right away", Priority::Urgent),
    ("right now", Priority::Urgent),
    ("high priority", Priority::High),
    ("top priority", Priority::Urgent),
    ("high-priority", Priority::High),
    ("low-priority", Priority::Low),
    ("non-urgent", Priority::Low),
    ("asap", Priority::Urgent),
    ("urgent", Priority::Urgent),
    ("urgently", Priority::Urgent),
    ("immediately", Priority::Urgent),
    ("emergency", Priority::Urgent),
    ("critical", Priority::Urgent),
    ("outage", Priority::Urgent),
    ("important", Priority::High),
    ("soon", Priority::High),
    ("someday", Priority::Low),
    ("eventually", Priority::Low),
    ("whenever", Priority::Low),
];

fn urgency(words: &[&str]) -> Option<(usize, Priority)> {
    URGENCY.iter().find_map(|(phrase, priority)| {
        let phrase: Vec<&str> = phrase.split(' ').collect();
        words.starts_with(&phrase).then_some((phrase.len(), *priority))
    })
}

/// A word that calms is rarer than one that alarms, and meant: "urgent-looking, but no rush".
fn stronger(a: Priority, b: Priority) -> Priority {
    let strength = |priority| match priority {
        Priority::Low => 3,
        Priority::Urgent => 2,
        Priority::High => 1,
        Priority::Normal => 0,
    };
    if strength(b) > strength(a) { b } else { a }
}

/// The day that the first words name, and how many words that takes.
fn day(words: &[&str], today: Date) -> Option<(usize, Date)> {
    match words {
        ["end", "of", "day", ..] => Some((3, today)),
        ["end", "of", "week" | "the", ..] if words.get(2..4) != Some(&["the", "month"]) => {
            let length = if words[2] == "the" { 4 } else { 3 };
            (words.get(length - 1) == Some(&"week")).then(|| (length, coming(today, Weekday::Friday)))
        }
        ["this", "week", ..] => Some((2, coming(today, Weekday::Friday))),
        ["next", "week", ..] => Some((2, work::days_after(coming(today, Weekday::Sunday), 5))),
        ["in", number, unit, ..] => {
            let days = match *unit {
                "day" | "days" => 1,
                "week" | "weeks" => 7,
                _ => return None,
            };
            let number: u32 = if ["a", "one"].contains(number) { 1 } else { number.parse().ok()? };
            Some((3, work::days_after(today, number.checked_mul(days)?)))
        }
        ["today" | "tonight" | "eod", ..] => Some((1, today)),
        ["tomorrow", ..] => Some((1, work::days_after(today, 1))),
        [word, ..] => weekday(word).map(|day| coming(today, day)).or_else(|| iso(word)).map(|day| (1, day)),
        [] => None,
    }
}

fn iso(word: &str) -> Option<Date> {
    (word.len() == 10).then(|| word.parse().ok()).flatten()
}

/// Today, if it is that day, else the next one.
fn coming(today: Date, wanted: Weekday) -> Date {
    let ahead = wanted.to_monday_zero_offset() - today.weekday().to_monday_zero_offset();
    work::days_after(today, u32::try_from(ahead.rem_euclid(7)).unwrap_or(0))
}

fn weekday(word: &str) -> Option<Weekday> {
    let days: HashMap<&str, Weekday> = HashMap::from([
        ("monday", Weekday::Monday),
        ("tuesday", Weekday::Tuesday),
        ("wednesday", Weekday::Wednesday),
        ("thursday", Weekday::Thursday),
        ("friday", Weekday::Friday),
        ("saturday", Weekday::Saturday),
        ("sunday", Weekday::Sunday),
    ]);
    days.get(word).copied()
}

/// Up to the first end of a sentence, line or half-sentence that has at least two words before it.
fn first_clause(text: &str) -> &str {
    for (at, mark) in text.char_indices() {
        let after = text[at + mark.len_utf8()..].chars().next();
        let ends = match mark {
            '\n' | ';' | '!' | '?' => true,
            '.' => after.is_none_or(char::is_whitespace) && !is_short_form(&text[..at]),
            '—' | '–' => after.is_none_or(char::is_whitespace),
            _ => false,
        };
        if ends && text[..at].split_whitespace().nth(1).is_some() {
            return &text[..at];
        }
    }
    text
}

/// "Dr." and its like end with a dot that ends no sentence.
fn is_short_form(before: &str) -> bool {
    const SHORT: &[&str] = &["dr", "mr", "mrs", "ms", "st", "prof", "no", "vs", "e.g", "i.e", "approx", "dept"];
    let word = before.rsplit(char::is_whitespace).next().unwrap_or(before).to_lowercase();
    SHORT.contains(&word.trim_start_matches('(')) || word.chars().count() == 1
}

/// "Please", "we need to", "Task:" and their like say nothing about the task.
fn without_lead(mut text: &str) -> &str {
    const LEADS: &[&str] = &[
        "please ",
        "todo:",
        "todo ",
        "task:",
        "urgent:",
        "urgent!",
        "asap:",
        "hi,",
        "hello,",
        "hey,",
        "we need to ",
        "i need to ",
        "you need to ",
        "we have to ",
        "i have to ",
        "we should ",
        "i should ",
        "we must ",
        "i must ",
        "need to ",
        "can you ",
        "could you ",
        "remember to ",
        "don't forget to ",
        "i want to ",
        "we want to ",
    ];
    loop {
        text = text.trim_start();
        let cut =
            LEADS.iter().find(|lead| text.get(..lead.len()).is_some_and(|start| start.eq_ignore_ascii_case(lead)));
        match cut {
            Some(lead) if !text[lead.len()..].trim().is_empty() => text = &text[lead.len()..],
            _ => return text,
        }
    }
}

/// Cut after a whole word where there is one.
fn shortened(text: &str) -> String {
    let Some((end, _)) = text.char_indices().nth(TITLE_CHARS) else { return text.to_owned() };
    let (end, _) = text[..end].char_indices().last().unwrap_or((0, ' '));
    let cut = &text[..end];
    let cut = cut.rsplit_once(' ').map_or(cut, |(whole, _)| whole);
    format!("{}…", cut.trim_end_matches(|c: char| !c.is_alphanumeric()))
}

#[cfg(test)]
#[path = "similar_tests.rs"]
mod tests;
