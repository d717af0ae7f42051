//! One policy's replay: what is recorded stays as it was, what is not is estimated, and nothing is flattered.

use super::*;
use crate::policy::{Budget, Period, WhenSpent};
use crate::request::Scope;
use AttemptResult::{Accepted, Rejected, Timeout, Unchecked};

#[test]
fn the_present_policy_gives_what_was_recorded() {
    let rows = [
        many(30, &past(&question(3), &[("small", Accepted)])),
        many(10, &past(&question(3), &[("small", Rejected), ("big", Accepted)])),
        many(10, &past(&question(300), &[("big", Accepted)])),
    ];
    let report = compared(&policy(), &policy(), &recorded(&rows.concat()));
    let (new, present, recorded) =
        (row(&report, Subject::New), row(&report, Subject::Present), row(&report, Subject::Recorded));
    assert_eq!((&new.starts, new.cost_nanousd), (&present.starts, present.cost_nanousd));
    assert_eq!(present.cost_nanousd, recorded.cost_nanousd);
    assert_eq!((present.escalations.value, recorded.escalations.value), (0.2, 0.2));
    assert_eq!((present.checked.value, hosted(present), hosted(recorded)), (1.0, 0.2, 0.2));
    let change = report.change.cost.unwrap();
    assert_eq!((change.value, change.low, change.inside_the_noise), (0.0, Some(0.0), true));
    assert!(code(&report, "never_asked").is_none() && code(&report, "tokens_estimated").is_none());
}

#[test]
fn a_lower_threshold_sends_up_and_costs_what_those_questions_would() {
    let rows =
        [many(50, &past(&question(3), &[("small", Accepted)])), many(50, &past(&question(300), &[("big", Accepted)]))];
    let report = compared(&threshold(0.0), &policy(), &recorded(&rows.concat()));
    let (new, present) = (row(&report, Subject::New), row(&report, Subject::Present));
    assert_eq!((hosted(new), hosted(present)), (1.0, 0.5));
    let one = 100 * IN + 10 * OUT;
    assert_eq!(present.cost_nanousd, Some(NanoUsd(50 * one)));
    // The prompt is as long for both questions here, so the new calls are as dear; a few would fail unpaid.
    let cost = new.cost_nanousd.unwrap().0;
    assert!(cost > 95 * one && cost < 100 * one, "{cost}");
    assert_eq!(code(&report, "never_asked").unwrap().count, Some(50));
}

#[test]
fn an_answer_that_was_never_given_is_as_good_as_the_models_record() {
    let rows = [
        many(60, &past(&question(3), &[("small", Accepted)])),
        many(40, &past(&question(3), &[("small", Rejected), ("big", Accepted)])),
        many(100, &past(&question(300), &[("big", Accepted)])),
    ];
    // Everything starts at `small`, also what it never saw: about 40% of it is rejected and goes up.
    let report = compared(&threshold(1.0), &policy(), &recorded(&rows.concat()));
    let new = row(&report, Subject::New);
    assert_eq!(hosted(new), 0.0);
    assert!((new.escalations.value - 0.4).abs() < 0.02, "{:?}", new.escalations);
    assert!(new.escalations.error.unwrap() > 0.01, "rates are not known exactly: {:?}", new.escalations);
}

#[test]
fn a_question_beyond_what_a_model_was_asked_is_told() {
    let sized = |size: u64, attempts: &[(&str, AttemptResult)]| {
        past(&Signals { context: Tokens(size), ..question(if size > 500 { 300 } else { 3 }) }, attempts)
    };
    let rows = [
        many(20, &sized(400, &[("small", Accepted)])),
        many(30, &sized(4_000, &[("big", Accepted)])),
        many(50, &sized(501, &[("big", Accepted)])),
    ];
    let report = compared(&threshold(1.0), &policy(), &recorded(&rows.concat()));
    let told = &code(&report, "never_asked").unwrap().text;
    assert!(told.contains("80 of them are larger"), "{told}");
    let other_way = compared(&threshold(0.0), &policy(), &recorded(&rows.concat()));
    assert!(!code(&other_way, "never_asked").unwrap().text.contains("larger"));
}

