//! Models side by side, keys, permits, and many who ask at once.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const RULES: Rules = Rules {
    failures: 5,
    window: Duration::from_secs(30),
    consecutive_timeouts: 2,
    open: Duration::from_secs(15),
    probes: 1,
};

/// `small` at `local`; `big` and `huge` at `hosted`.
fn board() -> Board {
    let models = [("small", "local"), ("big", "hosted"), ("huge", "hosted")];
    let place = |(model, backend): (&str, &str)| {
        let [model, backend] = [model, backend].map(|name| Identity::of([name.as_bytes()]));
        Place { model, backend }
    };
    Board::new(RULES, models.map(|named| (named.0.into(), place(named))))
}

fn call(board: &Board, model: &str, evidence: Evidence, now: Instant) {
    let admission = board.admits(&model.into(), now);
    board.heard(&model.into(), admission, evidence, now);
}

fn out(board: &Board, now: Instant) -> Vec<(String, Ailment)> {
    board.out(now).into_iter().map(|(model, why)| (model.to_string(), why)).collect()
}

fn state(board: &Board, model: &str, now: Instant) -> State {
    board.states(now).into_iter().find(|(name, _)| name.as_str() == model).unwrap().1
}

#[test]
fn a_model_that_is_silent_twice_is_out_alone_and_comes_back_by_a_probe() {
    let (board, now) = (board(), Instant::now());
    call(&board, "small", Evidence::TimedOut, now);
    assert!(out(&board, now).is_empty() && board.take_turns().is_empty());
    call(&board, "small", Evidence::TimedOut, now);
    assert_eq!(out(&board, now), [("small".to_owned(), Ailment::Failing)]);
    let until = now + RULES.open;
    assert_eq!(board.take_turns(), [("small".into(), Turn::Opened { until })].into());
    assert!(board.take_turns().is_empty(), "told once");
    let early = board.admits(&"small".into(), now + 14 * SECOND);
    assert!(matches!(early, Admission::No { why: Ailment::Failing, until: Some(at) } if at == until), "{early:?}");

    let probe = board.admits(&"small".into(), until);
    assert!(matches!(probe, Admission::Probe(_)));
    assert!(matches!(board.admits(&"small".into(), until), Admission::No { until: None, .. }));
    assert_eq!(state(&board, "small", until), State::HalfOpen);
    board.heard(&"small".into(), probe, Evidence::Answered, until);
    assert_eq!(board.take_turns(), [("small".into(), Turn::Closed)].into());
    assert!(matches!(board.admits(&"small".into(), until), Admission::Yes));
    assert_eq!(state(&board, "small", until), State::Closed);
}

#[test]
fn a_model_that_our_key_may_not_use_is_out_alone() {
    let (board, now) = (board(), Instant::now());
    call(&board, "big", Evidence::Forbidden, now);
    assert_eq!(out(&board, now), [("big".to_owned(), Ailment::Failing)]);
    assert!(matches!(board.admits(&"huge".into(), now), Admission::Yes), "the key is good for another model");
}

#[test]
fn a_model_that_asks_for_a_rest_gets_it() {
    let (board, now) = (board(), Instant::now());
    call(&board, "big", Evidence::Busy(60 * SECOND), now);
    assert_eq!(out(&board, now + 59 * SECOND), [("big".to_owned(), Ailment::Busy)]);
    let until = now + 60 * SECOND;
    let asked = board.admits(&"big".into(), now);
    assert!(matches!(asked, Admission::No { why: Ailment::Busy, until: Some(at) } if at == until), "{asked:?}");
    assert!(matches!(board.admits(&"big".into(), until), Admission::Yes), "no probe: it said when it is well");
    assert_eq!((state(&board, "big", now), board.take_turns().len()), (State::Closed, 0));
    // A daily limit names hours. Whether that is so is found out earlier.
    call(&board, "big", Evidence::Busy(7 * 3_600 * SECOND), now);
    assert!(out(&board, now + 300 * SECOND).is_empty());
}

#[test]
fn what_could_not_be_reached_is_told_apart_as_long_as_nothing_else_was_seen() {
    let (board, now) = (board(), Instant::now());
    call(&board, "small", Evidence::TimedOut, now);
    call(&board, "small", Evidence::Unreachable, now);
    assert_eq!(out(&board, now), [("small".to_owned(), Ailment::Unreachable)]);
    let later = now + RULES.open;
    call(&board, "small", Evidence::Failed, later);
    assert_eq!(out(&board, later), [("small".to_owned(), Ailment::Failing)]);
}

#[test]
fn a_probe_that_is_dropped_gives_its_place_back() {
    let (board, now) = (board(), Instant::now());
    board.recall(&"small".into(), now + SECOND, now);
    let later = now + SECOND;
    let probe = board.admits(&"small".into(), later);
    assert!(!out(&board, later).is_empty(), "its one probe is under way");
    drop(probe);
    assert!(out(&board, later).is_empty());
    assert!(matches!(board.admits(&"small".into(), later), Admission::Probe(_)));
}

