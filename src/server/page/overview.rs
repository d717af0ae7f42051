//! What the page shows and `GET /api/overview` answers: its shape, field by field.
//!
//! No task text, no prompt and no key is in it: names of the policy, closed codes with their sentences, numbers. It
//! holds nothing that changes by time alone, so that an unchanged ledger gives an unchanged answer.

use jiff::Timestamp;
use serde::Serialize;

use crate::chat::NanoUsd;
use crate::names::{BackendName, BudgetName, ModelName, RouteName, TierName};
use crate::request::{
    AttemptKind, AttemptResult, CacheUse, Complexity, Door, Limit, Reason, Rejection, RequestId, Status,
};

#[derive(Debug, Clone, Serialize)]
pub(super) struct Overview {
    pub version: &'static str,
    pub policy_hash: String,
    /// Why the policy that the server read last is not in use; `None`: it is.
    pub policy_refused: Option<PolicyRefused>,
    /// The IANA name of the policy's time zone, by whose clocks a day begins; `None` when the system does not name it.
    pub time_zone: Option<String>,
    /// Processes that share this database and were heard lately, this one included.
    pub processes: usize,
    /// The worst of the remarks.
    pub verdict: Level,
    /// What a person should know now, the worst first.
    pub remarks: Vec<Remark>,
    /// In the order of the tiers, cheapest first.
    pub models: Vec<ModelNow>,
    pub today: Period,
    pub month: Period,
    /// In the policy's order, each in its present period.
    pub budgets: Vec<BudgetNow>,
    /// Who can answer, in the order in which `counts` of a `Slice` are given.
    pub answered_by: Vec<AnsweredBy>,
    /// The last 24 hours, the oldest first; the last one is still going on.
    pub hours: Vec<Slice>,
    /// The last 30 days, likewise.
    pub days: Vec<Slice>,
    /// The last requests that wanted a model, the newest first.
    pub decisions: Vec<Decided>,
    /// Whether the ledger has any request at all.
    pub is_new: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Level {
    Well,
    /// Worth knowing; everything that is meant to work does.
    Notice,
    /// Something that is meant to work does not.
    Trouble,
}

/// `code` is one of a small closed set, `text` a sentence that says what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Remark {
    pub level: Level,
    pub code: &'static str,
    pub text: String,
}

/// A policy that was read and not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct PolicyRefused {
    pub hash: String,
    /// Since when no file could be used.
    pub since: Timestamp,
    /// The first of them, in the order of the file.
    pub problems: Vec<PolicyProblem>,
    /// How many more there are.
    pub more: usize,
}

/// With what looks like a secret masked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct PolicyProblem {
    /// `None` when the file as a whole is meant.
    pub line: Option<usize>,
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct ModelNow {
    pub name: ModelName,
    pub tier: TierName,
    pub backend: BackendName,
    /// Whether the text of a question stays on this machine.
    pub is_local: bool,
    pub state: ModelState,
    /// When a model that is left alone is tried again.
    pub until: Option<Timestamp>,
    /// What the state means, for a person.
    pub note: String,
    /// Calls that were sent since midnight, and how many of their answers did not pass their check.
    pub calls_today: u64,
    pub rejected_today: u64,
    pub spent_today: Money,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ModelState {
    Ready,
    /// Its time alone is over; the next call finds out.
    Probing,
    /// It failed lately and is left alone for now.
    LeftAlone,
    /// It cannot be called until its backend's key is set.
    NoKey,
}

/// How far what was spent can be compared with the highest tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Compared {
    /// No answer of a model was used.
    Nothing,
    /// No answer has a price there.
    Unknown,
    Known,
    /// Some answers have no price there: it is at least so much.
    Partly,
    /// Some calls have no cost, so the difference lacks theirs.
    About,
}

/// Since midnight, or since the first of the month.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Period {
    pub since: Timestamp,
    pub requests: u64,
    /// `None`: nobody knows, because no call in it has a price.
    pub spent: Option<Money>,
    /// Calls whose cost nobody knows, and that are not in it.
    pub uncosted: u64,
    /// The part of it that bought no answer.
    pub wasted: Money,
    /// What is known of the two that follow.
    pub compared: Compared,
    /// What the answers of this period would have cost at the highest tier.
    pub highest_tier: Option<Money>,
    /// `highest_tier` less `spent`; below zero when the way up cost more than it saved.
    pub saved: Option<Money>,
    /// What the answers that the cache gave again had cost.
    pub cache_saved: Money,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct BudgetNow {
    pub name: BudgetName,
    /// What it counts, in the policy's words: `all`, `caller:NAME`, `tool:NAME`, `model:NAME`.
    pub scope: String,
    /// `day`, `week` or `month`.
    pub per: &'static str,
    pub limit: Money,
    pub spent: Money,
    /// Set aside for calls under way.
    pub reserved: Money,
    /// It kept a call back lately: what is left of it is less than that call could cost.
    pub refuses: bool,
    /// Of the limit, spent and set aside; above 1 when an upstream took more than it was allowed.
    pub share: f64,
    pub level: Level,
    /// When the next period begins.
    pub ends: Timestamp,
}

/// The exact amount, and as the command line writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Money {
    pub nanousd: i64,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct AnsweredBy {
    pub kind: AnswerKind,
    /// Which one, if a tier did.
    pub tier: Option<TierName>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum AnswerKind {
    /// No model was wanted.
    Logic,
    Cached,
    Tier,
    /// A model was wanted, and logic answered; or only the beginning of an answer came.
    Degraded,
    /// Refused, failed, or cancelled.
    Nobody,
}

/// One hour or one day by the policy's clocks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Slice {
    pub begins: Timestamp,
    /// "14:00", or "Nov 26".
    pub label: String,
    pub counts: Vec<u64>,
}

/// One request: `taskgate explain --request ID` tells it whole.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Decided {
    pub id: RequestId,
    pub at: Timestamp,
    pub door: Door,
    pub tool: String,
    pub route: RouteName,
    pub tier: TierName,
    pub complexity: Complexity,
    pub reasons: Vec<Reason>,
    pub status: Status,
    pub model: Option<ModelName>,
    pub cache: CacheUse,
    pub cost: Money,
    pub wasted: Money,
    pub highest_tier: Option<Money>,
    pub latency_ms: u64,
    pub failure: Option<String>,
    pub policy_hash: String,
    pub attempts: Vec<Tried>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Tried {
    pub model: ModelName,
    pub tier: TierName,
    pub kind: AttemptKind,
    pub result: AttemptResult,
    pub rejection: Option<Rejection>,
    pub kept_back: Option<Limit>,
    pub failure: Option<String>,
    pub tokens: u64,
    /// Whether the backend itself counted them.
    pub reported: bool,
    pub cost: Money,
    pub latency_ms: u64,
}

impl From<NanoUsd> for Money {
    fn from(amount: NanoUsd) -> Self {
        Self { nanousd: amount.0, text: amount.to_string() }
    }
}
