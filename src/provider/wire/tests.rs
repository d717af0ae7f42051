//! Bodies as they are written, replies as they are read.

use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use super::super::sender::Call;
use super::super::trouble::Trouble;
use super::{Wire, body};
use crate::chat::{Capabilities, ChatRequest, Finish, Format, Message, ModelSpec, Tokens, Usage};
use crate::policy::{Backend, Limits, Location, Model, Timeouts};

fn sent(base_url: &str, format: Format, stream: bool, extra: Value) -> Value {
    let backend = Backend {
        name: "local".into(),
        base_url: base_url.to_owned(),
        api_key: None,
        key_variable: None,
        key_file: None,
        location: Location::Local,
        status: None,
        prewarm: false,
    };
    let second = std::time::Duration::from_secs(1);
    let timeouts = Timeouts { connect: second, first_token: second, idle: second, total: second };
    let model = Model {
        spec: ModelSpec {
            name: "small".into(),
            context: Tokens(2048),
            max_output: Tokens(512),
            capabilities: Capabilities::new(),
        },
        backend: "local".into(),
        tier: "local".into(),
        upstream: "small-q4".to_owned(),
        price: None,
        limits: Limits::default(),
        timeouts,
    };
    let extra = extra.as_object().cloned().unwrap_or_else(Map::new);
    let messages = vec![Message::system("Be brief."), Message::user("Hello")];
    let request = ChatRequest { messages, temperature: Some(0.5), max_output: Tokens(900), format, extra };
    let cancel = CancellationToken::new();
    body(&Call { backend: &backend, model: &model, request: &request, timeouts, stream, cancel: &cancel })
}

fn heard(value: Value) -> (Wire, Option<Usage>) {
    let wire = Wire::parse(value.to_string().as_bytes()).unwrap();
    let usage = wire.usage();
    (wire, usage)
}

fn choice(value: Value) -> (String, Option<Finish>) {
    let choice = heard(json!({ "choices": [value] })).0.into_parts().1.unwrap();
    (choice.text, choice.finish)
}

fn counts(input: u64, cached: u64, output: u64) -> Option<Usage> {
    Some(Usage { input: Tokens(input), cached_input: Tokens(cached), output: Tokens(output) })
}

#[test]
fn the_body_has_the_upstreams_name_and_the_smaller_allowance() {
    assert_eq!(
        sent("http://127.0.0.1:1/v1", Format::Text, false, Value::Null),
        json!({
            "model": "small-q4",
            "messages": [{ "role": "system", "content": "Be brief." }, { "role": "user", "content": "Hello" }],
            "temperature": 0.5,
            "max_tokens": 512,
            "stream": false,
        })
    );
}

#[test]
fn a_stream_always_asks_for_its_usage() {
    let body = sent("http://x/v1", Format::Text, true, json!({ "stream_options": { "include_usage": false } }));
    assert_eq!((&body["stream"], &body["stream_options"]), (&json!(true), &json!({ "include_usage": true })));
    let whole = sent("http://x/v1", Format::Text, false, json!({ "stream_options": { "include_usage": true } }));
    assert_eq!(whole.get("stream_options"), None);
}

#[test]
fn formats_have_their_wire_shape() {
    let object = sent("http://x/v1", Format::JsonObject, false, json!({ "response_format": "mine" }));
    assert_eq!(object["response_format"], json!({ "type": "json_object" }));
    let format = Format::JsonSchema { name: "plan".to_owned(), schema: json!({ "type": "object" }) };
    let schema = sent("http://x/v1", format, false, Value::Null);
    assert_eq!(schema["response_format"]["json_schema"], json!({ "name": "plan", "schema": { "type": "object" } }));
}

#[test]
fn what_rides_along_never_replaces_a_field_of_ours_or_raises_the_allowance() {
    let extra = json!({
        "model": "other", "messages": [], "max_tokens": 9999, "max_completion_tokens": 9999, "n": 8, "stream": true,
        "top_p": 0.1, "x_vendor": { "keep": [1.5] },
    });
    let body = sent("http://x/v1", Format::Text, false, extra);
    assert_eq!(body["model"], "small-q4");
    assert_eq!((&body["max_tokens"], body.get("max_completion_tokens"), body.get("n")), (&json!(512), None, None));
    assert_eq!(body["stream"], false);
    assert_eq!((&body["top_p"], &body["x_vendor"]), (&json!(0.1), &json!({ "keep": [1.5] })));
}

#[test]
fn openai_itself_gets_the_allowance_under_its_new_name() {
    let body = sent("https://api.openai.com/v1", Format::Text, false, Value::Null);
    assert_eq!((body.get("max_tokens"), &body["max_completion_tokens"]), (None, &json!(512)));
}

