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
    /// Of a request that is a conversation; `None` for a tool's call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<Conversation>,
    /// Changes when the wording of the tool's prompt does; empty where there is none. Part of the cache key, and of what
    /// pass rates are counted by.
    #[serde(default)]
    pub prompt_version: String,
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

/// What makes a conversation's question large or knotty, counted on its messages. The instruction is what the last
/// user message says in its own words; what is pasted into it is attached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Conversation {
    /// Words of the instruction.
    pub instruction: u32,
    /// Bytes of code, quotes, tables and long text that are pasted in.
    pub attached: u64,
    /// Messages of the user so far.
    pub turns: u32,
    pub questions: u32,
    /// Items of a list, and words such as "then" and "finally".
    pub steps: u32,
    /// Words such as "must", "exactly" and "at most".
    pub constraints: u32,
    /// Words such as "prove", "compare" and "optimize".
    pub reasoning: u32,
    pub numbers: u32,
    /// Signs of arithmetic and LaTeX commands.
    pub maths: u32,
    /// Lines of code, and rows of tables.
    pub code: u32,
    pub tables: u32,
    /// Tools that the answer may call.
    pub tools: u32,
    /// The answer has to fit a schema.
    pub schema: bool,
    pub images: u32,
    /// The most that the answer may take, if the caller said so.
    pub max_output: Option<Tokens>,
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
        Instruction => "instruction",
        Attached => "attached",
        Turns => "turns",
        Questions => "questions",
        Steps => "steps",
        Constraints => "constraints",
        Reasoning => "reasoning",
        Numbers => "numbers",
        Maths => "maths",
        Code => "code",
        Tables => "tables",
        Tools => "tools",
        Schema => "schema",
        Images => "images",
    }
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_from_before_conversations_is_read_as_it_was_meant() {
        let old = r#"{"door":"stdio","caller":"local","target":{"tool":"plan_sprint"},"projects":[],"needs":[],
            "context":120,"measures":{"tasks":3,"edges":1,"depth":2,"load":0.5,"conflicts":0,"people":1,"output_items":3}}"#;
        let read: Signals = serde_json::from_str(old).unwrap();
        assert_eq!((read.conversation, read.prompt_version.as_str(), read.measures.tasks), (None, "", 3));
        let fewer = r#"{"instruction": 7, "smells": 3}"#;
        let read: Conversation = serde_json::from_str(fewer).unwrap();
        assert_eq!(read, Conversation { instruction: 7, ..Conversation::default() }, "whichever version wrote it");
    }
}
