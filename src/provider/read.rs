//! Bounded reading of an answer's head and body, the same for whole replies and streams.

use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, SystemTime};

use futures_util::StreamExt;
use reqwest::Response;
use reqwest::header::CONTENT_TYPE;

use super::trouble::{Refused, Trouble};
use super::wait;

/// What is looked at of a refusal.
const REFUSAL_BYTES: usize = 64 << 10;
/// A refusal's status is known; its words are not worth a longer wait.
const REFUSAL_WAIT: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ContentType {
    Json,
    Events,
    /// The upstream does not say.
    Missing,
    Other,
}

/// Notes the status, and turns everything but a success into a refusal.
pub(super) async fn accepted(response: Response, status: &AtomicU16) -> Result<Response, Trouble> {
    let code = response.status().as_u16();
    status.store(code, Ordering::Relaxed);
    if response.status().is_success() {
        return Ok(response);
    }
    let retry_after = wait::asked(code, response.headers(), SystemTime::now());
    let body = tokio::time::timeout(REFUSAL_WAIT, beginning(response)).await.unwrap_or_default();
    Err(Trouble::Refused(Refused { status: code, retry_after, body }))
}

pub(super) fn content_type(response: &Response) -> ContentType {
    let Some(value) = response.headers().get(CONTENT_TYPE) else { return ContentType::Missing };
    let value = value.to_str().unwrap_or_default().to_ascii_lowercase();
    let essence = value.split(';').next().unwrap_or_default().trim();
    match essence {
        "" => ContentType::Missing,
        "text/event-stream" => ContentType::Events,
        "application/json" => ContentType::Json,
        other if other.ends_with("+json") => ContentType::Json,
        _ => ContentType::Other,
    }
}

/// The whole body, decoded, of at most `most` bytes.
pub(super) async fn whole(response: Response, most: usize) -> Result<Vec<u8>, Trouble> {
    let mut body = Vec::new();
    let mut pieces = response.bytes_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece?;
        if body.len() + piece.len() > most {
            return Err(Trouble::TooLarge(most));
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

async fn beginning(response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    let mut pieces = response.bytes_stream();
    while let Some(Ok(piece)) = pieces.next().await {
        let room = REFUSAL_BYTES - body.len();
        body.extend_from_slice(&piece[..piece.len().min(room)]);
        if body.len() == REFUSAL_BYTES {
            break;
        }
    }
    body
}
