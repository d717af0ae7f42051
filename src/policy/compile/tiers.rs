//! Tiers and the thresholds that lead to them.

use std::collections::BTreeMap;

use super::Meaning;
use crate::names::TierName;
use crate::policy::types::{Classifier, Tier};
use crate::policy::values::Named;
use crate::request::Signal;

/// One of twenty, so that a model that got better is noticed within a few dozen requests.
const EXPLORE: f64 = 0.05;

impl Meaning<'_> {
    pub(super) fn tiers(&mut self) -> Vec<Tier> {
        let Some(raw) = &self.raw.tiers else { return Vec::new() };
        if raw.0.is_empty() {
            self.error_at_key(&["tiers"], "there is no tier").help("add one, like `local: [a-model]`");
        }
        let mut tiers: Vec<Tier> = Vec::new();
        for (name, models) in raw.iter() {
            if matches!(name, "none" | "auto") {
                let problem = self.error_at_key(&["tiers", name], format!("a tier can't be named `{name}`"));
                problem.help("`none` is logic only and always exists; `auto` lets the classifier choose");
            }
            if models.is_empty() {
                self.error_at_key(&["tiers", name], format!("tier `{name}` is empty"))
                    .help("name a model, or remove it");
            }
            let models = self.members(name, models, &tiers);
            tiers.push(Tier { name: name.into(), models });
        }
        tiers
    }

    /// The models of one tier that exist and are in no tier yet.
    fn members(&mut self, tier: &str, names: &[String], before: &[Tier]) -> Vec<crate::names::ModelName> {
        let raw = self.raw;
        let known: Vec<&str> = raw.models.iter().flat_map(|models| models.iter()).map(|(name, _)| name).collect();
        let mut members: Vec<crate::names::ModelName> = Vec::new();
        for (n, name) in names.iter().enumerate() {
            let path = ["tiers", tier, &n.to_string()];
            let place = self.tree.value_at(&path);
            // Without any models, each name would only repeat that they are missing.
            if raw.models.is_some() && !self.known(("model", name), &known, place) {
                continue;
            }
            let member = name.as_str().into();
            let other = before.iter().find(|other| other.models.contains(&member)).map(|other| other.name.as_str());
            if let Some(other) = other.or_else(|| members.contains(&member).then_some(tier)) {
                let problem = self.error(&path, format!("model `{name}` is already in tier `{other}`"));
                problem.help("a model is in one tier, once");
                continue;
            }
            members.push(member);
        }
        members
    }

    pub(super) fn classifier(&mut self, tiers: &[Tier]) -> Classifier {
        let Some(raw) = &self.raw.classifier else {
            return Classifier { thresholds: BTreeMap::new(), weights: BTreeMap::new(), explore: EXPLORE };
        };
        let thresholds = self.thresholds(raw.thresholds.as_ref(), tiers, &["classifier", "thresholds"]);
        let mut weights = BTreeMap::new();
        for (signal, weight) in raw.weights.iter().flat_map(Named::iter) {
            let path = ["classifier", "weights", signal];
            let place = self.tree.key_at(&path);
            let signals: Vec<&str> = Signal::ALL.iter().map(|known| known.as_str()).collect();
            self.known(("signal", signal), &signals, place);
            if !(-10.0..=10.0).contains(weight) {
                self.error(&path, format!("weight {weight} is out of range")).help("write a number from -10 to 10");
            }
            weights.extend(Signal::parse(signal).map(|signal| (signal, *weight)));
        }
        let explore = raw.explore.map_or(EXPLORE, |share| share.0);
        Classifier { thresholds, weights, explore }
    }

    pub(super) fn thresholds(
        &mut self,
        raw: Option<&Named<f64>>,
        tiers: &[Tier],
        path: &[&str],
    ) -> BTreeMap<TierName, f64> {
        let known: Vec<&str> = tiers.iter().map(|tier| tier.name.as_str()).collect();
        let mut thresholds = BTreeMap::new();
        for (tier, threshold) in raw.into_iter().flat_map(Named::iter) {
            let path = [path, &[tier]].concat();
            let place = self.tree.key_at(&path);
            if self.raw.tiers.is_none() || !self.known(("tier", tier), &known, place) {
                continue;
            }
            if known.first() == Some(&tier) {
                let problem = self.error_at_key(&path, format!("the first tier, `{tier}`, has no threshold"));
                problem.help("everything that reaches no other threshold goes there; remove it");
                continue;
            }
            if !(0.0..=1.0).contains(threshold) {
                self.error(&path, format!("threshold {threshold} is out of range")).help("write a number from 0 to 1");
            }
            thresholds.insert(tier.into(), *threshold);
        }
        thresholds
    }
}
