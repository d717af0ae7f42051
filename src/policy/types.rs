//! The compiled policy: every name resolved, every default filled in, every number a type.
//!
//! The types say what holds; `compile` is the only place that makes them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use jiff::tz::TimeZone;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use super::budget::Budget;
use crate::chat::{ModelSpec, NanoUsd, Price};
use crate::names::{BackendName, ModelName, RouteName, TierName};
use crate::request::{Endpoint, Signal, Signals, Target};

#[derive(Debug, Clone)]
pub struct Policy {
    /// First 12 hex digits of the hash of the file's text: which policy a request was decided by.
    pub hash: String,
    pub time_zone: TimeZone,
    pub backends: BTreeMap<BackendName, Backend>,
    pub models: BTreeMap<ModelName, Model>,
    /// Cheapest first. `none` is not listed: it always exists, below the first.
    pub tiers: Vec<Tier>,
    pub classifier: Classifier,
    /// First match wins. The last one matches everything (`compile` adds a catch-all named "default" if none does).
    pub routes: Vec<Route>,
    /// What each caller may ask for, by its name; under `Policy::ANY_CALLER`, all those who are not named.
    pub callers: BTreeMap<String, Limits>,
    pub budgets: Vec<Budget>,
    pub retry: Retry,
    pub breaker: Breaker,
    pub cache_max_bytes: u64,
    /// How long requests and attempts are kept in the ledger. The sums over them stay.
    pub retain: Duration,
}

#[derive(Debug, Clone)]
pub struct Backend {
    pub name: BackendName,
    /// Without a trailing slash.
    pub base_url: String,
    /// `None`: not set; a hosted backend's models are then skipped, a local one is called without a key.
    pub api_key: Option<SecretString>,
    /// The variable that would set the key, for hints ("set OPENAI_API_KEY").
    pub key_variable: Option<String>,
    /// The file that the key was read from.
    pub key_file: Option<PathBuf>,
    pub location: Location,
    pub status: Option<StatusEndpoint>,
    /// Its models are loaded when the process starts, or a policy brings it.
    pub prewarm: bool,
}

/// Where a backend tells which models it has in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusEndpoint {
    pub kind: StatusKind,
    /// Without a trailing slash.
    pub url: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusKind {
    /// `/api/ps`, `/api/tags`.
    Ollama,
    /// `/health`.
    LlamaCpp,
}

/// Tells whether a model or a backend of one policy is still the same in the next: what was learned of it holds as long
/// as it is called at the same place, by the same name and with the same key. The key can't be read from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity([u8; 16]);

/// Whether text leaves the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Location {
    Local,
    Hosted,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    pub spec: ModelSpec,
    pub backend: BackendName,
    pub tier: TierName,
    /// The name that the backend knows.
    pub upstream: String,
    /// `None`: not priced.
    pub price: Option<Price>,
    pub limits: Limits,
    pub timeouts: Timeouts,
}

/// `None`: no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Limits {
    pub concurrency: Option<u32>,
    pub requests_per_minute: Option<u32>,
    pub tokens_per_minute: Option<u32>,
    pub when_reached: WhenReached,
}

/// What becomes of a call that a limit has no room for now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenReached {
    /// It waits, as long as its request has time.
    #[default]
    Wait,
    Refuse,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    pub connect: Duration,
    pub first_token: Duration,
    pub idle: Duration,
    pub total: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tier {
    pub name: TierName,
    /// Tried in this order.
    pub models: Vec<ModelName>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Classifier {
    /// Complexity at or above goes to that tier; the highest that is reached wins. The first tier needs none.
    pub thresholds: BTreeMap<TierName, f64>,
    /// Only what the file overrides; the classifier knows the defaults.
    pub weights: BTreeMap<Signal, f64>,
    /// The share of what pass rates alone would send up that stays, 0 to 1.
    pub explore: f64,
}

/// One route with everything that applies to it filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    pub name: RouteName,
    pub matches: Match,
    pub tier: RouteTier,
    pub max_tier: Option<TierName>,
    pub thresholds: BTreeMap<TierName, f64>,
    pub temperature: Option<f64>,
    pub sticky: Sticky,
    pub check: ChatCheck,
    pub escalate: Escalate,
    pub fallback: Fallback,
    pub envelope: Envelope,
    /// Zero: nothing is kept.
    pub cache_ttl: Duration,
}

/// All that are given must hold; an empty one matches everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Match {
    /// `*` is any tool.
    pub tools: Option<BTreeSet<String>>,
    pub endpoints: Option<BTreeSet<Endpoint>>,
    /// Any task of one of these projects in the question.
    pub projects: Option<BTreeSet<String>>,
    pub callers: Option<BTreeSet<String>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RouteTier {
    /// The classifier chooses.
    Auto,
    Named(TierName),
}

/// Whether a conversation keeps its model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sticky {
    None,
    /// While that model is well, fits and is allowed.
    Conversation,
}

/// What a check on free chat does with its verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChatCheck {
    /// It is written down; the answer is passed on.
    Record,
    /// A rejected answer is not passed on.
    Hold,
    Off,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Escalate {
    pub on_rejected: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fallback {
    pub upward: bool,
    pub downward: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Retry {
    /// Calls of one model within a request, the first one included.
    pub max_per_model: u32,
    pub initial: Duration,
    pub max: Duration,
    pub max_retry_after: Duration,
    /// Second tries of the last minute, as a share of its requests, from 0 to 1.
    pub budget: f64,
    /// As many as these are made in any case.
    pub budget_floor_per_minute: u32,
}

/// When a model that keeps failing is left alone, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breaker {
    /// So many failures within `window` open it.
    pub failures: u32,
    pub window: Duration,
    /// So does this many timeouts or refused connections in a row, however far apart.
    pub consecutive_timeouts: u32,
    /// How long the model is left alone before it is probed; also a backend that refused our key.
    pub open: Duration,
    /// Calls at a time that find out whether it is well again.
    pub probes: u32,
}

/// What one request may use, whatever happens inside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Envelope {
    pub deadline: Duration,
    pub max_attempts: u32,
    pub max_cost: NanoUsd,
}

