//! What a rate does with time and news, and when asking first is a waste.

use proptest::prelude::*;

use super::*;

const DAY: i64 = 86_400;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

/// Answers that took so many seconds and a thousand tokens each way.
fn checked(passed: u32, rejected: u32, seconds: u64) -> Checked {
    let many = passed + rejected;
    Checked {
        model: "small".into(),
        tool: "plan_sprint".into(),
        prompt_version: "1".into(),
        at: at(0),
        passed,
        rejected,
        latency: Duration::from_secs(seconds) * many,
        usage: Usage {
            input: Tokens(1_000 * u64::from(many)),
            output: Tokens(1_000 * u64::from(many)),
            ..Usage::default()
        },
    }
}

fn track(passed: u32, rejected: u32, seconds: u64) -> Track {
    let mut track = Track::default();
    track.add(&checked(passed, rejected, seconds), at(0));
    track
}

/// A tenth of a cent for the usual call: as much as a second.
fn priced() -> Option<Price> {
    let dollar = NanoUsd(500_000_000);
    Some(Price { input: dollar, cached_input: dollar, output: dollar })
}

#[test]
fn nothing_known_is_the_prior_and_a_check_moves_it() {
    assert_eq!(Track::default().rate(), PassRate { rate: 0.75, sample: 0.0, prior: 0.75 });
    assert_eq!(track(0, 4, 1).rate(), PassRate { rate: 0.375, sample: 4.0, prior: 0.75 });
    assert_eq!(track(12, 0, 1).rate().rate, 15.0 / 16.0);
}

#[test]
fn a_check_counts_half_after_a_week() {
    let mut old = Track::default();
    old.add(&checked(0, 8, 1), at(7 * DAY));
    assert_eq!(old.rate().sample, 4.0);
    let mut new = Track::default();
    new.add(&checked(0, 8, 1), at(-3_600));
    assert_eq!(new.rate().sample, 8.0, "from the future: as good as new");
}

#[test]
fn rates_are_told_apart_by_model_tool_and_wording() {
    let other = |change: fn(&mut Checked)| {
        let mut other = checked(3, 0, 1);
        change(&mut other);
        other
    };
    let all = [
        checked(0, 9, 1),
        other(|other| other.model = "big".into()),
        other(|other| other.prompt_version = "2".into()),
        other(|other| other.tool = "x".into()),
    ];
    let rates = PassRates::new(&all, at(0));
    let of = rates.of("plan_sprint", "1");
    assert_eq!(
        of.iter().map(|(model, track)| (model.as_str(), track.sample())).collect::<Vec<_>>(),
        [("big", 3.0), ("small", 9.0)]
    );
    assert_eq!(rates.of("plan_sprint", "2").len(), 1);
    assert!(rates.of("plan_sprint", "3").is_empty());
}

#[test]
fn asking_first_is_a_waste_when_it_costs_more_than_it_saves() {
    // The next call is worth two seconds: its money, and a second's wait. With half of the answers passing, one second
    // is what asking a free model first may take.
    let half = |seconds| track(5, 9, seconds);
    assert!((half(1).rate().rate - 8.0 / 18.0).abs() < 1e-9);
    let next = track(10, 0, 1);
    let cases = [
        (track(5, 9, 1), true, "1 s is more than 44% of 2 s"),
        (track(9, 5, 1), false, "1 s is less than 67% of 2 s"),
        (track(9, 5, 3), true, "too slow for what it saves"),
        (track(0, 7, 60), false, "seven checks are too few"),
        (track(0, 8, 60), true, "eight are not"),
        (track(100, 0, 1), false, "it always passes"),
    ];
    for (first, expected, why) in cases {
        assert_eq!(first.is_waste(Some(Price::default()), Some(&next), priced()), expected, "{why}");
    }
    // A next model that was never asked is taken to be as fast: three seconds and the money, four in all.
    assert!(!track(30, 1, 3).is_waste(Some(Price::default()), None, priced()));
    assert!(track(5, 9, 3).is_waste(Some(Price::default()), None, priced()));
    // A model that costs as much as the next one is a waste unless it nearly always passes.
    assert!(track(9, 5, 1).is_waste(priced(), Some(&next), priced()));
}

proptest! {
    #[test]
    fn without_news_a_rate_goes_back_to_the_prior(passed in 0u32..500, rejected in 0u32..500, day in 0i64..400, later in 1i64..400) {
        let after = |day: i64| {
            let mut track = Track::default();
            track.add(&checked(passed, rejected, 1), at(day * DAY));
            track.rate()
        };
        let (one, two, end) = (after(day), after(day + later), after(100_000));
        let away = |rate: PassRate| (rate.rate - rate.prior).abs();
        prop_assert!(away(two) <= away(one) + 1e-12);
        prop_assert!(two.sample <= one.sample);
        prop_assert!(away(end) < 1e-9 && end.sample < 1e-9);
    }

    #[test]
    fn another_pass_never_lowers_a_rate_and_another_rejection_never_raises_it(
        passed in 0u32..1_000, rejected in 0u32..1_000, more in 1u32..50, age in 0i64..60,
    ) {
        let base = track(passed, rejected, 1);
        let with = |passed, rejected| {
            let mut track = base;
            track.add(&checked(passed, rejected, 1), at(age * DAY));
            track.rate().rate
        };
        prop_assert!(with(more, 0) >= base.rate().rate - 1e-12);
        prop_assert!(with(0, more) <= base.rate().rate + 1e-12);
        prop_assert!((0.0..=1.0).contains(&with(more, more)));
    }

    #[test]
    fn below_the_minimum_sample_nothing_is_a_waste(passed in 0u32..8, seconds in 0u64..10_000) {
        let few = track(passed, 7 - passed.min(7), seconds);
        prop_assert!(few.is_enough() || !few.is_waste(None, None, priced()));
        prop_assert!(passed > 7 || !few.is_enough());
    }

    #[test]
    fn a_model_that_passes_more_is_never_a_waste_sooner(rejected in 0u32..40, passed in 8u32..40, more in 1u32..40) {
        let waste = |passed| track(passed, rejected, 2).is_waste(Some(Price::default()), None, priced());
        prop_assert!(!waste(passed + more) || waste(passed));
    }
}