#[test]
fn a_model_without_a_price_makes_the_cost_unknown() {
    let rows = many(20, &past(&question(300), &[("big", Accepted)]));
    let report = compared(&unpriced(), &policy(), &recorded(&rows));
    let new = row(&report, Subject::New);
    assert_eq!((new.cost_nanousd, row(&report, Subject::Present).cost_nanousd.is_some()), (None, true));
    assert!(report.change.cost.is_none() && code(&report, "unpriced").is_some_and(|it| it.text.contains("big")));
    assert_eq!(row(&report, Subject::Shuffle).name, "by lot, same shares");
}

#[test]
fn a_local_model_without_a_price_costs_nothing_and_budgets_are_told() {
    let rows = recorded(&many(20, &past(&question(3), &[("small", Accepted)])));
    let mut unwritten = policy();
    unwritten.models.get_mut("small").unwrap().price = None;
    unwritten.budgets.push(Budget {
        name: "month".into(),
        scope: Scope::All,
        limit: NanoUsd(20_000_000_000),
        per: Period::Month,
        when_spent: WhenSpent::FreeOnly,
        warn_at: 0.8,
    });
    let report = compared(&unwritten, &policy(), &rows);
    assert_eq!(row(&report, Subject::New).cost_nanousd, Some(NanoUsd(0)));
    assert!(code(&report, "budgets").is_some(), "{:?}", report.unknowns);
    let month = &report.through_time[0].budgets[0];
    assert_eq!((month.per, month.periods, month.spent.len()), ("month", 1, 0));
}

#[test]
fn logic_cache_and_unreadable_rows_are_kept_apart() {
    let mut logic = past(&question(3), &[]);
    logic.status = Status::Ok;
    let refused = PastRequest { status: Status::Rejected, ..logic.clone() };
    let cached = PastRequest { status: Status::Cached, answered: true, ..logic.clone() };
    let broken = PastRequest { signals: "{".into(), ..past(&question(3), &[("small", Accepted)]) };
    let degraded = past(&question(3), &[]);
    let traffic = recorded(&[logic, refused, cached, broken, degraded, past(&question(3), &[("small", Accepted)])]);
    assert_eq!((traffic.logic, traffic.cached, traffic.unreadable, traffic.questions.len()), (2, 1, 1, 2));
    let report = compared(&policy(), &policy(), &traffic);
    assert_eq!((report.requests, report.questions), (6, 2));
    assert_eq!(row(&report, Subject::New).starts[0].share, 1.0);
    assert!(code(&report, "cached").is_some() && code(&report, "unreadable").is_some());
}

#[test]
fn an_empty_ledger_is_no_trouble() {
    let report = compared(&policy(), &policy(), &Traffic::default());
    assert_eq!((report.requests, report.questions, &report.against_chance), (0, 0, &None));
    assert!(report.change.checked.inside_the_noise);
    let text = serde_json::to_string(&report).unwrap();
    assert!(!text.contains("NaN"), "{text}");
}

#[test]
fn signals_of_an_older_version_are_read() {
    let mut old = past(&question(3), &[("small", Accepted)]);
    let mut signals: serde_json::Value = serde_json::from_str(&old.signals).unwrap();
    let measures = signals["measures"].as_object_mut().unwrap();
    measures.retain(|key, _| key == "tasks");
    old.signals = signals.to_string();
    assert_eq!(recorded(&[old]).questions.len(), 1);
}

