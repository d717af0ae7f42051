//! The shape of routing.yaml, version 1, as it stands in the file: every key, nothing resolved.
//!
//! Everything is an `Option`, so that a file with mistakes can still be read as far as it goes and all of its mistakes
//! be told; what is required says so to the schema. The descriptions are what an editor shows. These types never
//! leave this folder.

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;

use super::values::{Lapse, Named, Share, Size, Usd};
use crate::chat::Capability;

/// taskgate's policy: which models there are, and which request goes to which of them.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "taskgate routing.yaml, version 1")]
pub struct RawPolicy {
    /// The version of this format: 1.
    #[schemars(required)]
    pub version: Option<u32>,
    /// `system` (default) or an IANA name such as Europe/Berlin. "Next friday", overdue and "today" use it.
    pub time_zone: Option<String>,
    /// Places to send to, by name.
    #[schemars(required)]
    pub backends: Option<Named<RawBackend>>,
    /// Models, by name.
    #[schemars(required)]
    pub models: Option<Named<RawModel>>,
    /// Cheapest first. Models of a tier are tried in order. The tier `none` (logic only) always exists.
    #[schemars(required)]
    pub tiers: Option<Named<Vec<String>>>,
    pub classifier: Option<RawClassifier>,
    /// The first match wins.
    pub routes: Option<Vec<RawRoute>>,
    pub escalate: Option<RawEscalate>,
    pub fallback: Option<RawFallback>,
    pub retry: Option<RawRetry>,
    pub envelope: Option<RawEnvelope>,
    pub breaker: Option<RawBreaker>,
    pub cache: Option<RawCache>,
    /// Limits of who asks, by the caller's name, before the cache and before any model. A caller without an entry has
    /// the limits of `default`, each for itself; over stdio the caller is `local`.
    pub callers: Option<Named<RawCaller>>,
    pub budgets: Option<Vec<RawBudget>>,
    pub ledger: Option<RawLedger>,
}

/// A place to send to.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawBackend {
    /// http(s) address of an OpenAI-compatible API, usually ending in /v1. ${NAME} and ${NAME:-default} are replaced.
    #[schemars(required, extend("x-env" = true))]
    pub base_url: Option<String>,
    /// The key. ${NAME} and ${NAME:-default} are replaced; empty or unset means no key.
    #[schemars(with = "Option<String>", extend("x-env" = true, "x-kind" = "secret"))]
    pub api_key: Option<SecretString>,
    /// A file that holds the key, instead of `api_key`; read again when it changes. A relative path begins at the
    /// policy's folder.
    pub api_key_file: Option<String>,
    /// Whether text leaves the machine.
    #[schemars(required)]
    pub location: Option<RawLocation>,
    pub status: Option<RawStatus>,
    /// Load the models of a local backend when the process starts, and when a changed policy brings or moves it, without
    /// waiting for it. Default: false.
    pub prewarm: Option<bool>,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawLocation {
    /// Text stays on this machine or in your own network.
    Local,
    /// Text leaves the machine.
    Hosted,
}

/// Where a backend tells which models it holds in memory.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawStatus {
    #[schemars(required)]
    pub kind: Option<RawStatusKind>,
    /// Where to ask. Default: base_url without its /v1. ${NAME} and ${NAME:-default} are replaced.
    #[schemars(extend("x-env" = true))]
    pub url: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawStatusKind {
    None,
    Ollama,
    LlamaCpp,
}

/// One model at one backend.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawModel {
    /// The name of a backend.
    #[schemars(required)]
    pub backend: Option<String>,
    /// The name that the backend knows. Default: the model's own name.
    pub upstream: Option<String>,
    /// Prompt and answer together.
    #[schemars(required)]
    pub context_tokens: Option<u64>,
    /// Always sent as max_tokens unless the caller asks for less.
    #[schemars(required)]
    pub max_output_tokens: Option<u64>,
    /// What the model can do beyond plain text.
    pub capabilities: Option<Vec<Capability>>,
    /// USD per million tokens.
    pub price: Option<RawPrice>,
    pub limits: Option<RawLimits>,
    pub timeouts: Option<RawTimeouts>,
}

/// USD per million tokens.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawPrice {
    #[schemars(required)]
    pub input: Option<Usd>,
    /// Default: the price of input.
    pub cached_input: Option<Usd>,
    #[schemars(required)]
    pub output: Option<Usd>,
}

/// What this process may send to a model, or takes from a caller. What is left out has no limit.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawLimits {
    pub concurrency: Option<u32>,
    pub requests_per_minute: Option<u32>,
    /// Of prompts and answers together; set aside before a call, corrected after it.
    pub tokens_per_minute: Option<u32>,
    /// `wait` (default: as long as the request's time and `retry.max_retry_after` allow) or `refuse` (at once: a model is
    /// passed over, a caller turned away).
    pub when_reached: Option<RawWhenReached>,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawWhenReached {
    Wait,
    Refuse,
}

/// Who asks, and how much.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawCaller {
    /// All of this caller's: nothing is added from `default`.
    pub limits: Option<RawLimits>,
}

/// What is left out has the default of the backend's location.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawTimeouts {
    pub connect: Option<Lapse>,
    /// From sending to the first piece of the answer.
    pub first_token: Option<Lapse>,
    /// Between two pieces of the answer.
    pub idle: Option<Lapse>,
    pub total: Option<Lapse>,
}

