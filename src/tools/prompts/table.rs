//! Tasks as rows for a model: one line each, ids and numbers first, the title last.

use crate::tasks::graph::Graph;
use crate::tasks::{Task, clean_line, clean_text};
use crate::tools::record::{clipped, hours};

pub(in crate::tools) const COLUMNS: &str = "id|status|priority|due|est h|assignee|blocked by|title";

const TITLE_CHARS: usize = 80;
const NAME_CHARS: usize = 24;
const BLOCKERS_SHOWN: usize = 3;

/// Text from outside as data: one visible line in which nothing looks like a fence or a column.
pub(in crate::tools) fn data(text: &str) -> String {
    clean_line(text).chars().map(harmless).collect()
}

/// The same for text of several lines.
pub(in crate::tools) fn data_text(text: &str) -> String {
    clean_text(text).chars().map(harmless).collect()
}

/// A fence is made of these; as quotation marks they mean the same to a reader.
fn harmless(letter: char) -> char {
    match letter {
        '<' => '‹',
        '>' => '›',
        '|' => '¦',
        letter => letter,
    }
}

pub(in crate::tools) fn row(task: &Task, graph: &Graph<'_>) -> String {
    let due = task.due_date.map_or_else(|| "-".to_owned(), |due| due.to_string());
    let estimate = task.estimate.map_or_else(|| "-".to_owned(), |estimate| hours(estimate).to_string());
    let assignee = task.assignee.as_deref().map_or_else(|| "-".to_owned(), |name| clipped(&data(name), NAME_CHARS));
    let blockers = graph.blocked_by(task.id);
    let mut blocked_by: Vec<String> = blockers.iter().take(BLOCKERS_SHOWN).map(ToString::to_string).collect();
    match blockers.len() {
        0 => blocked_by.push("-".to_owned()),
        many if many > BLOCKERS_SHOWN => blocked_by.push(format!("{} more", many - BLOCKERS_SHOWN)),
        _ => {}
    }
    let title = clipped(&data(&task.title), TITLE_CHARS);
    let (status, priority) = (task.status.as_str(), task.priority.as_str());
    format!("{}|{status}|{priority}|{due}|{estimate}|{assignee}|{}|{title}", task.id, blocked_by.join(" "))
}
