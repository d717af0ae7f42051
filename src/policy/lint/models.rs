//! One model by itself: its sizes, its price, its timeouts.

use super::Linter;
use crate::chat::{NanoUsd, Price, Tokens};
use crate::policy::budget::Budget;
use crate::policy::types::Model;
use crate::request::Scope;

/// A question with a little data in it. With less room than this a model can hardly be asked anything.
pub(super) const LEAST_PROMPT: Tokens = Tokens(1_000);

/// USD per million tokens: a tenth of the cheapest that is sold, and more than the dearest.
const TOO_CHEAP: NanoUsd = NanoUsd(1_000_000);
const TOO_DEAR: NanoUsd = NanoUsd(1_000_000_000_000);

impl Linter<'_> {
    pub(super) fn sizes_and_prices(&mut self) {
        for model in self.policy.models.values() {
            self.room(model);
            self.limits_of_time(model);
            self.minute_of_one_call(model);
            match model.price {
                Some(price) => self.price(model, price),
                None => self.no_price(model),
            }
        }
    }

    fn room(&mut self, model: &Model) {
        let (name, spec) = (model.spec.name.as_str(), &model.spec);
        let room = spec.prompt_room(spec.max_output);
        // No room at all is an error of its own.
        if room == Tokens::ZERO || room >= LEAST_PROMPT {
            return;
        }
        let place = self.tree.value_at(&["models", name, "max_output_tokens"]);
        let message = format!(
            "`{name}` keeps {} of its {} tokens for the answer: {} are left for the question",
            spec.max_output.0, spec.context.0, room.0
        );
        let problem = self.found.warning(place, message);
        problem.help(format!("a quarter of the context is usual: `max_output_tokens: {}`", spec.context.0 / 4));
    }

    fn limits_of_time(&mut self, model: &Model) {
        let (name, timeouts) = (model.spec.name.as_str(), model.timeouts);
        let at = |key: &'static str| ["models", name, "timeouts", key];
        let written = ["connect", "total", "idle"].map(|key| self.written(&at(key)).is_some());
        let (connect, first, total, idle) = (timeouts.connect, timeouts.first_token, timeouts.total, timeouts.idle);
        if first > total {
            let place = self.tree.value_at(&at(if written[1] { "total" } else { "first_token" }));
            let message = format!("`total` ({total:?}) ends every call before `first_token` ({first:?}) is over");
            self.found.warning(place, message).help("`total` counts the whole call; write more than `first_token`");
        }
        if idle > total && written[2] {
            let message =
                format!("`idle` ({idle:?}) never ends a call of `{name}`: `total` ({total:?}) ends it before");
            let problem = self.found.warning(self.tree.value_at(&at("idle")), message);
            problem.help("`total` counts the whole call; write less for `idle`, the silence between two tokens");
        }
        if connect >= first {
            let place = self.tree.value_at(&at(if written[0] { "connect" } else { "first_token" }));
            let message =
                format!("connecting may take {connect:?}, and the first token has to come within {first:?} of sending");
            self.found.warning(place, message).help("write less for `connect` than for `first_token`");
        }
    }

    /// A call that takes more than a minute has takes the whole minute, and the next one waits for the rest of it.
    fn minute_of_one_call(&mut self, model: &Model) {
        let (name, least) = (model.spec.name.as_str(), least_taken(model));
        let Some(minute) = model.limits.tokens_per_minute.filter(|minute| Tokens((*minute).into()) < least) else {
            return;
        };
        let place = self.tree.value_at(&["models", name, "limits", "tokens_per_minute"]);
        let message = format!(
            "one call of `{name}` may take {} tokens even for a short question, and it has {minute} a minute: each takes \
             the whole minute",
            least.0
        );
        let problem = self.found.warning(place, message);
        problem.help("raise it, lower `max_output_tokens`, or write `requests_per_minute` instead");
    }

    fn no_price(&mut self, model: &Model) {
        if !self.is_hosted(model) {
            return;
        }
        let name = model.spec.name.as_str();
        let place = self.tree.key_at(&["models", name]);
        let pays = |budget: &&Budget| !matches!(&budget.scope, Scope::Model(other) if *other != model.spec.name);
        let message = match self.policy.budgets.iter().find(pays) {
            Some(Budget { name: budget, scope: Scope::All | Scope::Model(_), .. }) => format!(
                "`{name}` is hosted and has no price: it is never called, because budget `{budget}` could not be held"
            ),
            _ => format!("`{name}` is hosted and has no price: its cost is not counted"),
        };
        let problem = self.found.warning(place, message);
        problem.help("add `price: { input: …, output: … }`, in USD per million tokens");
    }

    fn price(&mut self, model: &Model, price: Price) {
        let name = model.spec.name.as_str();
        let at = |key: &'static str| ["models", name, "price", key];
        for (key, amount) in [("input", price.input), ("output", price.output)] {
            if amount > NanoUsd::ZERO && amount < TOO_CHEAP {
                let message = format!("{amount} for a million tokens of `{name}`: is that the price of one token?");
                let problem = self.found.warning(self.tree.value_at(&at(key)), message);
                problem.help("prices are in USD per million tokens, such as 2.50");
            }
            if amount > TOO_DEAR {
                let message = format!("{amount} for a million tokens of `{name}`: no model costs that much");
                let problem = self.found.warning(self.tree.value_at(&at(key)), message);
                problem.help("prices are in USD per million tokens, such as 2.50");
            }
        }
        if price.cached_input > price.input {
            let message = format!("cached input of `{name}` costs more than fresh input");
            let problem = self.found.warning(self.tree.value_at(&at("cached_input")), message);
            problem.help("remove `cached_input` if there is no discount");
        }
        if price.is_free() && self.is_hosted(model) {
            let message = format!("`{name}` is hosted and free: no limit on money holds it back");
            let problem = self.found.hint(self.tree.key_at(&["models", name, "price"]), message);
            problem.help("write its price if it has one");
        }
    }
}

/// What one call may take with a short question.
pub(super) fn least_taken(model: &Model) -> Tokens {
    LEAST_PROMPT + model.spec.max_output
}
