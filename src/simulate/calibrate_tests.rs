//! Cuts and intervals: where a threshold falls among scores.

use proptest::prelude::*;

use super::*;

fn sorted(mut scores: Vec<f64>) -> Vec<f64> {
    scores.sort_by(|one, other| other.total_cmp(one));
    scores
}

fn reaching(scores: &[f64], threshold: Option<f64>) -> usize {
    threshold.map_or(scores.len(), |threshold| scores.iter().filter(|score| **score >= threshold).count())
}

#[test]
fn a_threshold_is_a_short_number_between_two_scores() {
    let cut = Cut::nearest(&sorted(vec![0.1, 0.2, 0.3, 0.4, 0.512345]), 0.2);
    assert_eq!((cut.threshold, cut.above, cut.ties), (Some(0.5), 1, 1));
    let close = Cut::nearest(&[0.300_02, 0.300_01], 0.5);
    assert_eq!((close.threshold, close.above), (Some(0.300_02), 1));
}

/// So dense that the very place of the cut takes seven digits, which make no other share.
#[test]
fn digits_that_change_no_share_are_not_printed() {
    let dense = |count: u32| (0..count).rev().map(|n| f64::from(n) / f64::from(count) * 0.9 + 0.012_345_678).collect();
    let cases = [(100_000, 0.2, 0.732, 0.0005), (2_000, 0.2, 0.732, 0.0005), (300, 0.2, 0.73, 0.002)];
    for (count, share, threshold, near) in cases {
        let scores: Vec<f64> = dense(count);
        let cut = Cut::nearest(&scores, share);
        assert_eq!(cut.threshold, Some(threshold), "{count}");
        assert_eq!(cut.above, reaching(&scores, cut.threshold), "the share that is told is the one it gives");
        assert!((cut.above as f64 / f64::from(count) - share).abs() <= near, "{count} {cut:?}");
    }
}

#[test]
fn equal_scores_go_together_and_the_nearest_share_wins() {
    let scores = [0.5, 0.5, 0.5, 0.5, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2];
    let cut = Cut::nearest(&scores, 0.25);
    assert_eq!((cut.above, cut.ties), (4, 4), "40% is nearer to 25% than nothing is");
    assert_eq!(Cut::nearest(&scores, 0.2).above, 0, "as near: fewer go up");
    assert_eq!(Cut::nearest(&scores, 0.9).above, 10);
}

#[test]
fn all_none_and_nothing_recorded() {
    assert_eq!(Cut::nearest(&[0.4, 0.3], 0.0).threshold, Some(0.7));
    assert_eq!(Cut::nearest(&[0.4, 0.3], 1.0).threshold, Some(0.3));
    assert_eq!(Cut::nearest(&[1.0, 1.0, 1.0], 0.1).threshold, None, "no threshold keeps a score of 1 out");
    let nothing = Cut::nearest(&[], 0.5);
    assert_eq!((nothing.threshold, nothing.range(&[])), (None, (None, None)));
}

#[test]
fn few_questions_make_a_wide_interval() {
    let (low, high) = wilson(0.2, 20);
    assert!((low - 0.0807).abs() < 0.001 && (high - 0.4160).abs() < 0.001, "{low} {high}");
    let (low, high) = wilson(0.2, 20_000);
    assert!(high - low < 0.012, "{low} {high}");
    assert_eq!(wilson(0.5, 0), (0.0, 1.0));
}

proptest! {
    #[test]
    fn the_threshold_gives_the_wanted_share_within_one_tie(
        scores in proptest::collection::vec(prop_oneof![0.0..1.0_f64, (0..5_u32).prop_map(|n| f64::from(n) / 5.0)], 1..60),
        share in 0.0..=1.0_f64,
    ) {
        let scores = sorted(scores);
        let cut = Cut::nearest(&scores, share);
        prop_assert_eq!(reaching(&scores, cut.threshold), cut.above);
        let off = (cut.above as f64 - share * scores.len() as f64).abs();
        // The group of equal scores that the exact cut falls into is at most parted wrongly by half.
        let largest = scores.iter().map(|score| scores.iter().filter(|other| *other == score).count()).max();
        prop_assert!(off <= largest.unwrap_or(0) as f64 / 2.0 + 1e-9, "{} off", off);
        let (low, high) = cut.range(&scores);
        prop_assert!(low <= high);
    }
}
