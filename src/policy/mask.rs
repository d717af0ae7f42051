//! What a problem may show of the file: its text with secrets replaced by stars, as long as the text itself, and its
//! messages without them.
//!
//! It hides too much rather than too little: the values of keys that look like secrets wherever they stand, everything
//! under a key that a backend does not have, dropped duplicates, passwords in addresses, comments beside a key. It
//! also goes line by line, because a mistake may hide a key from the tree.

use super::problems::Place;
use super::tree::{Node, Value};

/// Keys of a backend that hold nothing secret.
const OPEN_KEYS: [&str; 5] = ["base_url", "location", "prewarm", "status", "api_key_file"];

/// Shorter pieces are not looked for in messages: they would turn up inside ordinary words.
const SHORTEST_SECRET: usize = 6;

/// Words of the format that can stand on one line with a key: hidden there, but no secret when a message says them.
const FORMAT_WORDS: [&str; 7] = ["base_url", "hosted", "llama_cpp", "location", "ollama", "prewarm", "status"];

#[derive(Clone)]
pub struct Mask {
    shown: Vec<u8>,
    /// The hidden values, to be kept out of messages too.
    secrets: Vec<String>,
}

impl Mask {
    /// `tree` is missing when the file is not YAML; `dropped` is what the tree left out of it.
    pub fn new(text: &str, tree: Option<&Node>, dropped: &[Place]) -> Self {
        let mut mask = Self { shown: text.as_bytes().to_vec(), secrets: Vec::new() };
        let mut hidden = dropped.to_vec();
        if let Some(node) = tree {
            secret_values(node, &mut hidden);
            for entry in node.entries().iter().filter(|entry| entry.key == "backends") {
                backend_values(&entry.node, &mut hidden);
            }
        }
        for place in hidden {
            mask.hide(text, place);
        }
        mask.lines(text);
        mask
    }

    /// The text to show.
    pub fn shown(&self) -> String {
        // Whole characters were replaced, so this never fails; if it did, nothing would be shown.
        String::from_utf8(self.shown.clone()).unwrap_or_else(|_| "*".repeat(self.shown.len()))
    }

    /// A message without the values that were hidden.
    pub fn scrub(&self, message: &mut String) {
        for secret in &self.secrets {
            if message.contains(secret.as_str()) {
                *message = message.replace(secret.as_str(), "***");
            }
        }
    }

    fn lines(&mut self, text: &str) {
        let mut start = 0;
        let mut key_indent = None;
        for line in text.split_inclusive('\n') {
            let end = start + line.trim_end().len();
            key_indent = self.line(text, start..end, key_indent);
            start += line.len();
        }
    }

    /// Hides what is secret on one line. `key_indent`: a value that began above goes on on deeper lines.
    fn line(&mut self, text: &str, line: Place, key_indent: Option<usize>) -> Option<usize> {
        let content = &text[line.clone()];
        if content.trim().is_empty() {
            return key_indent;
        }
        let indent = content.len() - content.trim_start().len();
        if key_indent.is_some_and(|key_indent| indent > key_indent) {
            self.hide(text, line);
            return key_indent;
        }
        self.addresses(text, &line);
        self.vendor_keys(text, &line);
        let mut goes_on = false;
        for (colon, _) in content.match_indices(':').filter(|(colon, _)| looks_secret(word_before(content, *colon))) {
            self.hide(text, line.start + colon + 1..line.end);
            let value = content[colon + 1..].trim();
            goes_on |= value.is_empty() || value.starts_with(['|', '>', '"', '\'', '[', '{', '#']);
        }
        let lower = content.to_ascii_lowercase();
        let names_a_key = lower.replace("keys", "").contains("key") || lower.contains("secret");
        if let Some(comment) = content.find('#').filter(|_| names_a_key) {
            let after_a_value = content[..comment].is_empty() || content[..comment].ends_with(char::is_whitespace);
            if after_a_value {
                // A line of stars only puzzles: the comment goes whole.
                self.shown[line.start + comment..line.end].fill(b' ');
            } else {
                self.cover(text, line.start + comment + 1..line.end);
            }
        }
        goes_on.then_some(indent)
    }

