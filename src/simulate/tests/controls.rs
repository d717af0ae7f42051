//! The controls: all in one tier are the bounds, and the lot costs what the policy costs.

use proptest::prelude::*;

use super::*;
use AttemptResult::{Accepted, Rejected, Timeout};

/// How a question went, as the policy of the tests would have sent it.
fn rows() -> impl Strategy<Value = Vec<PastRequest>> {
    let row = (0_u32..300, 0_u8..4).prop_map(|(tasks, ending)| {
        let signals = question(tasks);
        let local = decided(&signals).unwrap().as_str() == "local";
        match (local, ending) {
            (true, 0) => past(&signals, &[("small", Rejected), ("big", Accepted)]),
            (true, 1) => past(&signals, &[("small", Timeout), ("big", Rejected)]),
            (true, _) => past(&signals, &[("small", Accepted)]),
            (false, 0) => past(&signals, &[("big", Timeout), ("small", Accepted)]),
            (false, _) => past(&signals, &[("big", Accepted)]),
        }
    });
    proptest::collection::vec(row, 1..120)
}

fn cost(row: &Row) -> i64 {
    row.cost_nanousd.unwrap().0
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn replaying_the_present_policy_gives_the_recorded_tiers(rows in rows()) {
        let report = compared(&policy(), &policy(), &recorded(&rows));
        let (present, recorded) = (row(&report, Subject::Present), row(&report, Subject::Recorded));
        prop_assert_eq!(hosted(present), hosted(recorded));
        prop_assert_eq!(present.logic, recorded.logic);
    }

    #[test]
    fn all_local_and_all_hosted_bound_the_shares_and_the_cost(rows in rows(), at in 0.0..1.0_f64) {
        let report = compared(&threshold(at), &policy(), &recorded(&rows));
        let (low, new, high) =
            (row(&report, Subject::AllLowest), row(&report, Subject::New), row(&report, Subject::AllHighest));
        prop_assert_eq!((hosted(low), hosted(high)), (0.0, 1.0));
        prop_assert!(cost(low) <= cost(new) + 1 && cost(new) <= cost(high) + 1, "{low:?} {new:?} {high:?}");
        prop_assert_eq!(&low.name, "all local");
    }

    #[test]
    fn the_lot_costs_what_the_policy_costs(rows in rows(), at in 0.0..1.0_f64) {
        let report = compared(&threshold(at), &policy(), &recorded(&rows));
        let (new, lot) = (row(&report, Subject::New), row(&report, Subject::Shuffle));
        let one = (200 * IN + 20 * OUT).max(cost(new) / 1_000);
        prop_assert!(report.against_chance.as_ref().is_none_or(|against| against.same_cost));
        prop_assert_eq!(&lot.name, "by lot, same cost");
        prop_assert!((cost(new) - cost(lot)).abs() <= one, "{} {}", cost(new), cost(lot));
    }

    #[test]
    fn a_replay_is_the_same_each_time_and_no_figure_leaves_its_range(rows in rows(), at in 0.0..1.0_f64) {
        let traffic = recorded(&rows);
        let report = compared(&threshold(at), &policy(), &traffic);
        prop_assert_eq!(&report, &compared(&threshold(at), &policy(), &traffic));
        for row in &report.rows {
            let shares: f64 = row.starts.iter().map(|share| share.share).sum::<f64>() + row.logic;
            prop_assert!((shares - 1.0).abs() < 1e-9, "{row:?}");
            prop_assert!((0.0..=1.0 + 1e-9).contains(&row.checked.value), "{row:?}");
        }
    }
}

#[test]
fn a_score_that_finds_the_hard_questions_beats_the_lot_and_one_that_does_not_does_not() {
    let easy = many(300, &past(&question(3), &[("small", Accepted)]));
    let hard = many(100, &past(&question(300), &[("small", Rejected), ("big", Rejected)]));
    // The hosted model did better on the hard ones than the local one, and it was never needed for the others.
    let helped = many(100, &past(&question(300), &[("small", Rejected), ("big", Accepted)]));
    let stays = |policy: Policy| with_route(policy, |route| route.escalate.on_rejected = false);
    let traffic = recorded(&[easy, hard, helped].concat());
    let chosen = compared(&stays(policy()), &policy(), &traffic).against_chance.unwrap();
    assert!(chosen.checked.value > 0.05 && chosen.verdict == Verdict::Better, "{chosen:?}");

    let same = many(200, &past(&question(3), &[("small", Accepted)]));
    let same_but_hard = many(200, &past(&question(300), &[("small", Accepted)]));
    let chance = compared(&stays(policy()), &policy(), &recorded(&[same, same_but_hard].concat()));
    let chance = chance.against_chance.unwrap();
    assert_eq!(chance.verdict, Verdict::NoBetter, "{chance:?}");
}

#[test]
fn noise_shrinks_with_more_questions_and_is_unknown_for_one() {
    let mixed = |count| {
        let accepted = many(count, &past(&question(3), &[("small", Accepted)]));
        let rejected = many(count, &past(&question(3), &[("small", Rejected), ("big", Accepted)]));
        let both = accepted.into_iter().zip(rejected).flat_map(|(one, other)| [one, other]);
        // In no order that the blocks could follow.
        let mut rows: Vec<PastRequest> = both.collect();
        fastrand::Rng::with_seed(7).shuffle(&mut rows);
        row(&compared(&policy(), &policy(), &recorded(&rows)), Subject::New).escalations.error
    };
    let (few, more) = (mixed(50).unwrap(), mixed(5_000).unwrap());
    // Half of the questions escalate: the standard error of a share of n is 0.5 / √n.
    assert!((few - 0.05).abs() < 0.02 && (more - 0.005).abs() < 0.002, "{few} {more}");
    let one = compared(&policy(), &policy(), &recorded(&[past(&question(3), &[("small", Accepted)])]));
    assert_eq!(row(&one, Subject::New).escalations.error, None);
}
