//! Answers that are read as they come: the commit point, readers that are slow or leave, streams that are kept and shared.

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::chat::{Finish, NanoUsd, UsageSource};
use crate::gateway::fixtures::{
    Beat, Step, Tail, Told, World, ask, chat_signals, policy, read, text, trail, with_route, world,
};
use crate::policy::Policy;
use crate::request::{
    AttemptKind as Why, AttemptResult as How, CacheMode, Completion, Delivery, Outcome, Status, Stream, stream,
};

const SECOND: Duration = Duration::from_secs(1);

/// The hosted model first, and the local one if it fails. Answers are kept.
fn hosted_first() -> Policy {
    with_route(policy(), |route| {
        route.thresholds = [("hosted".into(), 0.0)].into();
        route.cache_ttl = 600 * SECOND;
    })
}

fn chat(sink: Option<Sink>) -> Ask {
    let delivery = sink.map_or(Delivery::Whole, Delivery::Stream);
    Ask { signals: chat_signals(100), answers_anyway: false, delivery, ..ask(CancellationToken::new()) }
}

/// Asks for a stream and reads it with a pause before each piece.
async fn streamed(world: &World, pause: Duration) -> (Outcome, Told) {
    let (sink, mut stream) = stream(1);
    let (end, told) = tokio::join!(world.gateway.complete(chat(Some(sink))), read(&mut stream, pause));
    (end.0, told)
}

/// Asks so much later.
async fn later(world: &World, time: Duration) -> (Outcome, Told) {
    tokio::time::sleep(time).await;
    streamed(world, Duration::ZERO).await
}

fn chunks(told: &Told) -> Vec<Arc<str>> {
    let chunk = |piece: &Piece| match piece {
        Piece::Chunk(chunk) => chunk.clone(),
        Piece::Whole(reply) => format!("whole: {}", reply.text).into(),
    };
    told.pieces.iter().map(chunk).collect()
}

fn stops() -> Tail {
    Tail::Ends(Finish::Stop)
}

/// A role, two words with a second before each, and how it ends.
fn words(tail: Tail) -> Step {
    let pause = || Beat::Pause(SECOND);
    Step::Streams(vec![Beat::Role, pause(), Beat::Says("two "), pause(), Beat::Says("words")], tail)
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_handed_on_as_it_came_and_ends_once() {
    let world = world(hosted_first(), [("big", vec![words(stops())])]);
    let started = Instant::now();
    let (outcome, told) = streamed(&world, Duration::ZERO).await;
    assert_eq!(chunks(&told), world.script.stream(0));
    assert_eq!(
        (told.endings, told.first.map(|first| (first - started).as_secs())),
        (vec![None], Some(1)),
        "the first word is not waited for"
    );
    assert_eq!((outcome.status, trail(&outcome)), (Status::Ok, vec![("big", Why::First, How::Accepted)]));
    assert_eq!((outcome.cost, outcome.wasted), (NanoUsd(60_000), NanoUsd::ZERO));
}

/// What fails, who is asked, how it ends, and what the reader saw: chunks of which call, and which ending.
type Case = (&'static str, Step, Vec<(&'static str, Why, How)>, Status, (usize, usize, Option<Kind>));

