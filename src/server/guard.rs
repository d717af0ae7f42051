//! Who may call: requests that name this machine, from no page or from one of its own.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderValue, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::error::Refusal;

/// In front of every route, the unknown ones too.
pub(super) async fn guard(request: Request, next: Next) -> Response {
    // HTTP/2 puts the host into the target.
    let host = match (request.headers().get(HOST), request.uri().authority()) {
        (Some(header), _) => header.to_str().unwrap_or_default(),
        (None, Some(authority)) => authority.as_str(),
        (None, None) => "",
    };
    if !is_ours(host) {
        return Refusal::ForeignHost.into_response();
    }
    if request.headers().get(ORIGIN).is_some_and(|origin| !is_our_page(origin)) {
        return Refusal::ForeignOrigin.into_response();
    }
    next.run(request).await
}

/// `authority` as in a Host header: this machine by name or by address, with or without a port.
fn is_ours(authority: &str) -> bool {
    let Ok(uri) = authority.parse::<Uri>() else { return false };
    let Some(host) = uri.host() else { return false };
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

fn is_our_page(origin: &HeaderValue) -> bool {
    let Some((scheme, authority)) = origin.to_str().ok().and_then(|origin| origin.split_once("://")) else {
        return false;
    };
    matches!(scheme, "http" | "https") && is_ours(authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machines_own_names_are_ours() {
        for ours in ["localhost", "LOCALHOST:8080", "127.0.0.1:8080", "127.0.0.53", "[::1]:8080"] {
            assert!(is_ours(ours), "{ours}");
        }
        let others = ["", "evil.example", "localhost.evil.example:8080", "127.0.0.1.evil.example", "10.0.0.1", "a@b@c"];
        for other in others {
            assert!(!is_ours(other), "{other}");
        }
    }

    #[test]
    fn a_page_from_elsewhere_is_none_of_ours() {
        let page = |origin: &'static str| is_our_page(&HeaderValue::from_static(origin));
        assert!(page("http://localhost:3000") && page("http://[::1]:8080"));
        assert!(!page("http://evil.example") && !page("null") && !page("file://localhost"));
    }
}
