//! The answer that all who look share.

use axum::body::{Body, to_bytes};
use axum::http::Request;
use futures_util::future::join_all;
use tempfile::TempDir;
use tower::ServiceExt;

use super::*;
use crate::gateway::{Gateway, fixtures};
use crate::policy::LastRefusal;
use crate::provider::Sender;
use crate::request::{Measures, Status};
use crate::store::Store;
use crate::telemetry::Metrics;

async fn parts(folder: &TempDir) -> Parts {
    let store = Store::open(&folder.path().join("taskgate.db")).await.unwrap();
    let (policy, metrics) = (Arc::new(fixtures::policy()), Metrics::for_tests());
    let gateway = Gateway::new(policy, Sender::new().unwrap(), store.clone(), metrics.clone());
    Parts { store, metrics, gateway, refused: LastRefusal::default() }
}

async fn ask(page: &Router) -> (StatusCode, String) {
    let answer = page.clone().oneshot(Request::get("/api/overview").body(Body::empty()).unwrap()).await.unwrap();
    let status = answer.status();
    (status, String::from_utf8(to_bytes(answer.into_body(), 1 << 20).await.unwrap().to_vec()).unwrap())
}

async fn note(parts: &Parts) {
    let signals = fixtures::signals("list_tasks", Measures::default());
    parts.gateway.note(signals, Status::Ok, std::time::Instant::now()).await;
}

#[tokio::test]
async fn however_many_look_the_ledger_is_read_once_in_a_while() {
    let folder = tempfile::tempdir().unwrap();
    let parts = parts(&folder).await;
    let page = router_with(parts.clone(), Duration::from_secs(3_600));
    let first = ask(&page).await;
    assert!(first.1.contains(r#""is_new":true"#), "{first:?}");
    note(&parts).await;
    let many = join_all((0..50).map(|_| ask(&page))).await;
    assert!(many.iter().all(|answer| *answer == first));
    // Whoever looks after that sees it.
    let later = ask(&router_with(parts, Duration::from_secs(3_600))).await;
    assert!(later.1.contains(r#""is_new":false"#) && later.1.contains(r#""requests":1"#), "{later:?}");
}

#[tokio::test]
async fn a_ledger_that_cannot_be_read_is_told_with_the_reason_and_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let parts = parts(&folder).await;
    parts.store.close().await;
    let (status, body) = ask(&router(parts)).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(body.contains("The database is closed") && body.contains("hint"), "{body}");
}
