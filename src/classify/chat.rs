//! A chat request as OpenAI clients write it -> signals. Lenient: content may be text or a list of parts, unknown roles,
//! parts and fields are counted by their size, and what is missing is nothing.
//!
//! It reads and keeps numbers, and a hash. No text leaves this file.

use serde_json::Value;

use super::text::Counts;
use crate::chat::{Capabilities, Capability, Tokens};
use crate::request::{Conversation, ConversationKey, Door, Endpoint, Measures, Signals, Target};

/// About what a photo takes of a context; it stands in the request as an address or as text that is no text.
const IMAGE: Tokens = Tokens(800);

/// What is known of a chat request before any model is asked.
pub fn chat_signals(door: Door, caller: &str, body: &Value) -> Signals {
    let messages = body.get("messages").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let mut conversation = instruction(messages);
    conversation.turns = number(messages.iter().filter(|message| is_from(message, "user")).count());
    conversation.images = number(messages.iter().flat_map(parts).filter(|part| is_image(part)).count());
    conversation.tools = number(body.get("tools").and_then(Value::as_array).map_or(0, Vec::len));
    conversation.schema = format(body) == Some("json_schema");
    conversation.max_output =
        ["max_completion_tokens", "max_tokens"].iter().find_map(|key| body.get(key)?.as_u64()).map(Tokens);
    Signals {
        door,
        caller: caller.to_owned(),
        target: Target::Endpoint(Endpoint::Chat),
        projects: Vec::new(),
        needs: needs(body, &conversation),
        context: context(body, messages),
        measures: Measures::default(),
        conversation: Some(conversation),
        prompt_version: String::new(),
    }
}

/// Tells conversations apart by how they begin: what the system says and what the user says first. Two of one caller that
/// begin alike are taken for one; no harm is done, for all that hangs on it is which model is asked first.
pub fn conversation_key(caller: &str, body: &Value) -> Option<ConversationKey> {
    let messages = body.get("messages")?.as_array()?;
    let first = messages.iter().position(|message| is_from(message, "user"))?;
    let mut hasher = blake3::Hasher::new();
    let said = messages[..=first]
        .iter()
        .filter(|message| ["system", "developer", "user"].iter().any(|role| is_from(message, role)));
    for text in std::iter::once(caller).chain(said.flat_map(texts)) {
        // The length before each text: no two lists of texts run into the same bytes.
        hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
    }
    Some(ConversationKey(*hasher.finalize().as_bytes()))
}

/// What is counted in the words of the last user message.
fn instruction(messages: &[Value]) -> Conversation {
    let mut counts = Counts::default();
    let last = messages.iter().rev().find(|message| is_from(message, "user"));
    for text in last.into_iter().flat_map(texts) {
        counts.read(text);
    }
    let Counts { words, attached, questions, steps, constraints, reasoning, numbers, maths, code, tables } = counts;
    Conversation {
        instruction: words,
        attached,
        questions,
        steps,
        constraints,
        reasoning,
        numbers,
        maths,
        code,
        tables,
        ..Conversation::default()
    }
}

/// What a model must be able to do to answer at all.
fn needs(body: &Value, conversation: &Conversation) -> Capabilities {
    let format = match format(body) {
        Some("json_schema") => Some(Capability::JsonSchema),
        Some("json_object") => Some(Capability::JsonObject),
        _ => None,
    };
    let tools = (conversation.tools > 0).then_some(Capability::Tools);
    let vision = (conversation.images > 0).then_some(Capability::Vision);
    [format, tools, vision].into_iter().flatten().collect()
}

/// A likely size of the whole prompt: every message with what hangs on it, the tools and the schema.
fn context(body: &Value, messages: &[Value]) -> Tokens {
    let beside = ["tools", "response_format"].iter().filter_map(|key| body.get(key)).map(bytes).sum::<u64>();
    let said: Tokens = messages.iter().map(|message| size(message) + Tokens::per_message()).sum();
    said + Tokens::of_bytes(beside)
}

fn size(message: &Value) -> Tokens {
    let Value::Object(fields) = message else { return Tokens::of_bytes(bytes(message)) };
    let images = parts(message).filter(|part| is_image(part)).count();
    let written = match fields.get("content") {
        Some(Value::Array(parts)) => parts.iter().filter(|part| !is_image(part)).map(part_bytes).sum(),
        Some(content) => bytes(content),
        None => 0,
    };
    let beside = fields.iter().filter(|(key, _)| !matches!(key.as_str(), "content" | "role"));
    let beside: u64 = beside.map(|(_, value)| bytes(value)).sum();
    Tokens::of_bytes(written + beside) + Tokens(IMAGE.0 * images as u64)
}

fn part_bytes(part: &Value) -> u64 {
    part.get("text").map_or_else(|| bytes(part), bytes)
}

/// About how long a value is when it is written out.
fn bytes(value: &Value) -> u64 {
    match value {
        Value::Null => 0,
        Value::Bool(_) | Value::Number(_) => 4,
        Value::String(text) => text.len() as u64,
        Value::Array(items) => items.iter().map(|item| bytes(item) + 1).sum(),
        Value::Object(fields) => fields.iter().map(|(key, value)| key.len() as u64 + 4 + bytes(value)).sum(),
    }
}

/// The texts of a message: its content, or the parts of it that are text.
fn texts(message: &Value) -> impl Iterator<Item = &str> {
    let whole = message.get("content").and_then(Value::as_str);
    whole.into_iter().chain(parts(message).filter_map(|part| part.get("text").and_then(Value::as_str)))
}

fn parts(message: &Value) -> impl Iterator<Item = &Value> {
    message.get("content").and_then(Value::as_array).into_iter().flatten()
}

fn is_from(message: &Value, role: &str) -> bool {
    message.get("role").and_then(Value::as_str) == Some(role)
}

fn is_image(part: &Value) -> bool {
    matches!(part.get("type").and_then(Value::as_str), Some("image_url" | "input_image" | "image"))
}

fn format(body: &Value) -> Option<&str> {
    body.get("response_format")?.get("type")?.as_str()
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
#[path = "chat_tests.rs"]
mod tests;
