//! Counters begin at zero. `increase` and `rate` know only how much a series rose while it was watched: what a counter
//! shows when it first appears is no rise, so the first request, dollar or failure of each kind would be in no sum and
//! set off no alert. Every series that can come to be under a policy is therefore there, at zero, before the first
//! request.
//!
//! Only what can happen: doors that there are, routes that a tool can go by, models that these may ask.

use super::families as family;
use super::metrics::Metrics;
use crate::chat::UsageSource;
use crate::names::ModelName;
use crate::policy::{Model, Policy, Route, RouteTier};
use crate::request::{AttemptKind, AttemptResult, CacheUse, Door, RejectionCode, Status};

/// A tool, as far as figures depend on it.
#[derive(Debug, Clone, Copy)]
pub struct ToolFigures {
    pub name: &'static str,
    pub asks_a_model: bool,
}

/// Those of tools that listen today.
const DOORS: [Door; 2] = [Door::Stdio, Door::Cli];

/// Faults after which the same model may be called again.
const RETRIED: [AttemptResult; 3] = [AttemptResult::RateLimited, AttemptResult::Connect, AttemptResult::UpstreamError];

/// Ends after which another model may be asked. A rejected answer goes up instead.
const FAILED: [AttemptResult; 10] = [
    AttemptResult::RateLimited,
    AttemptResult::Timeout,
    AttemptResult::Connect,
    AttemptResult::UpstreamError,
    AttemptResult::Cut,
    AttemptResult::Auth,
    AttemptResult::Quota,
    AttemptResult::Context,
    AttemptResult::Refused,
    AttemptResult::Skipped,
];

/// How a call ends that came to no question for a model; `observe` counts it in no tier.
const PLAIN: [Status; 4] = [Status::Ok, Status::Rejected, Status::Failed, Status::Cancelled];
/// How else a question ends that no model answered whole.
const UNANSWERED: [Status; 2] = [Status::Degraded, Status::Partial];
const ANSWERED: [Status; 2] = [Status::Ok, Status::Cached];

impl Metrics {
    pub(super) fn begin_at_zero(&self, policy: &Policy, tools: &[ToolFigures]) {
        for cache in CacheUse::ALL {
            self.count(&family::CACHE_REQUESTS, [cache.as_str()], 0);
        }
        for budget in &policy.budgets {
            self.count(&family::BUDGET_OVERRUN, [budget.name.as_str()], 0);
            self.count(&family::BUDGET_REFUSALS, [budget.name.as_str()], 0);
        }
        for route in &policy.routes {
            self.count(&family::CACHE_SAVED, [route.name.as_str()], 0);
            self.count(&family::COUNTERFACTUAL, [route.name.as_str()], 0);
        }
        for (name, model) in &policy.models {
            self.begin_model(policy, name, model);
        }
        for tool in tools {
            self.count(&family::TOOL_COST, [tool.name], 0);
            for route in routes_of(policy, tool.name) {
                self.begin_tool(policy, *tool, route);
            }
        }
        self.begin_steps(policy);
    }

    fn begin_model(&self, policy: &Policy, name: &ModelName, model: &Model) {
        let label = name.as_str();
        for route in &policy.routes {
            self.count(&family::COST, [label, route.name.as_str()], 0);
        }
        self.count(&family::PRICE_LOOKUPS, [label, self.pricing_of(name)], 0);
        self.count(&family::USAGE_MISSING, [label], 0);
        for source in [UsageSource::Reported, UsageSource::Estimated] {
            for kind in ["input", "cached_input", "output"] {
                self.count(&family::TOKENS, [label, kind, source.as_str()], 0);
            }
        }
        let costs = model.price.is_some_and(|price| !price.is_free());
        let lowest = policy.rank(&model.tier) == Some(0);
        for result in AttemptResult::ALL {
            // Nobody is handed up to the lowest tier.
            for kind in AttemptKind::ALL.iter().filter(|kind| !lowest || **kind != AttemptKind::Escalation) {
                self.count(&family::ATTEMPTS, [label, kind.as_str(), result.as_str()], 0);
            }
            if costs && *result != AttemptResult::Skipped {
                self.count(&family::WASTED, [label, result.as_str()], 0);
            }
        }
        for result in RETRIED {
            self.count(&family::RETRIES, [label, result.as_str()], 0);
        }
    }

