//! The routes and the layers around them.

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router, middleware};
use serde_json::json;
use tower_http::catch_panic::CatchPanicLayer;

use super::error::{Refusal, unavailable};
use super::guard::guard;
use super::page;
use crate::gateway::Gateway;
use crate::policy::LastRefusal;
use crate::store::Store;
use crate::telemetry::Metrics;

/// The format of Prometheus's text, which its scraper asks for.
const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What this door shows.
#[derive(Clone)]
pub struct Parts {
    pub store: Store,
    pub metrics: Metrics,
    pub gateway: Gateway,
    /// The policy that the process read last, if it did not take it.
    pub refused: LastRefusal,
}

pub(super) fn router(parts: Parts) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .fallback(|| async { Refusal::NotFound })
        .method_not_allowed_fallback(|| async { Refusal::MethodNotAllowed })
        .with_state(parts.clone())
        .merge(page::router(parts))
        // Outermost last: a panic anywhere becomes an answer, and nothing is reached without the guard.
        .layer(middleware::from_fn(guard))
        .layer(CatchPanicLayer::custom(|_| Refusal::Panicked.into_response()))
}

async fn metrics(State(parts): State<Parts>) -> Response {
    ([(CONTENT_TYPE, PROMETHEUS_TEXT), (CACHE_CONTROL, "no-store")], parts.metrics.render()).into_response()
}

/// The process runs.
async fn healthz() -> Response {
    Json(json!({ "status": "ok" })).into_response()
}

/// The process can work: its database answers.
async fn readyz(State(parts): State<Parts>) -> Response {
    match parts.store.ping().await {
        Ok(()) => Json(json!({ "status": "ready" })).into_response(),
        Err(error) => unavailable(&error),
    }
}
