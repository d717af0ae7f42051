//! The HTTP door: the page at /, /metrics, /healthz, /readyz. It translates, and decides nothing.
//!
//! It listens on this machine only, and still trusts no browser: a page that got another name to point here is refused
//! by its Host, and one that calls from elsewhere by its Origin.

mod error;
mod guard;
mod listen;
mod page;
mod routes;

pub use listen::Listener;
pub use routes::Parts;

use std::time::Duration;

use axum::serve::ListenerExt;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Kind, Result};

/// How long a request that has begun may go on after `stop`.
const LAST_REQUESTS: Duration = Duration::from_secs(5);

/// Serves until `stop`.
pub async fn serve(listener: Listener, parts: Parts, stop: CancellationToken) -> Result<()> {
    let router = routes::router(parts);
    // Without it a small answer waits 40 ms for the reader's acknowledgment.
    let socket = listener.into_socket().tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!("TCP_NODELAY could not be set: {error}");
        }
    });
    let serving = axum::serve(socket, router).with_graceful_shutdown(stop.clone().cancelled_owned());
    let too_late = async {
        stop.cancelled().await;
        tokio::time::sleep(LAST_REQUESTS).await;
    };
    tokio::select! {
        ended = async { serving.await } => ended.map_err(|error| Error::new(Kind::Internal, "The server broke off").source(error)),
        () = too_late => Ok(()),
    }
}
