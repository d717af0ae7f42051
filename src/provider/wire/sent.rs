//! The body of a request. Fields of the caller's ride along, but never replace one of ours.

use serde_json::{Map, Value, json};

use super::super::sender::Call;
use crate::chat::Format;

/// Fields of the caller's that would break what was promised: how much an answer may cost, and how it is read.
/// `n` multiplies the output that was paid for; the two allowances have one source; the last two belong to `stream`.
const OURS_ALONE: [&str; 5] = ["n", "max_tokens", "max_completion_tokens", "stream", "stream_options"];

pub(in super::super) fn body(call: &Call<'_>) -> Value {
    let request = call.request;
    let mut body: Map<String, Value> = Map::new();
    body.insert("model".to_owned(), json!(call.model.upstream));
    body.insert("messages".to_owned(), json!(request.messages));
    if let Some(temperature) = request.temperature {
        body.insert("temperature".to_owned(), json!(temperature));
    }
    let most = request.max_output.min(call.model.spec.max_output);
    body.insert(allowance_field(&call.backend.base_url).to_owned(), json!(most));
    if let Some(format) = response_format(&request.format) {
        body.insert("response_format".to_owned(), format);
    }
    body.insert("stream".to_owned(), json!(call.stream));
    if call.stream {
        body.insert("stream_options".to_owned(), json!({ "include_usage": true }));
    }
    for (field, value) in &request.extra {
        if !OURS_ALONE.contains(&field.as_str()) && !body.contains_key(field) {
            body.insert(field.clone(), value.clone());
        }
    }
    Value::Object(body)
}

/// OpenAI's newer models refuse `max_tokens`; all of its models take the new name, and few other servers do.
fn allowance_field(base_url: &str) -> &'static str {
    let host = base_url.split("://").nth(1).and_then(|rest| rest.split(['/', ':']).next());
    if host == Some("api.openai.com") { "max_completion_tokens" } else { "max_tokens" }
}

fn response_format(format: &Format) -> Option<Value> {
    match format {
        Format::Text => None,
        Format::JsonObject => Some(json!({ "type": "json_object" })),
        Format::JsonSchema { name, schema } => {
            Some(json!({ "type": "json_schema", "json_schema": { "name": name, "schema": schema } }))
        }
    }
}
