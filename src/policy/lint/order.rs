//! Models beside each other: one that can do less than the one that is asked before it, one that another makes needless.

use super::{Linter, asks_models, ways};
use crate::chat::NanoUsd;
use crate::policy::types::Model;

impl<'a> Linter<'a> {
    /// Within a tier and up the tiers, the next model should be able to take the same question. Going down, less is
    /// expected.
    pub(super) fn shrinking(&mut self) {
        for rank in 0..self.policy.tiers.len() {
            let members = self.members(rank);
            for (n, pair) in members.windows(2).enumerate() {
                self.shrinks(pair[0], pair[1], n + 1);
            }
            let goes_up = self.policy.routes.iter().filter(|route| asks_models(route)).any(|route| {
                (route.fallback.upward || route.escalate.on_rejected)
                    && ways::may_reach(self.policy, route, rank)
                    && ways::may_reach(self.policy, route, rank + 1)
            });
            let above = self.members(rank + 1);
            if let (Some(next), true) = (above.first(), goes_up) {
                let larger = members.iter().find(|model| shortfall(model, next).is_some());
                if let Some(model) = larger {
                    self.shrinks(model, next, 0);
                }
            }
        }
    }

    fn members(&self, rank: usize) -> Vec<&'a Model> {
        let tier = self.policy.tiers.get(rank);
        tier.iter().flat_map(|tier| &tier.models).filter_map(|name| self.policy.models.get(name)).collect()
    }

    /// `at` is the place of `next` in its tier.
    fn shrinks(&mut self, before: &Model, next: &Model, at: usize) {
        let Some(less) = shortfall(before, next) else { return };
        let place = self.tree.value_at(&["tiers", next.tier.as_str(), &at.to_string()]);
        let when = if before.tier == next.tier { "fails" } else { "does not do" };
        let (before, next) = (&before.spec.name, &next.spec.name);
        let message = format!("`{next}` is asked when `{before}` {when}, but it {less}");
        let problem = self.found.warning(place, message);
        problem.help("what was asked before may be more than it can take; put the larger model later");
    }

    /// By the numbers of the file alone: what a model's answers are worth does not stand there.
    pub(super) fn dominated(&mut self) {
        for rank in 0..self.policy.tiers.len() {
            let members = self.members(rank);
            for (at, model) in members.iter().enumerate() {
                let better = |(other, by): &(usize, &&Model)| {
                    // A dearer model further down at another place is there for when this place is down.
                    dominates(by, model) && (*other > at || (*other < at && by.backend == model.backend))
                };
                let Some((other, by)) = members.iter().enumerate().find(better) else { continue };
                let place = self.tree.value_at(&["tiers", model.tier.as_str(), &at.to_string()]);
                let (name, by) = (&model.spec.name, &by.spec.name);
                let message =
                    format!("`{by}` of the same tier costs less than `{name}` and is not smaller in anything");
                let help = if other > at { format!("put `{by}` first") } else { format!("remove `{name}`") };
                self.found.hint(place, message).help(format!("{help}, unless `{name}` is there for better answers"));
            }
        }
    }
}

/// What `next` lacks of what `before` has, in words.
fn shortfall(before: &Model, next: &Model) -> Option<String> {
    let (before, next) = (&before.spec, &next.spec);
    let mut less = Vec::new();
    if next.context < before.context {
        less.push(format!("has a smaller context ({} tokens after {})", next.context.0, before.context.0));
    }
    let missing: Vec<&str> = before.capabilities.difference(&next.capabilities).map(|one| one.as_str()).collect();
    if !missing.is_empty() {
        less.push(format!("lacks {}", super::listed(missing)));
    }
    (!less.is_empty()).then(|| less.join(" and "))
}

/// Cheaper in something, dearer in nothing, and at least as large and as able.
fn dominates(better: &Model, model: &Model) -> bool {
    let (Some(price), Some(dearer)) = (better.price, model.price) else { return false };
    let prices =
        [(price.input, dearer.input), (price.cached_input, dearer.cached_input), (price.output, dearer.output)];
    let cheaper = prices.iter().any(|(one, other): &(NanoUsd, NanoUsd)| one < other);
    cheaper
        && prices.iter().all(|(one, other)| one <= other)
        && better.spec.context >= model.spec.context
        && better.spec.max_output >= model.spec.max_output
        && better.spec.capabilities.is_superset(&model.spec.capabilities)
}
