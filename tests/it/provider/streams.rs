//! Streams: how they end, how they break, and what is left of a broken one.

use std::time::Duration;

use serde_json::json;
use taskgate::chat::Finish;
use taskgate::error::Kind;

use super::{Bench, streamed, usage};
use crate::upstream::{Reply, Step, Stream};

#[tokio::test]
async fn a_stream_comes_in_pieces_and_asks_for_its_usage() {
    let bench = Bench::with(Step::Stream(Stream::of(["Two ", "tasks ", "are late."]))).await;
    let heard = bench.send(true).await;
    assert_eq!(heard.pieces, ["Two ", "tasks ", "are late."]);
    assert!(heard.answer.ttft.is_some());
    let reply = heard.reply();
    assert_eq!(
        (reply.text.as_str(), reply.finish, reply.usage),
        ("Two tasks are late.", Finish::Stop, usage(20, 0, 10))
    );
    assert_eq!(reply.model.as_deref(), Some("scripted"));
    let request = bench.upstream.request();
    assert_eq!(
        (&request.body["stream"], &request.body["stream_options"]["include_usage"]),
        (&json!(true), &json!(true))
    );
}

#[tokio::test]
async fn the_last_usage_counts_and_a_placeholder_does_not() {
    let heard = streamed(
        Stream::new()
            .event(json!({ "choices": [], "usage": { "prompt_tokens": 9, "completion_tokens": 1 } }))
            .text("a")
            .event(json!({ "choices": [{ "delta": {}, "finish_reason": "stop" }], "usage": { "prompt_tokens": 9, "completion_tokens": 4 } }))
            .usage(0, 0)
            .done(),
    )
    .await;
    assert_eq!(heard.reply().usage, usage(9, 0, 4));
}

#[tokio::test]
async fn usage_beside_an_empty_delta_is_not_lost() {
    let last = json!({ "choices": [{ "delta": {} }], "usage": { "prompt_tokens": 9, "completion_tokens": 4 } });
    let heard = streamed(Stream::texts(["a"]).finish("length").event(last).done()).await;
    let reply = heard.reply();
    assert_eq!((reply.finish, reply.usage), (Finish::Length, usage(9, 0, 4)));
}

#[tokio::test]
async fn a_stream_without_done_is_complete_when_it_said_why_it_stopped() {
    for stream in [
        Stream::texts(["whole"]).finish("stop"),
        Stream::texts(["whole"]).finish("stop").cut(),
        Stream::texts(["whole"]).finish("stop").unframed(),
    ] {
        assert_eq!(streamed(stream).await.reply().text, "whole");
    }
}

#[tokio::test]
async fn done_without_a_reason_is_an_answer_if_there_is_text() {
    let reply = streamed(Stream::texts(["whole"]).done()).await.reply();
    assert_eq!((reply.text.as_str(), reply.finish), ("whole", Finish::Other(String::new())));
    assert_eq!(streamed(Stream::texts([]).done()).await.kind(), Kind::UpstreamProtocol);
    assert_eq!(streamed(Stream::new().done()).await.kind(), Kind::UpstreamProtocol);
}

/// llama.cpp's Python server, and LiteLLM in front of it, answer so when a prompt does not fit.
#[tokio::test]
async fn a_stream_that_says_nothing_at_all_is_no_answer() {
    for stream in [Stream::new(), Stream::new().unframed(), Stream::new().finish("stop").done()] {
        let heard = streamed(stream).await;
        assert_eq!(heard.kind(), Kind::UpstreamProtocol);
        assert!(heard.hint().contains("longer than the context"));
    }
    let counted = Stream::new().finish("stop").usage(8, 1).done();
    assert_eq!(streamed(counted).await.reply().text, "");
    let filtered = Stream::new().finish("content_filter").done();
    assert_eq!(streamed(filtered).await.reply().finish, Finish::ContentFilter);
}

#[tokio::test]
async fn a_stream_that_just_ends_is_cut_and_its_text_is_kept() {
    for stream in [
        Stream::texts(["half ", "of"]),
        Stream::texts(["half ", "of"]).unframed(),
        Stream::texts(["half ", "of"]).usage(5, 2).cut(),
        Stream::texts(["half ", "of"]).raw(b"data: {\"choices\":[{\"del").cut(),
        Stream::texts(["half ", "of"]).raw(b"data: {\"choices\":[{\"del").unframed(),
        Stream::texts(["half ", "of"]).raw(b"data: \xF0\x9F").cut(),
        Stream::texts(["half ", "of"]).raw(b"data: \xF0\x9F").unframed(),
    ] {
        let heard = streamed(stream).await;
        assert_eq!(heard.kind(), Kind::UpstreamCut, "{:?}", heard.error());
        assert_eq!((heard.partial_text(), heard.answer.http_status), (Some("half of"), Some(200)));
        assert!(heard.answer.ttft.is_some());
    }
}

#[tokio::test]
async fn a_cut_stream_keeps_the_usage_that_was_told() {
    let heard = streamed(Stream::texts(["half"]).usage(5, 2).cut()).await;
    assert_eq!(heard.answer.partial.unwrap().usage, usage(5, 0, 2));
}

#[tokio::test]
async fn a_malformed_event_ends_the_stream_as_a_protocol_error() {
    for bad in [&b"data: {not json}\n\n"[..], b"data: [1,2]\n\n", b"data: \xFF\xFE\n\n"] {
        let heard = streamed(Stream::texts(["half"]).raw(bad).hang()).await;
        assert_eq!((heard.kind(), heard.partial_text()), (Kind::UpstreamProtocol, Some("half")));
    }
}

#[tokio::test]
async fn an_error_in_the_middle_is_a_failure_in_each_of_its_shapes() {
    let prompt = super::SECRET_PROMPT;
    for (stream, kind) in [
        (Stream::texts(["half"]).error(json!({ "message": prompt, "code": 500 })), Kind::UpstreamFailed),
        (Stream::texts(["half"]).error(json!("plain text")), Kind::UpstreamFailed),
        (Stream::texts(["half"]).error(json!({ "code": 429 })), Kind::UpstreamBusy),
        (Stream::texts(["half"]).error(json!({ "message": "maximum context length is 1" })), Kind::ContextTooLong),
        (Stream::texts(["half"]).raw(b"event: error\ndata: overloaded\n\n"), Kind::UpstreamFailed),
    ] {
        let heard = streamed(stream.done()).await;
        assert_eq!((heard.kind(), heard.partial_text()), (kind, Some("half")));
    }
}

#[tokio::test]
async fn comments_pings_and_byte_order_marks_are_no_trouble() {
    let stream = Stream::new()
        .raw(b"\xEF\xBB\xBF: waiting\n\n")
        .raw(b"event: ping\ndata: {}\n\n")
        .raw(b"data:{\"choices\":[{\"delta\":{\"content\":\"\xC3")
        .wait(Duration::from_millis(20))
        .raw(b"\xA4\"}}]}\r\n\r")
        .raw(b"\n")
        .finish("stop")
        .done();
    assert_eq!(streamed(stream).await.reply().text, "ä");
}

#[tokio::test]
async fn a_server_that_cannot_stream_may_answer_whole() {
    let heard = Bench::with(Step::json(Reply::new("whole").usage(4, 2).body("m"))).await.send(true).await;
    assert_eq!(heard.pieces, ["whole"]);
    assert_eq!(heard.reply().usage, usage(4, 0, 2));
    let heard = Bench::with(Step::error_inside_200(json!({ "message": "no" }))).await.send(true).await;
    assert_eq!(heard.kind(), Kind::UpstreamFailed);
}