impl Limits {
    pub fn limit_something(&self) -> bool {
        self.concurrency.or(self.requests_per_minute).or(self.tokens_per_minute).is_some()
    }
}

impl Policy {
    /// Stands for every caller that the policy does not name.
    pub const ANY_CALLER: &'static str = "default";

    /// What this caller may ask for; `None`: all it likes.
    pub fn caller_limits(&self, caller: &str) -> Option<Limits> {
        let written = self.callers.get(caller).or_else(|| self.callers.get(Self::ANY_CALLER));
        written.copied().filter(Limits::limit_something)
    }

    /// The route for a request. There is always one: the last route matches everything.
    pub fn route(&self, target: &Target, projects: &[String], caller: &str) -> Option<&Route> {
        self.routes.iter().find(|route| route.matches.holds(target, projects, caller))
    }

    /// The budgets that a call of this model counts against, made for a request with these signals.
    pub fn budgets_for(&self, signals: &Signals, model: &ModelName) -> impl Iterator<Item = &Budget> {
        self.budgets.iter().filter(|budget| budget.scope.covers(signals, model))
    }

    /// A call of it costs nothing. A local model has no bill, also when no price is written.
    pub fn is_free(&self, model: &Model) -> bool {
        let is_local = || self.backend_of(model).is_some_and(|backend| backend.location == Location::Local);
        model.price.map_or_else(is_local, |price| price.is_free())
    }

    /// It may be loaded before it is asked.
    pub fn is_warmed(&self, model: &Model) -> bool {
        self.backend_of(model).is_some_and(|backend| backend.prewarm || backend.status.is_some())
    }

    pub fn backend_of(&self, model: &Model) -> Option<&Backend> {
        self.backends.get(&model.backend)
    }

    pub fn identity(&self, model: &Model) -> Identity {
        let backend = self.backend_of(model).map(Backend::identity);
        let address = backend.map_or([0; 16], |backend| backend.0);
        Identity::of([model.spec.name.as_str().as_bytes(), model.upstream.as_bytes(), &address])
    }

    /// A tier's place in the order; `none` and unknown names have none.
    pub fn rank(&self, tier: &TierName) -> Option<usize> {
        self.tiers.iter().position(|known| known.name == *tier)
    }
}

impl Route {
    /// What a verdict on an answer does. A tool needs an answer that it can read, whatever the route says of chat.
    pub fn verdict(&self, target: &Target) -> ChatCheck {
        match target {
            Target::Tool(_) => ChatCheck::Hold,
            Target::Endpoint(_) => self.check,
        }
    }
}

impl Backend {
    /// A hosted backend without a key cannot be called; a local one may want none.
    pub fn is_usable(&self) -> bool {
        self.location == Location::Local || self.api_key.is_some()
    }

    /// What to do about a key that is missing: "set OPENAI_API_KEY".
    pub fn key_advice(&self) -> Option<String> {
        let into_file = self.key_file.as_ref().map(|_| "put a key into its api_key_file".to_owned());
        self.key_variable.as_ref().map(|variable| format!("set {variable}")).or(into_file)
    }

    pub fn identity(&self) -> Identity {
        let key = self.api_key.as_ref().map_or("", |key| key.expose_secret());
        Identity::of([self.name.as_str(), &self.base_url, key].map(str::as_bytes))
    }
}

impl Identity {
    pub fn of<const N: usize>(parts: [&[u8]; N]) -> Self {
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            // With its length, so that no two lists of parts read the same.
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
        }
        let mut identity = [0; 16];
        hasher.finalize_xof().fill(&mut identity);
        Self(identity)
    }
}

impl Match {
    /// Whether a call of the tool can match, for some project and caller.
    pub fn may_take_tool(&self, name: &str) -> bool {
        let named = self.tools.as_ref().is_none_or(|tools| tools.contains("*") || tools.contains(name));
        named && self.endpoints.is_none()
    }

    fn holds(&self, target: &Target, projects: &[String], caller: &str) -> bool {
        let tools = self.tools.as_ref().is_none_or(|tools| match target {
            Target::Tool(name) => tools.contains("*") || tools.contains(name),
            Target::Endpoint(_) => false,
        });
        let endpoints = self.endpoints.as_ref().is_none_or(|endpoints| match target {
            Target::Tool(_) => false,
            Target::Endpoint(endpoint) => endpoints.contains(endpoint),
        });
        let in_project =
            self.projects.as_ref().is_none_or(|wanted| projects.iter().any(|project| wanted.contains(project)));
        let from_caller = self.callers.as_ref().is_none_or(|wanted| wanted.contains(caller));
        tools && endpoints && in_project && from_caller
    }
}

impl Envelope {
    /// The time for one attempt. A quarter of the deadline is kept for the next candidate, if one may follow, and one
    /// attempt never takes more than three quarters: at the default 40 s a model call gives up after 30 s.
    pub fn attempt_time(&self, left: Duration, another_may_follow: bool) -> Duration {
        let quarter = self.deadline / 4;
        let kept = if another_may_follow { quarter.min(left / 2) } else { Duration::ZERO };
        (left - kept).min(self.deadline - quarter)
    }
}