#[test]
fn content_is_read_in_every_shape() {
    assert_eq!(choice(json!({ "message": { "content": "a" } })).0, "a");
    assert_eq!(choice(json!({ "delta": { "content": "b" }, "index": 0, "finish_reason": null })), ("b".into(), None));
    assert_eq!(choice(json!({ "message": { "content": null } })).0, "");
    let parts = json!([{ "type": "thinking", "text": "hm" }, { "type": "text", "text": "c" }]);
    assert_eq!(choice(json!({ "message": { "content": parts } })).0, "c");
    assert_eq!(choice(json!({ "delta": { "reasoning_content": "hm", "content": "d" } })).0, "d");
}

#[test]
fn the_end_is_read_leniently() {
    for (word, finish) in [
        ("stop", Some(Finish::Stop)),
        ("length", Some(Finish::Length)),
        ("MAX_TOKENS", Some(Finish::Length)),
        ("content_filter", Some(Finish::ContentFilter)),
        ("function_call", Some(Finish::ToolCalls)),
        ("eos", Some(Finish::Other("eos".to_owned()))),
        ("", None),
    ] {
        assert_eq!(choice(json!({ "message": { "content": "a" }, "finish_reason": word })).1, finish, "{word}");
    }
}

#[test]
fn usage_is_found_wherever_it_is() {
    let plain = json!({ "prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15 });
    assert_eq!(heard(json!({ "usage": plain })).1, counts(10, 0, 5));
    assert_eq!(heard(json!({ "choices": [{ "delta": {}, "usage": plain }] })).1, counts(10, 0, 5));
    assert_eq!(heard(json!({ "x_groq": { "usage": plain } })).1, counts(10, 0, 5));
    let cached = json!({ "input_tokens": 10.0, "output_tokens": 5, "prompt_tokens_details": { "cached_tokens": 8 } });
    assert_eq!(heard(json!({ "usage": cached })).1, counts(10, 8, 5));
    let thinking = json!({ "prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 40 });
    assert_eq!(heard(json!({ "usage": thinking })).1, counts(10, 0, 30));
}

#[test]
fn usage_that_says_nothing_is_none() {
    for usage in [
        Value::Null,
        json!({}),
        json!("12"),
        json!({ "prompt_tokens": 0, "completion_tokens": 0 }),
        json!({ "prompt_tokens": u64::MAX, "completion_tokens": -3 }),
    ] {
        assert_eq!(heard(json!({ "usage": usage })).1, None, "{usage}");
    }
}

#[test]
fn an_error_inside_is_a_refusal_and_an_absent_one_is_not() {
    for error in [json!({ "message": "no" }), json!("no"), json!({}), json!(17)] {
        let body = json!({ "error": error, "choices": [] }).to_string();
        assert!(matches!(Wire::parse(body.as_bytes()), Err(Trouble::Refused(_))), "{body}");
    }
    for body in [r#"[{"error":{"code":400}}]"#, r#"{"object":"error","message":"no"}"#] {
        assert!(matches!(Wire::parse(body.as_bytes()), Err(Trouble::Refused(_))), "{body}");
    }
    for error in [Value::Null, json!(false), json!("")] {
        assert!(Wire::parse(json!({ "error": error }).to_string().as_bytes()).is_ok());
    }
}

#[test]
fn what_is_no_reply_is_told_apart() {
    for body in ["", "{", "[]", "12", "data"] {
        assert!(matches!(Wire::parse(body.as_bytes()), Err(Trouble::NotJson)), "{body}");
    }
    assert!(matches!(Wire::parse(b"{\"model\":\"\xFF\"}"), Err(Trouble::NotText)));
    assert!(heard(json!({ "choices": [{}] })).0.into_parts().1.is_none());
    assert!(heard(json!({ "choices": "none" })).0.into_parts().1.is_none());
}

#[test]
fn thoughts_and_calls_of_tools_are_measured_though_nobody_is_shown_them() {
    let unshown = |delta: Value| {
        let event = json!({ "choices": [{ "delta": delta }] }).to_string();
        Wire::parse(event.as_bytes()).unwrap().into_parts().1.unwrap().unshown
    };
    let call = json!([{ "id": "not counted", "function": { "name": "four", "arguments": "{\"a\": 1}" } }]);
    let cases = [
        (json!({ "content": "shown" }), 0),
        (json!({ "reasoning_content": "hmmm" }), 4),
        (json!({ "reasoning": "hmmm", "reasoning_content": "hmmm" }), 4),
        (json!({ "reasoning": [{ "text": "hm" }, { "text": "mm" }] }), 4),
        (json!({ "tool_calls": call, "reasoning": "hm" }), 4 + 8 + 2),
    ];
    for (delta, bytes) in cases {
        assert_eq!(unshown(delta.clone()), bytes, "{delta}");
    }
}
