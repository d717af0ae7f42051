//! Builds every part once, hands them to the doors, drains on a signal or at end of input.
//!
//! The floors below know nothing of processes: this file registers this one, keeps its heartbeat, and ends it so that
//! nothing that was spent is lost.

mod forget;
mod reload;
mod sleepers;
mod upkeep;

pub use reload::PolicyFile;
pub use upkeep::SILENT;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::reload::Follower;
use crate::gateway::Gateway;
use crate::policy::{LastRefusal, Policy};
use crate::provider::Sender;
use crate::server::Listener;
use crate::store::Store;
use crate::telemetry::Metrics;
use crate::tools::Toolbox;
use crate::{mcp, server};

/// How long requests in flight may go on after a signal. Container runtimes kill after ten seconds.
const DRAIN: Duration = Duration::from_secs(8);

/// Every part, built once. Cheap to clone; `close` ends all of them.
#[derive(Clone)]
pub struct App {
    pub store: Store,
    pub metrics: Metrics,
    pub gateway: Gateway,
    /// The gateway's own, for what is asked of a server beside requests.
    sender: Sender,
    pub toolbox: Toolbox,
    /// This process's row in the ledger; 0 for one that only looks.
    process: i64,
    refused: LastRefusal,
    writer: Writer,
}

/// The task that writes batches of the ledger, and what ends it.
#[derive(Clone)]
struct Writer {
    task: TaskTracker,
    stop: CancellationToken,
}

impl App {
    /// Opens the database and builds the parts over it. Nothing is called and nothing is listened on yet. `command` is
    /// what the process was started for.
    pub async fn open(command: &str, policy: Arc<Policy>, database: &Path) -> anyhow::Result<Self> {
        let mut app = Self::look(policy, database).await?;
        let (hash, now) = (&app.policy().hash, Timestamp::now());
        app.process = app.store.register_process(std::process::id(), command, hash, now).await?;
        Ok(app)
    }

    /// The same for a command that changes nothing: it enters no process, so that it works beside one who holds the
    /// database.
    pub async fn look(policy: Arc<Policy>, database: &Path) -> anyhow::Result<Self> {
        let (store, batches) = Store::open(database).await?.in_batches();
        let writer = Writer { task: TaskTracker::new(), stop: CancellationToken::new() };
        writer.task.spawn(batches.run(writer.stop.clone()));
        let metrics = Metrics::install()?;
        metrics.set_tools(Toolbox::figures());
        metrics.set_policy(&policy);
        let sender = Sender::new()?;
        let gateway = Gateway::new(policy, sender.clone(), store.clone(), metrics.clone());
        let now = Timestamp::now();
        match store.open_models().await {
            Ok(open) => gateway.recall(&open, now),
            Err(error) => tracing::warn!("which models were well lately is not known: {error}"),
        }
        if let Err(error) = gateway.look_at_budgets().await {
            tracing::warn!("how the budgets stand is not known yet: {error}");
        }
        if let Err(error) = upkeep::learn(&store, &gateway).await {
            tracing::warn!("how models did in checks lately is not known: {error}");
        }
        let toolbox = Toolbox::new(store.clone(), gateway.clone());
        let refused = LastRefusal::default();
        Ok(Self { store, metrics, gateway, sender, toolbox, process: 0, refused, writer })
    }

    /// The policy that decides now.
    pub fn policy(&self) -> Arc<Policy> {
        self.gateway.policy()
    }

    /// Asks the local servers once which models they have in memory, for a command that only looks.
    pub async fn look_at_models(&self) {
        sleepers::look_once(self).await;
    }

    /// `taskgate mcp`: until the input ends and everything is answered, or until a signal.
    pub async fn mcp(&self, file: PolicyFile) -> anyhow::Result<()> {
        let follower = Follower::begin(file);
        let stop = CancellationToken::new();
        let door = async {
            let ended = mcp::serve_stdio(self.toolbox.clone(), stop.clone()).await;
            stop.cancel();
            ended
        };
        let beside = (stop_on_signal(&stop), upkeep::of_a_session(self, &stop), follower.follow(self, &stop));
        let sleepers = sleepers::watch(self, &stop);
        let (ended, (), (), (), ()) = tokio::join!(door, beside.0, beside.1, beside.2, sleepers);
        Ok(ended?)
    }

    /// `taskgate serve`: until a signal.
    pub async fn serve(&self, listen: SocketAddr, file: PolicyFile) -> anyhow::Result<()> {
        let follower = Follower::begin(file);
        let listener = Listener::bind(listen).await?;
        let address = listener.address();
        tracing::info!(%address, "listening on http://{address}: the page at /, /metrics, /healthz, /readyz");
        let stop = CancellationToken::new();
        let parts = server::Parts {
            store: self.store.clone(),
            metrics: self.metrics.clone(),
            gateway: self.gateway.clone(),
            refused: self.refused.clone(),
        };
        let door = async {
            let ended = server::serve(listener, parts, stop.clone()).await;
            stop.cancel();
            ended
        };
        let beside = (stop_on_signal(&stop), upkeep::of_a_server(self, &stop), follower.follow(self, &stop));
        let sleepers = sleepers::watch(self, &stop);
        let (ended, (), (), (), ()) = tokio::join!(door, beside.0, beside.1, beside.2, sleepers);
        Ok(ended?)
    }

    /// Says in the database that this process is alive, and which policy it follows.
    async fn beat(&self) -> crate::error::Result<()> {
        let refused = self.refused.get().map(|refusal| refusal.hash);
        let lost_rows = self.metrics.lost_rows();
        self.store.heartbeat(Timestamp::now(), &self.policy().hash, refused.as_deref(), lost_rows).await
    }

    /// Lets requests in flight end, writes down what is left to write, closes the database.
    pub async fn close(self) {
        self.gateway.drain(DRAIN).await;
        self.writer.task.close();
        self.writer.stop.cancel();
        self.writer.task.wait().await;
        if let Err(error) = self.store.end_process(Timestamp::now(), self.metrics.lost_rows()).await {
            tracing::warn!("the end of this process could not be written down: {error}");
        }
        self.store.close().await;
    }
}

/// Cancels `stop` on the first request to end: Ctrl-C, or SIGTERM where there is one.
async fn stop_on_signal(stop: &CancellationToken) {
    tokio::select! {
        told = signal() => match told {
            Ok(name) => tracing::info!("{name}: finishing what is in flight"),
            Err(error) => {
                tracing::warn!("signals cannot be waited for: {error:#}");
                stop.cancelled().await;
            }
        },
        () = stop.cancelled() => {}
    }
    stop.cancel();
}

#[cfg(unix)]
async fn signal() -> anyhow::Result<&'static str> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT")?;
    tokio::select! {
        _ = terminate.recv() => Ok("SIGTERM"),
        _ = interrupt.recv() => Ok("SIGINT"),
    }
}

#[cfg(not(unix))]
async fn signal() -> anyhow::Result<&'static str> {
    tokio::signal::ctrl_c().await.context("Ctrl-C")?;
    Ok("Ctrl-C")
}
