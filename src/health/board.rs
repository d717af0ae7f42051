//! The breakers of all models of a policy, behind one lock that is never held over an await.
//!
//! A backend that refused our key has a breaker of its own: all its models are out together, and one probe at a time
//! finds out whether the key is accepted by now.
//!
//! Breakers are kept by identity, and boards of policies that follow each other share them: a model that is still the
//! same stays as it was, one that was changed begins anew, and what a request of the old policy hears of the old one
//! does not count for the new one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::breaker::{Breaker, Entry, State, longest};
use super::evidence::Evidence;
use crate::names::ModelName;
use crate::policy::{Breaker as Rules, Identity, Policy};

/// Cheap to clone; all clones are the same board.
#[derive(Debug, Clone)]
pub struct Board {
    rules: Rules,
    models: Arc<BTreeMap<ModelName, Place>>,
    breakers: Arc<Mutex<Breakers>>,
}

/// Who a model is, and the backend that it is called at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub model: Identity,
    pub backend: Identity,
}

#[derive(Debug, Default)]
struct Breakers {
    models: BTreeMap<Identity, Breaker>,
    keys: BTreeMap<Identity, Breaker>,
    /// Models that could not be reached when they were called last.
    unreachable: BTreeSet<Identity>,
    /// Models whose backend asked to leave them alone until then.
    busy: BTreeMap<Identity, Instant>,
    /// The last opening or closing of each model that nobody has asked for yet.
    turns: BTreeMap<ModelName, Turn>,
    /// Models that others said were out, and that nobody heard answer since.
    doubted: BTreeSet<ModelName>,
}

/// What keeps a model from being called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ailment {
    /// It failed too often, and its time is not over or a probe is under way.
    Failing,
    /// The same, and when it was called last nobody was there.
    Unreachable,
    /// Its backend asked for a wait that no request has the time for.
    Busy,
    /// Its backend does not accept our key.
    KeyRefused,
}

/// May a model be called now?
#[derive(Debug)]
#[must_use]
pub enum Admission {
    Yes,
    /// As one of the few that find out; the place is given back when this is dropped.
    Probe(Permit),
    /// `until`: not before then; `None`: as soon as a probe that is under way has ended.
    No {
        why: Ailment,
        until: Option<Instant>,
    },
}

/// A probe's place.
#[derive(Debug)]
pub struct Permit {
    board: Board,
    /// The breakers that let it in as a probe.
    model: Option<Identity>,
    key: Option<Identity>,
}

/// A breaker that opened or closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    Opened { until: Instant },
    Closed,
}

impl Board {
    pub fn new(rules: Rules, models: impl IntoIterator<Item = (ModelName, Place)>) -> Self {
        Self { rules, models: Arc::new(models.into_iter().collect()), breakers: Arc::default() }
    }

    pub fn of(policy: &Policy) -> Self {
        Self::new(policy.breaker, places(policy))
    }

    /// The board of the policy that follows: with what is known of the models that it still has.
    pub fn followed_by(&self, policy: &Policy) -> Self {
        let next = Self { breakers: self.breakers.clone(), ..Self::of(policy) };
        let known = |kept: fn(&Place) -> Identity| next.models.values().map(kept).collect::<BTreeSet<_>>();
        let (models, backends) = (known(|place| place.model), known(|place| place.backend));
        let mut breakers = self.lock();
        breakers.models.retain(|model, _| models.contains(model));
        breakers.unreachable.retain(|model| models.contains(model));
        breakers.busy.retain(|model, _| models.contains(model));
        breakers.keys.retain(|backend, _| backends.contains(backend));
        drop(breakers);
        next
    }

    /// Asks to call this model now. A model that the board does not know is nobody's concern.
    pub fn admits(&self, model: &ModelName, now: Instant) -> Admission {
        let Some(place) = self.models.get(model) else { return Admission::Yes };
        let key_rules = key_rules(&self.rules);
        let mut breakers = self.lock();
        if let Some((why, until)) = breakers.refusal(place, now, &self.rules) {
            return Admission::No { why, until };
        }
        // Both let it in, and nothing happens in between: the lock is held.
        let own = breakers.models.get_mut(&place.model).map(|breaker| breaker.admit(now, &self.rules));
        let keys = breakers.keys.get_mut(&place.backend).map(|breaker| breaker.admit(now, &key_rules));
        let probe = |entry: Option<Entry>| entry == Some(Entry::Probe);
        if !probe(own) && !probe(keys) {
            return Admission::Yes;
        }
        Admission::Probe(Permit {
            board: self.clone(),
            model: probe(own).then_some(place.model),
            key: probe(keys).then_some(place.backend),
        })
    }

