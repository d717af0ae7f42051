//! Every metric of ours: name, labels, unit, buckets and the sentence that explains it. The one list that describes,
//! buckets and the check of the dashboards read.
//!
//! A family knows how many labels it has, so a forgotten label does not compile.

use metrics::Unit;

/// One metric with `N` labels.
pub(super) struct Family<const N: usize> {
    pub name: &'static str,
    pub labels: [&'static str; N],
}

/// What the recorder is told about a family at start.
pub(super) struct Description {
    pub name: &'static str,
    pub labels: &'static [&'static str],
    pub kind: Kind,
    pub unit: Unit,
    pub help: &'static str,
}

#[derive(Clone, Copy)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram(&'static [f64]),
}

/// The names of all metrics of this crate, without those of the process.
pub fn metric_names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|family| family.name)
}

/// What the text of a metric is made of, for whoever counts its series.
pub struct Shape {
    pub name: &'static str,
    pub labels: &'static [&'static str],
    /// Series for each set of labels: a histogram has one for each bucket, the last one, its sum and its count.
    pub series: usize,
}

/// The same metrics with their labels.
pub fn metric_shapes() -> impl Iterator<Item = Shape> {
    ALL.iter().map(|family| {
        let series = match family.kind {
            Kind::Counter | Kind::Gauge => 1,
            Kind::Histogram(buckets) => buckets.len() + 3,
        };
        Shape { name: family.name, labels: family.labels, series }
    })
}

macro_rules! families {
    ($($family:ident = $name:literal [$($label:literal),*], $kind:expr, $unit:ident, $help:literal;)+) => {
        $(pub(super) const $family: Family<{ <[&str]>::len(&[$($label),*]) }> =
            Family { name: $name, labels: [$($label),*] };)+
        pub(super) const ALL: &[Description] =
            &[$(Description { name: $name, labels: &[$($label),*], kind: $kind, unit: Unit::$unit, help: $help }),+];
    };
}

use Kind::{Counter, Gauge, Histogram};

