//! One request to a chat model, before it is known which backend gets it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Tokens, Usage};

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChatRequest {
    pub messages: Vec<Message>,
    pub temperature: Option<f64>,
    /// Always sent, so that the worst case of an attempt is known before it starts.
    pub max_output: Tokens,
    pub format: Format,
    /// Fields of the caller's that ride along untouched.
    pub extra: Map<String, Value>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    pub role: Role,
    pub content: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    System,
    User,
    Assistant,
}

/// The shape that the answer should have. A backend that refuses a shape is asked for the next weaker one:
/// schema, object, plain text.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    Text,
    JsonObject,
    JsonSchema { name: String, schema: Value },
}

impl ChatRequest {
    /// The most that a call with it can use where the backend keeps to what it is allowed.
    pub fn usage_at_most(&self) -> Usage {
        Usage { input: self.input_at_most(), cached_input: Tokens::ZERO, output: self.max_output }
    }

    /// A likely count of the prompt's tokens.
    pub fn estimated_input(&self) -> Tokens {
        self.messages.iter().map(|message| Tokens::estimate(&message.content) + Tokens::per_message()).sum()
    }

    /// What the prompt can cost at most.
    pub fn input_at_most(&self) -> Tokens {
        let schema = match &self.format {
            Format::JsonSchema { schema, .. } => Tokens::at_most(&schema.to_string()),
            Format::Text | Format::JsonObject => Tokens::ZERO,
        };
        let extra = if self.extra.is_empty() {
            Tokens::ZERO
        } else {
            Tokens(Value::Object(self.extra.clone()).to_string().len() as u64)
        };
        self.messages.iter().map(|message| Tokens::at_most(&message.content)).sum::<Tokens>() + schema + extra
    }
}

impl Message {
    pub fn system(content: impl Into<String>) -> Self {
        Self { role: Role::System, content: content.into() }
    }

    pub fn user(content: impl Into<String>) -> Self {
        Self { role: Role::User, content: content.into() }
    }
}
