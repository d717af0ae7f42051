//! What a door or a tool wants from the gateway: signals to decide by, a way to write the request for a given model,
//! and a check for the answer.

use std::fmt;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::{Caller, Delivery, Rejection, Signals, Verdict};
use crate::chat::{ChatRequest, ModelSpec, Reply, Tokens};
use crate::names::ModelName;

/// Writes the request for one model, fitted to its context, with what was wrong with the answers so far.
pub type Render = Arc<dyn Fn(&ModelSpec, &[Rejection]) -> Result<ChatRequest, TooLong> + Send + Sync>;

/// A deterministic test of an answer.
pub type Check = Arc<dyn Fn(&Reply) -> Verdict + Send + Sync>;

/// What may be shown of the text so far of an answer that broke off; `None`: nothing of it.
pub type Salvage = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// Receives progress while the request runs. It must not block.
pub type ProgressSink = Arc<dyn Fn(Progress) + Send + Sync>;

pub struct Ask {
    pub signals: Signals,
    pub caller: Caller,
    /// The conversation that this is a turn of; `None` where each request stands alone.
    pub conversation: Option<ConversationKey>,
    pub render: Render,
    /// `None`: the answer is passed on unchecked.
    pub check: Option<Check>,
    /// What a broken stream may still give.
    pub salvage: Salvage,
    /// The tool has an answer from logic if no model's is accepted: the request ends degraded, not failed.
    pub answers_anyway: bool,
    pub cache: CacheMode,
    pub delivery: Delivery,
    pub progress: ProgressSink,
    /// Cancelled when the caller goes away. The request then stops the upstream call and still settles.
    pub cancel: CancellationToken,
}

/// Tells conversations apart: a hash of how one begins. No text can be read from it, and it is not written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConversationKey(pub [u8; 32]);

/// What may be done with kept answers, in the words of HTTP's `Cache-Control`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CacheMode {
    /// A kept answer will do, and so will that of an equal request in flight.
    #[default]
    Use,
    /// The answer has to be a new one; it may be kept.
    NoCache,
    /// Nothing is read, and nothing is kept.
    NoStore,
}

/// The request cannot be written small enough for this model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong {
    pub needed: Tokens,
    pub room: Tokens,
}

/// What is going on, for a person who waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// A line of the tool's own: "Analyzing 50 tasks…".
    Note(String),
    Asking(ModelName),
    /// Tokens of the answer so far.
    Generating(ModelName, u64),
    Rejected {
        model: ModelName,
        why: String,
        next: Option<ModelName>,
    },
    Failed {
        model: ModelName,
        why: String,
        next: Option<ModelName>,
    },
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let goes_on = |f: &mut fmt::Formatter<'_>, next: &Option<ModelName>| match next {
            Some(next) => write!(f, "; asking {next}…"),
            None => f.write_str("."),
        };
        match self {
            Self::Note(note) => f.write_str(note),
            Self::Asking(model) => write!(f, "Asking {model}…"),
            Self::Generating(_, tokens) => write!(f, "Generating recommendations… ({tokens} tokens)"),
            Self::Rejected { why, next, .. } => {
                f.write_str(why.trim_end_matches('.'))?;
                goes_on(f, next)
            }
            Self::Failed { model, why, next } => {
                let why = why.trim_end_matches('.');
                // Most reasons begin with the model's name.
                if why.contains(model.as_str()) { f.write_str(why) } else { write!(f, "{model} failed: {why}") }?;
                goes_on(f, next)
            }
        }
    }
}
