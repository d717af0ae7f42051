//! Limits of models and of callers: how much at once, how much in a minute, and what when it is reached.

use std::collections::BTreeMap;

use super::Meaning;
use crate::policy::raw::{RawLimits, RawWhenReached};
use crate::policy::types::{Limits, WhenReached};

impl Meaning<'_> {
    pub(super) fn callers(&mut self) -> BTreeMap<String, Limits> {
        let raw = self.raw.callers.as_ref();
        let written = raw.into_iter().flat_map(|callers| callers.iter());
        written
            .map(|(name, caller)| (name.to_owned(), self.limits(&["callers", name, "limits"], caller.limits.as_ref())))
            .collect()
    }

    pub(super) fn limits(&mut self, at: &[&str], raw: Option<&RawLimits>) -> Limits {
        let Some(raw) = raw else { return Limits::default() };
        let all = [
            ("concurrency", raw.concurrency),
            ("requests_per_minute", raw.requests_per_minute),
            ("tokens_per_minute", raw.tokens_per_minute),
        ];
        for (key, _) in all.iter().filter(|(_, limit)| *limit == Some(0)) {
            let problem = self.error(&[at, &[key]].concat(), format!("`{key}: 0` would stop every call"));
            problem.help("remove the key for no limit");
        }
        Limits {
            concurrency: raw.concurrency,
            requests_per_minute: raw.requests_per_minute,
            tokens_per_minute: raw.tokens_per_minute,
            when_reached: match raw.when_reached {
                None | Some(RawWhenReached::Wait) => WhenReached::Wait,
                Some(RawWhenReached::Refuse) => WhenReached::Refuse,
            },
        }
    }
}
