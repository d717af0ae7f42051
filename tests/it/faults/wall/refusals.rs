//! Upstreams that say no: with a wait or without, for a key, an account, a prompt, a name, or for no reason given.

use super::{Health, Row, Used, hold};
use crate::upstream::Step;

const JSON: (&str, &str) = ("content-type", "application/json");
const AGAIN: &[&str] = &["rate_limited", "accepted"];

/// Kept out by a limit, which is no sign of bad health: nothing was read, nothing is paid.
fn limited(name: &'static str, near: fn(&str) -> Vec<Step>, says: &'static [&'static str]) -> Row {
    Row {
        used: Used::Nothing,
        health: Health::Well,
        http: Some(429),
        says,
        ..Row::failing(name, near, &["rate_limited"])
    }
}

fn failed(name: &'static str, http: i64, near: fn(&str) -> Vec<Step>, says: &'static [&'static str]) -> Row {
    Row { http: Some(http), says, ..Row::failing(name, near, &["upstream_error"]) }
}

/// The request or the policy is at fault: the model is as well as before.
fn misfit(row: Row) -> Row {
    Row { health: Health::Well, ..row }
}

fn keyless(
    name: &'static str,
    (http, result): (i64, &'static [&'static str]),
    near: fn(&str) -> Vec<Step>,
    says: &'static [&'static str],
) -> Row {
    let health = Health::OutAtOnce { open: false };
    Row { used: Used::Nothing, health, http: Some(http), says, ..Row::failing(name, near, result) }
}

fn too_long(name: &'static str, http: i64, near: fn(&str) -> Vec<Step>) -> Row {
    let says = &["finds the prompt too long for its context", "Use a model with a larger context."];
    Row { used: Used::Nothing, health: Health::Well, http: Some(http), says, ..Row::failing(name, near, &["context"]) }
}

fn refused(code: u16, headers: &[(&str, &str)], body: &str) -> Step {
    Step::status_with(code, &[&[JSON], headers].concat(), body)
}

