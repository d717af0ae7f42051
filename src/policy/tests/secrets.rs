//! No key is ever shown: not in a snippet, not in a message, not by `Debug`.

use proptest::prelude::*;

use super::{compile, shipped_with};

/// Every way in which a result of compiling can be looked at.
fn everything_shown(text: &str) -> String {
    let compiled = compile(text);
    let mut shown = format!("{compiled:?}\n{}\n{}", compiled.problems, compiled.problems.render(true));
    let error: crate::error::Error = compiled.problems.into();
    shown += &format!("{error:?}");
    shown
}

const KEY: &str = "api_key: ${OPENAI_API_KEY:-}";

#[test]
fn a_key_is_never_shown_whatever_is_wrong_around_it() {
    for to in [
        "api_key: topvalue",
        "api_key: { a: topvalue }",
        "api_key: [topvalue]",
        "api_key: 'topvalue ${X'",
        "api_key: \"${X:-topvalue}${\"",
        "api_key: |\n      topvalue\n      topvalue",
        "api_key: top\u{e9}topvalue",
        "api_key: topvalue topvalue",
        "api_kee: topvalue",
        "apikey: topvalue",
        "token: topvalue",
        "api_key: ${OPENAI_API_KEY:-} # the old key was topvalue",
        "api_key: a\n    api_key: topvalue",
        "api_key: !x topvalue",
        "api_key: &x topvalue",
        "api_key: topvalue\n   broken",
        "api_key: [topvalue",
        "api_key: 'topvalue",
        "api_key:\n      - 'topvalue",
        "{ base_url: x, api_key: topvalue }",
        "\tapi_key: topvalue",
        "base: https://ann:topvalue@example.org/v1",
    ] {
        let shown = everything_shown(&shipped_with(KEY, to));
        assert!(!shown.contains("topvalue"), "`{to}`: {shown}");
    }
}

#[test]
fn an_address_is_shown_without_its_password() {
    for url in ["https://ann:topvalue@example.org", "${X:-https://ann:topvalue@example.org}", "https://h/?k=topvalue"] {
        let text = shipped_with("${OPENAI_BASE_URL:-https://api.openai.com/v1}", url);
        let shown = everything_shown(&text);
        assert!(shown.contains("an address must") && !shown.contains("topvalue"), "{shown}");
    }
}

#[test]
fn the_value_of_a_variable_is_never_shown() {
    let environment = |name: &str| (name == "OPENAI_API_KEY").then(|| "topvalue with spaces".to_owned());
    let compiled = crate::policy::compile(crate::policy::BUILT_IN, "routing.yaml", &environment);
    assert!(compiled.policy.is_none());
    let shown = format!("{compiled:?}{}", compiled.problems.render(false));
    assert!(!shown.contains("topvalue"), "{shown}");
    assert!(shown.contains("api_key: ${OPENAI_API_KEY:-}"), "the name of the variable helps: {shown}");
}

#[test]
fn what_is_no_secret_stays_readable() {
    let shown = compile(&shipped_with("api_key: ${OPENAI_API_KEY:-}", "api_kee: topvalue")).problems.render(false);
    assert!(shown.contains("    api_kee: ********"), "{shown}");
    let shown = compile(&shipped_with("context_tokens: 4096", "context_tokens: few")).problems.render(false);
    assert!(shown.contains("context_tokens: few"), "{shown}");
}

#[test]
fn a_message_keeps_the_words_of_the_format_that_share_a_line_with_a_key() {
    let flow = "  openai: { base_url: https://api.openai.com/v1, api_key: \"${OPENAI_API_KEY:-}\", location: hosted }";
    let shipped = crate::policy::BUILT_IN;
    let (start, end) = (shipped.find("  openai:").unwrap(), shipped.find("\nmodels:").unwrap());
    let text = format!("{}{flow}\n{}", &shipped[..start], &shipped[end..]);
    let shown = compile(&text).problems.render(false);
    assert!(shown.contains("hosted backend `openai` has no key"), "{shown}");
}

proptest! {
    /// Cuts and stray characters anywhere in the file: nothing panics, and the key stays hidden.
    #[test]
    fn no_damage_to_the_file_shows_the_key(at in 0usize..2_000, cut in 0usize..40, stray in "[\\[\\]{}:'\"*&!|>\\-# \\n\\t\u{e9}]{0,3}") {
        let text = shipped_with(KEY, "api_key: qqtopvalueqq");
        let key = text.find("qqtopvalueqq").unwrap();
        let floor = |mut at: usize| { while !text.is_char_boundary(at) { at -= 1 } at };
        // Around the key, so that most damage is near it; never inside it.
        let start = floor(at.saturating_sub(1_000) + key.saturating_sub(1_000).min(key));
        let end = floor((start + cut).min(text.len()));
        // The key keeps its name: a value without one can't be told from any other.
        let named = key - "api_key: ".len()..key + "qqtopvalueqq".len();
        let (start, end) = if end > named.start && start < named.end { (named.start, named.start) } else { (start, end) };
        let damaged = format!("{}{stray}{}", &text[..start], &text[end..]);
        let shown = everything_shown(&damaged);
        prop_assert!(!shown.contains("topvalue"), "{}", shown);
    }
}
