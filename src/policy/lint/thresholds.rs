//! Thresholds that let a tier never be chosen.

use std::collections::BTreeMap;

use super::{Linter, ways};
use crate::names::TierName;
use crate::policy::types::{Route, RouteTier};

impl Linter<'_> {
    /// The highest threshold that is reached wins, so a lower one above it takes all.
    pub(super) fn orders_of_thresholds(&mut self) {
        let common = &self.policy.classifier.thresholds;
        self.order(common, &["classifier", "thresholds"]);
        self.out_of_reach();
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
    fn out_of_reach(&mut self) {
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
}