    /// Takes in how a call that was let in ended. A probe's place is free again afterward.
    pub fn heard(&self, model: &ModelName, admission: Admission, evidence: Evidence, now: Instant) {
        let Some(place) = self.models.get(model) else { return };
        let (probes_model, probes_key) = match &admission {
            Admission::Probe(permit) => (permit.model.is_some(), permit.key.is_some()),
            Admission::Yes | Admission::No { .. } => (false, false),
        };
        {
            let mut breakers = self.lock();
            let own = breakers.models.entry(place.model).or_default();
            let before = own.state(now);
            own.heard(evidence, probes_model, now, &self.rules);
            let (turn, after) = (turned(before, own, now), own.state(now));
            let is_well = evidence == Evidence::Answered && after == State::Closed;
            let was_doubted = is_well && breakers.doubted.remove(model);
            if let Some(turn) = turn.or(was_doubted.then_some(Turn::Closed)) {
                breakers.turns.insert(model.clone(), turn);
            }
            match evidence {
                Evidence::Unreachable => {
                    breakers.unreachable.insert(place.model);
                }
                Evidence::Busy(wait) => {
                    let until = now.checked_add(wait.min(longest(&self.rules))).unwrap_or(now);
                    breakers.busy.insert(place.model, until);
                    breakers.unreachable.remove(&place.model);
                }
                Evidence::Answered
                | Evidence::Failed
                | Evidence::TimedOut
                | Evidence::Forbidden
                | Evidence::KeyRefused => {
                    breakers.unreachable.remove(&place.model);
                }
                Evidence::None => {}
            }
            let about_key = match evidence {
                Evidence::KeyRefused => Evidence::Failed,
                Evidence::Answered => Evidence::Answered,
                Evidence::Failed
                | Evidence::TimedOut
                | Evidence::Unreachable
                | Evidence::Forbidden
                | Evidence::Busy(_)
                | Evidence::None => Evidence::None,
            };
            let key = breakers.keys.entry(place.backend).or_default();
            key.heard(about_key, probes_key, now, &key_rules(&self.rules));
        }
        // After the lock: giving the place back takes it again.
        drop(admission);
    }

    /// The models that may not be called now, and why.
    pub fn out(&self, now: Instant) -> BTreeMap<ModelName, Ailment> {
        let breakers = self.lock();
        let refused = self.models.iter().filter_map(|(model, place)| {
            let (why, _) = breakers.refusal(place, now, &self.rules)?;
            Some((model.clone(), why))
        });
        refused.collect()
    }

    /// Every model with its state; a refused key shows at all models of its backend.
    pub fn states(&self, now: Instant) -> Vec<(ModelName, State)> {
        let breakers = self.lock();
        let state = |breaker: Option<&Breaker>| breaker.map_or(State::Closed, |breaker| breaker.state(now));
        let of = |(model, place): (&ModelName, &Place)| {
            let worst = state(breakers.models.get(&place.model)).max(state(breakers.keys.get(&place.backend)));
            (model.clone(), worst)
        };
        self.models.iter().map(of).collect()
    }

    /// What another process saw: the model is left alone until then, but never longer than a breaker is open. If that
    /// time is over, the next call finds out.
    pub fn recall(&self, model: &ModelName, until: Instant, now: Instant) {
        let latest = now.checked_add(longest(&self.rules)).unwrap_or(now);
        if let Some(place) = self.models.get(model) {
            self.lock().models.insert(place.model, Breaker::opened(until.min(latest)));
        }
    }

    /// These are out by the last word of other processes, which may be gone: the next answer of each is told as its
    /// closing, though here it never opened.
    pub fn doubt(&self, models: impl IntoIterator<Item = ModelName>) {
        self.lock().doubted = models.into_iter().collect();
    }

    /// The openings and closings since this was asked last; only the last one of each model.
    pub fn take_turns(&self) -> BTreeMap<ModelName, Turn> {
        std::mem::take(&mut self.lock().turns)
    }

    fn lock(&self) -> MutexGuard<'_, Breakers> {
        self.breakers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Breakers {
    fn refusal(&self, place: &Place, now: Instant, rules: &Rules) -> Option<(Ailment, Option<Instant>)> {
        let refused = |breaker: Option<&Breaker>, rules: &Rules, why| match breaker?.look(now, rules) {
            Entry::Refused { until } => Some((why, until)),
            Entry::Free | Entry::Probe => None,
        };
        let own = if self.unreachable.contains(&place.model) { Ailment::Unreachable } else { Ailment::Failing };
        refused(self.keys.get(&place.backend), &key_rules(rules), Ailment::KeyRefused)
            .or_else(|| refused(self.models.get(&place.model), rules, own))
            .or_else(|| {
                let until = *self.busy.get(&place.model).filter(|until| now < **until)?;
                Some((Ailment::Busy, Some(until)))
            })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut breakers = self.board.lock();
        if let Some(breaker) = self.model.as_ref().and_then(|model| breakers.models.get_mut(model)) {
            breaker.release();
        }
        if let Some(breaker) = self.key.as_ref().and_then(|key| breakers.keys.get_mut(key)) {
            breaker.release();
        }
    }
}

fn places(policy: &Policy) -> impl Iterator<Item = (ModelName, Place)> {
    policy.models.iter().filter_map(|(name, model)| {
        let backend = policy.backend_of(model)?.identity();
        Some((name.clone(), Place { model: policy.identity(model), backend }))
    })
}

/// One refusal is enough, and one probe finds out.
fn key_rules(rules: &Rules) -> Rules {
    Rules { failures: 1, probes: 1, ..*rules }
}

fn turned(before: State, breaker: &Breaker, now: Instant) -> Option<Turn> {
    match (before, breaker.state(now), breaker.open_until()) {
        (State::Closed | State::HalfOpen, State::Open, Some(until)) => Some(Turn::Opened { until }),
        (State::HalfOpen | State::Open, State::Closed, _) => Some(Turn::Closed),
        _ => None,
    }
}

#[cfg(test)]
#[path = "board_tests.rs"]
mod tests;