/// How hard requests are told apart.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawClassifier {
    /// Complexity (0 to 1) at or above goes to that tier. The first tier needs none.
    pub thresholds: Option<Named<f64>>,
    /// The share of what pass rates alone would send up that stays local, to keep learning. Default: 5%.
    pub explore: Option<Share>,
    /// Overrides, per signal; `taskgate explain` shows them all.
    pub weights: Option<Named<f64>>,
}

/// A rule: what it matches, and what then applies.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawRoute {
    #[schemars(required)]
    pub name: Option<String>,
    /// All keys must hold. Left out: everything matches.
    #[serde(rename = "match")]
    pub matches: Option<RawMatch>,
    /// `auto` (default: the classifier chooses), a tier's name, or `none` (logic only).
    pub tier: Option<String>,
    /// Never higher than this tier, whatever happens.
    pub max_tier: Option<String>,
    /// Over the classifier's.
    pub thresholds: Option<Named<f64>>,
    /// 0 to 2.
    pub temperature: Option<f64>,
    /// `conversation`: keep the model of a conversation while it works and fits. Default: `none`.
    pub sticky: Option<RawSticky>,
    /// What a check on free chat does with its verdict: `record` (default) passes the answer on all the same, `hold` waits
    /// for the verdict and goes on to the next tier, `off` checks nothing. A tool's answers are always held.
    pub check: Option<RawCheck>,
    pub escalate: Option<RawEscalate>,
    pub fallback: Option<RawFallback>,
    pub envelope: Option<RawEnvelope>,
    pub cache: Option<RawRouteCache>,
    /// false: the route is checked, then left out.
    pub enabled: Option<bool>,
}

/// All keys must hold.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawMatch {
    /// Names of tools; "*" is any.
    pub tools: Option<Vec<String>>,
    /// Ways in for OpenAI clients; a route has tools or endpoints, not both.
    pub endpoints: Option<Vec<RawEndpoint>>,
    /// Any task of one of these projects in the question.
    pub projects: Option<Vec<String>>,
    pub callers: Option<Vec<String>>,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawEndpoint {
    Chat,
    Responses,
    Embeddings,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawSticky {
    None,
    Conversation,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawCheck {
    Record,
    Hold,
    Off,
}

/// Going to the next tier because an answer was rejected.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawEscalate {
    /// Default: true.
    pub on_rejected: Option<bool>,
}

/// Going to another model because a call failed or was not admitted.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawFallback {
    /// A failed call may go to a higher tier. Default: true.
    pub upward: Option<bool>,
    /// A failed call may go to a lower tier. Default: true.
    pub downward: Option<bool>,
}

/// Asking the same model again after a short fault, with full jitter.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawRetry {
    /// Calls of one model within a request, the first one included. Default: 2.
    pub max_per_model: Option<u32>,
    /// Default: 250ms.
    pub initial: Option<Lapse>,
    /// Default: 8s.
    pub max: Option<Lapse>,
    /// The longest wait that a backend may ask for before another model is tried. Default: 15s.
    pub max_retry_after: Option<Lapse>,
    /// Retries as a share of requests.
    pub budget: Option<Share>,
    pub budget_floor_per_minute: Option<u32>,
}

/// What one request may use, whatever happens inside it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawEnvelope {
    /// Default: 40s.
    pub deadline: Option<Lapse>,
    /// Default: 5.
    pub max_attempts: Option<u32>,
    /// Default: 0.25.
    pub max_cost_usd: Option<Usd>,
}

/// When a model that keeps failing is left alone, and for how long.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawBreaker {
    /// So many failures within `window`, 1 to 1000. Default: 5.
    pub failures: Option<u32>,
    /// Default: 30s.
    pub window: Option<Lapse>,
    /// Or so many timeouts or refused connections in a row, however far apart. Default: 2.
    pub consecutive_timeouts: Option<u32>,
    /// How long the model is left alone, or a backend that refused the key. Default: 15s.
    pub open: Option<Lapse>,
    /// Calls at a time that then find out whether it is well again. Default: 1.
    pub probes: Option<u32>,
}

/// Answers kept in memory.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawCache {
    /// Default: 64MiB.
    pub max_bytes: Option<Size>,
    /// How long an answer is kept; 0s keeps nothing. Default: 10m.
    pub ttl: Option<Lapse>,
}

/// Over the file's `cache.ttl`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawRouteCache {
    /// How long an answer is kept; 0s keeps nothing.
    pub ttl: Option<Lapse>,
}

/// A limit on money over days. It holds over all processes that share a database.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawBudget {
    #[schemars(required)]
    pub name: Option<String>,
    /// What counts: `all` (default), or one of `caller:NAME`, `tool:NAME`, `model:NAME`.
    pub scope: Option<String>,
    #[schemars(required)]
    pub limit_usd: Option<Usd>,
    /// From midnight to midnight in the policy's time zone; weeks begin on Mondays.
    #[schemars(required)]
    pub per: Option<RawPeriod>,
    /// `free_only` (default: go on with models that cost nothing) or `reject` (end the request).
    pub when_spent: Option<RawWhenSpent>,
    /// The share of the limit from which on it is told that the money runs out. Default: 80%.
    pub warn_at: Option<Share>,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawPeriod {
    Day,
    Week,
    Month,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawWhenSpent {
    FreeOnly,
    Reject,
}

/// What is kept of requests.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawLedger {
    /// How long single requests are kept, at least 1d; the sums over them stay. Default: 90d.
    pub retain: Option<Lapse>,
    /// Prompts are kept only if this is true. Default: false.
    pub record_prompts: Option<bool>,
}
