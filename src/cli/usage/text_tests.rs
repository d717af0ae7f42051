//! Reports as people read them: every sentence that money can be told in, and nothing unknown told as zero.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{text as text_in, *};
use crate::chat::Usage;
use crate::cli::usage::export;
use crate::cli::usage::period::Period;
use crate::cli::window::Last;
use crate::gateway::fixtures;
use crate::policy::Policy;
use crate::store::Groups;

/// As a pipe gets it.
fn text(report: &Report) -> String {
    text_in(report, None)
}

fn period(days: u16) -> Period {
    let now: Timestamp = "2026-11-26T12:00:00Z".parse().unwrap();
    Period::last(Last::Days(days), now, &TimeZone::UTC).ok().unwrap()
}

/// So many answers of this model, each at this cost, which would have taken a tenth of a cent at the highest tier.
fn answers(requests: u64, cost: i64) -> Sums {
    let count = i64::try_from(requests).unwrap();
    Sums {
        requests,
        attempts: requests,
        accepted: requests,
        latency: Duration::from_millis(1_500) * u32::try_from(requests).unwrap(),
        usage: Usage {
            input: Tokens(1_200 * requests),
            cached_input: Tokens(200 * requests),
            output: Tokens(80 * requests),
        },
        cost: NanoUsd(cost * count),
        counterfactual: NanoUsd(1_000_000 * count),
        ..Sums::default()
    }
}

fn logic(requests: u64) -> Sums {
    Sums { requests, latency: Duration::from_millis(2 * requests), ..Sums::default() }
}

fn groups<const N: usize>(groups: [(&str, &str, &str, Sums); N]) -> Groups {
    let named = |(name, model, status, sums): (&str, &str, &str, Sums)| {
        ([name, model, status].map(str::to_owned).to_vec(), sums)
    };
    groups.into_iter().map(named).collect()
}

fn report(by: By, parts: Vec<Groups>, policy: &Policy) -> Report {
    let days = u16::try_from(parts.len()).unwrap();
    Report::new(period(days), by, parts, policy)
}

/// Three days: most is local, one question went up, one was wasted on.
fn usual() -> Vec<Groups> {
    let rejected =
        Sums { attempts: 3, rejected: 3, cost: NanoUsd(6_000_000), wasted: NanoUsd(6_000_000), ..Sums::default() };
    vec![
        groups([("small", "small", "ok", answers(120, 0)), ("", "", "ok", logic(300))]),
        groups([]),
        groups([
            ("small", "small", "ok", answers(80, 0)),
            ("big", "big", "ok", answers(12, 2_100_000)),
            ("big", "big", "degraded", rejected),
            ("big", "big", "cached", Sums { requests: 7, saved: NanoUsd(14_700_000), ..Sums::default() }),
            ("", "", "degraded", logic(3)),
            ("", "", "failed", logic(1)),
        ]),
    ]
}

#[test]
fn a_usual_month_by_model() {
    insta::assert_snapshot!(text(&report(By::Model, usual(), &fixtures::policy())));
}

#[test]
fn the_same_by_day() {
    let by_day = |groups: Groups| groups.into_iter().map(|(names, sums)| (names[1..].to_vec(), sums)).collect();
    let parts = usual().into_iter().map(by_day).collect();
    insta::assert_snapshot!(text(&report(By::Day, parts, &fixtures::policy())));
}

#[test]
fn what_the_cache_saved_is_told_apart_from_what_routing_saved() {
    let told = report(By::Model, usual(), &fixtures::policy());
    let json = export::json(&told);
    assert_eq!((&json["total"]["cache_saved_nanousd"], &json["rows"][0]["name"]), (&14_700_000.into(), &"big".into()));
    assert_eq!(
        (&json["rows"][0]["cache_saved_nanousd"], &json["rows"][1]["cache_saved_nanousd"]),
        (&14_700_000.into(), &0.into())
    );
    assert!(export::csv(&told).lines().next().unwrap().ends_with(",cache_saved_usd"));
    assert!(export::csv(&told).contains("\nbig,") && export::csv(&told).contains(",0.0147"), "{}", export::csv(&told));
    // Nothing was: no word of it.
    let without =
        text(&report(By::Model, vec![groups([("small", "small", "ok", answers(1, 0))])], &fixtures::policy()));
    assert!(!without.contains("cache saved"), "{without}");
}

#[test]
fn an_empty_ledger_says_what_to_do() {
    let empty = report(By::Model, vec![groups([]), groups([])], &fixtures::policy());
    let told = "The last 2 days, 2026-11-25 to 2026-11-26: nothing was asked, then or ever.\n\
                Call a tool, such as `taskgate call list_tasks`, and it shows here.";
    assert_eq!(text(&empty), told);
    let late = Report { first_use: "2026-09-01T22:45:00Z".parse().ok(), ..empty };
    assert!(
        text(&late).ends_with("The first request came in on 2026-09-01: try --since 2026-09-01."),
        "{}",
        text(&late)
    );
}

#[test]
fn what_is_not_known_is_said_to_be_so() {
    let mut policy = fixtures::policy();
    policy.models.get_mut("big").unwrap().price = None;
    let no_price = Sums { counterfactual: NanoUsd::ZERO, counterfactual_unknown: 5, ..answers(5, 0) };
    let no_usage = Sums { attempts: 2, usage_unknown: 2, ..Sums::default() };
    let estimated =
        Sums { estimated: Tokens(900), counterfactual: NanoUsd::ZERO, counterfactual_unknown: 2, ..answers(2, 0) };
    let parts = vec![groups([
        ("big", "big", "ok", no_price),
        ("small", "small", "ok", estimated),
        ("gone", "gone", "failed", no_usage),
    ])];
    let report = report(By::Model, parts, &policy);
    insta::assert_snapshot!(text(&report));
    let json = export::json(&report);
    assert!(json["total"]["cost_nanousd"].is_null() && json["total"]["saved_nanousd"].is_null(), "{json}");
    let csv = export::csv(&report);
    assert!(csv.lines().any(|line| line.starts_with("big,5,5,") && line.contains(",,")), "{csv}");
}

