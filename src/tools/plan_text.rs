//! Does the text of a plan say the same as the plan? A deterministic reading, wrong rather on the side of letting pass.
//!
//! The text is cut into clauses at line ends, full stops and semicolons. A clause speaks of selection ("selected", "in the
//! sprint", "included", "committed"), of deferral ("deferred", "backlog", "left out", "next sprint", "postponed", "not
//! selected"), of both or of neither; a line that ends with a colon, or begins with `#`, or is bold, speaks for the lines
//! under it until the next such line. Only a clause with one meaning is held to it:
//! - one that speaks of selection may name no task that is outside the sprint;
//! - one that speaks of deferral must name some task that is outside it, if it names any ("TASK-0009 is deferred because
//!   TASK-0001 comes first" is fine).

use std::collections::HashSet;

use super::checks::ids_in;
use crate::request::{Rejection, RejectionCode};
use crate::tasks::TaskId;

const DEFERRAL: &[&str] = &[
    "not selected",
    "not included",
    "not in the sprint",
    "not in this sprint",
    "unselected",
    "out of the sprint",
    "out of this sprint",
    "excluded",
    "deferred",
    "defer ",
    "backlog",
    "left out",
    "next sprint",
    "later sprint",
    "postpone",
];
const SELECTION: &[&str] = &["selected", "in the sprint", "in this sprint", "included", "committed", "we commit"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sense {
    Selected,
    Deferred,
    Mixed,
    None,
}

/// Refuses a text that calls a task selected or deferred which is not.
pub(super) fn agrees(text: &str, selected: &HashSet<TaskId>) -> Result<(), Rejection> {
    let mut heading = Sense::None;
    for line in text.lines() {
        if is_heading(line) {
            heading = sense(line);
        }
        for clause in clauses(line) {
            let sense = match sense(clause) {
                Sense::None => heading,
                sense => sense,
            };
            holds(sense, &ids_in(clause)?, selected)?;
        }
    }
    Ok(())
}

fn holds(sense: Sense, named: &[TaskId], selected: &HashSet<TaskId>) -> Result<(), Rejection> {
    let outside = named.iter().find(|id| !selected.contains(id));
    let contradiction = |why| Err(Rejection::new(RejectionCode::Contradiction, why));
    match (sense, outside, named.first()) {
        (Sense::Selected, Some(id), _) => {
            contradiction(format!("The plan text calls {id} selected, but it is not in the sprint"))
        }
        (Sense::Deferred, None, Some(id)) => {
            contradiction(format!("The plan text calls {id} deferred, but it is in the sprint"))
        }
        _ => Ok(()),
    }
}

fn sense(clause: &str) -> Sense {
    let mut clause = clause.to_lowercase();
    let mut defers = false;
    for phrase in DEFERRAL {
        // Taken out, so that "not selected" is not read as "selected".
        if clause.contains(phrase) {
            defers = true;
            clause = clause.replace(phrase, " ");
        }
    }
    match (SELECTION.iter().any(|phrase| clause.contains(phrase)), defers) {
        (true, true) => Sense::Mixed,
        (true, false) => Sense::Selected,
        (false, true) => Sense::Deferred,
        (false, false) => Sense::None,
    }
}

fn is_heading(line: &str) -> bool {
    let line = line.trim();
    line.ends_with(':') || line.starts_with('#') || (line.len() > 4 && line.starts_with("**") && line.ends_with("**"))
}

fn clauses(line: &str) -> impl Iterator<Item = &str> {
    line.split(". ").flat_map(|sentence| sentence.split(';'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<(), String> {
        let selected = HashSet::from([TaskId(1), TaskId(2)]);
        agrees(text, &selected).map_err(|rejection| rejection.why)
    }

    #[test]
    fn texts_that_agree_pass() {
        let fine = [
            "Start with TASK-0001, then TASK-0002. TASK-0009 is deferred to the backlog.",
            "Selected:\n- TASK-0001\n- TASK-0002\n\nDeferred:\n- TASK-0009",
            "## Selected tasks\nTASK-0001, TASK-0002\n## Backlog\nTASK-0008",
            "TASK-0009 is not selected; TASK-0001 is selected.",
            "TASK-0009 is deferred because TASK-0001 fills the week.",
            "TASK-0001 is selected while TASK-0009 goes to the backlog.",
            "TASK-0001 unblocks TASK-0009.",
            "Nothing is named here, though much is selected and more is deferred.",
        ];
        for text in fine {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn texts_that_contradict_the_selection_are_told_where() {
        let selected = "The plan text calls TASK-0009 selected, but it is not in the sprint";
        let deferred = "The plan text calls TASK-0001 deferred, but it is in the sprint";
        let wrong = [
            ("TASK-0001 and TASK-0009 are selected.", selected),
            ("Start early. TASK-0009 is included because it is due; TASK-0002 follows.", selected),
            ("Selected tasks:\n- TASK-0001\n- TASK-0009", selected),
            ("**Selected**\n1. TASK-0009 first", selected),
            ("TASK-0001 is deferred.", deferred),
            ("Backlog:\n- TASK-0001", deferred),
            ("We leave TASK-0001 for the next sprint.", deferred),
        ];
        for (text, why) in wrong {
            assert_eq!(check(text), Err(why.to_owned()), "{text}");
        }
    }
}
