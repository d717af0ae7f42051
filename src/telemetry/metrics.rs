//! The typed face of the metrics: one value that counts, measures, and renders the text that Prometheus scrapes.
//!
//! It holds its own recorder instead of the process's global one, so that any number of them live side by side (each
//! test has its own). What it knows of the policy is only what labels need.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

use metrics::{Counter, Gauge, Histogram, KeyName, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use super::families::{self, Family, Kind};
use super::handles::Handles;
use super::zero::ToolFigures;
use crate::chat::NanoUsd;
use crate::error::{Error, Kind as ErrorKind, Result};
use crate::names::{BudgetName, ModelName, words};
use crate::policy::{Location, Policy};
use crate::request::{Allowance, Door, Limit, Scope, Signals, Standing};
use crate::tasks;

/// A cheap clone over one recorder.
#[derive(Clone)]
pub struct Metrics {
    inner: Arc<Inner>,
}

/// A request that is being worked on; it counts until it is dropped.
#[must_use]
pub struct InFlight(Gauge);

words!(
    /// What the spend gauges sum over: since midnight, since the first of the month.
    Period {
        Day => "day",
        Month => "month",
    }
);

words!(
    /// What became of a policy that was read while the process ran.
    Reload {
        Taken => "taken",
        Refused => "refused",
    }
);

words!(
    /// How a load ended that nobody asked for.
    WarmUp {
        Loaded => "loaded",
        Failed => "failed",
    }
);

struct Inner {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    counters: Handles<Counter>,
    gauges: Handles<Gauge>,
    histograms: Handles<Histogram>,
    process: metrics_process::Collector,
    tools: OnceLock<Vec<ToolFigures>>,
    known: RwLock<Known>,
    /// When this process last knew all of the ledger; only servers look.
    level: Mutex<Option<Instant>>,
    /// Requests of this process whose rows are lost.
    lost: AtomicU64,
    /// Every model that a spend gauge was set for: at midnight its sum is zero and the ledger no longer names it.
    spent: Mutex<BTreeSet<ModelName>>,
    /// Every budget that has a limit in the gauges.
    budgets: Mutex<BTreeSet<BudgetName>>,
}

/// What labels need of the policy.
#[derive(Default)]
struct Known {
    hash: String,
    models: BTreeMap<ModelName, KnownModel>,
    budgets: Vec<(BudgetName, Scope)>,
}

struct KnownModel {
    backend: String,
    location: &'static str,
    pricing: &'static str,
}

impl Metrics {
    /// Makes the recorder with its buckets and describes every metric.
    pub fn install() -> Result<Self> {
        let mut builder = PrometheusBuilder::new();
        for family in families::ALL {
            if let Kind::Histogram(buckets) = family.kind {
                builder = builder
                    .set_buckets_for_metric(Matcher::Full(family.name.to_owned()), buckets)
                    .map_err(|error| Error::new(ErrorKind::Internal, "The metrics cannot be set up").source(error))?;
            }
        }
        let recorder = builder.build_recorder();
        let process = metrics_process::Collector::default();
        metrics::with_local_recorder(&recorder, || process.describe());
        for family in families::ALL {
            let (name, unit, help) = (KeyName::from(family.name), Some(family.unit), family.help.into());
            match family.kind {
                Kind::Counter => recorder.describe_counter(name, unit, help),
                Kind::Gauge => recorder.describe_gauge(name, unit, help),
                Kind::Histogram(_) => recorder.describe_histogram(name, unit, help),
            }
        }
        let inner = Inner {
            handle: recorder.handle(),
            recorder,
            counters: Handles::default(),
            gauges: Handles::default(),
            histograms: Handles::default(),
            process,
            tools: OnceLock::new(),
            known: RwLock::default(),
            level: Mutex::default(),
            lost: AtomicU64::default(),
            spent: Mutex::default(),
            budgets: Mutex::default(),
        };
        let metrics = Self { inner: Arc::new(inner) };
        metrics.set(&families::BUILD_INFO, [env!("CARGO_PKG_VERSION")], 1.0);
        for door in Door::ALL {
            metrics.set(&families::IN_FLIGHT, [door.as_str()], 0.0);
        }
        metrics.count(&families::LEDGER_FAILURES, [], 0);
        for reload in Reload::ALL {
            metrics.count(&families::CONFIG_RELOADS, [reload.as_str()], 0);
        }
        for limit in Limit::ALL {
            metrics.count(&families::LIMIT_REJECTIONS, [limit.as_str()], 0);
        }
        Ok(metrics)
    }

    #[cfg(test)]
    pub fn for_tests() -> Self {
        Self::install().unwrap()
    }

    /// Says which policy decides from now on.
    pub fn set_policy(&self, policy: &Policy) {
        let models = policy.models.iter().map(|(name, model)| {
            let pricing = match &model.price {
                None => "unpriced",
                Some(price) if price.is_free() => "free",
                Some(_) => "priced",
            };
            let location = match policy.backend_of(model).map(|backend| backend.location) {
                Some(Location::Hosted) => "hosted",
                Some(Location::Local) | None => "local",
            };
            (name.clone(), KnownModel { backend: model.backend.to_string(), location, pricing })
        });
        let budgets = policy.budgets.iter().map(|budget| (budget.name.clone(), budget.scope.clone()));
        let new = Known { hash: policy.hash.clone(), models: models.collect(), budgets: budgets.collect() };
        let old = {
            let mut known = self.inner.known.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *known, new)
        };
        self.set(&families::CONFIG_RELOADED, [], 1.0);
        self.show_models(&old, 0.0);
        self.show_models(&self.known(), 1.0);
        for (name, _) in policy.models.iter().filter(|(_, model)| policy.is_warmed(model)) {
            for result in WarmUp::ALL {
                self.count(&families::WARM_UPS, [name.as_str(), result.as_str()], 0);
            }
        }
        self.begin_at_zero(policy, self.inner.tools.get().map_or(&[], Vec::as_slice));
        self.spent().extend(policy.models.keys().cloned());
    }

    /// Says once, before the first policy, which tools there are.
    pub fn set_tools(&self, tools: impl IntoIterator<Item = ToolFigures>) {
        self.inner.tools.get_or_init(|| tools.into_iter().collect());
    }

    /// A policy was read while the process ran.
    pub fn reloaded(&self, result: Reload) {
        self.count(&families::CONFIG_RELOADS, [result.as_str()], 1);
        self.set(&families::CONFIG_RELOADED, [], f64::from(result == Reload::Taken));
    }

    /// A model was loaded before anyone asked it, or could not be.
    pub fn warmed_up(&self, model: &ModelName, result: WarmUp) {
        self.count(&families::WARM_UPS, [model.as_str(), result.as_str()], 1);
    }

    pub fn request_started(&self, door: Door) -> InFlight {
        let gauge = self.gauge(&families::IN_FLIGHT, [door.as_str()]);
        gauge.increment(1.0);
        InFlight(gauge)
    }

    /// A request whose row is lost.
    pub fn ledger_failed(&self) {
        self.inner.lost.fetch_add(1, Ordering::Relaxed);
        self.count(&families::LEDGER_FAILURES, [], 1);
    }

    /// Rows that other processes say they have lost.
    pub fn ledger_failed_elsewhere(&self, rows: u64) {
        self.count(&families::LEDGER_FAILURES, [], rows);
    }

    /// How many rows this process has lost.
    pub fn lost_rows(&self) -> u64 {
        self.inner.lost.load(Ordering::Relaxed)
    }

    /// How long ago this process last knew all of the ledger; `None` when it does not look.
    pub fn ledger_lag(&self, now: Instant) -> Option<Duration> {
        let level = *self.inner.level.lock().unwrap_or_else(PoisonError::into_inner);
        level.map(|level| now.saturating_duration_since(level))
    }

    /// At that time this process, or the one whose turn it was, had counted all that the ledger held.
    pub fn ledger_level(&self, at: Instant) {
        *self.inner.level.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
    }

    /// 0 closed, 1 half-open, 2 open; in this process.
    pub fn set_breaker(&self, model: &ModelName, state: u8) {
        self.set(&families::BREAKER_STATE, [model.as_str()], f64::from(state));
    }

    /// Sums of the ledger; a model that is not named spent nothing.
    pub fn set_spend(&self, period: Period, spend: &[(ModelName, NanoUsd)]) {
        let mut models = self.spent();
        models.extend(spend.iter().map(|(model, _)| model.clone()));
        for known in models.iter() {
            let amount = spend.iter().find(|(model, _)| model == known).map_or(NanoUsd::ZERO, |(_, amount)| *amount);
            self.set(&families::SPEND, [known.as_str(), period.as_str()], amount.0 as f64);
        }
    }

    /// How the budgets stand in their present periods. One that is not named is none any more: it has no limit.
    pub fn set_budgets(&self, allowances: &[Allowance], standings: &[Standing]) {
        let now: BTreeSet<BudgetName> = allowances.iter().map(|allowance| allowance.budget.clone()).collect();
        let before = std::mem::replace(&mut *self.inner.budgets.lock().unwrap_or_else(PoisonError::into_inner), now);
        for gone in before.iter().filter(|name| !allowances.iter().any(|allowance| allowance.budget == **name)) {
            self.set(&families::BUDGET_LIMIT, [gone.as_str()], 0.0);
            self.set(&families::BUDGET_SPENT, [gone.as_str()], 0.0);
        }
        for (Allowance { budget, limit, ends, .. }, standing) in allowances.iter().zip(standings) {
            self.set(&families::BUDGET_LIMIT, [budget.as_str()], limit.0 as f64);
            self.set(&families::BUDGET_SPENT, [budget.as_str()], standing.spent.0 as f64);
            self.set(&families::BUDGET_RESETS, [budget.as_str()], ends.as_second() as f64);
        }
    }

    /// Counts of the store; a status that is not named has none.
    pub fn set_tasks(&self, counts: &[(tasks::Status, u64)]) {
        for status in tasks::Status::ALL {
            let count = counts.iter().find(|(known, _)| known == status).map_or(0, |(_, count)| *count);
            self.set(&families::TASKS, [status.as_str()], count as f64);
        }
    }

    /// The text format of Prometheus, with the figures of the process as they are now.
    pub fn render(&self) -> String {
        if let Some(level) = *self.inner.level.lock().unwrap_or_else(PoisonError::into_inner) {
            self.set(&families::LEDGER_LAG, [], level.elapsed().as_secs_f64());
        }
        metrics::with_local_recorder(&self.inner.recorder, || self.inner.process.collect());
        self.inner.handle.render() + &self.config_info()
    }

    /// The recorder forgets no series, and every change of the policy has another hash: only the present one is told, so
    /// that changes make no series that stay.
    fn config_info(&self) -> String {
        let (Family { name, labels: [label] }, known) = (families::CONFIG_INFO, self.known());
        let help = families::ALL.iter().find(|family| family.name == name).map_or("", |family| family.help);
        match known.hash.as_str() {
            "" => String::new(),
            hash => format!("# HELP {name} {help}\n# TYPE {name} gauge\n{name}{{{label}=\"{hash}\"}} 1\n\n"),
        }
    }

    /// Folds what histograms have gathered. Without it they grow for as long as nobody scrapes.
    pub fn upkeep(&self) {
        self.inner.handle.run_upkeep();
    }

    pub(super) fn count<const N: usize>(&self, family: &Family<N>, labels: [&str; N], by: u64) {
        let make = |key: &_| self.inner.recorder.register_counter(key, &METADATA);
        self.inner.counters.of(family, labels, make).increment(by);
    }

    pub(super) fn record<const N: usize>(&self, family: &Family<N>, labels: [&str; N], value: f64) {
        let make = |key: &_| self.inner.recorder.register_histogram(key, &METADATA);
        self.inner.histograms.of(family, labels, make).record(value);
    }

    /// The backend that a model is at, or "other" for one that this process's policy does not have.
    pub(super) fn provider_of(&self, model: &ModelName) -> String {
        self.known().models.get(model).map_or_else(|| "other".to_owned(), |model| model.backend.clone())
    }

    /// The budgets that a call counts against.
    pub(super) fn budgets_for(&self, signals: &Signals, model: &ModelName) -> Vec<BudgetName> {
        let covers = |(_, scope): &&(BudgetName, Scope)| scope.covers(signals, model);
        self.known().budgets.iter().filter(covers).map(|(name, _)| name.clone()).collect()
    }

    /// Its name, or "other" for one that this process's policy does not have.
    pub(super) fn budget_label<'a>(&self, budget: &'a BudgetName) -> &'a str {
        let is_known = self.known().budgets.iter().any(|(name, _)| name == budget);
        if is_known { budget.as_str() } else { "other" }
    }

    pub(super) fn pricing_of(&self, model: &ModelName) -> &'static str {
        self.known().models.get(model).map_or("unknown", |model| model.pricing)
    }

    fn set<const N: usize>(&self, family: &Family<N>, labels: [&str; N], value: f64) {
        self.gauge(family, labels).set(value);
    }

    fn show_models(&self, known: &Known, value: f64) {
        for (name, model) in &known.models {
            let labels = [name.as_str(), &model.backend, model.location, model.pricing];
            self.set(&families::MODEL_INFO, labels, value);
        }
    }

    fn known(&self) -> RwLockReadGuard<'_, Known> {
        self.inner.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn spent(&self) -> MutexGuard<'_, BTreeSet<ModelName>> {
        self.inner.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn gauge<const N: usize>(&self, family: &Family<N>, labels: [&str; N]) -> Gauge {
        self.inner.gauges.of(family, labels, |key| self.inner.recorder.register_gauge(key, &METADATA))
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

const METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, None);
