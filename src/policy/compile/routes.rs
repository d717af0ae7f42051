//! Routes: what each matches, what then applies, and whether it can be reached at all.

use std::collections::{BTreeMap, BTreeSet};

use super::Meaning;
use super::limits::{Defaults, escalate, fallback};
use crate::names::{RouteName, TierName};
use crate::policy::raw::{RawCheck, RawEndpoint, RawMatch, RawRoute, RawSticky};
use crate::policy::types::{ChatCheck, Match, Route, RouteTier, Sticky, Tier};
use crate::policy::vocabulary::{TOOLS, advice};
use crate::request::Endpoint;

/// The route that `compile` adds when none matches everything.
const CATCH_ALL: &str = "default";

impl Meaning<'_> {
    pub(super) fn routes(
        &mut self,
        tiers: &[Tier],
        thresholds: &BTreeMap<TierName, f64>,
        defaults: &Defaults,
    ) -> Vec<Route> {
        let mut routes: Vec<Route> = Vec::new();
        let raw = self.raw.routes.as_deref().unwrap_or_default();
        for (index, written) in raw.iter().enumerate() {
            self.name(index, raw);
            let route = self.route(index, written, tiers, defaults);
            // A route's own thresholds stand over the classifier's.
            let mut all = thresholds.clone();
            all.extend(route.thresholds);
            let route = Route { thresholds: all, ..route };
            if written.enabled == Some(false) {
                continue;
            }
            self.reachable(index, &route, &routes);
            routes.push(route);
        }
        if !routes.iter().any(|route| route.matches == Match::default()) {
            let mut route = bare(CATCH_ALL.into(), defaults);
            route.thresholds = thresholds.clone();
            routes.push(route);
        }
        routes
    }

    fn name(&mut self, index: usize, all: &[RawRoute]) {
        let number = index.to_string();
        let Some(name) = all[index].name.as_deref() else { return };
        if all[..index].iter().any(|before| before.name.as_deref() == Some(name)) {
            let problem = self.error(&["routes", &number, "name"], format!("a route named `{name}` stands above"));
            problem.help("names tell routes apart in metrics and in the ledger; choose another");
        }
        let is_catch_all = all[index].matches.as_ref().is_none_or(matches_everything);
        if name == CATCH_ALL && !is_catch_all {
            let problem = self.error(&["routes", &number, "name"], "`default` is the route that matches everything");
            problem.help("choose another name, or remove its `match`");
        }
    }

    fn route(&mut self, index: usize, raw: &RawRoute, tiers: &[Tier], defaults: &Defaults) -> Route {
        let number = index.to_string();
        let at = ["routes", number.as_str()];
        let mut route = bare(raw.name.as_deref().unwrap_or_default().into(), defaults);
        route.matches = self.matching(&at, raw.matches.as_ref());
        route.tier = self.tier(&at, raw, tiers);
        route.max_tier = self.max_tier(&at, raw, &route.tier, tiers);
        route.thresholds = self.thresholds(raw.thresholds.as_ref(), tiers, &[at[0], at[1], "thresholds"]);
        if let Some(temperature) = raw.temperature.filter(|temperature| !(0.0..=2.0).contains(temperature)) {
            let path = [at[0], at[1], "temperature"];
            let problem = self.error(&path, format!("temperature {temperature} is out of range"));
            problem.help("write a number from 0 to 2");
        }
        route.temperature = raw.temperature;
        route.sticky = match raw.sticky {
            None | Some(RawSticky::None) => Sticky::None,
            Some(RawSticky::Conversation) => Sticky::Conversation,
        };
        route.check = match raw.check {
            None | Some(RawCheck::Record) => ChatCheck::Record,
            Some(RawCheck::Hold) => ChatCheck::Hold,
            Some(RawCheck::Off) => ChatCheck::Off,
        };
        route.escalate = escalate(raw.escalate.as_ref(), defaults.escalate);
        route.fallback = fallback(raw.fallback.as_ref(), defaults.fallback);
        route.envelope = self.envelope(raw.envelope.as_ref(), defaults.envelope, &[at[0], at[1], "envelope"]);
        route.cache_ttl = raw.cache.as_ref().and_then(|cache| cache.ttl).map_or(defaults.cache_ttl, |ttl| ttl.0);
        route
    }

    fn matching(&mut self, at: &[&str; 2], raw: Option<&RawMatch>) -> Match {
        let Some(raw) = raw else { return Match::default() };
        let lists = [("tools", raw.tools.as_ref()), ("projects", raw.projects.as_ref())];
        for (key, _) in lists.iter().filter(|(_, list)| list.is_some_and(Vec::is_empty)) {
            let problem = self.error(&[at[0], at[1], "match", key], format!("`{key}: []` matches nothing"));
            problem.help("remove the key to match any");
        }
        for (n, tool) in raw.tools.iter().flatten().enumerate().filter(|(_, tool)| !tool.is_empty()) {
            if tool != "*" && !TOOLS.contains(&tool.as_str()) {
                let path = [at[0], at[1], "match", "tools", &n.to_string()];
                let help = advice(tool, TOOLS.iter().copied());
                self.error(&path, format!("unknown tool `{tool}`")).help(help);
            }
        }
        Match {
            tools: raw.tools.as_ref().map(|tools| tools.iter().cloned().collect()),
            endpoints: raw.endpoints.as_ref().map(|endpoints| endpoints.iter().map(endpoint).collect()),
            projects: raw.projects.as_ref().map(|projects| projects.iter().cloned().collect()),
            callers: raw.callers.as_ref().map(|callers| callers.iter().cloned().collect()),
        }
    }

    fn tier(&mut self, at: &[&str; 2], raw: &RawRoute, tiers: &[Tier]) -> RouteTier {
        let Some(written) = raw.tier.as_deref().filter(|tier| *tier != "auto") else { return RouteTier::Auto };
        let mut known: Vec<&str> = vec!["auto", TierName::NONE];
        known.extend(tiers.iter().map(|tier| tier.name.as_str()));
        let place = self.tree.value_at(&[at[0], at[1], "tier"]);
        if self.raw.tiers.is_some() && !self.known(("tier", written), &known, place) {
            return RouteTier::Auto;
        }
        RouteTier::Named(written.into())
    }

    fn max_tier(&mut self, at: &[&str; 2], raw: &RawRoute, tier: &RouteTier, tiers: &[Tier]) -> Option<TierName> {
        let written = raw.max_tier.as_deref()?;
        let path = [at[0], at[1], "max_tier"];
        let place = self.tree.value_at(&path);
        if written == TierName::NONE {
            self.error(&path, "`max_tier: none` leaves no model").help("write `tier: none` for logic only");
            return None;
        }
        let known: Vec<&str> = tiers.iter().map(|tier| tier.name.as_str()).collect();
        if self.raw.tiers.is_none() || !self.known(("tier", written), &known, place) {
            return None;
        }
        let rank = |name: &str| known.iter().position(|known| *known == name);
        if let RouteTier::Named(start) = tier
            && rank(start.as_str()) > rank(written)
        {
            let problem = self.error(&path, format!("`tier: {start}` is above `max_tier: {written}`"));
            problem.help("no model could be used; raise max_tier or lower tier");
        }
        Some(written.into())
    }

    /// An earlier route that matches all that this one matches makes it dead text.
    fn reachable(&mut self, index: usize, route: &Route, before: &[Route]) {
        let covering = before.iter().find(|earlier| covers(&earlier.matches, &route.matches));
        let Some(earlier) = covering else { return };
        let everything = if earlier.matches == Match::default() { "everything" } else { "all that it matches" };
        let message =
            format!("route `{}` is never reached: `{}` above it matches {everything}", route.name, earlier.name);
        let number = index.to_string();
        self.error(&["routes", &number, "name"], message).help("the first match wins; move the narrower route up");
    }
}

