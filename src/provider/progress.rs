//! What has come of an answer so far: it outlives the call that fills it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use super::sender::Answer;
use super::trouble::Trouble;
use super::wire::Wire;
use crate::chat::{Finish, Reply, Usage};
use crate::error::Error;

#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Shared with the HTTP service inside async-openai, which hands back no status. Zero: none yet.
    pub status: Arc<AtomicU16>,
    pub ttft: Option<Duration>,
    text: String,
    finish: Option<Finish>,
    refused: bool,
    at_work: bool,
    unshown: usize,
    usage: Option<Usage>,
    model: Option<String>,
}

/// What one piece of an answer did.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    /// It had a choice in it.
    pub choice: bool,
    /// The model is at work and says something: text, thought or a tool call. A refusal says nothing that anybody waits
    /// for, and an end alone does not either.
    pub content: bool,
    pub text: String,
}

impl Progress {
    /// Adds a piece of an answer.
    pub(super) fn hear(&mut self, wire: Wire, most: usize) -> Result<Heard, Trouble> {
        if let Some(usage) = wire.usage() {
            self.usage = Some(usage);
        }
        let (model, choice) = wire.into_parts();
        self.model = self.model.take().or(model);
        let Some(choice) = choice else { return Ok(Heard::default()) };
        self.refused |= choice.refused;
        self.at_work |= choice.alive;
        self.unshown = self.unshown.saturating_add(choice.unshown);
        if let Some(finish) = choice.finish {
            self.finish = Some(finish);
        }
        if self.text.len().saturating_add(choice.text.len()) > most {
            return Err(Trouble::TooLarge(most));
        }
        self.text.push_str(&choice.text);
        let content = choice.alive || (!choice.text.is_empty() && !choice.refused);
        Ok(Heard { choice: true, content, text: choice.text })
    }

    pub(super) fn is_finished(&self) -> bool {
        self.finish.is_some()
    }

    /// Nothing was said, thought, called or counted. Some servers end a stream like this, with a good status and a
    /// plain "stop", when the prompt is longer than their context.
    pub(super) fn is_empty(&self) -> bool {
        let plain = matches!(self.finish, None | Some(Finish::Stop | Finish::Other(_)));
        plain && !self.at_work && self.text.is_empty() && self.usage.is_none()
    }

    pub(super) fn into_answer(self, ended: Result<(), Error>) -> Answer {
        let http_status = match self.status.load(Ordering::Relaxed) {
            0 => None,
            status => Some(status),
        };
        let (ttft, unshown) = (self.ttft, self.unshown as u64);
        let told = !self.text.is_empty() || self.usage.is_some();
        let reply = self.into_reply();
        match ended {
            Ok(()) => Answer { result: Ok(reply), partial: None, unshown, http_status, ttft },
            Err(error) => Answer { result: Err(error), partial: told.then_some(reply), unshown, http_status, ttft },
        }
    }

    fn into_reply(self) -> Reply {
        // A refusal in words is an answer, and the caller should read it; the finish says what it is.
        let finish = if self.refused { Some(Finish::ContentFilter) } else { self.finish };
        Reply {
            text: self.text,
            finish: finish.unwrap_or_else(|| Finish::Other(String::new())),
            usage: self.usage,
            model: self.model,
        }
    }
}
