//! Health in the path of a request: who may be called is asked of the board, and how each call ended is told to it.
//!
//! Breakers that open or close are written down when the request settles, never while it waits for an answer.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::Gateway;
use super::decide::View;
use super::dispatch::{End, Run};
use super::parts::{Inner, Snapshot};
use crate::error::{Error, Kind};
use crate::health::{Admission, Ailment, Evidence, Residents, State, Turn, evidence};
use crate::names::ModelName;
use crate::policy::{Model, Timeouts};
use crate::provider::Answer;
use crate::request::{AttemptKind, AttemptResult};
use crate::store::SeenHealth;

/// What this process knows of a model's health.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelHealth {
    pub model: ModelName,
    pub state: State,
    /// Why it is left alone, if it is.
    pub ailment: Option<Ailment>,
}

/// A model's state by this process and by the last word of any: one that others opened is out here too, one that is
/// half-open here for want of a call is closed when another heard the model answer.
pub fn together(own: State, seen: Option<&SeenHealth>, now: Timestamp) -> State {
    match (own, seen.map(|seen| seen.open_until)) {
        (_, Some(Some(until))) if until > now => State::Open,
        (State::Closed, Some(Some(_))) => State::HalfOpen,
        (State::HalfOpen, Some(None)) => State::Closed,
        (own, _) => own,
    }
}

impl Gateway {
    /// What an earlier or another process saw: these models were open until then, which may be long ago.
    pub fn recall(&self, open: &[(ModelName, Timestamp)], at: Timestamp) {
        let (now, snapshot) = (Instant::now(), self.0.snapshot());
        for (model, until) in open {
            let left = Duration::try_from(until.duration_since(at)).unwrap_or_default();
            let Some(until) = now.checked_add(left) else { continue };
            snapshot.board.recall(model, until.into_std(), now.into_std());
        }
        self.show_health();
    }

    /// By the last word of other processes these are out still: an answer of one of them is written down.
    pub fn doubt(&self, models: impl IntoIterator<Item = ModelName>) {
        self.0.snapshot().board.doubt(models);
    }

    /// Writes down the openings and closings that could not be written before.
    pub async fn keep_turns(&self) {
        keep_turns(&self.0).await;
    }

    /// What is known of local models that sleep, for whoever looks after them.
    pub fn residents(&self) -> Residents {
        self.0.snapshot().residents.clone()
    }

    /// Sets the gauges. Beside calls, the passing of time alone makes an open breaker half-open.
    pub fn show_health(&self) {
        self.0.show_health();
    }

    /// Every model of the policy.
    pub fn health(&self) -> Vec<ModelHealth> {
        let (now, snapshot) = (now(), self.0.snapshot());
        let out = snapshot.board.out(now);
        let known = |(model, state)| ModelHealth { ailment: out.get(&model).copied(), model, state };
        snapshot.board.states(now).into_iter().map(known).collect()
    }
}

impl Snapshot {
    /// The world as the decision may know it.
    pub(super) fn view(&self) -> View {
        let asleep = self.policy.models.iter().filter_map(|(name, model)| Some((name.clone(), self.asleep(model)?)));
        let spent = self.purse().spent(Timestamp::now());
        View { spent, asleep: asleep.collect(), ..View::of(&self.policy, self.board.out(now())) }
    }

    /// Whether it has not been given up. That it asks for a wait is for whoever makes the wait to know.
    pub(super) fn is_well(&self, model: &ModelName) -> bool {
        self.board.out(now()).get(model).is_none_or(|ailment| *ailment == Ailment::Busy)
    }
}

impl Inner {
    fn show_health(&self) {
        for (model, state) in self.snapshot().board.states(now()) {
            self.metrics.set_breaker(&model, state as u8);
        }
    }
}

