//! Models: where they are, how much they take, what they cost, how long they may take.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Meaning;
use crate::chat::{ModelSpec, Price, Tokens};
use crate::names::ModelName;
use crate::policy::raw::{RawLocation, RawModel, RawPrice, RawTimeouts};
use crate::policy::types::{Model, Tier, Timeouts};

/// A local model is at hand or it is not; what it says takes longer.
const LOCAL: Timeouts = timeouts(2, 15, 120);
const HOSTED: Timeouts = timeouts(5, 20, 180);

const fn timeouts(connect: u64, idle: u64, total: u64) -> Timeouts {
    Timeouts {
        connect: Duration::from_secs(connect),
        first_token: Duration::from_secs(20),
        idle: Duration::from_secs(idle),
        total: Duration::from_secs(total),
    }
}

impl Meaning<'_> {
    pub(super) fn models(&mut self, tiers: &[Tier]) -> BTreeMap<ModelName, Model> {
        let Some(raw) = &self.raw.models else { return BTreeMap::new() };
        if raw.0.is_empty() {
            self.error_at_key(&["models"], "there is no model").help("add one: a name with backend and sizes");
        }
        let read = |(name, model)| self.model(name, model, tiers).map(|read| (ModelName::from(name), read));
        raw.iter().filter_map(read).collect()
    }

    fn model(&mut self, name: &str, raw: &RawModel, tiers: &[Tier]) -> Option<Model> {
        let model = ModelName::from(name);
        let tier = tiers.iter().find(|tier| tier.models.contains(&model)).map(|tier| tier.name.clone());
        if tier.is_none() && self.raw.tiers.is_some() {
            let problem = self.error_at_key(&["models", name], format!("`{name}` is in no tier, so it is never used"));
            problem.help("name it under `tiers`, or remove it");
        }
        let location = self.backend_of(name, raw);
        let limits = self.limits(&["models", name, "limits"], raw.limits.as_ref());
        let timeouts = self.timeouts(name, raw.timeouts.as_ref(), location);
        let (context, max_output) = self.sizes(name, raw);
        Some(Model {
            spec: ModelSpec {
                name: model,
                context: context?,
                max_output: max_output?,
                capabilities: raw.capabilities.iter().flatten().copied().collect(),
            },
            backend: raw.backend.as_deref()?.into(),
            tier: tier?,
            upstream: raw.upstream.clone().unwrap_or_else(|| name.to_owned()),
            price: raw.price.as_ref().and_then(price),
            limits,
            timeouts,
        })
    }

    fn backend_of(&mut self, name: &str, raw: &RawModel) -> Option<RawLocation> {
        let backends = self.raw.backends.as_ref()?;
        let known: Vec<&str> = backends.iter().map(|(name, _)| name).collect();
        let written = raw.backend.as_deref()?;
        let place = self.tree.value_at(&["models", name, "backend"]);
        self.known(("backend", written), &known, place);
        backends.get(written)?.location
    }

    fn sizes(&mut self, name: &str, raw: &RawModel) -> (Option<Tokens>, Option<Tokens>) {
        for (key, size) in [("context_tokens", raw.context_tokens), ("max_output_tokens", raw.max_output_tokens)] {
            if size == Some(0) {
                self.error(&["models", name, key], format!("`{key}` must be more than 0"));
            }
        }
        if let (Some(context), Some(output)) = (raw.context_tokens, raw.max_output_tokens)
            && context <= output
            && context > 0
        {
            let message = format!("a context of {context} tokens has no room for a question beside {output} of answer");
            let problem = self.error(&["models", name, "context_tokens"], message);
            problem.help("context_tokens counts prompt and answer together; lower max_output_tokens");
        }
        (raw.context_tokens.map(Tokens), raw.max_output_tokens.map(Tokens))
    }

    fn timeouts(&mut self, name: &str, raw: Option<&RawTimeouts>, location: Option<RawLocation>) -> Timeouts {
        let default = if matches!(location, Some(RawLocation::Local)) { LOCAL } else { HOSTED };
        let Some(raw) = raw else { return default };
        let mut of = |key: &str, given: Option<crate::policy::values::Lapse>, default: Duration| {
            if given.is_some_and(|lapse| lapse.0.is_zero()) {
                let problem = self.error(&["models", name, "timeouts", key], "a timeout of zero lets no call through");
                problem.help(format!("the default is {default:?}"));
            }
            given.map_or(default, |lapse| lapse.0)
        };
        Timeouts {
            connect: of("connect", raw.connect, default.connect),
            first_token: of("first_token", raw.first_token, default.first_token),
            idle: of("idle", raw.idle, default.idle),
            total: of("total", raw.total, default.total),
        }
    }
}

/// `None` when half of it is missing, which was reported with the shape.
fn price(raw: &RawPrice) -> Option<Price> {
    let (input, output) = (raw.input?.0, raw.output?.0);
    Some(Price { input, cached_input: raw.cached_input.map_or(input, |cached| cached.0), output })
}
