//! `taskgate mcp` as its clients meet it: the built binary over its real pipes, with rmcp's client and by hand.

mod by_hand;
mod client;
mod long_calls;
mod rough_input;

use std::path::Path;

use serde_json::{Value, json};

use crate::policies::{Knobs, policy};
use crate::taskgate::Taskgate;
use crate::upstream::Upstream;

/// A binary whose local model is this upstream and whose hosted one has no key.
fn taskgate(folder: &Path, upstream: &Upstream) -> Taskgate {
    let policy = policy(&Knobs { local_capabilities: "json_object", ..Knobs::default() });
    Taskgate::new(folder, &policy).with("LITELLM_PROXY_URL", upstream.base_url()).with("TASKGATE_LOG", "warn")
}

/// One whose model is never reached: nothing listens there.
fn without_model(folder: &Path) -> Taskgate {
    let policy = policy(&Knobs::default());
    Taskgate::new(folder, &policy).with("LITELLM_PROXY_URL", "http://127.0.0.1:9/v1").with("TASKGATE_LOG", "warn")
}

/// What smart_prioritize accepts.
fn good_priority() -> String {
    json!({ "priority": "high", "title": "Fix the door", "effort_hours": 3, "considerations": "It is cold." })
        .to_string()
}

fn text_of(result: &Value) -> &str {
    result["content"][0]["text"].as_str().unwrap_or_else(|| panic!("no text in {result}"))
}
