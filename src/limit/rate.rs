//! The limits of every model of a policy: how much may be asked of each at once and in a minute.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::gate::{Gate, Patience, Permit, Refusal};
use crate::chat::Tokens;
use crate::names::ModelName;
use crate::policy::{Limits, Policy};

pub struct Limiter {
    models: BTreeMap<ModelName, Arc<Gate>>,
}

impl Limiter {
    pub fn new(policy: &Policy) -> Self {
        let gate = |limits| Arc::new(Gate::new(limits));
        Self { models: policy.models.iter().map(|(name, model)| (name.clone(), gate(model.limits))).collect() }
    }

    /// The limiter of the policy that follows.
    pub fn followed_by(&self, policy: &Policy) -> Self {
        let gate = |name: &ModelName, limits: Limits| match self.models.get(name) {
            Some(before) => before.followed_by(limits),
            None => Gate::new(limits),
        };
        let models = policy.models.iter().map(|(name, model)| (name.clone(), Arc::new(gate(name, model.limits))));
        Self { models: models.collect() }
    }

    /// `tokens` is what the call is expected to take, prompt and answer.
    pub async fn admit(&self, model: &ModelName, tokens: Tokens, patience: Patience) -> Result<Permit, Refusal> {
        match self.models.get(model) {
            Some(gate) => gate.clone().admit(tokens, patience).await,
            None => Ok(Permit::free()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_model_without_limits_is_always_admitted() {
        let limiter = Limiter { models: BTreeMap::from([("m".into(), Arc::new(Gate::new(Limits::default())))]) };
        for model in ["m", "another"] {
            for _ in 0..100 {
                let patience = Patience { place: Duration::ZERO, rate: Duration::ZERO };
                assert!(limiter.admit(&model.into(), Tokens(1 << 40), patience).await.is_ok());
            }
        }
    }
}
