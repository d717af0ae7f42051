//! Local models that are not loaded: one is asked to be, and a request waits for it only if it has the time.
//!
//! The load is not the request's: it is made beside it, so a caller that goes away does not stop it, and its time says
//! nothing of the model's health.

use std::time::Duration;

use tokio::time::Instant;

use super::dispatch::{End, Run};
use super::parts::Snapshot;
use crate::error::Kind;
use crate::health::Evidence;
use crate::policy::{Model, Timeouts};
use crate::provider::Answer;
use crate::request::{AttemptKind, AttemptResult, Decision, Exclusion};

/// What is left for the answer itself, once the model is there.
const ANSWER: Duration = Duration::from_secs(5);

/// Whether a model that needs so long to load can answer within this time.
pub(super) fn is_worth_the_wait(load: Duration, time: Duration) -> bool {
    load.saturating_add(ANSWER) <= time
}

/// "small is not loaded; loading takes about 15 s".
pub(super) fn told(model: impl std::fmt::Display, load: Duration) -> String {
    format!("{model} is not loaded; loading takes about {} s", load.as_secs_f64().ceil())
}

impl Snapshot {
    /// How long this model still needs until it can answer, if it is not loaded.
    pub fn asleep(&self, model: &Model) -> Option<Duration> {
        self.residents.asleep(self.policy.identity(model), Instant::now().into_std())
    }

    /// Has the models loaded that this request would have begun with.
    pub fn warm(&self, decision: &Decision) {
        for candidate in &decision.candidates {
            let wanted = candidate.excluded == Some(Exclusion::NotLoaded) && candidate.tier == decision.tier;
            if let Some(model) = self.policy.models.get(&candidate.model).filter(|_| wanted) {
                self.residents.want(self.policy.identity(model));
            }
        }
    }
}

impl Run<'_> {
    /// What the decision saw may be seconds old by now, and so may be the time that was left then.
    pub(super) fn awake_enough(&mut self, model: &Model, kind: AttemptKind, more: bool) -> Result<(), End> {
        let Some(load) = self.snapshot.asleep(model) else { return Ok(()) };
        self.snapshot.residents.want(self.policy.identity(model));
        if is_worth_the_wait(load, self.meter.attempt_time(Instant::now(), more)) {
            return Ok(());
        }
        let why = format!("{}.", told(&model.spec.name, load));
        Err(self.skip(model, kind, AttemptResult::Skipped, why))
    }

    /// The first word of a model that is not loaded comes later by its load.
    pub(super) fn patience(&self, model: &Model) -> Timeouts {
        let load = self.snapshot.asleep(model).unwrap_or_default();
        Timeouts { first_token: model.timeouts.first_token + load, ..model.timeouts }
    }

    /// A model that is being loaded is slow or says that it is busy, and is well.
    pub(super) fn unless_asleep(
        &self,
        model: &Model,
        was_asleep: bool,
        answer: &Answer,
        evidence: Evidence,
    ) -> Evidence {
        match &answer.result {
            Ok(_) => self.snapshot.residents.answered(self.policy.identity(model), Instant::now().into_std()),
            // llama.cpp says 503 while it loads.
            Err(error) if error.kind == Kind::UpstreamTimeout || answer.http_status == Some(503) => {
                if was_asleep || self.snapshot.asleep(model).is_some() {
                    return Evidence::None;
                }
            }
            Err(_) => {}
        }
        evidence
    }
}

#[cfg(test)]
#[path = "asleep_tests.rs"]
mod tests;