fn bare(name: RouteName, defaults: &Defaults) -> Route {
    Route {
        name,
        matches: Match::default(),
        tier: RouteTier::Auto,
        max_tier: None,
        thresholds: BTreeMap::new(),
        temperature: None,
        sticky: Sticky::None,
        check: ChatCheck::Record,
        escalate: defaults.escalate,
        fallback: defaults.fallback,
        envelope: defaults.envelope,
        cache_ttl: defaults.cache_ttl,
    }
}

fn matches_everything(raw: &RawMatch) -> bool {
    raw.tools.is_none() && raw.endpoints.is_none() && raw.projects.is_none() && raw.callers.is_none()
}

fn endpoint(raw: &RawEndpoint) -> Endpoint {
    match raw {
        RawEndpoint::Chat => Endpoint::Chat,
        RawEndpoint::Responses => Endpoint::Responses,
        RawEndpoint::Embeddings => Endpoint::Embeddings,
    }
}

/// Whether all that `narrow` matches is matched by `wide` too.
fn covers(wide: &Match, narrow: &Match) -> bool {
    let within = |wide: &Option<BTreeSet<String>>, narrow: &Option<_>| match (wide, narrow) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(wide), Some(narrow)) => wide.contains("*") || wide.is_superset(narrow),
    };
    let endpoints = match (&wide.endpoints, &narrow.endpoints) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(wide), Some(narrow)) => wide.is_superset(narrow),
    };
    endpoints
        && within(&wide.tools, &narrow.tools)
        && within(&wide.projects, &narrow.projects)
        && within(&wide.callers, &narrow.callers)
}
