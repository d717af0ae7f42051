//! The HTTP client: how connections are made and what is refused before a byte of an answer is read.
//!
//! One client, so one pool, serves every model. A call's own connect timeout travels in a task-local to a layer around
//! the connector: reqwest has only one connect timeout per client.

use std::future::Future;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tower::{BoxError, Layer, Service};

use super::trouble::Trouble;
use crate::error::{Error, Kind, Result};

/// Python model servers close idle connections after five seconds. A connection that is given up before that is never
/// reused in the moment that the other side closes it.
const IDLE_CONNECTION: Duration = Duration::from_secs(4);

tokio::task_local! {
    static CONNECT_WITHIN: Duration;
}

/// Builds the client. It installs the TLS provider where the process has none yet.
pub(super) fn client() -> Result<reqwest::Client> {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Losing a race against another thread is fine: then there is one.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
    reqwest::Client::builder()
        .user_agent(concat!("taskgate/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .tcp_nodelay(true)
        .pool_idle_timeout(IDLE_CONNECTION)
        .connector_layer(ConnectLayer)
        .build()
        .map_err(|error| {
            Error::new(Kind::Config, "The HTTP client could not be set up")
                .hint("Check that the system's certificates can be read.")
                .source(error)
        })
}

/// Sends `request`, giving up on a new connection after `within`.
pub(super) async fn execute(
    http: &reqwest::Client,
    request: reqwest::Request,
    within: Duration,
) -> Result<reqwest::Response, Trouble> {
    CONNECT_WITHIN.scope(within, http.execute(request)).await.map_err(Trouble::from)
}

#[derive(Debug, Clone)]
struct ConnectLayer;

#[derive(Debug, Clone)]
struct Connecting<S>(S);

#[derive(Debug, thiserror::Error)]
#[error("no connection within {0:?}")]
struct NoConnection(Duration);

impl<S> Layer<S> for ConnectLayer {
    type Service = Connecting<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Connecting(inner)
    }
}

impl<S, T> Service<T> for Connecting<S>
where
    S: Service<T, Error = BoxError>,
    S::Future: Send + 'static,
    S::Response: 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<S::Response, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, target: T) -> Self::Future {
        // Read here, in the task of the call: the pool may later finish the connection in a task of its own.
        let within = CONNECT_WITHIN.try_with(|within| *within).ok();
        let connecting = self.0.call(target);
        Box::pin(bounded(within, connecting))
    }
}

async fn bounded<T>(
    within: Option<Duration>,
    connecting: impl Future<Output = Result<T, BoxError>>,
) -> Result<T, BoxError> {
    let Some(within) = within else { return connecting.await };
    match tokio::time::timeout(within, connecting).await {
        Ok(connected) => connected,
        Err(_) => Err(NoConnection(within).into()),
    }
}
