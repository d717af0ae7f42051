//! The limits of who asks in whole requests, in paused time: who is let in, who is told what, and that every token that
//! was set aside is corrected once.

use proptest::prelude::*;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::error::{Fault, Kind};
use crate::gateway::fixtures::{REPORTED, Step, World, ask, budget, noon, policy, read, with_route, world};
use crate::gateway::properties::any_step;
use crate::policy::{Limits, Policy, Route, RouteTier, WhenReached, WhenSpent};
use crate::request::{Ask, CacheMode, Caller, Completion, Delivery, Outcome, Scope, Status, stream};

const SECOND: Duration = Duration::from_secs(1);

/// What the fixtures' question is expected to take: its prompt is counted high.
fn expected() -> u64 {
    let (rehearsal, _) = world(policy(), []).gateway.rehearse(&asked_by("ann"));
    (rehearsal.calls[0].prompt_tokens + rehearsal.calls[0].max_output_tokens).0
}

/// What every honest answer reports.
const USED: u64 = REPORTED.input.0 + REPORTED.output.0;

fn limited(limits: Limits) -> Policy {
    Policy { callers: [("default".to_owned(), limits)].into(), ..policy() }
}

fn refusing() -> Limits {
    Limits { when_reached: WhenReached::Refuse, ..Limits::default() }
}

fn asked_by(name: &str) -> Ask {
    let caller = Caller { name: name.to_owned() };
    Ask { caller, cache: CacheMode::NoStore, ..ask(CancellationToken::new()) }
}

impl World {
    async fn asked_by(&self, name: &str) -> Outcome {
        self.gateway.complete(asked_by(name)).await.0
    }

