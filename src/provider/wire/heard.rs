//! What an upstream says: a whole reply or one event of a stream. A field of an unexpected shape counts as missing.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::super::trouble::Trouble;
use super::usage;
use crate::chat::{Finish, Usage};

/// Names and reasons of an upstream's are kept to this many characters.
const WORD: usize = 64;

/// A whole reply, or one event: the two differ only in the name of a choice's message.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in super::super) struct Wire {
    #[serde(deserialize_with = "or_none")]
    model: Option<String>,
    #[serde(deserialize_with = "or_none")]
    choices: Option<Vec<WireChoice>>,
    usage: Value,
    #[serde(deserialize_with = "or_none")]
    x_groq: Option<Extension>,
    #[serde(deserialize_with = "or_none")]
    object: Option<String>,
    error: Value,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Extension {
    usage: Value,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WireChoice {
    #[serde(deserialize_with = "or_none")]
    index: Option<u64>,
    #[serde(deserialize_with = "or_none")]
    message: Option<WireMessage>,
    #[serde(deserialize_with = "or_none")]
    delta: Option<WireMessage>,
    #[serde(deserialize_with = "or_none")]
    finish_reason: Option<String>,
    usage: Value,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WireMessage {
    content: Value,
    #[serde(deserialize_with = "or_none")]
    refusal: Option<String>,
    reasoning_content: Value,
    reasoning: Value,
    tool_calls: Value,
}

/// What the first choice says.
#[derive(Debug, Default)]
pub(in super::super) struct Choice {
    pub text: String,
    pub finish: Option<Finish>,
    /// Nothing to show, but the model is at work: it thinks, or calls a tool.
    pub alive: bool,
    /// Bytes of thoughts and of calls of tools: nobody is shown them, and they are paid for.
    pub unshown: usize,
    /// The text is the model's refusal.
    pub refused: bool,
}

impl Wire {
    /// An error inside is a refusal, whatever the status was.
    pub(in super::super) fn parse(body: &[u8]) -> Result<Self, Trouble> {
        let value: Value = serde_json::from_slice(body).map_err(|error| match error.classify() {
            // The parser checks the text, too.
            serde_json::error::Category::Syntax if std::str::from_utf8(body).is_err() => Trouble::NotText,
            _ => Trouble::NotJson,
        })?;
        if !value.is_object() {
            return Err(if has_error(&value) { Trouble::inside(body) } else { Trouble::NotJson });
        }
        let wire = Self::deserialize(value).map_err(|_| Trouble::NotJson)?;
        if says_something(&wire.error) || wire.object.as_deref() == Some("error") {
            return Err(Trouble::inside(body));
        }
        Ok(wire)
    }

    /// Wherever it stands: most put it at the top, some in the choice, Groq in a field of its own.
    pub(in super::super) fn usage(&self) -> Option<Usage> {
        let in_choice = self.choices.iter().flatten().map(|choice| &choice.usage);
        let in_extension = self.x_groq.iter().map(|extension| &extension.usage);
        std::iter::once(&self.usage).chain(in_choice).chain(in_extension).find_map(usage::read)
    }

    /// The model that answered, and the first choice that says anything.
    pub(in super::super) fn into_parts(self) -> (Option<String>, Option<Choice>) {
        let model = self.model.map(|model| clip(&model)).filter(|model| !model.is_empty());
        let first = self.choices.into_iter().flatten().find(|choice| choice.index.unwrap_or(0) == 0);
        (model, first.and_then(WireChoice::read))
    }
}

impl WireChoice {
    /// `None` for a choice without a message and without an end: it says nothing.
    fn read(self) -> Option<Choice> {
        let finish = self.finish_reason.as_deref().and_then(finish);
        let Some(message) = self.message.or(self.delta) else {
            return finish.map(|finish| Choice { finish: Some(finish), ..Choice::default() });
        };
        let thinks = says_something(&message.reasoning_content) || says_something(&message.reasoning);
        let calls = message.tool_calls.as_array().is_some_and(|calls| !calls.is_empty());
        let unshown = message.unshown();
        let content = text(message.content);
        let refusal = message.refusal.unwrap_or_default();
        let refused = content.is_empty() && !refusal.is_empty();
        let text = if refused { refusal } else { content };
        Some(Choice { text, finish, alive: thinks || calls, unshown, refused })
    }
}

impl WireMessage {
    fn unshown(&self) -> usize {
        // Some servers say a thought twice, once in either field.
        let thought = written(&self.reasoning_content).max(written(&self.reasoning));
        let calls = self.tool_calls.as_array().into_iter().flatten();
        let parts = calls.flat_map(|call| [call.pointer("/function/name"), call.pointer("/function/arguments")]);
        thought + parts.flatten().map(written).sum::<usize>()
    }
}

/// Bytes of all the text in it.
fn written(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(written).sum(),
        Value::Object(fields) => fields.values().map(written).sum(),
        _ => 0,
    }
}

/// Content is a string, or a list of parts of which some are text.
fn text(content: Value) -> String {
    match content {
        Value::String(text) => text,
        Value::Array(parts) => parts
            .iter()
            .filter(|part| part.get("type").is_none_or(|kind| kind == "text"))
            .filter_map(|part| part.get("text").and_then(Value::as_str))
            .collect(),
        _ => String::new(),
    }
}

fn finish(word: &str) -> Option<Finish> {
    match word.to_ascii_lowercase().as_str() {
        "" => None,
        "stop" => Some(Finish::Stop),
        "length" | "max_tokens" => Some(Finish::Length),
        "content_filter" => Some(Finish::ContentFilter),
        "tool_calls" | "function_call" => Some(Finish::ToolCalls),
        _ => Some(Finish::Other(clip(word))),
    }
}

fn has_error(value: &Value) -> bool {
    value.get(0).and_then(|first| first.get("error")).is_some_and(says_something)
}

fn says_something(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        _ => true,
    }
}

fn clip(word: &str) -> String {
    word.chars().filter(|character| !character.is_control()).take(WORD).collect()
}

fn or_none<'de, D: Deserializer<'de>, T: serde::de::DeserializeOwned>(field: D) -> Result<Option<T>, D::Error> {
    Ok(T::deserialize(Value::deserialize(field)?).ok())
}
