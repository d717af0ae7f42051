//! Time, size and cancellation: no answer takes longer or more than it may.

use std::time::{Duration, Instant};

use taskgate::chat::Finish;
use taskgate::error::Kind;
use taskgate::policy::Timeouts;

use super::{AMPLE, Bench, Heard, SHORT, usage};
use crate::upstream::{Reply, Step, Stream};

/// For what has to have begun before a limit ends it: tried with a longer limit on a machine that was too busy for the
/// first one. What is held is what happens at a limit, not how soon a connection is there.
async fn in_time<T>(attempt: impl AsyncFn(Duration) -> Option<T>) -> T {
    for limit in [SHORT, Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(20)] {
        if let Some(seen) = attempt(limit).await {
            return seen;
        }
    }
    panic!("it did not begin in 20 s");
}

/// Sends with one limit shortened, and sees that the call ended long before the ample ones.
async fn hurried(step: Step, stream: bool, shorten: impl Fn(&mut Timeouts)) -> Heard {
    let mut bench = Bench::with(step).await;
    shorten(&mut bench.timeouts);
    let started = Instant::now();
    let heard = bench.send(stream).await;
    assert!(started.elapsed() < AMPLE / 2);
    if heard.answer.result.is_err() {
        bench.upstream.wait_for_drop().await;
    }
    heard
}

#[tokio::test]
async fn a_stream_has_to_begin_in_time() {
    let role_only = Stream::texts([]).hang();
    let comments = Stream::new().raw(b": processing\n\n").wait(SHORT / 4).raw(b": processing\n\n").hang();
    for step in [Step::Hang, Step::Stream(Stream::new().hang()), Step::Stream(role_only), Step::Stream(comments)] {
        let heard = hurried(step, true, |timeouts| timeouts.first_token = SHORT).await;
        assert_eq!((heard.kind(), heard.answer.ttft), (Kind::UpstreamTimeout, None));
        assert_eq!(heard.error().message, "small at desk said nothing within 150ms");
    }
}

#[tokio::test]
async fn a_stream_has_to_go_on() {
    let step = Step::Stream(Stream::texts(["half"]).hang());
    let heard = hurried(step, true, |timeouts| timeouts.idle = SHORT).await;
    assert_eq!((heard.kind(), heard.partial_text()), (Kind::UpstreamTimeout, Some("half")));
    assert_eq!(heard.error().message, "small at desk paused for longer than 150ms");
}

#[tokio::test]
async fn a_stream_that_stalls_after_its_last_word_is_complete() {
    let step = Step::Stream(Stream::texts(["whole"]).finish("stop").at_once().hang());
    let heard = hurried(step, true, |timeouts| timeouts.idle = SHORT).await;
    assert_eq!((heard.reply().finish), Finish::Stop);
}

