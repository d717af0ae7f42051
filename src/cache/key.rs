//! What makes two requests the same: what would be sent, to whom, for whom, by which wording of the prompt.

use serde::Serialize;
use serde_json::Value;

use crate::chat::ChatRequest;
use crate::names::ModelName;

/// A hash; two requests with the same key would get the same bytes sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CacheKey([u8; 32]);

/// Everything that the key is made of.
#[derive(Serialize)]
pub struct KeyParts<'a> {
    /// Answers are never shared between callers.
    pub caller: &'a str,
    pub target: &'a str,
    /// Another policy may mean another model by the same name.
    pub policy_hash: &'a str,
    pub prompt_version: &'a str,
    /// What each candidate would be sent, in the order of trying.
    pub requests: Vec<(&'a ModelName, ChatRequest)>,
}

impl CacheKey {
    pub fn of(parts: &KeyParts<'_>) -> Self {
        let mut hasher = blake3::Hasher::new();
        // Plain values always serialize; a failure would leave the hash of nothing, which no other request has.
        if let Ok(value) = serde_json::to_value(parts) {
            feed(&mut hasher, &value);
        }
        Self(*hasher.finalize().as_bytes())
    }
}

/// Canonical: object keys in order, every text with its length, so that no two values run together.
fn feed(hasher: &mut blake3::Hasher, value: &Value) {
    match value {
        Value::Object(map) => {
            let mut fields: Vec<_> = map.iter().collect();
            fields.sort_by_key(|(name, _)| *name);
            feed_tag(hasher, b'{', fields.len());
            for (name, value) in fields {
                feed_text(hasher, name);
                feed(hasher, value);
            }
        }
        Value::Array(items) => {
            feed_tag(hasher, b'[', items.len());
            items.iter().for_each(|item| feed(hasher, item));
        }
        Value::String(text) => feed_text(hasher, text),
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            let text = value.to_string();
            feed_tag(hasher, b'=', text.len());
            hasher.update(text.as_bytes());
        }
    }
}

fn feed_text(hasher: &mut blake3::Hasher, text: &str) {
    feed_tag(hasher, b'"', text.len());
    hasher.update(text.as_bytes());
}

fn feed_tag(hasher: &mut blake3::Hasher, tag: u8, length: usize) {
    hasher.update(&[tag]);
    hasher.update(&(length as u64).to_le_bytes());
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;
    use crate::chat::{Format, Message, Tokens};

    fn request(content: &str) -> ChatRequest {
        ChatRequest {
            messages: vec![Message::user(content)],
            temperature: Some(0.7),
            max_output: Tokens(100),
            format: Format::Text,
            extra: Map::new(),
        }
    }

    fn key(caller: &str, version: &str, model: &str, request: ChatRequest) -> CacheKey {
        let model = ModelName::from(model);
        let requests = vec![(&model, request)];
        CacheKey::of(&KeyParts {
            caller,
            target: "analyze_workload",
            policy_hash: "p",
            prompt_version: version,
            requests,
        })
    }

    #[test]
    fn everything_that_would_change_the_answer_changes_the_key() {
        let base = key("local", "1", "m", request("a"));
        assert_eq!(base, key("local", "1", "m", request("a")));
        let warmer = ChatRequest { temperature: Some(0.8), ..request("a") };
        let longer = ChatRequest { max_output: Tokens(101), ..request("a") };
        let shaped = ChatRequest { format: Format::JsonObject, ..request("a") };
        let with_extra = ChatRequest { extra: Map::from_iter([("num_ctx".to_owned(), json!(1))]), ..request("a") };
        let others = [
            key("other", "1", "m", request("a")),
            key("local", "2", "m", request("a")),
            key("local", "1", "n", request("a")),
            key("local", "1", "m", request("b")),
            key("local", "1", "m", warmer),
            key("local", "1", "m", longer),
            key("local", "1", "m", shaped),
            key("local", "1", "m", with_extra),
        ];
        for (at, other) in others.iter().enumerate() {
            assert_ne!(base, *other, "case {at}");
            assert!(!others[..at].contains(other), "case {at}");
        }
    }

    #[test]
    fn the_order_of_an_objects_keys_does_not_matter() {
        let with = |pairs: &[(&str, Value)]| ChatRequest {
            extra: pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
            ..request("a")
        };
        let one = with(&[("a", json!(1)), ("b", json!({"x": 1, "y": 2}))]);
        let two = with(&[("b", json!({"y": 2, "x": 1})), ("a", json!(1))]);
        assert_eq!(key("local", "1", "m", one), key("local", "1", "m", two));
    }

    #[test]
    fn no_two_values_run_together() {
        let with = |value: Value| ChatRequest { extra: Map::from_iter([("x".to_owned(), value)]), ..request("a") };
        // What would stand between two texts, were their lengths not told.
        let between = "\"\0\0\0\0\0\0\0\0";
        let pairs = [
            (json!([[1, 2]]), json!([[1], 2])),
            (json!(["a", format!("b{between}c")]), json!([format!("a{between}b"), "c"])),
            (json!(["1"]), json!([1])),
            (json!({"a": {"b": 1}}), json!({"a": {}, "b": 1})),
        ];
        for (one, other) in pairs {
            assert_ne!(key("local", "1", "m", with(one.clone())), key("local", "1", "m", with(other)), "{one}");
        }
    }
}
