//! The threshold that sends a wanted share of recorded questions to a tier or above, and how sure that is. Pure: scores
//! are the gateway's own, from the policy's present weights.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::report::SURE;
use super::traffic::Traffic;
use crate::error::{Error, Kind, Result};
use crate::gateway::{View, decide};
use crate::names::{RouteName, TierName};
use crate::policy::{Policy, Route, RouteTier};

/// Fewer questions than this make a threshold of chance.
pub const FEW: u64 = 100;

/// Shares are told to a tenth of a percent: what is nearer than half of that is the same share, and worth no digit.
pub const SAME_SHARE: f64 = 0.0005;

#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    pub tier: TierName,
    /// From 0 to 1, of the questions of each place where a threshold stands.
    pub share: f64,
    /// This route alone.
    pub route: Option<RouteName>,
}

/// One place of the policy where a threshold stands, and what should stand there.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Calibration {
    /// `None`: under `classifier`.
    pub route: Option<RouteName>,
    /// The routes that it decides.
    pub routes: BTreeSet<RouteName>,
    pub questions: u64,
    /// `None`: there is nothing to measure, or every score is the highest there is.
    pub threshold: Option<f64>,
    /// What it gives on the record: the nearest to the wanted share that equal scores allow.
    pub share: f64,
    /// Questions with the very score at which the threshold cuts.
    pub ties: u64,
    /// Where the threshold of other traffic of this kind would lie, 95%.
    pub threshold_low: Option<f64>,
    pub threshold_high: Option<f64>,
    /// What share other traffic of this kind would see, 95%.
    pub share_low: f64,
    pub share_high: f64,
    pub present_threshold: Option<f64>,
    pub present_share: f64,
    pub yaml: String,
    pub notes: Vec<String>,
}

/// The wanted threshold for each place of the policy that has one of its own.
pub fn calibrate(policy: &Policy, wanted: &Wanted, traffic: &Traffic) -> Result<Vec<Calibration>> {
    let rank = policy.rank(&wanted.tier).filter(|rank| *rank > 0).ok_or_else(|| no_such_tier(policy, &wanted.tier))?;
    let scores = scores(policy, traffic);
    let places = places(policy, wanted)?;
    Ok(places.into_iter().map(|place| place.calibrated(policy, (wanted, rank), &scores)).collect())
}

/// Each route's questions: score, and the rank of the tier where the present policy starts.
type Scores = BTreeMap<RouteName, Vec<(f64, usize)>>;

fn scores(policy: &Policy, traffic: &Traffic) -> Scores {
    let decided: Vec<(RouteName, f64, Option<usize>)> = super::path::in_parts(&traffic.situations, |situation| {
        let decision = decide(policy, &situation.signals, &View::default());
        (decision.route, decision.complexity.score, policy.rank(&decision.tier))
    });
    let mut scores = Scores::new();
    for question in &traffic.questions {
        let (route, score, start) = &decided[question.situation as usize];
        let Some(start) = *start else { continue };
        match scores.get_mut(route) {
            Some(scores) => scores.push((*score, start)),
            None => {
                scores.insert(route.clone(), vec![(*score, start)]);
            }
        }
    }
    scores
}

/// Where a threshold stands, and for which routes.
struct Place<'a> {
    own: Option<&'a Route>,
    thresholds: &'a BTreeMap<TierName, f64>,
    routes: Vec<&'a Route>,
}

fn places<'a>(policy: &'a Policy, wanted: &Wanted) -> Result<Vec<Place<'a>>> {
    let auto = |route: &&Route| route.tier == RouteTier::Auto;
    let own = |route: &'a Route| Place { own: Some(route), thresholds: &route.thresholds, routes: vec![route] };
    if let Some(name) = &wanted.route {
        let route =
            policy.routes.iter().find(|route| route.name == *name).ok_or_else(|| no_such_route(policy, name))?;
        return if auto(&route) { Ok(vec![own(route)]) } else { Err(not_chosen_by_score(name)) };
    }
    let common = &policy.classifier.thresholds;
    let (shared, separate): (Vec<&Route>, Vec<&Route>) =
        policy.routes.iter().filter(auto).partition(|route| route.thresholds == *common);
    let shared = (!shared.is_empty()).then_some(Place { own: None, thresholds: common, routes: shared });
    Ok(shared.into_iter().chain(separate.into_iter().map(own)).collect())
}

