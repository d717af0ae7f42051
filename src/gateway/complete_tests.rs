//! Whole requests against an upstream that does as it is told, in paused time: who is called, what is paid, how it ends.

use std::sync::Mutex;

use super::*;
use crate::chat::NanoUsd;
use crate::error::Kind;
use crate::gateway::fixtures::{REPORTED, Step, ask, policy, text, trail, with_route, world};
use crate::request::{AttemptKind as Why, AttemptResult as How, Limit};

#[tokio::test(start_paused = true)]
async fn an_accepted_local_answer_costs_nothing_and_calls_nobody_else() {
    let world = world(policy(), [("small", vec![Step::Says("good")])]);
    let (outcome, completion) = world.ask().await;
    assert_eq!((outcome.status, text(&completion)), (Status::Ok, "good"));
    assert_eq!(trail(&outcome), [("small", Why::First, How::Accepted)]);
    assert_eq!((outcome.cost, outcome.wasted, outcome.usage), (NanoUsd::ZERO, NanoUsd::ZERO, REPORTED));
    // 10 tokens in at 1,000 nano-dollars and 5 out at 10,000: what the hosted model would have taken.
    assert_eq!(outcome.counterfactual, Some(NanoUsd(60_000)));
    assert_eq!(world.kept.0.lock().unwrap().as_slice(), [outcome]);
}

#[tokio::test(start_paused = true)]
async fn a_rejected_answer_escalates_and_the_next_model_is_told_why() {
    let world = world(policy(), [("small", vec![Step::Says("bad")]), ("big", vec![Step::Says("good")])]);
    let (outcome, completion) = world.ask().await;
    assert_eq!((outcome.status, text(&completion)), (Status::Ok, "good"));
    assert_eq!(trail(&outcome), [("small", Why::First, How::Rejected), ("big", Why::Escalation, How::Accepted)]);
    assert_eq!((outcome.cost, outcome.wasted), (NanoUsd(60_000), NanoUsd::ZERO));
    let calls = world.script.calls.lock().unwrap();
    assert!(calls[1].1.messages[0].content.contains("The answer was bad."));
    assert!(!calls[0].1.messages[0].content.contains("The answer was bad."));
}

#[tokio::test(start_paused = true)]
async fn a_failing_hosted_model_falls_back_to_the_local_one() {
    let hosted_first = with_route(policy(), |route| route.thresholds = [("hosted".into(), 0.0)].into());
    let world = world(hosted_first, [("big", vec![Step::Fails(Kind::UpstreamFailed)])]);
    let (outcome, _) = world.ask().await;
    assert_eq!(outcome.status, Status::Ok);
    assert_eq!(trail(&outcome), [("big", Why::First, How::UpstreamError), ("small", Why::Fallback, How::Accepted)]);
    assert_eq!(outcome.failure, None, "it got an answer; what failed stands in the attempt's row");
}

#[tokio::test(start_paused = true)]
async fn rejections_all_the_way_up_end_degraded_and_count_as_wasted() {
    let world = world(policy(), [("small", vec![Step::Says("bad")]), ("big", vec![Step::Says("bad")])]);
    let (outcome, completion) = world.ask().await;
    assert_eq!((outcome.status, completion), (Status::Degraded, Completion::None));
    assert_eq!((outcome.cost, outcome.wasted), (NanoUsd(60_000), NanoUsd(60_000)));
    assert_eq!(outcome.failure.as_deref(), Some("The answer was bad."));
}

#[tokio::test(start_paused = true)]
async fn a_busy_model_is_asked_again_after_the_wait_it_asked_for() {
    let world = world(policy(), [("small", vec![Step::Busy(Duration::from_secs(3))])]);
    let (outcome, _) = world.ask().await;
    assert_eq!(trail(&outcome), [("small", Why::First, How::RateLimited), ("small", Why::Retry, How::Accepted)]);
    assert!(outcome.latency >= Duration::from_secs(3), "{:?}", outcome.latency);
}

#[tokio::test(start_paused = true)]
async fn second_tries_are_bounded_over_all_requests_and_first_ones_are_not() {
    let mut policy = with_route(policy(), |route| route.fallback.upward = false);
    policy.retry.budget = 0.0;
    policy.retry.budget_floor_per_minute = 1;
    let busy = || Step::Busy(Duration::from_secs(1));
    let world = world(policy, [("small", vec![busy(), busy(), busy(), busy(), busy()])]);
    let (first, again) = (("small", Why::First, How::RateLimited), ("small", Why::Retry, How::RateLimited));
    assert_eq!(trail(&world.ask().await.0), [first, again], "the floor allows one");
    let refused = world.ask().await.0;
    assert_eq!(trail(&refused), [first, ("small", Why::Retry, How::Skipped)], "and no more in this minute");
    assert_eq!(refused.attempts[1].kept_back, Some(Limit::Retries), "the row says why");
    assert_eq!(refused.failure.as_deref(), Some("busy."), "what went wrong is not that it was not tried again");
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(trail(&world.ask().await.0), [first, again]);
}

