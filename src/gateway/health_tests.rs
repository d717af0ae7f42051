//! What breakers do to whole requests, in paused time: who is asked, who is left alone, who finds out.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tokio_util::sync::CancellationToken;

use crate::error::Kind;
use crate::gateway::Gateway;
use crate::gateway::fixtures::{Kept, Script, Step, ask, policy, with_route};
use crate::health::{Admission, Evidence};
use crate::policy::Policy;
use crate::request::{
    Ask, AttemptKind as Why, AttemptResult as How, CacheMode, CacheUse, Completion, Exclusion, Outcome, Status,
};
use crate::telemetry::Metrics;

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const FULL_TIME: Duration = Duration::from_secs(15);

struct World {
    gateway: Gateway,
    script: Arc<Script>,
    kept: Arc<Kept>,
    metrics: Metrics,
}

fn world<const N: usize>(policy: Policy, steps: [(&str, Vec<Step>); N]) -> World {
    let (script, kept, metrics) = (Script::new(steps), Arc::new(Kept::default()), Metrics::for_tests());
    let (upstream, ledger) = (Box::new(script.clone()), Box::new(kept.clone()));
    let gateway = Gateway::with_parts(Arc::new(policy), upstream, ledger, metrics.clone());
    World { gateway, script, kept, metrics }
}

impl World {
    async fn ask(&self) -> Outcome {
        self.gateway.complete(ask(CancellationToken::new())).await.0
    }

    fn gauge(&self, model: &str) -> String {
        let text = self.metrics.render();
        let name = format!("taskgate_breaker_state{{model=\"{model}\"}} ");
        text.lines().find_map(|line| line.strip_prefix(&name)).unwrap_or("none").to_owned()
    }

    fn out(&self) -> Vec<String> {
        self.gateway.0.snapshot().view().unwell.into_keys().map(String::from).collect()
    }

    fn heard(&self, model: &str, evidence: Evidence) {
        self.gateway.0.snapshot().board.heard(&model.into(), Admission::Yes, evidence, now());
        self.gateway.show_health();
    }

    /// As if two calls had met silence.
    fn open(&self, model: &str) {
        for _ in 0..2 {
            self.heard(model, Evidence::TimedOut);
        }
    }
}

fn trail(outcome: &Outcome) -> Vec<(&str, Why, How)> {
    outcome.attempts.iter().map(|attempt| (attempt.model.as_str(), attempt.kind, attempt.result)).collect()
}

fn refused() -> Step {
    Step::Fails(Kind::UpstreamUnreachable)
}

const HOSTED_AT_ONCE: [(&str, Why, How); 1] = [("big", Why::First, How::Accepted)];
const LOCAL_AGAIN: [(&str, Why, How); 1] = [("small", Why::First, How::Accepted)];

#[tokio::test(start_paused = true)]
async fn a_dead_local_model_is_left_alone_and_then_found_to_be_well_by_one_call() {
    let world = world(policy(), [("small", vec![refused(), refused(), refused()])]);
    assert_eq!(world.gauge("small"), "0", "told from the start");
    let first = world.ask().await;
    let down = [("small", Why::First, How::Connect), ("small", Why::Retry, How::Connect)];
    assert_eq!(trail(&first), [down[0], down[1], ("big", Why::Fallback, How::Accepted)]);
    assert_eq!(world.gauge("small"), "2");

    let second = world.ask().await;
    assert_eq!(trail(&second), HOSTED_AT_ONCE);
    assert!(second.latency < SECOND, "{:?}", second.latency);
    let small = second.decision.candidates.iter().find(|candidate| candidate.model.as_str() == "small").unwrap();
    assert_eq!(small.excluded, Some(Exclusion::Unreachable));

    tokio::time::sleep(FULL_TIME).await;
    let probe = world.ask().await;
    assert_eq!(trail(&probe), [down[0], ("big", Why::Fallback, How::Accepted)], "one call, not two");
    assert_eq!(trail(&world.ask().await), HOSTED_AT_ONCE);
    tokio::time::sleep(FULL_TIME).await;
    assert_eq!(trail(&world.ask().await), LOCAL_AGAIN);
    assert_eq!(trail(&world.ask().await), LOCAL_AGAIN);
    assert_eq!(world.gauge("small"), "0");
    let turns: Vec<bool> = world.kept.1.lock().unwrap().iter().map(|(_, until)| until.is_some()).collect();
    assert_eq!(turns, [true, true, false], "written down when it opens or closes, and at no other time");
}

