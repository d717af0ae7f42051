//! A scripted OpenAI-compatible upstream on a port of its own, for every test that needs a model.
//!
//! ```ignore
//! let upstream = Upstream::start().await;
//! upstream.on("gpt-4o").reply("Hello.").then_status(500);
//! upstream.on("small").answer(|asked| Step::reply(asked.prompt().to_uppercase()));
//! // send something to upstream.base_url(), then look at upstream.requests()
//! ```
//!
//! Each request for a model takes the next step of its script; the last step repeats. A model without a script is
//! refused as unknown. Everything ends when the `Upstream` is dropped.

// Every test module uses its own part of this.
#![allow(dead_code, reason = "a toolbox: no single test binary needs all of it")]

mod http;
mod play;
mod script;
mod step;
mod stream;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use http::Recorded;
pub use script::Script;
use script::Shared;
pub use step::{Reply, Step};
pub use stream::Stream;

/// The longest that any `wait_…` takes: reached only when something is broken.
const PATIENCE: Duration = Duration::from_secs(120);

pub struct Upstream {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: CancellationToken,
    accepting: JoinHandle<()>,
}

impl Upstream {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let stop = CancellationToken::new();
        let accepting = tokio::spawn(play::accept(listener, shared.clone(), stop.clone()));
        Self { address, shared, stop, accepting }
    }

    /// What `base_url` of a backend should be.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts a new script for this model, in place of the one it had.
    pub fn on(&self, model: &str) -> Script {
        Script::new(self.shared.clone(), model)
    }

    /// The script for every model that has none of its own.
    pub fn on_any(&self) -> Script {
        Script::new(self.shared.clone(), Shared::ANY)
    }

    /// All chat requests so far, in the order in which they came.
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.requests()
    }

    pub fn requests_of(&self, model: &str) -> Vec<Recorded> {
        self.requests().into_iter().filter(|request| request.model == model).collect()
    }

    pub fn count(&self) -> usize {
        self.requests().len()
    }

    /// The only request that there is.
    pub fn request(&self) -> Recorded {
        let mut requests = self.requests();
        assert_eq!(requests.len(), 1, "one request was expected");
        requests.remove(0)
    }

    /// Waits until this many requests have come.
    pub async fn wait_for(&self, count: usize) {
        self.until("requests", || self.count() >= count).await;
    }

    /// Waits until a request's connection was closed by the other side before its answer was complete.
    pub async fn wait_for_drop(&self) {
        self.until("dropped connections", || self.requests().iter().any(Recorded::was_dropped)).await;
    }

    async fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let waiting = async {
            while !holds() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("waited in vain for {what}"));
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.stop.cancel();
        self.accepting.abort();
    }
}
