//! The gateway itself against the real servers, where no tool of today asks for what is tested: an answer by schema.
//! llama.cpp's server refuses it with a 500, by way of LiteLLM.

use std::sync::Arc;

use serde_json::json;
use taskgate::chat::{ChatRequest, Format, Message, ModelSpec, Tokens};
use taskgate::gateway::Gateway;
use taskgate::policy::Policy;
use taskgate::provider::Sender;
use taskgate::request::{
    Ask, AttemptResult, CacheMode, Caller, Completion, Delivery, Door, Measures, Outcome, Rejection, Signals, Target,
};
use taskgate::store::Store;
use taskgate::telemetry::Metrics;
use tokio_util::sync::CancellationToken;

use crate::policies::Knobs;
use crate::stack::Stack;

#[tokio::test]
async fn a_refused_answer_format_is_stepped_down_once_and_remembered() {
    let stack = Stack::start().await;
    // The policy claims what the server cannot do.
    let taskgate = stack.taskgate(&Knobs { local_capabilities: "json_object, json_schema", ..Knobs::default() });
    let url = stack.recorder.url.clone();
    let environment = move |name: &str| (name == "LITELLM_PROXY_URL").then(|| url.clone());
    let policy = Policy::load(Some(&taskgate.policy()), &environment).unwrap();
    let store = Store::open(&taskgate.database()).await.unwrap();
    let gateway = Gateway::new(Arc::new(policy), Sender::new().unwrap(), store, Metrics::install().unwrap());

    let first = answered(&gateway, "Name a fruit, as JSON with the key fruit.").await;
    let second = answered(&gateway, "Name a town, as JSON with the key town.").await;

    let results = |outcome: &Outcome| outcome.attempts.iter().map(|attempt| attempt.result).collect::<Vec<_>>();
    assert_eq!(results(&first), [AttemptResult::UpstreamError, AttemptResult::Unchecked], "{first:?}");
    assert_eq!(results(&second), [AttemptResult::Unchecked], "{second:?}");
    let exchanges = stack.recorder.exchanges();
    let asked: Vec<_> = exchanges.iter().map(|exchange| (exchange.response_format(), exchange.status)).collect();
    let (refused, taken) = (("json_schema", Some(500)), ("json_object", Some(200)));
    assert_eq!(asked, [refused, taken, taken], "asked once, then known");
}

async fn answered(gateway: &Gateway, question: &'static str) -> Outcome {
    let schema = json!({ "type": "object", "additionalProperties": { "type": "string" } });
    let format = Format::JsonSchema { name: "answer".to_owned(), schema };
    let render = move |_: &ModelSpec, _: &[Rejection]| {
        Ok(ChatRequest {
            messages: vec![Message::user(question)],
            temperature: Some(0.0),
            max_output: Tokens(30),
            format: format.clone(),
            extra: serde_json::Map::new(),
        })
    };
    let ask = Ask {
        signals: Signals {
            door: Door::Cli,
            caller: "test".to_owned(),
            target: Target::Tool("smart_prioritize".to_owned()),
            projects: Vec::new(),
            needs: Default::default(),
            context: Tokens(30),
            measures: Measures::default(),
            conversation: None,
            prompt_version: "test".to_owned(),
        },
        caller: Caller::local(),
        conversation: None,
        render: Arc::new(render),
        check: None,
        salvage: Arc::new(|_| None),
        answers_anyway: false,
        cache: CacheMode::NoCache,
        delivery: Delivery::Whole,
        progress: Arc::new(|_| {}),
        cancel: CancellationToken::new(),
    };
    let (outcome, completion) = gateway.complete(ask).await;
    assert!(matches!(completion, Completion::Answer(_)), "{outcome:?}");
    outcome
}
