//! What the gateway remembers of answers: how often each model's pass, read from the ledger now and then, and who answered
//! which conversation. Beside the path of a request: it only looks here.

use std::sync::{Arc, PoisonError, RwLock};

use super::Gateway;
use super::decide::View;
use super::parts::{Inner, Snapshot};
use crate::cache::Conversations;
use crate::classify::PassRates;
use crate::names::ModelName;
use crate::request::{ConversationKey, Signals};

#[derive(Default)]
pub(super) struct Memory {
    rates: RwLock<Arc<PassRates>>,
    conversations: Conversations,
}

impl Gateway {
    /// From now on requests are decided by these.
    pub fn learn(&self, rates: PassRates) {
        *self.0.memory.rates.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rates);
    }
}

impl Memory {
    /// A turn of a conversation has ended, with this model's answer if any.
    pub fn answered(&self, conversation: Option<ConversationKey>, model: Option<&ModelName>) {
        if let (Some(conversation), Some(model)) = (conversation, model) {
            self.conversations.answered(conversation, model);
        }
    }

    fn rates(&self) -> Arc<PassRates> {
        self.rates.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Inner {
    /// The world as the decision about this request may know it. What it leaves to chance stays undrawn.
    pub fn view_of(&self, snapshot: &Snapshot, signals: &Signals, conversation: Option<ConversationKey>) -> View {
        View {
            tracks: self.memory.rates().of(signals.target.as_str(), &signals.prompt_version),
            sticky: conversation.and_then(|key| self.memory.conversations.model_of(&key)),
            ..snapshot.view()
        }
    }
}

#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;
