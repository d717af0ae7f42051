//! Whatever streams, readers and policies do: who reads along sees one stream and one ending, nothing is asked for after
//! its first word, and the books are right. In paused time, as in `properties`.

use std::time::Duration;

use futures_util::future::join_all;
use proptest::prelude::*;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::fixtures::{Beat, STATUS, Step, Tail, Told, World, ask, chat_signals, read_into, with_route, world};
use super::properties::{adds_up, any_policy, any_step, estimates_stand_apart, sent, within_its_envelope};
use crate::chat::Finish;
use crate::error::Kind;
use crate::policy::{ChatCheck, Policy};
use crate::request::{
    Ask, AttemptResult as How, CacheMode, CacheUse, Caller, Delivery, Outcome, Piece, Status, stream,
};

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// The fixtures' models give a call this long.
const TOTAL: Duration = Duration::from_secs(120);

/// No stream here has more chunks.
const MOST_BEATS: usize = 8;

/// One caller: which question, when it comes, how it reads, and when it leaves.
#[derive(Debug, Clone)]
struct Visit {
    question: u8,
    comes: u64,
    cache: CacheMode,
    /// `None`: it wants the answer whole. Else the pause before each piece.
    reads: Option<u64>,
    room: usize,
    leaves: Leaves,
}

#[derive(Debug, Clone)]
enum Leaves {
    Never,
    /// Its token is cancelled.
    Cancels(u64),
    /// Nobody reads its stream any more.
    StopsReading(u64),
}

/// What came of a visit.
struct Seen {
    outcome: Outcome,
    told: Told,
    asked: Instant,
}

fn any_stream() -> impl Strategy<Value = Step> {
    let beat = prop_oneof![
        1 => Just(Beat::Role),
        1 => Just(Beat::Thought),
        3 => prop::sample::select(vec!["good ", "bad ", "words "]).prop_map(Beat::Says),
        2 => (0u64..25_000).prop_map(|millis| Beat::Pause(Duration::from_millis(millis))),
    ];
    let tail = prop_oneof![
        4 => Just(Tail::Ends(Finish::Stop)),
        1 => Just(Tail::Ends(Finish::Length)),
        1 => Just(Tail::Ends(Finish::ContentFilter)),
        1 => Just(Tail::Stalls),
        2 => prop::sample::select(vec![Kind::UpstreamCut, Kind::UpstreamFailed, Kind::UpstreamBusy, Kind::FormatRefused])
            .prop_map(Tail::Fails),
    ];
    (prop::collection::vec(beat, 0..MOST_BEATS), tail).prop_map(|(beats, tail)| Step::Streams(beats, tail))
}

fn any_steps() -> impl Strategy<Value = Vec<Step>> {
    // Of these the fake upstream knows no first word that could be late.
    let no_wait = |step: &Step| !matches!(step, Step::Slow(_) | Step::Never);
    let at_once = any_step().prop_filter("answers at once", no_wait);
    prop::collection::vec(prop_oneof![4 => any_stream(), 1 => at_once], 0..8)
}

prop_compose! {
    fn any_visit()(
        question in 0u8..2,
        comes in 0u64..20_000,
        cache in prop::sample::select(vec![CacheMode::Use, CacheMode::Use, CacheMode::NoCache, CacheMode::NoStore]),
        reads in prop_oneof![1 => Just(None), 2 => Just(Some(0)), 2 => (0u64..30_000).prop_map(Some)],
        room in 1usize..4,
        leaves in prop_oneof![
            3 => Just(Leaves::Never),
            1 => (0u64..60_000).prop_map(Leaves::Cancels),
            1 => (0u64..60_000).prop_map(Leaves::StopsReading),
        ],
    ) -> Visit {
        Visit { question, comes, cache, reads, room, leaves }
    }
}

async fn visit(world: &World, visit: &Visit) -> Seen {
    sleep(visit.comes as u32 * MILLISECOND).await;
    let (asked, cancel) = (Instant::now(), CancellationToken::new());
    let (sink, mut pieces) = stream(visit.room);
    let delivery = visit.reads.map_or(Delivery::Whole, |_| Delivery::Stream(sink));
    let caller = Caller { name: format!("caller {}", visit.question) };
    let ask = Ask { signals: chat_signals(100), cache: visit.cache, caller, delivery, ..ask(cancel.clone()) };
    let mut told = Told::default();
    let reads = async {
        let Some(pause) = visit.reads else { return };
        let patience = match visit.leaves {
            Leaves::StopsReading(at) => at as u32 * MILLISECOND,
            Leaves::Never | Leaves::Cancels(_) => Duration::MAX,
        };
        let _ = timeout(patience, read_into(&mut told, &mut pieces, pause as u32 * MILLISECOND)).await;
        drop(pieces);
    };
    let cancels = async {
        if let Leaves::Cancels(at) = visit.leaves {
            sleep(at as u32 * MILLISECOND).await;
            cancel.cancel();
        }
    };
    let ((outcome, _), (), ()) = tokio::join!(world.gateway.complete(ask), reads, cancels);
    Seen { outcome, told, asked }
}

/// All come, read and go; then the gateway is drained.
async fn play(world: &World, visits: &[Visit]) -> Vec<Seen> {
    let seen = join_all(visits.iter().map(|one| visit(world, one))).await;
    world.gateway.drain(Duration::ZERO).await;
    seen
}

