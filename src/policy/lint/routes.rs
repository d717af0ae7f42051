//! Tiers that no request gets to, and requests that have only one model to ask.

use std::collections::BTreeSet;

use super::{Linter, asks_models, listed, ways};
use crate::policy::tree::Node;
use crate::policy::types::{Policy, Route, RouteTier};

impl Linter<'_> {
    pub(super) fn tiers_without_a_way(&mut self) {
        let routes: Vec<&Route> = self.policy.routes.iter().filter(|route| asks_models(route)).collect();
        for (rank, tier) in self.policy.tiers.iter().enumerate() {
            let name = tier.name.as_str();
            let place = self.tree.key_at(&["tiers", name]);
            if !routes.iter().any(|route| ways::may_reach(self.policy, route, rank)) {
                let problem = self.found.warning(place, format!("tier `{name}` is never used: no route gets there"));
                problem.help(format!(
                    "give it a threshold (`classifier.thresholds: {{ {name}: … }}`), name it on a route, or remove it"
                ));
                continue;
            }
            // A threshold that never wins is told where it stands.
            let has_threshold = routes.iter().any(|route| route.thresholds.contains_key(&tier.name));
            let begins = routes.iter().any(|route| ways::starts(self.policy, route).contains(&rank));
            if !begins && !has_threshold && rank > 0 {
                let message =
                    format!("no request begins in tier `{name}`: it is only asked after another tier did not do");
                let problem = self.found.hint(place, message);
                problem.help(format!("to let hard questions begin there: `classifier.thresholds: {{ {name}: 0.6 }}`"));
            }
        }
    }

    /// Fallback is off and the tier has one model: when that fails, nobody answers.
    pub(super) fn single_points(&mut self) {
        for sharing in self.sharing(&["fallback"], &[&["tiers"]]) {
            let mut alone: BTreeSet<(&str, &str)> = BTreeSet::new();
            let mut routes: BTreeSet<&str> = BTreeSet::new();
            for route in sharing.routes {
                for (tier, model) in lonely(self.policy, route) {
                    alone.insert((tier, model));
                    routes.insert(route.name.as_str());
                }
            }
            if alone.is_empty() {
                continue;
            }
            let models = listed(alone.iter().map(|(_, model)| *model));
            let fails = if alone.len() == 1 { "fails" } else { "fail" };
            let message =
                format!("when {models} {fails}, nobody else is asked: `fallback` is off (routes: {})", listed(routes));
            let tiers: BTreeSet<&str> = alone.iter().map(|(tier, _)| *tier).collect();
            let help = format!(
                "logic alone answers then; to change that, allow `fallback`, or add a model to {}",
                listed(tiers)
            );
            self.found.hint(sharing.place, message).help(help);
        }
    }
}

/// Tier and model where a request of this route may begin and has no other model, although the policy has one.
fn lonely<'a>(policy: &'a Policy, route: &Route) -> Vec<(&'a str, &'a str)> {
    let open = Route { fallback: crate::policy::types::Fallback { upward: true, downward: true }, ..route.clone() };
    let mut found = Vec::new();
    for start in ways::starts(policy, route) {
        let asked = ways::when_all_fail(policy, route, start);
        // A cap that leaves one tier is a decision of its own.
        let others = ways::when_all_fail(policy, &open, start).len() > 1;
        if let [(_, model)] = asked.as_slice()
            && others
        {
            found.push((model.tier.as_str(), model.spec.name.as_str()));
        }
    }
    found
}

impl Linter<'_> {
    /// `sticky` and `check` say something of conversations; a tool's answers are always checked and each stands alone.
    pub(super) fn chat_keys_without_a_chat(&mut self) {
        for route in self.policy.routes.iter().filter(|route| route.matches.tools.is_some()) {
            let Some(number) = self.number(route) else { continue };
            for (key, word) in [("sticky", "conversation"), ("check", "hold")] {
                let path = ["routes", number.as_str(), key];
                if self.written(&path).and_then(Node::text) == Some(word) {
                    let message = format!("`{key}: {word}` does nothing on route `{}`: it matches tools", route.name);
                    let problem = self.found.hint(self.tree.key_at(&path), message);
                    problem.help("it holds for conversations, on a route with `match: { endpoints: [chat] }`");
                }
            }
        }
    }

    /// Thresholds on a route that never asks the classifier, or for tiers that it may not use.
    pub(super) fn thresholds_without_effect(&mut self) {
        for route in &self.policy.routes {
            let Some(number) = self.number(route) else { continue };
            let path = ["routes", number.as_str(), "thresholds"];
            let Some(own) = self.written(&path) else { continue };
            if let RouteTier::Named(tier) = &route.tier {
                let message = format!("these thresholds choose nothing: route `{}` names tier `{tier}`", route.name);
                let problem = self.found.warning(self.tree.key_at(&path), message);
                problem.help("write `tier: auto`, or remove the thresholds");
                continue;
            }
            let cap = ways::cap(self.policy, route);
            for entry in own.entries() {
                let rank = self.policy.tiers.iter().position(|tier| tier.name.as_str() == entry.key);
                if rank.is_some_and(|rank| rank > cap) {
                    let highest = self.tier(cap);
                    let message = format!(
                        "route `{}` never begins in `{}`: its `max_tier` is `{highest}`",
                        route.name, entry.key
                    );
                    let problem = self.found.warning(entry.key_place.clone(), message);
                    problem.help("raise `max_tier`, or remove this threshold");
                }
            }
        }
    }
}
