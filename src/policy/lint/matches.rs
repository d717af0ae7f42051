//! Routes that match nothing, or less than is written.

use super::Linter;
use crate::policy::tree::Node;
use crate::policy::types::{Match, Route};

impl Linter<'_> {
    /// What no request can be, whatever else the file says. Routes that are switched off are looked at too.
    pub(super) fn contradictions(&mut self) {
        let routes = self.written(&["routes"]).map_or(&[][..], Node::items);
        for (n, route) in routes.iter().enumerate() {
            let number = n.to_string();
            let at = |key: &'static str| ["routes", number.as_str(), "match", key];
            let name = child(route, "name").and_then(Node::text).unwrap_or_default();
            let Some(matches) = child(route, "match") else { continue };
            if let (Some(_), Some(_)) = (child(matches, "tools"), child(matches, "endpoints")) {
                let place = self.tree.key_at(&at("endpoints"));
                let message =
                    format!("route `{name}` matches nothing: no request is a tool's and an endpoint's at once");
                self.found
                    .error(place, message)
                    .help("make it two routes, one for the tools and one for the endpoints");
            }
            for key in ["endpoints", "callers"] {
                let empty = child(matches, key).is_some_and(|list| !list.is_null() && is_empty_list(list));
                if empty {
                    let problem =
                        self.found.error(self.tree.value_at(&at(key)), format!("`{key}: []` matches nothing"));
                    problem.help("remove the key to match any");
                }
            }
            let tools = child(matches, "tools").map_or(&[][..], Node::items);
            if tools.len() > 1 && tools.iter().any(|tool| tool.text() == Some("*")) {
                let problem = self
                    .found
                    .hint(self.tree.value_at(&at("tools")), "`*` is any tool: the names beside it say nothing");
                problem.help("write [\"*\"], or the names alone");
            }
        }
    }

    /// A tool that is named here but goes to a route above. All of them by one route is told by `compile`.
    pub(super) fn names_taken_above(&mut self) {
        for (at, route) in self.policy.routes.iter().enumerate() {
            let (Some(tools), Some(number)) = (&route.matches.tools, self.number(route)) else { continue };
            let above = &self.policy.routes[..at];
            let taken: Vec<(&str, &Route)> = tools
                .iter()
                .filter(|tool| *tool != "*")
                .filter_map(|tool| {
                    Some((tool.as_str(), above.iter().find(|other| takes(other, tool, &route.matches))?))
                })
                .collect();
            if !tools.is_empty() && taken.len() == tools.len() {
                let mut others: Vec<&str> = taken.iter().map(|(_, other)| other.name.as_str()).collect();
                others.dedup();
                let place = self.tree.value_at(&["routes", &number, "name"]);
                let message = format!(
                    "route `{}` is never reached: {} take all that it matches",
                    route.name,
                    super::listed(others)
                );
                self.found.error(place, message).help("the first match wins; move the narrower route up");
                continue;
            }
            for (tool, other) in taken {
                let items = self.written(&["routes", &number, "match", "tools"]).map_or(&[][..], Node::items);
                let item = items.iter().position(|item| item.text() == Some(tool)).unwrap_or(0).to_string();
                let place = self.tree.value_at(&["routes", &number, "match", "tools", &item]);
                let message = format!("route `{}` never gets `{tool}`: `{}` above takes it", route.name, other.name);
                self.found.warning(place, message).help("the first match wins; name the tool in one of the two");
            }
        }
    }
}

/// Whether this route gets every call of the tool that one further down, with these conditions, could get.
fn takes(route: &Route, tool: &str, below: &Match) -> bool {
    let Match { tools, endpoints, projects, callers } = &route.matches;
    let within = |wide: &Option<std::collections::BTreeSet<String>>, narrow: &Option<_>| match (wide, narrow) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(wide), Some(narrow)) => wide.is_superset(narrow),
    };
    endpoints.is_none()
        && tools.as_ref().is_none_or(|tools| tools.contains(tool) || tools.contains("*"))
        && within(projects, &below.projects)
        && within(callers, &below.callers)
}

fn child<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    node.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.node)
}

fn is_empty_list(node: &Node) -> bool {
    matches!(&node.value, crate::policy::tree::Value::List(items) if items.is_empty())
}
