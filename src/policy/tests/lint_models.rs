//! The linter's rules about models: each with a file that it speaks of and a near miss that it does not.

use super::{holds, shipped_with, tells};
use crate::policy::BUILT_IN;

const PRICE: &str = "{ input: 2.50, cached_input: 1.25, output: 10.00 }";

/// The shipped policy with a second hosted model; `how` is what differs from `gpt-4o`, `order` the tier.
fn two_hosted(how: &[(&str, &str)], order: &str) -> String {
    let start = BUILT_IN.find("  gpt-4o:\n").unwrap();
    let end = BUILT_IN.find("\ntiers:").unwrap();
    let mut second = BUILT_IN[start..end].replace("gpt-4o:", "second:");
    for (from, to) in how {
        assert!(second.contains(from), "{from}");
        second = second.replace(from, to);
    }
    format!("{}{}{}", &BUILT_IN[..end], second.trim_end(), &BUILT_IN[end..])
        .replace("hosted: [gpt-4o]", &format!("hosted: {order}"))
}

#[test]
fn room_for_the_question() {
    holds(
        "for the answer: |999 are left for the question",
        &shipped_with("max_output_tokens: 1024", "max_output_tokens: 3097"),
        &shipped_with("max_output_tokens: 1024", "max_output_tokens: 3096"),
    );
}

#[test]
fn prices() {
    holds("is hosted and has no price", &shipped_with(PRICE, "").replace("    price: \n", ""), BUILT_IN);
    holds(
        "is that the price of one token?",
        &shipped_with(PRICE, "{ input: 0.0000025, output: 0.00001 }"),
        &shipped_with(PRICE, "{ input: 0.001, output: 0.002 }"),
    );
    holds(
        "no model costs that much",
        &shipped_with(PRICE, "{ input: 2500000, output: 1 }"),
        &shipped_with(PRICE, "{ input: 1000, output: 1 }"),
    );
    holds(
        "costs more than fresh input",
        &shipped_with("cached_input: 1.25", "cached_input: 2.51"),
        &shipped_with("cached_input: 1.25", "cached_input: 2.50"),
    );
    holds(
        "is hosted and free",
        &shipped_with(PRICE, "{ input: 0, output: 0 }"),
        &shipped_with(PRICE, "{ input: 0, output: 1 }"),
    );
}

#[test]
fn a_model_that_can_do_less_than_the_one_before_it() {
    let smaller: &[(&str, &str)] = &[("128000", "127999")];
    holds(
        "`second` is asked when `gpt-4o` fails, but it has a smaller context (127999 tokens after 128000)",
        &two_hosted(smaller, "[gpt-4o, second]"),
        &two_hosted(smaller, "[second, gpt-4o]"),
    );
    holds(
        "but it lacks `tools` and `vision`",
        &two_hosted(&[("[tools, vision, ", "[")], "[gpt-4o, second]"),
        &two_hosted(&[], "[gpt-4o, second]"),
    );
    assert!(!tells(&two_hosted(&[], "[gpt-4o, second]"), "smaller context"), "an equal one is not smaller");
    let large_local = shipped_with("context_tokens: 4096", "context_tokens: 200000");
    holds(
        "`gpt-4o` is asked when `task-api-model` does not do, but it has a smaller context",
        &large_local,
        &large_local.replace("upward: true", "upward: false").replace("on_rejected: true", "on_rejected: false"),
    );
}

#[test]
fn a_model_that_another_of_its_tier_dominates() {
    let words = "`second` of the same tier costs less than `gpt-4o` and is not smaller in anything";
    let cheaper: &[(&str, &str)] = &[("10.00", "9.99")];
    holds(words, &two_hosted(cheaper, "[gpt-4o, second]"), &two_hosted(&[], "[gpt-4o, second]"));
    holds(
        words,
        &two_hosted(cheaper, "[second, gpt-4o]"),
        &two_hosted(&[("10.00", "9.99"), ("backend: openai", "backend: local")], "[second, gpt-4o]"),
    );
    let less: &[(&str, &str)] = &[("10.00", "9.99"), ("max_output_tokens: 4096", "max_output_tokens: 4095")];
    assert!(!tells(&two_hosted(less, "[gpt-4o, second]"), words), "it has a shorter answer");
}

#[test]
fn timeouts_of_one_model() {
    holds(
        "`total` (|19s) ends every call before `first_token` (20s) is over",
        &shipped_with("total: 120s", "total: 19s"),
        &shipped_with("total: 120s", "total: 20s"),
    );
    holds(
        "connecting may take |20s",
        &shipped_with("connect: 2s", "connect: 20s"),
        &shipped_with("connect: 2s", "connect: 19s"),
    );
    holds(
        "`idle` (|121s) never ends a call of `task-api-model`: `total` (120s) ends it before",
        &shipped_with("idle: 15s", "idle: 121s"),
        &shipped_with("idle: 15s", "idle: 120s"),
    );
    let unwritten = shipped_with("first_token: 20s, idle: 15s, total: 120s", "first_token: 9s, total: 10s");
    assert!(!tells(&unwritten, "never ends a call"), "a default is no mistake");
}

#[test]
fn a_minute_that_one_call_takes() {
    let of = |number: u32| shipped_with("tokens_per_minute: 30000", &format!("tokens_per_minute: {number}"));
    holds(
        "one call of `gpt-4o` may take 5096 tokens even for a short question, and it has |5095 a minute",
        &of(5_095),
        &of(5_096),
    );
    assert!(tells(&of(500), "each takes the whole minute"));
}

#[test]
fn keys_and_addresses() {
    holds(
        "the key of `openai` is written in this file",
        &shipped_with("${OPENAI_API_KEY:-}", "sk-topvalue"),
        &shipped_with("${OPENAI_API_KEY:-}", "${OPENAI_API_KEY:-sk-topvalue}"),
    );
    holds(
        "MY_PROXY_KEY is not set: `local` is called without a key",
        &shipped_with("${LITELLM_API_KEY:-sk-local-dev-key}", "${MY_PROXY_KEY}"),
        &shipped_with("${LITELLM_API_KEY:-sk-local-dev-key}", "${MY_PROXY_KEY:-}"),
    );
    holds(
        "its address is near: right for a proxy",
        &shipped_with("https://api.openai.com/v1}", "http://localhost:4000/v1}"),
        BUILT_IN,
    );
    for (upstream, ordinary) in [("gpt-4o", "gpt-oss-20b"), ("openai/gpt-oss", "ollama/llama3"), ("o1-mini", "o11y")] {
        holds(
            "its vendor's, but `local` is marked local",
            &shipped_with("upstream: task-api-model", &format!("upstream: {upstream}")),
            &shipped_with("upstream: task-api-model", &format!("upstream: {ordinary}")),
        );
    }
    assert!(!tells(BUILT_IN, "its vendor's"), "a hosted backend is where such a model belongs");
}
