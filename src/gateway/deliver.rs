//! How an answer is handed over: what is held back until the commit point, what is shown as it comes, what is kept of it.
//!
//! The first chunk that says something is the commit point. Before it nothing is shown, so that a caller who reads along
//! sees the stream of one model; after it nobody else is asked.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::dispatch::Run;
use super::meter::Meter;
use crate::cache::{CachedAnswer, Showing};
use crate::chat::Reply;
use crate::error::{Error, Kind};
use crate::names::ModelName;
use crate::policy::{ChatCheck, Model, Timeouts};
use crate::provider::{Listener, Said};
use crate::request::{Ask, CacheUse, Piece, Progress, Sink};

/// A progress line for every so many tokens of an answer.
const TOKENS_PER_NOTE: u64 = 20;

/// What a request does for those who read its answer as it comes.
#[derive(Default)]
pub(super) struct Reading {
    /// The commit point is passed: the caller was shown something.
    pub begun: bool,
    /// Its answer may be kept, with the stream that it came as.
    pub keeps: bool,
    /// Those who ask the same and read along.
    pub showing: Option<Showing>,
    /// The stream of the last call, as far as it may still be wanted.
    chunks: Vec<Arc<str>>,
}

/// Hears one call.
pub(super) struct Ear<'r> {
    ask: &'r Ask,
    model: &'r ModelName,
    /// Where there is somebody who reads along.
    sink: Option<&'r Sink>,
    /// Nothing is shown before the answer is complete and checked.
    holds: bool,
    reading: Reading,
    /// How many of the chunks were shown.
    shown: usize,
    bytes: u64,
    noted: u64,
}

impl<'a> Run<'a> {
    /// Finds an answer and hands it over. `false`: its reader did not take all of it.
    pub async fn deliver(&mut self) -> (Option<CachedAnswer>, CacheUse, bool) {
        let (answer, cache) = self.answer_caller().await;
        let taken = match &answer {
            Some(answer) => self.hand_over(answer).await,
            None => true,
        };
        (answer, cache, taken)
    }

    /// The caller is shown each piece as it comes.
    pub(super) fn reads_along(&self) -> bool {
        self.ask.delivery.sink().is_some() && !self.holds()
    }

    fn holds(&self) -> bool {
        self.ask.check.is_some() && self.route.verdict(&self.ask.signals.target) == ChatCheck::Hold
    }

    /// A call's own timeouts within the time that the request has for it. Where the answer is read as it comes, that time
    /// is the one until it begins.
    pub(super) fn times(&self, model: &Model, time: Duration) -> Timeouts {
        let own = self.patience(model);
        let cut = Meter::cut(own, time);
        if self.reads_along() { Timeouts { idle: own.idle, total: own.total, ..cut } } else { cut }
    }

    /// The longest that a call may take which begins now.
    pub(super) fn longest(&self, model: &Model) -> Duration {
        let left = self.time_left();
        if self.reads_along() { left.max(model.timeouts.total) } else { left }
    }

    pub(super) fn ear<'r>(&mut self, model: &'r ModelName) -> Ear<'r>
    where
        'a: 'r,
    {
        let (ask, holds) = (self.ask, self.holds());
        let reading = Reading { chunks: Vec::new(), ..std::mem::take(&mut self.reading) };
        Ear { ask, model, sink: ask.delivery.sink(), holds, reading, shown: 0, bytes: 0, noted: 0 }
    }

    /// The stream that the last call was, if that is of use to anyone.
    pub(super) fn take_chunks(&mut self) -> Arc<[Arc<str>]> {
        std::mem::take(&mut self.reading.chunks).into()
    }

    /// What may be shown of a stream that broke. A caller who read along was shown all of it.
    pub(super) fn keep_partial(&mut self, called: &Result<Reply, Error>, partial: Option<Reply>) {
        if self.reading.begun {
            self.partial = called.is_err().then(String::new);
            return;
        }
        let broke = called
            .as_ref()
            .is_err_and(|error| matches!(error.kind, Kind::UpstreamCut | Kind::UpstreamTimeout | Kind::UpstreamFailed));
        let text = partial.filter(|_| broke).and_then(|partial| (self.ask.salvage)(&partial.text));
        let longest = self.partial.as_ref().map_or(0, String::len);
        self.partial = text.filter(|text| text.len() > longest).or_else(|| self.partial.take());
    }

    /// Shows what was not shown while it came: a kept answer, one that was held until its check, or one that was no
    /// stream.
    async fn hand_over(&mut self, answer: &CachedAnswer) -> bool {
        let Some(sink) = self.ask.delivery.sink().filter(|_| !self.reading.begun) else { return true };
        let whole = || Piece::Whole(Arc::new(answer.reply.clone()));
        let whole = answer.chunks.is_empty().then(whole);
        for piece in answer.chunks.iter().cloned().map(Piece::Chunk).chain(whole) {
            if !self.push(sink, piece).await {
                return false;
            }
        }
        true
    }

    /// Waits for the reader as long as the request is wanted: no call is under way here, and no place is held. `false`:
    /// nobody reads any more.
    pub(super) async fn push(&self, sink: &Sink, piece: Piece) -> bool {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => false,
            taken = sink.push(piece) => taken,
        }
    }
}

impl Listener for Ear<'_> {
    fn hear<'a>(&'a mut self, said: Said<'a>) -> BoxFuture<'a, ()> {
        self.note(said.text);
        Box::pin(self.take(said))
    }
}

impl Ear<'_> {
    pub fn into_reading(self) -> Reading {
        self.reading
    }

    async fn take(&mut self, said: Said<'_>) {
        let (Some(sink), Some(chunk)) = (self.sink, said.chunk) else { return };
        let reading = &mut self.reading;
        reading.chunks.push(Arc::from(chunk));
        reading.begun |= said.content && !self.holds;
        if !reading.begun {
            return;
        }
        let fresh: Vec<_> = reading.chunks.iter().skip(self.shown).cloned().collect();
        self.shown = reading.chunks.len();
        if !reading.keeps {
            reading.chunks.clear();
            self.shown = 0;
        }
        for chunk in &fresh {
            reading.showing.iter().for_each(|showing| showing.show(chunk.clone()));
        }
        for chunk in fresh {
            // Whoever is gone has left it to others to end this.
            sink.push(Piece::Chunk(chunk)).await;
        }
    }

    fn note(&mut self, text: &str) {
        self.bytes += text.len() as u64;
        let tokens = self.bytes / 4;
        if tokens >= self.noted + TOKENS_PER_NOTE {
            self.noted = tokens;
            (self.ask.progress)(Progress::Generating(self.model.clone(), tokens));
        }
    }
}

#[cfg(test)]
#[path = "deliver_tests.rs"]
mod tests;
