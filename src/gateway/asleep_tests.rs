//! What a model that is not loaded does to whole requests, in paused time.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::*;
use crate::gateway::Gateway;
use crate::gateway::fixtures::{Kept, Script, Step, ask, policy, with_route};
use crate::policy::{Limits, Policy, WhenReached};
use crate::request::{AttemptKind as Why, AttemptResult as How, Outcome, Residency, Status};
use crate::telemetry::Metrics;

const SECOND: Duration = Duration::from_secs(1);

struct World {
    gateway: Gateway,
    script: Arc<Script>,
}

impl World {
    fn new<const N: usize>(policy: Policy, steps: [(&str, Vec<Step>); N]) -> Self {
        let script = Script::new(steps);
        let (upstream, ledger) = (Box::new(script.clone()), Box::new(Arc::new(Kept::default())));
        Self { gateway: Gateway::with_parts(Arc::new(policy), upstream, ledger, Metrics::for_tests()), script }
    }

    fn small(&self) -> crate::policy::Identity {
        let policy = self.gateway.policy();
        policy.identity(&policy.models["small"])
    }

    fn saw(&self, residency: Residency) {
        self.gateway.residents().saw(self.small(), residency, Instant::now().into_std());
    }

    /// A load that took so long was seen, and the model is gone again.
    fn learned(&self, load: Duration) {
        let now = Instant::now().into_std();
        self.gateway.residents().saw(self.small(), Residency::Loading, now.checked_sub(load).unwrap());
        self.saw(Residency::Resident);
        self.saw(Residency::Cold);
    }

    fn wanted(&self) -> usize {
        self.gateway.residents().take_wanted(Instant::now().into_std()).len()
    }

    async fn ask(&self) -> Outcome {
        self.gateway.complete(ask(CancellationToken::new())).await.0
    }
}

fn trail(outcome: &Outcome) -> Vec<(&str, Why, How)> {
    outcome.attempts.iter().map(|attempt| (attempt.model.as_str(), attempt.kind, attempt.result)).collect()
}

fn reason<'o>(outcome: &'o Outcome, code: &str) -> Option<&'o str> {
    outcome.decision.reasons.iter().find(|reason| reason.code == code).map(|reason| reason.text.as_str())
}

#[test]
fn a_load_is_waited_for_when_the_answer_still_fits() {
    for (load, time, expected) in [(0, 5, true), (15, 20, true), (15, 19, false), (60, 30, false)] {
        assert_eq!(is_worth_the_wait(load * SECOND, time * SECOND), expected, "{load} {time}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_load_that_takes_too_long_sends_this_request_on_and_is_begun_for_the_next() {
    let world = World::new(policy(), []);
    world.learned(45 * SECOND);
    let outcome = world.ask().await;
    assert_eq!(trail(&outcome), [("big", Why::First, How::Accepted)]);
    assert_eq!(reason(&outcome, "not_loaded"), Some("small is not loaded; loading takes about 45 s."));
    assert_eq!(world.wanted(), 1);
    world.ask().await;
    assert_eq!(world.wanted(), 0, "it is being warmed");
    world.gateway.residents().warmed(world.small(), true, Instant::now().into_std());
    assert_eq!(trail(&world.ask().await), [("small", Why::First, How::Accepted)]);
}

#[tokio::test(start_paused = true)]
async fn what_may_not_go_up_waits_for_nobody_and_says_so() {
    let world = World::new(with_route(policy(), |route| route.max_tier = Some("local".into())), []);
    world.learned(45 * SECOND);
    let outcome = world.ask().await;
    assert_eq!((outcome.status, outcome.attempts.len(), world.script.called().len()), (Status::Degraded, 0, 0));
    let told = outcome.failure.as_deref().unwrap();
    assert_eq!(told, "No model may be called. small is not loaded; loading takes about 45 s.");
    assert_eq!(world.wanted(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_is_turned_away_has_nothing_loaded() {
    let limits = Limits { requests_per_minute: Some(1), when_reached: WhenReached::Refuse, ..Limits::default() };
    let world = World::new(Policy { callers: [("default".to_owned(), limits)].into(), ..policy() }, []);
    world.ask().await;
    world.learned(45 * SECOND);
    assert_eq!((world.ask().await.kept_back.is_some(), world.wanted()), (true, 0));
    tokio::time::sleep(60 * SECOND).await;
    world.saw(Residency::Cold);
    assert_eq!((world.ask().await.kept_back.is_some(), world.wanted()), (false, 1));
}

#[tokio::test(start_paused = true)]
async fn a_load_for_which_there_is_time_is_waited_for() {
    let world = World::new(policy(), [("small", vec![Step::Slow(25 * SECOND)])]);
    world.saw(Residency::Cold);
    let outcome = world.ask().await;
    assert_eq!(trail(&outcome), [("small", Why::First, How::Accepted)]);
    assert_eq!(world.wanted(), 1, "and made beside the request, which may end before it");
    let told = "small is not loaded; loading takes about 15 s, and there is time for that.";
    assert_eq!(reason(&outcome, "loading"), Some(told));
}

#[tokio::test(start_paused = true)]
async fn late_in_a_request_there_is_no_time_left_for_it() {
    let hosted_first = with_route(policy(), |route| route.thresholds = [("hosted".into(), 0.0)].into());
    let world = World::new(hosted_first, [("big", vec![Step::Never])]);
    world.saw(Residency::Cold);
    let outcome = world.ask().await;
    assert_eq!(trail(&outcome), [("big", Why::First, How::Timeout), ("small", Why::Fallback, How::Skipped)]);
    assert_eq!(outcome.attempts[1].failure.as_deref(), Some("small is not loaded; loading takes about 15 s."));
    assert_eq!(world.wanted(), 1);
}

#[tokio::test(start_paused = true)]
async fn silence_while_loading_is_no_illness() {
    for (residency, out) in [(Residency::Loading, 0), (Residency::Resident, 1)] {
        let world = World::new(policy(), [("small", vec![Step::Never; 5])]);
        for _ in 0..4 {
            world.saw(residency);
            world.ask().await;
        }
        assert_eq!(world.gateway.0.snapshot().view().unwell.len(), out, "{residency:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_model_that_nobody_tells_of_is_asked_as_ever() {
    let world = World::new(policy(), [("small", vec![Step::Never])]);
    world.saw(Residency::Unknown);
    let outcome = world.ask().await;
    assert_eq!(trail(&outcome)[0], ("small", Why::First, How::Timeout));
    assert!(reason(&outcome, "not_loaded").is_none() && world.wanted() == 0);
}