#[test]
fn a_refused_key_takes_the_whole_backend_out_until_one_probe_finds_out() {
    let (board, now) = (board(), Instant::now());
    call(&board, "big", Evidence::KeyRefused, now);
    assert_eq!(out(&board, now), ["big", "huge"].map(|model| (model.to_owned(), Ailment::KeyRefused)));
    assert_eq!((state(&board, "huge", now), state(&board, "small", now)), (State::Open, State::Closed));
    assert!(board.take_turns().is_empty(), "a new process may have a new key: it is not told");
    let later = now + RULES.open;
    let probe = board.admits(&"huge".into(), later);
    assert!(matches!(probe, Admission::Probe(_)));
    assert!(matches!(board.admits(&"big".into(), later), Admission::No { why: Ailment::KeyRefused, until: None }));
    board.heard(&"huge".into(), probe, Evidence::KeyRefused, later);
    assert_eq!(out(&board, later + 14 * SECOND).len(), 2);
    call(&board, "big", Evidence::Answered, later + RULES.open);
    assert!(out(&board, later + RULES.open).is_empty());
}

#[test]
fn a_key_probe_that_meets_something_else_leaves_the_question_open() {
    let (board, now) = (board(), Instant::now());
    call(&board, "big", Evidence::KeyRefused, now);
    let later = now + RULES.open;
    call(&board, "big", Evidence::TimedOut, later);
    assert_eq!(state(&board, "huge", later), State::HalfOpen);
    assert!(matches!(board.admits(&"huge".into(), later), Admission::Probe(_)));
}

#[test]
fn a_model_that_is_out_for_two_reasons_takes_no_place_it_does_not_use() {
    let (board, now) = (board(), Instant::now());
    call(&board, "big", Evidence::TimedOut, now);
    call(&board, "big", Evidence::TimedOut, now);
    call(&board, "huge", Evidence::KeyRefused, now - SECOND);
    // The key may be probed a second earlier than the model, but not by it.
    let between = now + 14 * SECOND;
    assert!(matches!(board.admits(&"big".into(), between), Admission::No { why: Ailment::Failing, .. }));
    assert!(matches!(board.admits(&"huge".into(), between), Admission::Probe(_)));
}

#[test]
fn what_another_process_saw_is_taken_up_within_bounds() {
    let (board, now) = (board(), Instant::now());
    board.recall(&"gone".into(), now + SECOND, now);
    assert!(out(&board, now).is_empty());
    board.recall(&"small".into(), now + 3_600 * SECOND, now);
    assert_eq!(out(&board, now + 299 * SECOND).len(), 1);
    assert!(out(&board, now + 300 * SECOND).is_empty(), "never for longer than a breaker is open");
    assert!(board.take_turns().is_empty(), "it is written down already");
}

#[test]
fn what_another_process_saw_long_ago_is_found_out_by_the_first_call() {
    for (evidence, turn) in [(Evidence::Answered, State::Closed), (Evidence::Failed, State::Open)] {
        let (board, now) = (board(), Instant::now());
        board.recall(&"small".into(), now, now);
        assert!(out(&board, now).is_empty());
        assert_eq!(state(&board, "small", now), State::HalfOpen);
        call(&board, "small", evidence, now);
        assert_eq!((state(&board, "small", now), board.take_turns().len()), (turn, 1));
    }
}

#[test]
fn an_answer_of_a_model_that_others_said_was_out_is_told_once() {
    let (board, now) = (board(), Instant::now());
    board.doubt(["small".into(), "big".into()]);
    call(&board, "small", Evidence::Failed, now);
    assert!(board.take_turns().is_empty() && state(&board, "small", now) == State::Closed);
    call(&board, "small", Evidence::Answered, now);
    assert_eq!(board.take_turns(), [("small".into(), Turn::Closed)].into());
    call(&board, "small", Evidence::Answered, now);
    assert!(board.take_turns().is_empty());
    board.doubt([]);
    call(&board, "big", Evidence::Answered, now);
    assert!(board.take_turns().is_empty(), "somebody else has heard it answer");
}

#[test]
fn many_who_ask_at_once_get_one_probe() {
    let (board, now) = (board(), Instant::now());
    board.recall(&"small".into(), now + SECOND, now);
    let (probes, refused) = (AtomicU32::new(0), AtomicU32::new(0));
    let barrier = std::sync::Barrier::new(16);
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                barrier.wait();
                let admission = board.admits(&"small".into(), now + SECOND);
                match &admission {
                    Admission::Probe(_) => probes.fetch_add(1, Ordering::Relaxed),
                    Admission::No { .. } => refused.fetch_add(1, Ordering::Relaxed),
                    Admission::Yes => panic!("half-open lets nobody in freely"),
                };
                barrier.wait();
            });
        }
    });
    assert_eq!((probes.into_inner(), refused.into_inner()), (1, 15));
}