#[test]
fn routing_that_cost_more_than_it_saved_says_so() {
    let parts = || vec![groups([("big", "big", "ok", answers(10, 1_500_000))])];
    let told = text(&report(By::Model, parts(), &fixtures::policy()));
    assert!(
        told.contains("The same answers at the highest tier: $0.01. Routing took $0.005 more than that (50%)."),
        "{told}"
    );
    let json = export::json(&report(By::Model, parts(), &fixtures::policy()));
    assert_eq!(json["total"]["saved_nanousd"], -5_000_000);
}

#[test]
fn a_partly_known_comparison_is_a_bound() {
    let with_unknown = |cost| Sums { counterfactual_unknown: 3, ..answers(10, cost) };
    let told = |cost| {
        let parts = vec![groups([("big", "big", "ok", with_unknown(cost))])];
        text(&report(By::Model, parts, &fixtures::policy())).replace('\n', " ")
    };
    let saved = "$0.01 or more (3 answers are not known there). Routing saved at least $0.01 of that (100%).";
    assert!(told(0).contains(saved), "{}", told(0));
    let took = "Routing took at most $0.005 more than that (50%).";
    assert!(told(1_500_000).contains(took), "{}", told(1_500_000));
}

#[test]
fn many_parts_share_bars_and_a_small_one_is_still_seen() {
    let small = |cost: i64| groups([("big", "big", "ok", answers(1, cost))]);
    let parts = (0..200).map(|n| small(if n == 150 { 1_000_000_000 } else { i64::from(n < 4) })).collect();
    let told = text(&report(By::Model, parts, &fixtures::policy()));
    let line = told.lines().find(|line| line.starts_with("cost ")).unwrap();
    assert!(line.starts_with("cost ▁··") && line.contains("█") && line.contains("(a bar is 4 days)"), "{line}");
    assert!(line.chars().count() < 110, "{line}");
}

#[test]
fn a_bar_of_several_hours_says_so() {
    let now: Timestamp = "2026-11-26T12:00:00Z".parse().unwrap();
    let period = Period::last(Last::Hours(72), now, &TimeZone::UTC).ok().unwrap();
    let parts = (0..72).map(|_| groups([("big", "big", "ok", answers(1, 1))])).collect();
    let told = text(&Report::new(period, By::Model, parts, &fixtures::policy()));
    assert!(told.contains("(a bar is 2 hours)"), "{told}");
}

#[test]
fn nothing_is_wider_than_the_terminal() {
    let long = |days: u16| {
        let mut parts = usual();
        parts.resize(days.into(), groups([]));
        report(By::Model, parts, &fixtures::policy())
    };
    let whole = text(&long(90));
    for width in [120, 100, 80, 60, 44] {
        let told = text_in(&long(90), Some(width));
        let widest = told.lines().map(|line| line.trim_end().chars().count()).max().unwrap();
        assert!(widest <= width, "{widest} in {width}:\n{told}");
        assert!(told.contains(" small ") && told.contains("$0.031") && told.contains("at most $0.031, "), "{told}");
        assert_eq!(told.contains("Too narrow for: wasted, out"), width <= 80, "{told}");
    }
    assert_eq!(text_in(&long(90), Some(200)), whole, "room enough changes nothing");
}

#[test]
fn a_highest_tier_that_is_free_has_nothing_to_save() {
    let free = |cost| Sums { counterfactual: NanoUsd::ZERO, ..answers(2, cost) };
    let told = |cost| {
        let parts = vec![groups([("small", "small", "ok", free(0)), ("big", "big", "ok", free(cost))])];
        text(&report(By::Model, parts, &fixtures::policy()))
    };
    assert!(told(0).contains("The highest tier is free too: routing saves time, no money."), "{}", told(0));
    assert!(
        told(5_000_000).contains("The highest tier is free. Routing took $0.01 more than that."),
        "{}",
        told(5_000_000)
    );
}

#[test]
fn large_figures_break_no_name() {
    let many = answers(1_234_567, 99_000_000);
    let parts = vec![groups([("a-caller-with-a-long-name", "big", "ok", many), ("ann", "big", "ok", many)])];
    let told = text(&report(By::Caller, parts, &fixtures::policy()));
    assert!(
        told.lines().any(|line| line.contains(" a-caller-with-a-long-name ") && line.contains("1,234,567")),
        "{told}"
    );
}

#[test]
fn names_with_commas_are_quoted_in_csv() {
    let parts = vec![groups([("Smith, \"Jo\"", "small", "ok", answers(1, 0))])];
    let csv = export::csv(&report(By::Caller, parts, &fixtures::policy()));
    assert!(csv.lines().nth(1).unwrap().starts_with("\"Smith, \"\"Jo\"\"\",1,1,"), "{csv}");
    let columns = |line: &str| line.replace("\"Smith, \"\"Jo\"\"\"", "").split(',').count();
    assert!(csv.lines().all(|line| columns(line) == 18), "{csv}");
}

#[test]
fn numbers_read_well() {
    assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    assert_eq!([999, 1_000, 12_345, 4_500_000].map(short), ["999", "1.0k", "12.3k", "4.5M"]);
    assert_eq!([0.0, 0.2, 0.6, 99.7, 100.0].map(shown_percent), ["0%", "under 1%", "1%", "over 99%", "100%"]);
}