/// Asks for a longer wait than a request has: the next one leaves it alone.
fn rests(name: &'static str, near: fn(&str) -> Vec<Step>, says: &'static [&'static str]) -> Row {
    Row { health: Health::OutAtOnce { open: false }, ..limited(name, near, says) }
}

/// A limit that is met once.
fn once(good: &str, headers: &[(&str, &str)]) -> Vec<Step> {
    vec![refused(429, headers, "{}"), Step::reply(good)]
}

#[tokio::test]
async fn limits_that_ask_for_a_short_wait_are_waited_for() {
    hold(vec![
        Row::answering("429 without a word", |good| once(good, &[]), AGAIN),
        Row::answering("429, seconds", |good| once(good, &[("retry-after", "0.2")]), AGAIN),
        Row::answering(
            "429, a date that has come",
            |good| once(good, &[("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")]),
            AGAIN,
        ),
        Row::answering(
            "429, milliseconds",
            |good| once(good, &[("retry-after-ms", "20"), ("retry-after", "900")]),
            AGAIN,
        ),
        Row::answering(
            "429, a reset soon",
            |good| once(good, &[("x-ratelimit-remaining-requests", "0"), ("x-ratelimit-reset-requests", "15ms")]),
            AGAIN,
        ),
        Row::answering(
            "503 with a wait",
            |good| vec![refused(503, &[("retry-after", "0")], "{}"), Step::reply(good)],
            AGAIN,
        ),
    ])
    .await;
}

#[tokio::test]
async fn limits_that_ask_for_a_long_wait_or_have_no_end_are_passed_by() {
    hold(vec![
        rests(
            "429, an hour",
            |_| vec![refused(429, &[("retry-after", "3600")], "{}")],
            &["has reached a rate limit and is left alone"],
        ),
        rests(
            "429, a date far off",
            |_| vec![refused(429, &[("retry-after", "Tue, 31 Dec 2999 23:59:59 GMT")], "{}")],
            &["has reached a rate limit and is left alone"],
        ),
        rests(
            "429, a reset far off",
            |_| {
                let headers = [("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-reset-tokens", "6m0s")];
                vec![refused(429, &headers, "{}")]
            },
            &["has reached a rate limit and is left alone"],
        ),
        Row {
            http: Some(503),
            ..rests(
                "503, ten minutes",
                |_| vec![refused(503, &[("retry-after", "600")], "{}")],
                &["has reached a rate limit and is left alone"],
            )
        },
        Row {
            tried: &["rate_limited", "rate_limited"],
            ..limited(
                "429 without an end",
                |_| vec![refused(429, &[], "{}")],
                &["has reached a rate limit", "Try again later"],
            )
        },
        Row {
            http: Some(503),
            tried: &["rate_limited", "rate_limited"],
            health: Health::OpensAtTwo,
            ..limited(
                "503 again after its own wait",
                |_| vec![refused(503, &[("retry-after", "0")], "{}")],
                &["is not available now (status 503)"],
            )
        },
        Row {
            tried: &["context"],
            ..limited(
                "429 for one request above the limit",
                |_| {
                    vec![refused(
                        429,
                        &[],
                        r#"{"error": {"message": "Request too large for gpt-4o on tokens per min (TPM)"}}"#,
                    )]
                },
                &["finds the request larger than its rate limit"],
            )
        },
    ])
    .await;
}

#[tokio::test]
async fn failures_and_refusals_go_on_to_the_next_model_at_once() {
    hold(vec![
        failed("500", 500, |_| vec![Step::status(500)], &["failed (status 500", "Look at the log of near_"]),
        failed("502 in HTML", 502, |_| vec![Step::html(502)], &["failed (status 502)", "Look at the log of near_"]),
        failed("503 without a wait", 503, |_| vec![Step::status(503)], &["is not available now (status 503"]),
        failed("504", 504, |_| vec![Step::status(504)], &["failed (status 504"]),
        failed("529", 529, |_| vec![refused(529, &[], r#"{"error": {"type": "overloaded_error"}}"#)], &[
            "is overloaded (status 529, overloaded_error)",
        ]),
        keyless("401", (401, &["auth"]), |_| vec![Step::status(401)], &["was refused by its backend", "the key in NEAR_KEY"]),
        // The key may be good for another model of that backend, so it is this model's breaker that opens.
        Row {
            health: Health::OutAtOnce { open: true },
            ..keyless("403", (403, &["auth"]), |_| vec![Step::status(403)], &["failed lately and is left alone"])
        },
        keyless("402", (402, &["quota"]), |_| vec![Step::status(402)], &["was refused by its backend", "the billing of its account"]),
        keyless("429, insufficient_quota", (429, &["quota"]), |_| {
            vec![refused(429, &[], r#"{"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}"#)]
        }, &["was refused by its backend", "the billing of its account"]),
        too_long("too long for OpenAI", 400, |_| {
            vec![refused(400, &[], r#"{"error": {"message": "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.", "type": "invalid_request_error", "code": "context_length_exceeded"}}"#)]
        }),
        too_long("too long for Anthropic", 400, |_| {
            vec![refused(400, &[], r#"{"type": "error", "error": {"type": "invalid_request_error", "message": "prompt is too long: 210000 tokens > 200000 maximum"}}"#)]
        }),
        too_long("too long for vLLM", 400, |_| {
            vec![refused(400, &[], r#"{"object": "error", "message": "This model's maximum context length is 4096 tokens. Please reduce the length of the messages.", "type": "BadRequestError", "param": null, "code": 400}"#)]
        }),
        too_long("too long for llama.cpp", 400, |_| {
            vec![refused(400, &[], r#"{"error": {"code": 400, "message": "request (4390 tokens) exceeds the available context size (4096 tokens), try increasing it", "type": "exceed_context_size_error"}}"#)]
        }),
        too_long("too long for Ollama behind LiteLLM", 400, |_| {
            vec![refused(400, &[], r#"{"error": {"message": "litellm.ContextWindowExceededError: OllamaException - the input length exceeds the context length", "type": null, "param": null, "code": "400"}}"#)]
        }),
        Row {
            used: Used::Nothing,
            ..misfit(Row { tried: &["context"], ..failed("413", 413, |_| vec![Step::html(413)], &[
                "finds the request too large (status 413)", "Use a model with a larger context.",
            ]) })
        },
        Row { tried: &["refused"], ..misfit(failed("content that is not welcome", 400, |_| {
            vec![refused(400, &[], r#"{"error": {"message": "The response was filtered", "code": "content_filter"}}"#)]
        }, &["refuses the content of the request"])) },
        misfit(failed("a model that is not there", 404, |_| vec![Step::unknown_model()], &[
            "is not known by that name (status 404, model_not_found)", "routing.yaml",
        ])),
        misfit(failed("no such path", 404, |_| vec![refused(404, &[], r#"{"detail": "Not Found"}"#)], &[
            "has no chat endpoint there (status 404)", "check its base_url in routing.yaml",
        ])),
        misfit(failed("fields it does not take", 422, |_| vec![Step::status(422)], &["does not take the request (status 422"])),
    ])
    .await;
}
