//! How many calls and how much money one request may use, against what its models could make of it.

use std::collections::BTreeMap;

use super::models::LEAST_PROMPT;
use super::{Linter, asks_models, counted, ways};
use crate::chat::{NanoUsd, Tokens, Usage};
use crate::names::ModelName;
use crate::policy::types::{Model, Retry};

/// The gateway reserves money for one token a byte, and a likely count is one token for three bytes.
const BYTES_PER_TOKEN: u64 = 3;

impl Linter<'_> {
    /// Retries times models over the number of attempts: the last models in the order may never be asked.
    pub(super) fn amplification(&mut self) {
        let retry = &self.policy.retry;
        let tries = if nothing_again(retry) { 1 } else { retry.max_per_model };
        for sharing in self.sharing(&["envelope", "max_attempts"], &[&["retry", "max_per_model"], &["tiers"]]) {
            let lists = sharing.routes.iter().map(|route| (route, ways::most_candidates(self.policy, route)));
            let Some((route, models)) = lists.max_by_key(|(_, models)| models.len()) else { continue };
            let allowed = route.envelope.max_attempts;
            let count = u32::try_from(models.len()).unwrap_or(u32::MAX);
            let possible = count.saturating_mul(tries);
            if possible <= allowed {
                continue;
            }
            let last = models.last().map_or("", |(_, model)| model.spec.name.as_str());
            let (product, most) = (sum_in_words(count, tries), counted(allowed, "call"));
            let are = if allowed == 1 { "is" } else { "are" };
            let message =
                format!("at most {most} {are} allowed, but {product} can make {possible}: `{last}` may never be asked");
            let fewer = if tries == 1 { "name fewer models" } else { "lower `retry.max_per_model`" };
            let help = format!("raise `envelope.max_attempts` to {possible}, or {fewer}");
            self.found.warning(sharing.place, message).help(help);
        }
    }

    pub(super) fn money(&mut self) {
        for sharing in self.sharing(&["envelope", "max_cost_usd"], &[&["models"]]) {
            let mut priced: BTreeMap<&ModelName, &Model> = BTreeMap::new();
            for route in &sharing.routes {
                let all = ways::starts(self.policy, route).into_iter();
                let models = all.flat_map(|start| ways::candidates(self.policy, route, start));
                priced.extend(models.map(|(_, model)| (&model.spec.name, model)));
            }
            let Some(limit) = sharing.routes.first().map(|route| route.envelope.max_cost) else { continue };
            for (name, model) in priced {
                let Some((message, help, never)) = unpaid(name, model, limit) else { continue };
                let place = sharing.place.clone();
                let problem = if never { self.found.warning(place, message) } else { self.found.hint(place, message) };
                problem.help(help);
            }
        }
    }

    /// Second tries that are written, and an allowance that grants none.
    pub(super) fn second_tries(&mut self) {
        let retry = &self.policy.retry;
        // Who writes the allowance alone means no second try.
        let tries = self.written(&["retry", "max_per_model"]).map_or(1, |_| retry.max_per_model);
        if tries <= 1 || !nothing_again(retry) {
            return;
        }
        let message = format!(
            "no failed call is made again, whatever `max_per_model: {tries}` says: `budget` and \
             `budget_floor_per_minute` grant no second try"
        );
        let problem = self.found.warning(self.tree.value_at(&["retry", "max_per_model"]), message);
        problem.help("raise `budget` (the default is 20%), or write `max_per_model: 1` for no second try");
    }

    /// A wait that a backend asks for is only begun when it fits into the attempt.
    pub(super) fn waits(&mut self) {
        let path = ["retry", "max_retry_after"];
        let envelopes = self.policy.routes.iter().filter(|route| asks_models(route)).map(|route| &route.envelope);
        let longest = envelopes.max_by_key(|envelope| envelope.deadline);
        let (Some(longest), Some(_)) = (longest, self.written(&path)) else { return };
        let (wait, most) = (self.policy.retry.max_retry_after, longest.attempt_time(longest.deadline, false));
        if wait > most {
            let deadline = longest.deadline;
            let message =
                format!("no request waits {wait:?}: with a deadline of {deadline:?} an attempt ends after {most:?}");
            let problem = self.found.warning(self.tree.value_at(&path), message);
            problem.help("a backend that asks for a longer wait is left for another model; the default is 15s");
        }
    }
}

/// The process grants no second try, whatever its models may take.
fn nothing_again(retry: &Retry) -> bool {
    retry.budget <= 0.0 && retry.budget_floor_per_minute == 0
}

/// "2 models x 2 tries".
fn sum_in_words(models: u32, tries: u32) -> String {
    let tries = if tries == 1 { "1 try".to_owned() } else { format!("{tries} tries") };
    format!("{} x {tries}", counted(models, "model"))
}

/// What one call may cost with a short question; `None` when it costs nothing.
pub(super) fn least_cost(model: &Model) -> Option<NanoUsd> {
    let price = model.price.filter(|price| !price.is_free())?;
    let input = Tokens(LEAST_PROMPT.0 * BYTES_PER_TOKEN);
    Some(price.cost(Usage { input, cached_input: Tokens::ZERO, output: model.spec.max_output }))
}

/// What of a model's calls this much money does not pay for: hardly any of them (true), or the long ones (false).
fn unpaid(name: &ModelName, model: &Model, limit: NanoUsd) -> Option<(String, String, bool)> {
    let (price, spec) = (model.price.filter(|price| !price.is_free())?, &model.spec);
    let cost =
        |input: u64| price.cost(Usage { input: Tokens(input), cached_input: Tokens::ZERO, output: spec.max_output });
    let least = least_cost(model)?;
    if least > limit {
        let message = format!(
            "one call of `{name}` may cost {least} even for a short question, and a request may spend {limit}: it is skipped"
        );
        return Some((message, format!("raise `max_cost_usd`, or lower `max_output_tokens` of `{name}`"), true));
    }
    let whole = cost(spec.prompt_room(spec.max_output).0);
    // A request that pays for half of the context and more is plenty.
    if whole.0 / 2 <= limit.0 {
        return None;
    }
    let for_input = i128::from((limit - cost(0)).0) * 1_000_000 / i128::from(price.input.0.max(1));
    let message = format!(
        "a call of `{name}` with a full context may cost {whole}, and a request may spend {limit}: \
         questions above about {} KB skip it",
        for_input / 1_000
    );
    Some((message, "raise `max_cost_usd` for longer questions".to_owned(), false))
}
