//! A model's answer as JSON: lenient about what stands around it, strict about what it is.
//!
//! Small models put the object into a code fence or begin with "Sure, here it is". The first balanced object that is
//! JSON counts; what it must hold is for each tool's check to say.

use serde_json::{Map, Value};

use crate::chat::{Finish, Reply};
use crate::request::{Rejection, RejectionCode};
use crate::tasks::clean_text;

/// No answer that was asked for is longer; what is longer is not searched.
const MAX_BYTES: usize = 64 * 1024;
/// How many opening braces are tried before an answer counts as no JSON.
const MAX_STARTS: usize = 16;

/// The object in a whole answer.
pub(super) fn object(reply: &Reply) -> Result<Map<String, Value>, Rejection> {
    match &reply.finish {
        Finish::Length => return Err(Rejection::new(RejectionCode::CutOff, "The answer was cut off before its end")),
        Finish::ContentFilter => {
            return Err(Rejection::new(RejectionCode::CutOff, "The answer was stopped by a content filter"));
        }
        // Backends have words of their own for an ordinary end.
        Finish::Stop | Finish::ToolCalls | Finish::Other(_) => {}
    }
    let text = reply.text.trim();
    if text.is_empty() {
        return Err(Rejection::new(RejectionCode::Empty, "The answer was empty"));
    }
    let not_json = || Rejection::new(RejectionCode::NotJson, "The answer was not a JSON object");
    if text.len() > MAX_BYTES || text.starts_with('<') {
        return Err(not_json());
    }
    let starts = text.match_indices('{').map(|(at, _)| at).take(MAX_STARTS);
    starts.filter_map(|at| balanced(&text[at..])).find_map(|json| serde_json::from_str(json).ok()).ok_or_else(not_json)
}

/// Readable text under one key: a string, or a list of them, one a line.
pub(super) fn text(object: &Map<String, Value>, key: &str) -> Option<String> {
    let text = match object.get(key)? {
        Value::String(text) => clean_text(text),
        Value::Array(parts) => {
            let lines = parts.iter().map(|part| part.as_str().map(clean_text));
            lines.collect::<Option<Vec<String>>>()?.join("\n")
        }
        _ => return None,
    };
    Some(text).filter(|text| !text.is_empty())
}

/// A number, also one in quotes.
pub(super) fn number(object: &Map<String, Value>, key: &str) -> Option<f64> {
    match object.get(key)? {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
    .filter(|number: &f64| number.is_finite())
}

/// What can be read of the text under `key` in an answer that broke off.
pub(super) fn so_far(text: &str, key: &str) -> Option<String> {
    let mark = format!("\"{key}\"");
    let after =
        text[text.find(&mark)? + mark.len()..].trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
    let mut end = None;
    let mut escaped = false;
    for (at, letter) in after.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => {
                end = Some(at);
                break;
            }
            _ => {}
        }
    }
    let inside = &after[..end.unwrap_or(after.len())];
    // A break inside an escape leaves half of it: what cannot be read is taken off the end.
    let ends = inside.char_indices().map(|(at, _)| at).chain([inside.len()]).rev().take(8);
    let read = |end: usize| serde_json::from_str::<String>(&format!("\"{}\"", inside[..end].replace('\n', "\\n"))).ok();
    ends.into_iter().find_map(read).map(|text| clean_text(&text)).filter(|text| !text.is_empty())
}

/// From an opening brace to the one that closes it.
fn balanced(text: &str) -> Option<&str> {
    let (mut depth, mut quoted, mut escaped) = (0_u32, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' if !quoted => depth += 1,
            b'}' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return Some(&text[..=at]);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::tools::samples::reply;

    #[test]
    fn an_object_is_found_in_what_models_put_around_it() {
        let wrapped = [
            "{\"a\": \"}{\"}",
            "```json\n{\"a\": \"}{\"}\n```",
            "Sure! Here is the plan {as asked}:\n\n{\"a\": \"}{\"}\nHope this helps {:)}",
            "  {\"a\": \"}{\"} {\"b\": 2}",
        ];
        for text in wrapped {
            assert_eq!(Value::Object(object(&reply(text)).unwrap()), json!({"a": "}{"}), "{text}");
        }
    }

    #[test]
    fn what_is_no_object_is_refused_with_its_reason() {
        let cases = [
            ("", RejectionCode::Empty),
            (" \n ", RejectionCode::Empty),
            ("I am sorry, I cannot do that.", RejectionCode::NotJson),
            ("<!DOCTYPE html><html><body>{\"a\": 1}</body></html>", RejectionCode::NotJson),
            ("{\"a\": ", RejectionCode::NotJson),
            ("[1, 2]", RejectionCode::NotJson),
            ("{a: 1}", RejectionCode::NotJson),
        ];
        for (text, code) in cases {
            assert_eq!(object(&reply(text)).unwrap_err().code, code, "{text}");
        }
        let cut = Reply { finish: Finish::Length, ..reply("{\"a\": 1}") };
        assert_eq!(object(&cut).unwrap_err().code, RejectionCode::CutOff);
        assert_eq!(object(&reply("{".repeat(200_000))).unwrap_err().code, RejectionCode::NotJson);
    }

    #[test]
    fn a_broken_answer_is_read_as_far_as_it_came() {
        let cases = [
            ("{\"plan\": \"Start with a", Some("Start with a")),
            ("{\"x\": 1, \"plan\" : \"one\\ntwo \\\"three\\", Some("one\ntwo \"three")),
            ("{\"plan\": \"gr\\u00f6\\u00", Some("grö")),
            ("{\"plan\": \"whole\", \"risks\": [", Some("whole")),
            ("{\"plan\": ", None),
            ("nothing", None),
        ];
        for (text, read) in cases {
            assert_eq!(so_far(text, "plan").as_deref(), read, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_answer_breaks_the_reader(text in any::<String>()) {
            let _ = object(&reply(text.clone()));
            let _ = so_far(&format!("{{\"plan\": \"{text}"), "plan");
        }
    }
}
