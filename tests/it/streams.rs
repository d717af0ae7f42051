//! The gateway as a library, with its real sender against the scripted upstream: an answer that is read as it comes, and
//! each way in which a stream can end. What the reader saw, who was asked, what was written down.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, json};
use taskgate::chat::{ChatRequest, Format, Message, ModelSpec, Tokens};
use taskgate::error::{Fault, Kind};
use taskgate::gateway::Gateway;
use taskgate::policy::Policy;
use taskgate::provider::{Bounds, Sender};
use taskgate::request::{
    Ask, AttemptResult as How, CacheMode, CacheUse, Caller, Completion, Conversation, Delivery, Door, Endpoint,
    Measures, Outcome, Piece, Rejection, Signals, Status, Stream as Pieces, StreamEvent, Target, stream,
};
use taskgate::store::Store;
use taskgate::telemetry::Metrics;
use tokio_util::sync::CancellationToken;

use crate::upstream::{Reply, Step, Stream, Upstream};

/// A local model, and another one if that fails. Long limits are never met; the short one is the test's own.
const POLICY: &str = "version: 1
backends:
  local: { base_url: \"${URL}\", location: local }
models:
  small:
    backend: local
    context_tokens: 4096
    max_output_tokens: 1024
    price: { input: 1.00, output: 1.00 }
    timeouts: { connect: 10s, first_token: 20s, idle: ${IDLE}, total: ${TOTAL} }
  large:
    backend: local
    context_tokens: 4096
    max_output_tokens: 1024
    price: { input: 1.00, output: 1.00 }
    timeouts: { connect: 10s, first_token: 20s, idle: 20s, total: 30s }
tiers:
  local: [small]
  hosted: [large]
routes:
  - { name: chat, match: { endpoints: [chat] }, tier: local }
retry: { max_per_model: 1 }
cache: { ttl: 10m }
";

struct Bench {
    upstream: Upstream,
    gateway: Gateway,
    _folder: tempfile::TempDir,
}

/// What a reader saw.
#[derive(Debug, PartialEq)]
struct Seen {
    chunks: Vec<String>,
    /// `None`: complete.
    ending: Option<Kind>,
}

impl Bench {
    /// With this as the small model's answers to everything; the large one says "large".
    async fn with(step: Step) -> Self {
        Self::timed(step, "20s", "30s").await
    }

    async fn timed(step: Step, idle: &str, total: &str) -> Self {
        let upstream = Upstream::start().await;
        upstream.on("small").then(step);
        upstream.on("large").then(Step::Stream(Stream::of(["large"])));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("routing.yaml");
        std::fs::write(&file, POLICY.replace("${IDLE}", idle).replace("${TOTAL}", total)).unwrap();
        let url = upstream.base_url();
        let policy = Policy::load(Some(&file), &|name: &str| (name == "URL").then(|| url.clone())).unwrap();
        let store = Store::open(&folder.path().join("taskgate.db")).await.unwrap();
        let sender = Sender::with_bounds(Bounds { stream: 512 << 10, ..Bounds::default() }).unwrap();
        let gateway = Gateway::new(Arc::new(policy), sender, store, Metrics::install().unwrap());
        Self { upstream, gateway, _folder: folder }
    }

    async fn streamed(&self) -> (Outcome, Seen) {
        let (sink, mut pieces) = stream(4);
        let (end, seen) = tokio::join!(self.gateway.complete(ask(Delivery::Stream(sink))), read(&mut pieces));
        (end.0, seen)
    }
}

fn ask(delivery: Delivery) -> Ask {
    let render = |_: &ModelSpec, _: &[Rejection]| {
        Ok(ChatRequest {
            messages: vec![Message::user("Say something.")],
            temperature: None,
            max_output: Tokens(100),
            format: Format::Text,
            extra: Map::new(),
        })
    };
    Ask {
        signals: Signals {
            door: Door::HttpChat,
            caller: "test".to_owned(),
            target: Target::Endpoint(Endpoint::Chat),
            projects: Vec::new(),
            needs: Default::default(),
            context: Tokens(30),
            measures: Measures::default(),
            conversation: Some(Conversation::default()),
            prompt_version: String::new(),
        },
        caller: Caller::local(),
        conversation: None,
        render: Arc::new(render),
        check: None,
        salvage: Arc::new(|_| None),
        answers_anyway: false,
        cache: CacheMode::Use,
        delivery,
        progress: Arc::new(|_| {}),
        cancel: CancellationToken::new(),
    }
}

async fn read(pieces: &mut Pieces) -> Seen {
    let mut chunks = Vec::new();
    loop {
        match pieces.next().await.expect("an ending") {
            StreamEvent::Piece(Piece::Chunk(chunk)) => chunks.push(chunk.to_string()),
            StreamEvent::Piece(Piece::Whole(reply)) => chunks.push(format!("whole: {}", reply.text)),
            StreamEvent::Complete => return Seen { chunks, ending: None },
            StreamEvent::Broken(error) => return Seen { chunks, ending: Some(error.kind) },
        }
    }
}

fn tried(outcome: &Outcome) -> Vec<(&str, How)> {
    outcome.attempts.iter().map(|attempt| (attempt.model.as_str(), attempt.result)).collect()
}

#[tokio::test]
async fn chunks_pass_through_byte_for_byte_and_are_replayed_so() {
    // Spaces, the order of fields, numbers and fields that nobody here knows are the upstream's own.
    let written = [
        r#"{"id":"c-1",  "choices":[{"index":0,"delta":{"role":"assistant","content":""}}], "x_new":{"b":1.50,"a":[ ]}}"#,
        r#"{"choices":[{"delta":{"content":"h\u00e9llo"},"index":0,"logprobs":{"t":-0.10}}],"system_fingerprint":"fp_1"}"#,
        r#"{"choices":[{"delta":{},"finish_reason":"stop"}],"timings":{"predicted_ms":12.340}}"#,
        r#"{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2,"x":null}}"#,
    ];
    let events = written.iter().fold(Stream::new(), |stream, data| stream.raw(format!("data: {data}\n\n").as_bytes()));
    let bench = Bench::with(Step::Stream(events.raw(b": a comment\n\nevent: ping\ndata: {}\n\n").done())).await;
    let seen = Seen { chunks: written.map(str::to_owned).to_vec(), ending: None };
    let (outcome, first) = bench.streamed().await;
    assert_eq!((&first, outcome.status, tried(&outcome)), (&seen, Status::Ok, vec![("small", How::Unchecked)]));
    assert_eq!((outcome.usage.input, outcome.usage.output), (Tokens(7), Tokens(2)));
    let (outcome, again) = bench.streamed().await;
    assert_eq!((again, outcome.cache), (seen, CacheUse::Hit));
    let (outcome, completion) = bench.gateway.complete(ask(Delivery::Whole)).await;
    let Completion::Answer(reply) = completion else { panic!("{outcome:?}") };
    assert_eq!((outcome.cache, reply.text.as_str()), (CacheUse::Hit, "héllo"));
    assert_eq!(bench.upstream.count(), 1);
}

/// What the upstream does, how many chunks the reader saw of it, the ending, the result in the ledger and the status.
type Case = (&'static str, Stream, usize, Option<Kind>, How, Status);

#[tokio::test]
async fn however_a_stream_ends_after_its_first_word_nobody_else_is_asked() {
    let half = || Stream::texts(["half ", "of"]);
    let broken = |what, stream, kind, how| (what, stream, 3, Some(kind), how, Status::Partial);
    let whole = |what, stream, chunks| (what, stream, chunks, None, How::Unchecked, Status::Ok);
    let cut = |what, stream| broken(what, stream, Kind::UpstreamCut, How::Cut);
    let failed = |what, stream, kind| broken(what, stream, kind, How::UpstreamError);
    let cases: [Case; 15] = [
        whole("a reason and [DONE]", half().finish("stop").usage(5, 2).done(), 5),
        whole("a reason without [DONE]", half().finish("stop"), 4),
        whole("a reason, then cut", half().finish("stop").cut(), 4),
        whole("[DONE] without a reason", half().done(), 3),
        whole("its allowance", half().finish("length").done(), 4),
        cut("an end in good order", half()),
        cut("an end of the connection", half().unframed()),
        cut("cut", half().cut()),
        cut("half an event", half().raw(b"data: {\"choices\":[{\"del").cut()),
        cut("half a character", half().raw(b"data: \xF0\x9F").unframed()),
        failed("an error event", half().error(json!({ "message": "no", "code": 500 })).done(), Kind::UpstreamFailed),
        failed("an event named so", half().raw(b"event: error\ndata: overloaded\n\n"), Kind::UpstreamFailed),
        failed("no JSON", half().raw(b"data: {not json}\n\n").hang(), Kind::UpstreamFailed),
        failed("no text", half().raw(b"data: \xFF\xFE\n\n").hang(), Kind::UpstreamFailed),
        broken("a limit", half().error(json!({ "code": 429 })), Kind::UpstreamBusy, How::RateLimited),
    ];
    for (what, stream, chunks, ending, how, status) in cases {
        let bench = Bench::with(Step::Stream(stream)).await;
        let (outcome, seen) = bench.streamed().await;
        assert_eq!((seen.chunks.len(), seen.ending), (chunks, ending), "{what}: {seen:?}");
        assert_eq!((tried(&outcome), outcome.status), (vec![("small", how)], status), "{what}");
        assert_eq!(bench.upstream.count(), 1, "{what}");
        assert!(outcome.cost.0 > 0 && (outcome.cost == outcome.wasted) == (status == Status::Partial), "{what}");
    }
}

#[tokio::test]
async fn whatever_goes_wrong_before_the_first_word_is_never_seen() {
    let role = || Stream::texts([]);
    let cases = [
        ("an end", role(), How::Cut),
        ("cut", role().cut(), How::Cut),
        ("an error", role().error(json!({ "code": 500 })), How::UpstreamError),
        ("no JSON", role().raw(b"data: {not json}\n\n"), How::UpstreamError),
        ("nothing at all", role().finish("stop").done(), How::UpstreamError),
        ("a filter", role().finish("content_filter").done(), How::Refused),
        (
            "a refusal in words",
            role().delta(json!({ "refusal": "I would rather not." })).finish("stop").done(),
            How::Refused,
        ),
    ];
    for (what, stream, how) in cases {
        let bench = Bench::with(Step::Stream(stream)).await;
        let (outcome, seen) = bench.streamed().await;
        assert_eq!(tried(&outcome), [("small", how), ("large", How::Unchecked)], "{what}");
        assert!(
            seen.ending.is_none() && seen.chunks.len() == 4 && seen.chunks[1].contains("large"),
            "{what}: {seen:?}"
        );
    }
}

#[tokio::test]
async fn a_tool_call_and_a_thought_are_words_too() {
    for delta in [json!({ "tool_calls": [{ "index": 0, "id": "c" }] }), json!({ "reasoning_content": "hm" })] {
        let bench = Bench::with(Step::Stream(Stream::texts([]).delta(delta).cut())).await;
        let (outcome, seen) = bench.streamed().await;
        assert_eq!((tried(&outcome), seen.chunks.len()), (vec![("small", How::Cut)], 2));
        assert_eq!((outcome.status, seen.ending), (Status::Partial, Some(Kind::UpstreamCut)));
    }
}

#[tokio::test]
async fn a_server_that_knows_no_streams_gives_one_piece() {
    let bench = Bench::with(Step::json(Reply::new("whole").usage(4, 2).body("m"))).await;
    for cache in [CacheUse::Miss, CacheUse::Hit] {
        let (outcome, seen) = bench.streamed().await;
        assert_eq!((seen.chunks, seen.ending, outcome.cache), (vec!["whole: whole".to_owned()], None, cache));
    }
}

#[tokio::test]
async fn a_stall_ends_by_the_pause_that_the_model_may_make() {
    let bench = Bench::timed(Step::Stream(Stream::texts(["half"]).hang()), "300ms", "30s").await;
    let (outcome, seen) = bench.streamed().await;
    assert_eq!((tried(&outcome), seen.chunks.len()), (vec![("small", How::Timeout)], 2));
    assert_eq!((outcome.status, seen.ending), (Status::Partial, Some(Kind::UpstreamTimeout)));
    assert_eq!(outcome.error().map(|error| error.kind.fault()), Some(Fault::Upstream));
}

#[tokio::test]
async fn a_reader_that_pauses_is_no_pause_of_the_upstreams_and_holds_it_back() {
    // Were it read on meanwhile, it would be over the bound of a stream.
    let bench = Bench::timed(Step::Stream(Stream::new().endless("word ")), "300ms", "30s").await;
    let (sink, mut pieces) = stream(4);
    let reads = async {
        for round in 0..3 {
            for _ in 0..5 {
                let event = pieces.next().await;
                assert!(matches!(event, Some(StreamEvent::Piece(_))), "round {round}: {event:?}");
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        drop(pieces);
    };
    let ((outcome, _), ()) = tokio::join!(bench.gateway.complete(ask(Delivery::Stream(sink))), reads);
    bench.upstream.wait_for_drop().await;
    assert_eq!((tried(&outcome), outcome.status), (vec![("small", How::Cancelled)], Status::Cancelled));
    assert!(outcome.cost.0 > 0 && outcome.cost <= outcome.attempts[0].reserved, "{outcome:?}");
}

#[tokio::test]
async fn a_reader_that_stands_still_uses_up_the_time_and_is_to_blame() {
    let bench = Bench::timed(Step::Stream(Stream::new().endless("word ")), "20s", "2s").await;
    let (sink, mut pieces) = stream(4);
    let (outcome, completion) = bench.gateway.complete(ask(Delivery::Stream(sink))).await;
    assert_eq!((tried(&outcome), outcome.status), (vec![("small", How::Cancelled)], Status::Partial));
    assert_eq!(completion, Completion::Partial(String::new()));
    let seen = read(&mut pieces).await;
    assert_eq!((seen.chunks.len(), seen.ending), (4, Some(Kind::Cancelled)), "what it had room for, and the ending");
    assert_eq!(outcome.error().map(|error| error.kind.fault()), Some(Fault::Caller));
    assert!(bench.gateway.health().iter().all(|model| model.ailment.is_none()));
}
