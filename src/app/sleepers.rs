//! Local models that sleep: asks their servers which are in memory, and has those loaded that someone wants. All of it
//! beside the requests; a caller that goes away takes no load with it.
//!
//! A load is nobody's request: it has no row in the ledger and is none of the attempts, which are sums over those rows.
//! It costs nothing, and has a counter of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::App;
use crate::chat::{ChatRequest, Format, Message, Tokens};
use crate::error::Result;
use crate::names::BackendName;
use crate::policy::{Backend, Identity, Location, Model, Policy, StatusEndpoint, StatusKind, Timeouts};
use crate::provider::Call;
use crate::request::Residency;
use crate::telemetry::WarmUp;

const LOOK_EVERY: Duration = Duration::from_secs(5);
/// While a load is under way its end is worth knowing at once.
const LOOK_SOON: Duration = Duration::from_millis(500);
/// A server that is not there is looked for less and less often, up to this.
const LOOK_SELDOM: Duration = Duration::from_secs(60);
/// Longer than any load; Ollama itself gives up after five minutes.
const WARMING: Duration = Duration::from_secs(6 * 60);

/// When a backend is asked again, and how often it did not answer.
#[derive(Debug, Clone, Copy)]
struct Look {
    next: Instant,
    failures: u32,
}

/// Until `stop`. Models that are to be there from the start are asked for first.
pub(super) async fn watch(app: &App, stop: &CancellationToken) {
    let residents = app.gateway.residents();
    prewarm(app, None);
    let mut looks = BTreeMap::new();
    let mut warming = FuturesUnordered::new();
    loop {
        let soon = if warming.is_empty() { LOOK_EVERY } else { LOOK_SOON };
        tokio::select! {
            () = look(app, &mut looks, soon) => {}
            () = residents.wanted() => {}
            Some(()) = warming.next() => {}
            () = stop.cancelled() => return,
        }
        for model in residents.take_wanted(now()) {
            warming.push(warm(app, model));
        }
    }
}

/// One look at every backend that tells, for a command that lives no longer.
pub(super) async fn look_once(app: &App) {
    let policy = app.policy();
    let asked = policy.backends.values().filter_map(|backend| Some((backend, backend.status.as_ref()?)));
    let looks = asked.map(|(backend, status)| see(app, &policy, backend, status));
    futures_util::future::join_all(looks).await;
}

/// Asks for the models that are to be there, except those that the policy before asked for already.
pub(super) fn prewarm(app: &App, before: Option<&Policy>) {
    let asked_for: BTreeSet<Identity> = before.into_iter().flat_map(to_be_there).collect();
    for model in to_be_there(&app.policy()).filter(|model| !asked_for.contains(model)) {
        app.gateway.residents().want(model);
    }
}

fn to_be_there(policy: &Policy) -> impl Iterator<Item = Identity> {
    let prewarmed = |model: &&Model| {
        policy.backend_of(model).is_some_and(|backend| backend.prewarm && backend.location == Location::Local)
    };
    policy.models.values().filter(prewarmed).map(|model| policy.identity(model))
}

/// Waits until a look is due, and makes it. Nothing is lost when it is dropped while it waits.
async fn look(app: &App, looks: &mut BTreeMap<BackendName, Look>, every: Duration) {
    let policy = app.policy();
    let began = Instant::now();
    let first = Look { next: began, failures: 0 };
    let due = |look: &Look| if look.failures == 0 { look.next.min(began + every) } else { look.next };
    let telling = policy.backends.values().filter(|backend| backend.status.is_some());
    let next =
        telling.map(|backend| (due(looks.get(&backend.name).unwrap_or(&first)), backend)).min_by_key(|(at, _)| *at);
    let Some((at, backend)) = next else {
        // A later policy may have one that tells.
        return tokio::time::sleep(LOOK_EVERY).await;
    };
    tokio::time::sleep_until(at).await;
    let Some(status) = &backend.status else { return };
    let seen = see(app, &policy, backend, status).await;
    let before = looks.get(&backend.name).map_or(0, |look| look.failures);
    let failures = if seen.is_ok() { 0 } else { before.saturating_add(1) };
    match seen {
        Err(error) if before == 0 => {
            tracing::warn!("which models {} has in memory is not known: {error}", backend.name);
        }
        Ok(()) if before > 0 => tracing::info!("{} says again which models it has in memory", backend.name),
        Ok(()) | Err(_) => {}
    }
    looks.insert(backend.name.clone(), Look { next: Instant::now() + pause(failures, every), failures });
}

fn pause(failures: u32, every: Duration) -> Duration {
    let doubled = LOOK_EVERY.saturating_mul(1 << failures.min(6)).min(LOOK_SELDOM);
    if failures == 0 { every } else { doubled }
}

async fn see(app: &App, policy: &Policy, backend: &Backend, status: &StatusEndpoint) -> Result<()> {
    let seen = app.sender.status(status).await;
    for model in policy.models.values().filter(|model| model.backend == backend.name) {
        let residency = seen.as_ref().map_or(Residency::Unknown, |seen| seen.residency(&model.upstream));
        app.gateway.residents().saw(policy.identity(model), residency, now());
    }
    seen.map(|_| ())
}

async fn warm(app: &App, identity: Identity) {
    let policy = app.policy();
    let wanted = policy.models.values().find(|model| policy.identity(model) == identity);
    // A policy that came meanwhile may not have it any more.
    let loaded = match wanted.and_then(|model| Some((model, policy.backend_of(model)?))) {
        Some((model, backend)) => load(app, model, backend).await,
        None => false,
    };
    app.gateway.residents().warmed(identity, loaded, now());
}

async fn load(app: &App, model: &Model, backend: &Backend) -> bool {
    let (name, begun) = (&model.spec.name, Instant::now());
    tracing::info!(model = %name, "{name} is not loaded: loading it");
    let loaded = match &backend.status {
        Some(status) if status.kind == StatusKind::Ollama => app.sender.load(status, &model.upstream).await,
        _ => say_a_word(app, model, backend).await,
    };
    app.metrics.warmed_up(name, if loaded.is_ok() { WarmUp::Loaded } else { WarmUp::Failed });
    match &loaded {
        Ok(()) => tracing::info!(model = %name, "{name} is loaded; it took {:.1?}", begun.elapsed()),
        Err(error) => tracing::warn!(model = %name, "{name} could not be loaded: {error}"),
    }
    loaded.is_ok()
}

/// A server without a way to load has to be asked for something: one token.
async fn say_a_word(app: &App, model: &Model, backend: &Backend) -> Result<()> {
    let request = ChatRequest {
        messages: vec![Message::user("Hi")],
        temperature: None,
        max_output: Tokens(1),
        format: Format::Text,
        extra: serde_json::Map::new(),
    };
    let timeouts = Timeouts { first_token: WARMING, idle: WARMING, total: WARMING, ..model.timeouts };
    let cancel = CancellationToken::new();
    let call = Call { backend, model, request: &request, timeouts, stream: false, cancel: &cancel };
    app.sender.send(call, &mut |_: &str| {}).await.result.map(|_| ())
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_answer_is_asked_less_and_less_often() {
        let pauses: Vec<u64> = (0..6).map(|failures| pause(failures, LOOK_EVERY).as_secs()).collect();
        assert_eq!(pauses, [5, 10, 20, 40, 60, 60]);
        assert_eq!(pause(0, LOOK_SOON), LOOK_SOON);
        assert_eq!(pause(40, LOOK_SOON), LOOK_SELDOM);
    }
}
