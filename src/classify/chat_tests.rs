//! Bodies as clients write them, well and badly.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::classify::score;

fn signals(body: Value) -> Signals {
    chat_signals(Door::HttpChat, "local", &body)
}

fn asked(text: &str) -> Signals {
    signals(json!({"messages": [{"role": "user", "content": text}]}))
}

#[test]
fn the_last_user_message_is_the_instruction_and_all_messages_are_the_context() {
    let read = signals(json!({"messages": [
        {"role": "system", "content": "You must never compare."},
        {"role": "user", "content": "Why?"},
        {"role": "assistant", "content": "Because. ".repeat(100)},
        {"role": "user", "content": [{"type": "text", "text": "And then?"}, {"type": "text", "text": "Be short."}]},
        {"role": "tool", "tool_call_id": "1", "content": "x".repeat(300)},
    ], "max_tokens": 50}));
    let conversation = read.conversation.unwrap();
    let expected = Conversation {
        instruction: 4,
        turns: 2,
        questions: 1,
        steps: 1,
        max_output: Some(Tokens(50)),
        ..Conversation::default()
    };
    assert_eq!((conversation, read.target), (expected, Target::Endpoint(Endpoint::Chat)));
    assert_eq!(read.context, Tokens(8 + 2 + 300 + 6 + 101 + 5 * 8), "bytes over three, and eight for each message");
}

#[test]
fn what_a_model_must_be_able_to_do() {
    let plain = asked("Hello");
    assert!(plain.needs.is_empty());
    let rich = signals(json!({
        "messages": [{"role": "user", "content": [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{}", "A".repeat(90_000))}},
        ]}],
        "tools": [{"type": "function", "function": {"name": "look", "parameters": {}}}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}},
    }));
    let needs = [Capability::Tools, Capability::Vision, Capability::JsonSchema];
    assert_eq!(rich.needs, needs.into());
    let conversation = rich.conversation.unwrap();
    assert_eq!((conversation.images, conversation.tools, conversation.schema), (1, 1, true));
    assert!((850..1_000).contains(&rich.context.0), "an image is no text: {:?}", rich.context);
    let object = signals(json!({"messages": [], "response_format": {"type": "json_object"}}));
    assert_eq!(object.needs, [Capability::JsonObject].into());
}

#[test]
fn what_makes_no_sense_counts_as_nothing_or_by_its_size() {
    for body in [json!(null), json!([]), json!({}), json!({"messages": 7}), json!({"messages": [null, 1, "x", {}]})] {
        let read = signals(body.clone());
        assert_eq!(read.conversation.unwrap(), Conversation::default(), "{body}");
    }
    let strange = signals(json!({"messages": [{"role": "oracle", "content": {"verse": "y".repeat(300)}}]}));
    assert!(strange.context.0 > 100 && strange.conversation.unwrap().instruction == 0);
}

#[test]
fn a_short_question_is_easier_than_one_with_steps_and_bounds() {
    let of = |text: &str| score(&asked(text), &BTreeMap::new()).score;
    let easy = of("What is the capital of France?");
    let hard = of("Design a schedule for 12 people over 3 weeks. Each must work at most 38 hours, exactly 2 of them \
        are on call every night, and nobody may work 3 nights in a row.\n1. Derive a lower bound.\n2. Then compare two \
        strategies and explain the trade-offs.\n3. Finally prove that your plan is optimal, without using x^2 + y^2 = z^2.");
    assert!(easy < 0.25 && hard >= 0.6, "{easy} {hard}");
}

#[test]
fn a_conversation_is_known_by_how_it_began() {
    let key = |caller: &str, messages: Value| conversation_key(caller, &json!({"messages": messages}));
    let said = |role: &str, text: &str| json!({"role": role, "content": text});
    let first = key("ann", json!([said("system", "Be short."), said("user", "Why?")]));
    let later =
        json!([said("system", "Be short."), said("user", "Why?"), said("assistant", "So."), said("user", "And?")]);
    assert!(first.is_some());
    assert_eq!(key("ann", later), first);
    let parts = json!([said("system", "Be short."), {"role": "user", "content": [{"type": "text", "text": "Why?"}]}]);
    assert_eq!(key("ann", parts), first, "however it is written");
    for other in [
        key("bob", json!([said("system", "Be short."), said("user", "Why?")])),
        key("ann", json!([said("system", "Be short.W"), said("user", "hy?")])),
        key("ann", json!([said("user", "Why?")])),
    ] {
        assert!(other.is_some() && other != first);
    }
    assert_eq!(key("ann", json!([said("system", "Be short.")])), None);
    assert_eq!(key("ann", json!("x")), None);
}

proptest! {
    #[test]
    fn any_body_is_read_without_a_panic_and_scores_within_bounds(role in "user|system|x", text in "(?s).{0,60}", many in 0usize..5) {
        let message = json!({"role": role, "content": [{"type": "text", "text": text}, {"type": "y", "z": [text]}, text]});
        let body = json!({"messages": vec![message; many], "tools": text});
        let complexity = score(&signals(body), &BTreeMap::new());
        prop_assert!((0.0..=1.0).contains(&complexity.score));
    }
}
