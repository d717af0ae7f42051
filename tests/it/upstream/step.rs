//! The things that an upstream can do to a request, as values.

use std::fmt;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::http::Recorded;
use super::stream::Stream;

#[derive(Clone)]
pub enum Step {
    /// An answer, whole or as a stream, as the request wants it.
    Reply(Reply),
    Stream(Stream),
    /// A head and a body.
    Status {
        code: u16,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    },
    /// Never answers.
    Hang,
    /// Closes the connection without a byte.
    HangUp,
    /// Breaks the connection without a byte, as a process that is killed does.
    Reset,
    /// Headers without an end.
    EndlessHead,
    After(Duration, Box<Step>),
    /// When the test says so.
    Once(watch::Receiver<bool>, Box<Step>),
    /// A whole reply, byte by byte, so much apart.
    Drip(Reply, Duration),
    /// A whole reply that ends in its middle.
    CutBody(Reply),
    /// JSON without an end.
    HugeBody,
    /// These bytes and no more.
    Raw(Vec<u8>),
    Ask(Arc<dyn Fn(&Recorded) -> Step + Send + Sync>),
}

/// A well-behaved answer.
#[derive(Debug, Clone)]
pub struct Reply {
    pub text: String,
    pub finish: Option<String>,
    /// `None`: nothing is reported.
    pub usage: Option<Value>,
}

impl Reply {
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), finish: Some("stop".to_owned()), usage: None }.usage(20, 10)
    }

    pub fn usage(mut self, input: u64, output: u64) -> Self {
        self.usage = Some(json!({
            "prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output,
        }));
        self
    }

    pub fn no_usage(mut self) -> Self {
        self.usage = None;
        self
    }

    pub fn finish(mut self, word: &str) -> Self {
        self.finish = Some(word.to_owned());
        self
    }

    pub fn body(&self, model: &str) -> Value {
        let mut body = json!({
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": model,
            "choices": [{
                "index": 0,
                "message": { "role": "assistant", "content": self.text },
                "finish_reason": self.finish,
            }],
        });
        if let Some(usage) = &self.usage {
            body["usage"] = usage.clone();
        }
        body
    }
}

impl Step {
    pub fn reply(text: impl Into<String>) -> Self {
        Self::Reply(Reply::new(text))
    }

    pub fn json(body: Value) -> Self {
        Self::status_with(200, &[("content-type", "application/json")], body.to_string())
    }

    pub fn status(code: u16) -> Self {
        let body = json!({ "error": { "message": "scripted", "type": "scripted_error", "param": null, "code": null } });
        Self::status_with(code, &[("content-type", "application/json")], body.to_string())
    }

    pub fn status_with(code: u16, headers: &[(&str, &str)], body: impl Into<String>) -> Self {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self::Status { code, headers, body: body.into().into_bytes() }
    }

    pub fn html(code: u16) -> Self {
        Self::status_with(code, &[("content-type", "text/html")], "<!DOCTYPE html><html>Welcome!</html>")
    }

    pub fn wrong_content_type() -> Self {
        Self::status_with(200, &[("content-type", "application/octet-stream")], "\u{1}\u{2}")
    }

    pub fn redirect(to: &str) -> Self {
        Self::status_with(307, &[("location", to)], "")
    }

    pub fn error_inside_200(error: Value) -> Self {
        Self::json(json!({ "error": error }))
    }

    pub fn empty_choices() -> Self {
        Self::json(json!({ "id": "x", "choices": [], "usage": { "prompt_tokens": 3, "completion_tokens": 0 } }))
    }

    pub fn unknown_model() -> Self {
        let body = json!({ "error": {
            "message": "The model does not exist", "type": "invalid_request_error", "code": "model_not_found",
        } });
        Self::status_with(404, &[("content-type", "application/json")], body.to_string())
    }

    /// A small body that decompresses to this many bytes.
    pub fn gzip_bomb(decoded: usize) -> Self {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        let blanks = vec![b' '; 64 << 10];
        for _ in 0..decoded.div_ceil(blanks.len()) {
            encoder.write_all(&blanks).unwrap();
        }
        let headers = [("content-type", "application/json"), ("content-encoding", "gzip")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        Self::Status { code: 200, headers, body: encoder.finish().unwrap() }
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Step")
    }
}
