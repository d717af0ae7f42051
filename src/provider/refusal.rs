//! The table of refusals: what a status and the words of a body mean to us.
//!
//! Vendors agree on little but the status, so the words decide first. Bodies may echo a prompt or a key: they are only
//! searched, and what is said of a refusal is our own wording and one word of the upstream's, its error code or type.

use serde_json::Value;

use crate::error::Kind;

/// What the reader should do, to be filled in with the names at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Advice {
    None,
    CheckKey,
    CheckAccount,
    CheckBaseUrl,
    CheckModelName,
    CheckFields,
    StartServer,
}

/// One line of the table. The first that fits is taken.
pub(super) struct Row {
    /// Lowest and highest status.
    statuses: (u16, u16),
    /// Any of these, where each is a list of parts that must all be there, in lower case. None: any body.
    words: &'static [&'static [&'static str]],
    /// Holds only for a request that asked for a format.
    formatted: bool,
    pub kind: Kind,
    /// Completes "small at local …".
    pub says: &'static str,
    pub advice: Advice,
}

const ANY: (u16, u16) = (200, 599);

const NO_MONEY: &[&[&str]] =
    &[&["insufficient_quota"], &["insufficient", "balance"], &["credit balance is too low"], &["billing_hard_limit"]];

const TOO_LONG: &[&[&str]] = &[
    &["context_length_exceeded"],
    &["maximum context length"],
    &["context length", "exceed"],
    &["prompt is too long"],
    &["input is too long"],
    &["exceed context window"],
    &["exceeds the available context size"],
    &["exceed_context_size"],
    &["context size has been exceeded"],
    &["contextwindowexceeded"],
    &["larger than", "context"],
    &["string_above_max_length"],
    &["request_too_large"],
];

/// A single request above the rate limit never fits, however long one waits.
const LARGER_THAN_THE_RATE: &[&[&str]] = &[&["request too large for"]];

const UNWELCOME: &[&[&str]] = &[
    &["content_filter"],
    &["content_policy"],
    &["contentpolicy"],
    &["responsibleaipolicy"],
    &["content management policy"],
    &["flagged", "moderation"],
];

const FORMAT: &[&[&str]] = &[
    &["response_format"],
    &["response format"],
    &["json_schema"],
    &["json_object"],
    &["json schema"],
    &["json mode"],
    &["grammar"],
    &["structured output"],
    &["guided_json"],
    &["guided decoding"],
];

const NO_SUCH_MODEL: &[&[&str]] = &[
    &["model_not_found"],
    &["model", "not found"],
    &["model", "does not exist"],
    &["invalid model name"],
    &["not a valid model"],
    &["no such model"],
    &["unknown model"],
];

/// A proxy whose own server is down.
const NOBODY_BEHIND: &[&[&str]] = &[
    &["apiconnectionerror"],
    &["connection refused"],
    &["cannot connect to host"],
    &["connection attempts failed"],
    &["connect call failed"],
    &["exception - connection error"],
    &["dial tcp"],
];

static TABLE: &[Row] = &[
    row(ANY, NO_MONEY, Kind::UpstreamQuota, "is refused: the account has nothing left", Advice::CheckAccount),
    row(ANY, TOO_LONG, Kind::ContextTooLong, "finds the prompt too long for its context", Advice::None),
    row(
        (429, 429),
        LARGER_THAN_THE_RATE,
        Kind::ContextTooLong,
        "finds the request larger than its rate limit",
        Advice::None,
    ),
    row(ANY, UNWELCOME, Kind::ContentRefused, "refuses the content of the request", Advice::None),
    Row {
        statuses: ANY,
        words: FORMAT,
        formatted: true,
        kind: Kind::FormatRefused,
        says: "does not take the answer format",
        advice: Advice::None,
    },
    row((401, 401), &[], Kind::UpstreamAuth, "does not accept our key", Advice::CheckKey),
    row((402, 402), &[], Kind::UpstreamQuota, "is refused: the account has nothing left", Advice::CheckAccount),
    row((400, 422), NO_SUCH_MODEL, Kind::UpstreamFailed, "is not known by that name", Advice::CheckModelName),
    row((403, 403), &[], Kind::UpstreamAuth, "is not open to our key", Advice::CheckKey),
    row((404, 405), &[], Kind::UpstreamProtocol, "has no chat endpoint there", Advice::CheckBaseUrl),
    row((408, 408), &[], Kind::UpstreamTimeout, "ran out of time", Advice::None),
    row((413, 413), &[], Kind::ContextTooLong, "finds the request too large", Advice::None),
    row((429, 429), &[], Kind::UpstreamBusy, "has reached a rate limit", Advice::None),
    row((500, 504), NOBODY_BEHIND, Kind::UpstreamUnreachable, "has no model server behind it", Advice::StartServer),
    row((503, 503), &[], Kind::UpstreamFailed, "is not available now", Advice::None),
    row((529, 529), &[], Kind::UpstreamFailed, "is overloaded", Advice::None),
    row((500, 599), &[], Kind::UpstreamFailed, "failed", Advice::None),
    row((300, 399), &[], Kind::UpstreamProtocol, "redirects, which is not followed with a key", Advice::CheckBaseUrl),
    row((400, 499), &[], Kind::UpstreamFailed, "does not take the request", Advice::CheckFields),
];

/// A success with an error inside, and statuses that do not exist.
static OTHERWISE: Row = row(ANY, &[], Kind::UpstreamFailed, "failed with an error inside its answer", Advice::None);

const fn row(
    statuses: (u16, u16),
    words: &'static [&'static [&'static str]],
    kind: Kind,
    says: &'static str,
    advice: Advice,
) -> Row {
    Row { statuses, words, formatted: false, kind, says, advice }
}

/// What a refusal means.
pub(super) fn meaning(status: u16, body: &Body, formatted: bool) -> &'static Row {
    let status = body.status_inside(status);
    TABLE.iter().find(|row| row.fits(status, body, formatted)).unwrap_or(&OTHERWISE)
}

impl Row {
    fn fits(&self, status: u16, body: &Body, formatted: bool) -> bool {
        let (lowest, highest) = self.statuses;
        let said = self.words.is_empty() || self.words.iter().any(|parts| body.says(parts));
        (lowest..=highest).contains(&status) && said && (formatted || !self.formatted)
    }
}

/// The body of a refusal, ready to be searched.
pub(super) struct Body {
    searched: String,
    /// The upstream's word for the error, if it is one word that cannot be a sentence or a number.
    pub word: Option<String>,
    code: Option<u16>,
    pub is_html: bool,
}

/// What is searched of a body: long bodies are long because they echo the request.
const SEARCHED: usize = 16 << 10;
const WORD: usize = 48;

impl Body {
    pub(super) fn read(body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(&body[..body.len().min(SEARCHED)]);
        let is_html = text.trim_start().starts_with('<');
        let Ok(value) = serde_json::from_slice::<Value>(body) else {
            let searched = if is_html { String::new() } else { text.to_lowercase() };
            return Self { searched, word: None, code: None, is_html };
        };
        let value = value.get(0).unwrap_or(&value);
        let error = value.get("error").filter(|error| !error.is_null()).unwrap_or(value);
        let told = ["message", "code", "type", "param", "detail", "status", "metadata"];
        let searched: Vec<String> = match error {
            Value::String(text) => vec![text.clone()],
            error => told.iter().filter_map(|field| error.get(field)).map(words).collect(),
        };
        let word = ["code", "type", "status"].iter().find_map(|field| word(error.get(field)?));
        let mut searched = searched.join("\n").to_lowercase();
        searched.truncate(searched.floor_char_boundary(SEARCHED));
        Self { searched, word, code: error.get("code").and_then(status_code), is_html }
    }

    fn says(&self, parts: &[&str]) -> bool {
        parts.iter().all(|part| self.searched.contains(part))
    }

    /// Behind a 200 the error's own code is the best that there is.
    fn status_inside(&self, status: u16) -> u16 {
        if status < 300 { self.code.unwrap_or(status) } else { status }
    }
}

fn words(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn word(value: &Value) -> Option<String> {
    let word = value.as_str()?;
    let plain = |character: char| character.is_ascii_alphabetic() || matches!(character, '_' | '.');
    (!word.is_empty() && word.len() <= WORD && word != "None" && word.chars().all(plain)).then(|| word.to_owned())
}

fn status_code(value: &Value) -> Option<u16> {
    let code = value.as_u64().or_else(|| value.as_str()?.parse().ok())?;
    u16::try_from(code).ok().filter(|code| (400..=599).contains(code))
}

#[cfg(test)]
#[path = "refusal_tests.rs"]
mod tests;
