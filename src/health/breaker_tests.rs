//! Every transition by table, and what holds whatever happens in whatever order.

use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

const RULES: Rules =
    Rules { failures: 3, window: Duration::from_secs(30), consecutive_timeouts: 2, open: SECOND_15, probes: 1 };
const SECOND_15: Duration = Duration::from_secs(15);

/// What happens to a breaker, one thing a line.
enum Do {
    Wait(u64),
    Hear(Evidence),
    /// Asks, and what is answered.
    Ask(Entry),
    /// A probe ends so, and gives its place back.
    Ends(Evidence),
}

use Do::{Ask, Ends, Hear, Wait};
use Evidence::{Answered, Busy, Failed, Forbidden, KeyRefused, None as Nothing, TimedOut as Silent, Unreachable};

const REFUSED: Entry = Entry::Refused { until: None };

/// The state after all of it. Refusals are compared without their time: `open_for` holds that.
fn after(rules: &Rules, steps: &[Do]) -> State {
    let (mut breaker, mut now) = (Breaker::default(), Instant::now());
    for step in steps {
        match step {
            Wait(seconds) => now += SECOND * u32::try_from(*seconds).unwrap(),
            Hear(evidence) => breaker.heard(*evidence, false, now, rules),
            Ask(expected) => {
                let timeless = |entry| if matches!(entry, Entry::Refused { .. }) { REFUSED } else { entry };
                assert_eq!(timeless(breaker.admit(now, rules)), *expected);
            }
            Ends(evidence) => {
                breaker.heard(*evidence, true, now, rules);
                breaker.release();
            }
        }
    }
    breaker.state(now)
}

#[track_caller]
fn ends(steps: &[Do], state: State) {
    assert_eq!(after(&RULES, steps), state);
}

#[test]
fn closed_stays_closed() {
    ends(&[Ask(Entry::Free), Ask(Entry::Free)], State::Closed);
    ends(&[Hear(Failed), Hear(Failed)], State::Closed);
    ends(&[Hear(Silent), Hear(Answered), Hear(Silent)], State::Closed);
    ends(&[Hear(Silent), Hear(Failed), Wait(31), Hear(Silent)], State::Closed);
    let apart = [Hear(Failed), Wait(20), Hear(Failed), Wait(11), Hear(Failed), Ask(Entry::Free)];
    ends(&apart, State::Closed);
    let nobodys_fault = || Hear(Nothing);
    ends(&[nobodys_fault(), nobodys_fault(), nobodys_fault(), nobodys_fault()], State::Closed);
    ends(&[Hear(KeyRefused), Hear(KeyRefused), Hear(KeyRefused)], State::Closed);
    ends(&[Hear(Busy(SECOND)), Hear(Busy(SECOND)), Hear(Busy(SECOND))], State::Closed);
}

#[test]
fn closed_opens() {
    ends(&[Hear(Failed), Hear(Failed), Hear(Failed)], State::Open);
    ends(&[Hear(Failed), Hear(Answered), Hear(Failed), Hear(Answered), Hear(Failed)], State::Open);
    ends(&[Hear(Silent), Hear(Silent), Ask(REFUSED)], State::Open);
    ends(&[Hear(Unreachable), Hear(Silent)], State::Open);
    ends(&[Hear(Forbidden), Ask(REFUSED)], State::Open);
    ends(&[Hear(Unreachable), Hear(Unreachable)], State::Open);
    // A call a minute: no window ever holds two of them.
    ends(&[Hear(Silent), Wait(3_600), Hear(Silent)], State::Open);
    ends(&[Hear(Silent), Hear(Nothing), Hear(Silent)], State::Open);
    ends(&[Hear(Failed), Wait(29), Hear(Failed), Hear(Failed)], State::Open);
}

fn opened() -> Vec<Do> {
    vec![Hear(Silent), Hear(Silent)]
}

fn opened_then(steps: Vec<Do>) -> Vec<Do> {
    opened().into_iter().chain(steps).collect()
}

