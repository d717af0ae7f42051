//! Whole requests that go by what is remembered, in paused time.

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::chat::{Tokens, Usage};
use crate::gateway::fixtures::{Kept, Script, Step, ask, chat_signals, policy, with_route};
use crate::policy::{ChatCheck, Policy, Sticky};
use crate::request::{Ask, Checked, Outcome};
use crate::telemetry::Metrics;

fn gateway<const N: usize>(policy: Policy, steps: [(&str, Vec<Step>); N]) -> Gateway {
    let ledger = Box::new(Arc::new(Kept::default()));
    Gateway::with_parts(Arc::new(policy), Box::new(Script::new(steps)), ledger, Metrics::for_tests())
}

/// A turn of this conversation whose prompt has so many tokens.
fn turn(conversation: u8, context: u64) -> Ask {
    let conversation = Some(ConversationKey([conversation; 32]));
    Ask { signals: chat_signals(context), conversation, ..ask(CancellationToken::new()) }
}

fn asked(outcome: &Outcome) -> Vec<&str> {
    outcome.attempts.iter().map(|attempt| attempt.model.as_str()).collect()
}

fn sticky() -> Policy {
    let mut policy = with_route(policy(), |route| {
        route.sticky = Sticky::Conversation;
        route.check = ChatCheck::Hold;
    });
    policy.models.get_mut("big").unwrap().spec.context = Tokens(128_000);
    policy
}

#[tokio::test(start_paused = true)]
async fn a_conversation_goes_on_with_the_model_that_answered_it() {
    let gateway = gateway(sticky(), [("small", vec![Step::Says("bad")])]);
    let (first, _) = gateway.complete(turn(1, 100)).await;
    assert_eq!(asked(&first), ["small", "big"], "the first answer is rejected, and the big one takes over");
    let explained = gateway.rehearse(&turn(1, 100)).0.decision;
    let (second, _) = gateway.complete(turn(1, 100)).await;
    assert_eq!((asked(&second), second.decision.tier.as_str()), (vec!["big"], "hosted"));
    assert_eq!(second.decision, explained, "explain says what is done");
    assert!(second.decision.reasons.iter().any(|reason| reason.code == "sticky"));
    let (other, _) = gateway.complete(turn(2, 100)).await;
    assert_eq!(asked(&other), ["small"], "another conversation begins where it would");
    let alone = Ask { conversation: None, ..turn(1, 100) };
    assert_eq!(asked(&gateway.complete(alone).await.0), ["small"]);
}

#[tokio::test(start_paused = true)]
async fn a_conversation_that_outgrows_its_model_moves_and_stays_there() {
    let gateway = gateway(sticky(), []);
    assert_eq!(asked(&gateway.complete(turn(1, 100)).await.0), ["small"]);
    let (long, _) = gateway.complete(turn(1, 5_000)).await;
    assert_eq!(asked(&long), ["big"]);
    assert!(long.decision.reasons.iter().any(|reason| reason.code == "sticky_left"), "{:?}", long.decision.reasons);
    assert_eq!(asked(&gateway.complete(turn(1, 100)).await.0), ["big"]);
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_nobody_answered_changes_nothing() {
    let gateway =
        gateway(sticky(), [("small", vec![Step::Says("good"), Step::Says("bad")]), ("big", vec![Step::Says("bad")])]);
    assert_eq!(asked(&gateway.complete(turn(1, 100)).await.0), ["small"]);
    assert_eq!(asked(&gateway.complete(turn(1, 100)).await.0), ["small", "big"]);
    assert_eq!(asked(&gateway.complete(turn(1, 100)).await.0), ["small"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_learned_moves_where_requests_begin_and_explain_shows_it() {
    let mut policy = policy();
    policy.classifier.explore = 0.0;
    let gateway = gateway(policy, []);
    assert!(gateway.rehearse(&ask(CancellationToken::new())).0.pass_rates.is_empty());
    let now = Timestamp::now();
    let rejected = |tool: &str| Checked {
        model: "small".into(),
        tool: tool.into(),
        prompt_version: "1".into(),
        at: now,
        passed: 0,
        rejected: 16,
        latency: std::time::Duration::from_secs(160),
        usage: Usage::default(),
    };
    gateway.learn(PassRates::new(&[rejected("another")], now));
    assert_eq!(asked(&gateway.complete(ask(CancellationToken::new())).await.0), ["small"], "of another tool");
    gateway.learn(PassRates::new(&[rejected("smart_prioritize")], now));
    let (rehearsal, _) = gateway.rehearse(&ask(CancellationToken::new()));
    let known = &rehearsal.pass_rates[0];
    assert_eq!((known.model.as_str(), known.pass_rate.rate, known.counts), ("small", 0.15, true));
    let (outcome, _) = gateway.complete(ask(CancellationToken::new())).await;
    assert_eq!((asked(&outcome), &outcome.decision), (vec!["big"], &rehearsal.decision));
    gateway.learn(PassRates::default());
    assert_eq!(asked(&gateway.complete(ask(CancellationToken::new())).await.0), ["small"]);
}
