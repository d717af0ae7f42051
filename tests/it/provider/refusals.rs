//! Refusals as they come over the wire: status, words, waits, and addresses where nobody answers.

use std::time::Duration;

use serde_json::json;
use taskgate::chat::Format;
use taskgate::error::{Fault, Kind, Retry};
use taskgate::policy::Location;
use tokio::net::TcpListener;

use super::{Bench, SECRET_KEY, SECRET_PROMPT, SHORT};
use crate::upstream::Step;

const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn a_status_becomes_a_kind_and_is_kept() {
    for (code, kind) in [
        (401, Kind::UpstreamAuth),
        (403, Kind::UpstreamAuth),
        (429, Kind::UpstreamBusy),
        (500, Kind::UpstreamFailed),
        (502, Kind::UpstreamFailed),
        (503, Kind::UpstreamFailed),
        (529, Kind::UpstreamFailed),
        (422, Kind::UpstreamFailed),
    ] {
        for stream in [false, true] {
            let heard = Bench::with(Step::status(code)).await.send(stream).await;
            assert_eq!((heard.kind(), heard.answer.http_status), (kind, Some(code)));
            assert_eq!(heard.error().kind.fault(), Fault::Upstream);
        }
    }
}

#[tokio::test]
async fn an_error_that_echoes_prompt_and_key_shows_neither() {
    let echo = format!("Bad request: {SECRET_PROMPT} with {SECRET_KEY}");
    for body in [
        json!({ "error": { "message": echo, "type": "invalid_request_error", "code": SECRET_KEY } }).to_string(),
        json!({ "error": echo }).to_string(),
        json!({ "error": { "message": echo, "code": 400, "type": SECRET_PROMPT } }).to_string(),
        json!({ "detail": [{ "input": echo }] }).to_string(),
        echo.clone(),
    ] {
        for code in [400, 401, 429, 500] {
            // `send` looks for the secrets in every error.
            let heard = Bench::with(Step::status_with(code, &[JSON], body.clone())).await.send(code == 400).await;
            assert!(heard.error().message.starts_with("small at desk "), "{}", heard.error().message);
        }
    }
}

#[tokio::test]
async fn the_wait_that_is_asked_for_is_told() {
    for (headers, wait) in [
        (vec![("retry-after", "7")], Some(7_000)),
        (vec![("retry-after-ms", "250"), ("retry-after", "7")], Some(250)),
        (vec![("x-ratelimit-reset-tokens", "1m30s"), ("x-ratelimit-remaining-tokens", "0")], Some(90_000)),
        (vec![], None),
    ] {
        let heard = Bench::with(Step::status_with(429, &headers, "")).await.send(false).await;
        assert_eq!(heard.error().retry_after, wait.map(Duration::from_millis));
        assert_eq!(heard.kind().retry(), Retry::Same);
    }
}

#[tokio::test]
async fn an_empty_account_is_not_tried_again_on_the_same_model() {
    let body = json!({ "error": { "message": "You exceeded your current quota", "code": "insufficient_quota" } });
    let heard = Bench::with(Step::status_with(429, &[JSON], body.to_string())).await.send(false).await;
    assert_eq!((heard.kind(), heard.kind().retry()), (Kind::UpstreamQuota, Retry::Next));
    assert!(heard.error().message.contains("insufficient_quota") && heard.hint().contains("billing"));
}

#[tokio::test]
async fn a_refused_format_is_told_so_that_a_weaker_one_can_be_tried() {
    let body = json!({ "error": {
        "message": "1 validation error:\n  {'type': 'literal_error', 'loc': ('body', 'response_format', 'type')}",
        "type": "internal_server_error", "param": null, "code": null,
    } });
    for (format, kind) in [
        (Format::JsonSchema { name: "plan".to_owned(), schema: json!({}) }, Kind::FormatRefused),
        (Format::JsonObject, Kind::FormatRefused),
        (Format::Text, Kind::UpstreamFailed),
    ] {
        for stream in [false, true] {
            let mut bench = Bench::with(Step::status_with(500, &[JSON], body.to_string())).await;
            bench.request.format = format.clone();
            assert_eq!(bench.send(stream).await.kind(), kind);
        }
    }
}

#[tokio::test]
async fn an_error_inside_a_success_is_a_failure() {
    for error in [json!({ "message": "out of memory", "code": 13 }), json!("plain text")] {
        let heard = Bench::with(Step::error_inside_200(error)).await.send(false).await;
        assert_eq!((heard.kind(), heard.answer.http_status), (Kind::UpstreamFailed, Some(200)));
    }
}

#[tokio::test]
async fn an_unknown_model_and_a_wrong_address_have_hints_of_their_own() {
    let mut bench = Bench::new().await;
    let heard = bench.send(false).await;
    assert_eq!((heard.kind(), heard.answer.http_status), (Kind::UpstreamFailed, Some(404)));
    assert_eq!(heard.hint(), "Check the name of small that backend desk knows.");
    bench.backend.base_url.push_str("/wrong");
    let heard = bench.send(true).await;
    assert_eq!(heard.kind(), Kind::UpstreamFailed);
    bench.backend.base_url = bench.backend.base_url.replace("/v1/wrong", "/nowhere");
    let heard = Bench::with(Step::html(404)).await.send(true).await;
    assert_eq!(heard.kind(), Kind::UpstreamProtocol);
    assert_eq!(heard.hint(), "Is base_url of backend desk right? It usually ends in /v1.");
}

#[tokio::test]
async fn a_redirect_is_not_followed_with_our_key() {
    let elsewhere = Bench::with(Step::reply("stolen")).await;
    let target = format!("{}/chat/completions", elsewhere.upstream.base_url());
    for stream in [false, true] {
        let heard = Bench::with(Step::redirect(&target)).await.send(stream).await;
        assert_eq!((heard.kind(), heard.answer.http_status), (Kind::UpstreamProtocol, Some(307)));
        assert!(heard.hint().contains("base_url"));
    }
    assert_eq!(elsewhere.upstream.count(), 0);
}

#[tokio::test]
async fn where_nobody_listens_the_hint_says_what_to_start() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for (url, location, advice) in [
        (format!("http://{free}/v1"), Location::Local, "Start the model server of backend desk"),
        ("http://no-such-host.invalid/v1".to_owned(), Location::Hosted, "Check the network"),
    ] {
        for stream in [false, true] {
            let mut bench = Bench::new().await;
            bench.backend.base_url = url.clone();
            bench.backend.location = location;
            let heard = bench.send(stream).await;
            assert_eq!((heard.kind(), heard.answer.http_status), (Kind::UpstreamUnreachable, None));
            assert!(heard.hint().starts_with(advice), "{}", heard.hint());
        }
    }
}

#[tokio::test]
async fn a_connection_that_does_not_come_about_ends_at_its_own_timeout() {
    // TLS towards a server that says nothing: the connection opens, and is never ready.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut bench = Bench::new().await;
    bench.backend.base_url = format!("https://{}/v1", silent.local_addr().unwrap());
    bench.timeouts.connect = SHORT;
    for stream in [false, true] {
        let heard = bench.send(stream).await;
        assert_eq!(heard.kind(), Kind::UpstreamUnreachable, "{:?}", heard.error());
    }
    // The same sender gives the next call its own time again.
    bench.backend.base_url = bench.upstream.base_url();
    bench.timeouts.connect = super::AMPLE;
    bench.upstream.on("small-q4").reply("ok");
    assert_eq!(bench.send(false).await.reply().text, "ok");
}
