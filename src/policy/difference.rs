//! What is different between a policy and the one that follows it, in one sentence for the log. No key is told, only
//! that it is another one.

use super::types::{Backend, Policy};

/// "models: `large` added; routes: `planning` changed; the breaker".
pub fn difference(old: &Policy, new: &Policy) -> String {
    let mut told = vec![
        among("backends", backends(old), backends(new)),
        among("models", old.models.iter(), new.models.iter()),
        among(
            "tiers",
            old.tiers.iter().map(|tier| (&tier.name, tier)),
            new.tiers.iter().map(|tier| (&tier.name, tier)),
        ),
        among(
            "routes",
            old.routes.iter().map(|route| (&route.name, route)),
            new.routes.iter().map(|route| (&route.name, route)),
        ),
        among("callers", old.callers.iter(), new.callers.iter()),
        among(
            "budgets",
            old.budgets.iter().map(|budget| (&budget.name, budget)),
            new.budgets.iter().map(|budget| (&budget.name, budget)),
        ),
    ];
    let settings = [
        (old.classifier != new.classifier, "the classifier"),
        (old.retry != new.retry, "retries"),
        (old.breaker != new.breaker, "the breaker"),
        (old.cache_max_bytes != new.cache_max_bytes, "the cache"),
        (old.time_zone != new.time_zone, "the time zone"),
        (old.retain != new.retain, "how long the ledger keeps"),
    ];
    told.extend(settings.iter().map(|(changed, what)| changed.then(|| format!("{what} changed"))));
    let told: Vec<String> = told.into_iter().flatten().collect();
    if told.is_empty() { "nothing that decides is different".to_owned() } else { told.join("; ") }
}

/// A key can be compared only as a part of its backend's identity.
fn backends(policy: &Policy) -> impl Iterator<Item = (&crate::names::BackendName, impl PartialEq)> {
    let all = |backend: &Backend| (backend.identity(), backend.location, backend.status.clone(), backend.prewarm);
    policy.backends.iter().map(move |(name, backend)| (name, all(backend)))
}

/// What was added, removed, changed or put in another order among things that have names.
fn among<'n, N: PartialEq + ToString + 'n, T: PartialEq>(
    what: &str,
    old: impl Iterator<Item = (&'n N, T)>,
    new: impl Iterator<Item = (&'n N, T)>,
) -> Option<String> {
    let (old, new): (Vec<_>, Vec<_>) = (old.collect(), new.collect());
    let find = |list: &[(&N, T)], name: &N| list.iter().position(|(known, _)| *known == name);
    let names = |list: &[(&N, T)], keep: &dyn Fn(&N) -> bool| {
        let kept = list.iter().filter(|(name, _)| keep(name));
        kept.map(|(name, _)| format!("`{}`", name.to_string())).collect::<Vec<_>>().join(", ")
    };
    let added = names(&new, &|name| find(&old, name).is_none());
    let removed = names(&old, &|name| find(&new, name).is_none());
    let changed = |name: &N| find(&old, name).zip(find(&new, name)).is_some_and(|(at, to)| old[at].1 != new[to].1);
    let changed = names(&new, &changed);
    let parts = [(added, "added"), (removed, "removed"), (changed, "changed")];
    let mut told: Vec<String> =
        parts.into_iter().filter(|(names, _)| !names.is_empty()).map(|(names, how)| format!("{names} {how}")).collect();
    if told.is_empty() && old.iter().map(|(name, _)| name).ne(new.iter().map(|(name, _)| name)) {
        told.push("another order".to_owned());
    }
    (!told.is_empty()).then(|| format!("{what}: {}", told.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{BUILT_IN, compile};

    fn policy(text: &str) -> Policy {
        compile(text, "routing.yaml", &|_| None).policy.unwrap()
    }

    #[test]
    fn each_kind_of_change_is_named() {
        let old = policy(BUILT_IN);
        let told = |from: &str, to: &str| {
            assert!(BUILT_IN.contains(from), "{from}");
            difference(&old, &policy(&BUILT_IN.replace(from, to)))
        };
        let cases = [
            ("version: 1\n", "version: 1\n# A comment.\n", "nothing that decides is different"),
            ("concurrency: 2", "concurrency: 3", "models: `task-api-model` changed"),
            ("gpt-4o", "gpt-5", "models: `gpt-5` added, `gpt-4o` removed; tiers: `hosted` changed"),
            ("name: planning", "name: plans", "routes: `plans` added, `planning` removed"),
            ("hosted: 0.45", "hosted: 0.40", "routes: `planning` changed"),
            ("sk-local-dev-key", "sk-another", "backends: `local` changed"),
            ("open: 15s", "open: 20s", "the breaker changed"),
            ("limit_usd: 20", "limit_usd: 30", "budgets: `month` changed"),
            ("time_zone: system", "time_zone: Asia/Kathmandu", "the time zone changed"),
        ];
        for (from, to, expected) in cases {
            assert_eq!(told(from, to), expected, "{from} -> {to}");
        }
    }

    #[test]
    fn routes_in_another_order_are_told() {
        let (old, mut new) = (policy(BUILT_IN), policy(BUILT_IN));
        new.routes.swap(0, 1);
        assert_eq!(difference(&old, &new), "routes: another order");
    }
}
