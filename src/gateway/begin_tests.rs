//! Where conversations and pass rates let a request begin.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::chat::{Tokens, Usage};
use crate::classify::Track;
use crate::gateway::decide::decide;
use crate::gateway::fixtures::{chat_signals, policy, signals, with_route};
use crate::health::Ailment;
use crate::request::{Checked, Decision, Exclusion, Measures};

/// A record of answers that took five seconds and a thousand tokens each way.
fn track(passed: u32, rejected: u32) -> Track {
    let many = passed + rejected;
    let tokens = Tokens(1_000 * u64::from(many));
    let mut track = Track::default();
    let checked = Checked {
        model: "small".into(),
        tool: "smart_prioritize".into(),
        prompt_version: "1".into(),
        at: Timestamp::UNIX_EPOCH,
        passed,
        rejected,
        latency: Duration::from_secs(5) * many,
        usage: Usage { input: tokens, output: tokens, ..Usage::default() },
    };
    track.add(&checked, Timestamp::UNIX_EPOCH);
    track
}

fn known(tracks: &[(&str, Track)]) -> View {
    let tracks = tracks.iter().map(|(model, track)| ((*model).into(), *track)).collect();
    View { tracks, ..View::default() }
}

fn easy(policy: &Policy, view: &View) -> Decision {
    decide(policy, &signals("smart_prioritize", Measures::default()), view)
}

fn order(decision: &Decision) -> Vec<&str> {
    decision.admitted().map(|candidate| candidate.model.as_str()).collect()
}

fn codes(decision: &Decision) -> Vec<&str> {
    decision.reasons.iter().map(|reason| reason.code.as_str()).collect()
}

#[test]
fn a_tier_whose_answers_are_mostly_rejected_is_passed_over() {
    let decision = easy(&policy(), &known(&[("small", track(1, 20))]));
    assert_eq!((decision.tier.as_str(), order(&decision)), ("hosted", vec!["big", "small"]));
    assert_eq!(codes(&decision), ["route", "complexity_below", "pass_rate"]);
    let told = &decision.reasons[2].text;
    assert!(told.starts_with("16% of small's answers to smart_prioritize pass"), "{told}");
    assert!(
        told.contains("21 count, over a prior of 75%") && told.contains("5% of such requests begin in tier `local`"),
        "{told}"
    );
}

#[test]
fn rates_that_change_nothing() {
    let usual = ("local", vec!["small", "big"]);
    let is_usual = |policy: &Policy, view: &View, why: &str| {
        let decision = easy(policy, view);
        assert_eq!((decision.tier.as_str(), order(&decision)), usual, "{why}");
        assert!(!codes(&decision).contains(&"pass_rate"), "{why}");
    };
    let bad = known(&[("small", track(0, 20))]);
    is_usual(&policy(), &known(&[("small", track(0, 7))]), "too few");
    is_usual(&policy(), &known(&[("small", track(20, 1))]), "it passes");
    is_usual(&policy(), &known(&[("big", track(0, 20))]), "it is another model's");
    let named = with_route(policy(), |route| route.tier = RouteTier::Named("local".into()));
    is_usual(&named, &bad, "the route names its tier");
    let kept = with_route(policy(), |route| route.escalate.on_rejected = false);
    is_usual(&kept, &bad, "a rejection goes nowhere");
    let keyless = View { without_key: ["hosted".into()].into(), ..bad.clone() };
    assert_eq!(order(&easy(&policy(), &keyless)), ["small"], "nobody else can be asked");
    let capped = with_route(policy(), |route| route.max_tier = Some("local".into()));
    assert_eq!(order(&easy(&capped, &bad)), ["small"], "it may not leave the machine");
    let unwell = View { unwell: [("big".into(), Ailment::Failing)].into(), ..bad };
    assert_eq!(order(&easy(&policy(), &unwell)), ["small"], "the other one is not well");
}

#[test]
fn chat_begins_higher_only_where_a_verdict_is_waited_for() {
    let of = |check| {
        let policy = with_route(policy(), |route| route.check = check);
        let decision = decide(&policy, &chat_signals(100), &known(&[("small", track(0, 20))]));
        decision.tier.as_str().to_owned()
    };
    assert_eq!((of(ChatCheck::Record), of(ChatCheck::Hold)), ("local".to_owned(), "hosted".to_owned()));
}

#[test]
fn a_hosted_model_has_a_record_too() {
    let mut policy = policy();
    let mut top = policy.models["big"].clone();
    top.spec.name = "top".into();
    top.tier = "top".into();
    policy.models.insert("top".into(), top);
    policy.tiers.push(crate::policy::Tier { name: "top".into(), models: vec!["top".into()] });
    let both = easy(&policy, &known(&[("small", track(0, 20)), ("big", track(0, 20))]));
    assert_eq!((both.tier.as_str(), order(&both)), ("top", vec!["top", "big", "small"]));
    assert_eq!(codes(&both), ["route", "complexity_below", "pass_rate", "pass_rate"]);
}

