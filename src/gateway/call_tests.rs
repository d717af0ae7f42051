//! What a verdict does.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::*;
use crate::gateway::Gateway;
use crate::gateway::fixtures::{Kept, Script, Step, ask, chat_signals, policy, with_route, world};
use crate::request::{Ask, AttemptResult as How, Completion, Outcome, Status};
use crate::telemetry::Metrics;

#[tokio::test(start_paused = true)]
async fn what_a_verdict_on_free_chat_does_is_for_the_route_to_say() {
    let cases = [
        (ChatCheck::Record, "bad", vec![("small", How::Rejected)]),
        (ChatCheck::Off, "bad", vec![("small", How::Unchecked)]),
        (ChatCheck::Hold, "good", vec![("small", How::Rejected), ("big", How::Accepted)]),
    ];
    for (check, expected, tried) in cases {
        let asked = Ask { signals: chat_signals(100), ..ask(CancellationToken::new()) };
        let (outcome, completion) = judged(check, asked).await;
        let Completion::Answer(reply) = completion else { panic!("{check:?}: {outcome:?}") };
        let ended: Vec<_> = outcome.attempts.iter().map(|attempt| (attempt.model.as_str(), attempt.result)).collect();
        assert_eq!((outcome.status, reply.text.as_str(), ended), (Status::Ok, expected, tried), "{check:?}");
        assert_eq!(outcome.attempts[0].rejection.is_some(), check != ChatCheck::Off, "a verdict is written down");
    }
    // A tool has to read its answer: the route's word for chat changes nothing.
    let (outcome, _) = judged(ChatCheck::Off, ask(CancellationToken::new())).await;
    assert_eq!(outcome.attempts[0].result, How::Rejected);
}

/// The small model's answer is bad, the big one's good, and the route says this of checks.
async fn judged(check: ChatCheck, ask: Ask) -> (Outcome, Completion) {
    let script = Script::new([("small", vec![Step::Says("bad")]), ("big", vec![Step::Says("good")])]);
    let policy = Arc::new(with_route(policy(), |route| route.check = check));
    let ledger = Box::new(Arc::new(Kept::default()));
    Gateway::with_parts(policy, Box::new(script), ledger, Metrics::for_tests()).complete(ask).await
}

#[tokio::test(start_paused = true)]
async fn a_place_is_waited_for_longer_only_where_nobody_else_can_be_asked() {
    let seconds = std::time::Duration::from_secs;
    let cases = [(true, "big", 15), (false, "small", 18)];
    for (goes_up, answers, after) in cases {
        let mut policy = with_route(policy(), |route| {
            route.fallback.upward = goes_up;
            route.escalate.on_rejected = goes_up;
        });
        policy.models.get_mut("small").unwrap().limits.concurrency = Some(1);
        let world = world(policy, [("small", vec![Step::Slow(seconds(18))])]);
        let (_, second) = tokio::join!(world.ask(), world.ask());
        assert_eq!(second.0.model.as_ref().map(ModelName::as_str), Some(answers), "{goes_up}");
        let took = second.0.latency;
        assert!(took >= seconds(after) && took < seconds(after + 1), "{goes_up}: {took:?}");
    }
}
