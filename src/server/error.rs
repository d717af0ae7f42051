//! Refusals as JSON, in the shape that OpenAI clients read. The only place of this door that names HTTP statuses for
//! errors.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::error::Error;

/// Why a request got no answer, for a program that reads it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Refusal {
    NotFound,
    MethodNotAllowed,
    ForeignHost,
    ForeignOrigin,
    Panicked,
}

/// What is asked for cannot be told now, and why.
pub(super) fn unavailable(error: &Error) -> Response {
    let body = json!({ "status": "unavailable", "error": error.message, "hint": error.hint });
    (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
}

impl Refusal {
    fn parts(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::NotFound => {
                (StatusCode::NOT_FOUND, "not_found", "There is nothing here. Try /, /metrics, /healthz or /readyz.")
            }
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "Use GET."),
            Self::ForeignHost => (
                StatusCode::FORBIDDEN,
                "foreign_host",
                "The Host is not this machine's own name. Call 127.0.0.1, localhost or the address that --listen names.",
            ),
            Self::ForeignOrigin => {
                (StatusCode::FORBIDDEN, "foreign_origin", "Pages from elsewhere may not call this server.")
            }
            Self::Panicked => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "The server failed. The log says where."),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, code, message) = self.parts();
        let kind = if status.is_server_error() { "server_error" } else { "invalid_request_error" };
        let body = json!({ "error": { "message": message, "type": kind, "param": null, "code": code } });
        (status, Json(body)).into_response()
    }
}
