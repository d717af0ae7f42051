//! What a call used, by table: what was reported, what was heard, how it ended.

use serde_json::Map;

use super::*;
use crate::chat::{Capabilities, Finish, Format, Message, Reply};
use crate::error::Error;

/// 66 bytes of a prompt, 100 tokens of an answer.
fn request() -> ChatRequest {
    ChatRequest {
        messages: vec![Message::user("x".repeat(66))],
        temperature: None,
        max_output: Tokens(100),
        format: Format::Text,
        extra: Map::new(),
    }
}

fn model() -> ModelSpec {
    let capabilities = Capabilities::default();
    ModelSpec { name: "near".into(), context: Tokens(4096), max_output: Tokens(200), capabilities }
}

fn reply(text: &str, reported: Option<(u64, u64)>) -> Reply {
    let usage = reported.map(|(input, output)| Usage {
        input: Tokens(input),
        cached_input: Tokens(input / 2),
        output: Tokens(output),
    });
    Reply { text: text.into(), finish: Finish::Stop, usage, model: None }
}

fn settled(result: Result<Reply, Kind>, partial: Option<Reply>, unshown: u64) -> (u64, u64, UsageSource) {
    let result = result.map_err(|kind| Error::new(kind, "x"));
    let answer = Answer { result, partial, unshown, http_status: None, ttft: None };
    let (usage, source) = used(&answer, &request(), &model());
    assert!(usage.cached_input <= usage.input, "{usage:?}");
    (usage.input.0, usage.output.0, source)
}

#[test]
fn what_is_paid_for_follows_from_what_was_reported_and_heard() {
    use UsageSource::{Estimated, Reported, Unknown};
    let thirty = "y".repeat(90);
    // 66 bytes at three a token, and what the format adds.
    let asked = 22 + 8;
    let cases = [
        ("a whole answer as reported", settled(Ok(reply(&thirty, Some((7, 9)))), None, 0), (7, 9, Reported)),
        ("silence is estimated", settled(Ok(reply(&thirty, None)), None, 0), (asked, 30, Estimated)),
        ("thoughts are paid for", settled(Ok(reply(&thirty, None)), None, 60), (asked, 50, Estimated)),
        ("up to what was allowed", settled(Ok(reply(&thirty, None)), None, 4_000), (asked, 100, Estimated)),
        ("thoughts alone", settled(Err(Kind::UpstreamCut), None, 60), (asked, 20, Estimated)),
        ("thoughts, then a server error", settled(Err(Kind::UpstreamFailed), None, 60), (asked, 20, Estimated)),
        (
            "a placeholder from the first chunk is no count",
            settled(Err(Kind::UpstreamCut), Some(reply(&thirty, Some((7, 1)))), 0),
            (7, 30, Estimated),
        ),
        (
            "nor is one that knows of no thoughts",
            settled(Err(Kind::UpstreamCut), Some(reply(&thirty, Some((7, 30)))), 60),
            (7, 50, Estimated),
        ),
        (
            "a running count that has kept up is one",
            settled(Err(Kind::UpstreamCut), Some(reply(&thirty, Some((7, 31)))), 0),
            (7, 31, Reported),
        ),
        ("the prompt of a stall was read", settled(Err(Kind::UpstreamTimeout), None, 0), (asked, 0, Estimated)),
        (
            "a limit in the middle of an answer",
            settled(Err(Kind::UpstreamBusy), Some(reply(&thirty, None)), 0),
            (asked, 30, Estimated),
        ),
        ("nobody was reached", settled(Err(Kind::UpstreamUnreachable), None, 0), (0, 0, Estimated)),
        ("a server error may have cost something", settled(Err(Kind::UpstreamFailed), None, 0), (0, 0, Unknown)),
    ];
    for (what, settled, expected) in cases {
        assert_eq!(settled, expected, "{what}");
    }
}

#[test]
fn a_count_beyond_all_that_the_model_can_hold_is_not_believed() {
    use UsageSource::{Estimated, Reported};
    let at_most = request().input_at_most().0;
    let whole = |reported, unshown| settled(Ok(reply("text", Some(reported))), None, unshown);
    let cases = [
        ("a backend that ignores what it was allowed", whole((7, 4_096), 0), (7, 4_096, Reported)),
        ("more than its context", whole((7, 4_097), 0), (at_most, 100, Estimated)),
        ("which was heard all the same", whole((7, 5_000), 5_000), (7, 5_000, Reported)),
        ("a prompt as large as the context", whole((4_096, 9), 0), (4_096, 9, Reported)),
        ("and a larger one", whole((4_097, 9), 0), (at_most, 100, Estimated)),
        ("nothing of it", whole((900_000_000, 900_000_000), 0), (at_most, 100, Estimated)),
        (
            "in a stream that broke",
            settled(Err(Kind::UpstreamCut), Some(reply("text", Some((7, 900_000_000)))), 0),
            (at_most, 100, Estimated),
        ),
    ];
    for (what, settled, expected) in cases {
        assert_eq!(settled, expected, "{what}");
    }
}
