//! The token counts of an upstream, in the several spellings that exist.

use serde_json::Value;

use crate::chat::{Tokens, Usage};

/// `None` where nothing was reported. All zeros report nothing either: a prompt is never empty, but some servers send
/// a placeholder until they have counted.
pub(super) fn read(value: &Value) -> Option<Usage> {
    let input = count(value, &["/prompt_tokens", "/input_tokens"]);
    let output = count(value, &["/completion_tokens", "/output_tokens"]);
    if input.unwrap_or(0) == 0 && output.unwrap_or(0) == 0 {
        return None;
    }
    let input = input.unwrap_or(0);
    // Some vendors bill thinking as output and count it in the total only.
    let beyond_input = count(value, &["/total_tokens"]).unwrap_or(0).saturating_sub(input);
    let cached = count(
        value,
        &[
            "/prompt_tokens_details/cached_tokens",
            "/input_tokens_details/cached_tokens",
            "/prompt_cache_hit_tokens",
            "/cached_tokens",
        ],
    );
    Some(Usage {
        input: Tokens(input),
        cached_input: Tokens(cached.unwrap_or(0).min(input)),
        output: Tokens(output.unwrap_or(0).max(beyond_input)),
    })
}

fn count(value: &Value, spellings: &[&str]) -> Option<u64> {
    spellings.iter().find_map(|spelling| number(value.pointer(spelling)?))
}

/// Above this a count is no count. What is summed and priced stays far from the bounds of 64 bits.
const NONSENSE: f64 = 1e15;

/// JSON written by Python or JavaScript may carry a count as 12.0.
fn number(value: &Value) -> Option<u64> {
    value.as_f64().filter(|count| (0.0..NONSENSE).contains(count)).map(|count| count as u64)
}