    fn begin_tool(&self, policy: &Policy, tool: ToolFigures, route: &Route) {
        let begin = |tier: &str, status: &Status| {
            for door in DOORS {
                let labels = [door.as_str(), tool.name, route.name.as_str(), tier, status.as_str()];
                self.count(&family::REQUESTS, labels, 0);
            }
        };
        PLAIN.iter().for_each(|status| begin("none", status));
        if !tool.asks_a_model || reach(policy, route).next().is_none() {
            return;
        }
        UNANSWERED.iter().for_each(|status| begin("none", status));
        for tier in reach(policy, route).filter_map(|rank| policy.tiers.get(rank)) {
            ANSWERED.iter().for_each(|status| begin(tier.name.as_str(), status));
            for model in &tier.models {
                for result in [AttemptResult::Accepted, AttemptResult::Rejected] {
                    self.count(&family::CHECKS, [tool.name, model.as_str(), result.as_str()], 0);
                }
            }
        }
    }

    /// From one model or tier to another.
    fn begin_steps(&self, policy: &Policy) {
        for (rank, tier) in policy.tiers.iter().enumerate() {
            for higher in policy.tiers.iter().skip(rank + 1) {
                for code in RejectionCode::ALL {
                    self.count(&family::ESCALATIONS, [tier.name.as_str(), higher.name.as_str(), code.as_str()], 0);
                }
            }
        }
        for (from, to) in pairs(policy) {
            for result in FAILED {
                self.count(&family::FALLBACKS, [from.as_str(), to.as_str(), result.as_str()], 0);
            }
        }
    }
}

/// The routes that a call of the tool can go by: those before it that ask for more, and the first that takes all of its
/// calls.
fn routes_of<'p>(policy: &'p Policy, tool: &str) -> Vec<&'p Route> {
    let mut routes = Vec::new();
    for route in policy.routes.iter().filter(|route| route.matches.may_take_tool(tool)) {
        routes.push(route);
        if route.matches.projects.is_none() && route.matches.callers.is_none() {
            break;
        }
    }
    routes
}

/// The ranks of the tiers whose models a request on this route may be answered by; none for logic alone.
fn reach<'p>(policy: &'p Policy, route: &'p Route) -> impl Iterator<Item = usize> + 'p {
    let cap = route.max_tier.as_ref().and_then(|tier| policy.rank(tier)).unwrap_or(usize::MAX);
    let named = match &route.tier {
        RouteTier::Auto => None,
        RouteTier::Named(tier) => Some(policy.rank(tier)),
    };
    let within = move |rank: &usize| match named {
        // The classifier may choose any of them.
        None => true,
        Some(None) => false,
        Some(Some(start)) if *rank > start => route.fallback.upward || route.escalate.on_rejected,
        Some(Some(start)) if *rank < start => route.fallback.downward,
        Some(Some(_)) => true,
    };
    (0..policy.tiers.len()).filter(move |rank| *rank <= cap).filter(within)
}

