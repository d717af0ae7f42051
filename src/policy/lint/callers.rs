//! Limits of who asks: ones that hold nothing back, ones that hold back too much, and names that fit nobody's.

use super::Linter;
use super::models::least_taken;
use crate::chat::Tokens;
use crate::policy::types::{Limits, Policy};
use crate::policy::vocabulary::nearest;
use crate::request::Scope;

/// A limit's key, over which time it counts, and how it is read.
type Key = (&'static str, &'static str, fn(&Limits) -> Option<u32>);

const KEYS: [Key; 3] = [
    ("concurrency", "at once", |limits| limits.concurrency),
    ("requests_per_minute", "a minute", |limits| limits.requests_per_minute),
    ("tokens_per_minute", "a minute", |limits| limits.tokens_per_minute),
];

impl Linter<'_> {
    pub(super) fn callers(&mut self) {
        for (name, limits) in &self.policy.callers {
            self.limits_nobody(name, limits);
            self.more_than_all_models(name, limits);
            self.minute_of_one_request(name, limits);
        }
        self.budgets_of_nobody();
    }

    /// An entry without limits frees its caller from those of `default`; where there are none it does nothing.
    fn limits_nobody(&mut self, name: &str, limits: &Limits) {
        let is_freed = name != Policy::ANY_CALLER && self.policy.caller_limits(Policy::ANY_CALLER).is_some();
        if limits.limit_something() || is_freed {
            return;
        }
        let place = self.tree.key_at(&["callers", name]);
        let problem = self.found.hint(place, format!("`{name}` has no limit"));
        problem.help("write one, such as `limits: { requests_per_minute: 60 }`, or remove the entry");
    }

    fn more_than_all_models(&mut self, name: &str, limits: &Limits) {
        for (key, time, read) in KEYS {
            let all = self.policy.models.values().map(|model| read(&model.limits).map(u64::from));
            let (Some(own), Some(together)) = (read(limits), all.sum::<Option<u64>>()) else { continue };
            if u64::from(own) <= together {
                continue;
            }
            let place = self.tree.value_at(&["callers", name, "limits", key]);
            let message = format!("`{name}` may take {own} {time}, and all models together take {together}");
            let problem = self.found.hint(place, message);
            problem.help("only answers from the cache could reach that; lower it, or remove it");
        }
    }

    /// A request that takes more than a minute has takes the whole minute.
    fn minute_of_one_request(&mut self, name: &str, limits: &Limits) {
        let least = self.policy.models.values().map(least_taken).min();
        let (Some(minute), Some(least)) = (limits.tokens_per_minute, least) else { return };
        if Tokens(minute.into()) >= least {
            return;
        }
        let place = self.tree.value_at(&["callers", name, "limits", "tokens_per_minute"]);
        let message = format!(
            "one request may take {} tokens even for a short question, and `{name}` has {minute} a minute: each sets the \
             whole minute aside",
            least.0
        );
        let problem = self.found.warning(place, message);
        problem.help("raise it, lower the models' `max_output_tokens`, or write `requests_per_minute` instead");
    }

    /// Keys have names that the policy does not know, so only what looks like a slip is told.
    fn budgets_of_nobody(&mut self) {
        let names = || self.policy.callers.keys().map(String::as_str).filter(|name| *name != Policy::ANY_CALLER);
        for (index, budget) in self.policy.budgets.iter().enumerate() {
            let Scope::Caller(name) = &budget.scope else { continue };
            let is_known = names().any(|known| known == name);
            let Some(meant) = nearest(name, names()).filter(|_| !is_known) else { continue };
            let place = self.tree.value_at(&["budgets", &index.to_string(), "scope"]);
            let message = format!("budget `{}` is for `{name}`, and `callers` has `{meant}`", budget.name);
            let problem = self.found.hint(place, message);
            problem.help(format!("if they are the same, write `scope: caller:{meant}`"));
        }
    }
}
