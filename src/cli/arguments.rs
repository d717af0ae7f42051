//! `key=value` as JSON, by what the tool's schema says a key is. Pure.
//!
//! A value that does not fit is passed on as text: the tool names the field and says what is allowed, the same way for
//! every door.

use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::mcp::{Side, portable};

pub(super) fn from_pairs(pairs: &[String], schema: Option<&schemars::Schema>) -> Result<Map<String, Value>> {
    let schema = schema.map(|schema| portable(schema, Side::Input)).unwrap_or_default();
    let properties = schema.get("properties").and_then(Value::as_object);
    let mut arguments = Map::new();
    for pair in pairs {
        let (key, text) = pair.split_once('=').ok_or_else(|| no_pair(pair))?;
        let property = properties.and_then(|properties| properties.get(key));
        if arguments.insert(key.to_owned(), convert(text, property)).is_some() {
            return Err(Error::bad_request(format!("`{key}` is given twice"))
                .hint("Give each key once; lists are written as key=a,b,c."));
        }
    }
    Ok(arguments)
}

fn convert(text: &str, property: Option<&Value>) -> Value {
    let as_text = || Value::String(text.to_owned());
    let read = || serde_json::from_str::<Value>(text).ok();
    match property.and_then(|property| property.get("type")).and_then(Value::as_str) {
        Some("boolean") => read().filter(Value::is_boolean).unwrap_or_else(as_text),
        Some("integer" | "number") => read().filter(Value::is_number).unwrap_or_else(as_text),
        Some("object") => read().filter(Value::is_object).unwrap_or_else(as_text),
        Some("array") => read().filter(Value::is_array).unwrap_or_else(|| {
            let items = property.and_then(|property| property.get("items"));
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            parts.map(|part| convert(part, items)).collect()
        }),
        _ => as_text(),
    }
}

fn no_pair(pair: &str) -> Error {
    let hint = if pair.trim_start().starts_with('{') {
        "A JSON object goes behind --json."
    } else {
        "Write key=value, such as title=\"Review budget\"."
    };
    Error::bad_request(format!("`{pair}` is not key=value")).hint(hint)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(pairs: &[&str]) -> Result<Map<String, Value>> {
        let schema = schemars::Schema::try_from(json!({ "type": "object", "properties": {
            "title": { "type": "string" },
            "days": { "type": ["integer", "null"] },
            "hours": { "type": "number" },
            "ready": { "type": "boolean" },
            "tags": { "type": "array", "items": { "type": "string" } },
            "members": { "type": "array", "items": { "type": "object" } },
        }}))
        .unwrap();
        from_pairs(&pairs.iter().map(ToString::to_string).collect::<Vec<_>>(), Some(&schema))
    }

    #[test]
    fn values_take_the_type_that_the_schema_names() {
        let read = read(&["title=42", "days=7", "hours=1.5", "ready=true", "tags=a, b,", r#"members=[{"name":"x"}]"#])
            .unwrap();
        let expected = json!({ "title": "42", "days": 7, "hours": 1.5, "ready": true, "tags": ["a", "b"],
            "members": [{ "name": "x" }] });
        assert_eq!(Value::Object(read), expected);
    }

    #[test]
    fn what_does_not_fit_is_left_for_the_tool_to_refuse_by_name() {
        let read = read(&["days=soon", "ready=maybe", "nobody=knows", "title=a=b"]).unwrap();
        let expected = json!({ "days": "soon", "ready": "maybe", "nobody": "knows", "title": "a=b" });
        assert_eq!(Value::Object(read), expected);
    }

    #[test]
    fn a_lone_word_and_a_repeated_key_are_refused_with_what_to_write() {
        assert!(read(&["title"]).unwrap_err().hint.unwrap().contains("key=value"));
        assert!(read(&["{}"]).unwrap_err().hint.unwrap().contains("--json"));
        assert!(read(&["days=1", "days=2"]).unwrap_err().message.contains("twice"));
    }
}
