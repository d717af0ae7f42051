//! What can go wrong on the wire, before it is put into words.
//!
//! A refusal carries the upstream's body, which may echo a prompt or a key: nothing here prints it. `failure` turns a
//! trouble into the crate's error.

use std::fmt;
use std::time::Duration;

use async_openai::error::OpenAIError;

use super::clock::Waiting;

pub(super) enum Trouble {
    /// The upstream said no: with an error status, or with an error inside a 200.
    Refused(Refused),
    Transport(reqwest::Error),
    /// More than the bound, which is given in bytes.
    TooLarge(usize),
    WrongType,
    NotJson,
    NotText,
    /// An answer without an answer in it.
    Empty,
    /// The connection ended before the answer did.
    Cut,
    Slow(Waiting, Duration),
    /// Whoever reads the answer took so long that the time for the whole call was over.
    Unread(Duration),
    /// The key has characters that no header can carry.
    BadKey,
    Cancelled,
    Internal(&'static str),
}

#[derive(Clone)]
pub(super) struct Refused {
    pub status: u16,
    pub retry_after: Option<Duration>,
    pub body: Vec<u8>,
}

impl Trouble {
    /// An error that came with a good status.
    pub(super) fn inside(body: &[u8]) -> Self {
        Self::Refused(Refused { status: 200, retry_after: None, body: body.to_vec() })
    }

    /// Whether an answer whose last word was already heard is spoiled by this. A stream that stalls or breaks while
    /// only its usage is outstanding has said all it had to say.
    pub(super) fn spoils_a_finished_answer(&self) -> bool {
        !matches!(self, Self::Cut | Self::Slow(..) | Self::Unread(_) | Self::Transport(_))
    }
}

impl fmt::Debug for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refused) => write!(f, "refused with status {}", refused.status),
            Self::Transport(_) => f.write_str("transport failed"),
            Self::TooLarge(most) => write!(f, "larger than {most} bytes"),
            Self::WrongType => f.write_str("wrong content type"),
            Self::NotJson => f.write_str("broken JSON"),
            Self::NotText => f.write_str("broken UTF-8"),
            Self::Empty => f.write_str("no answer inside"),
            Self::Cut => f.write_str("cut off"),
            Self::Slow(..) => f.write_str("too slow"),
            Self::Unread(_) => f.write_str("read too slowly"),
            Self::BadKey => f.write_str("unusable key"),
            Self::Cancelled => f.write_str("cancelled"),
            Self::Internal(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Trouble {}

/// So that a trouble passes through async-openai whole; its own error type loses statuses and headers.
impl From<Trouble> for OpenAIError {
    fn from(trouble: Trouble) -> Self {
        Self::Boxed(Box::new(trouble))
    }
}

impl From<OpenAIError> for Trouble {
    fn from(error: OpenAIError) -> Self {
        match error {
            OpenAIError::Boxed(boxed) => match boxed.downcast::<Self>() {
                Ok(trouble) => *trouble,
                Err(_) => Self::Internal("an unknown error came back from the client"),
            },
            OpenAIError::Reqwest(error) => Self::Transport(error),
            OpenAIError::JSONDeserialize(..) => Self::NotJson,
            _ => Self::Internal("the request could not be built"),
        }
    }
}

impl From<reqwest::Error> for Trouble {
    fn from(error: reqwest::Error) -> Self {
        Self::Transport(error)
    }
}
