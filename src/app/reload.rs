//! Follows the policy's files while the process runs: a good change takes over, a bad one is refused whole and the old
//! policy goes on. Either way the log, the metrics and this process's row say so.
//!
//! A look is cheap, so there are three reasons for one: the watch has told of a change, someone has asked for it
//! (SIGHUP), or nobody has looked for a while. Only what is there decides whether anything has changed.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::{App, sleepers};
use crate::policy::{self, Compiled, Policy, Problems, Severity, Sources, Watch};
use crate::telemetry::Reload;

/// For folders that tell of no change: network shares, mounts of a container.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Where the policy comes from.
#[derive(Clone)]
pub struct PolicyFile {
    /// `None`: there is no such place, and the built-in policy is all there is.
    pub place: Option<PathBuf>,
    /// False while the built-in policy stands in for a file that is not there.
    pub found: bool,
    /// What the policy that the process began with was made of.
    pub sources: Sources,
    pub environment: fn(&str) -> Option<String>,
}

/// Looks at the policy's files and publishes what it finds.
pub(super) struct Follower {
    file: PolicyFile,
    watch: Watch,
    asked: Asked,
}

impl Follower {
    /// From here on nothing is missed.
    pub fn begin(file: PolicyFile) -> Self {
        Self { file, watch: Watch::new(), asked: Asked::listen() }
    }

    /// Until `stop`.
    pub async fn follow(mut self, app: &App, stop: &CancellationToken) {
        let mut ticks = interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let asked = tokio::select! {
                () = self.watch.changed() => false,
                _ = ticks.tick() => false,
                () = self.asked.told() => true,
                () = stop.cancelled() => return,
            };
            // Before the look, so that what changes during it is told; and after it for the files that it names.
            self.watch_over(self.file.sources.is_missing());
            if let Some(compiled) = self.file.look().await {
                self.found(app, compiled, asked).await;
                self.watch_over(false);
            } else if asked {
                tracing::info!("there is no policy file: the built-in policy goes on");
            }
        }
    }

    fn watch_over(&mut self, afresh: bool) {
        self.watch.over(self.file.place.as_deref().into_iter().chain(self.file.sources.files()), afresh);
    }

    async fn found(&mut self, app: &App, compiled: Compiled, asked: bool) {
        let changed = compiled.sources != self.file.sources;
        self.file.sources = compiled.sources;
        match compiled.policy {
            Some(policy) if changed => take(app, policy, &compiled.problems).await,
            Some(policy) if asked => tracing::info!(hash = policy.hash, "policy {} is in use already", policy.hash),
            None if changed || asked => refuse(app, self.file.sources.hash(), compiled.problems).await,
            Some(_) | None => {}
        }
    }
}

impl PolicyFile {
    /// `None`: there is still no file, and none was asked for.
    async fn look(&mut self) -> Option<Compiled> {
        let place = self.place.clone()?;
        self.found = self.found || place.exists();
        if !self.found {
            return None;
        }
        let environment = self.environment;
        // A disk may take its time.
        let read = tokio::task::spawn_blocking(move || policy::read(Some(&place), &environment));
        read.await.ok()
    }
}

async fn take(app: &App, policy: Policy, problems: &Problems) {
    let (old, new) = (app.policy(), Arc::new(policy));
    let what = policy::difference(&old, &new);
    app.gateway.follow(new.clone());
    app.metrics.set_policy(&new);
    app.metrics.reloaded(Reload::Taken);
    app.refused.clear();
    // Or an alert would go on about a budget that is gone.
    if let Err(error) = app.gateway.look_at_budgets().await {
        tracing::warn!("how the budgets stand is not known yet: {error}");
    }
    sleepers::prewarm(app, Some(&old));
    let warnings = problems.count(Severity::Warning);
    tracing::info!(
        old = old.hash,
        new = new.hash,
        warnings,
        "policy {} takes over from {}: {what}",
        new.hash,
        old.hash
    );
    tell(app).await;
}

async fn refuse(app: &App, hash: String, problems: Problems) {
    let old = app.policy();
    app.metrics.reloaded(Reload::Refused);
    app.refused.refuse(hash.clone(), problems.clone(), Timestamp::now());
    let errors = problems.count(Severity::Error);
    let problems = crate::error::Error::from(problems).message;
    tracing::error!(old = old.hash, new = hash, errors, "policy {hash} is refused, {} goes on: {problems}", old.hash);
    tell(app).await;
}

/// This process's row says at once what it follows.
async fn tell(app: &App) {
    if let Err(error) = app.beat().await {
        tracing::warn!("the policy of this process could not be written down: {error}");
    }
}

/// Someone who wants the files to be looked at.
struct Asked {
    #[cfg(unix)]
    hangup: Option<tokio::signal::unix::Signal>,
}

impl Asked {
    #[cfg(unix)]
    fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        let hangup = signal(SignalKind::hangup());
        if let Err(error) = &hangup {
            tracing::warn!("SIGHUP cannot be waited for: {error}");
        }
        Self { hangup: hangup.ok() }
    }

    #[cfg(not(unix))]
    fn listen() -> Self {
        Self {}
    }

    async fn told(&mut self) {
        #[cfg(unix)]
        if let Some(hangup) = &mut self.hangup
            && hangup.recv().await.is_some()
        {
            return;
        }
        std::future::pending().await
    }
}
