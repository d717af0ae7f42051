//! Keys of version 1 whose mechanism this version does not have yet. They are refused, never ignored in silence.
//!
//! To support one: delete its line.

use super::problems::Findings;
use super::tree::{Node, Value};

struct Later {
    /// `*` stands for any name or any item of a list.
    at: &'static str,
    /// Values that ask for nothing, so they may stand. An empty list or map always may.
    harmless: &'static [&'static str],
}

const NOT_YET: &[Later] = &[
    Later { at: "routes.*.match.callers", harmless: &[] },
    Later { at: "ledger.record_prompts", harmless: &["false"] },
];

pub fn refuse(tree: &Node, found: &mut Findings) {
    for later in NOT_YET {
        let steps: Vec<&str> = later.at.split('.').collect();
        visit(tree, &steps, later, found);
    }
}

fn visit(node: &Node, steps: &[&str], later: &Later, found: &mut Findings) {
    let Some((step, rest)) = steps.split_first() else { return };
    for item in node.items().iter().filter(|_| *step == "*") {
        visit(item, rest, later, found);
    }
    for entry in node.entries().iter().filter(|entry| *step == "*" || entry.key == *step) {
        if !rest.is_empty() {
            visit(&entry.node, rest, later, found);
        } else if !asks_nothing(&entry.node, later) {
            let name = later.at.rsplit("*.").next().unwrap_or(later.at);
            let message = format!("`{name}` is not yet supported by this version; remove it");
            let problem = found.error(entry.key_place.clone(), message);
            if let Some(word) = later.harmless.first() {
                problem.help(format!("or write `{}: {word}`", entry.key));
            }
        }
    }
}

fn asks_nothing(node: &Node, later: &Later) -> bool {
    match &node.value {
        Value::Scalar { text, .. } => node.is_null() || later.harmless.contains(&text.as_str()),
        Value::List(items) => items.is_empty(),
        Value::Map(entries) => entries.is_empty(),
    }
}

#[cfg(test)]
pub(super) fn keys() -> impl Iterator<Item = &'static str> {
    NOT_YET.iter().map(|later| later.at)
}