    /// `//name:password@` and what follows a `?`.
    fn addresses(&mut self, text: &str, line: &Place) {
        let content = &text[line.clone()];
        for (found, _) in content.match_indices("://") {
            let start = found + 3;
            let end = content[start..].find([' ', '"', '\'', '}', ',']).map_or(content.len(), |length| start + length);
            let address = &content[start..end];
            if let Some(at_sign) = address.rfind('@') {
                self.hide(text, line.start + start..line.start + start + at_sign);
            }
            if let Some(query) = address.find('?') {
                self.hide(text, line.start + start + query + 1..line.start + end);
            }
        }
    }

    /// `sk-…`, wherever it stands: many vendors' keys start so.
    fn vendor_keys(&mut self, text: &str, line: &Place) {
        let content = &text[line.clone()];
        for (found, _) in content.match_indices("sk-") {
            if content[..found].ends_with(|before: char| before.is_alphanumeric()) {
                continue;
            }
            let end = content[found..].find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_'));
            self.hide(text, line.start + found..end.map_or(line.end, |length| line.start + found + length));
        }
    }

    /// Covers a value and remembers it.
    fn hide(&mut self, text: &str, place: Place) {
        let value = text[place.clone()].split(" #").next().unwrap_or_default();
        for piece in value.split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '{' | '}' | ',' | '[' | ']')) {
            let piece = piece.rsplit_once(":-").map_or(piece, |(_, default)| default);
            let is_variable = piece.starts_with('$') || value.contains(&format!("${{{piece}}}"));
            let is_plain = FORMAT_WORDS.contains(&piece.trim_end_matches(':'));
            if piece.len() >= SHORTEST_SECRET
                && !is_variable
                && !is_plain
                && !self.secrets.iter().any(|known| known == piece)
            {
                self.secrets.push(piece.to_owned());
            }
        }
        self.cover(text, place);
    }

    /// Stars, but not over `${NAME`, `:-` and `}`: the name of a variable is no secret and helps.
    fn cover(&mut self, text: &str, place: Place) {
        let (mut at, end) = (place.start, place.end.min(text.len()));
        while at < end {
            let rest = &text[at..end];
            if let Some(kept) = variable_length(rest) {
                at += kept;
                continue;
            }
            let character = rest.chars().next().unwrap_or(' ');
            if !matches!(character, '\n' | '\r' | '"' | '\'' | '}' | ' ' | '#') {
                self.shown[at..at + character.len_utf8()].fill(b'*');
            }
            at += character.len_utf8();
        }
    }
}

/// The length of `${NAME}` or `${NAME:-` at the start of a text.
fn variable_length(text: &str) -> Option<usize> {
    let inside = text.strip_prefix("${")?;
    let name = inside.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
    let rest = &inside[name..];
    let closing = ["}", ":-"].into_iter().find(|closing| rest.starts_with(closing))?;
    Some(2 + name + closing.len())
}

/// All values in a place of the tree that stand under a key that looks secret.
fn secret_values(node: &Node, hidden: &mut Vec<Place>) {
    for item in node.items() {
        secret_values(item, hidden);
    }
    for entry in node.entries() {
        if looks_secret(&entry.key) { scalars(&entry.node, hidden) } else { secret_values(&entry.node, hidden) }
    }
}

fn backend_values(backends: &Node, hidden: &mut Vec<Place>) {
    for entry in backends.entries().iter().flat_map(|backend| backend.node.entries()) {
        if !OPEN_KEYS.contains(&entry.key.as_str()) {
            scalars(&entry.node, hidden);
        }
    }
}

fn scalars(node: &Node, hidden: &mut Vec<Place>) {
    match &node.value {
        Value::Scalar { .. } => hidden.push(node.place.clone()),
        Value::List(items) => items.iter().for_each(|item| scalars(item, hidden)),
        Value::Map(entries) => entries.iter().for_each(|entry| scalars(&entry.node, hidden)),
    }
}

/// Also what is close to `api_key`: a misspelled key holds a key all the same.
fn looks_secret(key: &str) -> bool {
    let key = key.to_lowercase();
    let words = ["key", "secret", "password", "passwd", "credential", "authorization"];
    let is_token = key.ends_with("token") && key != "first_token";
    key != "api_key_file"
        && (is_token
            || words.iter().any(|word| key.contains(word))
            || strsim::damerau_levenshtein(&key, "api_key") <= 2)
}

/// The word that ends at a colon; nothing for the name in `${NAME:-default}`.
fn word_before(content: &str, colon: usize) -> &str {
    let before = content[..colon].trim_end().trim_end_matches(['"', '\'']);
    let start = before
        .rfind(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '-'))
        .map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
    if before[..start].ends_with("${") { "" } else { &before[start..] }
}
