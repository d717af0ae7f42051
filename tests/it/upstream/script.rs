//! What is answered to whom: a list of steps per model, and the record of what was asked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use super::http::{RawRequest, Recorded};
use super::step::{Reply, Step};
use super::stream::Stream;

#[derive(Default)]
pub struct Shared {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    scripts: HashMap<String, Steps>,
    requests: Vec<Recorded>,
}

#[derive(Default)]
struct Steps {
    steps: Vec<Step>,
    next: usize,
}

impl Shared {
    pub const ANY: &str = "*";

    pub fn requests(&self) -> Vec<Recorded> {
        self.inner.lock().unwrap().requests.clone()
    }

    pub fn models(&self) -> Vec<String> {
        self.inner.lock().unwrap().scripts.keys().cloned().collect()
    }

    /// Keeps the request and takes the step that answers it.
    pub fn take(&self, raw: RawRequest) -> (Recorded, Step) {
        let mut inner = self.inner.lock().unwrap();
        let request = Recorded::new(inner.requests.len() + 1, raw);
        inner.requests.push(request.clone());
        let key = if inner.scripts.contains_key(&request.model) { request.model.as_str() } else { Self::ANY };
        let step = inner.scripts.get_mut(key).and_then(Steps::advance);
        (request, step.unwrap_or_else(Step::unknown_model))
    }
}

impl Steps {
    fn advance(&mut self) -> Option<Step> {
        let step = self.steps.get(self.next).or(self.steps.last()).cloned();
        self.next += 1;
        step
    }
}

/// A handle to add steps with. Dropping it changes nothing.
pub struct Script {
    shared: Arc<Shared>,
    model: String,
}

impl Script {
    pub(super) fn new(shared: Arc<Shared>, model: &str) -> Self {
        shared.inner.lock().unwrap().scripts.insert(model.to_owned(), Steps::default());
        Self { shared, model: model.to_owned() }
    }

    /// Adds any step.
    pub fn then(self, step: Step) -> Self {
        self.shared.inner.lock().unwrap().scripts.entry(self.model.clone()).or_default().steps.push(step);
        self
    }

    /// An answer, whole or as a stream, as the request wants it.
    pub fn reply(self, text: impl Into<String>) -> Self {
        self.then(Step::reply(text))
    }

    pub fn then_reply(self, text: impl Into<String>) -> Self {
        self.reply(text)
    }

    pub fn reply_with(self, reply: Reply) -> Self {
        self.then(Step::Reply(reply))
    }

    /// A stream of these pieces, with usage and `[DONE]`, whatever the request wants.
    pub fn stream<'a>(self, pieces: impl IntoIterator<Item = &'a str>) -> Self {
        self.then(Step::Stream(Stream::of(pieces)))
    }

    pub fn stream_with(self, stream: Stream) -> Self {
        self.then(Step::Stream(stream))
    }

    /// An error in OpenAI's shape.
    pub fn status(self, code: u16) -> Self {
        self.then(Step::status(code))
    }

    pub fn then_status(self, code: u16) -> Self {
        self.status(code)
    }

    pub fn status_with(self, code: u16, headers: &[(&str, &str)], body: impl Into<String>) -> Self {
        self.then(Step::status_with(code, headers, body))
    }

    /// Takes the request and never answers.
    pub fn hang(self) -> Self {
        self.then(Step::Hang)
    }

    /// The same as the next step, but so much later.
    pub fn reply_after(self, delay: Duration, text: impl Into<String>) -> Self {
        self.then(Step::After(delay, Box::new(Step::reply(text))))
    }

    /// A success with this body.
    pub fn json(self, body: Value) -> Self {
        self.then(Step::json(body))
    }

    /// An answer that depends on the question.
    pub fn answer(self, answer: impl Fn(&Recorded) -> Step + Send + Sync + 'static) -> Self {
        self.then(Step::Ask(Arc::new(answer)))
    }
}
