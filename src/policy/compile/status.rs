//! Where a backend tells which models it has in memory, and whether they are loaded at start.

use super::Meaning;
use crate::policy::raw::{RawBackend, RawLocation, RawStatusKind};
use crate::policy::types::{StatusEndpoint, StatusKind};

impl Meaning<'_> {
    pub(super) fn status(&mut self, name: &str, raw: &RawBackend, base_url: Option<&str>) -> Option<StatusEndpoint> {
        let raw = raw.status.as_ref()?;
        let path = ["backends", name, "status", "url"];
        let kind = match raw.kind? {
            RawStatusKind::None => {
                if raw.url.is_some() {
                    self.error(&path, "nobody is asked at this address: `kind` is none").help("remove it, or the kind");
                }
                return None;
            }
            RawStatusKind::Ollama => StatusKind::Ollama,
            RawStatusKind::LlamaCpp => StatusKind::LlamaCpp,
        };
        if let Some(written) = &raw.url {
            return Some(StatusEndpoint { kind, url: self.url(&path, written)? });
        }
        // Both servers have their own API beside the one of OpenAI.
        let Some(url) = base_url?.strip_suffix("/v1") else {
            let message = "where to ask cannot be told from base_url: it does not end in /v1";
            self.error(&["backends", name, "status"], message).help("write `url`");
            return None;
        };
        let place = self.tree.value_at(&["backends", name, "status"]);
        self.found.hint(place, format!("`{name}` is asked for its models at {url}, by its base_url"));
        Some(StatusEndpoint { kind, url: url.to_owned() })
    }

    pub(super) fn prewarm(&mut self, name: &str, raw: &RawBackend) -> bool {
        let asked = raw.prewarm == Some(true);
        if asked && matches!(raw.location, Some(RawLocation::Hosted)) {
            let message = "a hosted model has no load to wait for, and each start would be paid for";
            self.error(&["backends", name, "prewarm"], message)
                .help("remove it: only local models are loaded at start");
        }
        asked
    }
}
