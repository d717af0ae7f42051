//! Times by the policy's clocks, and where each request is counted.

use super::*;
use crate::chat::NanoUsd;
use crate::gateway::fixtures;
use crate::store::Sums;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn requests(groups: &[(&str, &str, u64)]) -> Groups {
    let group = |(tier, status, requests): &(&str, &str, u64)| {
        (vec![(*tier).to_owned(), (*status).to_owned()], Sums { requests: *requests, ..Sums::default() })
    };
    groups.iter().map(group).collect()
}

#[test]
fn times_go_by_the_policys_clocks_and_meet() {
    // Half past midnight of the first in Kathmandu, and still the evening before in London.
    let zone = TimeZone::get("Asia/Kathmandu").unwrap();
    let times = Times::of(at("2026-11-30T18:45:00Z"), &zone);
    assert_eq!(times.today.from(), at("2026-11-30T18:15:00Z"));
    assert_eq!(times.month.from(), times.today.from());
    let (hours, days) = (&times.hours, &times.days);
    assert_eq!((hours.len(), hours[0].label.as_str(), hours[23].label.as_str()), (24, "01:00", "00:00"));
    assert_eq!((days.len(), days[0].label.as_str(), days[29].label.as_str()), (30, "Nov 2", "Dec 1"));
    assert_eq!(hours[23].stretch.from(), at("2026-11-30T18:15:00Z"));
    for times in [hours, days] {
        assert!(times.windows(2).all(|pair| pair[0].stretch.until() == pair[1].stretch.from()));
    }
}

#[test]
fn an_hour_that_clocks_go_through_twice_is_shown_twice() {
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    let times = Times::of(at("2026-10-25T06:10:00Z"), &zone);
    let labels: Vec<&str> = times.hours.iter().map(|hour| hour.label.as_str()).collect();
    assert_eq!(labels[17..], ["02:00", "02:00", "03:00", "04:00", "05:00", "06:00", "07:00"]);
    assert!(times.hours.windows(2).all(|pair| pair[0].stretch.until() == pair[1].stretch.from()));
}

#[test]
fn every_request_is_counted_where_its_answer_came_from() {
    let groups = requests(&[
        ("none", "ok", 1),
        ("local", "cached", 2),
        ("none", "cached", 3),
        ("local", "ok", 4),
        ("hosted", "ok", 5),
        ("gone", "ok", 6),
        ("none", "degraded", 7),
        ("local", "partial", 8),
        ("none", "rejected", 9),
        ("none", "failed", 10),
        ("none", "cancelled", 11),
    ]);
    let all: u64 = groups.values().map(|sums| sums.requests).sum();
    let by = answered_by(&fixtures::policy(), std::slice::from_ref(&groups));
    let tiers: Vec<&str> = by.iter().filter_map(|by| by.tier.as_ref()).map(TierName::as_str).collect();
    assert_eq!(tiers, ["local", "hosted", "gone"]);
    let times = Times::of(at("2026-11-26T12:00:00Z"), &TimeZone::UTC);
    let slices = slices(times.days, &[Groups::new(), groups], &by);
    assert_eq!(slices[0].counts, [0; 7]);
    assert_eq!(slices[1].counts, [1, 5, 4, 5, 6, 15, 30]);
    assert_eq!(slices[1].counts.iter().sum::<u64>(), all);
}

#[test]
fn a_period_that_cost_more_than_the_highest_tier_says_so() {
    let sums = |cost, wasted, counterfactual| Sums {
        cost: NanoUsd(cost),
        wasted: NanoUsd(wasted),
        counterfactual: NanoUsd(counterfactual),
        saved: NanoUsd(30),
        requests: 2,
        ..Sums::default()
    };
    let groups =
        Groups::from([(named("big", "degraded"), sums(500, 500, 0)), (named("big", "ok"), sums(900, 0, 1_000))]);
    let period = period(&fixtures::policy(), at("2026-11-26T00:00:00Z"), &groups);
    let spent = period.spent.map(|money| money.nanousd);
    assert_eq!((period.requests, spent, period.wasted.nanousd), (4, Some(1_400), 500));
    assert_eq!((period.compared, period.highest_tier.unwrap().nanousd), (Compared::Known, 1_000));
    assert_eq!(period.cache_saved.nanousd, 60);
    assert_eq!(period.saved.unwrap().text, "-$0.0000004");
}

fn named(model: &str, status: &str) -> Vec<String> {
    [model, status].map(str::to_owned).to_vec()
}

#[test]
fn what_is_not_known_of_a_period_is_no_amount() {
    let mut policy = fixtures::policy();
    let answers = |counterfactual, unknown| Sums {
        requests: 2,
        attempts: 2,
        counterfactual: NanoUsd(counterfactual),
        counterfactual_unknown: unknown,
        ..Sums::default()
    };
    let told = |policy: &Policy, status, sums| {
        let period = period(policy, at("2026-11-26T00:00:00Z"), &Groups::from([(named("big", status), sums)]));
        let amount = |money: Option<Money>| money.map(|money| money.nanousd);
        (amount(period.spent), period.uncosted, period.compared, amount(period.highest_tier), amount(period.saved))
    };
    assert_eq!(told(&policy, "ok", answers(0, 2)), (Some(0), 0, Compared::Unknown, None, None));
    assert_eq!(told(&policy, "ok", answers(7, 1)), (Some(0), 0, Compared::Partly, Some(7), Some(7)));
    assert_eq!(told(&policy, "ok", answers(0, 0)), (Some(0), 0, Compared::Known, Some(0), Some(0)));
    assert_eq!(told(&policy, "failed", answers(0, 0)), (Some(0), 0, Compared::Nothing, None, None));
    policy.models.get_mut("big").unwrap().price = None;
    assert_eq!(told(&policy, "ok", answers(7, 0)), (None, 2, Compared::About, Some(7), Some(7)));
}
