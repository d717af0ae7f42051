//! A prompt as somebody has it at hand: words, a file, standard input; plain text, or the JSON body of a chat request.

use std::io::{Read, stdin};
use std::path::Path;

use serde_json::{Value, json};

use crate::error::{Error, Result};

/// More than any model reads.
const MOST_BYTES: u64 = 16 << 20;

/// The request that this prompt would be, as an OpenAI client writes it. `-` is standard input.
pub(super) fn chat_request(prompt: Option<&str>, file: Option<&Path>) -> Result<Value> {
    let text = match (prompt, file) {
        (Some("-"), _) => read(stdin().lock(), "standard input")?,
        (Some(words), _) => words.to_owned(),
        (None, Some(path)) => {
            let name = path.display().to_string();
            let file = std::fs::File::open(path).map_err(|error| unreadable(&name, &error))?;
            read(file, &name)?
        }
        (None, None) => String::new(),
    };
    if text.trim().is_empty() {
        return Err(
            Error::bad_request("The prompt is empty").hint("Write --prompt \"a question\", or --prompt - to read it.")
        );
    }
    body(&text)
}

/// A text that is a chat request is taken as one, and one that only a mistake keeps from it is refused; any other is
/// what a user says.
fn body(text: &str) -> Result<Value> {
    let read = text.trim_start().starts_with('{').then(|| serde_json::from_str::<Value>(text).ok()).flatten();
    let request = read.filter(|value| value.get("messages").is_some());
    if request.as_ref().is_some_and(|request| !request["messages"].is_array()) {
        return Err(Error::bad_request("The prompt is a chat request whose `messages` is no list").hint(
            r#"Write {"messages": [{"role": "user", "content": "a question"}]}, or the question as plain text."#,
        ));
    }
    Ok(request.unwrap_or_else(|| json!({"messages": [{"role": "user", "content": text}]})))
}

fn read(from: impl Read, name: &str) -> Result<String> {
    let mut text = String::new();
    from.take(MOST_BYTES + 1).read_to_string(&mut text).map_err(|error| unreadable(name, &error))?;
    if text.len() as u64 > MOST_BYTES {
        return Err(
            Error::bad_request(format!("The prompt in {name} is larger than 16 MiB")).hint("Give a shorter one.")
        );
    }
    Ok(text)
}

fn unreadable(name: &str, error: &std::io::Error) -> Error {
    Error::bad_request(format!("The prompt in {name} can't be read: {error}")).hint("Give a file of UTF-8 text.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_what_a_user_says_and_a_chat_request_is_itself() {
        let body = |text: &str| body(text).unwrap();
        assert_eq!(body("Hello"), json!({"messages": [{"role": "user", "content": "Hello"}]}));
        let request = r#" {"messages": [{"role": "system", "content": "x"}], "max_tokens": 5}"#;
        assert_eq!(body(request)["max_tokens"], 5);
        for other in [r#"{"a": 1}"#, "{ x", r#"["messages"]"#, r#"{"messages": 5"#] {
            assert_eq!(body(other)["messages"][0]["content"], other);
        }
    }

    #[test]
    fn a_chat_request_without_a_list_of_messages_is_refused() {
        for wrong in [r#"{"messages": 5}"#, r#" {"messages": null}"#, r#"{"messages": {"role": "user"}, "n": 1}"#] {
            let refused = body(wrong).unwrap_err();
            assert!(refused.message.contains("`messages` is no list"), "{wrong}: {refused:?}");
            assert!(refused.hint.is_some());
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_by_name() {
        let refused = chat_request(None, Some(Path::new("/nowhere/prompt.txt"))).unwrap_err();
        assert!(refused.message.contains("/nowhere/prompt.txt"), "{refused:?}");
        assert!(chat_request(Some("  "), None).unwrap_err().message.contains("empty"));
        let endless = read(std::io::repeat(b'a'), "standard input").unwrap_err();
        assert!(endless.message.contains("16 MiB"), "{endless:?}");
    }
}
