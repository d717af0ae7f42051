//! What a model answered, whole or as far as it came.

use serde::{Deserialize, Serialize};

use super::Usage;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    pub text: String,
    pub finish: Finish,
    /// As the upstream reported it; `None` when it said nothing.
    pub usage: Option<Usage>,
    /// The model that the upstream says has answered.
    pub model: Option<String>,
}

/// Why the model stopped. The wire's word is kept where it is none of the known ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    Stop,
    /// It ran into its output allowance: the text is not whole.
    Length,
    ContentFilter,
    ToolCalls,
    Other(String),
}
