//! Money in whole requests, in paused time: who is paid, who is refused, and that nothing set aside is forgotten.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use proptest::prelude::*;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::chat::{Capability, ChatRequest, Format};
use crate::error::Kind;
use crate::gateway::PlannedCall;
use crate::gateway::fixtures::{self, Kept, Script, Step, ask, budget, noon, policy, with_route};
use crate::policy::{Limits, Route};
use crate::request::{Ask, AttemptResult as How, Exclusion, Outcome, Progress, Render, Scope, Status};
use crate::telemetry::Metrics;

/// What a call of `big` costs that reports what the fixtures report.
const COST: i64 = 60_000;

struct World {
    gateway: Gateway,
    script: Arc<Script>,
    kept: Arc<Kept>,
}

/// `big` is asked first, then the free `small`.
fn world<const N: usize>(budgets: Vec<Budget>, steps: [(&str, Vec<Step>); N]) -> World {
    world_of(Policy { budgets, ..policy() }, steps)
}

fn world_of<const N: usize>(policy: Policy, steps: [(&str, Vec<Step>); N]) -> World {
    let hosted_first = |route: &mut Route| route.thresholds = [("hosted".into(), 0.0)].into();
    let policy = Policy { time_zone: noon(), ..with_route(policy, hosted_first) };
    let (script, kept) = (Script::new(steps), Arc::new(Kept::default()));
    let (upstream, ledger) = (Box::new(script.clone()), Box::new(kept.clone()));
    World { gateway: Gateway::with_parts(Arc::new(policy), upstream, ledger, Metrics::for_tests()), script, kept }
}

/// A call of `big` with the fixtures' question.
fn planned() -> PlannedCall {
    let (rehearsal, _) = world(vec![], []).gateway.rehearse(&ask(CancellationToken::new()));
    rehearsal.calls[0].clone()
}

/// The most that it may cost.
fn worst_case() -> i64 {
    planned().worst_case_nanousd.0
}

fn day(limit: i64) -> Vec<Budget> {
    vec![budget("day", Scope::All, limit)]
}

impl World {
    async fn ask(&self) -> Outcome {
        self.gateway.complete(ask(CancellationToken::new())).await.0
    }

    /// Every reservation went once, and nothing is set aside any more.
    fn all_settled(&self) -> bool {
        self.kept.2.lock().unwrap().iter().all(|one| one.closed == 1 && one.settled <= 1)
    }
}

