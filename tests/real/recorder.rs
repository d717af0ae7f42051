//! A reverse proxy between taskgate and a model's server: passes everything on as it comes, and writes down what was
//! asked and what was answered, and when. It changes nothing.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, BoxStream, StreamExt};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::processes::http;

pub struct Recorder {
    /// Where to send requests instead, with `/v1`.
    pub url: String,
    exchanges: Arc<Mutex<Vec<Exchange>>>,
    server: JoinHandle<()>,
}

/// One request and its reply.
#[derive(Debug, Clone)]
pub struct Exchange {
    pub request: Value,
    /// `None`: nothing was answered before the caller went away.
    pub status: Option<u16>,
    pub reply: Vec<u8>,
    pub started: Instant,
    /// When the last byte came.
    pub last_byte: Instant,
}

impl Recorder {
    /// In front of a server, whose address comes without a path.
    pub async fn before(upstream: &str) -> Self {
        let exchanges = Arc::<Mutex<Vec<Exchange>>>::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let proxy = Proxy { upstream: upstream.to_owned(), http: http(), exchanges: exchanges.clone() };
        let app = Router::new().fallback(pass_on).with_state(proxy);
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, exchanges, server }
    }

    pub fn exchanges(&self) -> Vec<Exchange> {
        self.exchanges.lock().unwrap().clone()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Exchange {
    /// The JSON values of the reply: one, or one for each event of a stream.
    pub fn values(&self) -> Vec<Value> {
        if let Ok(whole) = serde_json::from_slice(&self.reply) {
            return vec![whole];
        }
        let text = String::from_utf8_lossy(&self.reply);
        let events = text.lines().filter_map(|line| line.strip_prefix("data:"));
        events.filter_map(|event| serde_json::from_str(event.trim()).ok()).collect()
    }

    /// What the reply says it used, if it does: tokens in, tokens out.
    pub fn usage(&self) -> Option<(i64, i64)> {
        let usage =
            self.values().into_iter().rev().find_map(|value| value.get("usage").filter(|u| u.is_object()).cloned())?;
        Some((usage["prompt_tokens"].as_i64()?, usage["completion_tokens"].as_i64()?))
    }

    pub fn is_stream(&self) -> bool {
        self.request["stream"] == true
    }

    pub fn response_format(&self) -> &str {
        self.request["response_format"]["type"].as_str().unwrap_or("text")
    }
}

#[derive(Clone)]
struct Proxy {
    upstream: String,
    http: reqwest::Client,
    exchanges: Arc<Mutex<Vec<Exchange>>>,
}

/// Where a reply is being written down.
struct Page {
    exchanges: Arc<Mutex<Vec<Exchange>>>,
    index: usize,
}

impl Page {
    fn answered(&self, status: StatusCode) {
        self.exchanges.lock().unwrap()[self.index].status = Some(status.as_u16());
    }

    fn add(&self, bytes: &[u8]) {
        let mut exchanges = self.exchanges.lock().unwrap();
        let exchange = &mut exchanges[self.index];
        exchange.reply.extend_from_slice(bytes);
        exchange.last_byte = Instant::now();
    }
}

async fn pass_on(State(proxy): State<Proxy>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let started = Instant::now();
    let asked = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let mut sent = proxy.http.request(head.method, format!("{}{}", proxy.upstream, head.uri)).body(body);
    for (name, value) in &head.headers {
        // These belong to the connection, not to the message; what is written down must not be compressed.
        if ![header::HOST, header::CONTENT_LENGTH, header::ACCEPT_ENCODING].contains(name) {
            sent = sent.header(name, value);
        }
    }
    let page = proxy.page(Exchange { request: asked, status: None, reply: Vec::new(), started, last_byte: started });
    let reply = match sent.send().await {
        Ok(reply) => reply,
        Err(error) => return (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    };
    page.answered(reply.status());
    let (status, kind) = (reply.status(), reply.headers().get(header::CONTENT_TYPE).cloned());
    let mut response = Response::new(Body::from_stream(write_down(page, reply.bytes_stream().boxed())));
    *response.status_mut() = status;
    if let Some(kind) = kind {
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
    }
    response
}

impl Proxy {
    fn page(&self, exchange: Exchange) -> Page {
        let mut exchanges = self.exchanges.lock().unwrap();
        exchanges.push(exchange);
        Page { exchanges: self.exchanges.clone(), index: exchanges.len() - 1 }
    }
}

/// The same bytes, written down as they pass.
fn write_down(
    page: Page,
    bytes: BoxStream<'static, reqwest::Result<Bytes>>,
) -> BoxStream<'static, reqwest::Result<Bytes>> {
    let next = |(page, mut bytes): (Page, BoxStream<'static, reqwest::Result<Bytes>>)| async move {
        let chunk = bytes.next().await?;
        if let Ok(chunk) = &chunk {
            page.add(chunk);
        }
        Some((chunk, (page, bytes)))
    };
    stream::unfold((page, bytes), next).boxed()
}
