//! One policy following another under requests, in paused time: what is kept, what begins anew, who goes by which.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::gateway::Gateway;
use crate::gateway::fixtures::{Kept, Script, Step, ask, policy, with_route};
use crate::policy::Model;
use crate::request::{CacheUse, Outcome};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn world<const N: usize>(policy: Policy, steps: [(&str, Vec<Step>); N]) -> (Gateway, Arc<Script>) {
    let script = Script::new(steps);
    let (upstream, ledger) = (Box::new(script.clone()), Box::new(Arc::new(Kept::default())));
    (Gateway::with_parts(Arc::new(policy), upstream, ledger, Metrics::for_tests()), script)
}

async fn request(gateway: &Gateway) -> Outcome {
    gateway.complete(ask(CancellationToken::new())).await.0
}

/// A policy whose text is another.
fn next(policy: Policy, hash: &str) -> Arc<Policy> {
    Arc::new(Policy { hash: hash.into(), ..policy })
}

fn with_small(mut policy: Policy, change: impl FnOnce(&mut Model)) -> Policy {
    policy.models.values_mut().find(|model| model.spec.name.as_str() == "small").map(change).unwrap();
    policy
}

fn out(gateway: &Gateway) -> Vec<String> {
    gateway.0.snapshot().view().unwell.into_keys().map(String::from).collect()
}

/// Two refused connections take `small` out.
fn refused() -> Vec<Step> {
    vec![Step::Fails(crate::error::Kind::UpstreamUnreachable); 2]
}

#[tokio::test(start_paused = true)]
async fn a_request_ends_on_the_policy_that_it_began_with_and_the_next_goes_by_the_new_one() {
    let (gateway, script) = world(policy(), [("small", vec![Step::Slow(5 * SECOND)])]);
    let hosted_first = with_route(policy(), |route| route.thresholds = [("hosted".into(), 0.0)].into());
    let (slow, quick) = tokio::join!(request(&gateway), async {
        tokio::time::sleep(SECOND).await;
        gateway.follow(next(hosted_first, "new"));
        request(&gateway).await
    });
    assert_eq!((slow.policy_hash.as_str(), slow.model), ("0123456789ab", Some("small".into())));
    assert_eq!((quick.policy_hash.as_str(), quick.model), ("new", Some("big".into())));
    assert_eq!(script.called(), ["small", "big"]);
}

#[tokio::test(start_paused = true)]
async fn a_fallback_after_the_change_still_goes_where_the_old_policy_says() {
    let (gateway, script) = world(policy(), [("small", vec![Step::Slow(50 * SECOND)])]);
    let mut alone = policy();
    alone.models.retain(|name, _| name.as_str() == "small");
    alone.tiers.retain(|tier| tier.name.as_str() == "local");
    let (slow, ()) = tokio::join!(request(&gateway), async {
        tokio::time::sleep(SECOND).await;
        gateway.follow(next(alone, "new"));
    });
    assert_eq!((slow.model, script.called()), (Some("big".into()), vec!["small".to_owned(), "big".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn a_model_that_did_not_change_stays_left_alone() {
    let (gateway, _) = world(policy(), [("small", refused())]);
    request(&gateway).await;
    assert_eq!(out(&gateway), ["small"]);
    let dearer = with_small(policy(), |model| model.price = None);
    gateway.follow(next(with_route(dearer, |route| route.name = "other".into()), "new"));
    assert_eq!(out(&gateway), ["small"]);
}

#[tokio::test(start_paused = true)]
async fn a_model_at_another_address_under_another_name_or_with_another_key_begins_anew() {
    let moved = |change: fn(&mut Policy)| {
        let mut policy = policy();
        change(&mut policy);
        policy
    };
    let changes: [fn(&mut Policy); 3] = [
        |policy| policy.backends.values_mut().for_each(|backend| backend.base_url = "http://127.0.0.1:8/v1".into()),
        |policy| policy.backends.values_mut().for_each(|backend| backend.api_key = Some("another".into())),
        |policy| policy.models.values_mut().for_each(|model| model.upstream = "another".into()),
    ];
    for change in changes {
        let (gateway, _) = world(policy(), [("small", refused())]);
        request(&gateway).await;
        gateway.follow(next(moved(change), "new"));
        assert!(out(&gateway).is_empty());
        gateway.follow(next(policy(), "old"));
        assert!(out(&gateway).is_empty(), "what is gone is forgotten");
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_old_request_hears_of_a_changed_model_does_not_count_for_the_new_one() {
    let slow = || vec![Step::Never, Step::Never];
    let (gateway, _) = world(policy(), [("small", slow())]);
    let changed = with_small(policy(), |model| model.upstream = "another".into());
    let (_, _, ()) = tokio::join!(request(&gateway), request(&gateway), async {
        tokio::time::sleep(SECOND).await;
        gateway.follow(next(changed, "new"));
    });
    assert!(out(&gateway).is_empty());

    let (gateway, _) = world(policy(), [("small", slow())]);
    let (_, _, ()) = tokio::join!(request(&gateway), request(&gateway), async {
        tokio::time::sleep(SECOND).await;
        gateway.follow(next(policy(), "new"));
    });
    assert_eq!(out(&gateway), ["small"], "the same model is the same model");
}

#[tokio::test(start_paused = true)]
async fn a_place_in_use_is_taken_also_for_requests_of_the_new_policy() {
    let one_at_a_time = || with_small(policy(), |model| model.limits.concurrency = Some(1));
    let (gateway, script) = world(one_at_a_time(), [("small", vec![Step::Slow(5 * SECOND)])]);
    let (_, waited) = tokio::join!(request(&gateway), async {
        tokio::time::sleep(SECOND).await;
        gateway.follow(next(one_at_a_time(), "new"));
        request(&gateway).await
    });
    assert!(waited.latency >= 4 * SECOND, "{:?}", waited.latency);
    assert_eq!(script.called(), ["small", "small"]);
}

#[tokio::test(start_paused = true)]
async fn answers_are_kept_for_the_policy_that_gave_them() {
    let cached = || with_route(policy(), |route| route.cache_ttl = 600 * SECOND);
    let (gateway, _) = world(cached(), []);
    assert_eq!(request(&gateway).await.cache, CacheUse::Miss);
    gateway.follow(next(cached(), "new"));
    assert_eq!(request(&gateway).await.cache, CacheUse::Miss);
    gateway.follow(next(cached(), "0123456789ab"));
    assert_eq!(request(&gateway).await.cache, CacheUse::Hit, "back to the old text, back to its answers");
    gateway.follow(next(Policy { cache_max_bytes: 1, ..cached() }, "0123456789ab"));
    assert_eq!(request(&gateway).await.cache, CacheUse::Miss, "another size, another cache");
}
