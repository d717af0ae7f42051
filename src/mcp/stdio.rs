//! JSON-RPC lines over a pair of streams, as rmcp's transport: what comes in is answered or refused, never fatal.
//!
//! Beyond rmcp's own line transport: the end of the input is passed on only when every request that was read is
//! answered, a last line needs no line end, and a line that is no message gets an error instead of silence.

use std::collections::HashSet;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rmcp::RoleServer;
use rmcp::model::{
    ClientJsonRpcMessage, ClientNotification, ClientRequest, ErrorData, GetMeta, JsonRpcMessage, ProtocolVersion,
    RequestId, ServerJsonRpcMessage,
};
use rmcp::transport::Transport;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// As much as rmcp's own transports take. A caller that never ends its line must not fill the memory.
const LONGEST_LINE: usize = 16 * 1024 * 1024;

/// No tool works for longer than 50 s; what is not answered by then never will be.
const DRAIN: Duration = Duration::from_secs(60);

/// One session over `R` and `W`.
pub struct Lines<R, W> {
    input: BufReader<R>,
    line: Vec<u8>,
    /// In the rest of a line that was too long.
    skipping: bool,
    /// The session's era is settled. Before that rmcp takes requests only, and ends at anything else.
    opened: bool,
    drain_until: Option<Instant>,
    /// An error that is being written. It is kept because `receive` may be dropped half way, and half a line must not
    /// stand in the output.
    refusal: Option<Pin<Box<dyn Future<Output = io::Result<()>> + Send>>>,
    output: Arc<tokio::sync::Mutex<W>>,
    unanswered: Arc<Unanswered>,
}

/// The requests that still wait for their response.
#[derive(Default)]
struct Unanswered {
    ids: Mutex<HashSet<RequestId>>,
    fewer: Notify,
}

enum Read {
    Line,
    TooLong,
    End,
}

impl<R, W> Lines<R, W>
where
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    pub fn new(input: R, output: W) -> Self {
        Self {
            input: BufReader::new(input),
            line: Vec::new(),
            skipping: false,
            opened: false,
            drain_until: None,
            refusal: None,
            output: Arc::new(tokio::sync::Mutex::new(output)),
            unanswered: Arc::default(),
        }
    }

    /// Reads up to a line end. It may be dropped at any await and called again: what was read stays in `line`.
    async fn read_line(&mut self) -> io::Result<Read> {
        loop {
            let available = self.input.fill_buf().await?;
            if available.is_empty() {
                // The last line may lack its end.
                let rest = !self.line.is_empty() && !self.skipping;
                return Ok(if rest { Read::Line } else { Read::End });
            }
            let end = available.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(available.len(), |at| at + 1);
            if !self.skipping {
                self.line.extend_from_slice(&available[..taken]);
            }
            self.input.consume(taken);
            if self.line.len() > LONGEST_LINE {
                self.line = Vec::new();
                self.skipping = end.is_none();
                return Ok(Read::TooLong);
            }
            if end.is_some() && !std::mem::take(&mut self.skipping) {
                return Ok(Read::Line);
            }
        }
    }

    fn refuse(&mut self, id: Option<RequestId>, error: ErrorData) {
        tracing::debug!("refused a line: {}", error.message);
        self.refusal = Some(Box::pin(self.send(ServerJsonRpcMessage::error(error, id))));
    }

    /// What rmcp gets to see of a message; the rest is settled here.
    fn admit(&mut self, message: ClientJsonRpcMessage) -> Option<ClientJsonRpcMessage> {
        match &message {
            JsonRpcMessage::Request(request) => {
                self.unanswered.add(request.id.clone());
                self.opened |= opens(&request.request);
            }
            _ if !self.opened => return None,
            JsonRpcMessage::Notification(notification) => {
                if let ClientNotification::CancelledNotification(cancelled) = &notification.notification
                    && let Some(id) = &cancelled.params.request_id
                {
                    // A cancelled request gets no response.
                    self.unanswered.remove(id);
                }
            }
            _ => {}
        }
        Some(message)
    }

    async fn drained(&mut self) {
        let until = *self.drain_until.get_or_insert_with(|| Instant::now() + DRAIN);
        if timeout_at(until, self.unanswered.none_left()).await.is_err() {
            tracing::warn!("the input ended, and some requests were never answered");
        }
    }
}

