//! What is known of a request before any model is asked: plain numbers and names, no text.
//!
//! They are written to the ledger as they are, so that a decision can be explained and replayed later.

use serde::{Deserialize, Serialize};

use crate::chat::{Capabilities, Tokens};
use crate::names::words;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Signals {
    pub door: Door,
    pub caller: String,
    pub target: Target,
    /// The projects whose tasks would be shown to a model.
    pub projects: Vec<String>,
    /// What the request needs of a model.
    pub needs: Capabilities,
    /// A likely size of the whole question, before it is fitted to a model.
    pub context: Tokens,
    pub measures: Measures,
}

words!(
    /// Where a request came in.
    Door {
        Stdio => "stdio",
        HttpMcp => "http_mcp",
        HttpChat => "http_chat",
        Cli => "cli",
    }
);

/// What was called. A tool's name is one of the toolbox's own, never a caller's string.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    Tool(String),
    Endpoint(Endpoint),
}

impl Target {
    pub fn as_str(&self) -> &str {
        match self {
            Self::Tool(name) => name,
            Self::Endpoint(endpoint) => endpoint.as_str(),
        }
    }
}

words!(
    /// A way in for OpenAI clients.
    Endpoint {
        Chat => "chat",
        Responses => "responses",
        Embeddings => "embeddings",
    }
);

/// What makes a tool's question large or knotty, counted on the tasks that it is about.
/// One that an older version did not count yet is 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Measures {
    /// Tasks in the question.
    pub tasks: u32,
    /// Dependencies among them, and the length of their longest chain.
    pub edges: u32,
    pub depth: u32,
    /// Hours of work over hours available; 0 when the tool has no capacity.
    pub load: f64,
    /// Due days that cannot be met by plain arithmetic.
    pub conflicts: u32,
    pub people: u32,
    /// Items that the answer has to list.
    pub output_items: u32,
}

words!(
    /// What the classifier weighs: the names under `classifier.weights` in the policy.
    Signal {
        Class => "class",
        Tasks => "tasks",
        Edges => "edges",
        Depth => "depth",
        Load => "load",
        Conflicts => "conflicts",
        Context => "context",
        People => "people",
        OutputItems => "output_items",
    }
);
