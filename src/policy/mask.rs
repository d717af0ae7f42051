//! The file's text with its secrets replaced by stars, as long as the text itself: what a snippet may show.
//!
//! It masks too much rather than too little: keys, everything under a misspelled key of a backend, passwords in
//! addresses, comments beside them. A file that is not YAML is masked line by line.

use super::problems::Place;
use super::tree::{Node, Value};

/// Keys of a backend that hold nothing secret.
const OPEN_KEYS: [&str; 5] = ["base_url", "location", "prewarm", "status", "api_key_file"];

/// `tree` is missing when the file is not YAML.
pub fn masked(text: &str, tree: Option<&Node>) -> String {
    let mut secrets = Vec::new();
    if let Some(tree) = tree {
        for backend in tree.entries().iter().filter(|entry| entry.key == "backends").flat_map(|it| it.node.entries()) {
            for entry in backend.node.entries().iter().filter(|entry| !OPEN_KEYS.contains(&entry.key.as_str())) {
                scalars(&entry.node, &mut secrets);
            }
        }
    }
    let mut bytes = text.as_bytes().to_vec();
    for place in secrets {
        cover(text, &place, &mut bytes);
    }
    let mut after_key = false;
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let end = start + line.trim_end().len();
        after_key = mask_line(text, start..end, (tree.is_none(), after_key), &mut bytes);
        start += line.len();
    }
    // Only whole characters were covered, so this never fails; nothing is shown if it did.
    String::from_utf8(bytes).unwrap_or_else(|_| "*".repeat(text.len()))
}

fn scalars(node: &Node, into: &mut Vec<Place>) {
    match &node.value {
        Value::Scalar { .. } => into.push(node.place.clone()),
        Value::List(items) => items.iter().for_each(|item| scalars(item, into)),
        Value::Map(entries) => entries.iter().for_each(|entry| scalars(&entry.node, into)),
    }
}

/// Stars over a value, but not over `${NAME` and `:-` and `}`: the name of a variable is no secret and helps.
fn cover(text: &str, place: &Place, bytes: &mut [u8]) {
    let (mut at, end) = (place.start, place.end.min(text.len()));
    while at < end {
        let rest = &text[at..end];
        let name_end = rest.strip_prefix("${").and_then(|name| name.find(['}', ':'])).map(|length| at + 2 + length);
        match name_end {
            Some(name_end) if is_name(&text[at + 2..name_end]) => {
                at = name_end + if text[name_end..end].starts_with(":-") { 2 } else { 1 };
            }
            _ => {
                star(&mut bytes[at..=at]);
                at += 1;
                while !text.is_char_boundary(at) {
                    star(&mut bytes[at..=at]);
                    at += 1;
                }
            }
        }
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn star(bytes: &mut [u8]) {
    for byte in bytes {
        if !matches!(byte, b'\n' | b'\r' | b'"' | b'\'' | b'}' | b' ') {
            *byte = b'*';
        }
    }
}

/// Masks what the tree cannot see. Says whether the next line may hold the value of this line's key.
fn mask_line(text: &str, line: Place, (no_tree, after_key): (bool, bool), bytes: &mut [u8]) -> bool {
    let content = &text[line.clone()];
    mask_address(content, line.start, bytes);
    let lower = content.to_ascii_lowercase();
    let secret_word = ["key", "secret", "password", "authorization", "bearer"].iter().any(|word| lower.contains(word));
    if let Some(comment) = content.find(" #").filter(|_| secret_word) {
        star(&mut bytes[line.start + comment + 2..line.end]);
    }
    if content.trim_start().starts_with('#') && secret_word {
        star(&mut bytes[line.clone()]);
    }
    for (found, _) in content.match_indices("sk-") {
        let token = content[found..].find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_'));
        star(&mut bytes[line.start + found..token.map_or(line.end, |length| line.start + found + length)]);
    }
    if !no_tree {
        return false;
    }
    if after_key && !content.trim().is_empty() {
        star(&mut bytes[line]);
        return true;
    }
    if !secret_word {
        return false;
    }
    let Some(colon) = content.find(':') else { return false };
    let key_colon = lower.find("key").and_then(|at| content[at..].find(':').map(|length| at + length)).unwrap_or(colon);
    star(&mut bytes[line.start + key_colon + 1..line.end]);
    let value = content[key_colon + 1..].trim();
    value.is_empty() || value.starts_with(['|', '>', '"', '\''])
}

/// `//name:password@` and what follows a `?` in an address.
fn mask_address(content: &str, offset: usize, bytes: &mut [u8]) {
    for (found, _) in content.match_indices("://") {
        let start = found + 3;
        let length = content[start..].find([' ', '"', '\'', '}', ',']).unwrap_or(content.len() - start);
        let address = &content[start..start + length];
        if let Some(at_sign) = address.rfind('@') {
            star(&mut bytes[offset + start..offset + start + at_sign]);
        }
        if let Some(query) = address.find('?') {
            star(&mut bytes[offset + start + query + 1..offset + start + length]);
        }
    }
}
