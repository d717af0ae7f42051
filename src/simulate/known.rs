//! Pass rates as they moved through time: what a gateway knew of its models when each request came, from the checks
//! recorded before. Pure.
//!
//! It knows what a gateway that reads the ledger every minute knows, by the same sums (`classify::Track`): the newest
//! checks alone, each by its age. They are kept as running sums, so that a step costs what it adds and takes away.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::traffic::{Check, Question, Traffic};
use crate::classify::{CHECKS_AT_MOST, LEARN_EVERY, LOOK_BACK, Track};
use crate::names::ModelName;

/// How the models did with one question lately; nothing while no model has enough checks to change a decision.
pub type Known = Option<Arc<BTreeMap<ModelName, Track>>>;

/// Goes through the questions of some traffic in the order of time.
pub struct History<'a> {
    traffic: &'a Traffic,
    /// The checks that count: from the first of them up to the next to come.
    first: usize,
    next: usize,
    counted: f64,
    learned: Timestamp,
    /// By wording, then by model.
    tracks: Vec<BTreeMap<u16, Track>>,
    /// What has been asked for since it was learned.
    told: Vec<Option<Known>>,
}

impl<'a> History<'a> {
    pub fn of(traffic: &'a Traffic) -> Self {
        let wordings = traffic.wordings.list.len();
        Self {
            traffic,
            first: 0,
            next: 0,
            counted: 0.0,
            learned: Timestamp::MIN,
            tracks: vec![BTreeMap::new(); wordings],
            told: vec![None; wordings],
        }
    }

    /// What was known when this question came. Questions go in by time.
    pub fn before(&mut self, question: &Question) -> Known {
        let period = LEARN_EVERY.as_secs().max(1) as i64;
        let last = question.at.as_second().div_euclid(period) * period;
        self.learn(Timestamp::from_second(last).unwrap_or(question.at));
        let wording = usize::from(self.traffic.situation_of(question).wording);
        if let Some(told) = self.told.get(wording).and_then(Option::as_ref) {
            return told.clone();
        }
        let known = self.told_of(wording);
        if let Some(told) = self.told.get_mut(wording) {
            *told = Some(known.clone());
        }
        known
    }

    fn learn(&mut self, now: Timestamp) {
        if now <= self.learned {
            return;
        }
        self.age(now);
        let checks = &self.traffic.checks;
        while let Some(check) = checks.get(self.next).filter(|check| check.at < now) {
            self.count(check, now, Track::and);
            self.counted += check.track.sample();
            self.next += 1;
        }
        while let Some(check) = checks[..self.next].get(self.first) {
            let is_old = age(check, now) > LOOK_BACK;
            let too_many = self.counted - check.track.sample() >= f64::from(CHECKS_AT_MOST);
            if !is_old && !too_many {
                break;
            }
            self.count(check, now, Track::without);
            self.counted -= check.track.sample();
            self.first += 1;
        }
        self.learned = now;
        self.told.fill(None);
    }

    fn age(&mut self, now: Timestamp) {
        let by = now.duration_since(self.learned).try_into().unwrap_or_default();
        for track in self.tracks.iter_mut().flat_map(BTreeMap::values_mut) {
            *track = track.aged(by);
        }
    }

    fn count(&mut self, check: &Check, now: Timestamp, how: fn(Track, Track) -> Track) {
        let Some(tracks) = self.tracks.get_mut(usize::from(check.wording)) else { return };
        let track = tracks.entry(check.model).or_default();
        *track = how(*track, check.track.aged(age(check, now)));
    }

    fn told_of(&self, wording: usize) -> Known {
        let tracks = self.tracks.get(wording)?;
        if !tracks.values().any(Track::is_enough) {
            return None;
        }
        let names = &self.traffic.models.list;
        let named = |(model, track): (&u16, &Track)| Some((names.get(usize::from(*model))?.clone(), *track));
        Some(Arc::new(tracks.iter().filter_map(named).collect()))
    }
}

fn age(check: &Check, now: Timestamp) -> std::time::Duration {
    now.duration_since(check.at).try_into().unwrap_or_default()
}

#[cfg(test)]
#[path = "known_tests.rs"]
mod tests;
