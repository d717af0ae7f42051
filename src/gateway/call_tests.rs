//! What a call used, by table: what was reported, what was heard, how it ended.

use serde_json::Map;

use super::*;
use crate::chat::{Format, Message};

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
        ("nobody was reached", settled(Err(Kind::UpstreamUnreachable), None), (0, 0, Estimated)),
        ("a server error may have cost something", settled(Err(Kind::UpstreamFailed), None), (0, 0, Unknown)),
    ];
    for (what, settled, expected) in cases {
        assert_eq!(settled, expected, "{what}");
    }
}
