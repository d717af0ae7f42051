//! Vendors' wordings, and the kinds that they stand for.

use super::*;

fn kind(status: u16, body: &str, formatted: bool) -> Kind {
    meaning(status, &Body::read(body.as_bytes()), formatted).kind
}

#[test]
fn a_status_alone_has_a_meaning() {
    for (status, expected) in [
        (302, Kind::UpstreamProtocol),
        (400, Kind::UpstreamFailed),
        (401, Kind::UpstreamAuth),
        (402, Kind::UpstreamQuota),
        (403, Kind::UpstreamAuth),
        (404, Kind::UpstreamProtocol),
        (408, Kind::UpstreamTimeout),
        (413, Kind::ContextTooLong),
        (422, Kind::UpstreamFailed),
        (429, Kind::UpstreamBusy),
        (500, Kind::UpstreamFailed),
        (502, Kind::UpstreamFailed),
        (503, Kind::UpstreamFailed),
        (504, Kind::UpstreamFailed),
        (529, Kind::UpstreamFailed),
        (200, Kind::UpstreamFailed),
        (999, Kind::UpstreamFailed),
    ] {
        for body in ["", "{}", "null", "<html>Bad</html>", r#"{"error":null}"#, r#"{"error":"nope"}"#] {
            assert_eq!(kind(status, body, true), expected, "{status} {body}");
        }
    }
}