impl Place<'_> {
    fn calibrated(&self, policy: &Policy, (wanted, rank): (&Wanted, usize), scores: &Scores) -> Calibration {
        let mut notes = Vec::new();
        let capped =
            |route: &Route| route.max_tier.as_ref().and_then(|cap| policy.rank(cap)).is_some_and(|cap| cap < rank);
        let (barred, open): (Vec<&Route>, Vec<&Route>) = self.routes.iter().copied().partition(|route| capped(route));
        for route in &barred {
            notes.push(format!("Route `{}` goes no higher than its max_tier; no threshold changes that.", route.name));
        }
        let mut sample: Vec<(f64, usize)> =
            open.iter().filter_map(|route| scores.get(&route.name)).flatten().copied().collect();
        sample.sort_by(|one, other| other.0.total_cmp(&one.0));
        let sorted: Vec<f64> = sample.iter().map(|(score, _)| *score).collect();
        let cut = Cut::nearest(&sorted, wanted.share);
        let questions = sorted.len() as u64;
        let share = |count: usize| if sorted.is_empty() { 0.0 } else { count as f64 / sorted.len() as f64 };
        let (share_low, share_high) = wilson(share(cut.above), questions);
        let (threshold_low, threshold_high) = cut.range(&sorted);
        notes.extend(self.remarks(policy, (wanted, rank), &cut, questions));
        Calibration {
            route: self.own.map(|route| route.name.clone()),
            routes: open.iter().map(|route| route.name.clone()).collect(),
            questions,
            threshold: cut.threshold,
            share: share(cut.above),
            ties: cut.ties as u64,
            threshold_low,
            threshold_high,
            share_low,
            share_high,
            present_threshold: self.thresholds.get(&wanted.tier).copied(),
            present_share: share(sample.iter().filter(|(_, start)| *start >= rank).count()),
            yaml: cut.threshold.map(|threshold| self.yaml(policy, &wanted.tier, threshold)).unwrap_or_default(),
            notes,
        }
    }

    fn remarks(&self, policy: &Policy, (wanted, rank): (&Wanted, usize), cut: &Cut, questions: u64) -> Vec<String> {
        let mut remarks = Vec::new();
        if questions == 0 {
            remarks.push("No recorded question takes this way.".to_owned());
        } else if questions < FEW {
            remarks.push(format!("Only {questions} questions were recorded: take it as a first guess."));
        }
        if questions > 0 && cut.threshold.is_none() {
            let text = "Some questions have the highest score there is, which every threshold lets through: write \
                        `max_tier` on the route instead.";
            remarks.push(text.to_owned());
        }
        let Some(threshold) = cut.threshold else { return remarks };
        for (other, at) in self.thresholds {
            let Some(other_rank) = policy.rank(other) else { continue };
            if (other_rank > rank && *at <= threshold) || (other_rank < rank && *at >= threshold) {
                remarks.push(format!(
                    "Tier `{other}` begins at {at}: thresholds have to rise from tier to tier, so `{}` or `{other}` would \
                     never be chosen.",
                    wanted.tier
                ));
            }
        }
        remarks
    }

    /// The lines to paste, with the thresholds of the other tiers as they are.
    fn yaml(&self, policy: &Policy, tier: &TierName, threshold: f64) -> String {
        let mut all = self.thresholds.clone();
        all.insert(tier.clone(), threshold);
        let in_order = policy.tiers.iter().filter_map(|tier| Some(format!("{}: {}", tier.name, all.get(&tier.name)?)));
        let thresholds = format!("thresholds: {{ {} }}", in_order.collect::<Vec<_>>().join(", "));
        match self.own {
            None => format!("classifier:\n  {thresholds}"),
            Some(route) => format!("routes:\n  - name: {}\n    {thresholds}", route.name),
        }
    }
}

/// Where sorted scores are cut in two.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Cut {
    threshold: Option<f64>,
    /// Scores that reach it.
    above: usize,
    ties: usize,
    /// The place in the sorted scores that would give the share exactly.
    wanted: f64,
}

