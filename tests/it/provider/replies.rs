//! Whole replies, and what is sent for them.

use secrecy::SecretString;
use serde_json::json;
use taskgate::chat::{Finish, Format};
use taskgate::error::{Kind, Retry};

use super::{Bench, usage};
use crate::upstream::{Reply, Step};

#[tokio::test]
async fn a_whole_reply_comes_back_with_its_usage_and_its_text_in_one_piece() {
    let bench = Bench::with(Step::Reply(Reply::new("Two tasks are late.").usage(31, 7))).await;
    let heard = bench.send(false).await;
    assert_eq!(heard.pieces, ["Two tasks are late."]);
    assert_eq!((heard.answer.http_status, heard.answer.ttft), (Some(200), None));
    let reply = heard.reply();
    assert_eq!(
        (reply.text.as_str(), reply.finish, reply.usage),
        ("Two tasks are late.", Finish::Stop, usage(31, 0, 7))
    );
    assert_eq!(reply.model.as_deref(), Some("small-q4"));
}

#[tokio::test]
async fn the_request_carries_the_key_the_upstreams_name_and_the_smaller_allowance() {
    let mut bench = Bench::with(Step::reply("ok")).await;
    bench.request.temperature = Some(0.2);
    bench.request.format = Format::JsonObject;
    bench.request.extra = json!({ "top_p": 0.5, "stream": true }).as_object().unwrap().clone();
    bench.send(false).await.reply();
    let request = bench.upstream.request();
    assert_eq!(request.header("authorization"), Some("Bearer sk-very-secret-1"));
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(
        request.body,
        json!({
            "model": "small-q4",
            "messages": [{ "role": "user", "content": super::SECRET_PROMPT }],
            "temperature": 0.2,
            "max_tokens": 512,
            "response_format": { "type": "json_object" },
            "stream": false,
            "top_p": 0.5,
        })
    );
}

#[tokio::test]
async fn without_a_key_no_authorization_is_sent_whatever_the_environment_says() {
    for stream in [false, true] {
        let mut bench = Bench::with(Step::reply("ok")).await;
        bench.backend.api_key = None;
        bench.send(stream).await.reply();
        assert_eq!(bench.upstream.request().header("authorization"), None);
    }
}

#[tokio::test]
async fn a_key_with_a_line_break_is_refused_before_anything_is_sent() {
    for stream in [false, true] {
        let mut bench = Bench::with(Step::reply("ok")).await;
        bench.backend.api_key = Some(SecretString::from("sk-a\nX-Evil: 1"));
        let heard = bench.send(stream).await;
        assert_eq!((heard.kind(), heard.hint()), (Kind::UpstreamAuth, "Check the key in DESK_KEY."));
        assert_eq!(bench.upstream.count(), 0);
    }
}

#[tokio::test]
async fn a_sparse_reply_is_still_a_reply() {
    let bench = Bench::with(Step::json(json!({
        "choices": [{ "message": { "content": "ok", "reasoning_content": "hm" }, "finish_reason": "eos", "x": 1 }],
        "usage": null,
        "error": null,
    })))
    .await;
    let reply = bench.send(false).await.reply();
    assert_eq!((reply.text.as_str(), reply.finish, reply.usage), ("ok", Finish::Other("eos".to_owned()), None));
    assert_eq!(reply.model, None);
}

#[tokio::test]
async fn a_refusal_in_words_is_an_answer_that_says_what_it_is() {
    let message = json!({ "content": null, "refusal": "I cannot help with that." });
    let bench = Bench::with(Step::json(json!({ "choices": [{ "message": message, "finish_reason": "stop" }] }))).await;
    let reply = bench.send(false).await.reply();
    assert_eq!((reply.text.as_str(), reply.finish), ("I cannot help with that.", Finish::ContentFilter));
}

#[tokio::test]
async fn cached_tokens_are_told_apart_and_zero_usage_is_none() {
    let mut reply = Reply::new("ok");
    reply.usage = Some(json!({
        "prompt_tokens": 100, "completion_tokens": 5, "prompt_tokens_details": { "cached_tokens": 64 },
    }));
    let bench = Bench::with(Step::Reply(reply)).await;
    assert_eq!(bench.send(false).await.reply().usage, usage(100, 64, 5));
    let bench = Bench::with(Step::Reply(Reply::new("ok").usage(0, 0))).await;
    assert_eq!(bench.send(false).await.reply().usage, None);
}

#[tokio::test]
async fn a_reply_without_choices_is_no_reply_but_its_usage_is_known() {
    let heard = Bench::with(Step::empty_choices()).await.send(false).await;
    assert_eq!(heard.kind(), Kind::UpstreamProtocol);
    assert_eq!(heard.answer.partial.unwrap().usage, usage(3, 0, 0));
}

#[tokio::test]
async fn what_is_no_json_is_a_protocol_error_that_asks_for_the_base_url() {
    for (step, hinted) in [
        (Step::html(200), true),
        (Step::wrong_content_type(), true),
        (Step::status_with(200, &[("content-type", "application/json")], "{\"choices\":"), true),
        (Step::status_with(200, &[], "Ollama is running"), true),
        (
            Step::status_with(200, &[("content-type", "application/json"), ("content-encoding", "gzip")], "no gzip"),
            false,
        ),
        (Step::Raw(b"SSH-2.0-OpenSSH_9.7\r\n".to_vec()), true),
        (Step::Raw(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{\"model\":\"\xFF\"}".to_vec()), false),
    ] {
        for stream in [false, true] {
            let heard = Bench::with(step.clone()).await.send(stream).await;
            assert_eq!(heard.kind(), Kind::UpstreamProtocol, "{:?}", heard.error());
            assert_eq!(heard.hint().contains("Is base_url of backend desk right?"), hinted, "{:?}", heard.error());
        }
    }
}

#[tokio::test]
async fn a_connection_that_ends_too_early_is_a_cut() {
    for step in [Step::HangUp, Step::CutBody(Reply::new("a long text"))] {
        let heard = Bench::with(step).await.send(false).await;
        assert_eq!(heard.kind(), Kind::UpstreamCut, "{:?}", heard.error());
        assert_eq!(heard.answer.partial, None);
    }
}

#[tokio::test]
async fn nothing_is_ever_sent_twice() {
    for step in [Step::status(429), Step::status(500), Step::HangUp, Step::html(503)] {
        for stream in [false, true] {
            let bench = Bench::with(step.clone()).await;
            assert_ne!(bench.send(stream).await.kind().retry(), Retry::Never);
            assert_eq!(bench.upstream.count(), 1);
        }
    }
}
