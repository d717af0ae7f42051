//! How much of a ledger is read.

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn a_sample_has_about_as_many_as_asked_for_and_all_of_a_small_ledger(requests in 1_u64..10_000_000, most in 1_u64..1_000_000) {
        let span = TrafficSpan { first: 1, last: requests as i64, requests };
        let every = every(span, Some(most));
        prop_assert!(requests / every <= most);
        prop_assert!(requests > most || every == 1);
        prop_assert_eq!(super::every(span, None), 1);
    }
}
