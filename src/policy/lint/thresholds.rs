//! Thresholds that let a tier never be chosen.

use std::collections::BTreeMap;

use super::{Linter, listed, ways};
use crate::names::TierName;
use crate::policy::problems::Place;
use crate::policy::types::{Route, RouteTier};
use crate::request::{Signal, WEIGHTS_OF_A_CONVERSATION, WEIGHTS_OF_A_TOOL};

/// Sums of weights are no exact numbers.
const HARDLY: f64 = 1e-9;

/// A threshold of one tier, and the routes whose requests never have a score that high.
struct OutOfReach<'a> {
    place: Place,
    threshold: f64,
    /// The highest that they can have.
    most: f64,
    routes: Vec<&'a str>,
}

impl Linter<'_> {
    /// The highest threshold that is reached wins, so a lower one above it takes all.
    pub(super) fn orders_of_thresholds(&mut self) {
        let common = &self.policy.classifier.thresholds;
        self.order(common, &["classifier", "thresholds"]);
        for route in self.policy.routes.iter().filter(|route| matches!(route.tier, RouteTier::Auto)) {
            let Some(number) = self.number(route) else { continue };
            let path = ["routes", number.as_str(), "thresholds"];
            if self.written(&path).is_some() && route.thresholds != *common {
                self.order(&route.thresholds, &path);
            }
        }
    }

    fn order(&mut self, all: &BTreeMap<TierName, f64>, path: &[&str]) {
        let written: Vec<(usize, f64)> = self.in_order(all);
        for (index, (lower, low)) in written.iter().enumerate() {
            let Some((upper, high)) = written[index + 1..].iter().find(|(_, high)| high <= low) else { continue };
            let (lower, upper) = (self.tier(*lower), self.tier(*upper));
            let own = |tier: &str| self.written(&[path, &[tier]].concat()).is_some();
            // Where the classifier's own thresholds are out of order, that is told once.
            if !own(upper) && !own(lower) {
                continue;
            }
            let place = self.tree.value_at(&[path, &[if own(upper) { upper } else { lower }]].concat());
            if index == 0 {
                let message =
                    format!("no request begins in `{lower}`: every score reaches {high}, where `{upper}` begins");
                self.found.warning(place, message).help("write a number above 0, such as 0.6");
            } else {
                let message = format!("`{lower}` is never chosen: `{upper}` above it has no higher threshold");
                self.found.warning(place, message).help("thresholds rise from tier to tier");
            }
        }
    }

    /// The first tier begins at 0.
    fn in_order(&self, all: &BTreeMap<TierName, f64>) -> Vec<(usize, f64)> {
        let Some(any) = self.policy.routes.first() else { return Vec::new() };
        ways::thresholds(self.policy, &Route { thresholds: all.clone(), ..any.clone() })
    }

    /// The default weights add up to 1, so only a question that is extreme in every way gets there.
    pub(super) fn thresholds_out_of_reach(&mut self) {
        if !self.policy.classifier.weights.is_empty() {
            return;
        }
        for (tier, _) in self.policy.classifier.thresholds.iter().filter(|(_, threshold)| **threshold >= 1.0) {
            let place = self.tree.value_at(&["classifier", "thresholds", tier.as_str()]);
            let message =
                format!("hardly any request begins in `{tier}`: only a question that is extreme in every way scores 1");
            self.found.hint(place, message).help("0.6 is usual; to begin there never, remove the threshold");
        }
    }

    /// Where weights are written: a score is at most the sum of those above 0 that a route's requests can have.
    pub(super) fn thresholds_above_the_weights(&mut self) {
        if self.policy.classifier.weights.is_empty() {
            return;
        }
        // By place and tier, so that what several routes share is told once.
        let mut short: BTreeMap<(usize, &TierName), OutOfReach<'_>> = BTreeMap::new();
        for route in self.policy.routes.iter().filter(|route| matches!(route.tier, RouteTier::Auto)) {
            let (most, cap) = (self.most(route), ways::cap(self.policy, route));
            let usable = |tier: &TierName| self.policy.rank(tier).is_some_and(|rank| rank <= cap);
            for (tier, threshold) in route.thresholds.iter().filter(|(tier, _)| usable(tier)) {
                if *threshold <= most + HARDLY {
                    continue;
                }
                let place = self.place_of_threshold(route, tier);
                let new = OutOfReach { place, threshold: *threshold, most, routes: Vec::new() };
                let entry = short.entry((new.place.start, tier)).or_insert(new);
                entry.most = entry.most.max(most);
                entry.routes.push(route.name.as_str());
            }
        }
        for ((_, tier), OutOfReach { place, threshold, most, routes }) in short {
            let routes = listed(routes);
            let most = (most * 1e6).round() / 1e6;
            let message = format!(
                "no request of {routes} begins in `{tier}`: the weights of its signals add up to {most}, and `{tier}` \
                 begins at {threshold}"
            );
            self.found.warning(place, message).help("raise `classifier.weights`, or lower the threshold");
        }
    }

    fn place_of_threshold(&self, route: &Route, tier: &TierName) -> Place {
        let number = self.number(route).unwrap_or_default();
        let own = ["routes", number.as_str(), "thresholds", tier.as_str()];
        match self.written(&own) {
            Some(node) => node.place.clone(),
            None => self.tree.value_at(&["classifier", "thresholds", tier.as_str()]),
        }
    }

    /// The highest score that a request of this route can have.
    fn most(&self, route: &Route) -> f64 {
        let weight = |(signal, default): &(Signal, f64)| {
            self.policy.classifier.weights.get(signal).copied().unwrap_or(*default).max(0.0)
        };
        let of_a_tool = WEIGHTS_OF_A_TOOL.iter().map(weight).sum::<f64>();
        let of_a_conversation = WEIGHTS_OF_A_CONVERSATION.iter().map(weight).sum::<f64>();
        match (&route.matches.tools, &route.matches.endpoints) {
            (Some(_), _) => of_a_tool,
            (None, Some(_)) => of_a_conversation,
            (None, None) => of_a_tool.max(of_a_conversation),
        }
    }
}
