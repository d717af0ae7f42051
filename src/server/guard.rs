//! Who may call: requests that name this machine, from no page or from one of its own.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderValue, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Listener;
use super::error::Refusal;

/// The host names that are ours, without ports.
#[derive(Clone)]
pub(super) struct Hosts {
    listened: Arc<str>,
}

impl Hosts {
    pub(super) fn new(listener: &Listener) -> Self {
        Self { listened: listener.host().to_ascii_lowercase().into() }
    }

    /// `authority` as in a Host header: a name or an address, with or without a port.
    fn knows(&self, authority: &str) -> bool {
        let Ok(uri) = authority.parse::<Uri>() else { return false };
        let Some(host) = uri.host().map(str::to_ascii_lowercase) else { return false };
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        host == "localhost" || host == *self.listened || address.is_ok_and(|address| address.is_loopback())
    }

    fn knows_origin(&self, origin: &HeaderValue) -> bool {
        let Some((scheme, authority)) = origin.to_str().ok().and_then(|origin| origin.split_once("://")) else {
            return false;
        };
        matches!(scheme, "http" | "https") && self.knows(authority)
    }
}

/// In front of every route, the unknown ones too.
pub(super) async fn guard(State(hosts): State<Hosts>, request: Request, next: Next) -> Response {
    // HTTP/2 puts the host into the target.
    let host = match (request.headers().get(HOST), request.uri().authority()) {
        (Some(header), _) => header.to_str().unwrap_or_default(),
        (None, Some(authority)) => authority.as_str(),
        (None, None) => "",
    };
    if !hosts.knows(host) {
        return Refusal::ForeignHost.into_response();
    }
    if request.headers().get(ORIGIN).is_some_and(|origin| !hosts.knows_origin(origin)) {
        return Refusal::ForeignOrigin.into_response();
    }
    next.run(request).await
}
