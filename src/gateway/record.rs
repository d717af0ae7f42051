//! The end of a request as one value: sums and times over what was decided and tried.

use tokio::time::Instant;

use super::parts::Beginning;
use crate::chat::{NanoUsd, Price, Usage};
use crate::names::ModelName;
use crate::policy::Policy;
use crate::request::{Attempt, CacheUse, Decision, Exclusion, KeptBack, Outcome, Signals, Status, answering};

/// What `outcome` adds sums and times to.
pub(super) struct Settled {
    pub signals: Signals,
    pub decision: Decision,
    pub status: Status,
    pub model: Option<ModelName>,
    pub attempts: Vec<Attempt>,
    pub cache: CacheUse,
    pub saved: NanoUsd,
    pub failure: Option<String>,
    pub kept_back: Option<KeptBack>,
    pub shared: Vec<Attempt>,
}

pub(super) fn outcome(settled: Settled, policy: &Policy, beginning: Beginning) -> Outcome {
    let Settled { signals, decision, status, model, attempts, cache, saved, failure, kept_back, shared } = settled;
    let answered = answering(status, &attempts);
    let cost: NanoUsd = attempts.iter().map(|attempt| attempt.cost).sum();
    let bought = answered.map_or(NanoUsd::ZERO, |attempt| attempt.cost);
    let ttft = answered.and_then(|attempt| {
        let began = attempt.started_at.duration_since(beginning.at);
        Some(attempt.ttft? + std::time::Duration::try_from(began).unwrap_or_default())
    });
    Outcome {
        id: beginning.id,
        at: beginning.at,
        policy_hash: policy.hash.clone(),
        usage: attempts.iter().map(|attempt| attempt.usage).fold(Usage::default(), |sum, usage| sum + usage),
        cost,
        wasted: cost - bought,
        counterfactual: answered.and_then(|attempt| Some(reference_price(policy)?.cost(attempt.usage))),
        latency: Instant::now().saturating_duration_since(beginning.started),
        ttft,
        signals,
        decision,
        status,
        model,
        attempts,
        cache,
        saved,
        failure,
        kept_back,
        shared,
    }
}

/// Why no model was asked at all, and what to do about it.
pub(super) fn why_nobody(policy: &Policy, decision: &Decision) -> String {
    let unwell = decision.reasons.iter().filter(|reason| {
        matches!(
            reason.code.as_str(),
            "unhealthy"
                | "unreachable"
                | "busy"
                | "key_refused"
                | "not_loaded"
                | "context"
                | "budget_spent"
                | "budget_rejects"
                | "unpriced"
        )
    });
    let unwell: Vec<&str> = unwell.map(|reason| reason.text.as_str()).collect();
    if !unwell.is_empty() {
        return format!("No model may be called. {}", unwell.join(" "));
    }
    let without_key = |candidate: &crate::request::Candidate| candidate.excluded == Some(Exclusion::NoKey);
    let keyless = decision.candidates.iter().find(|candidate| without_key(candidate));
    let backend = keyless.and_then(|candidate| policy.backend_of(policy.models.get(&candidate.model)?));
    match backend {
        Some(backend) => match backend.key_advice() {
            Some(advice) => format!("No model may be called: {advice} to use backend `{}`.", backend.name),
            None => format!("No model may be called: backend `{}` has no key.", backend.name),
        },
        None => "No model may be called for this request.".to_owned(),
    }
}

/// What the same tokens would have cost without a router: the price of the first model of the highest tier that has one.
/// A lower tier's would be another question's answer.
fn reference_price(policy: &Policy) -> Option<Price> {
    let priced = |name: &ModelName| {
        let model = policy.models.get(name)?;
        if policy.is_free(model) { Some(Price::default()) } else { model.price }
    };
    policy.tiers.last()?.models.iter().find_map(priced)
}

impl Settled {
    /// A request that nobody was asked for.
    pub fn new(signals: Signals, decision: Decision) -> Self {
        Self {
            signals,
            decision,
            status: Status::Ok,
            model: None,
            attempts: Vec::new(),
            cache: CacheUse::Bypass,
            saved: NanoUsd::ZERO,
            failure: None,
            kept_back: None,
            shared: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::fixtures;

    #[test]
    fn what_is_compared_with_is_the_highest_tier_and_no_other() {
        let mut policy = fixtures::policy();
        let priced = policy.models["big"].price;
        assert!(priced.is_some_and(|price| !price.is_free()));
        assert_eq!(reference_price(&policy), priced);
        policy.models.get_mut("small").unwrap().price = priced;
        policy.models.get_mut("big").unwrap().price = None;
        assert_eq!(reference_price(&policy), None, "the tier below has one, and is not the highest");
        policy.tiers.pop();
        assert_eq!(reference_price(&policy), priced);
        policy.models.get_mut("small").unwrap().price = None;
        assert_eq!(reference_price(&policy), Some(Price::default()), "a local model has no bill");
    }
}