impl Run<'_> {
    /// Asks the board right before a call: what the decision saw may be seconds old by now.
    pub(super) fn well_enough(&mut self, model: &Model, kind: AttemptKind) -> Result<Admission, End> {
        let name = &model.spec.name;
        let admission = self.snapshot.board.admits(name, now());
        let Admission::No { why, .. } = &admission else {
            self.inner.show_health();
            return Ok(admission);
        };
        let why = match why {
            Ailment::Failing => format!("{name} failed lately and is left alone for now."),
            Ailment::Unreachable => format!("{name} could not be reached lately and is left alone for now."),
            Ailment::Busy => format!("{name} is left alone for as long as its backend asked for."),
            Ailment::KeyRefused => format!("{name} is left alone for now: its backend refused our key or account."),
        };
        Err(self.skip(model, kind, AttemptResult::Skipped, why))
    }

    pub(super) fn heard(&self, model: &ModelName, admission: Admission, evidence: Evidence) {
        self.snapshot.board.heard(model, admission, evidence, now());
        self.inner.show_health();
    }

    /// What this answer says of its model. A call that got less time than the model may take for a first word, because
    /// others had used the rest, says nothing by running out of it.
    pub(super) fn evidence(&self, answer: &Answer, own: Timeouts, given: Timeouts) -> Evidence {
        let error = answer.result.as_ref().err();
        // The row of this call is there already.
        let given = if self.reading.begun { given.total } else { given.total.min(given.first_token) };
        let squeezed = self.attempts.len() > 1 && given < own.first_token.min(own.total);
        if squeezed && error.is_some_and(|error| error.kind == Kind::UpstreamTimeout) {
            return Evidence::None;
        }
        match error.filter(|error| error.kind == Kind::UpstreamBusy) {
            Some(busy) => self.rest_of(busy, answer.http_status),
            None => evidence(error, answer.http_status),
        }
    }

    /// Who names a wait is well enough to name it. One that no request has the time for would only be named again, and a
    /// server that is not there after its own is not well.
    fn rest_of(&self, busy: &Error, status: Option<u16>) -> Evidence {
        let waited_for = self.attempts.last().is_some_and(|attempt| attempt.kind == AttemptKind::Retry);
        match busy.retry_after {
            Some(wait) if wait > self.policy.retry.max_retry_after => Evidence::Busy(wait),
            _ if waited_for && status.is_some_and(|status| status >= 500) => Evidence::Failed,
            _ => Evidence::None,
        }
    }
}

/// Until when a breaker is open, if it is, and when it turned.
type Turned = (Option<Timestamp>, Timestamp);

/// Openings and closings that are not in the database yet: the last of each model.
#[derive(Default)]
pub(super) struct Unwritten(Mutex<BTreeMap<ModelName, Turned>>);

impl Unwritten {
    fn take(&self) -> BTreeMap<ModelName, Turned> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Unless there is a later one by now.
    fn put_back(&self, model: ModelName, turned: Turned) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last = all.entry(model).or_insert(turned);
        if last.1 < turned.1 {
            *last = turned;
        }
    }
}

/// Writes down which breakers opened or closed since the last time. What cannot be written is told, and written the next
/// time.
pub(super) async fn keep_turns(inner: &Inner) {
    let mut turns = inner.unwritten.take();
    for (model, turn) in inner.snapshot().board.take_turns() {
        let turned = told(&model, turn);
        turns.insert(model, turned);
    }
    for (model, turned) in turns {
        if let Err(error) = inner.ledger.keep_turn(&model, turned.0, turned.1).await {
            tracing::warn!("the health of {model} could not be written down yet: {error}");
            inner.unwritten.put_back(model, turned);
        }
    }
}

fn told(model: &ModelName, turn: Turn) -> Turned {
    let at = Timestamp::now();
    match turn {
        Turn::Opened { until } => {
            let left = until.saturating_duration_since(now());
            tracing::warn!(%model, "{model} keeps failing: it is left alone for {left:.0?}");
            (Some(at.checked_add(left).unwrap_or(at)), at)
        }
        Turn::Closed => {
            tracing::info!(%model, "{model} answers again");
            (None, at)
        }
    }
}

/// The runtime's clock, which tests can stop.
fn now() -> std::time::Instant {
    Instant::now().into_std()
}

#[cfg(test)]
#[path = "health_tests.rs"]
mod tests;
