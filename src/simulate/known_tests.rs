//! Running pass rates against the sums that the gateway makes anew each minute.

use proptest::prelude::*;

use super::super::tests::{at, later, past, question, recorded};
use super::*;
use crate::classify::PassRates;
use crate::request::AttemptResult::{Accepted, Rejected};
use crate::request::Checked;
use crate::store::PastRequest;

/// The rates by the gateway's own way: from all checks before the minute of the question.
fn anew(rows: &[PastRequest], question: &Question) -> BTreeMap<ModelName, Track> {
    let minute = Timestamp::from_second(question.at.as_second() / 60 * 60).unwrap();
    let checked = rows.iter().flat_map(|row| &row.attempts).filter(|attempt| attempt.started_at < minute);
    let checked = checked.map(|attempt| Checked {
        model: attempt.model.clone(),
        tool: "plan_sprint".into(),
        prompt_version: "1".into(),
        at: attempt.started_at,
        passed: u32::from(attempt.result == Accepted),
        rejected: u32::from(attempt.result == Rejected),
        latency: attempt.latency,
        usage: attempt.usage.unwrap(),
    });
    PassRates::new(&checked.collect::<Vec<_>>(), minute).of("plan_sprint", "1")
}

fn close(one: f64, other: f64) -> bool {
    (one - other).abs() < 1e-6
}

proptest! {
    #[test]
    fn running_sums_are_the_gateways_own(rows in prop::collection::vec((0..40_000_i64, any::<bool>(), any::<bool>()), 1..80)) {
        let row = |(minute, small, accepted): &(i64, bool, bool)| {
            let result = if *accepted { Accepted } else { Rejected };
            later(&past(&question(3), &[(if *small { "small" } else { "big" }, result)]), *minute)
        };
        let rows: Vec<PastRequest> = rows.iter().map(row).collect();
        let traffic = recorded(&rows);
        let mut history = History::of(&traffic);
        for question in &traffic.questions {
            let (known, expected) = (history.before(question), anew(&rows, question));
            prop_assert_eq!(known.is_some(), expected.values().any(Track::is_enough));
            for (model, track) in known.iter().flat_map(|known| known.iter()) {
                let expected = expected.get(model).copied().unwrap_or_default();
                prop_assert!(close(track.rate().rate, expected.rate().rate), "{model} {track:?} {expected:?}");
                prop_assert!(close(track.sample(), expected.sample()), "{model} {track:?} {expected:?}");
            }
        }
    }
}

fn known_at(rows: &[PastRequest], minute: i64) -> Option<f64> {
    let asked = later(&past(&question(3), &[]), minute);
    let traffic = recorded(&[rows, &[asked]].concat());
    let last = traffic.questions.last().unwrap();
    Some(History::of(&traffic).before(last)?.get("small")?.sample())
}

fn checks(count: i64, first: i64, result: crate::request::AttemptResult) -> Vec<PastRequest> {
    (0..count).map(|n| later(&past(&question(3), &[("small", result)]), first + n)).collect()
}

#[test]
fn a_check_counts_from_the_minute_after_it_and_too_few_change_nothing() {
    let nine = checks(9, 0, Rejected);
    assert_eq!(known_at(&nine, 8), None, "the ninth is made in that minute, and the eight before are less than eight");
    assert!(known_at(&nine, 9).is_some_and(|sample| sample > 8.99));
    assert_eq!(known_at(&checks(8, 0, Rejected), 60), None);
    assert_eq!(known_at(&nine, 9 + 36 * 24 * 60), None, "what is five half-lives old is not read");
}

#[test]
fn the_newest_five_thousand_count_as_in_the_gateway() {
    // In one minute, so that age takes nothing away: the old ones are gone whole.
    let mut rows = vec![later(&past(&question(3), &[("small", Rejected)]), 0); 3_000];
    rows.extend(vec![later(&past(&question(3), &[("small", Accepted)]), 1); 5_000]);
    let traffic = recorded(&[rows, vec![later(&past(&question(3), &[]), 2)]].concat());
    let known = History::of(&traffic).before(traffic.questions.last().unwrap()).unwrap();
    let track = known["small"];
    assert!(track.sample() > 4_999.0 && track.sample() < 5_001.0, "{track:?}");
    assert!(track.rate().rate > 0.9997, "{track:?}");
}

#[test]
fn checks_before_the_first_request_count_and_those_of_a_sample_stand_for_others() {
    let before = Checked {
        model: "small".into(),
        tool: "plan_sprint".into(),
        prompt_version: "1".into(),
        at: at(-60),
        passed: 2,
        rejected: 6,
        latency: std::time::Duration::from_secs(8),
        usage: crate::chat::Usage::default(),
    };
    let row = later(&past(&question(3), &[("small", Rejected)]), 0);
    let mut traffic = Traffic::default();
    [row, later(&past(&question(3), &[]), 1)].iter().for_each(|row| traffic.add(row, 1));
    let traffic = traffic.finish(20, &[before]);
    assert_eq!(traffic.weight, 10.0);
    let mut history = History::of(&traffic);
    assert_eq!(history.before(&traffic.questions[0]), None, "eight, an hour old, count a little less than eight");
    let known = history.before(&traffic.questions[1]).unwrap();
    assert!((known["small"].sample() - 18.0).abs() < 0.1, "8 and 10 times 1: {known:?}");
}
