//! Calibration over recorded questions: by place of the policy, beside what is there now.

use super::*;
use AttemptResult::Accepted;

fn spread_out() -> Traffic {
    let rows: Vec<PastRequest> = (0..400).map(|n| past(&question(n / 2), &[("small", Accepted)])).collect();
    recorded(&rows)
}

fn wanted(share: f64, route: Option<&str>) -> Wanted {
    Wanted { tier: "hosted".into(), share, route: route.map(Into::into) }
}

#[test]
fn the_threshold_put_into_the_policy_gives_the_share() {
    let traffic = spread_out();
    for share in [0.05, 0.2, 0.5] {
        let place = calibrate(&policy(), &wanted(share, None), &traffic).unwrap().remove(0);
        let report = compared(&threshold(place.threshold.unwrap()), &policy(), &traffic);
        assert_eq!(hosted(row(&report, Subject::New)), place.share);
        assert!((place.share - share).abs() <= place.ties as f64 / 400.0, "{place:?}");
        assert!(place.share_low < share && share < place.share_high, "{place:?}");
        assert_eq!(hosted(row(&report, Subject::Present)), place.present_share);
    }
}

#[test]
fn each_place_with_a_threshold_is_told_with_lines_that_can_be_pasted() {
    let mut two = policy();
    two.classifier.thresholds.insert("hosted".into(), 0.7);
    let mut common = two.routes[0].clone();
    (common.name, common.thresholds) = ("rest".into(), two.classifier.thresholds.clone());
    two.routes[0].matches.projects = Some(["payroll".to_owned()].into());
    two.routes.push(common);
    let places = calibrate(&two, &wanted(0.2, None), &spread_out()).unwrap();
    let (shared, own) = (&places[0], &places[1]);
    assert_eq!((shared.route.as_ref(), shared.questions, own.questions), (None, 400, 0));
    let threshold = shared.threshold.unwrap();
    assert_eq!(shared.yaml, format!("classifier:\n  thresholds: {{ hosted: {threshold} }}"));
    assert_eq!(own.route.as_ref().map(|name| name.as_str()), Some("all"));
    assert!(own.threshold.is_none() && own.notes[0].contains("No recorded question"), "{own:?}");
    let alone = calibrate(&two, &wanted(0.2, Some("rest")), &spread_out()).unwrap();
    assert!(alone[0].yaml.starts_with("routes:\n  - name: rest\n    thresholds: { hosted: "), "{}", alone[0].yaml);
}

#[test]
fn few_rows_equal_scores_and_caps_are_said() {
    let few = recorded(&many(7, &past(&question(3), &[("small", Accepted)])));
    let place = calibrate(&policy(), &wanted(0.2, None), &few).unwrap().remove(0);
    assert_eq!((place.share, place.ties, place.questions), (0.0, 7, 7), "all seven or none");
    assert!(place.notes[0].contains("Only 7"), "{place:?}");
    let capped = with_route(policy(), |route| route.max_tier = Some("local".into()));
    let place = calibrate(&capped, &wanted(0.2, None), &spread_out()).unwrap().remove(0);
    assert!(place.questions == 0 && place.notes[0].contains("max_tier"), "{place:?}");
}

#[test]
fn what_no_threshold_decides_is_refused_with_what_there_is() {
    let refused = |tier: &str, route: Option<&str>| {
        calibrate(&policy(), &Wanted { tier: tier.into(), ..wanted(0.2, route) }, &spread_out()).unwrap_err()
    };
    assert!(refused("local", None).hint.unwrap().contains("hosted"));
    assert!(refused("cloud", None).message.contains("`cloud`"));
    assert!(refused("hosted", Some("nobody")).hint.unwrap().contains("all"));
    let named = with_route(policy(), |route| route.tier = crate::policy::RouteTier::Named("local".into()));
    let error = calibrate(&named, &wanted(0.2, Some("all")), &spread_out()).unwrap_err();
    assert!(error.message.contains("names its tier"), "{error}");
}