// Outcomes.
families! {
    REQUESTS = "taskgate_requests_total" ["door", "tool", "route", "tier", "status"], Counter, Count,
        "Requests that ended, by how they ended and the tier that answered (none: logic alone, or nobody: rejected, failed, cancelled).";
    ATTEMPTS = "taskgate_attempts_total" ["model", "kind", "result"], Counter, Count,
        "Tries at a model, by why they were made and how they ended. Skipped ones were never sent.";
    CHECKS = "taskgate_checks_total" ["tool", "model", "result"], Counter, Count,
        "Answers that were checked: accepted or rejected.";
    ESCALATIONS = "taskgate_escalations_total" ["from", "to", "reason"], Counter, Count,
        "Requests that went to another tier because an answer was rejected, by what was wrong with it.";
    FALLBACKS = "taskgate_fallbacks_total" ["from", "to", "reason"], Counter, Count,
        "Requests that went to another model because a call failed or was not admitted.";
    RETRIES = "taskgate_retries_total" ["model", "reason"], Counter, Count,
        "Calls of the same model again, by how the call before ended.";
    TOKENS = "taskgate_tokens_total" ["model", "type", "usage"], Counter, Count,
        "Tokens used. input excludes cached_input, so the types add up; usage says who counted.";
    USAGE_MISSING = "taskgate_usage_missing_total" ["model"], Counter, Count,
        "Whole answers for which the upstream reported no usage.";
    COST = "taskgate_cost_nanousd_total" ["model", "route"], Counter, Count,
        "Money spent, in nano-dollars (1 USD = 1,000,000,000).";
    TOOL_COST = "taskgate_tool_cost_nanousd_total" ["tool"], Counter, Count,
        "The same money by the tool that it was spent for, in nano-dollars.";
    WASTED = "taskgate_wasted_cost_nanousd_total" ["model", "reason"], Counter, Count,
        "The part of the cost that bought no answer, in nano-dollars, by how the attempt ended.";
    COUNTERFACTUAL = "taskgate_counterfactual_cost_nanousd_total" ["route"], Counter, Count,
        "What the same tokens cost at the first priced model of the highest tier, in nano-dollars.";
    BUDGET_OVERRUN = "taskgate_budget_overrun_nanousd_total" ["budget"], Counter, Count,
        "What calls cost beyond what was set aside for them, because an upstream reported more than it was allowed, in nano-dollars.";
    BUDGET_REFUSALS = "taskgate_budget_refusals_total" ["budget"], Counter, Count,
        "Tries that a budget kept back, because what was left of it was less than they could cost.";
    BUDGET_LIMIT = "taskgate_budget_limit_nanousd" ["budget"], Gauge, Count,
        "What a budget may spend in its period, in nano-dollars.";
    BUDGET_SPENT = "taskgate_budget_spent_nanousd" ["budget"], Gauge, Count,
        "What a budget has spent in its present period, in nano-dollars, over all processes.";
    BUDGET_RESETS = "taskgate_budget_resets_timestamp_seconds" ["budget"], Gauge, Seconds,
        "When a budget's present period ends and it begins anew, in seconds since 1970.";
    PRICE_LOOKUPS = "taskgate_price_lookups_total" ["model", "status"], Counter, Count,
        "Calls by whether the model has a price: priced, free, unpriced, unknown (not in this process's policy).";
    CACHE_REQUESTS = "taskgate_cache_requests_total" ["result"], Counter, Count,
        "Requests that want a model, by what the cache did for them.";
    CACHE_SAVED = "taskgate_cache_saved_nanousd_total" ["route"], Counter, Count,
        "What answers had cost that were given again from the cache or shared, in nano-dollars: money not spent twice.";
    LIMIT_REJECTIONS = "taskgate_limit_rejections_total" ["limit"], Counter, Count,
        "Tries that a limit of our own kept back, and requests that a limit of who asks did (caller_*).";
    WARM_UPS = "taskgate_warm_ups_total" ["model", "result"], Counter, Count,
        "Times that this process had a local model loaded beside the requests: loaded or failed. Nobody's attempts.";
    REQUEST_DURATION = "taskgate_request_duration_seconds" ["door", "route", "tier"], Histogram(REQUEST_SECONDS), Seconds,
        "From the call to its result.";
    TIME_TO_FIRST_TOKEN = "taskgate_time_to_first_token_seconds" ["model"], Histogram(FIRST_TOKEN_SECONDS), Seconds,
        "From sending a request to a model to the first text of its answer.";
    OVERHEAD = "taskgate_overhead_seconds" ["door"], Histogram(OVERHEAD_SECONDS), Seconds,
        "The part of a request that no model worked on: our own work and waits between tries.";
    COMPLEXITY = "taskgate_complexity" ["route"], Histogram(TENTHS), Count,
        "The classifier's score of requests that want a model, from 0 to 1.";
    IN_FLIGHT = "taskgate_in_flight" ["door"], Gauge, Count,
        "Requests that are being worked on.";
    BREAKER_STATE = "taskgate_breaker_state" ["model"], Gauge, Count,
        "The breaker of each model: 0 closed, 1 half-open, 2 open, here or in another process on the same database.";
    CONFIG_INFO = "taskgate_config_info" ["hash"], Gauge, Count,
        "1 for the policy that decides now, by the hash of its text.";
    CONFIG_RELOADS = "taskgate_config_reloads_total" ["result"], Counter, Count,
        "Changes of the policy's files that were read while the process ran: taken, or refused whole.";
    CONFIG_RELOADED = "taskgate_config_last_reload_successful" [], Gauge, Count,
        "1 when the last policy that was read is in use, 0 when it was refused.";
    BUILD_INFO = "taskgate_build_info" ["version"], Gauge, Count,
        "1 for the version that runs.";
    MODEL_INFO = "taskgate_model_info" ["model", "backend", "location", "price"], Gauge, Count,
        "1 for each model of the policy that decides now: local or hosted; free, priced or unpriced.";
    LEDGER_FAILURES = "taskgate_ledger_failures_total" [], Counter, Count,
        "Requests of this process that could not be written to the ledger.";
    LEDGER_LAG = "taskgate_ledger_lag_seconds" [], Gauge, Seconds,
        "How long ago this server last knew everything that the ledger holds.";
    SPEND = "taskgate_spend_nanousd" ["model", "period"], Gauge, Count,
        "Money spent since the day or the month began, in nano-dollars, over all processes.";
    TASKS = "taskgate_tasks" ["status"], Gauge, Count,
        "Tasks by status.";
    GEN_AI_DURATION = "gen_ai_client_operation_duration_seconds"
        ["gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "error_type"],
        Histogram(OPERATION_SECONDS), Seconds,
        "Duration of one call of a model, in OpenTelemetry's terms.";
    GEN_AI_TOKENS = "gen_ai_client_token_usage"
        ["gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "gen_ai_token_type"],
        Histogram(OPERATION_TOKENS), Count,
        "Tokens of one call of a model, in OpenTelemetry's terms; input includes cached input.";
}

/// Task bookkeeping takes milliseconds, a model seconds; 40 s is the default deadline and 50 s the last one a host
/// waits for, so the edges stand close around them.
const REQUEST_SECONDS: &[f64] =
    &[0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0];

/// A hosted model starts within a second; a small machine reads a long prompt for half a minute.
const FIRST_TOKEN_SECONDS: &[f64] = &[0.05, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0];

/// Our own work is meant to stay under 5 ms; what is above 100 ms is a wait between tries.
const OVERHEAD_SECONDS: &[f64] = &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];

/// Thresholds are written in tenths.
const TENTHS: &[f64] = &[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0];

/// The boundaries that OpenTelemetry's conventions name for these two.
const OPERATION_SECONDS: &[f64] =
    &[0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
const OPERATION_TOKENS: &[f64] = &[
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1_024.0,
    4_096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];