#[tokio::test(start_paused = true)]
async fn a_stall_leaves_time_for_the_next_model_and_the_deadline_holds() {
    let world = world(policy(), [("small", vec![Step::Never]), ("big", vec![Step::Never])]);
    let (outcome, _) = world.ask().await;
    assert_eq!(trail(&outcome), [("small", Why::First, How::Timeout), ("big", Why::Fallback, How::Timeout)]);
    assert_eq!(outcome.status, Status::Degraded);
    assert!(outcome.latency <= Duration::from_secs(41), "{:?}", outcome.latency);
}

#[tokio::test(start_paused = true)]
async fn a_cut_stream_goes_on_and_what_it_said_is_kept_if_nobody_answers() {
    let cut = || vec![Step::Cut("half an ans")];
    let answered = world(policy(), [("small", cut())]);
    assert_eq!(answered.ask().await.0.status, Status::Ok);
    let nobody = world(policy(), [("small", cut()), ("big", vec![Step::Fails(Kind::UpstreamAuth)])]);
    let (outcome, completion) = nobody.ask().await;
    assert_eq!((outcome.status, text(&completion)), (Status::Partial, "half an ans"));
    assert_eq!(outcome.attempts[0].usage_source, crate::chat::UsageSource::Estimated);
    let secret = vec![Step::Cut("a secret half")];
    let unfit = world(policy(), [("small", secret), ("big", vec![Step::Fails(Kind::UpstreamAuth)])]);
    let (outcome, completion) = unfit.ask().await;
    assert_eq!((outcome.status, completion), (Status::Degraded, Completion::None), "nothing of it may be shown");
}

#[tokio::test(start_paused = true)]
async fn a_cut_stream_never_costs_more_than_was_set_aside() {
    // As long as its allowance of 100 tokens may be, and longer than an estimate that counts high takes it for.
    let words: &'static str = "acknowledgements ".repeat(50).leak();
    let hosted_first = with_route(policy(), |route| route.thresholds = [("hosted".into(), 0.0)].into());
    let world = world(hosted_first, [("big", vec![Step::Cut(words)])]);
    let cut = &world.ask().await.0.attempts[0];
    assert_eq!(cut.usage.output, crate::chat::Tokens(100));
    assert!(cut.cost <= cut.reserved, "{} > {}", cut.cost, cut.reserved);
}

#[tokio::test(start_paused = true)]
async fn a_filtered_answer_is_refused_and_its_row_says_so() {
    let world = world(policy(), [("small", vec![Step::Filtered("I would")])]);
    let (outcome, _) = world.ask().await;
    assert_eq!(trail(&outcome), [("small", Why::First, How::Refused), ("big", Why::Fallback, How::Accepted)]);
    assert_eq!(outcome.attempts[0].failure.as_deref(), Some("small refused to answer (content filter)."));
    assert_eq!(outcome.attempts[0].usage, REPORTED);
}

#[tokio::test(start_paused = true)]
async fn money_keeps_a_dear_model_out_but_not_a_free_one() {
    let poor = with_route(policy(), |route| {
        route.thresholds = [("hosted".into(), 0.0)].into();
        route.envelope.max_cost = NanoUsd(1_000);
    });
    let world = world(poor, []);
    let (outcome, _) = world.ask().await;
    assert_eq!(trail(&outcome), [("big", Why::First, How::Skipped), ("small", Why::Fallback, How::Accepted)]);
    assert_eq!(world.script.called(), ["small"]);
}