/// Models that may be asked after each other because the first one failed.
fn pairs(policy: &Policy) -> impl Iterator<Item = (&ModelName, &ModelName)> {
    let may = |from: &Model, to: &Model| {
        policy.routes.iter().any(|route| {
            let reached = |model: &Model| reach(policy, route).any(|rank| policy.rank(&model.tier) == Some(rank));
            let (low, high) = (policy.rank(&from.tier), policy.rank(&to.tier));
            let allowed = (high <= low || route.fallback.upward) && (high >= low || route.fallback.downward);
            allowed && reached(from) && reached(to)
        })
    };
    let all = policy.models.iter().flat_map(|from| policy.models.iter().map(move |to| (from, to)));
    all.filter(move |(from, to)| from.0 != to.0 && may(from.1, to.1)).map(|(from, to)| (from.0, to.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy;

    const TOOLS: [ToolFigures; 2] = [
        ToolFigures { name: "list_tasks", asks_a_model: false },
        ToolFigures { name: "analyze_workload", asks_a_model: true },
    ];

    fn begun(text: &str) -> Vec<String> {
        let policy = policy::compile(text, "routing.yaml", &|_| None).policy.unwrap();
        let metrics = Metrics::for_tests();
        metrics.set_tools(TOOLS);
        metrics.set_policy(&policy);
        let zeros = metrics.render();
        zeros.lines().filter_map(|line| line.strip_suffix(" 0")).map(str::to_owned).collect()
    }

    fn of<'a>(begun: &'a [String], family: &str) -> Vec<&'a str> {
        let own = |line: &&String| line.split('{').next() == Some(family);
        begun.iter().filter(own).map(String::as_str).collect()
    }

    #[test]
    fn what_panels_and_alerts_read_is_there_before_the_first_request() {
        let begun = begun(policy::BUILT_IN);
        let there = |line: &str| assert!(begun.iter().any(|begun| begun == line), "{line}: {begun:#?}");
        there(r#"taskgate_counterfactual_cost_nanousd_total{route="analysis"}"#);
        there(r#"taskgate_wasted_cost_nanousd_total{model="gpt-4o",reason="rejected"}"#);
        there(r#"taskgate_cache_requests_total{result="miss"}"#);
        there(r#"taskgate_checks_total{tool="analyze_workload",model="task-api-model",result="rejected"}"#);
        there(r#"taskgate_attempts_total{model="gpt-4o",kind="escalation",result="accepted"}"#);
        there(r#"taskgate_escalations_total{from="local",to="hosted",reason="unknown_task"}"#);
        there(r#"taskgate_fallbacks_total{from="gpt-4o",to="task-api-model",reason="timeout"}"#);
        there(r#"taskgate_retries_total{model="gpt-4o",reason="rate_limited"}"#);
        there(r#"taskgate_tokens_total{model="gpt-4o",type="cached_input",usage="reported"}"#);
        there(r#"taskgate_usage_missing_total{model="task-api-model"}"#);
        let analysis = r#"tool="analyze_workload",route="analysis""#;
        there(&format!(r#"taskgate_requests_total{{door="stdio",{analysis},tier="hosted",status="ok"}}"#));
        there(&format!(r#"taskgate_requests_total{{door="stdio",{analysis},tier="none",status="degraded"}}"#));
        there(r#"taskgate_requests_total{door="stdio",tool="list_tasks",route="logic",tier="none",status="failed"}"#);
    }

    #[test]
    fn what_cannot_happen_has_no_series() {
        let begun = begun(policy::BUILT_IN);
        let absent = |part: &str| assert!(!begun.iter().any(|line| line.contains(part)), "{part}: {begun:#?}");
        absent(r#"taskgate_escalations_total{from="hosted""#);
        absent(r#"from="gpt-4o",to="gpt-4o""#);
        absent(r#"taskgate_wasted_cost_nanousd_total{model="task-api-model""#);
        absent(r#"taskgate_attempts_total{model="task-api-model",kind="escalation""#);
        absent(r#"tool="list_tasks",route="logic",tier="local""#);
        absent(r#"tool="list_tasks",route="analysis""#);
        absent(r#"taskgate_checks_total{tool="list_tasks""#);
        absent(r#"tool="analyze_workload",route="private""#);
    }

    #[test]
    fn a_route_that_ends_below_and_one_for_some_projects_begin_what_they_allow() {
        let enabled = policy::BUILT_IN.replace("enabled: false", "enabled: true");
        let begun = begun(&enabled);
        let requests = |route: &str| {
            let own = format!(r#"tool="analyze_workload",route="{route}""#);
            of(&begun, "taskgate_requests_total").into_iter().filter(|line| line.contains(&own)).collect::<Vec<_>>()
        };
        assert!(requests("private").iter().any(|line| line.contains(r#"tier="local",status="cached""#)));
        assert!(!requests("private").iter().any(|line| line.contains("hosted")), "it goes no higher than local");
        assert_eq!(requests("private").len(), 2 * (4 + 2 + 2));
        assert_eq!(requests("analysis").len(), 2 * (4 + 2 + 4), "a call for no such project goes on");
    }

    #[test]
    fn where_no_failed_call_goes_up_no_fallback_does() {
        let without = policy::BUILT_IN.replace("fallback: { upward: true", "fallback: { upward: false");
        let fallbacks = |text: &str| of(&begun(text), "taskgate_fallbacks_total").len();
        assert_eq!((fallbacks(policy::BUILT_IN), fallbacks(&without)), (20, 10));
    }
}
