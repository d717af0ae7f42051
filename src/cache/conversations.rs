//! Which model answered a conversation last. In memory, bounded, forgotten after a while of silence; of the conversation
//! itself only a hash is kept.

use std::time::Duration;

use moka::sync::Cache;

use crate::names::ModelName;
use crate::request::ConversationKey;

/// Who comes back later than this finds no warm prompt cache anyhow.
const SILENCE: Duration = Duration::from_secs(3_600);
const MOST: u64 = 10_000;

#[derive(Clone)]
pub struct Conversations(Cache<ConversationKey, ModelName>);

impl Default for Conversations {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(MOST).time_to_idle(SILENCE).build())
    }
}

impl Conversations {
    pub fn answered(&self, conversation: ConversationKey, model: &ModelName) {
        self.0.insert(conversation, model.clone());
    }

    pub fn model_of(&self, conversation: &ConversationKey) -> Option<ModelName> {
        self.0.get(conversation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_model_stands_and_conversations_are_told_apart() {
        let kept = Conversations::default();
        let (one, other) = (ConversationKey([1; 32]), ConversationKey([2; 32]));
        kept.answered(one, &"small".into());
        kept.answered(one, &"big".into());
        assert_eq!((kept.model_of(&one), kept.model_of(&other)), (Some("big".into()), None));
    }

    #[test]
    fn however_many_there_are_the_memory_is_bounded() {
        let kept = Conversations::default();
        for n in 0..3 * MOST {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&n.to_le_bytes());
            kept.answered(ConversationKey(key), &"small".into());
        }
        kept.0.run_pending_tasks();
        assert!(kept.0.entry_count() <= MOST, "{}", kept.0.entry_count());
    }
}
