//! Upstreams that are not there, go away, say nothing, or say more than anyone can take.

use std::time::Duration;

use super::{Health, Near, Row, Used, hold};
use crate::upstream::{Step, Stream, Upstream};

/// As far as a stream comes before it breaks.
const BEGUN: &str = r#"{"suggestion": "Begin with the budget and"#;

/// Long enough for what has to be heard before they end it.
const QUICK_FIRST: &str = "{ connect: 30s, first_token: 5s, idle: 120s, total: 150s }";
const QUICK_IDLE: &str = "{ connect: 30s, first_token: 120s, idle: 1s, total: 150s }";
const QUICK_TOTAL: &str = "{ connect: 30s, first_token: 120s, idle: 120s, total: 5s }";

/// Nobody takes the connection: the same model once more, and then it is left alone.
fn nobody(name: &'static str, at: &'static str) -> Row {
    let says = &["could not be reached lately", "Ensure LiteLLM proxy and Ollama are running."];
    Row {
        near: Near::At(at),
        http: None,
        used: Used::Nothing,
        health: Health::OutAtOnce { open: true },
        says,
        ..Row::failing(name, |_| Vec::new(), &["connect", "connect"])
    }
}

/// It breaks off, after so much was heard.
fn cut(name: &'static str, near: fn(&str) -> Vec<Step>, heard: usize) -> Row {
    let says = &["ended before the answer did", "Try again, and look at the log of near_"];
    Row { used: Used::Heard(heard), says, ..Row::failing(name, near, &["cut"]) }
}

fn stalled(
    name: &'static str,
    timeouts: &'static str,
    near: fn(&str) -> Vec<Step>,
    says: &'static [&'static str],
) -> Row {
    Row { used: Used::Heard(0), timeouts, says, ..Row::failing(name, near, &["timeout"]) }
}

/// It says more than is taken in; what it would be paid for nobody knows.
fn beyond(name: &'static str, near: fn(&str) -> Vec<Step>, says: &'static [&'static str]) -> Row {
    Row { says, ..Row::failing(name, near, &["upstream_error"]) }
}

fn begun() -> Stream {
    Stream::texts([BEGUN])
}

#[tokio::test]
async fn nobody_there_and_nothing_said() {
    hold(vec![
        nobody("connection refused", "${LITELLM_PROXY_URL}"),
        nobody("a name that does not resolve", "http://no-such-host.invalid/v1"),
        Row { http: None, ..cut("a reset", |_| vec![Step::Reset], 0) },
        Row { http: None, ..cut("a connection that is closed", |_| vec![Step::HangUp], 0) },
        Row {
            http: None,
            ..stalled(
                "no head",
                QUICK_FIRST,
                |_| vec![Step::Hang],
                &["said nothing within 5s", "raise the timeouts of near_"],
            )
        },
        stalled(
            "no first event",
            QUICK_FIRST,
            |_| vec![Step::Stream(Stream::new().raw(b": hold on\n\n").hang())],
            &["said nothing within 5s"],
        ),
        stalled(
            "a role and no text",
            QUICK_FIRST,
            |_| vec![Step::Stream(Stream::texts([]).hang())],
            &["said nothing within 5s"],
        ),
        Row {
            used: Used::Heard(BEGUN.len()),
            shows: Some("Begin with the budget and…"),
            ..stalled(
                "silence in a sentence",
                QUICK_IDLE,
                |_| vec![Step::Stream(begun().hang())],
                &["paused for longer than 1s", "raise the timeouts"],
            )
        },
        Row {
            used: Used::Something,
            shows: Some("Begin with the budget and"),
            ..stalled(
                "a drip without an end",
                QUICK_TOTAL,
                |_| {
                    let drip = (0..600).fold(begun(), |stream, _| stream.text(" ha").wait(Duration::from_millis(50)));
                    vec![Step::Stream(drip)]
                },
                &["was not done within 5s"],
            )
        },
    ])
    .await;
}

#[tokio::test]
async fn an_end_that_is_one_and_an_end_that_is_none() {
    hold(vec![
        cut("a cut before any event", |_| vec![Step::Stream(Stream::new().cut())], 0),
        cut("a cut before any text", |_| vec![Step::Stream(Stream::texts([]).cut())], 0),
        Row {
            shows: Some("Begin with the budget and…"),
            ..cut("a cut in a sentence", |_| vec![Step::Stream(begun().cut())], BEGUN.len())
        },
        Row {
            shows: Some("Begin with the budget and…"),
            ..cut("an end in a sentence that looks like one", |_| vec![Step::Stream(begun().unframed())], BEGUN.len())
        },
        Row::answering(
            "a cut after the last word",
            |good| vec![Step::Stream(Stream::texts([good]).finish("stop").usage(20, 10).cut())],
            &["accepted"],
        ),
        Row::answering(
            "an end without [DONE]",
            |good| vec![Step::Stream(Stream::texts([good]).finish("stop").usage(20, 10).unframed())],
            &["accepted"],
        ),
        Row::answering(
            "[DONE] without a reason",
            |good| vec![Step::Stream(Stream::texts([good]).usage(20, 10).done())],
            &["accepted"],
        ),
        Row::answering("a cut behind [DONE]", |good| vec![Step::Stream(Stream::of([good]).cut())], &["accepted"]),
    ])
    .await;
}

#[tokio::test]
async fn more_than_anyone_can_take() {
    hold(vec![
        Row {
            http: None,
            ..beyond(
                "no HTTP",
                |_| vec![Step::Raw(b"SSH-2.0-OpenSSH_9.9\r\n".to_vec())],
                &["does not speak HTTP as expected", "check its base_url"],
            )
        },
        Row {
            http: None,
            ..beyond(
                "a head without an end",
                |_| vec![Step::EndlessHead],
                &["does not speak HTTP as expected", "check its base_url"],
            )
        },
        beyond("a body without an end", |_| vec![Step::HugeBody], &["answered more than 8388608 bytes"]),
        beyond(
            "100 MB of blanks, compressed",
            |_| vec![Step::gzip_bomb(100 << 20)],
            &["answered more than 8388608 bytes"],
        ),
        Row {
            used: Used::Something,
            shows: None,
            ..beyond(
                "a stream without an end",
                |_| vec![Step::Stream(Stream::texts(["{\"why\": \""]).endless(&"word ".repeat(8_000)))],
                &["answered more than", "bytes"],
            )
        },
        beyond(
            "a line without an end",
            |_| vec![Step::Stream(Stream::new().endless_raw(&[b'x'; 8_192]))],
            &["answered more than 1048576 bytes"],
        ),
        beyond(
            "bytes that do not decompress",
            |_| {
                vec![Step::status_with(
                    200,
                    &[("content-type", "application/json"), ("content-encoding", "gzip")],
                    "no gzip",
                )]
            },
            &["do not decompress"],
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_redirect_leads_nobody_to_another_host_with_our_key() {
    let elsewhere = Upstream::start().await;
    elsewhere.on_any().reply("stolen");
    let row = Row {
        http: Some(307),
        health: Health::Well,
        says: &["redirects, which is not followed with a key (status 307)", "check its base_url in routing.yaml"],
        ..Row::failing("a redirect to another host", |_| Vec::new(), &["upstream_error"])
    };
    let to = format!("{}/chat/completions", elsewhere.base_url());
    let upstream = Upstream::start().await;
    upstream.on_any().then(Step::redirect(&to));
    hold(vec![Row { near: Near::At(upstream.base_url().leak()), ..row }]).await;
    assert_eq!((upstream.count(), elsewhere.count()), (2, 0));
}
