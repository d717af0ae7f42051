//! The arguments of a call: held against the tool's own input schema, then read into its parameters.
//!
//! The schema that hosts see is the one source of what is allowed: names, kinds, ranges and list sizes are checked here,
//! with a message that teaches the right form. What words mean (priorities, days, titles) is for `tasks` to say.

use schemars::Schema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Number, Value};

use crate::error::{Error, Kind, Result};
use crate::tasks::{TaskId, closest};

/// Enough of a wrong value to recognize it by.
const SHOWN: usize = 60;

/// Reads the arguments. `null` for an optional parameter means that it was left out.
pub(super) fn read<P: DeserializeOwned>(schema: &Schema, given: Map<String, Value>) -> Result<P> {
    let none = Map::new();
    let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
    if let Some(unknown) = given.keys().find(|name| !properties.contains_key(*name)) {
        return Err(unknown_field(unknown, properties));
    }
    let mut arguments = Map::new();
    for (name, value) in given {
        if let (Some(shape), false) = (properties.get(&name), value.is_null()) {
            let value = checked(&name, shape, value)?;
            arguments.insert(name, value);
        }
    }
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    for name in required.filter_map(Value::as_str) {
        if !arguments.contains_key(name) {
            return Err(missing(name, properties.get(name)));
        }
    }
    serde_json::from_value(Value::Object(arguments)).map_err(|error| {
        // The schema and the parameters are one type; they cannot disagree on what passed above.
        Error::new(Kind::Internal, "The arguments fit the schema but could not be read").source(error)
    })
}

/// A task id in the argument `field`.
pub(super) fn task_id(field: &str, text: &str) -> Result<TaskId> {
    text.parse().map_err(|_| {
        let shown = quoted(&Value::from(text));
        Error::bad_request(format!("`{field}` must be a task id such as TASK-0001, not {shown}"))
            .hint("Call list_tasks to see the ids.")
    })
}

/// A list of task ids, sorted and without repeats.
pub(super) fn task_ids(field: &str, texts: &[String]) -> Result<Vec<TaskId>> {
    let mut ids = texts.iter().map(|text| task_id(field, text)).collect::<Result<Vec<_>>>()?;
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

/// One of a few words in the argument `field`; case and outer blanks do not matter.
pub(super) fn word<'w>(field: &str, given: &str, words: &[&'w str]) -> Result<&'w str> {
    let plain = given.trim().to_lowercase();
    words.iter().copied().find(|word| *word == plain).ok_or_else(|| {
        let shown = quoted(&Value::from(given));
        let error = Error::bad_request(format!("`{field}` must be one of {}, not {shown}", words.join(", ")));
        match closest(&plain, words.iter().copied()) {
            Some(meant) => error.hint(format!("Did you mean `{meant}`?")),
            None => error.hint("Use one of these words."),
        }
    })
}

fn unknown_field(name: &str, properties: &Map<String, Value>) -> Error {
    let known: Vec<&str> = properties.keys().map(String::as_str).collect();
    let plain = name.trim().to_lowercase().replace([' ', '-'], "_");
    let near = closest(&plain, known.iter().copied()).or_else(|| {
        // "due" for `due_date`, "id" for `task_id`.
        known.iter().copied().find(|known| known.split('_').any(|part| part == plain))
    });
    let shown = clip(&crate::tasks::clean_line(name));
    let message = match near {
        Some(meant) => format!("unknown field `{shown}`, did you mean `{meant}`?"),
        None => format!("unknown field `{shown}`"),
    };
    let hint = match known.as_slice() {
        [] => "This tool takes no arguments.".to_owned(),
        known => format!("The fields are {}.", known.join(", ")),
    };
    Error::bad_request(message).hint(hint)
}

fn missing(name: &str, shape: Option<&Value>) -> Error {
    let error = Error::bad_request(format!("`{name}` is missing"));
    let Some(shape) = shape else { return error };
    match shape.get("description").and_then(Value::as_str) {
        // "text" alone does not say which.
        Some(about) if kind(shape) == Some("string") && shape.get("enum").is_none() => {
            error.hint(format!("Give `{name}`, {}: {}.", expected(shape), about.trim_end_matches('.')))
        }
        _ => error.hint(format!("Give `{name}`: {}.", expected(shape))),
    }
}

