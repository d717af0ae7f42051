//! Whatever upstreams, policies and callers do: the envelope holds, every request ends once, and the sums are right.
//!
//! In paused time, with the whole gateway between a script and a ledger in memory.

use std::time::Duration;

use futures_util::future::join_all;
use proptest::prelude::*;
use tokio_util::sync::CancellationToken;

use super::fixtures::{Step, World, ask, policy, with_route, world};
use crate::chat::{NanoUsd, Tokens, Usage, UsageSource};
use crate::error::Kind;
use crate::policy::{Envelope, Policy};
use crate::request::{Ask, Attempt, AttemptKind, AttemptResult as How, CacheMode, CacheUse, Caller, Outcome, Status};

const MILLISECOND: Duration = Duration::from_millis(1);

/// One caller: which question, when it comes, when it leaves, and what it thinks of kept answers.
#[derive(Debug, Clone)]
struct Visit {
    question: u8,
    comes: u64,
    leaves: Option<u64>,
    cache: CacheMode,
}

/// No model's context holds so many tokens.
const INCREDIBLE: u64 = 1_000_000_000;

fn any_usage() -> impl Strategy<Value = Option<Usage>> {
    let count = || prop_oneof![8 => 0u64..200, 1 => INCREDIBLE..10_000_000_000_000];
    prop::option::of((count(), count()).prop_map(|(input, output)| Usage {
        input: Tokens(input),
        cached_input: Tokens::ZERO,
        output: Tokens(output),
    }))
}

pub(super) fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        Just(Step::Says("good")),
        Just(Step::Says("bad")),
        any_usage().prop_map(|usage| Step::Reports("good", usage)),
        any_usage().prop_map(|usage| Step::Reports("bad", usage)),
        Just(Step::Cut("half")),
        Just(Step::Long("long")),
        Just(Step::Filtered("I would")),
        Just(Step::Never),
        (0u64..40).prop_map(|seconds| Step::Busy(Duration::from_secs(seconds))),
        (0u64..60).prop_map(|seconds| Step::Slow(Duration::from_secs(seconds))),
        prop::sample::select(vec![
            Kind::UpstreamUnreachable,
            Kind::UpstreamFailed,
            Kind::UpstreamAuth,
            Kind::UpstreamQuota,
            Kind::UpstreamProtocol,
            Kind::ContextTooLong,
            Kind::FormatRefused,
            Kind::ContentRefused,
            Kind::BadRequest,
        ])
        .prop_map(Step::Fails),
    ]
}

prop_compose! {
    pub(super) fn any_policy()(
        (deadline, max_attempts, max_cost) in (5u64..60, 1u32..6, 0i64..5_000_000),
        (upward, downward, on_rejected) in any::<(bool, bool, bool)>(),
        (hosted_first, both_priced, keeps) in any::<(bool, bool, bool)>(),
        (max_per_model, floor) in (1u32..4, 0u32..4),
    ) -> Policy {
        let mut policy = with_route(policy(), |route| {
            let deadline = Duration::from_secs(deadline);
            route.envelope = Envelope { deadline, max_attempts, max_cost: NanoUsd(max_cost) };
            (route.fallback.upward, route.fallback.downward) = (upward, downward);
            route.escalate.on_rejected = on_rejected;
            route.cache_ttl = if keeps { Duration::from_secs(600) } else { Duration::ZERO };
            if hosted_first {
                route.thresholds = [("hosted".into(), 0.0)].into();
            }
        });
        policy.retry.max_per_model = max_per_model;
        policy.retry.budget_floor_per_minute = floor;
        if both_priced {
            let price = policy.models["big"].price;
            policy.models.get_mut("small").unwrap().price = price;
        }
        policy
    }
}

prop_compose! {
    fn any_visit()(
        question in 0u8..2, comes in 0u64..20_000, leaves in prop::option::of(0u64..60_000),
        cache in prop::sample::select(vec![CacheMode::Use, CacheMode::Use, CacheMode::NoCache, CacheMode::NoStore]),
    ) -> Visit {
        Visit { question, comes, leaves, cache }
    }
}

/// All come and go; then the gateway is drained.
async fn play(world: &World, visits: &[Visit]) {
    let visits = visits.iter().map(|visit| async {
        tokio::time::sleep(visit.comes as u32 * MILLISECOND).await;
        let caller = Caller { name: format!("caller {}", visit.question) };
        let ask = Ask { cache: visit.cache, caller, ..ask(CancellationToken::new()) };
        let patience = visit.leaves.map_or(Duration::MAX, |leaves| leaves as u32 * MILLISECOND);
        let _ = tokio::time::timeout(patience, world.gateway.complete(ask)).await;
    });
    join_all(visits).await;
    world.gateway.drain(Duration::ZERO).await;
}

pub(super) fn sent(outcome: &Outcome) -> Vec<&Attempt> {
    outcome.attempts.iter().filter(|attempt| attempt.result != How::Skipped).collect()
}