#[test]
fn a_prompt_that_is_too_long_is_known_in_every_vendors_words() {
    for (status, body) in [
        // OpenAI
        (
            400,
            r#"{"error":{"message":"This model's maximum context length is 8192 tokens.","code":"context_length_exceeded"}}"#,
        ),
        (400, r#"{"error":{"message":"","type":"invalid_request_error","code":"context_length_exceeded"}}"#),
        // Anthropic
        (
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"}}"#,
        ),
        // vLLM, whose error stands at the top
        (400, r#"{"object":"error","message":"This model's maximum context length is 4096 tokens.","code":400}"#),
        // llama.cpp in C++, with each of its statuses
        (
            400,
            r#"{"error":{"code":400,"message":"request (4390 tokens) exceeds the available context size (4096 tokens), try increasing it","type":"exceed_context_size_error"}}"#,
        ),
        (500, r#"{"error":{"code":500,"message":"Context size has been exceeded.","type":"server_error"}}"#),
        // llama.cpp in Python
        (
            500,
            r#"{"error":{"message":"Requested tokens (2345) exceed context window of 2048","type":"internal_server_error"}}"#,
        ),
        // LiteLLM in front of Ollama
        (
            400,
            r#"{"error":{"message":"litellm.ContextWindowExceededError: OllamaException","type":null,"param":null,"code":"400"}}"#,
        ),
        // Ollama, with an error of plain text
        (400, r#"{"error":"the input length exceeds the context length"}"#),
        // a token limit below the size of one request
        (
            429,
            r#"{"error":{"message":"Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 40000.","code":"rate_limit_exceeded"}}"#,
        ),
        // an error inside a 200
        (200, r#"{"error":{"code":400,"message":"maximum context length is 1"}}"#),
    ] {
        assert_eq!(kind(status, body, false), Kind::ContextTooLong, "{body}");
    }
}

#[test]
fn an_empty_account_is_no_rate_limit() {
    let body = r#"{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}}"#;
    assert_eq!(kind(429, body, false), Kind::UpstreamQuota);
    // The same sentence is an ordinary rate limit at another vendor.
    let body = r#"[{"error":{"code":429,"message":"You exceeded your current quota","status":"RESOURCE_EXHAUSTED"}}]"#;
    assert_eq!(kind(429, body, false), Kind::UpstreamBusy);
    assert_eq!(kind(400, r#"{"error":{"message":"Your credit balance is too low"}}"#, false), Kind::UpstreamQuota);
}

#[test]
fn a_refused_format_is_known_only_where_one_was_asked_for() {
    for (status, body) in [
        (
            400,
            r#"{"error":{"message":"Invalid parameter: 'response_format' of type 'json_schema' is not supported","param":"response_format","code":null}}"#,
        ),
        (400, r#"{"error":{"message":"'messages' must contain the word 'json'","param":"response_format"}}"#),
        (
            422,
            r#"{"detail":[{"loc":["body","response_format","type"],"msg":"Input should be 'text' or 'json_object'"}]}"#,
        ),
        (
            500,
            r#"{"error":{"message":"[{'type': 'literal_error', 'loc': ('body', 'response_format', 'type')}]","type":"internal_server_error"}}"#,
        ),
        (500, r#"{"error":{"code":500,"message":"failed to parse grammar","type":"server_error"}}"#),
        (200, r#"{"error":"json_schema is not supported"}"#),
    ] {
        assert_eq!(kind(status, body, true), Kind::FormatRefused, "{body}");
        assert_ne!(kind(status, body, false), Kind::FormatRefused, "{body}");
    }
}

#[test]
fn refused_content_is_told_apart_from_a_bad_key() {
    let body = r#"{"error":{"message":"The response was filtered","code":"content_filter","status":400}}"#;
    assert_eq!(kind(400, body, false), Kind::ContentRefused);
    assert_eq!(
        kind(403, r#"{"error":{"message":"Your input was flagged by moderation"}}"#, false),
        Kind::ContentRefused
    );
}

#[test]
fn an_unknown_model_is_told_apart_from_a_wrong_address() {
    for (status, body) in [
        (404, r#"{"error":{"message":"The model `x` does not exist","code":"model_not_found"}}"#),
        (404, r#"{"error":{"message":"model \"x\" not found, try pulling it first","type":"api_error"}}"#),
        (400, r#"{"error":{"message":"Invalid model name passed in model=x","code":"400"}}"#),
        (400, r#"{"error":{"message":"x is not a valid model ID","code":400}}"#),
    ] {
        let row = meaning(status, &Body::read(body.as_bytes()), false);
        assert_eq!((row.kind, row.advice), (Kind::UpstreamFailed, Advice::CheckModelName), "{body}");
    }
    let row = meaning(404, &Body::read(br#"{"detail":"Not Found"}"#), false);
    assert_eq!((row.kind, row.advice), (Kind::UpstreamProtocol, Advice::CheckBaseUrl));
}

#[test]
fn a_proxy_without_a_server_behind_it_is_unreachable() {
    for body in [
        r#"{"error":{"message":"litellm.APIConnectionError: OllamaException - Cannot connect to host localhost:11434","code":"500"}}"#,
        r#"{"error":{"message":"litellm.InternalServerError: InternalServerError: OpenAIException - Connection error.","code":"500"}}"#,
    ] {
        let row = meaning(500, &Body::read(body.as_bytes()), true);
        assert_eq!((row.kind, row.advice), (Kind::UpstreamUnreachable, Advice::StartServer), "{body}");
    }
}

#[test]
fn the_code_inside_a_success_counts_as_its_status() {
    assert_eq!(kind(200, r#"{"error":{"code":429,"message":"slow down"}}"#, false), Kind::UpstreamBusy);
    assert_eq!(kind(200, r#"{"error":{"code":"503"}}"#, false), Kind::UpstreamFailed);
    assert_eq!(kind(500, r#"{"error":{"code":429}}"#, false), Kind::UpstreamFailed);
}

#[test]
fn only_one_plain_word_is_ever_repeated() {
    let word = |body: &str| Body::read(body.as_bytes()).word;
    assert_eq!(
        word(r#"{"error":{"code":"rate_limit_exceeded","type":"tokens"}}"#).as_deref(),
        Some("rate_limit_exceeded")
    );
    assert_eq!(word(r#"{"error":{"code":"400","type":"BadRequestError"}}"#).as_deref(), Some("BadRequestError"));
    for code in ["400", "sk-proj-a1B2", "two words", "None", "", "<b>"] {
        assert_eq!(word(&format!(r#"{{"error":{{"code":"{code}"}}}}"#)), None, "{code}");
    }
    assert_eq!(word(&format!(r#"{{"error":{{"code":"{}"}}}}"#, "a".repeat(49))), None);
}

#[test]
fn html_is_not_searched() {
    assert_eq!(kind(500, "<html>maximum context length</html>", false), Kind::UpstreamFailed);
    assert!(Body::read(b" \n<!DOCTYPE html>").is_html);
}
