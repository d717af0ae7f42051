//! What is no mistake but worth saying: keys that are not set, prices that are unknown, and what leaves the machine.

use std::net::IpAddr;

use reqwest::Url;

use super::problems::Findings;
use super::tree::Node;
use super::types::{Backend, Location, Policy, Route, RouteTier};
use crate::names::TierName;

/// MCP hosts cut a call at about 60 s; an answer that comes later is never seen.
const LONGEST_DEADLINE_SECONDS: u64 = 50;

pub fn lint(policy: &Policy, tree: &Node, found: &mut Findings) {
    // What may leave the machine can only be told of a policy that is right as a whole.
    let complete = !found.has_errors();
    for backend in policy.backends.values() {
        let name = backend.name.as_str();
        key(backend, tree, found);
        address(backend, tree, found);
        if complete && backend.location == Location::Hosted {
            let place = tree.key_at(&["backends", name]);
            found.hint(place, what_leaves(policy, backend));
        }
    }
    for (name, model) in &policy.models {
        let hosted = policy.backend_of(model).is_some_and(|backend| backend.location == Location::Hosted);
        if hosted && model.price.is_none() {
            let place = tree.key_at(&["models", name.as_str()]);
            let problem = found.warning(place, format!("`{name}` is hosted and has no price: its cost is not counted"));
            problem.help("add `price: { input: …, output: … }`, in USD per million tokens");
        }
    }
    thresholds(policy, tree, found);
    if policy.routes.iter().any(|route| route.envelope.deadline.as_secs() > LONGEST_DEADLINE_SECONDS) {
        let place = tree.key_at(&["envelope", "deadline"]);
        let problem = found.warning(place, "a deadline above 50s: MCP hosts stop waiting at about 60s");
        problem.help("the default is 40s");
    }
}

fn key(backend: &Backend, tree: &Node, found: &mut Findings) {
    if backend.is_usable() {
        return;
    }
    let place = tree.key_at(&["backends", backend.name.as_str(), "api_key"]);
    let problem = found.warning(place, format!("hosted backend `{}` has no key: its models are skipped", backend.name));
    problem.help(match &backend.key_variable {
        Some(variable) => format!("set {variable}"),
        None => "give it one: `api_key: ${NAME:-}`".to_owned(),
    });
}

/// `location` decides about privacy, so it should fit the address.
fn address(backend: &Backend, tree: &Node, found: &mut Findings) {
    let Ok(url) = Url::parse(&backend.base_url) else { return };
    let near = url.host_str().is_some_and(is_near);
    let name = backend.name.as_str();
    if backend.location == Location::Local && !near {
        let place = tree.value_at(&["backends", name, "location"]);
        let problem = found.warning(place, format!("`{name}` is marked local, but its address looks public"));
        problem.help("write `location: hosted` if task text leaves your network there");
    }
    if backend.location == Location::Hosted && url.scheme() == "http" && !near {
        let place = tree.value_at(&["backends", name, "base_url"]);
        let message = format!("`{name}` is reached over http: its key and task text travel in the clear");
        found.warning(place, message).help("use https://");
    }
}

/// This machine, a private network, or a name without a domain (as in a container's network).
fn is_near(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    match host.parse() {
        Ok(IpAddr::V4(ip)) => ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_unspecified(),
        Ok(IpAddr::V6(ip)) => {
            ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_unspecified()
        }
        Err(_) => {
            let local = [".local", ".localhost", ".internal", ".lan", ".home.arpa"];
            !host.contains('.') || local.iter().any(|ending| host.ends_with(ending))
        }
    }
}

fn what_leaves(policy: &Policy, backend: &Backend) -> String {
    let tiers: Vec<&TierName> =
        policy.models.values().filter(|model| model.backend == backend.name).map(|model| &model.tier).collect();
    let routes: Vec<String> = policy
        .routes
        .iter()
        .filter(|route| tiers.iter().any(|tier| may_reach(policy, route, tier)))
        .map(|route| format!("`{}`", route.name))
        .collect();
    let host = Url::parse(&backend.base_url).ok().and_then(|url| url.host_str().map(str::to_owned));
    let host = host.unwrap_or_else(|| "its host".to_owned());
    match (routes.is_empty(), backend.is_usable()) {
        (true, _) => format!("no task text goes to `{}` ({host}): no route leads there", backend.name),
        (false, true) => format!("task text may go to `{}` ({host}) by the routes {}", backend.name, routes.join(", ")),
        (false, false) => {
            let list = routes.join(", ");
            format!("with a key, task text could go to `{}` ({host}) by the routes {list}", backend.name)
        }
    }
}

/// Whether a request of this route can end at this tier: chosen, escalated to, or fallen back to.
fn may_reach(policy: &Policy, route: &Route, tier: &TierName) -> bool {
    let Some(rank) = policy.rank(tier) else { return false };
    let below_cap = route.max_tier.as_ref().and_then(|cap| policy.rank(cap)).is_none_or(|cap| rank <= cap);
    let upward = route.escalate.on_rejected || route.fallback.upward;
    below_cap
        && match &route.tier {
            RouteTier::Named(start) if start.is_none() => false,
            RouteTier::Named(start) => match policy.rank(start) {
                Some(start) => rank == start || (rank > start && upward) || (rank < start && route.fallback.downward),
                None => false,
            },
            RouteTier::Auto => rank == 0 || upward || route.thresholds.contains_key(tier),
        }
}

/// The highest threshold that is reached wins, so a lower one above it takes all.
fn thresholds(policy: &Policy, tree: &Node, found: &mut Findings) {
    let all = &policy.classifier.thresholds;
    for pair in policy.tiers.windows(2) {
        let (lower, upper) = (&pair[0].name, &pair[1].name);
        if let (Some(low), Some(high)) = (all.get(lower), all.get(upper))
            && high <= low
        {
            let place = tree.value_at(&["classifier", "thresholds", upper.as_str()]);
            let message = format!("`{lower}` is never chosen: `{upper}` above it has no higher threshold");
            found.warning(place, message).help("thresholds rise from tier to tier");
        }
    }
}