    /// How many tokens of its minute a caller has still to wait for.
    fn missing(&self, caller: &str, per_minute: u32) -> u64 {
        let owed = self.gateway.0.callers.gate(caller).unwrap().tokens_owed_for();
        (owed.as_secs_f64() * f64::from(per_minute) / 60.0).round() as u64
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_is_above_its_limit_is_told_so_and_others_are_not() {
    let world = world(limited(Limits { requests_per_minute: Some(2), ..refusing() }), []);
    for _ in 0..2 {
        assert_eq!(world.asked_by("ann").await.status, Status::Ok);
    }
    let turned_away = world.asked_by("ann").await;
    assert_eq!((turned_away.status, turned_away.attempts.len()), (Status::Degraded, 0));
    let Some(KeptBack { limit: Limit::CallerRequestsPerMinute, wait: Some(wait) }) = turned_away.kept_back else {
        panic!("{:?}", turned_away.kept_back)
    };
    assert!(wait > 29 * SECOND && wait <= 30 * SECOND, "{wait:?}");
    let told = turned_away.failure.as_deref().unwrap();
    assert_eq!(told, "Caller `ann` is at its limit of 2 requests per minute: try again in 30 s.");
    assert_eq!(world.asked_by("bob").await.status, Status::Ok);
    tokio::time::sleep(wait).await;
    assert_eq!(world.asked_by("ann").await.status, Status::Ok, "that long, and no longer");
    assert_eq!(world.script.called().len(), 4);
}

/// For a door that has nothing else to say, the request is the caller's fault, and says what to do.
#[tokio::test(start_paused = true)]
async fn without_an_answer_of_its_own_a_request_is_rejected_as_the_callers_fault() {
    let world = world(limited(Limits { requests_per_minute: Some(1), ..refusing() }), []);
    world.asked_by("ann").await;
    let (outcome, completion) = world.gateway.complete(Ask { answers_anyway: false, ..asked_by("ann") }).await;
    assert_eq!((outcome.status, completion), (Status::Rejected, Completion::None));
    let error = outcome.error().unwrap();
    assert_eq!((error.kind, error.kind.fault()), (Kind::RateLimited, Fault::Caller));
    assert_eq!(error.message, "Caller `ann` is at its limit of 1 requests per minute: try again in 60 s");
    assert!(error.hint.unwrap().contains("under `callers` in routing.yaml"));
    assert_eq!(error.retry_after, outcome.kept_back.unwrap().wait);
    let fine = world.asked_by("bob").await;
    assert!(fine.kept_back.is_none() && fine.error().is_none());
}

/// Who reads along hears it as the end of the stream, before any piece.
#[tokio::test(start_paused = true)]
async fn a_stream_that_is_turned_away_ends_with_the_refusal() {
    let world = world(limited(Limits { requests_per_minute: Some(1), ..refusing() }), []);
    world.asked_by("ann").await;
    let (sink, mut stream) = stream(1);
    let asked = Ask { delivery: Delivery::Stream(sink), answers_anyway: false, ..asked_by("ann") };
    let (_, told) = tokio::join!(world.gateway.complete(asked), read(&mut stream, Duration::ZERO));
    assert_eq!((told.pieces.len(), told.endings), (0, vec![Some(Kind::RateLimited)]));
}

#[tokio::test(start_paused = true)]
async fn a_short_wait_is_waited_inside_the_envelope_and_a_long_one_is_not_begun() {
    // One comes back every ten seconds; up to fifteen are waited.
    let world = world(limited(Limits { requests_per_minute: Some(6), ..Limits::default() }), []);
    for _ in 0..6 {
        world.asked_by("ann").await;
    }
    let begun = Instant::now();
    let (one, two) = tokio::join!(world.asked_by("ann"), world.asked_by("ann"));
    let mut ended = [one.status, two.status];
    ended.sort_unstable();
    assert_eq!(ended, [Status::Ok, Status::Degraded], "the second one's turn comes after twenty");
    assert!(begun.elapsed() >= 9 * SECOND && begun.elapsed() < 11 * SECOND, "{:?}", begun.elapsed());
    let long = one.latency.max(two.latency);
    assert!(long < 11 * SECOND, "the refusal came as soon as it was sure: {long:?}");
}

#[tokio::test(start_paused = true)]
async fn places_are_held_until_a_request_is_over_and_waited_for_no_longer_than_half_of_its_time() {
    let slow = || vec![Step::Slow(12 * SECOND), Step::Slow(12 * SECOND), Step::Slow(12 * SECOND)];
    let one = Limits { concurrency: Some(1), ..Limits::default() };
    let world = world(limited(one), [("small", slow())]);
    let (first, second, third) = tokio::join!(world.asked_by("ann"), world.asked_by("ann"), world.asked_by("ann"));
    assert_eq!([first.status, second.status, third.status], [Status::Ok, Status::Ok, Status::Degraded]);
    assert_eq!(third.kept_back, Some(KeptBack { limit: Limit::CallerConcurrency, wait: None }));
    assert_eq!(third.latency.as_secs(), 20, "half of forty");
    assert_eq!(world.script.most_at_once(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_goes_away_while_it_waits_takes_nothing() {
    let limits = Limits { concurrency: Some(1), tokens_per_minute: Some(6_000), ..Limits::default() };
    let world = world(limited(limits), [("small", vec![Step::Slow(10 * SECOND)])]);
    let patient = world.asked_by("ann");
    let leaving = async {
        let token = CancellationToken::new();
        let asked = world.gateway.complete(Ask { cancel: token.clone(), ..asked_by("ann") });
        let (end, ()) = tokio::join!(asked, async {
            tokio::time::sleep(SECOND).await;
            token.cancel();
        });
        end.0
    };
    let (first, second) = tokio::join!(patient, leaving);
    assert_eq!((first.status, second.status, second.kept_back), (Status::Ok, Status::Cancelled, None));
    assert!(second.latency < 2 * SECOND && second.attempts.is_empty());
    tokio::time::sleep(60 * SECOND).await;
    assert_eq!(world.asked_by("ann").await.status, Status::Ok, "no place is lost");
}

#[tokio::test(start_paused = true)]
async fn what_needs_no_model_does_not_count() {
    let logic = |route: &mut Route| route.tier = RouteTier::Named("none".into());
    let world = world(with_route(limited(Limits { requests_per_minute: Some(1), ..refusing() }), logic), []);
    for _ in 0..5 {
        let outcome = world.asked_by("ann").await;
        assert_eq!((outcome.status, outcome.kept_back), (Status::Degraded, None));
    }
}

/// Kept answers count as requests, because the limit stands before the cache; they take no tokens.
#[tokio::test(start_paused = true)]
async fn a_kept_answer_counts_as_a_request_and_takes_no_tokens() {
    let kept = |route: &mut Route| route.cache_ttl = 600 * SECOND;
    let limits = Limits { requests_per_minute: Some(3), tokens_per_minute: Some(600), ..refusing() };
    let world = world(with_route(limited(limits), kept), []);
    let again = || Ask { cache: CacheMode::Use, ..asked_by("ann") };
    let mut ended = Vec::new();
    for _ in 0..4 {
        ended.push(world.gateway.complete(again()).await.0.status);
    }
    assert_eq!(ended, [Status::Ok, Status::Cached, Status::Cached, Status::Degraded]);
    assert_eq!(world.missing("ann", 600), USED);
    assert_eq!(world.script.called().len(), 1);
}

/// What it is, what each model does, and how many tokens are gone then; `None`: those that stand in the rows.
type Case = (&'static str, Vec<Step>, Vec<Step>, Option<u64>);

/// However a request ends, what its calls took is what is gone of the minute.
#[tokio::test(start_paused = true)]
async fn tokens_are_set_aside_and_corrected_by_what_was_taken() {
    // A slow minute: next to nothing comes back during a request.
    const MINUTE: u32 = 1_000;
    let big_used = Step::Reports("fine", Some(crate::chat::Usage { input: Tokens(300), ..REPORTED }));
    let cases: [Case; 6] = [
        ("accepted", vec![], vec![], Some(USED)),
        ("rejected, then accepted above", vec![Step::Says("bad")], vec![big_used], Some(USED + 305)),
        ("nobody reached", vec![Step::Fails(Kind::UpstreamAuth)], vec![Step::Fails(Kind::UpstreamAuth)], Some(0)),
        ("refused by both", vec![Step::Filtered("I"), Step::Filtered("I")], vec![Step::Filtered("I")], None),
        ("failed, nobody knows what was taken", vec![Step::Fails(Kind::UpstreamFailed)], vec![], Some(expected())),
        ("cut, estimated", vec![Step::Cut("abc")], vec![Step::Fails(Kind::UpstreamAuth)], None),
    ];
    for (name, small, big, taken) in cases {
        let limits = Limits { tokens_per_minute: Some(MINUTE), ..refusing() };
        let world = world(limited(limits), [("small", small), ("big", big)]);
        let outcome = world.asked_by("ann").await;
        let in_its_rows = outcome.attempts.iter().map(|row| row.usage.input.0 + row.usage.output.0).sum();
        let expected = taken.unwrap_or(in_its_rows);
        assert!(taken.is_some() || in_its_rows > 0, "{name}");
        assert_eq!(world.missing("ann", MINUTE), expected, "{name}: {:?}", outcome.attempts);
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_gives_the_place_and_the_tokens_back() {
    let limits = Limits { concurrency: Some(1), tokens_per_minute: Some(600), ..refusing() };
    let world = world(limited(limits), []);
    let check: crate::request::Check = std::sync::Arc::new(|_| panic!("a check that fails"));
    let (outcome, _) = world.gateway.complete(Ask { check: Some(check), ..asked_by("ann") }).await;
    assert_eq!(outcome.attempts.len(), 1, "{outcome:?}");
    assert_eq!(world.missing("ann", 600), USED);
    assert_eq!(world.asked_by("ann").await.status, Status::Ok);
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_follows_leaves_the_count_of_who_asks_as_it_was() {
    let limits = Limits { requests_per_minute: Some(2), ..refusing() };
    let world = world(limited(limits), []);
    world.asked_by("ann").await;
    let next = Policy { hash: "ba9876543210".into(), ..limited(limits) };
    world.gateway.follow(std::sync::Arc::new(next));
    assert_eq!(world.asked_by("ann").await.status, Status::Ok);
    assert_eq!(world.asked_by("ann").await.status, Status::Degraded);
    world.gateway.follow(std::sync::Arc::new(policy()));
    assert_eq!(world.asked_by("ann").await.status, Status::Ok, "no limit any more");
}

/// A budget that rejects is the caller's matter, too: kind, what to do, and when it begins anew.
#[tokio::test(start_paused = true)]
async fn a_budget_that_rejects_ends_a_request_as_over_budget() {
    let hosted_first = |route: &mut Route| route.thresholds = [("hosted".into(), 0.0)].into();
    let mut rejecting = budget("day", Scope::All, 1);
    rejecting.when_spent = WhenSpent::Reject;
    let policy = with_route(Policy { budgets: vec![rejecting], time_zone: noon(), ..policy() }, hosted_first);
    let world = world(policy.clone(), []);
    for answers_anyway in [false, true] {
        let (outcome, completion) = world.gateway.complete(Ask { answers_anyway, ..asked_by("ann") }).await;
        let status = if answers_anyway { Status::Degraded } else { Status::Rejected };
        assert_eq!((outcome.status, completion), (status, Completion::None));
        let error = outcome.error().unwrap();
        assert_eq!((error.kind, error.kind.fault()), (Kind::OverBudget, Fault::Caller));
        assert!(error.message.contains("budget `day` has") && error.message.contains("begins anew on 20"), "{error}");
        assert!(error.hint.unwrap().contains("`limit_usd`"));
        let wait = error.retry_after.unwrap();
        assert!(wait > Duration::ZERO && wait <= 86_400 * SECOND, "until midnight: {wait:?}");
    }
    assert!(world.script.called().is_empty());
    // One that goes on with free models is nobody's refusal.
    let mut free_only = policy;
    free_only.budgets[0].when_spent = WhenSpent::FreeOnly;
    let world = self::world(free_only, []);
    let outcome = world.asked_by("ann").await;
    assert_eq!((outcome.status, outcome.kept_back), (Status::Ok, None));
}

/// The same when it is known to be spent before anything is tried.
#[tokio::test(start_paused = true)]
async fn a_budget_that_is_known_to_be_spent_rejects_at_the_decision() {
    let hosted_first = |route: &mut Route| route.thresholds = [("hosted".into(), 0.0)].into();
    let mut rejecting = budget("day", Scope::All, 1_200_000);
    rejecting.when_spent = WhenSpent::Reject;
    let dear = Step::Reports("fine", Some(crate::chat::Usage { input: Tokens(2_000), ..REPORTED }));
    let world = world(
        with_route(Policy { budgets: vec![rejecting], time_zone: noon(), ..policy() }, hosted_first),
        [("big", vec![dear])],
    );
    assert_eq!(world.asked_by("ann").await.status, Status::Ok);
    world.gateway.look_at_budgets().await.unwrap();
    let (outcome, _) = world.gateway.complete(Ask { answers_anyway: false, ..asked_by("ann") }).await;
    assert_eq!((outcome.status, outcome.attempts.len()), (Status::Rejected, 0), "{outcome:?}");
    let error = outcome.error().unwrap();
    assert_eq!((error.kind, error.retry_after.is_some()), (Kind::OverBudget, true));
    assert!(error.message.contains("budget `day` has spent") && error.message.contains("begins anew on 20"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Whatever the models do and whoever leaves when: nobody is let in above the rate or has more at once than it may,
    /// and when all is over every place is free and no more tokens are gone than were taken.
    #[test]
    fn no_caller_gets_more_than_its_limits_and_all_is_given_back(
        small in prop::collection::vec(any_step(), 0..8),
        big in prop::collection::vec(any_step(), 0..8),
        visits in prop::collection::vec((0usize..2, 0u64..20_000, prop::option::of(0u64..60_000)), 1..8),
        (at_once, per_minute, waits) in (1u32..3, 1u32..6, any::<bool>()),
    ) {
        const MINUTE: u32 = 600;
        let expected = expected();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let limits = Limits {
            concurrency: Some(at_once),
            requests_per_minute: Some(per_minute),
            tokens_per_minute: Some(MINUTE),
            when_reached: if waits { WhenReached::Wait } else { WhenReached::Refuse },
        };
        let world = world(limited(limits), [("small", small), ("big", big)]);
        runtime.block_on(async {
            let begun = Instant::now();
            let all = visits.iter().map(|(who, comes, leaves)| async {
                tokio::time::sleep(Duration::from_millis(*comes)).await;
                let patience = leaves.map_or(Duration::MAX, Duration::from_millis);
                let mut asked = asked_by(["ann", "bob"][*who]);
                asked.signals.caller.clone_from(&asked.caller.name);
                let _ = tokio::time::timeout(patience, world.gateway.complete(asked)).await;
            });
            futures_util::future::join_all(all).await;
            world.gateway.drain(Duration::ZERO).await;
            prop_assert!(world.script.most_at_once() <= 2 * at_once);
            let minutes = begun.elapsed().as_secs_f64() / 60.0;
            let kept = world.kept.0.lock().unwrap();
            prop_assert_eq!(kept.len(), visits.len());
            for caller in ["ann", "bob"] {
                let own: Vec<&Outcome> = kept.iter().filter(|outcome| outcome.signals.caller == caller).collect();
                let sent = own.iter().filter(|outcome| outcome.attempts.iter().any(Attempt::was_sent)).count();
                prop_assert!(sent as f64 <= f64::from(per_minute) * (1.0 + minutes), "{sent} of {per_minute}");
                let taken: u64 = own.iter().map(|outcome| {
                    let known: u64 = outcome.attempts.iter().map(|row| row.usage.input.0 + row.usage.output.0).sum();
                    let unknown = outcome.attempts.iter().any(|row| row.was_sent() && row.usage_source == UsageSource::Unknown);
                    known.max(if unknown { expected } else { 0 })
                }).sum();
                prop_assert!(world.missing(caller, MINUTE) <= taken + 1, "more is gone than the {taken} that were taken");
                for outcome in own {
                    let turned_away = outcome.kept_back.is_some();
                    prop_assert!(!turned_away || outcome.attempts.is_empty() && outcome.status == Status::Degraded);
                }
            }
            // Models report what they like, so the minute may be far away; the places are free at once.
            drop(kept);
            Ok(())
        })?;
    }
}
