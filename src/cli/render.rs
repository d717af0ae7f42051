//! A result for a person: sentences first, tasks as a table, the rest as short lines. Works from the JSON alone, so
//! that no tool needs a second form.

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;

use comfy_table::{ContentArrangement, LineStyle, Table};
use serde_json::{Map, Value};

use crate::tools::ToolSpec;

/// The columns of a table of tasks, as far as any task has them.
const COLUMNS: &[(&str, &str)] = &[
    ("id", "id"),
    ("title", "title"),
    ("priority", "priority"),
    ("status", "status"),
    ("due_date", "due"),
    ("estimate_hours", "hours"),
    ("hours", "hours"),
    ("assignee", "assignee"),
    ("project", "project"),
    ("why", "why"),
    ("reason", "why"),
];

/// Prose is easier to read in lines of a book's width.
const WIDTH: usize = 96;

/// Said by the result being there at all.
const OBVIOUS: &[&str] = &["success"];

pub(super) fn result(body: &Map<String, Value>) -> String {
    let mut parts = Vec::new();
    if let Some(message) = body.get("message").and_then(Value::as_str) {
        parts.push(message.to_owned());
    }
    for (key, value) in body {
        if value.is_null() || key == "message" || key == "routing" || OBVIOUS.contains(&key.as_str()) {
            continue;
        }
        parts.push(part(key, value));
    }
    if let Some(routing) = body.get("routing").and_then(Value::as_object) {
        parts.push(footer(routing));
    }
    parts.join("\n")
}

/// The tools, for `taskgate call` without a name.
pub(super) fn tools(specs: &[ToolSpec]) -> String {
    let mut table = plain_table();
    for spec in specs {
        // The first sentence says what it does and when.
        let first = spec.description.split_once(". ").map_or(spec.description, |(first, _)| first);
        table.add_row([spec.name, first.trim_end_matches('.')]);
    }
    format!("{table}\n\nCall one with: taskgate call TOOL key=value …")
}

fn part(key: &str, value: &Value) -> String {
    let name = key.replace('_', " ");
    match value {
        Value::String(text) if text.contains('\n') || text.len() > WIDTH - key.len() => {
            format!("\n{name}:\n{}\n", wrapped(text.trim_end(), WIDTH))
        }
        Value::Object(record) => format!("\n{name}:\n{}", fields(record)),
        Value::Array(items) if items.is_empty() => format!("{name}: none"),
        Value::Array(items) if items.iter().all(|item| item.get("id").is_some() && item.get("title").is_some()) => {
            format!("\n{name}:\n{}", tasks(items))
        }
        Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
            let lines: Vec<String> = items.iter().map(|item| format!("  - {}", inline(item))).collect();
            format!("\n{name}:\n{}", lines.join("\n"))
        }
        value => format!("{name}: {}", inline(value)),
    }
}

fn tasks(items: &[Value]) -> String {
    let has = |key: &str| items.iter().any(|item| item.get(key).is_some_and(|value| !value.is_null()));
    let shown: Vec<(&str, &str)> = COLUMNS.iter().copied().filter(|(key, _)| has(key)).collect();
    let mut table = plain_table();
    table.set_header(shown.iter().map(|(_, heading)| *heading));
    for item in items {
        table.add_row(shown.iter().map(|(key, _)| item.get(*key).map(inline).unwrap_or_default()));
    }
    table.to_string()
}

fn fields(record: &Map<String, Value>) -> String {
    let says_nothing = |value: &Value| value.is_null() || value.as_array().is_some_and(Vec::is_empty);
    let told: Vec<_> = record.iter().filter(|(_, value)| !says_nothing(value)).collect();
    let width = told.iter().map(|(key, _)| key.chars().count()).max().unwrap_or(0);
    let line = |(key, value): &(&String, &Value)| format!("  {:width$}  {}", key.replace('_', " "), inline(value));
    told.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// On one line: text as it is, lists by commas, records as `key value` pairs.
fn inline(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(inline).collect::<Vec<_>>().join(", "),
        Value::Object(record) => {
            let told = record.iter().filter(|(_, value)| !value.is_null());
            told.map(|(key, value)| format!("{} {}", key.replace('_', " "), inline(value)))
                .collect::<Vec<_>>()
                .join(" · ")
        }
        other => other.to_string(),
    }
}

/// Who answered, how long it took, what it cost.
fn footer(routing: &Map<String, Value>) -> String {
    let text = |key: &str| routing.get(key).filter(|value| !value.is_null()).map(inline);
    let mut words = vec![match (text("model"), text("tier")) {
        (Some(model), Some(tier)) => format!("{model} ({tier})"),
        (Some(model), None) => model,
        _ => "logic alone".to_owned(),
    }];
    words.extend(text("latency_ms").map(|milliseconds| format!("{milliseconds} ms")));
    words.extend(routing.get("cost_usd").and_then(Value::as_f64).map(|usd| format!("${usd}")));
    let reason = text("reason").map(|reason| format!("\n  {}", wrapped(&reason, WIDTH).replace('\n', "\n  ")));
    format!("\n— {}{}", words.join(" · "), reason.unwrap_or_default())
}

/// At spaces only: a broken "TASK-0001" or "2026-12-01" cannot be copied.
pub(super) fn wrapped(text: &str, width: usize) -> String {
    textwrap::fill(text, textwrap::Options::new(width).word_splitter(textwrap::WordSplitter::NoHyphenation))
}

pub(super) fn plain_table() -> Table {
    let mut table = Table::new();
    // A line under the heading is enough; one under each row would double the length.
    let style = UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none());
    table.load_style(style).set_content_arrangement(ContentArrangement::Dynamic).set_width(100);
    table
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(value: Value) -> String {
        result(value.as_object().unwrap())
    }

    #[test]
    fn the_sentence_comes_first_and_absent_fields_are_left_out() {
        let text =
            shown(json!({ "success": true, "task": { "id": "TASK-0001", "title": "Review budget", "due_date": null },
            "message": "Created task TASK-0001: Review budget" }));
        assert!(text.starts_with("Created task TASK-0001: Review budget\n"), "{text}");
        assert!(!text.contains("success") && !text.contains("due date"), "{text}");
    }

    #[test]
    fn tasks_are_a_table_with_the_columns_that_any_of_them_has() {
        let text = shown(json!({ "count": 2, "tasks": [
            { "id": "TASK-0001", "title": "A", "priority": "high", "due_date": null },
            { "id": "TASK-0002", "title": "B", "priority": "low", "due_date": "2026-12-01" }] }));
        assert!(text.contains("count: 2") && text.contains("due") && text.contains("2026-12-01"), "{text}");
        assert!(!text.contains("assignee") && !text.contains("null"), "{text}");
    }

    #[test]
    fn long_text_is_wrapped_and_no_id_or_day_is_broken() {
        let text = shown(json!({ "analysis": "TASK-0001 is due on 2026-12-01. ".repeat(20) }));
        assert!(text.lines().count() > 5 && text.lines().all(|line| line.len() <= WIDTH), "{text}");
        assert!(text.lines().all(|line| !line.ends_with('-')), "{text}");
    }

    #[test]
    fn the_last_line_says_who_answered() {
        let text = shown(json!({ "analysis": "Fine.", "routing": { "model": "task-api-model", "tier": "local",
            "latency_ms": 1200, "cost_usd": 0.0, "reason": "low complexity" } }));
        assert!(text.ends_with("— task-api-model (local) · 1200 ms · $0\n  low complexity"), "{text}");
    }
}
