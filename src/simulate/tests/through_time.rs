//! Pass rates and budgets as they move: what they do to the questions that come after.

use jiff::tz::TimeZone;

use super::*;
use crate::gateway::fixtures::budget;
use crate::policy::{Budget, ChatCheck, Sticky, WhenSpent};
use crate::request::{Conversation, Endpoint, Scope, Target};
use AttemptResult::{Accepted, Rejected};

/// One question of a hard kind a minute, at `small` in vain and then at `big`.
fn rejected(count: i64) -> Vec<PastRequest> {
    let row = past(&question(3), &[("small", Rejected), ("big", Accepted)]);
    (0..count).map(|minute| later(&row, minute)).collect()
}

fn told(report: &Report, subject: Subject) -> &ThroughTime {
    report.through_time.iter().find(|told| told.subject == subject).unwrap()
}

/// With so much of what would begin above begun below all the same.
fn exploring(explore: f64) -> Policy {
    let mut policy = policy();
    policy.classifier.explore = explore;
    policy
}

fn with_budget(limit: i64, when_spent: WhenSpent) -> Policy {
    let budgets = vec![Budget { when_spent, ..budget("day", Scope::All, limit) }];
    Policy { budgets, time_zone: TimeZone::UTC, ..exploring(0.0) }
}

#[test]
fn a_tier_whose_answers_are_rejected_is_passed_over_from_the_eighth_check_on() {
    let report = compared(&exploring(0.0), &policy(), &recorded(&rejected(40)));
    // The first eight come before eight checks are known, and the ninth just after what age takes of them.
    let passed = told(&report, Subject::New).passed_over;
    assert!((31..=32).contains(&passed), "{:?}", report.through_time);
    assert_eq!(hosted(row(&report, Subject::New)), passed as f64 / 40.0);
    assert_eq!(row(&report, Subject::New).escalations.value, (40 - passed) as f64 / 40.0);
    assert_eq!((hosted(row(&report, Subject::AllLowest)), hosted(row(&report, Subject::AllHighest))), (0.0, 1.0));
    assert!(code(&report, "pass_rates").is_some());
    let good: Vec<_> = (0..40).map(|minute| later(&past(&question(3), &[("small", Accepted)]), minute)).collect();
    assert_eq!(told(&compared(&policy(), &policy(), &recorded(&good)), Subject::New).passed_over, 0);
}

#[test]
fn exploring_is_drawn_by_the_requests_id() {
    let traffic = recorded(&rejected(400));
    let report = compared(&exploring(0.25), &exploring(1.0), &traffic);
    let (new, present) = (told(&report, Subject::New), told(&report, Subject::Present));
    assert_eq!(new.passed_over + new.explored, present.explored, "{:?}", report.through_time);
    assert!((70..130).contains(&new.explored) && present.passed_over == 0, "{:?}", report.through_time);
    assert_eq!(report, compared(&exploring(0.25), &exploring(1.0), &traffic));
}

#[test]
fn a_model_that_nobody_asked_has_no_rate() {
    let mut renamed = exploring(0.0);
    let mut other = renamed.models["small"].clone();
    other.spec.name = "other".into();
    renamed.models.insert("other".into(), other);
    renamed.tiers[0].models = vec!["other".into()];
    let report = compared(&renamed, &exploring(0.0), &recorded(&rejected(40)));
    assert_eq!(told(&report, Subject::New).passed_over, 0);
    assert!(told(&report, Subject::Present).passed_over > 30);
}

#[test]
fn a_budget_that_runs_out_leaves_the_rest_to_free_models_or_ends_it() {
    let paid = past(&question(300), &[("big", Accepted)]);
    let rows: Vec<_> = (0..20).map(|minute| later(&paid, minute)).collect();
    // A call costs 200,000 and could cost 100 in and all the output that `big` may write.
    let one = 100 * IN + 10 * OUT;
    let worst = 100 * IN + i64::try_from(policy().models["big"].spec.max_output.0).unwrap() * OUT;
    for (when_spent, checked) in [(WhenSpent::FreeOnly, true), (WhenSpent::Reject, false)] {
        let limited = with_budget(worst + 4 * one, when_spent);
        let report = compared(&limited, &policy(), &recorded(&rows));
        let (new, present) = (row(&report, Subject::New), row(&report, Subject::Present));
        assert_eq!((new.cost_nanousd, present.cost_nanousd), (Some(NanoUsd(5 * one)), Some(NanoUsd(20 * one))));
        assert_eq!(new.checked.value > 0.26, checked, "{when_spent:?}: {new:?}");
        let day = &told(&report, Subject::New).budgets[0];
        assert_eq!((day.periods, day.spent.len(), day.rejects), (1, 1, !checked));
        assert_eq!((day.spent[0].at, day.spent[0].kept_back), (at(5), 15.0));
        let highest = row(&report, Subject::AllHighest);
        assert_eq!(highest.cost_nanousd, Some(NanoUsd(20 * one)), "the bound knows no budget");
        assert!(code(&report, "budgets").is_some());
    }
}

#[test]
fn each_day_has_its_own_money_and_the_first_one_what_is_left_of_it() {
    let row = past(&question(300), &[("big", Accepted)]);
    let rows: Vec<_> = (0..20).flat_map(|n| [later(&row, n), later(&row, 24 * 60 + n)]).collect();
    let one = 100 * IN + 10 * OUT;
    let worst = 100 * IN + i64::try_from(policy().models["big"].spec.max_output.0).unwrap() * OUT;
    let limited = with_budget(worst + 4 * one, WhenSpent::FreeOnly);
    let traffic = recorded(&rows);
    let contender = |policy, spent| Contender { name: "it".into(), policy, opening: vec![NanoUsd(spent)] };
    let comparison = Comparison {
        new: contender(&limited, 3 * one),
        present: contender(&limited, 0),
        keys_as_set: false,
        since: at(0),
        requests: traffic.requests,
    };
    let report = run(&comparison, &traffic);
    let kept_back = |subject| -> Vec<f64> {
        told(&report, subject).budgets[0].spent.iter().map(|period| period.kept_back).collect()
    };
    assert_eq!((kept_back(Subject::New), kept_back(Subject::Present)), (vec![18.0, 15.0], vec![15.0, 15.0]));
}

#[test]
fn a_decision_knows_which_budgets_are_spent() {
    // Over a day's money at once: of what follows, the decision itself leaves `big` out, and stays where it is free.
    let mut limited = with_budget(0, WhenSpent::FreeOnly);
    limited.routes[0].fallback.downward = false;
    let report = compared(&limited, &policy(), &recorded(&rejected(40)));
    let new = told(&report, Subject::New);
    assert_eq!((new.passed_over, hosted(row(&report, Subject::New))), (0, 0.0), "nobody above could be paid");
    assert!(new.budgets[0].spent[0].kept_back > 30.0, "{new:?}");
}

#[test]
fn conversations_are_told_where_a_route_would_keep_them() {
    let mut chat = question(3);
    chat.target = Target::Endpoint(Endpoint::Chat);
    chat.conversation = Some(Conversation::default());
    let traffic = recorded(&many(3, &past(&chat, &[("small", Accepted)])));
    let sticky = with_route(policy(), |route| {
        (route.sticky, route.check) = (Sticky::Conversation, ChatCheck::Record);
    });
    let loose = with_route(policy(), |route| route.sticky = Sticky::None);
    assert_eq!(code(&compared(&sticky, &loose, &traffic), "conversations").unwrap().count, Some(3));
    assert!(code(&compared(&loose, &loose, &traffic), "conversations").is_none());
}
