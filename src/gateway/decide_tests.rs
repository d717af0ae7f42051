//! Decisions by table: what the signals, the route and the view lead to.

use std::collections::BTreeMap;

use super::*;
use crate::chat::Capability;
use crate::gateway::fixtures::{chat_signals, policy, signals, with_route};
use crate::request::Measures;

fn order(decision: &Decision) -> Vec<&str> {
    decision.admitted().map(|candidate| candidate.model.as_str()).collect()
}

fn last(decision: &Decision) -> &str {
    &decision.reasons.last().unwrap().text
}

fn knotted() -> Measures {
    Measures { tasks: 80, edges: 30, depth: 6, load: 2.0, conflicts: 5, people: 6, output_items: 20 }
}

#[test]
fn an_easy_question_starts_local_and_a_hard_one_hosted() {
    let policy = policy();
    let easy = decide(&policy, &signals("smart_prioritize", Measures::default()), &View::default());
    assert_eq!((easy.tier.as_str(), order(&easy)), ("local", vec!["small", "big"]));
    let hard = decide(&policy, &signals("plan_sprint", knotted()), &View::default());
    assert_eq!((hard.tier.as_str(), order(&hard)), ("hosted", vec!["big", "small"]));
    assert!(hard.reasons.iter().any(|reason| reason.code == "complexity_reaches"), "{:?}", hard.reasons);
}

#[test]
fn logic_alone_has_no_candidates() {
    let policy = with_route(policy(), |route| route.tier = RouteTier::Named(TierName::none()));
    let decision = decide(&policy, &signals("create_task", Measures::default()), &View::default());
    assert!(decision.tier.is_none() && decision.candidates.is_empty());
}

#[test]
fn max_tier_keeps_a_hard_question_on_the_machine() {
    let policy = with_route(policy(), |route| route.max_tier = Some("local".into()));
    let decision = decide(&policy, &signals("plan_sprint", knotted()), &View::default());
    assert_eq!((decision.tier.as_str(), order(&decision)), ("local", vec!["small"]));
    let big = decision.candidates.iter().find(|candidate| candidate.model.as_str() == "big").unwrap();
    assert_eq!(big.excluded, Some(Exclusion::AboveMaxTier));
}

#[test]
fn a_backend_without_a_key_is_out_and_said_so() {
    let view = View { without_key: BTreeSet::from(["hosted".into()]), ..View::default() };
    let decision = decide(&policy(), &signals("plan_sprint", knotted()), &view);
    assert_eq!(order(&decision), ["small"]);
    assert_eq!(decision.candidates.last().and_then(|candidate| candidate.excluded), Some(Exclusion::NoKey));
}

#[test]
fn a_model_that_is_unwell_is_out_even_if_nobody_else_is_in() {
    let unwell = |models: &[(&str, Ailment)]| {
        let unwell = models.iter().map(|(model, ailment)| ((*model).into(), *ailment)).collect();
        decide(&policy(), &signals("smart_prioritize", Measures::default()), &View { unwell, ..View::default() })
    };
    let without_small = unwell(&[("small", Ailment::Failing)]);
    assert_eq!((without_small.tier.as_str(), order(&without_small)), ("local", vec!["big"]));
    assert_eq!(without_small.candidates[1].excluded, Some(Exclusion::Unhealthy));
    let told: Vec<&str> = without_small.reasons.iter().map(|reason| reason.code.as_str()).collect();
    assert_eq!(told, ["route", "complexity_below", "unhealthy"]);
    let nobody = unwell(&[("small", Ailment::Failing), ("big", Ailment::KeyRefused)]);
    assert_eq!(order(&nobody), Vec::<&str>::new());
    assert_eq!(nobody.candidates[1].excluded, Some(Exclusion::KeyRefused));
}

#[test]
fn what_bars_a_model_for_good_is_told_before_what_passes() {
    let view = View {
        without_key: BTreeSet::from(["hosted".into()]),
        unwell: BTreeMap::from([("big".into(), Ailment::Failing)]),
        ..View::default()
    };
    let decision = decide(&policy(), &signals("smart_prioritize", Measures::default()), &view);
    assert_eq!(decision.candidates[1].excluded, Some(Exclusion::NoKey));
}

