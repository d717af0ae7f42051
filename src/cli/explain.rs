//! `taskgate explain`: what a tool call would do now, and why; with `--prompt`, what a chat request would; with
//! `--request`, what a past one did. Nothing is called, changed or written down.
//!
//! On a terminal it is laid out for reading; otherwise it is JSON on one line.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::call::{self, arguments_for};
use super::{output, prompt, story};
use crate::app::App;
use crate::classify::chat_signals;
use crate::error::Result;
use crate::gateway::CallerLimits;
use crate::request::{Attempt, Caller, Door, RequestId};
use crate::tools::CallContext;

#[derive(Args)]
pub(super) struct Arguments {
    /// The tool's name
    #[arg(value_name = "TOOL", required_unless_present_any = ["request", "prompt", "prompt_file"])]
    tool: Option<String>,
    /// The tool's arguments as key=value; lists are separated by commas
    #[arg(value_name = "KEY=VALUE")]
    pairs: Vec<String>,
    /// The tool's arguments as one JSON object; key=value pairs are laid over it
    #[arg(long, value_name = "OBJECT")]
    json: Option<String>,
    /// Explain a chat request instead: what a user says, or the JSON body of one; - reads it from standard input
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["tool", "pairs", "json"])]
    prompt: Option<String>,
    /// The same, from a file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["tool", "pairs", "json", "prompt"])]
    prompt_file: Option<PathBuf>,
    /// Explain a past request from the ledger instead, by the id that the log gives
    #[arg(long, value_name = "ID", conflicts_with_all = ["tool", "pairs", "json", "prompt", "prompt_file"])]
    request: Option<uuid::Uuid>,
}

/// `false`: the call would be refused; why was printed.
pub(super) async fn run(app: &App, asked: &Arguments) -> anyhow::Result<bool> {
    let explained = match (&asked.request, &asked.tool) {
        (Some(id), _) => explain_past(app, RequestId(*id)).await,
        (None, _) if asked.prompt.is_some() || asked.prompt_file.is_some() => explain_chat(app, asked),
        (None, tool) => explain_call(app, tool.as_deref().unwrap_or_default(), asked).await,
    };
    match explained {
        Err(error) => call::refused(error),
        Ok(explained) => {
            output::result(&if output::is_for_a_person() { explained.text } else { explained.json.to_string() })?;
            Ok(true)
        }
    }
}

/// The same, for a person and for a program.
struct Explained {
    text: String,
    json: Value,
}

async fn explain_call(app: &App, tool: &str, asked: &Arguments) -> Result<Explained> {
    let arguments = arguments_for(app, tool, &asked.pairs, asked.json.as_deref())?;
    app.look_at_models().await;
    let rehearsal = app.toolbox.explain(tool, arguments, context()).await?;
    Ok(Explained { text: story::rehearsal(&rehearsal, &app.policy()), json: json!(rehearsal) })
}

fn explain_chat(app: &App, asked: &Arguments) -> Result<Explained> {
    let body = prompt::chat_request(asked.prompt.as_deref(), asked.prompt_file.as_deref())?;
    let signals = chat_signals(Door::Cli, &Caller::local().name, &body);
    let decision = app.gateway.explain(&signals);
    let (policy, caller) = (app.policy(), CallerLimits::of(&app.policy(), &signals.caller));
    let text = story::decision(&decision, &policy) + &caller.as_ref().map(story::caller).unwrap_or_default();
    let mut json = json!({"decision": decision, "signals": signals});
    if let Some(caller) = caller {
        json["caller"] = json!(caller);
    }
    Ok(Explained { text, json })
}

/// From the rows alone: the policy may have changed since.
async fn explain_past(app: &App, id: RequestId) -> Result<Explained> {
    let outcome = app.store.outcome(id).await?;
    let attempts: Vec<Value> = outcome.attempts.iter().map(attempt).collect();
    let json = json!({
        "id": outcome.id, "at": outcome.at, "door": outcome.signals.door, "target": outcome.signals.target,
        "policy_hash": outcome.policy_hash, "status": outcome.status, "model": outcome.model,
        "cache": outcome.cache, "cost_nanousd": outcome.cost, "wasted_nanousd": outcome.wasted,
        "counterfactual_nanousd": outcome.counterfactual, "latency_ms": millis(outcome.latency),
        "failure": outcome.failure, "kept_back": outcome.kept_back.map(|kept_back| kept_back.limit),
        "retry_after_ms": outcome.kept_back.and_then(|kept_back| kept_back.wait).map(millis), "decision": outcome.decision, "attempts": attempts,
    });
    Ok(Explained { text: story::past(&outcome, &app.policy()), json })
}

fn attempt(attempt: &Attempt) -> Value {
    json!({
        "n": attempt.n, "model": attempt.model, "tier": attempt.tier, "kind": attempt.kind, "result": attempt.result,
        "rejection": attempt.rejection, "kept_back": attempt.kept_back, "failure": attempt.failure,
        "usage": attempt.usage, "usage_source": attempt.usage_source, "reserved_nanousd": attempt.reserved,
        "cost_nanousd": attempt.cost, "started_at": attempt.started_at, "ttft_ms": attempt.ttft.map(millis),
        "latency_ms": millis(attempt.latency), "http_status": attempt.http_status,
    })
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn context() -> CallContext {
    CallContext {
        door: Door::Cli,
        caller: Caller::local(),
        progress: Arc::new(|_| {}),
        cancel: CancellationToken::new(),
    }
}