#[test]
fn open_waits_for_its_whole_time() {
    ends(&opened_then(vec![Wait(14), Ask(REFUSED)]), State::Open);
    ends(&opened_then(vec![Hear(Answered), Ask(REFUSED)]), State::Open);
    ends(&opened_then(vec![Wait(14), Hear(Failed), Wait(1)]), State::HalfOpen);
    ends(&opened_then(vec![Wait(15), Ask(Entry::Probe), Ask(REFUSED)]), State::HalfOpen);
}

#[test]
fn half_open_follows_its_probes() {
    let probed = |steps: Vec<Do>| opened_then([Wait(15), Ask(Entry::Probe)].into_iter().chain(steps).collect());
    ends(&probed(vec![Ends(Answered), Ask(Entry::Free), Ask(Entry::Free)]), State::Closed);
    ends(&probed(vec![Ends(Failed), Ask(REFUSED)]), State::Open);
    ends(&probed(vec![Ends(Failed), Wait(15), Ask(Entry::Probe)]), State::HalfOpen);
    ends(&probed(vec![Ends(Forbidden), Wait(15), Ask(Entry::Probe)]), State::HalfOpen);
    ends(&probed(vec![Ends(Nothing), Ask(Entry::Probe)]), State::HalfOpen);
    ends(&probed(vec![Ends(KeyRefused), Ask(Entry::Probe)]), State::HalfOpen);
    // Calls from before it opened end late: they decide nothing.
    ends(&probed(vec![Hear(Answered), Ask(REFUSED)]), State::HalfOpen);
    ends(&probed(vec![Hear(Failed), Ask(REFUSED), Ends(Answered)]), State::Closed);
    // It begins anew, with no failure held against it.
    ends(&probed(vec![Ends(Answered), Hear(Silent)]), State::Closed);
}

#[test]
fn a_probe_that_somebody_waited_for_in_vain_is_not_made_again_soon() {
    let probe = |wait, how| vec![Wait(wait), Ask(Entry::Probe), Ends(how)];
    let opened_for = |wait: u64, before: Vec<Do>| {
        let steps = |wait: u64| [Wait(wait - 1), Ask(REFUSED), Wait(1), Ask(Entry::Probe)].into_iter();
        ends(&before.into_iter().chain(steps(wait)).collect::<Vec<_>>(), State::HalfOpen);
    };
    let in_vain = |waits: &[u64]| opened_then(waits.iter().flat_map(|wait| probe(*wait, Silent)).collect());
    opened_for(15, in_vain(&[]));
    opened_for(60, in_vain(&[15]));
    opened_for(240, in_vain(&[15, 60]));
    opened_for(300, in_vain(&[15, 60, 240]));
    opened_for(300, in_vain(&[15, 60, 240, 300]));
    // A probe that fails at once cost nobody a wait, and one that is answered ends it all.
    opened_for(15, opened_then([probe(15, Silent), probe(60, Failed)].into_iter().flatten().collect()));
    let well = [probe(15, Silent), probe(60, Answered), opened()].into_iter().flatten().collect();
    opened_for(15, opened_then(well));
    let long = Rules { open: SECOND * 400, ..RULES };
    assert_eq!(after(&long, &opened_then(probe(400, Silent).into_iter().chain([Wait(399)]).collect())), State::Open);
    assert_eq!(
        after(&long, &opened_then(probe(400, Silent).into_iter().chain([Wait(400)]).collect())),
        State::HalfOpen
    );
}

#[test]
fn several_probes_at_a_time_if_the_policy_says_so() {
    let rules = Rules { probes: 2, ..RULES };
    let two = || opened_then(vec![Wait(15), Ask(Entry::Probe), Ask(Entry::Probe), Ask(REFUSED)]);
    let with = |steps: Vec<Do>| after(&rules, &two().into_iter().chain(steps).collect::<Vec<_>>());
    assert_eq!(with(vec![Ends(Failed), Ends(Answered)]), State::Open, "open is open, whoever comes late");
    assert_eq!(with(vec![Ends(Answered), Ends(Failed)]), State::Closed, "one failure of an open model is a failure");
    let slow = vec![Ends(Failed), Wait(15), Ask(Entry::Probe), Ask(REFUSED)];
    assert_eq!(with(slow), State::HalfOpen, "a slow probe from before still takes its place");
}

