//! Where a request begins when what happened before says more than its complexity: a conversation stays with its model,
//! and a tier whose answers are mostly rejected is passed over. Pure.

use super::decide::{View, kept_out};
use crate::names::ModelName;
use crate::policy::{ChatCheck, Model, Policy, Route, RouteTier, Sticky};
use crate::request::{Reason, Signals};

/// What a decision goes by.
#[derive(Clone, Copy)]
pub(super) struct Given<'a> {
    pub policy: &'a Policy,
    pub route: &'a Route,
    pub signals: &'a Signals,
    pub view: &'a View,
}

/// The rank of the tier to begin in, and the model that is asked first there if the tier's order does not say it.
pub(super) fn place(given: Given<'_>, wanted: usize, reasons: &mut Vec<Reason>) -> (usize, Option<ModelName>) {
    match of_the_conversation(given, reasons) {
        Some((rank, model)) => (rank, Some(model)),
        None => (above_waste(given, wanted, reasons), None),
    }
}

/// The model that answered this conversation last, if it may answer again.
fn of_the_conversation(given: Given<'_>, reasons: &mut Vec<Reason>) -> Option<(usize, ModelName)> {
    let name = given.view.sticky.as_ref().filter(|_| given.route.sticky == Sticky::Conversation)?;
    let rank = given.policy.models.get(name).and_then(|model| given.policy.rank(&model.tier));
    let Some(rank) = rank.filter(|rank| given.admits(name, *rank)) else {
        let text = format!("{name} answered this conversation before, and may not answer now.");
        reasons.push(Reason::new("sticky_left", text));
        return None;
    };
    reasons.push(Reason::new("sticky", format!("{name} answered this conversation before, and keeps it.")));
    Some((rank, name.clone()))
}

/// The lowest tier from `wanted` up that is worth asking before the one above it.
fn above_waste(given: Given<'_>, wanted: usize, reasons: &mut Vec<Reason>) -> usize {
    let Given { route, view, policy, .. } = given;
    // What a rejection does not send up is no waste; and a tier that the route names is where its author wants it.
    let goes_up = route.escalate.on_rejected && route.verdict(&given.signals.target) == ChatCheck::Hold;
    if route.tier != RouteTier::Auto || !goes_up {
        return wanted;
    }
    let mut rank = wanted;
    let mut told = Vec::new();
    while let Some((above, why)) = given.wasted(rank) {
        rank = above;
        told.push(why);
    }
    if rank == wanted {
        return wanted;
    }
    let share = format!("{:.0}%", policy.classifier.explore * 100.0);
    let below = policy.tiers.get(wanted).map_or("", |tier| tier.name.as_str());
    if view.draw.is_some_and(|draw| draw < policy.classifier.explore) {
        reasons.extend(told);
        let text = format!(
            "This is one of the {share} that begin in tier `{below}` all the same, to see whether it got better."
        );
        reasons.push(Reason::new("explore", text));
        return wanted;
    }
    if let (Some(last), true) = (told.last_mut(), view.draw.is_none() && policy.classifier.explore > 0.0) {
        last.text +=
            &format!(" {share} of such requests begin in tier `{below}` all the same, to see whether it got better.");
    }
    reasons.extend(told);
    rank
}

impl<'a> Given<'a> {
    fn admits(self, name: &ModelName, rank: usize) -> bool {
        let cap = self.route.max_tier.as_ref().and_then(|tier| self.policy.rank(tier));
        cap.is_none_or(|cap| rank <= cap) && kept_out(self, name).is_none()
    }

    fn admitted(self, rank: usize) -> impl Iterator<Item = &'a Model> {
        let names = self.policy.tiers.get(rank).map_or(&[][..], |tier| &tier.models);
        names.iter().filter(move |name| self.admits(name, rank)).filter_map(move |name| self.policy.models.get(name))
    }

    /// The next tier up that has somebody to ask, and why: each model of this one is a waste of time beside it.
    fn wasted(self, rank: usize) -> Option<(usize, Reason)> {
        let above = (rank + 1..self.policy.tiers.len()).find(|above| self.admitted(*above).next().is_some())?;
        let next = self.admitted(above).next()?;
        let track = |model: &Model| self.view.tracks.get(&model.spec.name);
        let is_waste =
            |model: &Model| track(model).is_some_and(|own| own.is_waste(model.price, track(next), next.price));
        if !self.admitted(rank).all(is_waste) {
            return None;
        }
        let first = self.admitted(rank).next()?;
        let rate = track(first)?.rate();
        let (name, tool, tier) = (&first.spec.name, self.signals.target.as_str(), &next.tier);
        let text = format!(
            "{:.0}% of {name}'s answers to {tool} pass their checks lately ({:.0} count, over a prior of {:.0}%): asking it \
             first costs more than it saves, so tier `{tier}` begins.",
            rate.rate * 100.0,
            rate.sample,
            rate.prior * 100.0
        );
        Some((above, Reason::new("pass_rate", text)))
    }
}

#[cfg(test)]
#[path = "begin_tests.rs"]
mod tests;
