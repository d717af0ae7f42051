//! The ways that a request may take through the tiers, as `gateway::decide` and its candidate loop go them.
//!
//! Keys are left out of account: what a policy means should not change with the environment.

use std::collections::BTreeSet;

use crate::policy::types::{Model, Policy, Route, RouteTier};

/// The ranks of the tiers in which a request of this route may begin.
pub fn starts(policy: &Policy, route: &Route) -> BTreeSet<usize> {
    let highest = cap(policy, route);
    match &route.tier {
        RouteTier::Named(tier) => policy.rank(tier).into_iter().collect(),
        RouteTier::Auto => {
            let all = thresholds(policy, route);
            // The highest threshold that is reached wins.
            let wins = |at: usize| all[at + 1..].iter().all(|(_, above)| *above > all[at].1);
            (0..all.len()).filter(|at| wins(*at)).map(|at| all[at].0.min(highest)).collect()
        }
    }
}

/// Rank and threshold of each tier that can be chosen by complexity. The first tier begins at 0.
pub fn thresholds(policy: &Policy, route: &Route) -> Vec<(usize, f64)> {
    let above = policy.tiers.iter().enumerate().skip(1);
    let written = above.filter_map(|(rank, tier)| Some((rank, *route.thresholds.get(&tier.name)?)));
    std::iter::once((0, 0.0)).chain(written).collect()
}

/// The rank of the highest tier that this route may use.
pub fn cap(policy: &Policy, route: &Route) -> usize {
    let last = policy.tiers.len().saturating_sub(1);
    route.max_tier.as_ref().and_then(|tier| policy.rank(tier)).unwrap_or(last)
}

/// The models that a request which begins in this tier may ask, whatever goes wrong, in the order of asking.
pub fn candidates<'a>(policy: &'a Policy, route: &Route, start: usize) -> Vec<(usize, &'a Model)> {
    let up = route.fallback.upward || route.escalate.on_rejected;
    let allowed = |rank: usize| rank == start || (rank > start && up) || (rank < start && route.fallback.downward);
    let highest = cap(policy, route);
    let ranks = (start..policy.tiers.len()).chain((0..start).rev()).filter(|rank| *rank <= highest && allowed(*rank));
    ranks
        .filter_map(|rank| policy.tiers.get(rank).map(|tier| (rank, tier)))
        .flat_map(|(rank, tier)| tier.models.iter().filter_map(move |name| Some((rank, policy.models.get(name)?))))
        .collect()
}

/// The models that are asked if every call fails.
pub fn when_all_fail<'a>(policy: &'a Policy, route: &Route, start: usize) -> Vec<(usize, &'a Model)> {
    let mut asked: Vec<(usize, &Model)> = Vec::new();
    for (rank, model) in candidates(policy, route, start) {
        let from = asked.last().map_or(rank, |(rank, _)| *rank);
        let follows =
            rank == from || (rank > from && route.fallback.upward) || (rank < from && route.fallback.downward);
        if follows {
            asked.push((rank, model));
        }
    }
    asked
}

/// Whether a request of this route can end in this tier: chosen, escalated to, or fallen back to.
pub fn may_reach(policy: &Policy, route: &Route, tier: usize) -> bool {
    let ends_there = |start: usize| candidates(policy, route, start).iter().any(|(rank, _)| *rank == tier);
    starts(policy, route).into_iter().any(ends_there)
}

/// The longest list of models that one request of this route may ask.
pub fn most_candidates<'a>(policy: &'a Policy, route: &Route) -> Vec<(usize, &'a Model)> {
    let lists = starts(policy, route).into_iter().map(|start| candidates(policy, route, start));
    lists.max_by_key(Vec::len).unwrap_or_default()
}
