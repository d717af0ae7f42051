//! Backends: address, location; their keys are `keys`.

use std::collections::BTreeMap;

use reqwest::Url;

use super::Meaning;
use crate::names::BackendName;
use crate::policy::expand::{Fault, expand};
use crate::policy::raw::{RawBackend, RawLocation};
use crate::policy::types::{Backend, Location};

impl Meaning<'_> {
    pub(super) fn backends(&mut self) -> BTreeMap<BackendName, Backend> {
        let Some(raw) = &self.raw.backends else { return BTreeMap::new() };
        if raw.0.is_empty() {
            self.error_at_key(&["backends"], "there is no backend").help("add one: a name with base_url and location");
        }
        let read = |(name, backend)| self.backend(name, backend).map(|read| (BackendName::from(name), read));
        raw.iter().filter_map(read).collect()
    }

    fn backend(&mut self, name: &str, raw: &RawBackend) -> Option<Backend> {
        let key = self.key(name, raw);
        let base_url = raw.base_url.as_deref().and_then(|text| self.url(&["backends", name, "base_url"], text));
        let status = self.status(name, raw, base_url.as_deref());
        let prewarm = self.prewarm(name, raw);
        let location = match raw.location? {
            RawLocation::Local => Location::Local,
            RawLocation::Hosted => Location::Hosted,
        };
        Some(Backend {
            name: name.into(),
            base_url: base_url?,
            api_key: key.key,
            key_variable: key.variable,
            key_file: key.file,
            location,
            status,
            prewarm,
        })
    }

    pub(super) fn url(&mut self, path: &[&str], text: &str) -> Option<String> {
        let text = match expand(text, self.environment) {
            Ok(expanded) => expanded.text,
            Err(Fault::Unset(variable)) => {
                let problem = self.error(path, format!("the variable {variable} is not set and has no default"));
                problem.help(format!("set it, or write ${{{variable}:-http://…}}"));
                return None;
            }
            Err(Fault::Malformed) => {
                self.malformed(path);
                return None;
            }
        };
        // The address may hold a password, so it is not quoted.
        let url = Url::parse(text.trim()).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let Some(url) = url.filter(Url::has_host) else {
            let problem = self.error(path, "the address is not an http:// or https:// URL");
            problem.help("write something like http://localhost:4000/v1");
            return None;
        };
        if !url.username().is_empty() || url.password().is_some() {
            self.error(path, "an address must not hold a name or password").help("put the key in `api_key`");
            return None;
        }
        if url.query().is_some() || url.fragment().is_some() {
            self.error(path, "an address must end with its path: no `?` or `#`");
            return None;
        }
        Some(url.as_str().trim_end_matches('/').to_owned())
    }

    pub(super) fn malformed(&mut self, path: &[&str]) {
        let problem = self.error(path, "a `${` here is not complete");
        problem.help("write ${NAME} or ${NAME:-default}, with letters, digits and _ in the name");
    }
}