#[tokio::test(start_paused = true)]
async fn before_the_first_word_another_is_asked_and_after_it_nobody() {
    let role = |tail| Step::Streams(vec![Beat::Role, Beat::Role], tail);
    let thought = |tail| Step::Streams(vec![Beat::Role, Beat::Thought], tail);
    let filter = || Tail::Ends(Finish::ContentFilter);
    let fell = |how| vec![("big", Why::First, how), ("small", Why::Fallback, How::Accepted)];
    let ended = |how| vec![("big", Why::First, how)];
    let clean = (1, 4, None);
    let cases: [Case; 12] = [
        ("cut before a word", role(Tail::Fails(Kind::UpstreamCut)), fell(How::Cut), Status::Ok, clean),
        (
            "an error before a word",
            role(Tail::Fails(Kind::UpstreamFailed)),
            fell(How::UpstreamError),
            Status::Ok,
            clean,
        ),
        ("a stall before a word", role(Tail::Stalls), fell(How::Timeout), Status::Ok, clean),
        ("filtered before a word", role(filter()), fell(How::Refused), Status::Ok, clean),
        (
            "cut",
            words(Tail::Fails(Kind::UpstreamCut)),
            ended(How::Cut),
            Status::Partial,
            (0, 3, Some(Kind::UpstreamCut)),
        ),
        (
            "an error",
            words(Tail::Fails(Kind::UpstreamFailed)),
            ended(How::UpstreamError),
            Status::Partial,
            (0, 3, Some(Kind::UpstreamFailed)),
        ),
        (
            "a busy backend is not asked again",
            words(Tail::Fails(Kind::UpstreamBusy)),
            ended(How::RateLimited),
            Status::Partial,
            (0, 3, Some(Kind::UpstreamBusy)),
        ),
        ("a stall", words(Tail::Stalls), ended(How::Timeout), Status::Partial, (0, 3, Some(Kind::UpstreamTimeout))),
        (
            "filtered after a word",
            words(filter()),
            ended(How::Refused),
            Status::Partial,
            (0, 4, Some(Kind::ContentRefused)),
        ),
        (
            "cut in the middle of a thought",
            thought(Tail::Fails(Kind::UpstreamCut)),
            ended(How::Cut),
            Status::Partial,
            (0, 2, Some(Kind::UpstreamCut)),
        ),
        ("ended by its allowance", words(Tail::Ends(Finish::Length)), ended(How::Accepted), Status::Ok, (0, 4, None)),
        ("an end without a word", role(stops()), ended(How::Accepted), Status::Ok, (0, 3, None)),
    ];
    for (what, step, tried, status, (call, seen, ending)) in cases {
        let world = world(hosted_first(), [("big", vec![step]), ("small", vec![words(stops())])]);
        let (outcome, told) = streamed(&world, Duration::ZERO).await;
        assert_eq!((trail(&outcome), outcome.status), (tried, status), "{what}");
        assert_eq!(chunks(&told), world.script.stream(call)[..seen], "{what}");
        assert_eq!(told.endings, [ending], "{what}");
        assert_eq!(world.kept.0.lock().unwrap().as_slice(), [outcome], "{what}");
        assert!(world.kept.2.lock().unwrap().iter().all(|one| one.closed == 1), "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_broken_stream_costs_what_was_shown_of_it() {
    let world = world(hosted_first(), [("big", vec![words(Tail::Fails(Kind::UpstreamCut))])]);
    let (outcome, _) = streamed(&world, Duration::ZERO).await;
    let cut = &outcome.attempts[0];
    assert_eq!((cut.usage_source, cut.usage.output.0), (UsageSource::Estimated, 3));
    assert!(cut.cost > NanoUsd::ZERO && cut.cost < cut.reserved && outcome.wasted == cut.cost, "{cut:?}");
}

#[tokio::test(start_paused = true)]
async fn whoever_gets_nothing_is_told_why() {
    let fails = |kind| vec![Step::Fails(kind), Step::Fails(kind)];
    let steps = [("big", fails(Kind::UpstreamAuth)), ("small", fails(Kind::UpstreamFailed))];
    let (outcome, told) = streamed(&world(hosted_first(), steps), Duration::ZERO).await;
    assert_eq!(
        (outcome.status, told.pieces.len(), told.endings),
        (Status::Failed, 0, vec![Some(Kind::UpstreamFailed)])
    );
    let nobody = world(Policy { tiers: vec![], ..policy() }, []);
    let (outcome, told) = streamed(&nobody, Duration::ZERO).await;
    assert_eq!((outcome.attempts.len(), told.endings), (0, vec![Some(Kind::Config)]));
}

#[tokio::test(start_paused = true)]
async fn the_deadline_ends_the_wait_for_the_first_word_and_not_the_stream() {
    let beats = |first, pauses: usize| {
        let more = (0..pauses).flat_map(|_| [Beat::Pause(10 * SECOND), Beat::Says("more")]);
        Step::Streams(
            [Beat::Role, Beat::Pause(first * SECOND), Beat::Says("a")].into_iter().chain(more).collect(),
            stops(),
        )
    };
    let long = world(hosted_first(), [("big", vec![beats(10, 6)])]);
    let ((outcome, told), along) = tokio::join!(streamed(&long, Duration::ZERO), later(&long, SECOND));
    assert_eq!((outcome.status, outcome.latency.as_secs(), told.endings), (Status::Ok, 70, vec![None]));
    assert_eq!((along.0.cache, along.1.endings), (CacheUse::Shared, vec![None]), "nor does another's, read along");
    let endless = world(hosted_first(), [("big", vec![beats(10, 60)])]);
    let (outcome, told) = streamed(&endless, Duration::ZERO).await;
    assert_eq!((outcome.status, told.endings), (Status::Partial, vec![Some(Kind::UpstreamTimeout)]));
    assert_eq!(outcome.latency.as_secs(), 120, "a call's own time holds");
    let late = with_route(hosted_first(), |route| route.envelope.deadline = 12 * SECOND);
    let late = world(late, [("big", vec![beats(60, 0)]), ("small", vec![beats(60, 0)])]);
    let (outcome, told) = streamed(&late, Duration::ZERO).await;
    assert_eq!((told.pieces.len(), outcome.attempts.len()), (0, 2));
    assert!(outcome.latency <= 12 * SECOND, "{:?}", outcome.latency);
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_holds_the_upstream_back_and_is_not_its_fault() {
    // Ten chunks at once; the model may pause for 15 s, and its reader takes 10 s for each.
    let fast = || Step::Streams(vec![Beat::Says("x"); 9], stops());
    let world = world(hosted_first(), [("big", vec![fast(), Step::Streams(vec![Beat::Says("x"); 30], stops())])]);
    let (outcome, told) = streamed(&world, 10 * SECOND).await;
    assert_eq!((outcome.status, told.pieces.len(), told.endings), (Status::Ok, 10, vec![None]));
    assert!(outcome.latency >= 70 * SECOND, "it was read with room for one: {:?}", outcome.latency);
    // A place at a model is not held for ever.
    let (sink, mut stream) = stream(1);
    let asked = Ask { cache: CacheMode::NoStore, ..chat(Some(sink)) };
    let ((outcome, _), told) = tokio::join!(world.gateway.complete(asked), read(&mut stream, 20 * SECOND));
    assert_eq!((outcome.status, outcome.latency.as_secs()), (Status::Partial, 120));
    assert_eq!(
        (trail(&outcome), told.endings),
        (vec![("big", Why::First, How::Cancelled)], vec![Some(Kind::Cancelled)])
    );
    assert_eq!(world.gateway.health().iter().filter(|model| model.ailment.is_some()).count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_leaves_ends_the_call() {
    let world = world(hosted_first(), [("big", vec![words(Tail::Stalls)])]);
    let (outcome, read) = leaving(&world, Duration::ZERO, 2).await;
    assert_eq!(
        (outcome.status, read, trail(&outcome)),
        (Status::Cancelled, 2, vec![("big", Why::First, How::Cancelled)])
    );
    assert!(outcome.latency <= 2 * SECOND && outcome.cost > NanoUsd::ZERO, "{outcome:?}");
}

/// Comes so much later, reads so many pieces and leaves.
async fn leaving(world: &World, time: Duration, pieces: usize) -> (Outcome, usize) {
    tokio::time::sleep(time).await;
    let (sink, mut stream) = stream(1);
    let reads = async move {
        let mut read = 0;
        while read < pieces && stream.next().await.is_some() {
            read += 1;
        }
        read
    };
    let ((outcome, _), read) = tokio::join!(world.gateway.complete(chat(Some(sink))), reads);
    (outcome, read)
}

#[tokio::test(start_paused = true)]
async fn what_a_check_does_to_a_stream_is_for_the_route_to_say() {
    let says = |text| Step::Streams(vec![Beat::Role, Beat::Says(text)], stops());
    let cases = [
        (ChatCheck::Record, 0, vec![("small", Why::First, How::Rejected)]),
        (ChatCheck::Hold, 1, vec![("small", Why::First, How::Rejected), ("big", Why::Escalation, How::Accepted)]),
    ];
    for (check, call, tried) in cases {
        let policy = with_route(policy(), |route| {
            route.check = check;
            route.cache_ttl = 600 * SECOND;
        });
        let world = world(policy, [("small", vec![says("bad"), says("good")]), ("big", vec![says("good")])]);
        let (outcome, told) = streamed(&world, Duration::ZERO).await;
        assert_eq!((trail(&outcome), outcome.status), (tried, Status::Ok), "{check:?}");
        assert_eq!((chunks(&told), told.endings), (world.script.stream(call), vec![None]), "{check:?}");
        let unchecked = world.gateway.complete(Ask { check: None, ..chat(None) }).await.0;
        assert_eq!(unchecked.cache == CacheUse::Hit, check == ChatCheck::Hold, "what was rejected is not kept");
    }
}

#[tokio::test(start_paused = true)]
async fn a_kept_stream_is_replayed_as_it_came_and_serves_whole_answers_too() {
    let world = world(hosted_first(), [("big", vec![words(stops())])]);
    let first = streamed(&world, Duration::ZERO).await.0;
    let (hit, told) = streamed(&world, SECOND).await;
    assert_eq!((hit.status, hit.cache, hit.saved), (Status::Cached, CacheUse::Hit, first.cost));
    assert_eq!((chunks(&told), told.endings), (world.script.stream(0), vec![None]));
    let (whole, completion) = world.gateway.complete(chat(None)).await;
    assert_eq!((whole.cache, text(&completion)), (CacheUse::Hit, "two words"));
    assert_eq!(world.script.called(), ["big"]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_came_whole_is_one_piece() {
    let world = world(hosted_first(), [("big", vec![Step::Says("at once")])]);
    let heard = |told: &Told| (chunks(told), told.endings.clone());
    let once = (vec![Arc::from("whole: at once")], vec![None]);
    assert_eq!(heard(&streamed(&world, Duration::ZERO).await.1), once, "a backend that knows no streams");
    assert_eq!(heard(&streamed(&world, Duration::ZERO).await.1), once, "and the kept answer");
    let (outcome, completion) = world.gateway.complete(chat(None)).await;
    assert_eq!((outcome.cache, text(&completion)), (CacheUse::Hit, "at once"));
}

#[tokio::test(start_paused = true)]
async fn who_asks_the_same_reads_along_from_the_beginning() {
    let world = world(hosted_first(), [("big", vec![words(stops())])]);
    let asked = Instant::now();
    let whole = async {
        tokio::time::sleep(SECOND / 2).await;
        world.gateway.complete(chat(None)).await
    };
    let (first, early, late, (whole, completion)) =
        tokio::join!(later(&world, Duration::ZERO), later(&world, SECOND / 2), later(&world, 3 * SECOND / 2), whole);
    for (outcome, told) in [&early, &late] {
        assert_eq!((chunks(told), told.endings.as_slice()), (world.script.stream(0), [None].as_slice()));
        assert_eq!((outcome.status, outcome.cache, outcome.saved), (Status::Cached, CacheUse::Shared, first.0.cost));
    }
    assert_eq!(early.1.first.map(|first| (first - asked).as_secs()), Some(1), "with the first word, not with the last");
    assert_eq!((whole.cache, text(&completion)), (CacheUse::Shared, "two words"));
    assert_eq!(world.script.called(), ["big"]);
}

#[tokio::test(start_paused = true)]
async fn who_read_along_with_a_stream_that_breaks_sees_it_break_and_the_others_ask_again() {
    let world = world(hosted_first(), [("big", vec![words(Tail::Fails(Kind::UpstreamCut)), words(stops())])]);
    let whole = async {
        tokio::time::sleep(SECOND / 2).await;
        world.gateway.complete(chat(None)).await
    };
    let (_, second, (whole, completion)) = tokio::join!(later(&world, Duration::ZERO), later(&world, SECOND), whole);
    assert_eq!(
        (chunks(&second.1), second.1.endings),
        (world.script.stream(0)[..3].to_vec(), vec![Some(Kind::UpstreamCut)])
    );
    assert_eq!((second.0.status, second.0.cache, second.0.attempts.len()), (Status::Partial, CacheUse::Miss, 0));
    assert_eq!((whole.status, whole.cache, text(&completion)), (Status::Ok, CacheUse::Miss, "two words"));
}

#[tokio::test(start_paused = true)]
async fn a_stream_goes_on_for_those_who_read_along_when_its_own_reader_leaves() {
    let world = world(hosted_first(), [("big", vec![words(stops())])]);
    let (first, second) = tokio::join!(leaving(&world, Duration::ZERO, 1), later(&world, SECOND / 2));
    assert_eq!((first.0.status, first.1), (Status::Ok, 1));
    assert_eq!((chunks(&second.1), second.1.endings), (world.script.stream(0), vec![None]));
    assert_eq!((second.0.cache, world.script.called().len()), (CacheUse::Shared, 1));
    let alone = self::world(hosted_first(), [("big", vec![words(stops())])]);
    let (first, second) = tokio::join!(leaving(&alone, Duration::ZERO, 1), leaving(&alone, SECOND / 2, 1));
    assert_eq!((first.0.status, second.0.status), (Status::Cancelled, Status::Cancelled), "nobody is left");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_its_allowance_ended_is_whole_for_those_who_read_along_and_kept_for_nobody() {
    let long = || words(Tail::Ends(Finish::Length));
    let world = world(hosted_first(), [("big", vec![long(), long()])]);
    let (_, second) = tokio::join!(later(&world, Duration::ZERO), later(&world, SECOND));
    assert_eq!((second.0.cache, second.1.endings), (CacheUse::Shared, vec![None]));
    assert_eq!(streamed(&world, Duration::ZERO).await.0.cache, CacheUse::Miss);
}

#[tokio::test(start_paused = true)]
async fn so_is_one_of_which_no_word_was_shown_before_its_end() {
    let long = || Step::Long("as far as it may");
    let world = world(hosted_first(), [("big", vec![long(), long()])]);
    let (_, second) = tokio::join!(streamed(&world, Duration::ZERO), streamed(&world, Duration::ZERO));
    assert_eq!((second.0.status, second.0.cache), (Status::Cached, CacheUse::Shared));
    let whole = || world.gateway.complete(chat(None));
    let (_, second) = tokio::join!(whole(), whole());
    assert_eq!((second.0.cache, world.script.called().len()), (CacheUse::Shared, 2));
}

#[tokio::test(start_paused = true)]
async fn who_would_read_along_gives_up_when_no_word_comes_in_its_own_time() {
    let late = Step::Streams(vec![Beat::Pause(18 * SECOND), Beat::Says("late")], stops());
    let world = world(hosted_first(), [("big", vec![late])]);
    let hurried = async {
        tokio::time::sleep(SECOND).await;
        let policy = with_route(hosted_first(), |route| route.envelope.deadline = 10 * SECOND);
        world.gateway.follow(Arc::new(policy));
        streamed(&world, Duration::ZERO).await
    };
    let (first, (second, told)) = tokio::join!(streamed(&world, Duration::ZERO), hurried);
    assert_eq!((first.0.status, second.status), (Status::Ok, Status::Failed));
    assert_eq!((told.pieces.len(), told.endings), (0, vec![Some(Kind::DeadlineExceeded)]));
    assert!(second.latency < 11 * SECOND, "{:?}", second.latency);
}

#[tokio::test(start_paused = true)]
async fn draining_ends_a_stream_that_nobody_reads_on() {
    let world = world(hosted_first(), [("big", vec![words(stops())])]);
    streamed(&world, Duration::ZERO).await;
    let (sink, mut stream): (Sink, Stream) = stream(1);
    let gateway = world.gateway.clone();
    let replayed = tokio::spawn(async move { gateway.complete(chat(Some(sink))).await });
    tokio::time::sleep(SECOND).await;
    world.gateway.drain(SECOND).await;
    let (outcome, completion) = replayed.await.unwrap();
    assert_eq!(outcome.status, Status::Cached);
    assert!(matches!(completion, Completion::Answer(_)));
    let told = read(&mut stream, Duration::ZERO).await;
    assert_eq!((told.pieces.len(), told.endings), (1, vec![Some(Kind::Cancelled)]), "it does not look complete");
}

#[tokio::test(start_paused = true)]
async fn a_panic_over_a_stream_is_an_ending() {
    let world = world(hosted_first(), [("big", vec![words(stops())])]);
    let (sink, mut stream) = stream(1);
    let broken = Ask { check: Some(Arc::new(|_| panic!("broken check"))), ..chat(Some(sink)) };
    let ((outcome, _), told) = tokio::join!(world.gateway.complete(broken), read(&mut stream, Duration::ZERO));
    assert_eq!((outcome.status, told.pieces.len(), told.endings.len()), (Status::Failed, 4, 1));
    assert!(told.endings[0].is_some());
}
