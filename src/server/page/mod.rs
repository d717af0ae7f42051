//! The page: what is spent, who answers, the last decisions, and whether the models are well. Three small files and one
//! JSON answer; no other host is asked for anything.
//!
//! Whoever passes the guard sees it, which is this machine's user: an admin key, once there are keys, belongs in front of
//! exactly this router. It changes nothing.

mod budgets;
mod figures;
mod gather;
mod models;
mod overview;
mod remarks;

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::Timestamp;
use moka::future::Cache;

use super::error::unavailable;
use super::routes::Parts;
use crate::error::{Error, Kind};

/// Nothing but what this server itself serves: no inline code, no frame, no form, no other host.
const ONLY_OURS: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'",
);

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// How old an answer may be. However many look, the database is read once in this time, and not at all when nobody does.
const FRESH_FOR: Duration = Duration::from_secs(2);

/// One of the files of the page, as it is in the binary.
struct File {
    content_type: HeaderValue,
    body: &'static [u8],
    etag: HeaderValue,
}

macro_rules! file {
    ($name:literal, $content_type:literal) => {{
        static FILE: LazyLock<File> = LazyLock::new(|| {
            let body = include_bytes!($name);
            File { content_type: HeaderValue::from_static($content_type), body, etag: etag(body) }
        });
        get(|headers: HeaderMap| async move { FILE.answer(&headers) })
    }};
}

/// An answer of `/api/overview` that is shared by all who ask at about the same time.
#[derive(Clone)]
struct Shared {
    parts: Parts,
    kept: Cache<(), Arc<Written>>,
}

struct Written {
    body: Bytes,
    etag: HeaderValue,
}

pub(super) fn router(parts: Parts) -> Router {
    router_with(parts, FRESH_FOR)
}

fn router_with(parts: Parts, fresh_for: Duration) -> Router {
    let kept = Cache::builder().max_capacity(1).time_to_live(fresh_for).build();
    Router::new()
        .route("/", file!("page.html", "text/html; charset=utf-8"))
        .route("/page.css", file!("page.css", "text/css; charset=utf-8"))
        .route("/page.js", file!("page.js", "text/javascript; charset=utf-8"))
        .route("/icon.svg", file!("icon.svg", "image/svg+xml"))
        .route("/api/overview", get(overview))
        .with_state(Shared { parts, kept })
        .layer(map_response(with_strict_headers))
}

async fn overview(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    let Shared { parts, kept } = shared;
    let written = kept.try_get_with((), async {
        let overview = gather::gather(&parts, Timestamp::now()).await?;
        let body = serde_json::to_vec(&overview)
            .map_err(|error| Error::new(Kind::Internal, "The overview could not be written").source(error))?;
        Ok::<_, Error>(Arc::new(Written { etag: etag(&body), body: body.into() }))
    });
    match written.await {
        Ok(written) => answer(&headers, &written.etag, JSON, written.body.clone()),
        Err(error) => unavailable(&error),
    }
}

impl File {
    fn answer(&self, headers: &HeaderMap) -> Response {
        answer(headers, &self.etag, self.content_type.clone(), self.body)
    }
}

/// The browser may keep it, and asks each time whether it still holds.
fn answer(asked: &HeaderMap, etag: &HeaderValue, content_type: HeaderValue, body: impl Into<Bytes>) -> Response {
    let validators = [(ETAG, etag.clone()), (CACHE_CONTROL, HeaderValue::from_static("no-cache"))];
    let has_it = asked.get_all(IF_NONE_MATCH).iter().any(|known| known == etag);
    match has_it {
        true => (StatusCode::NOT_MODIFIED, validators).into_response(),
        false => (validators, [(CONTENT_TYPE, content_type)], body.into()).into_response(),
    }
}

fn etag(body: &[u8]) -> HeaderValue {
    let hash = blake3::hash(body).to_hex();
    // Hexadecimal digits in quotes are always a header's value.
    HeaderValue::from_str(&format!("\"{hash}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

async fn with_strict_headers(mut response: Response) -> Response {
    let strict = [
        (CONTENT_SECURITY_POLICY, ONLY_OURS),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
        (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    ];
    response.headers_mut().extend(strict);
    response
}

#[cfg(test)]
mod tests;