#[test]
fn one_of_twenty_stays_to_see_whether_it_got_better() {
    let drawn = |draw| easy(&policy(), &View { draw: Some(draw), ..known(&[("small", track(0, 20))]) });
    let stays = drawn(0.049);
    assert_eq!((stays.tier.as_str(), order(&stays)), ("local", vec!["small", "big"]));
    assert_eq!(codes(&stays), ["route", "complexity_below", "pass_rate", "explore"]);
    assert_eq!(drawn(0.05).tier.as_str(), "hosted");
    let usual = easy(&policy(), &View { draw: Some(0.0), ..View::default() });
    assert!(!codes(&usual).contains(&"explore"), "only what rates alone would send up");
    let mut never = policy();
    never.classifier.explore = 0.0;
    assert_eq!(easy(&never, &View { draw: Some(0.0), ..known(&[("small", track(0, 20))]) }).tier.as_str(), "hosted");
}

#[test]
fn over_many_draws_the_share_that_explores_is_the_policys() {
    let mut random = fastrand::Rng::with_seed(7);
    let policy = policy();
    let mut view = known(&[("small", track(0, 20))]);
    let mut explored = || {
        view.draw = Some(random.f64());
        codes(&easy(&policy, &view)).contains(&"explore")
    };
    let share = (0..20_000).filter(|_| explored()).count() as f64 / 20_000.0;
    assert!((0.045..0.055).contains(&share), "{share}");
}

fn sticky() -> Policy {
    with_route(policy(), |route| route.sticky = Sticky::Conversation)
}

fn answered_by(model: &str) -> View {
    View { sticky: Some(model.into()), ..View::default() }
}

#[test]
fn a_conversation_stays_with_its_model() {
    let stays = decide(&sticky(), &chat_signals(100), &answered_by("big"));
    assert_eq!((stays.tier.as_str(), order(&stays)), ("hosted", vec!["big", "small"]));
    assert_eq!(codes(&stays), ["route", "complexity_below", "sticky"]);
    let loose = decide(&policy(), &chat_signals(100), &answered_by("big"));
    assert_eq!(order(&loose), ["small", "big"], "the route does not say so");
    let fresh = decide(&sticky(), &chat_signals(100), &View::default());
    assert_eq!(order(&fresh), ["small", "big"], "it has no model yet");
    // Also against a rate that would send it up, and also within a tier.
    let mut two = sticky();
    two.tiers[0].models.push("other".into());
    let mut other = two.models["small"].clone();
    other.spec.name = "other".into();
    two.models.insert("other".into(), other);
    let within = decide(&two, &chat_signals(100), &answered_by("other"));
    assert_eq!(order(&within), ["other", "small", "big"]);
}

#[test]
fn a_conversation_leaves_a_model_that_may_not_answer() {
    let capped = with_route(sticky(), |route| route.max_tier = Some("local".into()));
    let unwell = View { unwell: [("big".into(), Ailment::Failing)].into(), ..answered_by("big") };
    let keyless = View { without_key: ["hosted".into()].into(), ..answered_by("big") };
    let cases = [(capped, answered_by("big")), (sticky(), unwell), (sticky(), keyless)];
    for (policy, view) in cases {
        let decision = decide(&policy, &chat_signals(100), &view);
        assert_eq!((decision.tier.as_str(), order(&decision)), ("local", vec!["small"]), "{view:?}");
        assert!(codes(&decision).contains(&"sticky_left"), "{decision:?}");
    }
    let gone = decide(&sticky(), &chat_signals(100), &answered_by("gone"));
    assert_eq!(order(&gone), ["small", "big"], "a reload took it out of the policy");
    let long = decide(&sticky(), &chat_signals(3_500), &answered_by("small"));
    assert_eq!(long.candidates.last().and_then(|candidate| candidate.excluded), Some(Exclusion::TooLong));
    assert!(codes(&long).contains(&"sticky_left"));
}

proptest! {
    #[test]
    fn whatever_is_known_nobody_is_asked_that_may_not_be(
        (passed, rejected) in (0u32..30, 0u32..30), keyless: bool, capped: bool, last in 0usize..3, draw in 0.0..1.0f64,
    ) {
        let policy = with_route(sticky(), |route| route.max_tier = capped.then(|| "local".into()));
        let sticky = [None, Some("small".into()), Some("big".into())][last].clone();
        let without_key = keyless.then(|| "hosted".into()).into_iter().collect();
        let tracks: BTreeMap<ModelName, Track> = [("small".into(), track(passed, rejected))].into();
        let view = View { without_key, tracks, draw: Some(draw), sticky, ..View::default() };
        let decision = decide(&policy, &chat_signals(100), &view);
        prop_assert!(!(keyless || capped) || !order(&decision).contains(&"big"));
        prop_assert!(order(&decision).contains(&"small"));
    }
}