impl Cut {
    /// Equal scores go together; of two cuts that are as near, the one that sends fewer up. Highest score first.
    fn nearest(scores: &[f64], share: f64) -> Self {
        let wanted = share * scores.len() as f64;
        let borders = (1..=scores.len()).filter(|at| *at == scores.len() || scores[*at] < scores[*at - 1]);
        let off = |above: usize| (above as f64 - wanted).abs();
        let mut above = 0;
        for border in borders {
            if off(border) < off(above) {
                above = border;
            }
        }
        let threshold = between(scores, above);
        let above = threshold.map_or(above, |threshold| scores.partition_point(|score| *score >= threshold));
        let score = above.checked_sub(1).and_then(|at| scores.get(at)).or(scores.first());
        let ties = score.map_or(0, |score| scores.iter().filter(|other| *other == score).count());
        Self { threshold, above, ties, wanted }
    }

    /// The scores at the places between which the exact cut of other traffic would lie: a binomial count has this spread.
    fn range(&self, scores: &[f64]) -> (Option<f64>, Option<f64>) {
        let Some(last) = scores.len().checked_sub(1) else { return (None, None) };
        let count = scores.len() as f64;
        let spread = SURE * (self.wanted * (1.0 - self.wanted / count)).max(0.0).sqrt();
        let at = |place: f64| scores.get((place.round().max(1.0) as usize - 1).min(last)).copied();
        (at(self.wanted + spread), at(self.wanted - spread))
    }
}

/// The shortest number that parts the first so many scores from the others, give or take what makes no other share; of
/// several as short, the one nearest to the middle. `None`: there is none.
fn between(scores: &[f64], above: usize) -> Option<f64> {
    let slack = (SAME_SHARE * scores.len() as f64) as usize;
    let below = scores.get(above).copied();
    let reached = match above.checked_sub(1) {
        Some(last) => scores.get(last).copied()?,
        // Nothing may reach it; a threshold is at most 1.
        None => below.filter(|highest| *highest < 1.0).map(|_| 1.0)?,
    };
    let middle = below.map_or(reached, |below| below + (reached - below) / 2.0);
    let lowest = below.and_then(|_| scores.get(above + slack).or(scores.last())).copied();
    let highest = above.checked_sub(1 + slack).and_then(|last| scores.get(last)).copied().unwrap_or(reached);
    let parts = |number: &f64| *number <= highest && lowest.is_none_or(|lowest| *number > lowest);
    let short = |digits: i32| {
        let scale = 10_f64.powi(digits);
        let near = [middle * scale, highest * scale].map(|at| [at.round(), at.floor(), at.ceil()]);
        let numbers =
            near.into_iter().flatten().filter_map(|at| format!("{:.*}", digits as usize, at / scale).parse().ok());
        numbers.filter(parts).min_by(|one: &f64, other| (one - middle).abs().total_cmp(&(other - middle).abs()))
    };
    (1..=17).find_map(short).or(Some(reached)).filter(parts)
}

/// The score interval of E. B. Wilson (1927), which also holds near 0 and 1.
fn wilson(share: f64, count: u64) -> (f64, f64) {
    if count == 0 {
        return (0.0, 1.0);
    }
    let (count, z2) = (count as f64, SURE * SURE);
    let middle = (share + z2 / (2.0 * count)) / (1.0 + z2 / count);
    let half = SURE * (share * (1.0 - share) / count + z2 / (4.0 * count * count)).sqrt() / (1.0 + z2 / count);
    ((middle - half).max(0.0), (middle + half).min(1.0))
}

fn no_such_tier(policy: &Policy, tier: &TierName) -> Error {
    let known: Vec<&str> = policy.tiers.iter().skip(1).map(|tier| tier.name.as_str()).collect();
    Error::new(Kind::BadRequest, format!("`{tier}` is not a tier that a threshold leads to")).hint(format!(
        "Above the first tier the policy has: {}.",
        if known.is_empty() { "none".to_owned() } else { known.join(", ") }
    ))
}

fn no_such_route(policy: &Policy, route: &RouteName) -> Error {
    let known: Vec<&str> = policy.routes.iter().map(|route| route.name.as_str()).collect();
    Error::new(Kind::BadRequest, format!("The policy has no route `{route}`"))
        .hint(format!("It has: {}.", known.join(", ")))
}

fn not_chosen_by_score(route: &RouteName) -> Error {
    Error::new(Kind::BadRequest, format!("Route `{route}` names its tier, so no score chooses it"))
        .hint("Write `tier: auto` on the route first.")
}

#[cfg(test)]
#[path = "calibrate_tests.rs"]
mod tests;
