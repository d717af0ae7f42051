//! What the ledger's sums say of money, with the policy beside them: what is known to be spent, and what the highest tier
//! would have taken instead. `usage` and the page tell the same. Pure.

use crate::chat::NanoUsd;
use crate::policy::{Location, Policy};
use crate::request::Status;
use crate::store::Sums;

/// Sums, for how many of the calls in them nobody knows what they cost, and how many answers of models were used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spending {
    pub sums: Sums,
    pub uncosted: u64,
    pub answers: u64,
}

/// What the answers would have cost at the highest tier, beside what all calls cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// No answer of a model was used.
    Nothing,
    /// No answer has such a price.
    Unknown,
    /// It would have cost this, and so much more than it did; less, if that is negative.
    Known { instead: NanoUsd, saved: NanoUsd },
    /// So many answers have no such price, so it would have cost at least this.
    AtLeast { instead: NanoUsd, saved: NanoUsd, unknown: u64 },
}

impl Spending {
    /// The sums of one model, and of requests that ended in one way.
    pub fn of(policy: &Policy, (model, status): (&str, &str), sums: Sums) -> Self {
        let is_answer = !model.is_empty() && Status::parse(status) == Some(Status::Ok);
        Self { sums, uncosted: uncosted(policy, model, &sums), answers: if is_answer { sums.requests } else { 0 } }
    }

    pub fn add(&mut self, other: Self) {
        self.sums += other.sums;
        self.uncosted += other.uncosted;
        self.answers += other.answers;
    }

    /// Calls that were sent.
    pub fn calls(&self) -> u64 {
        self.sums.attempts.saturating_sub(self.sums.skipped)
    }

    /// `None`: nobody knows.
    pub fn cost(&self) -> Option<NanoUsd> {
        (self.uncosted == 0 || self.sums.cost > NanoUsd::ZERO).then_some(self.sums.cost)
    }

    pub fn comparison(&self) -> Comparison {
        let Sums { counterfactual: instead, counterfactual_unknown: unknown, cost, .. } = self.sums;
        let saved = instead - cost;
        match (self.answers, unknown) {
            (0, _) => Comparison::Nothing,
            (answers, unknown) if unknown >= answers => Comparison::Unknown,
            (_, 0) if self.uncosted == 0 => Comparison::Known { instead, saved },
            (_, unknown) => Comparison::AtLeast { instead, saved, unknown },
        }
    }
}

/// What a local model costs without a price is electricity; a hosted one's is simply not known.
pub fn is_unpriced(policy: &Policy, model: &str) -> bool {
    let model = policy.models.get(model).filter(|model| model.price.is_none());
    model.and_then(|model| policy.backend_of(model)).is_some_and(|backend| backend.location == Location::Hosted)
}

/// Calls whose cost nobody knows: those without a price, and those of a priced model of which neither usage nor cost was
/// booked.
fn uncosted(policy: &Policy, model: &str, sums: &Sums) -> u64 {
    if is_unpriced(policy, model) {
        return sums.attempts.saturating_sub(sums.skipped);
    }
    let is_free = policy.models.get(model).is_some_and(|model| policy.is_free(model));
    if is_free || sums.cost > NanoUsd::ZERO { 0 } else { sums.usage_unknown }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::fixtures;

    fn spending(groups: &[(&str, &str, Sums)]) -> Spending {
        let policy = fixtures::policy();
        let mut all = Spending::default();
        groups.iter().for_each(|(model, status, sums)| all.add(Spending::of(&policy, (model, status), *sums)));
        all
    }

    fn sums(requests: u64, cost: i64, counterfactual: i64, counterfactual_unknown: u64) -> Sums {
        let (cost, counterfactual) = (NanoUsd(cost), NanoUsd(counterfactual));
        Sums { requests, attempts: requests, cost, counterfactual, counterfactual_unknown, ..Sums::default() }
    }

    #[test]
    fn what_is_compared_is_what_models_answered() {
        let compared = |groups: &[(&str, &str, Sums)]| spending(groups).comparison();
        let known = |instead, saved| Comparison::Known { instead: NanoUsd(instead), saved: NanoUsd(saved) };
        let failed = ("big", "failed", sums(1, 50, 0, 0));
        assert_eq!(compared(&[]), Comparison::Nothing);
        assert_eq!(
            compared(&[("", "ok", sums(9, 0, 0, 0)), ("small", "cached", sums(1, 0, 0, 0))]),
            Comparison::Nothing
        );
        assert_eq!(compared(&[failed]), Comparison::Nothing, "money that bought nothing is not lost to routing");
        assert_eq!(
            compared(&[("small", "ok", sums(3, 0, 0, 0))]),
            known(0, 0),
            "a highest tier that is free has a price"
        );
        assert_eq!(compared(&[("small", "ok", sums(3, 0, 90, 0)), failed]), known(90, 40));
        assert_eq!(compared(&[("small", "ok", sums(3, 0, 0, 3))]), Comparison::Unknown);
        let partly = Comparison::AtLeast { instead: NanoUsd(60), saved: NanoUsd(60), unknown: 1 };
        assert_eq!(compared(&[("small", "ok", sums(3, 0, 60, 1))]), partly);
    }

    #[test]
    fn a_cost_that_nobody_knows_is_none() {
        let mut policy = fixtures::policy();
        policy.models.get_mut("big").unwrap().price = None;
        let unpriced = Spending::of(&policy, ("big", "ok"), sums(2, 0, 10, 0));
        assert_eq!((unpriced.cost(), unpriced.uncosted), (None, 2));
        let bound = Comparison::AtLeast { instead: NanoUsd(10), saved: NanoUsd(10), unknown: 0 };
        assert_eq!(unpriced.comparison(), bound);
        let unknown = Sums { usage_unknown: 1, ..sums(1, 0, 0, 0) };
        assert_eq!(spending(&[("big", "failed", unknown)]).cost(), None);
        assert_eq!(spending(&[("small", "failed", unknown)]).cost(), Some(NanoUsd::ZERO));
    }
}
