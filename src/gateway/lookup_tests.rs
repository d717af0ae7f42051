//! Answers that are kept and calls that are shared: who pays, who waits, and what happens when somebody leaves.

use std::time::Duration;

use super::*;
use crate::chat::NanoUsd;
use crate::error::Kind;
use crate::gateway::fixtures::{self, Step, World, ask, policy, text, trail, with_route, world};
use crate::gateway::parts::Beginning;
use crate::policy::Policy;
use crate::request::{
    Ask, AttemptKind as Why, AttemptResult as How, Completion, Outcome, Rejection, RejectionCode, Scope, Status, Target,
};

const SECOND: Duration = Duration::from_secs(1);

/// What one whole answer of `big` costs.
const PRICE: NanoUsd = NanoUsd(60_000);

/// Answers are kept for ten minutes.
fn cached(policy: Policy) -> Policy {
    with_route(policy, |route| route.cache_ttl = 600 * SECOND)
}

/// The hosted model first, and nobody after it.
fn hosted_alone() -> Policy {
    with_route(cached(policy()), |route| {
        route.thresholds = [("hosted".into(), 0.0)].into();
        route.fallback.downward = false;
    })
}

async fn ask_as(world: &World, cache: CacheMode) -> (Outcome, Completion) {
    world.gateway.complete(Ask { cache, ..ask(CancellationToken::new()) }).await
}

/// Asks so much later, and leaves when `patience` is over.
async fn visit(world: &World, later: Duration, patience: Duration) -> Option<(Outcome, Completion)> {
    tokio::time::sleep(later).await;
    tokio::time::timeout(patience, world.ask()).await.ok()
}

#[tokio::test(start_paused = true)]
async fn equal_questions_in_flight_are_one_call_and_a_later_one_is_none() {
    let world = world(cached(policy()), []);
    let (first, second) = tokio::join!(world.ask(), world.ask());
    assert_eq!((first.0.cache, second.0.cache), (CacheUse::Miss, CacheUse::Shared));
    let (third, completion) = world.ask().await;
    assert_eq!((third.status, third.cache, text(&completion)), (Status::Cached, CacheUse::Hit, "fine"));
    assert_eq!((third.cost, third.attempts.len()), (NanoUsd::ZERO, 0));
    assert_eq!(world.script.called(), ["small"]);
}

#[tokio::test(start_paused = true)]
async fn what_a_kept_or_shared_answer_had_cost_is_told_as_saved() {
    let world = world(hosted_alone(), []);
    let (first, second) = tokio::join!(world.ask(), world.ask());
    let third = world.ask().await.0;
    let sums = [&first.0, &second.0, &third].map(|outcome| (outcome.cost, outcome.saved));
    assert_eq!(sums, [(PRICE, NanoUsd::ZERO), (NanoUsd::ZERO, PRICE), (NanoUsd::ZERO, PRICE)]);
}

#[tokio::test(start_paused = true)]
async fn what_an_answer_had_cost_includes_the_answers_that_were_rejected_on_the_way() {
    let mut priced = cached(policy());
    let price = priced.models["big"].price;
    priced.models.get_mut("small").unwrap().price = price;
    let world = world(priced, [("small", vec![Step::Says("bad")])]);
    assert_eq!(world.ask().await.0.cost, NanoUsd(2 * PRICE.0));
    assert_eq!(world.ask().await.0.saved, NanoUsd(2 * PRICE.0));
}

