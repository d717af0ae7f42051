//! What is no mistake in the text but in its meaning: what can't happen, what can't be paid, what leaves the machine.
//!
//! An error is what contradicts itself, a warning is what its author hardly wants, a hint is worth knowing. What a rule
//! says is told at run time by `gateway`; here it is told before. Rules that look at the policy as a whole only look at
//! one without errors: of half a policy they would say nonsense.

mod bounds;
mod budgets;
mod callers;
mod matches;
mod models;
mod order;
mod privacy;
mod routes;
mod thresholds;
mod times;
mod ways;

use super::problems::{Findings, Place};
use super::tree::Node;
use super::types::{Location, Model, Policy, Route, RouteTier};

pub fn lint(policy: &Policy, tree: &Node, found: &mut Findings) {
    let complete = !found.has_errors();
    let mut linter = Linter { policy, tree, found };
    linter.contradictions();
    linter.backends();
    linter.sizes_and_prices();
    linter.orders_of_thresholds();
    linter.long_deadlines();
    if !complete {
        return;
    }
    linter.what_leaves();
    linter.names_taken_above();
    linter.thresholds_out_of_reach();
    linter.thresholds_above_the_weights();
    linter.thresholds_without_effect();
    linter.tiers_without_a_way();
    linter.single_points();
    linter.shrinking();
    linter.dominated();
    linter.chat_keys_without_a_chat();
    linter.amplification();
    linter.money();
    linter.budgets();
    linter.callers();
    linter.second_tries();
    linter.waits();
    linter.times();
}

/// What the rules work on.
struct Linter<'a> {
    policy: &'a Policy,
    tree: &'a Node,
    found: &'a mut Findings,
}

/// The routes that live by one written value, and where it stands.
struct Sharing<'a> {
    place: Place,
    /// Written on a route, so it holds for that one alone.
    own: bool,
    routes: Vec<&'a Route>,
}

impl<'a> Linter<'a> {
    /// The node at this path, if it is written. List items go by number.
    fn written(&self, path: &[&str]) -> Option<&'a Node> {
        let mut node = self.tree;
        for step in path {
            let named = node.entries().iter().find(|entry| entry.key == *step).map(|entry| &entry.node);
            let counted = || step.parse().ok().and_then(|at: usize| node.items().get(at));
            node = named.or_else(counted)?;
        }
        (!node.is_null()).then_some(node)
    }

    /// Where the first of these values stands that is written at all.
    fn first_written(&self, paths: &[&[&str]]) -> Place {
        let path = paths.iter().find(|path| self.written(path).is_some()).or(paths.last());
        path.map_or(0..0, |path| self.tree.value_at(path))
    }

    /// A route's number in the file; one that `compile` added has none.
    fn number(&self, route: &Route) -> Option<String> {
        let routes = self.written(&["routes"])?.items();
        let named = |node: &Node| {
            node.entries().iter().any(|entry| entry.key == "name" && entry.node.text() == Some(route.name.as_str()))
        };
        routes.iter().position(named).map(|at| at.to_string())
    }

    /// The routes that ask models, by where their `envelope.KEY` (or another setting that a route may override) stands.
    /// `otherwise` is where to point when it is written nowhere.
    fn sharing(&self, path: &[&str], otherwise: &[&[&str]]) -> Vec<Sharing<'a>> {
        let paths: Vec<&[&str]> = std::iter::once(path).chain(otherwise.iter().copied()).collect();
        let common = Sharing { place: self.first_written(&paths), own: false, routes: Vec::new() };
        let mut all = vec![common];
        for route in self.policy.routes.iter().filter(|route| asks_models(route)) {
            let number = self.number(route);
            let own: Vec<&str> =
                number.iter().flat_map(|number| ["routes", number]).chain(path.iter().copied()).collect();
            if number.is_some() && self.written(&own).is_some() {
                all.push(Sharing { place: self.tree.value_at(&own), own: true, routes: vec![route] });
            } else {
                all[0].routes.push(route);
            }
        }
        all.retain(|sharing| !sharing.routes.is_empty());
        all
    }

    fn is_hosted(&self, model: &Model) -> bool {
        self.policy.backend_of(model).is_some_and(|backend| backend.location == Location::Hosted)
    }

    /// The name of a tier, by its rank.
    fn tier(&self, rank: usize) -> &'a str {
        self.policy.tiers.get(rank).map_or("", |tier| tier.name.as_str())
    }
}

fn asks_models(route: &Route) -> bool {
    !matches!(&route.tier, RouteTier::Named(tier) if tier.is_none())
}

/// "`a`, `b` and `c`".
fn listed<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => String::new(),
    }
}

/// "1 model", "2 models".
fn counted(count: impl Into<u64>, word: &str) -> String {
    let count = count.into();
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}