#[tokio::test(start_paused = true)]
async fn an_opening_that_could_not_be_written_down_is_with_the_next_request() {
    let world = world(policy(), [("small", vec![refused(), refused()])]);
    world.kept.3.store(true, Relaxed);
    world.ask().await;
    assert!(world.out() == ["small"] && world.kept.1.lock().unwrap().is_empty());
    world.kept.3.store(false, Relaxed);
    assert_eq!(trail(&world.ask().await), HOSTED_AT_ONCE);
    let turns = world.kept.1.lock().unwrap().clone();
    assert!(matches!(turns.as_slice(), [(model, Some(_))] if model.as_str() == "small"), "{turns:?}");
    world.gateway.keep_turns().await;
    assert_eq!(world.kept.1.lock().unwrap().len(), 1, "written once");
}

#[tokio::test(start_paused = true)]
async fn two_silences_an_hour_apart_are_two_in_a_row() {
    let world = world(policy(), [("small", vec![Step::Never, Step::Never])]);
    world.ask().await;
    assert!(world.out().is_empty());
    tokio::time::sleep(3_600 * SECOND).await;
    world.ask().await;
    assert_eq!(world.out(), ["small"]);
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_no_request_has_the_time_for_is_kept_for_the_next_ones() {
    let small = vec![Step::Busy(60 * SECOND), Step::Says("good")];
    let world = world(policy(), [("small", small), ("big", vec![Step::Says("good"); 4])]);
    for _ in 0..3 {
        assert_eq!(world.ask().await.model, Some("big".into()));
    }
    assert_eq!(world.script.called(), ["small", "big", "big", "big"], "asked once for all three");
    let outcome = world.ask().await;
    let small = outcome.decision.candidates.iter().find(|candidate| candidate.model.as_str() == "small").unwrap();
    assert_eq!(small.excluded, Some(Exclusion::Busy));
    assert!(outcome.decision.reasons.iter().any(|reason| reason.code == "busy"), "{:?}", outcome.decision.reasons);
    tokio::time::sleep(60 * SECOND).await;
    assert_eq!(world.ask().await.model, Some("small".into()));
}

#[tokio::test(start_paused = true)]
async fn answers_that_are_not_good_enough_are_answers() {
    let bad = || vec![Step::Says("bad"); 20];
    let world = world(policy(), [("small", bad()), ("big", bad())]);
    for _ in 0..20 {
        assert_eq!(world.ask().await.status, Status::Degraded);
    }
    assert!(world.out().is_empty());
    assert_eq!(world.script.called().len(), 40);
}

#[tokio::test(start_paused = true)]
async fn limits_and_the_callers_own_faults_are_no_illness() {
    let busy = vec![Step::Busy(SECOND); 12];
    let faults = [Kind::ContentRefused, Kind::ContextTooLong, Kind::BadRequest, Kind::FormatRefused];
    let faults = faults.into_iter().cycle().take(16).map(Step::Fails).collect();
    let world = world(policy(), [("small", busy), ("big", faults)]);
    for _ in 0..6 {
        world.ask().await;
    }
    assert!(world.out().is_empty());
}

#[tokio::test(start_paused = true)]
async fn five_failures_within_the_window_open_it() {
    let world = world(policy(), [("small", vec![Step::Fails(Kind::UpstreamFailed); 5])]);
    for n in 1..=5 {
        assert!(world.out().is_empty(), "{n}");
        world.ask().await;
    }
    assert_eq!(world.out(), ["small"]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_had_only_what_others_left_says_nothing_by_running_out_of_it() {
    let never = || vec![Step::Never, Step::Never];
    let world = world(policy(), [("small", never()), ("big", never())]);
    for _ in 0..2 {
        let outcome = world.ask().await;
        assert_eq!(trail(&outcome)[1], ("big", Why::Fallback, How::Timeout));
    }
    assert_eq!(world.out(), ["small"], "big had ten of its twenty seconds");
}

#[tokio::test(start_paused = true)]
async fn a_first_call_that_runs_out_of_its_time_says_something_however_short_that_is() {
    // Three quarters of it are less than the model's own 20 seconds for a first word.
    let hasty = with_route(policy(), |route| route.envelope.deadline = Duration::from_secs(8));
    let world = world(hasty, [("small", vec![Step::Never, Step::Never])]);
    assert!(world.ask().await.attempts[0].result == How::Timeout && world.out().is_empty());
    world.ask().await;
    assert_eq!(world.out(), ["small"]);
}

#[tokio::test(start_paused = true)]
async fn a_model_that_opens_between_the_decision_and_the_call_is_a_skipped_row() {
    let mut hosted_first = with_route(policy(), |route| route.thresholds = [("hosted".into(), 0.0)].into());
    hosted_first.breaker.open = 60 * SECOND;
    let world = world(hosted_first, [("big", vec![Step::Never])]);
    let (outcome, ()) = tokio::join!(world.ask(), async {
        tokio::time::sleep(SECOND).await;
        world.open("small");
    });
    assert_eq!(trail(&outcome), [("big", Why::First, How::Timeout), ("small", Why::Fallback, How::Skipped)]);
    assert_eq!(outcome.attempts[1].failure.as_deref(), Some("small failed lately and is left alone for now."));
    assert_eq!((outcome.status, world.script.called()), (Status::Degraded, vec!["big".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn of_many_who_come_when_the_time_is_over_one_finds_out() {
    let world = world(policy(), [("small", vec![Step::Slow(3 * SECOND)])]);
    world.open("small");
    tokio::time::sleep(FULL_TIME).await;
    let outcomes = futures_util::future::join_all((0..8).map(|_| world.ask())).await;
    let probes = outcomes.iter().filter(|outcome| outcome.attempts[0].model.as_str() == "small").count();
    assert_eq!((probes, world.script.called().len()), (1, 8));
    assert!(outcomes.iter().all(|outcome| outcome.status == Status::Ok));
    assert!(world.out().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_probe_whose_caller_goes_away_lets_the_next_one_find_out() {
    let world = world(policy(), [("small", vec![Step::Never])]);
    world.open("small");
    tokio::time::sleep(FULL_TIME).await;
    let cancel = CancellationToken::new();
    let (abandoned, ()) = tokio::join!(world.gateway.complete(ask(cancel.clone())), async {
        tokio::time::sleep(SECOND).await;
        assert_eq!((world.out(), world.gauge("small")), (vec!["small".to_owned()], "1".to_owned()));
        cancel.cancel();
    });
    assert_eq!(abandoned.0.status, Status::Cancelled);
    assert_eq!(trail(&world.ask().await), LOCAL_AGAIN);
}

#[tokio::test(start_paused = true)]
async fn with_everyone_unwell_nobody_is_called_and_the_outcome_says_so() {
    let world = world(policy(), []);
    world.open("small");
    world.heard("big", Evidence::KeyRefused);
    let outcome = world.ask().await;
    assert_eq!((outcome.status, outcome.attempts.len()), (Status::Degraded, 0));
    assert_eq!(
        outcome.failure.as_deref(),
        Some(
            "No model may be called. small failed lately and is left alone for now. big is left alone for now: its \
             backend refused our key or account."
        )
    );
    assert!(world.script.called().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_refused_key_is_not_tried_again_at_once() {
    let hosted_first = with_route(policy(), |route| route.thresholds = [("hosted".into(), 0.0)].into());
    let world = world(hosted_first, [("big", vec![Step::Fails(Kind::UpstreamAuth)])]);
    assert_eq!(trail(&world.ask().await)[0], ("big", Why::First, How::Auth));
    assert_eq!(trail(&world.ask().await), LOCAL_AGAIN);
    tokio::time::sleep(FULL_TIME).await;
    assert_eq!(trail(&world.ask().await), HOSTED_AT_ONCE);
    assert!(world.kept.1.lock().unwrap().is_empty(), "a restart may bring a new key");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_was_kept_is_good_while_its_model_is_left_alone() {
    let cached = with_route(policy(), |route| route.cache_ttl = 600 * SECOND);
    let world = world(cached, []);
    assert_eq!(world.ask().await.cache, CacheUse::Miss);
    world.open("small");
    assert_eq!(world.ask().await.status, Status::Cached);
    world.open("big");
    let (outcome, completion) = world.gateway.complete(ask(CancellationToken::new())).await;
    assert_eq!((outcome.status, outcome.cache), (Status::Cached, CacheUse::Hit));
    assert!(matches!(completion, Completion::Answer(_)));
    let fresh = Ask { cache: CacheMode::NoCache, ..ask(CancellationToken::new()) };
    assert_eq!(world.gateway.complete(fresh).await.0.status, Status::Degraded);
}

#[tokio::test(start_paused = true)]
async fn what_another_process_saw_is_heeded_for_as_long_as_it_said() {
    let world = world(policy(), []);
    let now = Timestamp::now();
    let open = [("small".into(), now + 5 * SECOND), ("gone".into(), now + 5 * SECOND), ("big".into(), now - SECOND)];
    world.gateway.recall(&open, now);
    assert_eq!((world.out(), world.gauge("small")), (vec!["small".to_owned()], "2".to_owned()));
    assert_eq!(trail(&world.ask().await), HOSTED_AT_ONCE);
    tokio::time::sleep(5 * SECOND).await;
    world.gateway.show_health();
    assert_eq!(world.gauge("small"), "1");
    assert_eq!(trail(&world.ask().await), LOCAL_AGAIN);
}
