//! A stream of events as a list of pieces: text, waits, raw bytes, and the several ways to end.

use std::time::Duration;

use serde_json::{Value, json};

use super::step::Reply;

#[derive(Debug, Clone, Default)]
pub struct Stream {
    pub(super) pieces: Vec<Piece>,
    /// Ends at the end of the connection instead of being sent in chunks, so that a cut looks like an end.
    pub(super) unframed: bool,
}

#[derive(Debug, Clone)]
pub(super) enum Piece {
    Bytes(Vec<u8>),
    Wait(Duration),
    /// This, again and again.
    Endless(Vec<u8>),
    Hang,
    /// Closes the connection in the middle of the body.
    Cut,
}

impl Stream {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A complete stream: role, these texts, the end, usage, `[DONE]`.
    pub fn of<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        Self::texts(texts).finish("stop").usage(20, 10).done()
    }

    /// A stream that has not ended: role and these texts.
    pub fn texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let role = Self::new().delta(json!({ "role": "assistant", "content": "" }));
        texts.into_iter().fold(role, Self::text)
    }

    /// The stream that a reply makes: a few words an event.
    pub(super) fn of_reply(reply: &Reply, wants_usage: bool) -> Self {
        let words: Vec<&str> = reply.text.split_inclusive(' ').collect();
        let texts: Vec<String> = words.chunks(4).map(|words| words.concat()).collect();
        let mut stream = Self::texts(texts.iter().map(String::as_str));
        if let Some(finish) = &reply.finish {
            stream = stream.finish(finish);
        }
        match reply.usage.clone().filter(|_| wants_usage) {
            Some(usage) => stream.event(json!({ "choices": [], "usage": usage })).done(),
            None => stream.done(),
        }
    }

    pub fn text(self, text: &str) -> Self {
        self.delta(json!({ "content": text }))
    }

    pub fn delta(self, delta: Value) -> Self {
        self.event(json!({ "model": "scripted", "choices": [{ "index": 0, "delta": delta, "finish_reason": null }] }))
    }

    pub fn finish(self, word: &str) -> Self {
        self.event(json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": word }] }))
    }

    pub fn usage(self, input: u64, output: u64) -> Self {
        self.event(json!({ "choices": [], "usage": { "prompt_tokens": input, "completion_tokens": output } }))
    }

    pub fn done(self) -> Self {
        self.raw(b"data: [DONE]\n\n")
    }

    pub fn event(self, data: Value) -> Self {
        self.raw(format!("data: {data}\n\n").as_bytes())
    }

    pub fn error(self, error: Value) -> Self {
        self.event(json!({ "error": error }))
    }

    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.pieces.push(Piece::Bytes(bytes.to_vec()));
        self
    }

    pub fn wait(mut self, delay: Duration) -> Self {
        self.pieces.push(Piece::Wait(delay));
        self
    }

    /// Everything so far in one write, so that nothing comes between, however busy the machine is.
    pub fn at_once(mut self) -> Self {
        let bytes = self.pieces.drain(..).flat_map(|piece| match piece {
            Piece::Bytes(bytes) => bytes,
            other => panic!("{other:?} is not said at once"),
        });
        let whole = Piece::Bytes(bytes.collect());
        self.pieces = vec![whole];
        self
    }

    /// Says nothing more, and keeps the connection.
    pub fn hang(mut self) -> Self {
        self.pieces.push(Piece::Hang);
        self
    }

    /// Closes the connection here.
    pub fn cut(mut self) -> Self {
        self.pieces.push(Piece::Cut);
        self
    }

    /// Goes on with this text without an end.
    pub fn endless(mut self, text: &str) -> Self {
        let event = json!({ "choices": [{ "index": 0, "delta": { "content": text } }] });
        self.pieces.push(Piece::Endless(format!("data: {event}\n\n").into_bytes()));
        self
    }

    /// Goes on with these bytes without an end.
    pub fn endless_raw(mut self, bytes: &[u8]) -> Self {
        self.pieces.push(Piece::Endless(bytes.to_vec()));
        self
    }

    pub fn unframed(mut self) -> Self {
        self.unframed = true;
        self
    }
}
