//! Just enough HTTP/1.1 to read a request, and what is kept of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt};

const HEAD_BYTES: usize = 64 << 10;
const BODY_BYTES: usize = 16 << 20;

/// One chat request as it came.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Counts from 1 over all models.
    pub n: usize,
    pub model: String,
    pub body: Value,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    pub at: Instant,
    dropped: Arc<AtomicBool>,
}

impl Recorded {
    pub(super) fn new(n: usize, raw: RawRequest) -> Self {
        let body: Value = serde_json::from_slice(&raw.body).unwrap_or(Value::Null);
        let model = body["model"].as_str().unwrap_or_default().to_owned();
        Self { n, model, body, headers: raw.headers, at: Instant::now(), dropped: Arc::default() }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub fn is_stream(&self) -> bool {
        self.body["stream"] == true
    }

    pub fn wants_usage(&self) -> bool {
        !self.is_stream() || self.body["stream_options"]["include_usage"] == true
    }

    /// All messages' text, one after another.
    pub fn prompt(&self) -> String {
        let messages = self.body["messages"].as_array().cloned().unwrap_or_default();
        let texts: Vec<&str> = messages.iter().filter_map(|message| message["content"].as_str()).collect();
        texts.join("\n")
    }

    /// Whether the other side closed the connection before the answer was complete.
    pub fn was_dropped(&self) -> bool {
        self.dropped.load(Ordering::SeqCst)
    }

    pub(super) fn note_drop(&self) {
        self.dropped.store(true, Ordering::SeqCst);
    }
}

pub struct RawRequest {
    pub line: String,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

/// `None` when the connection closed before a whole request had come.
pub async fn read_request(connection: &mut (impl AsyncRead + Unpin)) -> Option<RawRequest> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if bytes.len() > HEAD_BYTES || connection.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let line = lines.next()?.to_owned();
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length: usize = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = bytes.split_off(end + 4);
    while body.len() < length.min(BODY_BYTES) {
        if connection.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    Some(RawRequest { line, headers, body })
}
