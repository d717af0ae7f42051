//! The sender against the scripted upstream: every way in which an answer can be good, bad, late or cut.

mod limits;
mod refusals;
mod replies;
mod streams;

use std::time::Duration;

use secrecy::SecretString;
use serde_json::Map;
use taskgate::chat::{Capabilities, ChatRequest, Format, Message, ModelSpec, Reply, Tokens, Usage};
use taskgate::error::{Error, Kind};
use taskgate::policy::{Backend, Limits, Location, Model, Timeouts};
use taskgate::provider::{Answer, Bounds, Call, Sender};
use tokio_util::sync::CancellationToken;

use crate::upstream::{Step, Stream, Upstream};

/// Far above what anything here takes, so that only the limit under test can end a call.
const AMPLE: Duration = Duration::from_secs(120);
const SHORT: Duration = Duration::from_millis(150);

const SECRET_PROMPT: &str = "Fire Ms. Zyzzyva on Monday";
const SECRET_KEY: &str = "sk-very-secret-1";

/// A model, a request for it, and the upstream that answers.
struct Bench {
    upstream: Upstream,
    sender: Sender,
    backend: Backend,
    model: Model,
    request: ChatRequest,
    timeouts: Timeouts,
    cancel: CancellationToken,
}

/// An answer, and the pieces in which its text came.
struct Heard {
    answer: Answer,
    pieces: Vec<String>,
}

impl Bench {
    async fn new() -> Self {
        let upstream = Upstream::start().await;
        let timeouts = Timeouts { connect: AMPLE, first_token: AMPLE, idle: AMPLE, total: AMPLE };
        let backend = Backend {
            name: "desk".into(),
            base_url: upstream.base_url(),
            api_key: Some(SecretString::from(SECRET_KEY)),
            key_variable: Some("DESK_KEY".to_owned()),
            key_file: None,
            location: Location::Local,
            status: None,
            prewarm: false,
        };
        let model = Model {
            spec: ModelSpec {
                name: "small".into(),
                context: Tokens(2048),
                max_output: Tokens(512),
                capabilities: Capabilities::new(),
            },
            backend: "desk".into(),
            tier: "local".into(),
            upstream: "small-q4".to_owned(),
            price: None,
            limits: Limits::default(),
            timeouts,
        };
        let request = ChatRequest {
            messages: vec![Message::user(SECRET_PROMPT)],
            temperature: None,
            max_output: Tokens(900),
            format: Format::Text,
            extra: Map::new(),
        };
        let bounds = Bounds { whole: 256 << 10, stream: 512 << 10, line: 64 << 10, text: 32 << 10 };
        let sender = Sender::with_bounds(bounds).unwrap();
        Self { upstream, sender, backend, model, request, timeouts, cancel: CancellationToken::new() }
    }

    /// With this as the upstream's answer to everything.
    async fn with(step: Step) -> Self {
        let bench = Self::new().await;
        bench.upstream.on("small-q4").then(step);
        bench
    }

    async fn send(&self, stream: bool) -> Heard {
        let mut pieces = Vec::new();
        let call = Call {
            backend: &self.backend,
            model: &self.model,
            request: &self.request,
            timeouts: self.timeouts,
            stream,
            cancel: &self.cancel,
        };
        let answer = self.sender.send(call, &mut |piece: &str| pieces.push(piece.to_owned())).await;
        if let Err(error) = &answer.result {
            assert_tells_no_secret(error);
        }
        Heard { answer, pieces }
    }
}

impl Heard {
    fn reply(self) -> Reply {
        self.answer.result.unwrap()
    }

    fn kind(&self) -> Kind {
        self.error().kind
    }

    fn error(&self) -> &Error {
        self.answer.result.as_ref().unwrap_err()
    }

    fn hint(&self) -> &str {
        self.error().hint.as_deref().unwrap_or_default()
    }

    fn partial_text(&self) -> Option<&str> {
        self.answer.partial.as_ref().map(|partial| partial.text.as_str())
    }
}

/// Streams this and tells how it went.
async fn streamed(stream: Stream) -> Heard {
    Bench::with(Step::Stream(stream)).await.send(true).await
}

fn usage(input: u64, cached: u64, output: u64) -> Option<Usage> {
    Some(Usage { input: Tokens(input), cached_input: Tokens(cached), output: Tokens(output) })
}

/// Whatever an upstream says back to us, an error shows neither the prompt nor the key; nor does its chain of causes,
/// which goes to the log.
fn assert_tells_no_secret(error: &Error) {
    let mut told = format!("{error} {:?}", error.hint);
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        told.push_str(&format!(" {error} {error:?}"));
        cause = error.source();
    }
    for secret in ["Zyzzyva", SECRET_KEY, "sk-"] {
        assert!(!told.contains(secret), "{told}");
    }
    assert!(error.message.len() <= 200, "{}", error.message);
}