#[tokio::test(start_paused = true)]
async fn no_cache_reads_nothing_and_keeps_and_no_store_does_neither() {
    let says = |texts: [&'static str; 3]| vec![("small", texts.map(Step::Says).to_vec())].try_into().unwrap();
    let steps: [(&str, Vec<Step>); 1] = says(["one", "two", "three"]);
    let world = world(cached(policy()), steps);
    let mut heard = Vec::new();
    for mode in [CacheMode::Use, CacheMode::NoStore, CacheMode::Use, CacheMode::NoCache, CacheMode::Use] {
        let (outcome, completion) = ask_as(&world, mode).await;
        heard.push((text(&completion).to_owned(), outcome.cache));
    }
    let heard: Vec<_> = heard.iter().map(|(text, cache)| (text.as_str(), *cache)).collect();
    let (miss, hit, bypass) = (CacheUse::Miss, CacheUse::Hit, CacheUse::Bypass);
    assert_eq!(heard, [("one", miss), ("two", bypass), ("one", hit), ("three", bypass), ("three", hit)]);
}

#[tokio::test(start_paused = true)]
async fn a_kept_answer_that_is_wrong_by_now_is_asked_for_once_more_by_all_who_ask() {
    let world = world(cached(policy()), [("small", vec![Step::Says("was right"), Step::Says("is right")])]);
    assert_eq!(world.ask().await.0.status, Status::Ok);
    let changed = || {
        let check = Arc::new(|reply: &crate::chat::Reply| match reply.text.as_str() {
            "was right" => Verdict::Rejected(Rejection::new(RejectionCode::ClosedTask, "The task is done.")),
            _ => Verdict::Accepted,
        });
        world.gateway.complete(Ask { check: Some(check), ..ask(CancellationToken::new()) })
    };
    let (first, second) = tokio::join!(changed(), changed());
    assert_eq!((first.0.cache, second.0.cache), (CacheUse::Miss, CacheUse::Shared));
    assert_eq!((text(&first.1), text(&second.1)), ("is right", "is right"));
    assert_eq!(world.kept.0.lock().unwrap().len(), 3, "one outcome a request");
    assert_eq!(text(&world.ask().await.1), "is right", "the new answer took the old one's place");
}

#[tokio::test(start_paused = true)]
async fn a_rejected_or_half_answer_is_never_kept() {
    let bad = || vec![Step::Says("bad"), Step::Says("bad")];
    let world = world(cached(policy()), [("small", bad()), ("big", bad())]);
    assert_eq!(world.ask().await.0.status, Status::Degraded);
    assert_eq!(world.ask().await.0.cache, CacheUse::Miss);
    let cut = self::world(hosted_alone(), [("big", vec![Step::Cut("half")])]);
    assert_eq!(cut.ask().await.0.status, Status::Partial);
    assert_eq!(cut.ask().await.0.cache, CacheUse::Miss);
    let long = self::world(cached(policy()), [("small", vec![Step::Long("as far as it may")])]);
    assert_eq!(long.ask().await.0.status, Status::Ok, "its check lets it pass");
    assert_eq!(long.ask().await.0.cache, CacheUse::Miss);
}

/// What answers, and for how long that is given to those who ask later.
#[tokio::test(start_paused = true)]
async fn an_answer_that_stands_in_for_anothers_is_kept_for_a_moment_only() {
    let hosted_first = || with_route(cached(policy()), |route| route.thresholds = [("hosted".into(), 0.0)].into());
    let small_has_no_room = || {
        let mut policy = cached(policy());
        policy.models.get_mut("small").unwrap().spec.context = crate::chat::Tokens(1);
        policy
    };
    let fails = || vec![Step::Fails(Kind::UpstreamFailed)];
    let (open, whole) = (policy().breaker.open, 600 * SECOND);
    let cases = [
        ("of its own", cached(policy()), ("small", vec![]), "small", whole),
        ("after a rejection", cached(policy()), ("small", vec![Step::Says("bad")]), "big", whole),
        (
            "after a second try",
            cached(policy()),
            ("small", vec![Step::Fails(Kind::UpstreamUnreachable)]),
            "small",
            whole,
        ),
        ("a question too long", small_has_no_room(), ("small", vec![]), "big", whole),
        ("up, after a failure", cached(policy()), ("small", fails()), "big", open),
        ("down, after a failure", hosted_first(), ("big", fails()), "small", open),
    ];
    for (what, policy, steps, model, ttl) in cases {
        let world = world(policy, [steps]);
        let asked = ask(CancellationToken::new());
        let render: crate::request::Render = Arc::new(move |spec, rejections| match spec.context.0 {
            1 => Err(crate::request::TooLong { needed: crate::chat::Tokens(2), room: spec.context }),
            _ => (asked.render)(spec, rejections),
        });
        let asked = Ask { render, ..ask(CancellationToken::new()) };
        let key = kept_by(&world, asked).await;
        let expected = Some((model.to_owned(), ttl));
        assert_eq!(key, expected, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn so_is_one_that_is_given_while_the_other_is_left_alone() {
    let mut policy = cached(policy());
    policy.breaker.consecutive_timeouts = 1;
    policy.retry.max_per_model = 1;
    let world = world(policy, [("small", vec![Step::Fails(Kind::UpstreamUnreachable)])]);
    let other = Ask { cache: CacheMode::NoStore, ..ask(CancellationToken::new()) };
    assert_eq!(trail(&world.gateway.complete(other).await.0).len(), 2);
    let (open, kept) = (self::policy().breaker.open, kept_by(&world, ask(CancellationToken::new())).await);
    assert_eq!(kept, Some(("big".to_owned(), open)));
    assert_eq!(world.script.called(), ["small", "big", "big"], "small was left alone");
}

/// Who answered, and how long that is kept.
async fn kept_by(world: &World, ask: Ask) -> Option<(String, Duration)> {
    let asked =
        Ask { signals: ask.signals.clone(), render: ask.render.clone(), ..fixtures::ask(CancellationToken::new()) };
    assert_eq!(world.gateway.complete(ask).await.0.status, Status::Ok);
    let (snapshot, beginning) = (world.gateway.0.snapshot(), Beginning::now());
    let decision = world.gateway.explain(&asked.signals);
    let at = (CancellationToken::new(), beginning);
    let run = Run::new(&world.gateway.0, (&snapshot, &snapshot.policy.routes[0]), &asked, &decision, at);
    match snapshot.answers.look(run.key()).await {
        Found::Kept(answer) => Some((answer.model.to_string(), answer.ttl)),
        Found::InFlight(_) | Found::Nothing(_) => None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_goes_on_for_those_who_wait_when_its_own_caller_leaves() {
    let world = world(hosted_alone(), [("big", vec![Step::Slow(10 * SECOND)])]);
    let (first, second) = tokio::join!(visit(&world, Duration::ZERO, 2 * SECOND), visit(&world, SECOND, 60 * SECOND));
    assert!(first.is_none());
    let (second, completion) = second.unwrap();
    assert_eq!((second.status, second.cache, text(&completion)), (Status::Cached, CacheUse::Shared, "fine"));
    assert_eq!(world.script.called(), ["big"]);
    world.gateway.drain(SECOND).await;
    let kept = world.kept.0.lock().unwrap();
    let first = kept.iter().find(|outcome| outcome.id != second.id).unwrap();
    assert_eq!((kept.len(), first.status, first.cache), (2, Status::Ok, CacheUse::Miss));
    assert_eq!((first.cost, first.wasted, second.cost, second.saved), (PRICE, NanoUsd::ZERO, NanoUsd::ZERO, PRICE));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_nobody_waits_for_any_more_is_stopped() {
    let world = world(hosted_alone(), [("big", vec![Step::Slow(10 * SECOND)])]);
    let early = |later| visit(&world, later, 3 * SECOND);
    let (first, second) = tokio::join!(early(Duration::ZERO), early(SECOND));
    assert!(first.is_none() && second.is_none());
    world.gateway.drain(SECOND).await;
    let kept = world.kept.0.lock().unwrap();
    assert_eq!(kept.iter().map(|outcome| outcome.status).collect::<Vec<_>>(), [Status::Cancelled; 2]);
    let calls: Vec<_> = kept.iter().flat_map(trail).collect();
    assert_eq!(calls, [("big", Why::First, How::Cancelled)]);
    assert!(kept.iter().all(|outcome| outcome.latency < 5 * SECOND), "{kept:?}");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_alone_is_stopped_when_its_caller_leaves() {
    let world = world(hosted_alone(), [("big", vec![Step::Slow(10 * SECOND)])]);
    assert!(visit(&world, Duration::ZERO, SECOND).await.is_none());
    world.gateway.drain(SECOND).await;
    let kept = world.kept.0.lock().unwrap();
    assert_eq!((kept[0].status, trail(&kept[0])), (Status::Cancelled, vec![("big", Why::First, How::Cancelled)]));
    assert!(kept[0].latency < 2 * SECOND, "{kept:?}");
}

/// Eight who ask the same, as the calls go: one pays, and all are told what it is told.
#[tokio::test(start_paused = true)]
async fn those_who_waited_share_an_end_without_an_answer() {
    let all = |step: Step| vec![step; 20];
    let once = || with_route(cached(policy()), |route| route.envelope.max_attempts = 1);
    let fails = || Step::Fails(Kind::UpstreamFailed);
    let cases = [
        ("all failed", cached(policy()), fails(), vec!["small", "big"], Status::Degraded, ""),
        ("rejected by all", cached(policy()), Step::Says("bad"), vec!["small", "big"], Status::Degraded, ""),
        ("no more attempts", once(), Step::Says("bad"), vec!["small"], Status::Degraded, ""),
        ("cut", hosted_alone(), Step::Cut("half"), vec!["big"], Status::Partial, "half"),
    ];
    for (what, policy, step, calls, status, shown) in cases {
        let world = world(policy, [("small", all(step.clone())), ("big", all(step))]);
        let ended = futures_util::future::join_all((0..8).map(|_| world.ask())).await;
        assert_eq!(world.script.called(), calls, "{what}");
        let (first, others) = ended.split_first().unwrap();
        assert_eq!((first.0.cache, first.0.status, text(&first.1)), (CacheUse::Miss, status, shown), "{what}");
        let told = |outcome: &Outcome| outcome.error().map(|error| (error.kind, error.message));
        for (outcome, completion) in others {
            let row = (outcome.cache, outcome.status, outcome.attempts.len(), outcome.cost, outcome.saved);
            assert_eq!(row, (CacheUse::Shared, status, 0, NanoUsd::ZERO, NanoUsd::ZERO), "{what}");
            assert_eq!((text(completion), told(outcome)), (shown, told(&first.0)), "{what}");
            assert_eq!(outcome.tried(), first.0.attempts, "{what}");
        }
        assert_eq!(world.kept.0.lock().unwrap().len(), 8, "one row each");
        assert_eq!(world.ask().await.0.cache, CacheUse::Miss, "{what}: whoever comes later asks anew");
    }
}

/// Not good enough to be kept, and what its own caller was given.
#[tokio::test(start_paused = true)]
async fn those_who_waited_share_an_answer_that_is_not_kept() {
    let chat = || Ask { signals: crate::gateway::fixtures::chat_signals(100), ..ask(CancellationToken::new()) };
    let cases = [("long", Step::Long("as far as it may")), ("rejected, and only recorded", Step::Says("bad"))];
    for (what, step) in cases {
        let world = world(cached(policy()), [("small", vec![step; 20])]);
        let ended = futures_util::future::join_all((0..4).map(|_| world.gateway.complete(chat()))).await;
        let uses: Vec<_> = ended.iter().map(|(outcome, _)| outcome.cache).collect();
        assert_eq!(uses, [CacheUse::Miss, CacheUse::Shared, CacheUse::Shared, CacheUse::Shared], "{what}");
        assert!(ended.iter().all(|(_, completion)| text(completion) == text(&ended[0].1)), "{what}");
        assert_eq!(world.gateway.complete(chat()).await.0.cache, CacheUse::Miss, "{what}");
        assert_eq!(world.script.called().len(), 2, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_of_the_leads_own_is_not_shared() {
    // Its time is over; whoever came later has some left.
    let never = || vec![Step::Never; 20];
    let stalled = world(cached(policy()), [("small", never()), ("big", never())]);
    let (_, second) = tokio::join!(stalled.ask(), visit(&stalled, 10 * SECOND, 90 * SECOND));
    assert!(!second.unwrap().0.attempts.is_empty());
    assert_eq!(stalled.script.most_at_once(), 1);
    // Nothing was sent for it.
    let held = Policy { budgets: vec![fixtures::budget("day", Scope::All, 1_000_000_000)], ..hosted_alone() };
    let held = world(held, []);
    held.kept.3.store(true, std::sync::atomic::Ordering::Relaxed);
    let (first, second) = tokio::join!(held.ask(), held.ask());
    for outcome in [first.0, second.0] {
        assert_eq!((outcome.cache, trail(&outcome)), (CacheUse::Miss, vec![("big", Why::First, How::Skipped)]));
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_leads_after_a_stall_has_its_own_time_and_no_more() {
    let world = world(hosted_alone(), [("big", vec![Step::Never, Step::Never])]);
    let (first, second) =
        tokio::join!(visit(&world, Duration::ZERO, 90 * SECOND), visit(&world, 5 * SECOND, 90 * SECOND));
    let latencies = [first.unwrap().0.latency, second.unwrap().0.latency];
    assert!(latencies.iter().all(|latency| *latency <= 41 * SECOND), "{latencies:?}");
    assert_eq!(world.script.most_at_once(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_another_gives_up_when_its_own_time_is_over() {
    let world = world(hosted_alone(), [("big", vec![Step::Slow(25 * SECOND)])]);
    let hurried = async {
        tokio::time::sleep(SECOND).await;
        let policy = with_route(hosted_alone(), |route| route.envelope.deadline = 10 * SECOND);
        world.gateway.follow(Arc::new(policy));
        world.ask().await.0
    };
    let ((first, _), second) = tokio::join!(world.ask(), hurried);
    assert_eq!((first.status, second.status, second.attempts.len()), (Status::Ok, Status::Degraded, 0));
    assert!(second.latency < 11 * SECOND, "{:?}", second.latency);
    let why = "An equal request that was in flight did not answer in time.";
    assert_eq!(second.failure.as_deref(), Some(why));
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_kept_for_one_caller_one_tool_one_wording_one_question_and_one_policy() {
    let world = world(cached(policy()), []);
    let others: [fn(&mut Ask); 5] = [
        |_| {},
        |ask| ask.caller.name = "another".to_owned(),
        |ask| ask.signals.target = Target::Tool("plan_sprint".into()),
        |ask| ask.signals.prompt_version = "2".to_owned(),
        |ask| {
            let render = ask.render.clone();
            ask.render = Arc::new(move |spec, rejections| {
                render(spec, rejections).map(|request| crate::chat::ChatRequest { temperature: Some(0.1), ..request })
            });
        },
    ];
    for change in others {
        let mut other = ask(CancellationToken::new());
        change(&mut other);
        assert_eq!(world.gateway.complete(other).await.0.cache, CacheUse::Miss);
    }
    assert_eq!(world.ask().await.0.cache, CacheUse::Hit);
    world.gateway.follow(Arc::new(Policy { hash: "another".into(), ..cached(policy()) }));
    assert_eq!(world.ask().await.0.cache, CacheUse::Miss, "another policy may mean another model by the same name");
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_the_one_who_leads_leaves_nobody_waiting() {
    let world = world(hosted_alone(), [("big", vec![Step::Slow(SECOND)])]);
    let broken = Ask { check: Some(Arc::new(|_| panic!("broken check"))), ..ask(CancellationToken::new()) };
    let (first, second) =
        tokio::join!(async { world.gateway.complete(broken).await.0 }, visit(&world, SECOND / 10, 60 * SECOND));
    assert_eq!((first.status, second.unwrap().0.status), (Status::Degraded, Status::Ok));
    assert_eq!(world.script.called().len(), 2);
}
