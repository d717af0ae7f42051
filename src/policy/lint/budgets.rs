//! Budgets: ones that pay for no call, and ones that never hold anything back.

use super::{Linter, asks_models, bounds, ways};
use crate::policy::budget::{Budget, Period};
use crate::policy::types::{Model, Policy, Route};
use crate::request::Scope;

impl<'a> Linter<'a> {
    pub(super) fn budgets(&mut self) {
        for (index, budget) in self.policy.budgets.iter().enumerate() {
            let paid = self.paid_by(budget);
            self.pays_for_no_call(index, budget, &paid);
            if paid.is_empty() {
                self.pays_for_nobody(index, budget);
            } else {
                self.runs_out_last(index, budget);
            }
        }
    }

    fn pays_for_no_call(&mut self, index: usize, budget: &Budget, paid: &[&Model]) {
        for model in paid {
            let Some(least) = bounds::least_cost(model).filter(|least| *least > budget.limit) else { continue };
            let (name, limit, per) = (&model.spec.name, budget.limit, budget.per.as_str());
            let message = format!(
                "one call of `{name}` may cost {least} even for a short question, and budget `{}` has {limit} a {per}: \
                 it is never called",
                budget.name
            );
            let place = self.tree.value_at(&["budgets", &index.to_string(), "limit_usd"]);
            let help = format!("raise `limit_usd`, or lower `max_output_tokens` of `{name}`");
            self.found.warning(place, message).help(help);
        }
    }

    fn pays_for_nobody(&mut self, index: usize, budget: &Budget) {
        let place = self.tree.value_at(&["budgets", &index.to_string(), "scope"]);
        let why = match &budget.scope {
            Scope::Model(name) => format!("`{name}` costs nothing, or no request can reach it"),
            Scope::Tool(name) => format!("no request of `{name}` can reach a model that costs something"),
            Scope::All | Scope::Caller(_) => "no request can reach a model that costs something".to_owned(),
        };
        let problem = self.found.warning(place, format!("budget `{}` never holds anything back: {why}", budget.name));
        problem.help("give the models their prices, or remove the budget");
    }

    /// Another budget counts all that this one counts, and has no more to spend.
    fn runs_out_last(&mut self, index: usize, budget: &Budget) {
        let others = self.policy.budgets.iter().enumerate().filter(|(other, _)| *other != index);
        let tighter = |(other, tight): &(usize, &Budget)| {
            let counts_more = tight.scope == Scope::All || tight.scope == budget.scope;
            let longer = tight.per == budget.per || budget.per == Period::Day;
            let alike = tight.scope == budget.scope && tight.per == budget.per;
            // Of two that are alike in all this, the later one is told.
            counts_more
                && longer
                && (budget.limit > tight.limit || (budget.limit == tight.limit && !(alike && index < *other)))
        };
        let Some((_, tight)) = others.into_iter().find(tighter) else { return };
        let (name, other) = (&budget.name, &tight.name);
        let message = if tight.scope == budget.scope && tight.per == budget.per {
            format!("budgets `{name}` and `{other}` count the same: `{name}` never holds anything back")
        } else {
            format!(
                "budget `{name}` never holds anything back: `{other}` counts all of it, over no fewer days, and has {}",
                tight.limit
            )
        };
        let place = self.tree.value_at(&["budgets", &index.to_string(), "limit_usd"]);
        self.found.warning(place, message).help("lower its limit, or remove it");
    }

    /// The models that cost something and that a request which this budget counts may ask.
    fn paid_by(&self, budget: &Budget) -> Vec<&'a Model> {
        let mut paid: Vec<&Model> = Vec::new();
        let routes = counted(self.policy, budget).into_iter().filter(|route| asks_models(route));
        let starts = routes.flat_map(|route| ways::starts(self.policy, route).into_iter().map(move |at| (route, at)));
        for (_, model) in starts.flat_map(|(route, at)| ways::candidates(self.policy, route, at)) {
            let counts = !matches!(&budget.scope, Scope::Model(name) if *name != model.spec.name);
            let is_new = !paid.iter().any(|known| known.spec.name == model.spec.name);
            if counts && is_new && !self.policy.is_free(model) {
                paid.push(model);
            }
        }
        paid
    }
}

/// The routes of the requests that the budget counts.
fn counted<'p>(policy: &'p Policy, budget: &Budget) -> Vec<&'p Route> {
    let Scope::Tool(name) = &budget.scope else { return policy.routes.iter().collect() };
    let takes =
        |route: &&Route| route.matches.tools.as_ref().is_none_or(|tools| tools.contains("*") || tools.contains(name));
    let takes_all = |route: &&Route| route.matches.projects.is_none() && route.matches.callers.is_none();
    let mut routes: Vec<&Route> = policy.routes.iter().filter(takes).collect();
    // The first match wins: nothing of the tool gets past a route that asks for nothing else.
    let last = routes.iter().position(takes_all).unwrap_or(routes.len());
    routes.truncate(last.saturating_add(1));
    routes
}
