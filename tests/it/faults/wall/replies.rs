//! Upstreams that answer, but not what was asked for: broken bytes, errors behind a good status, half answers, and
//! counts that are missing or cannot be.

use serde_json::json;

use super::{Health, Row, Used, hold};
use crate::upstream::{Reply, Step, Stream};

const ACCEPTED: &[&str] = &["accepted"];

/// It does not speak as agreed, and what it would be paid for nobody knows.
fn nonsense(name: &'static str, near: fn(&str) -> Vec<Step>, says: &'static [&'static str]) -> Row {
    Row { says, ..Row::failing(name, near, &["upstream_error"]) }
}

/// An answer came and was paid for, and is not good enough: health is another matter.
fn rejected(name: &'static str, near: fn(&str) -> Vec<Step>, says: &'static [&'static str]) -> Row {
    Row { used: super::REPORTED, health: Health::Well, says, ..Row::failing(name, near, &["rejected"]) }
}

#[tokio::test]
async fn bytes_and_events_that_are_broken() {
    hold(vec![
        Row {
            used: Used::Heard(15),
            ..nonsense(
                "bytes that are no text",
                |_| {
                    vec![Step::Stream(
                        Stream::texts(["{\"suggestion\": "]).raw(b"data: {\"x\": \"\xFF\xFE\"}\n\n").done(),
                    )]
                },
                &["answered bytes that are no text"],
            )
        },
        Row {
            used: Used::Heard(15),
            ..Row::failing(
                "half a character at the end",
                |_| vec![Step::Stream(Stream::texts(["{\"suggestion\": "]).raw(b"data: {\"x\": \"\xC3").unframed())],
                &["cut"],
            )
        },
        Row {
            used: Used::Heard(15),
            ..nonsense(
                "an event that is no JSON",
                |_| vec![Step::Stream(Stream::texts(["{\"suggestion\": "]).raw(b"data: {\"choices\": [{\n\n").done())],
                &["answered JSON that is broken", "check its base_url"],
            )
        },
        Row::answering(
            "a character in two pieces",
            |good| {
                let good = good.replace("only", "\u{fc}nly");
                let event = format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": {"content": good}}]}));
                let (half, rest) = event.as_bytes().split_at(event.find('\u{fc}').unwrap() + 1);
                vec![Step::Stream(Stream::new().raw(half).raw(rest).finish("stop").usage(20, 10).done())]
            },
            ACCEPTED,
        ),
        Row {
            used: Used::Heard(41),
            shows: Some("Begin with the budget and…"),
            ..nonsense(
                "an error in a stream",
                |_| {
                    let begun = Stream::texts([r#"{"suggestion": "Begin with the budget and"#]);
                    vec![Step::Stream(begun.error(json!({"message": "CUDA out of memory", "code": "oom"})).done())]
                },
                &["failed with an error inside its answer (status 200, oom)", "Look at the log of near_"],
            )
        },
    ])
    .await;
}

#[tokio::test]
async fn an_error_behind_a_good_status_and_an_answer_without_one() {
    hold(vec![
        nonsense(
            "an error event",
            |_| vec![Step::Stream(Stream::new().raw(b"event: error\ndata: {\"message\": \"out of memory\"}\n\n"))],
            &["failed with an error inside its answer"],
        ),
        nonsense(
            "200 with an error",
            |_| vec![Step::error_inside_200(json!({"message": "no", "code": "oom"}))],
            &["failed with an error inside its answer (status 200, oom)"],
        ),
        Row {
            used: Used::Nothing,
            health: Health::Well,
            ..Row {
                tried: &["rate_limited", "rate_limited"],
                ..nonsense(
                    "200 with a limit inside",
                    |_| vec![Step::error_inside_200(json!({"message": "slow down", "code": 429}))],
                    &["has reached a rate limit"],
                )
            }
        },
        nonsense("200 in HTML", |_| vec![Step::html(200)], &["neither JSON nor a stream", "check its base_url"]),
        nonsense("a wrong content type", |_| vec![Step::wrong_content_type()], &["neither JSON nor a stream"]),
        Row {
            used: Used::Reported(3, 0),
            ..nonsense("no choices", |_| vec![Step::empty_choices()], &["answered without an answer inside"])
        },
        nonsense(
            "[DONE] and nothing else",
            |_| vec![Step::Stream(Stream::texts([]).finish("stop").done())],
            &["answered without an answer inside"],
        ),
        nonsense(
            "an empty body",
            |_| vec![Step::status_with(200, &[("content-type", "application/json")], "")],
            &["answered JSON that is broken"],
        ),
        nonsense("a list", |_| vec![Step::json(json!(["fine"]))], &["of an unknown shape"]),
    ])
    .await;
}

#[tokio::test]
async fn answers_that_are_not_good_enough_and_counts_that_are_no_counts() {
    hold(vec![
        Row::answering(
            "whole where a stream was asked for",
            |good| vec![Step::json(Reply::new(good).body("near"))],
            ACCEPTED,
        ),
        rejected(
            "the allowance ran out",
            |good| vec![Step::Reply(Reply::new(&good[..good.len() / 2]).finish("length"))],
            &["answered, but its answer was not accepted"],
        ),
        rejected(
            "prose",
            |_| vec![Step::reply("Colorless green ideas sleep furiously.")],
            &["answered, but its answer was not accepted", "was not a JSON object"],
        ),
        rejected(
            "a task that does not exist",
            |good| vec![Step::reply(good.replace("TASK-0", "TASK-9"))],
            &["was not accepted", "which does not exist"],
        ),
        Row {
            used: super::REPORTED,
            health: Health::Well,
            says: &["refused to answer (content filter)"],
            ..Row::failing(
                "a filter",
                |_| vec![Step::Reply(Reply::new("I would").finish("content_filter"))],
                &["refused"],
            )
        },
        Row {
            used: Used::Something,
            ..Row::answering("no usage", |good| vec![Step::Reply(Reply::new(good).no_usage())], ACCEPTED)
        },
        Row {
            used: Used::Something,
            ..Row::answering("a usage of zero", |good| vec![Step::Reply(Reply::new(good).usage(0, 0))], ACCEPTED)
        },
        Row {
            used: Used::Something,
            ..Row::answering(
                "a usage beyond all bounds",
                |good| vec![Step::Reply(Reply::new(good).usage(u64::MAX / 4, u64::MAX / 4))],
                ACCEPTED,
            )
        },
        Row {
            used: Used::Something,
            ..Row::answering(
                "a usage below zero",
                |good| {
                    let mut reply = Reply::new(good);
                    reply.usage = Some(json!({"prompt_tokens": -5, "completion_tokens": -5}));
                    vec![Step::Reply(reply)]
                },
                ACCEPTED,
            )
        },
        Row::answering(
            "a usage in words and fractions",
            |good| {
                let mut reply = Reply::new(good);
                reply.usage = Some(json!({"prompt_tokens": 20.0, "completion_tokens": 10.0, "total_tokens": "30"}));
                vec![Step::Reply(reply)]
            },
            ACCEPTED,
        ),
    ])
    .await;
}