#[test]
fn a_prompt_that_does_not_fit_a_model_goes_to_the_one_that_it_fits() {
    let mut policy = policy();
    policy.models.get_mut("big").unwrap().spec.context = Tokens(128_000);
    let fits = decide(&policy, &chat_signals(3_072), &View::default());
    assert_eq!(order(&fits), ["small", "big"], "4096 tokens of context, of which 1024 are for the answer");
    let long = decide(&policy, &chat_signals(3_073), &View::default());
    assert_eq!(order(&long), ["big"]);
    assert_eq!(long.candidates[1].excluded, Some(Exclusion::TooLong));
    let told = long.reasons.iter().find(|reason| reason.code == "context").unwrap();
    assert_eq!(told.text, "The prompt takes about 3073 tokens, and small has room for 3072.");
    // A caller who wants a short answer leaves more room; a tool fits its table to the model.
    let mut short = chat_signals(4_000);
    short.conversation.as_mut().unwrap().max_output = Some(Tokens(50));
    assert_eq!(order(&decide(&policy, &short, &View::default())), ["small", "big"]);
    let tool = Signals { context: Tokens(100_000), ..signals("smart_prioritize", Measures::default()) };
    assert!(decide(&policy, &tool, &View::default()).candidates.iter().all(|candidate| candidate.excluded.is_none()));
    let nobody = decide(&policy, &chat_signals(1_000_000), &View::default());
    assert_eq!(last(&nobody), "No model may be called: the request is refused.");
}

#[test]
fn each_model_that_the_policy_or_the_request_rules_out_is_told_and_what_follows_if_all_are() {
    let texts = |decision: &Decision| -> Vec<String> {
        decision.reasons.iter().skip(2).map(|reason| reason.text.clone()).collect()
    };
    let mut policy = policy();
    policy.models.get_mut("big").unwrap().spec.capabilities = [Capability::Tools].into();
    policy.models.get_mut("small").unwrap().spec.capabilities.clear();
    let picture = Signals { needs: [Capability::Tools, Capability::Vision].into(), ..chat_signals(100) };
    let told = [
        "The request needs tools and vision, which small lacks.",
        "The request needs vision, which big lacks.",
        "No model may be called: the request is refused.",
    ];
    assert_eq!(texts(&decide(&policy, &picture, &View::default())), told);
    policy.backends.get_mut("hosted").unwrap().key_variable = Some("SOME_KEY".into());
    let view = View {
        without_key: BTreeSet::from(["hosted".into()]),
        unwell: BTreeMap::from([("small".into(), Ailment::Failing)]),
        ..View::default()
    };
    let keyless = decide(&policy, &signals("smart_prioritize", Measures::default()), &view);
    assert!(texts(&keyless).contains(&"big is left out: its backend `hosted` has no key (set SOME_KEY).".to_owned()));
    assert_eq!(last(&keyless), "No model may be called: logic alone answers.");
}

#[test]
fn a_route_may_name_its_tier_and_its_own_threshold() {
    let named = with_route(policy(), |route| route.tier = RouteTier::Named("hosted".into()));
    assert_eq!(decide(&named, &signals("x", Measures::default()), &View::default()).tier.as_str(), "hosted");
    let eager = with_route(policy(), |route| route.thresholds = BTreeMap::from([("hosted".into(), 0.0)]));
    assert_eq!(decide(&eager, &signals("x", Measures::default()), &View::default()).tier.as_str(), "hosted");
}

#[test]
fn with_every_way_barred_only_the_starting_tier_is_in() {
    let closed = with_route(policy(), |route| {
        route.fallback.upward = false;
        route.fallback.downward = false;
        route.escalate.on_rejected = false;
    });
    let easy = decide(&closed, &signals("smart_prioritize", Measures::default()), &View::default());
    assert_eq!(order(&easy), ["small"]);
    assert_eq!(easy.candidates.last().and_then(|candidate| candidate.excluded), Some(Exclusion::NotAllowed));
}

#[test]
fn where_a_setback_leads() {
    let policy = policy();
    let mut route = policy.routes[0].clone();
    let cases = [
        (Setback::Rejected, 0, 1, true),
        (Setback::Rejected, 0, 0, false),
        (Setback::Rejected, 1, 0, false),
        (Setback::Failed, 0, 1, true),
        (Setback::Failed, 0, 0, true),
        (Setback::Failed, 1, 0, true),
    ];
    for (setback, from, to, expected) in cases {
        assert_eq!(may_follow(&route, setback, from, to), expected, "{setback:?} {from} -> {to}");
    }
    route.fallback.upward = false;
    assert!(!may_follow(&route, Setback::Failed, 0, 1));
    assert!(may_follow(&route, Setback::Rejected, 0, 1), "escalation is not fallback");
    route.escalate.on_rejected = false;
    assert!(!may_follow(&route, Setback::Rejected, 0, 1));
}

#[test]
fn a_score_just_below_the_threshold_is_told_apart_from_it() {
    assert_eq!(apart(0.4496, 0.45), ("0.4496".to_owned(), "0.4500".to_owned()));
    assert_eq!(apart(0.3, 0.6), ("0.30".to_owned(), "0.60".to_owned()));
    assert_eq!(apart(0.45, 0.45), ("0.45".to_owned(), "0.45".to_owned()));
}