/// The pieces are the beginning of one call's stream, and all of it where it is said to be complete.
fn one_stream_and_one_ending(world: &World, visit: &Visit, seen: &Seen) -> Result<Option<usize>, TestCaseError> {
    let Seen { outcome, told, .. } = seen;
    let stays = visit.reads.is_some() && !matches!(visit.leaves, Leaves::StopsReading(_));
    prop_assert!(told.endings.len() == 1 || (!stays && told.endings.is_empty()), "{told:?}");
    let complete = told.endings == [None];
    let answered = matches!(outcome.status, Status::Ok | Status::Cached);
    prop_assert!(!complete || answered, "{told:?} {outcome:?}");
    // A caller who has gone may have an answer that it did not take.
    prop_assert!(complete || !answered || !stays || matches!(visit.leaves, Leaves::Cancels(_)), "{told:?} {outcome:?}");
    let Some(Piece::Chunk(first)) = told.pieces.first() else {
        prop_assert!(told.pieces.len() <= 1, "a whole answer is one piece: {told:?}");
        prop_assert!(!complete || told.pieces.len() == 1, "{told:?}");
        return Ok(None);
    };
    let call: usize = first.split(' ').next().unwrap().parse().unwrap();
    let stream: Vec<Piece> = world.script.stream(call).into_iter().map(Piece::Chunk).collect();
    prop_assert_eq!(told.pieces.as_slice(), &stream[..told.pieces.len()]);
    prop_assert!(!complete || told.pieces.len() == stream.len(), "{told:?}");
    Ok(Some(call))
}

/// Whatever was shown was shown of the last call, unless it was another's.
fn nobody_after_the_commit_point(seen: &Seen, call: Option<usize>) -> Result<(), TestCaseError> {
    let Seen { outcome, told, .. } = seen;
    if told.pieces.is_empty() {
        return Ok(());
    }
    let Some(last) = outcome.attempts.last() else {
        let others = matches!(outcome.status, Status::Cached | Status::Partial | Status::Cancelled);
        prop_assert!(others, "{outcome:?}");
        return Ok(());
    };
    match call {
        Some(call) => prop_assert_eq!(last.http_status, Some(STATUS + call as u16), "{:?}", outcome),
        None => prop_assert_eq!(outcome.status, Status::Ok),
    }
    Ok(())
}

/// The deadline holds until the first piece, and a call's own time after it. A reader takes the time that it takes.
fn in_its_time(policy: &Policy, visit: &Visit, seen: &Seen) -> Result<(), TestCaseError> {
    let deadline = policy.routes[0].envelope.deadline + SECOND;
    let pause = visit.reads.unwrap_or(0) as u32 * MILLISECOND;
    let first = seen.told.first.map(|first| first - seen.asked);
    // The first piece may come right after the reader began to pause for it.
    prop_assert!(first.is_none_or(|first| first <= deadline + pause), "{first:?}");
    let reading = pause * (MOST_BEATS as u32 + 2);
    let most = if visit.reads.is_some() { deadline + TOTAL + reading } else { deadline };
    prop_assert!(seen.outcome.latency <= most, "{:?}", seen.outcome);
    Ok(())
}

fn ends_as_its_last_attempt(policy: &Policy, outcome: &Outcome) -> Result<(), TestCaseError> {
    let held = policy.routes[0].check == ChatCheck::Hold;
    let answered = outcome.attempts.last().is_some_and(|last| match last.result {
        How::Accepted | How::Unchecked => true,
        How::Rejected => !held,
        _ => false,
    });
    prop_assert_eq!(outcome.status == Status::Ok, answered, "{:?}", outcome);
    let given = matches!(outcome.cache, CacheUse::Hit | CacheUse::Shared) && outcome.model.is_some();
    prop_assert_eq!(outcome.status == Status::Cached, given);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whoever_reads_along_sees_one_stream_and_one_ending_and_the_books_are_right(
        small in any_steps(),
        big in any_steps(),
        policy in any_policy(),
        check in prop::sample::select(vec![ChatCheck::Record, ChatCheck::Off, ChatCheck::Hold]),
        visits in prop::collection::vec(any_visit(), 1..5),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let policy = with_route(policy, |route| route.check = check);
        let world = world(policy.clone(), [("small", small), ("big", big)]);
        let all = runtime.block_on(play(&world, &visits));
        for (visit, seen) in visits.iter().zip(&all) {
            let call = one_stream_and_one_ending(&world, visit, seen)?;
            nobody_after_the_commit_point(seen, call)?;
            in_its_time(&policy, visit, seen)?;
            within_its_envelope(&seen.outcome, &policy)?;
            ends_as_its_last_attempt(&policy, &seen.outcome)?;
            adds_up(&seen.outcome, &policy)?;
        }
        let kept = world.kept.0.lock().unwrap();
        prop_assert_eq!(kept.len(), visits.len(), "one outcome a request");
        let calls = kept.iter().map(|outcome| sent(outcome).len()).sum::<usize>();
        prop_assert_eq!(calls, world.script.called().len(), "one row a call");
        prop_assert!(world.kept.2.lock().unwrap().iter().all(|one| one.closed == 1), "what was set aside is settled once");
        estimates_stand_apart(&kept, &world)?;
    }
}