#[tokio::test(start_paused = true)]
async fn what_a_rejected_answer_cost_is_missing_from_what_the_next_one_may() {
    let mut dear = policy();
    let price = dear.models["big"].price;
    dear.models.get_mut("small").unwrap().price = price;
    // One call could cost 1.02 million nano-dollars, so the second fits only if the first had been free; it cost 60,000.
    dear.routes[0].envelope.max_cost = NanoUsd(1_050_000);
    let world = world(dear, [("small", vec![Step::Says("bad")])]);
    let (outcome, _) = world.ask().await;
    assert_eq!(trail(&outcome), [("small", Why::First, How::Rejected), ("big", Why::Escalation, How::Skipped)]);
    assert_eq!((outcome.cost, outcome.wasted), (NanoUsd(60_000), NanoUsd(60_000)));
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_goes_away_still_leaves_one_outcome() {
    let world = world(policy(), [("small", vec![Step::Never])]);
    let dropped = tokio::time::timeout(Duration::from_secs(1), world.ask()).await;
    assert!(dropped.is_err());
    world.gateway.drain(Duration::from_secs(1)).await;
    let kept = world.kept.0.lock().unwrap();
    assert_eq!(kept.iter().map(|outcome| outcome.status).collect::<Vec<_>>(), [Status::Cancelled]);
    assert_eq!(trail(&kept[0]), [("small", Why::First, How::Cancelled)]);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_token_ends_it_at_once() {
    let world = world(policy(), [("small", vec![Step::Never])]);
    let cancel = CancellationToken::new();
    let (outcome, ()) = tokio::join!(async { world.gateway.complete(ask(cancel.clone())).await.0 }, async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        cancel.cancel();
    });
    assert_eq!(outcome.status, Status::Cancelled);
    assert!(outcome.latency < Duration::from_secs(3), "{:?}", outcome.latency);
    assert_eq!(world.script.called(), ["small"], "nobody else is asked for a caller who is gone");
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_goes_away_between_two_tries_pays_for_no_further_one() {
    let hosted_first = with_route(policy(), |route| route.thresholds = [("hosted".into(), 0.0)].into());
    let world = world(hosted_first, [("big", vec![Step::Busy(Duration::from_secs(10))])]);
    let _ = tokio::time::timeout(Duration::from_secs(1), world.ask()).await;
    world.gateway.drain(Duration::ZERO).await;
    let kept = world.kept.0.lock().unwrap();
    assert_eq!(trail(&kept[0]), [("big", Why::First, How::RateLimited)]);
    assert_eq!((kept[0].status, kept[0].cost), (Status::Cancelled, NanoUsd::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_goes_away_waits_for_no_place() {
    let mut narrow = policy();
    narrow.models.get_mut("small").unwrap().limits.concurrency = Some(1);
    let world = world(narrow, [("small", vec![Step::Slow(Duration::from_secs(15))])]);
    let first = world.ask();
    let second = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let cancel = CancellationToken::new();
        let give_up = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            cancel.cancel();
        };
        tokio::join!(world.gateway.complete(ask(cancel.clone())), give_up).0
    };
    let (_, (second, _)) = tokio::join!(first, second);
    assert_eq!((second.status, second.attempts.len()), (Status::Cancelled, 0));
    assert!(second.latency < Duration::from_secs(2), "{:?}", second.latency);
}

#[tokio::test(start_paused = true)]
async fn draining_cancels_what_takes_too_long_and_lets_it_settle() {
    let world = world(policy(), [("small", vec![Step::Never])]);
    let gateway = world.gateway.clone();
    let waiting = tokio::spawn(async move { gateway.complete(ask(CancellationToken::new())).await });
    tokio::time::sleep(Duration::from_millis(10)).await;
    world.gateway.drain(Duration::from_secs(1)).await;
    assert_eq!(waiting.await.unwrap().0.status, Status::Cancelled);
    assert_eq!(world.kept.0.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_check_settles_with_what_it_cost() {
    let hosted_first = with_route(policy(), |route| route.thresholds = [("hosted".into(), 0.0)].into());
    let world = world(hosted_first, []);
    let broken = Ask { check: Some(Arc::new(|_| panic!("broken check"))), ..ask(CancellationToken::new()) };
    let (outcome, _) = world.gateway.complete(broken).await;
    assert_eq!((outcome.status, outcome.cost, outcome.wasted), (Status::Degraded, NanoUsd(60_000), NanoUsd(60_000)));
    assert_eq!(outcome.failure.as_deref(), Some("An internal error stopped this request."));
}

#[tokio::test(start_paused = true)]
async fn a_panic_over_half_an_answer_keeps_the_row_of_what_it_cost() {
    let hosted_first = with_route(policy(), |route| route.thresholds = [("hosted".into(), 0.0)].into());
    let world = world(hosted_first, [("big", vec![Step::Cut("half an ans")])]);
    let broken = Ask { salvage: Arc::new(|_| panic!("broken salvage")), ..ask(CancellationToken::new()) };
    let (outcome, _) = world.gateway.complete(broken).await;
    assert_eq!(trail(&outcome), [("big", Why::First, How::Cut)]);
    assert!(outcome.cost > NanoUsd::ZERO && outcome.wasted == outcome.cost, "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn logic_leaves_an_outcome_too() {
    let world = world(policy(), []);
    let signals = ask(CancellationToken::new()).signals;
    let outcome = world.gateway.note(signals, Status::Ok, std::time::Instant::now()).await;
    assert!(outcome.decision.tier.is_none() && outcome.decision.complexity.contributions.is_empty(), "none was wanted");
    assert_eq!(outcome.decision.route.as_str(), "all");
    assert_eq!(world.kept.0.lock().unwrap().as_slice(), [outcome]);
}

#[tokio::test(start_paused = true)]
async fn progress_tells_the_story() {
    let world = world(policy(), [("small", vec![Step::Says("bad")])]);
    let lines = Arc::new(Mutex::new(Vec::new()));
    let heard = lines.clone();
    let progress = Arc::new(move |progress: crate::request::Progress| heard.lock().unwrap().push(progress.to_string()));
    world.gateway.complete(Ask { progress, ..ask(CancellationToken::new()) }).await;
    let lines = lines.lock().unwrap();
    assert_eq!(*lines, ["Asking small…", "The answer was bad; asking big…", "Asking big…"]);
}