/// Every sign of life that is none: whoever waits for an answer waits for words.
fn keepalives(from: Stream) -> Stream {
    let every = Duration::from_millis(20);
    let pings = [b": still here\n\n".as_slice(), b"event: ping\ndata: {}\n\n", br#"data: {"choices":[{"delta":{}}]}"#];
    let round = |stream: Stream| {
        let stream = pings.iter().fold(stream, |stream, ping| stream.raw(ping).wait(every));
        stream.raw(b"\n\n")
    };
    (0..AMPLE.as_millis() / every.as_millis() / 3 + 1).fold(from, |stream, _| round(stream))
}

#[tokio::test]
async fn keepalives_keep_no_answer_waiting() {
    let paused = Step::Stream(keepalives(Stream::texts(["half"])));
    let heard = hurried(paused, true, |timeouts| timeouts.idle = SHORT).await;
    assert_eq!((heard.kind(), heard.partial_text()), (Kind::UpstreamTimeout, Some("half")));
    assert_eq!(heard.error().message, "small at desk paused for longer than 150ms");
}

#[tokio::test]
async fn a_complete_answer_does_not_wait_long_for_its_usage() {
    let whole = || Stream::texts(["whole"]).finish("stop").at_once();
    for stream in [whole().hang(), keepalives(whole())] {
        let reply = hurried(Step::Stream(stream), true, |_| ()).await.reply();
        assert_eq!((reply.text.as_str(), reply.finish, reply.usage), ("whole", Finish::Stop, None));
    }
}

#[tokio::test]
async fn usage_that_is_a_moment_late_is_still_heard() {
    let stream = Stream::texts(["whole"]).finish("stop").at_once().wait(SHORT).usage(20, 10).done();
    let heard = hurried(Step::Stream(stream), true, |_| ()).await;
    assert_eq!(heard.reply().usage, usage(20, 0, 10));
}

#[tokio::test]
async fn thinking_counts_as_a_beginning_but_not_as_text() {
    let (heard, limit) = in_time(async |limit| {
        let thought = serde_json::json!({ "reasoning_content": "hm" });
        let stream = Stream::new().delta(thought).wait(limit * 2).text("a").finish("stop").done();
        let heard = hurried(Step::Stream(stream), true, |timeouts| timeouts.first_token = limit).await;
        heard.answer.result.is_ok().then_some((heard, limit))
    })
    .await;
    assert!(heard.answer.ttft.unwrap() > limit);
    assert_eq!(heard.reply().text, "a");
}

#[tokio::test]
async fn a_steady_drip_still_ends_at_the_total() {
    let every = Duration::from_millis(20);
    let text = in_time(async |limit| {
        let drops = 2 * limit.as_millis() / every.as_millis();
        let drip = (0..drops).fold(Stream::texts([]), |stream, _| stream.text("x").wait(every));
        let heard = hurried(Step::Stream(drip), true, |timeouts| timeouts.total = limit).await;
        assert_eq!(heard.error().message, format!("small at desk was not done within {limit:?}"));
        heard.partial_text().map(str::to_owned)
    })
    .await;
    assert!(text.starts_with('x'));
    for step in [Step::Hang, Step::Drip(Reply::new("slow"), every)] {
        let heard = hurried(step, false, |timeouts| timeouts.total = SHORT).await;
        assert_eq!(heard.error().message, "small at desk was not done within 150ms");
    }
}

#[tokio::test]
async fn a_whole_reply_is_bound_by_the_total_alone() {
    let step = Step::After(SHORT * 2, Box::new(Step::reply("late")));
    let heard = hurried(step, false, |timeouts| {
        timeouts.first_token = SHORT;
        timeouts.idle = SHORT;
    })
    .await;
    assert_eq!(heard.reply().text, "late");
}

#[tokio::test]
async fn a_refusal_without_an_end_is_still_a_refusal() {
    let head = b"HTTP/1.1 429 Slow Down\r\ncontent-length: 9999\r\nretry-after: 3\r\n\r\n".to_vec();
    let heard = Bench::with(Step::Raw(head)).await.send(true).await;
    assert_eq!((heard.kind(), heard.error().retry_after), (Kind::UpstreamBusy, Some(Duration::from_secs(3))));
}

#[tokio::test]
async fn endless_answers_and_bombs_are_cut_at_their_bound() {
    let long_line = Stream::texts(["half"]).raw(b"data: ").endless_raw(&[b'x'; 1024]);
    let comments = Stream::texts(["half"]).endless_raw(b": still here\n\n");
    for (step, stream) in [
        (Step::HugeBody, false),
        (Step::HugeBody, true),
        (Step::gzip_bomb(16 << 20), false),
        (Step::gzip_bomb(16 << 20), true),
        (Step::Stream(Stream::texts([]).endless("more and more ")), true),
        (Step::Stream(long_line), true),
        (Step::Stream(comments), true),
    ] {
        let started = Instant::now();
        let heard = Bench::with(step).await.send(stream).await;
        assert_eq!(heard.kind(), Kind::UpstreamProtocol);
        assert!(heard.error().message.contains("answered more than"), "{}", heard.error().message);
        assert!(started.elapsed() < AMPLE / 2);
    }
}

#[tokio::test]
async fn an_endless_head_is_refused() {
    let head = format!("HTTP/1.1 200 OK\r\nx-long: {}\r\n\r\n", "x".repeat(1 << 20));
    let heard = Bench::with(Step::Raw(head.into_bytes())).await.send(false).await;
    assert_eq!(heard.kind(), Kind::UpstreamProtocol, "{:?}", heard.error());
}

#[tokio::test]
async fn cancellation_stops_a_call_at_once_and_keeps_what_came() {
    for (step, stream, text) in [
        (Step::Hang, false, None),
        (Step::Hang, true, None),
        (Step::Stream(Stream::texts(["half"]).usage(5, 1).hang()), true, Some("half")),
    ] {
        let bench = Bench::with(step).await;
        let cancel = bench.cancel.clone();
        let (heard, ()) = tokio::join!(bench.send(stream), async {
            bench.upstream.wait_for(1).await;
            tokio::time::sleep(SHORT).await;
            cancel.cancel();
        });
        assert_eq!((heard.kind(), heard.partial_text()), (Kind::Cancelled, text));
        bench.upstream.wait_for_drop().await;
    }
}

#[tokio::test]
async fn a_call_that_is_cancelled_before_it_starts_sends_nothing() {
    let bench = Bench::with(Step::reply("ok")).await;
    bench.cancel.cancel();
    assert_eq!(bench.send(true).await.kind(), Kind::Cancelled);
    assert_eq!(bench.upstream.count(), 0);
}