impl<R, W> Transport<RoleServer> for Lines<R, W>
where
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    type Error = io::Error;

    fn send(&mut self, message: ServerJsonRpcMessage) -> impl Future<Output = io::Result<()>> + Send + 'static {
        let (output, unanswered) = (self.output.clone(), self.unanswered.clone());
        async move {
            let answered = match &message {
                JsonRpcMessage::Response(response) => Some(response.id.clone()),
                JsonRpcMessage::Error(error) => error.id.clone(),
                _ => None,
            };
            let written = write_line(&output, &message).await;
            if let Some(id) = answered {
                unanswered.remove(&id);
            }
            written
        }
    }

    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        loop {
            if let Some(refusal) = &mut self.refusal {
                let written = refusal.await;
                self.refusal = None;
                written.ok()?;
            }
            if self.drain_until.is_some() {
                self.drained().await;
                return None;
            }
            match self.read_line().await {
                Ok(Read::Line) => {}
                Ok(Read::TooLong) => {
                    let limit = LONGEST_LINE / (1024 * 1024);
                    self.refuse(None, ErrorData::invalid_request(format!("a line is longer than {limit} MiB"), None));
                    continue;
                }
                Ok(Read::End) => {
                    self.drained().await;
                    return None;
                }
                Err(error) => {
                    tracing::warn!("the input broke off: {error}");
                    self.drained().await;
                    return None;
                }
            }
            let line = std::mem::take(&mut self.line);
            match parse(&line) {
                Parsed::Message(message) => {
                    if let Some(message) = self.admit(*message) {
                        return Some(message);
                    }
                }
                Parsed::Refused(id, error) => self.refuse(id, error),
                Parsed::Ignored => {}
            }
        }
    }

    async fn close(&mut self) -> io::Result<()> {
        self.output.lock().await.shutdown().await
    }
}

async fn write_line<W: AsyncWrite + Unpin>(
    output: &tokio::sync::Mutex<W>,
    message: &ServerJsonRpcMessage,
) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    let mut output = output.lock().await;
    output.write_all(&line).await?;
    output.flush().await
}

/// As rmcp settles the era: by `initialize`, or by the first request that carries all of the modern details.
fn opens(request: &ClientRequest) -> bool {
    match request {
        ClientRequest::InitializeRequest(_) => true,
        ClientRequest::PingRequest(_) | ClientRequest::DiscoverRequest(_) => false,
        other => {
            let meta = other.get_meta();
            meta.protocol_version().is_some() && meta.missing_required_keys(&ProtocolVersion::V_2026_07_28).is_empty()
        }
    }
}

enum Parsed {
    Message(Box<ClientJsonRpcMessage>),
    Refused(Option<RequestId>, ErrorData),
    /// Nothing is owed for it: an empty line, a notification nobody knows, somebody's echo.
    Ignored,
}

fn parse(line: &[u8]) -> Parsed {
    let line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line).trim_ascii();
    if line.is_empty() {
        return Parsed::Ignored;
    }
    if let Ok(message) = serde_json::from_slice(line) {
        return Parsed::Message(Box::new(message));
    }
    // Why not? Read it once more, forgiving, so that its sender learns which request failed.
    let text = String::from_utf8_lossy(line);
    let Ok(value) = serde_json::from_str::<Value>(&text) else {
        return Parsed::Refused(None, ErrorData::parse_error("a line is not JSON", None));
    };
    let id = value.get("id").and_then(|id| serde_json::from_value(id.clone()).ok());
    if let std::borrow::Cow::Owned(_) = text {
        return Parsed::Refused(id, ErrorData::parse_error("a line is not UTF-8", None));
    }
    if value.get("method").is_some() && value.get("jsonrpc").is_none() {
        // The lesson's own line, and what a newcomer types: silence would not tell them why.
        let why = "a message lacks \"jsonrpc\": \"2.0\"; a bare call goes to `taskgate call --stdin`";
        return Parsed::Refused(id, ErrorData::invalid_request(why, None));
    }
    // Answering an answer, or a notification that nobody knows, could go on for ever.
    let is_request = value.is_object() && value.get("result").is_none() && value.get("error").is_none();
    if is_request && (id.is_some() || value.get("method").is_none()) || value.is_array() {
        return Parsed::Refused(id, ErrorData::invalid_request("a line is no JSON-RPC 2.0 request", None));
    }
    Parsed::Ignored
}

impl Unanswered {
    fn add(&self, id: RequestId) {
        self.ids().insert(id);
    }

    fn remove(&self, id: &RequestId) {
        self.ids().remove(id);
        self.fewer.notify_waiters();
    }

    async fn none_left(&self) {
        loop {
            // Registered before the look, so that nothing is missed in between.
            let fewer = self.fewer.notified();
            if self.ids().is_empty() {
                return;
            }
            fewer.await;
        }
    }

    fn ids(&self) -> std::sync::MutexGuard<'_, HashSet<RequestId>> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[path = "stdio_tests.rs"]
mod tests;