fn trail(outcome: &Outcome) -> Vec<(&str, How, Option<Limit>)> {
    outcome.attempts.iter().map(|row| (row.model.as_str(), row.result, row.kept_back)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_call_that_might_not_fit_is_not_made_and_free_models_go_on() {
    let fits = world(day(worst_case()), []);
    assert_eq!(trail(&fits.ask().await), [("big", How::Accepted, None)]);
    let world = world(day(worst_case() - 1), []);
    let outcome = world.ask().await;
    assert_eq!(trail(&outcome), [("big", How::Skipped, Some(Limit::Budget)), ("small", How::Accepted, None)]);
    assert_eq!((outcome.status, outcome.cost), (Status::Ok, NanoUsd::ZERO));
    let told = outcome.attempts[0].failure.as_deref().unwrap();
    let [cost, limit] = NanoUsd::apart([worst_case(), worst_case() - 1].map(NanoUsd));
    let expected = format!("big could cost {cost}; budget `day` has {limit} of {limit} left and begins anew on 20");
    assert!(cost != limit && told.starts_with(&expected), "{told}");
    assert_eq!(world.script.called(), ["small"]);
}

/// What `explain` says before anything is asked.
#[tokio::test(start_paused = true)]
async fn a_rehearsal_says_which_calls_would_not_be_made_for_want_of_money() {
    let calls = |world: &World| world.gateway.rehearse(&ask(CancellationToken::new())).0.calls;
    let told = |world: &World| calls(world).into_iter().map(|call| call.does_not_fit).collect::<Vec<_>>();
    assert_eq!(told(&world(day(worst_case()), [])), [None, None]);
    let [cost, limit] = NanoUsd::apart([worst_case(), worst_case() - 1].map(NanoUsd));
    let expected = format!("it could cost {cost}, and budget `day` has {limit} of {limit} left");
    assert_eq!(told(&world(day(worst_case() - 1), [])), [Some(expected), None], "small is free");
    let spent = world(day(worst_case() + COST - 1), []);
    spent.ask().await;
    spent.gateway.look_at_budgets().await.unwrap();
    assert!(told(&spent)[0].as_ref().is_some_and(|told| told.contains("budget `day` has")), "{:?}", told(&spent));
    let poor = with_route(policy(), |route| route.envelope.max_cost = NanoUsd(worst_case() - 1));
    let expected = format!("it could cost {cost}, and the request may spend {limit}");
    assert_eq!(told(&world_of(poor, [])), [Some(expected), None]);
}

#[tokio::test(start_paused = true)]
async fn every_budget_that_counts_a_call_has_to_have_room_for_it() {
    let ample = 1_000_000_000;
    let scopes = |tight: Scope| {
        vec![budget("ample", Scope::All, ample), budget("tight", tight, 1), budget("last", Scope::All, ample)]
    };
    for (tight, refused) in [
        (Scope::All, true),
        (Scope::Caller("local".into()), true),
        (Scope::Caller("ann".into()), false),
        (Scope::Tool("smart_prioritize".into()), true),
        (Scope::Tool("plan_sprint".into()), false),
        (Scope::Model("big".into()), true),
        (Scope::Model("small".into()), false),
    ] {
        let outcome = world(scopes(tight.clone()), []).ask().await;
        assert_eq!(outcome.attempts[0].result == How::Skipped, refused, "{tight}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_rejects_ends_the_request_and_speaks_for_all() {
    let budgets = vec![
        budget("free_only", Scope::All, 1),
        Budget { when_spent: WhenSpent::Reject, ..budget("reject", Scope::Model("big".into()), 1) },
    ];
    let world = world(budgets, []);
    let outcome = world.ask().await;
    assert_eq!(trail(&outcome), [("big", How::Skipped, Some(Limit::Budget))]);
    assert_eq!((outcome.status, world.script.called().len()), (Status::Degraded, 0));
    assert!(outcome.failure.unwrap().contains("budget `reject` has"));
    assert_eq!(outcome.attempts[0].budget, Some("reject".into()));
}

#[tokio::test(start_paused = true)]
async fn a_budget_that_is_known_to_be_spent_is_not_asked_again() {
    let world = world(day(COST), []);
    // As another process's requests would have it.
    let spent = Outcome { attempts: vec![row(COST)], ..world.gateway.rehearse(&ask(CancellationToken::new())).1 };
    world.kept.0.lock().unwrap().push(spent);
    assert_eq!(world.ask().await.attempts.len(), 2, "not known before it was asked");
    let outcome = world.ask().await;
    assert_eq!(trail(&outcome), [("small", How::Accepted, None)]);
    assert_eq!(outcome.decision.candidates[1].excluded, Some(Exclusion::BudgetSpent));
}

/// An attempt of `big` that began now and cost this much.
fn row(cost: i64) -> Attempt {
    Attempt {
        n: 1,
        model: "big".into(),
        tier: "hosted".into(),
        kind: AttemptKind::First,
        result: How::Accepted,
        rejection: None,
        kept_back: None,
        budget: None,
        failure: None,
        usage: Usage::default(),
        usage_source: UsageSource::Reported,
        reserved: NanoUsd(cost),
        cost: NanoUsd(cost),
        started_at: Timestamp::now(),
        ttft: None,
        latency: Duration::ZERO,
        http_status: None,
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_call_did_not_need_is_free_for_others_while_its_request_goes_on() {
    // Room for one call that is under way and for what another one cost.
    let steps =
        [("big", vec![Step::Cut("x"), Step::Says("good")]), ("small", vec![Step::Slow(Duration::from_secs(20))])];
    let world = world(day(worst_case() + worst_case() / 2), steps);
    let first = world.ask();
    let second = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        world.ask().await
    };
    let (first, second) = tokio::join!(first, second);
    assert_eq!(trail(&first), [("big", How::Cut, None), ("small", How::Accepted, None)]);
    assert_eq!(trail(&second), [("big", How::Accepted, None)]);
    assert!(world.all_settled());
}

#[tokio::test(start_paused = true)]
async fn between_two_tries_of_one_model_too() {
    let world = world(day(worst_case() + worst_case() / 2), [("big", vec![Step::Busy(Duration::from_secs(1))])]);
    let outcome = world.ask().await;
    assert_eq!(trail(&outcome), [("big", How::RateLimited, None), ("big", How::Accepted, None)]);
    assert!(world.all_settled());
}

#[tokio::test(start_paused = true)]
async fn and_between_two_answer_formats() {
    let mut policy = Policy { budgets: day(worst_case() + worst_case() / 2), ..policy() };
    policy.models.get_mut("big").unwrap().spec.capabilities = [Capability::JsonObject].into();
    let world = world_of(policy, [("big", vec![Step::Fails(Kind::FormatRefused), Step::Says("bad")])]);
    let plain = ask(CancellationToken::new());
    let render: Render = Arc::new(move |spec, rejections| {
        let request = (plain.render)(spec, rejections)?;
        Ok(ChatRequest { format: Format::JsonObject, ..request })
    });
    let outcome = world.gateway.complete(Ask { render, ..ask(CancellationToken::new()) }).await.0;
    assert_eq!(trail(&outcome)[..2], [("big", How::UpstreamError, None), ("big", How::Rejected, None)]);
    assert!(world.all_settled());
}

#[tokio::test(start_paused = true)]
async fn what_is_set_aside_for_others_is_told() {
    let world = world(day(worst_case() + 1), [("big", vec![Step::Slow(Duration::from_secs(5))])]);
    let second = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        world.ask().await
    };
    let (_, second) = tokio::join!(world.ask(), second);
    let (told, aside) = (second.attempts[0].failure.as_deref().unwrap(), NanoUsd(worst_case()));
    assert!(told.contains(&format!(" left ({aside} set aside for requests under way) and begins anew on ")), "{told}");
}

#[tokio::test(start_paused = true)]
async fn a_held_database_is_waited_for_a_moment_where_no_budget_needs_it() {
    let world = world(vec![], []);
    *world.kept.4.lock().unwrap() = Duration::from_secs(60);
    let outcome = world.ask().await;
    assert_eq!(trail(&outcome), [("big", How::Accepted, None)]);
    assert!(outcome.latency < Duration::from_secs(2), "{:?}", outcome.latency);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_settled_at_once_is_settled_while_the_request_goes_on() {
    let seconds = Duration::from_secs;
    let steps = [("big", vec![Step::Slow(seconds(35))]), ("small", vec![Step::Slow(seconds(5))])];
    let world = world(vec![], steps);
    let held = async {
        tokio::time::sleep(seconds(10)).await;
        *world.kept.4.lock().unwrap() = seconds(3);
    };
    let (outcome, ()) = tokio::join!(world.ask(), held);
    assert_eq!(trail(&outcome), [("big", How::Timeout, None), ("small", How::Accepted, None)]);
    assert!(outcome.latency < seconds(37), "{:?}", outcome.latency);
    let set_aside = world.kept.2.lock().unwrap();
    assert_eq!(set_aside.iter().map(|one| (one.settled, one.closed)).collect::<Vec<_>>(), [(1, 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_panics_costs_what_was_set_aside() {
    let long = "a text that is long enough for a note of progress, which comes every twenty tokens or so, each of them four bytes";
    let world = world(vec![], [("big", vec![Step::Says(long)])]);
    let progress = |progress| assert!(!matches!(progress, Progress::Generating(..)), "broken progress");
    let outcome = world.gateway.complete(Ask { progress: Arc::new(progress), ..ask(CancellationToken::new()) }).await.0;
    assert_eq!(trail(&outcome), [("big", How::UpstreamError, None)]);
    assert_eq!((outcome.cost, outcome.attempts[0].usage_source), (NanoUsd(worst_case()), UsageSource::Unknown));
    assert!(world.all_settled());
}

#[tokio::test(start_paused = true)]
async fn what_is_not_sent_after_all_gives_its_money_and_its_tokens_back() {
    let mut policy = policy();
    policy.breaker.consecutive_timeouts = 1;
    let call = planned();
    let tokens = u32::try_from((call.prompt_tokens + call.max_output_tokens).0).ok();
    let limits = Limits { concurrency: Some(1), tokens_per_minute: tokens, ..Limits::default() };
    policy.models.get_mut("big").unwrap().limits = limits;
    let world = world_of(policy, [("big", vec![Step::Fails(Kind::UpstreamUnreachable)])]);
    // The second one waits for the place of the first one, whose end opens the breaker.
    let (first, second) = tokio::join!(world.ask(), world.ask());
    assert_eq!(trail(&first), [("big", How::Connect, None), ("small", How::Accepted, None)]);
    assert_eq!(trail(&second), [("big", How::Skipped, None), ("small", How::Accepted, None)]);
    let given_back = |one: &fixtures::SetAside| (one.settled, one.attempt.cost) == (1, NanoUsd::ZERO);
    assert!(world.kept.2.lock().unwrap().iter().all(given_back), "{:#?}", world.kept.2.lock().unwrap());
    // A minute has room for one call, and a quarter of it has passed.
    tokio::time::sleep(Duration::from_secs(16)).await;
    assert_eq!(trail(&world.ask().await), [("big", How::Accepted, None)]);
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_longer_than_a_request_may_take() {
    let world = world(vec![], []);
    world.ask().await;
    let set_aside = world.kept.2.lock().unwrap();
    let held = set_aside[0].lease_until.duration_since(set_aside[0].attempt.started_at);
    // 40 s are the request's own, and half a minute that its row is tried to be written again.
    assert!(held.as_secs() > 70, "{held}");
}

#[tokio::test(start_paused = true)]
async fn free_calls_set_nothing_aside() {
    let world = world(day(1), []);
    world.ask().await;
    assert!(world.kept.2.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn when_nothing_can_be_set_aside_no_budget_is_risked() {
    let world_with = |budgets| {
        let world = world(budgets, []);
        world.kept.3.store(true, Ordering::Relaxed);
        world
    };
    let held = world_with(day(1_000_000_000));
    let outcome = held.ask().await;
    assert_eq!(trail(&outcome), [("big", How::Skipped, Some(Limit::Storage)), ("small", How::Accepted, None)]);
    assert_eq!(
        outcome.attempts[0].failure.as_deref(),
        Some("No money could be set aside for big: The disk is full: nothing was saved.")
    );
    assert_eq!(trail(&world_with(vec![]).ask().await), [("big", How::Accepted, None)]);
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        Just(Step::Says("good")),
        Just(Step::Says("bad")),
        Just(Step::Cut("half")),
        Just(Step::Never),
        (0u64..20).prop_map(|seconds| Step::Busy(Duration::from_secs(seconds))),
        (0u64..60).prop_map(|seconds| Step::Slow(Duration::from_secs(seconds))),
        Just(Step::Fails(Kind::UpstreamUnreachable)),
        // Nobody knows what it used: it counts in full.
        Just(Step::Fails(Kind::UpstreamFailed)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn whatever_happens_no_limit_is_passed_and_nothing_stays_set_aside(
        big in prop::collection::vec(any_step(), 0..30),
        small in prop::collection::vec(any_step(), 0..10),
        // In thirds of a worst case, so that some fit in the room that others gave back.
        limits in prop::collection::vec(0i64..12, 3),
        callers in prop::collection::vec(prop::option::of(0u64..50_000), 1..12),
        rejects: bool,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let scopes = [Scope::All, Scope::Tool("smart_prioritize".into()), Scope::Model("big".into())];
        let when_spent = if rejects { WhenSpent::Reject } else { WhenSpent::FreeOnly };
        let third = worst_case() / 3;
        let budgets: Vec<Budget> = scopes.into_iter().zip(&limits).enumerate().map(|(n, (scope, limit))| {
            Budget { when_spent, ..budget(&n.to_string(), scope, limit * third + 1) }
        }).collect();
        let world = world(budgets, [("big", big), ("small", small)]);
        runtime.block_on(async {
            let requests = callers.iter().map(|patience| async {
                let patience = Duration::from_millis(patience.unwrap_or(u32::MAX.into()));
                let _ = tokio::time::timeout(patience, world.ask()).await;
            });
            futures_util::future::join_all(requests).await;
            world.gateway.drain(Duration::ZERO).await;
        });
        let kept = world.kept.0.lock().unwrap();
        let spent: NanoUsd = kept.iter().map(|outcome| outcome.cost).sum();
        let limit = limits.iter().min().map_or(0, |limit| limit * third + 1);
        prop_assert!(spent <= NanoUsd(limit), "{spent:?} of {limit}");
        prop_assert_eq!(kept.len(), callers.len());
        prop_assert!(world.all_settled(), "{:#?}", world.kept.2.lock().unwrap());
        // Each call that was sent to a model that costs something had its money set aside, as its row says.
        let rows = kept.iter().flat_map(|outcome| outcome.attempts.iter().map(move |row| (outcome.id, row)));
        let paid: Vec<_> = rows.filter(|(_, row)| row.reserved > NanoUsd::ZERO).collect();
        let set_aside = world.kept.2.lock().unwrap();
        for (request, row) in &paid {
            let of_row = |one: &&fixtures::SetAside| one.request == *request && one.attempt.n == row.n;
            prop_assert_eq!(set_aside.iter().filter(of_row).count(), 1);
            prop_assert!(row.cost <= row.reserved);
        }
        prop_assert_eq!(world.script.called().iter().filter(|name| *name == "big").count(), paid.len());
    }
}
