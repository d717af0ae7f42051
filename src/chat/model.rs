//! What a renderer may know of the model it writes for: its name, its room, what it can do. No price, no address.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Tokens;
use crate::names::ModelName;

/// One thing that a request may need and a model may offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    Tools,
    Vision,
    JsonObject,
    JsonSchema,
}

impl Capability {
    /// As a policy writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Vision => "vision",
            Self::JsonObject => "json_object",
            Self::JsonSchema => "json_schema",
        }
    }
}

pub type Capabilities = BTreeSet<Capability>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelSpec {
    pub name: ModelName,
    /// Prompt and answer together.
    pub context: Tokens,
    pub max_output: Tokens,
    pub capabilities: Capabilities,
}

impl ModelSpec {
    /// The room for a prompt when the answer may take `output` tokens.
    pub fn prompt_room(&self, output: Tokens) -> Tokens {
        self.context.saturating_sub(output.min(self.max_output))
    }
}
