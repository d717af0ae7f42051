//! When a policy is said to choose better or worse than chance.

use super::*;

/// So many questions of a hundred, and the standard error of that.
fn of_a_hundred(value: f64, error: f64) -> Difference {
    Difference::of(value / 100.0, error / 100.0)
}

#[test]
fn a_verdict_takes_more_than_chance_and_more_than_one_question_in_a_hundred() {
    let nothing = of_a_hundred(0.0, 0.01);
    let cases = [
        (nothing, of_a_hundred(0.6, 0.01), Verdict::NoBetter, "certain, and too little to matter"),
        (nothing, of_a_hundred(-0.6, 0.01), Verdict::NoBetter, "the same the other way"),
        (of_a_hundred(-0.9, 0.001), nothing, Verdict::NoBetter, "checked answers too"),
        (nothing, of_a_hundred(5.0, 3.0), Verdict::NoBetter, "much, and no more than chance does"),
        (nothing, of_a_hundred(1.0, 0.1), Verdict::Worse, "one in a hundred counts"),
        (nothing, of_a_hundred(-14.0, 1.0), Verdict::Better, "fewer escalations for as many answers"),
        (of_a_hundred(2.0, 0.1), of_a_hundred(9.0, 0.1), Verdict::Better, "answers come before escalations"),
        (of_a_hundred(-2.0, 0.1), of_a_hundred(-9.0, 0.1), Verdict::Worse, "also when they are fewer"),
    ];
    for (checked, escalations, expected, why) in cases {
        assert_eq!(verdict(&checked, &escalations), expected, "{why}");
    }
}