fn checked(name: &str, shape: &Value, value: Value) -> Result<Value> {
    let wrong = |value: &Value| {
        Error::bad_request(format!("`{name}` must be {}, not {}", expected(shape), quoted(value)))
            .hint(format!("Correct `{name}` and call again."))
    };
    match (kind(shape), value) {
        (Some("integer"), value) => match whole(&value).filter(|number| in_range(shape, number)) {
            Some(number) => Ok(Value::Number(number)),
            None => Err(wrong(&value)),
        },
        (Some("number"), Value::Number(number)) if in_range(shape, &number) => Ok(Value::Number(number)),
        (Some("array"), Value::Array(items)) => checked_items(name, shape, items),
        (Some("string"), value @ Value::String(_)) | (Some("boolean"), value @ Value::Bool(_)) => Ok(value),
        (_, value) => Err(wrong(&value)),
    }
}

fn checked_items(name: &str, shape: &Value, items: Vec<Value>) -> Result<Value> {
    let most = shape.get("maxItems").and_then(Value::as_u64);
    if most.is_some_and(|most| items.len() as u64 > most) {
        let message = format!("`{name}` must be {}, not one of {}", expected(shape), items.len());
        return Err(Error::bad_request(message).hint(format!("Shorten `{name}` and call again.")));
    }
    let of = shape.get("items").cloned().unwrap_or_default();
    let items = items.into_iter().enumerate().map(|(at, item)| checked(&format!("{name}[{at}]"), &of, item));
    items.collect::<Result<Vec<_>>>().map(Value::Array)
}

/// The kind that a value must have; an optional one may be null besides.
fn kind(shape: &Value) -> Option<&str> {
    match shape.get("type")? {
        Value::String(kind) => Some(kind),
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null"),
        _ => None,
    }
}

/// 14 and 14.0 are the same whole number.
fn whole(value: &Value) -> Option<Number> {
    /// Up to here a float tells every whole number from the next.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let number = value.as_number()?;
    if number.is_i64() || number.is_u64() {
        return Some(number.clone());
    }
    let float = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() <= EXACT)?;
    Some(Number::from(float as i64))
}

fn in_range(shape: &Value, number: &Number) -> bool {
    let bound = |key: &str| shape.get(key).and_then(Value::as_f64);
    number.as_f64().is_some_and(|number| {
        bound("minimum").is_none_or(|least| number >= least)
            && bound("exclusiveMinimum").is_none_or(|below| number > below)
            && bound("maximum").is_none_or(|most| number <= most)
    })
}

/// What is wanted, in words: "a whole number from 1 to 365".
fn expected(shape: &Value) -> String {
    if let Some(words) = shape.get("enum").and_then(Value::as_array) {
        let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
        return format!("one of {}", words.join(", "));
    }
    match kind(shape) {
        Some("integer") => format!("a whole number{}", range(shape)),
        Some("number") => format!("a number{}", range(shape)),
        Some("boolean") => "true or false".to_owned(),
        Some("array") => match shape.get("maxItems").and_then(Value::as_u64) {
            Some(most) => format!("a list of at most {most} texts"),
            None => "a list of texts".to_owned(),
        },
        _ => "text".to_owned(),
    }
}

fn range(shape: &Value) -> String {
    let bound = |key: &str| shape.get(key).and_then(Value::as_f64);
    match (bound("minimum"), bound("exclusiveMinimum"), bound("maximum")) {
        (Some(least), _, Some(most)) => format!(" from {least} to {most}"),
        (None, Some(below), Some(most)) => format!(" above {below} and up to {most}"),
        (Some(least), _, None) => format!(" of {least} or more"),
        (None, Some(below), None) => format!(" above {below}"),
        (None, None, Some(most)) => format!(" up to {most}"),
        (None, None, None) => String::new(),
    }
}

/// The value that was given, short enough for a message.
fn quoted(value: &Value) -> String {
    match value {
        Value::String(text) => format!("\"{}\"", clip(&crate::tasks::clean_line(text))),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        Value::Null => "null".to_owned(),
        Value::Bool(_) | Value::Number(_) => clip(&value.to_string()),
    }
}

fn clip(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
#[path = "arguments_tests.rs"]
mod tests;