#[test]
fn routes_by_project_and_caps_hold_in_the_replay() {
    let mut private = question(300);
    private.projects = vec!["payroll".into()];
    let rows = [many(10, &past(&private, &[("big", Accepted)])), many(10, &past(&question(300), &[("big", Accepted)]))];
    let mut capped = policy();
    let mut route = capped.routes[0].clone();
    (route.name, route.max_tier) = ("private".into(), Some("local".into()));
    route.matches.projects = Some(["payroll".to_owned()].into());
    capped.routes.insert(0, route);
    let report = compared(&capped, &policy(), &recorded(&rows.concat()));
    assert_eq!((hosted(row(&report, Subject::New)), hosted(row(&report, Subject::Present))), (0.5, 1.0));
    assert_eq!(hosted(row(&report, Subject::AllHighest)), 0.5, "a control keeps at home what has to stay there");
}

#[test]
fn the_envelope_bounds_attempts_and_money() {
    let rows = many(10, &past(&question(3), &[("small", Rejected), ("big", Accepted)]));
    let traffic = recorded(&rows);
    let once = with_route(policy(), |route| route.envelope.max_attempts = 1);
    let new = compared(&once, &policy(), &traffic);
    assert_eq!(row(&new, Subject::New).checked.value, 0.0);
    let poor = with_route(policy(), |route| route.envelope.max_cost = NanoUsd(1_000));
    let new = compared(&poor, &policy(), &traffic);
    assert_eq!((row(&new, Subject::New).cost_nanousd, row(&new, Subject::New).checked.value), (Some(NanoUsd(0)), 0.0));
    let stays = with_route(policy(), |route| route.escalate.on_rejected = false);
    assert_eq!(row(&compared(&stays, &policy(), &traffic), Subject::New).checked.value, 0.0);
}

#[test]
fn a_call_that_failed_goes_to_the_next_model_and_an_unchecked_answer_is_no_checked_one() {
    let rows = [
        many(10, &past(&question(3), &[("small", Timeout), ("big", Accepted)])),
        many(10, &past(&question(3), &[("small", Unchecked)])),
    ];
    let report = compared(&policy(), &policy(), &recorded(&rows.concat()));
    let new = row(&report, Subject::New);
    assert_eq!((new.checked.value, new.unchecked, new.escalations.value), (0.5, 0.5, 0.0));
    let upward = with_route(policy(), |route| route.fallback.upward = false);
    let report = compared(&upward, &policy(), &recorded(&rows.concat()));
    assert_eq!(row(&report, Subject::New).checked.value, 0.0);
}

#[test]
fn a_second_call_of_a_model_decides_and_both_are_paid() {
    let mut twice = past(&question(300), &[("big", Timeout), ("big", Accepted)]);
    twice.attempts[1].kind = AttemptKind::Retry;
    let traffic = recorded(&[twice]);
    assert_eq!(traffic.tries.len(), 1);
    assert_eq!(
        (traffic.tries[0].ending, traffic.tries[0].usage),
        (Some(traffic::Ending::Accepted), Some(usage(200, 20)))
    );
}

#[test]
fn tokens_grow_with_the_question_and_a_model_without_a_record_is_told() {
    let mut large = question(300);
    large.context = Tokens(1_000);
    let rows = [many(30, &past(&question(3), &[("small", Accepted)])), many(30, &past(&large, &[("big", Accepted)]))];
    let mut renamed = policy();
    let mut other = renamed.models["big"].clone();
    other.spec.name = "other".into();
    renamed.models.insert("other".into(), other);
    renamed.tiers[1].models = vec!["other".into()];
    let report = compared(&renamed, &policy(), &recorded(&rows.concat()));
    assert!(code(&report, "models_without_outcomes").unwrap().text.contains("other"));
    let small_again = with_route(renamed, |route| {
        route.thresholds.insert("hosted".into(), 0.0);
    });
    let evidence = Evidence::of(&recorded(&rows.concat()));
    let usage = evidence.usage(0, Some(1), Tokens(2_000)).unwrap();
    assert_eq!((usage.input, usage.output), (Tokens(200), Tokens(10)), "twice the size, twice the prompt");
    assert!(row(&compared(&small_again, &policy(), &recorded(&rows.concat())), Subject::New).cost_nanousd.is_some());
}
