//! Keys, addresses, and what leaves the machine.

use std::net::IpAddr;

use reqwest::Url;

use super::{Linter, asks_models, listed, ways};
use crate::policy::tree::Node;
use crate::policy::types::{Backend, Location, Model, Route};

/// How the names of models begin that are only to be had from their vendors, also through a proxy on this machine.
const VENDORS: &[&str] = &[
    "gpt-3",
    "gpt-4",
    "gpt-5",
    "chatgpt",
    "o1",
    "o3",
    "o4",
    "claude",
    "gemini",
    "grok",
    "command-r-plus",
    "openai/",
    "azure/",
    "anthropic/",
    "bedrock/",
    "vertex_ai/",
    "openrouter/",
    "groq/",
    "xai/",
];

impl Linter<'_> {
    pub(super) fn backends(&mut self) {
        for backend in self.policy.backends.values() {
            self.key(backend);
            self.address(backend);
        }
        for model in self.policy.models.values() {
            self.vendor_behind_a_proxy(model);
        }
    }

    fn key(&mut self, backend: &Backend) {
        let name = backend.name.as_str();
        let key = if backend.key_file.is_some() { "api_key_file" } else { "api_key" };
        let path = ["backends", name, key];
        let text = self.written(&path).and_then(Node::text).unwrap_or_default();
        let place = self.tree.key_at(&path);
        if !backend.is_usable() {
            let problem =
                self.found.warning(place, format!("hosted backend `{name}` has no key: its models are skipped"));
            problem.help(backend.key_advice().unwrap_or_else(|| "give it one: `api_key: ${NAME:-}`".to_owned()));
            return;
        }
        if backend.key_file.is_some() {
            return;
        }
        if backend.location == Location::Hosted && !text.contains("${") {
            let problem = self.found.warning(place, format!("the key of `{name}` is written in this file"));
            problem.help("whoever reads the file has it; write `${NAME:-}` and set the variable");
            return;
        }
        // `${NAME:-}` says that there may be none.
        if let (Some(variable), None, false) = (&backend.key_variable, &backend.api_key, text.contains(":-")) {
            let message = format!("{variable} is not set: `{name}` is called without a key");
            let problem = self.found.hint(place, message);
            problem.help(format!("set it, or write `${{{variable}:-}}` if there may be none"));
        }
    }

    /// `location` decides about privacy, so it should fit the address.
    fn address(&mut self, backend: &Backend) {
        let Ok(url) = Url::parse(&backend.base_url) else { return };
        let near = url.host_str().is_some_and(is_near);
        let name = backend.name.as_str();
        if backend.location == Location::Local && !near {
            let place = self.tree.value_at(&["backends", name, "location"]);
            let problem = self.found.warning(place, format!("`{name}` is marked local, but its address looks public"));
            problem.help("write `location: hosted` if task text leaves your network there");
        }
        if backend.location == Location::Hosted && url.scheme() == "http" && !near {
            let place = self.tree.value_at(&["backends", name, "base_url"]);
            let message = format!("`{name}` is reached over http: its key and task text travel in the clear");
            self.found.warning(place, message).help("use https://");
        }
        if backend.location == Location::Hosted && near {
            let place = self.tree.value_at(&["backends", name, "location"]);
            let message =
                format!("`{name}` is marked hosted, and its address is near: right for a proxy that sends text on");
            self.found.hint(place, message).help("if its models run there, write `location: local`");
        }
    }

    /// A proxy on this machine is near, and what it passes on is not.
    fn vendor_behind_a_proxy(&mut self, model: &Model) {
        let name = model.upstream.to_lowercase();
        let sold = VENDORS.iter().any(|vendor| {
            // `o1` and `o1-mini`, not `o11y-helper`.
            let rest = name.strip_prefix(vendor);
            rest.is_some_and(|rest| !(vendor.len() == 2 && rest.starts_with(|c: char| c.is_ascii_alphanumeric())))
        });
        let near = self.policy.backend_of(model).is_some_and(|backend| backend.location == Location::Local);
        if !near || !sold {
            return;
        }
        let (own, backend) = (model.spec.name.as_str(), model.backend.as_str());
        let at = ["models", own, "upstream"];
        let place = if self.written(&at).is_some() { self.tree.value_at(&at) } else { self.tree.key_at(&at[..2]) };
        let message = format!(
            "`{}` is its vendor's, but `{backend}` is marked local: a proxy sends its text out",
            model.upstream
        );
        let problem = self.found.warning(place, message);
        problem.help("give it a backend of its own with `location: hosted`, so that `max_tier` can hold text back");
    }

    pub(super) fn what_leaves(&mut self) {
        for backend in self.policy.backends.values().filter(|backend| backend.location == Location::Hosted) {
            let (message, help) = self.leaves_by(backend);
            let problem = self.found.hint(self.tree.key_at(&["backends", backend.name.as_str()]), message);
            if let Some(help) = help {
                problem.help(help);
            }
        }
    }

    /// What may go to this backend, and which routes would send there if it were not for their `max_tier`.
    fn leaves_by(&self, backend: &Backend) -> (String, Option<String>) {
        let policy = self.policy;
        let models = policy.models.values().filter(|model| model.backend == backend.name);
        let ranks: Vec<usize> = models.filter_map(|model| policy.rank(&model.tier)).collect();
        let leads =
            |route: &Route| ranks.iter().any(|rank| asks_models(route) && ways::may_reach(policy, route, *rank));
        let held = |route: &&Route| !leads(route) && leads(&Route { max_tier: None, ..(*route).clone() });
        let routes: Vec<String> =
            policy.routes.iter().filter(|route| leads(route)).map(|route| format!("`{}`", route.name)).collect();
        let held: Vec<&str> = policy.routes.iter().filter(held).map(|route| route.name.as_str()).collect();
        let help = (!held.is_empty()).then(|| {
            format!(
                "nothing of {} goes there: `max_tier` holds {} back",
                listed(held.iter().copied()),
                if held.len() == 1 { "it" } else { "them" }
            )
        });
        let host = Url::parse(&backend.base_url).ok().and_then(|url| url.host_str().map(str::to_owned));
        let host = host.unwrap_or_else(|| "its host".to_owned());
        let (name, list) = (&backend.name, routes.join(", "));
        let message = match (routes.is_empty(), backend.is_usable()) {
            (true, _) => format!("no task text goes to `{name}` ({host}): no route leads there"),
            (false, true) => format!("task text may go to `{name}` ({host}) by the routes {list}"),
            (false, false) => format!("with a key, task text could go to `{name}` ({host}) by the routes {list}"),
        };
        (message, help)
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
