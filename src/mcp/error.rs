//! Our error as MCP shows it: a tool result that says what is wrong and what to do next, never a protocol error.
//!
//! The text is the lesson's JSON, because hosts show a failed call's text and drop its structured content.

use rmcp::ErrorData;
use rmcp::model::{CallToolResult, ContentBlock};
use serde_json::{Map, Value, json};

use crate::error::{Error, Fault, Kind};

/// The lesson's `{"success": false, "error": …}` plus what to do next.
pub fn error_body(error: &Error) -> Map<String, Value> {
    let mut body = Map::new();
    body.insert("success".to_owned(), json!(false));
    body.insert("error".to_owned(), json!(error.message));
    if let Some(hint) = &error.hint {
        body.insert("hint".to_owned(), json!(hint));
    }
    if let Some(wait) = error.retry_after {
        body.insert("retry_after_seconds".to_owned(), json!(wait.as_secs_f64().ceil()));
    }
    body
}

pub(super) fn error_result(error: &Error) -> CallToolResult {
    if error.kind.fault() == Fault::Gateway {
        // The caller sees what is safe to show; the cause is told once, here.
        let source = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
        tracing::error!(kind = error.kind.as_str(), source, "a tool call failed: {error}");
    }
    CallToolResult::error(vec![ContentBlock::text(Value::Object(error_body(error)).to_string())])
}

/// A tool that panicked: the process lives on, and the caller is told as much as is safe.
pub(super) fn panicked(tool: &str) -> Error {
    Error::new(Kind::Internal, format!("{tool} failed through a fault of its own"))
        .hint("Nothing else is affected. The place of the fault is in taskgate's log, on standard error.")
}

/// The one thing that is a protocol error: there is no such tool to have a result.
pub(super) fn unknown_tool(name: &str, known: &[&str]) -> ErrorData {
    ErrorData::invalid_params(format!("unknown tool `{}`; there are: {}", clip(name), known.join(", ")), None)
}

/// `tools/call` whose parameters are not of the protocol's shape.
pub(super) fn malformed_call() -> ErrorData {
    ErrorData::invalid_params("tools/call takes `name`, a string, and `arguments`, an object", None)
}

fn clip(name: &str) -> String {
    const SHOWN: usize = 64;
    name.chars().take(SHOWN).collect()
}
