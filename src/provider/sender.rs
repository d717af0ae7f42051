//! One call to one model, from our request to an answer: the clock, the caller's cancellation and the end of every call.
//!
//! What is read on the way is kept in `Progress`, so a call that is cut, late or cancelled still tells what it got.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::clock::Clock;
use super::listener::Listener;
use super::progress::Progress;
use super::trouble::Trouble;
use super::{connect, failure, stream, whole};
use crate::chat::{ChatRequest, Reply};
use crate::error::{Error, Result};
use crate::policy::{Backend, Model, Timeouts};

/// Sends requests to models. Clones share one pool of connections.
#[derive(Debug, Clone)]
pub struct Sender {
    http: reqwest::Client,
    bounds: Bounds,
}

/// One try at one model.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    pub backend: &'a Backend,
    pub model: &'a Model,
    pub request: &'a ChatRequest,
    /// Already cut to what is left of the request's envelope.
    pub timeouts: Timeouts,
    pub stream: bool,
    pub cancel: &'a CancellationToken,
}

/// How a call ended, and what is known of it either way.
#[derive(Debug)]
pub struct Answer {
    pub result: Result<Reply, Error>,
    /// Text and usage as far as they came, when `result` is an error.
    pub partial: Option<Reply>,
    /// Bytes of thoughts and of calls of tools, which stand in no text and are paid for like text.
    pub unshown: u64,
    pub http_status: Option<u16>,
    /// From the call to the first text of a stream.
    pub ttft: Option<Duration>,
}

/// The most that is read of one answer, in decoded bytes: what bounds an endless answer and a compression bomb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// A whole reply.
    pub whole: usize,
    /// All events of a stream together. Each token travels in some 250 bytes of JSON, so this is far above the text.
    pub stream: usize,
    /// One line of a stream.
    pub line: usize,
    /// The text that a stream adds up to.
    pub text: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { whole: 8 << 20, stream: 64 << 20, line: 1 << 20, text: 8 << 20 }
    }
}

impl Sender {
    pub fn new() -> Result<Self> {
        Self::with_bounds(Bounds::default())
    }

    pub fn with_bounds(bounds: Bounds) -> Result<Self> {
        Ok(Self { http: connect::client()?, bounds })
    }

    /// Sends once. `listener` hears each piece as it comes, or the whole text once if the answer is no stream.
    pub async fn send(&self, call: Call<'_>, listener: &mut dyn Listener) -> Answer {
        let mut progress = Progress::default();
        let ended = tokio::select! {
            biased;
            () = call.cancel.cancelled() => Err(Trouble::Cancelled),
            ended = self.exchange(&call, &mut progress, listener) => ended,
        };
        let ended = ended.map_err(|trouble| failure::explain(trouble, &call));
        progress.into_answer(ended)
    }

    async fn exchange(
        &self,
        call: &Call<'_>,
        progress: &mut Progress,
        listener: &mut dyn Listener,
    ) -> Result<(), Trouble> {
        let clock = Clock::start(call.timeouts);
        if call.stream {
            stream::send(self, call, clock, (progress, listener)).await
        } else {
            whole::send(self, call, clock, (progress, listener)).await
        }
    }

    pub(super) fn http(&self) -> &reqwest::Client {
        &self.http
    }

    pub(super) fn bounds(&self) -> Bounds {
        self.bounds
    }
}