#[test]
fn a_refusal_says_until_when() {
    let now = Instant::now();
    let breaker = Breaker::opened(now + SECOND);
    assert_eq!(breaker.look(now, &RULES), Entry::Refused { until: Some(now + SECOND) });
    assert_eq!((breaker.open_until(), breaker.state(now)), (Some(now + SECOND), State::Open));
    assert_eq!(breaker.look(now + SECOND, &RULES), Entry::Probe);
}

#[derive(Debug, Clone)]
enum Random {
    Wait(u64),
    Ask,
    /// One of the calls in flight ends so.
    End(prop::sample::Index, Evidence),
}

fn random() -> impl Strategy<Value = Random> {
    let evidence =
        prop::sample::select(vec![Answered, Failed, Silent, Unreachable, Nothing, KeyRefused, Forbidden, Busy(SECOND)]);
    prop_oneof![
        (0u64..100_000).prop_map(Random::Wait),
        Just(Random::Ask),
        Just(Random::Ask),
        (any::<prop::sample::Index>(), evidence).prop_map(|(which, evidence)| Random::End(which, evidence)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn whatever_happens(steps in prop::collection::vec(random(), 0..200), probes in 1u32..4, failures in 1u32..6) {
        let rules = Rules { probes, failures, ..RULES };
        let (mut breaker, mut now) = (Breaker::default(), Instant::now());
        let mut in_flight: Vec<bool> = Vec::new();
        let mut not_before: Option<Instant> = None;
        let mut in_vain = 0;
        for step in steps {
            let (before, looks) = (breaker.state(now), breaker.look(now, &rules));
            // Its time may be over, but nobody has asked since: it is for the next one who does to find out.
            let waits = breaker.open_until().is_some();
            match step {
                Random::Wait(millis) => now += Duration::from_millis(millis),
                Random::Ask => {
                    let entry = breaker.admit(now, &rules);
                    prop_assert_eq!(entry, looks, "a look says what would happen");
                    match entry {
                        Entry::Free => in_flight.push(false),
                        Entry::Probe => in_flight.push(true),
                        Entry::Refused { .. } => {}
                    }
                    prop_assert_eq!(entry == Entry::Free, before == State::Closed);
                    if let Some(until) = not_before {
                        prop_assert!(now >= until || matches!(entry, Entry::Refused { .. }), "let in before its time");
                    }
                    let probing = in_flight.iter().filter(|is_probe| **is_probe).count();
                    prop_assert!(probing <= probes as usize, "{} probes", probing);
                    if before == State::HalfOpen && probing == 0 {
                        prop_assert_eq!(entry, Entry::Probe, "nobody would ever find out");
                    }
                }
                Random::End(which, evidence) if !in_flight.is_empty() => {
                    let is_probe = in_flight.swap_remove(which.index(in_flight.len()));
                    breaker.heard(evidence, is_probe, now, &rules);
                    if is_probe {
                        breaker.release();
                    }
                    let state = breaker.state(now);
                    match (before, is_probe, evidence) {
                        (State::Closed, _, Answered | Nothing | KeyRefused | Busy(_)) => prop_assert_eq!(state, State::Closed),
                        (State::Closed, _, Failed | Silent | Unreachable) => prop_assert_ne!(state, State::HalfOpen),
                        (State::Closed, _, Forbidden) => prop_assert_eq!(state, State::Open),
                        (State::HalfOpen, true, Answered) if !waits => prop_assert_eq!(state, State::Closed),
                        (State::HalfOpen, true, Failed | Silent | Unreachable | Forbidden) if !waits => prop_assert_eq!(state, State::Open),
                        (State::HalfOpen | State::Open, ..) => prop_assert_eq!(state, before),
                    }
                    if before != State::Open && state == State::Open {
                        not_before = breaker.open_until();
                        in_vain = if before == State::HalfOpen && evidence == Silent { in_vain + 1 } else { 0 };
                        let time = [15, 60, 240, 300][in_vain.min(3)];
                        prop_assert_eq!(not_before, Some(now + SECOND * time));
                    }
                }
                Random::End(..) => {}
            }
        }
    }
}