/// Attempts and money.
pub(super) fn within_its_envelope(outcome: &Outcome, policy: &Policy) -> Result<(), TestCaseError> {
    let envelope = policy.routes[0].envelope;
    let sent = sent(outcome);
    prop_assert!(sent.len() <= envelope.max_attempts as usize);
    let mut spent = NanoUsd::ZERO;
    for attempt in &sent {
        let fits = attempt.reserved == NanoUsd::ZERO || spent + attempt.reserved <= envelope.max_cost;
        prop_assert!(fits, "{} were set aside when {spent} were spent", attempt.reserved);
        // Only who reports more than it was allowed to use can cost more than was set aside.
        prop_assert!(attempt.cost <= attempt.reserved || attempt.usage_source == UsageSource::Reported, "{attempt:?}");
        spent += attempt.cost;
    }
    Ok(())
}

fn in_its_time(outcome: &Outcome, policy: &Policy) -> Result<(), TestCaseError> {
    let most = policy.routes[0].envelope.deadline + Duration::from_secs(1);
    prop_assert!(outcome.latency <= most, "{:?}", outcome.latency);
    Ok(())
}

/// Who was asked how often, and after what.
fn in_good_order(outcome: &Outcome, policy: &Policy) -> Result<(), TestCaseError> {
    let attempts = &outcome.attempts;
    for (at, attempt) in attempts.iter().enumerate() {
        let later = &attempts[at + 1..];
        prop_assert!(attempt.result != How::Accepted || later.is_empty(), "nothing follows an answer: {attempts:?}");
        let again = later.iter().any(|other| other.model == attempt.model);
        prop_assert!(attempt.result != How::Rejected || !again, "nobody is asked again after a rejection");
        let first = attempt.kind == AttemptKind::First;
        prop_assert_eq!(first, at == 0);
        let same = sent(outcome).iter().filter(|other| other.model == attempt.model).count();
        prop_assert!(same <= policy.retry.max_per_model as usize, "{attempts:?}");
    }
    let answered = attempts.last().is_some_and(|last| last.result == How::Accepted);
    let given = matches!(outcome.cache, CacheUse::Hit | CacheUse::Shared) && outcome.model.is_some();
    prop_assert_eq!(outcome.status == Status::Ok, answered);
    prop_assert_eq!(outcome.status == Status::Cached, given);
    prop_assert!(!given || attempts.is_empty(), "who is given an answer asks nobody");
    let told = matches!(outcome.cache, CacheUse::Shared) && !given;
    prop_assert!(!told || attempts.is_empty() && !outcome.tried().is_empty(), "a shared end is another's: {outcome:?}");
    prop_assert!(given || outcome.saved == NanoUsd::ZERO);
    Ok(())
}

pub(super) fn adds_up(outcome: &Outcome, policy: &Policy) -> Result<(), TestCaseError> {
    let cost: NanoUsd = outcome.attempts.iter().map(|attempt| attempt.cost).sum();
    prop_assert_eq!(outcome.cost, cost);
    let bought = outcome.attempts.last().filter(|_| outcome.status == Status::Ok).map(|last| last.cost);
    prop_assert_eq!(outcome.wasted, cost - bought.unwrap_or_default());
    for attempt in &outcome.attempts {
        let price = policy.models[attempt.model.as_str()].price.unwrap();
        prop_assert_eq!(attempt.cost, price.cost(attempt.usage));
        let unknown = attempt.usage_source == UsageSource::Unknown;
        prop_assert!(!unknown || attempt.usage == Usage::default(), "what is not known is not counted");
    }
    Ok(())
}

fn sum(usages: impl Iterator<Item = Usage>) -> Usage {
    usages.fold(Usage::default(), |sum, usage| sum + usage)
}

/// The ledger's reported sums are what whole answers reported.
pub(super) fn estimates_stand_apart(kept: &[Outcome], world: &World) -> Result<(), TestCaseError> {
    let all = kept.iter().flat_map(|outcome| &outcome.attempts);
    let reported = all.filter(|attempt| attempt.usage_source == UsageSource::Reported);
    let told = world.script.reported.lock().unwrap();
    let told = told.iter().copied().filter(|usage| usage.input.max(usage.output).0 < INCREDIBLE);
    prop_assert_eq!(sum(reported.map(|attempt| attempt.usage)), sum(told));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whatever_happens_the_envelope_holds_and_each_request_ends_once(
        small in prop::collection::vec(any_step(), 0..8),
        big in prop::collection::vec(any_step(), 0..8),
        policy in any_policy(),
        visits in prop::collection::vec(any_visit(), 1..5),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let world = world(policy.clone(), [("small", small), ("big", big)]);
        runtime.block_on(play(&world, &visits));
        let kept = world.kept.0.lock().unwrap();
        prop_assert_eq!(kept.len(), visits.len(), "one outcome a request");
        for outcome in kept.iter() {
            within_its_envelope(outcome, &policy)?;
            in_its_time(outcome, &policy)?;
            in_good_order(outcome, &policy)?;
            adds_up(outcome, &policy)?;
        }
        let calls = kept.iter().map(|outcome| sent(outcome).len()).sum::<usize>();
        prop_assert_eq!(calls, world.script.called().len(), "one row a call");
        estimates_stand_apart(&kept, &world)?;
    }
}
