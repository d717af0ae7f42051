//! Where a backend tells which models it has in memory, and what is wrong with how that is written.

use super::*;
use crate::policy::{StatusEndpoint, StatusKind};

const LOCAL: &str = "    status: { kind: none }         # (default)";

fn with(status: &str) -> String {
    shipped_with(LOCAL, &format!("    {status} #"))
}

fn status(text: &str) -> Option<StatusEndpoint> {
    compile(text).policy.unwrap().backends["local"].status.clone()
}

#[test]
fn the_address_is_the_written_one_or_the_base_url_without_v1_and_said_so() {
    let derived = with("status: { kind: ollama }");
    let expected = StatusEndpoint { kind: StatusKind::Ollama, url: "http://localhost:4000".into() };
    assert_eq!(status(&derived), Some(expected));
    assert!(tells(&derived, "`local` is asked for its models at http://localhost:4000, by its base_url"));
    let written = with("status: { kind: llama_cpp, url: \"${NOBODY:-http://localhost:8080/}\" }");
    let expected = StatusEndpoint { kind: StatusKind::LlamaCpp, url: "http://localhost:8080".into() };
    assert_eq!(status(&written), Some(expected));
    assert!(!tells(&written, "is asked for its models"));
    assert_eq!(status(BUILT_IN), None);
}

#[test]
fn what_cannot_be_asked_is_an_error() {
    let elsewhere = with("status: { kind: ollama }").replace("http://localhost:4000/v1}", "http://localhost:4000/api}");
    for (text, expected) in [
        (elsewhere, "where to ask cannot be told from base_url: it does not end in /v1"),
        (with("status: { kind: none, url: \"http://x\" }"), "nobody is asked at this address: `kind` is none"),
        (with("status: { kind: ollama, url: \"ftp://x\" }"), "the address is not an http:// or https:// URL"),
        (with("status: { kind: ollama, url: \"${NOBODY}\" }"), "the variable NOBODY is not set and has no default"),
        (with("status: { kind: vllm }"), "`vllm` is not known in `backends.local.status.kind`"),
    ] {
        let told = errors(&text);
        assert!(told.len() == 1 && told[0].message == expected, "{told:#?}");
    }
}

#[test]
fn only_local_models_are_loaded_at_start() {
    let warmed = BUILT_IN.replace("prewarm: false", "prewarm: true");
    assert!(compile(&warmed).policy.unwrap().backends["local"].prewarm);
    let hosted = shipped_with("    location: hosted", "    prewarm: true\n    location: hosted");
    assert_eq!(errors(&hosted)[0].message, "a hosted model has no load to wait for, and each start would be paid for");
}
