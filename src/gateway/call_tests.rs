//! What a call used, by table: what was reported, what was heard, how it ended.

use serde_json::Map;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::*;
use crate::chat::{Format, Message};
use crate::gateway::Gateway;
use crate::gateway::fixtures::{Kept, Script, Step, ask, chat_signals, policy, with_route, world};
use crate::request::{Ask, AttemptResult as How, Completion, Outcome, Status};
use crate::telemetry::Metrics;

fn request() -> ChatRequest {
    ChatRequest {
        messages: vec![Message::user("x".repeat(66))],
        temperature: None,
        max_output: Tokens(100),
        format: Format::Text,
        extra: Map::new(),
    }
}

fn reply(text: &str, reported: Option<(u64, u64)>) -> Reply {
    let usage = reported.map(|(input, output)| Usage {
        input: Tokens(input),
        cached_input: Tokens::ZERO,
        output: Tokens(output),
    });
    Reply { text: text.into(), finish: Finish::Stop, usage, model: None }
}

fn settled(result: Result<Reply, Kind>, partial: Option<Reply>) -> (u64, u64, UsageSource) {
    let result = result.map_err(|kind| Error::new(kind, "x"));
    let answer = Answer { result, partial, http_status: None, ttft: None };
    let (usage, source) = usage(&answer, &request());
    (usage.input.0, usage.output.0, source)
}

#[test]
fn what_is_paid_for_follows_from_what_was_reported_and_heard() {
    use UsageSource::{Estimated, Reported, Unknown};
    let thirty = "y".repeat(90);
    // 66 bytes at three a token, and what the format adds.
    let asked = 22 + 8;
    let cases = [
        ("a whole answer as reported", settled(Ok(reply(&thirty, Some((7, 9)))), None), (7, 9, Reported)),
        ("a reported zero stands", settled(Ok(reply(&thirty, Some((0, 0)))), None), (0, 0, Reported)),
        ("silence is estimated", settled(Ok(reply(&thirty, None)), None), (asked, 30, Estimated)),
        (
            "a placeholder from the first chunk is no count",
            settled(Err(Kind::UpstreamCut), Some(reply(&thirty, Some((7, 1))))),
            (7, 30, Estimated),
        ),
        (
            "a running count that has kept up is one",
            settled(Err(Kind::UpstreamCut), Some(reply(&thirty, Some((7, 31))))),
            (7, 31, Reported),
        ),
        ("the prompt of a stall was read", settled(Err(Kind::UpstreamTimeout), None), (asked, 0, Estimated)),
        (
            "a limit in the middle of an answer",
            settled(Err(Kind::UpstreamBusy), Some(reply(&thirty, None))),
            (asked, 30, Estimated),
        ),
        ("nobody was reached", settled(Err(Kind::UpstreamUnreachable), None), (0, 0, Estimated)),
        ("a server error may have cost something", settled(Err(Kind::UpstreamFailed), None), (0, 0, Unknown)),
    ];
    for (what, settled, expected) in cases {
        assert_eq!(settled, expected, "{what}");
    }
}

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
