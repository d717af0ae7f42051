//! `taskgate call`: one tool, the same path as an MCP client's call.
//!
//! On a terminal the result is laid out for reading and progress is shown; otherwise it is the exact JSON on one line.

use std::io::{IsTerminal, Read, Write, stderr, stdin};
use std::sync::Arc;

use clap::Args;
use serde_json::{Deserializer, Map, Value};
use tokio_util::sync::CancellationToken;

use super::{arguments, output, render};
use crate::app::App;
use crate::error::{Error, Result};
use crate::mcp::error_body;
use crate::request::{Caller, Door, ProgressSink};
use crate::tools::CallContext;

#[derive(Args)]
pub(super) struct Arguments {
    /// The tool's name; without one, the tools are listed
    #[arg(value_name = "TOOL", conflicts_with = "stdin")]
    tool: Option<String>,
    /// The tool's arguments as key=value; lists are separated by commas
    #[arg(value_name = "KEY=VALUE", requires = "tool")]
    pairs: Vec<String>,
    /// The tool's arguments as one JSON object; key=value pairs are laid over it
    #[arg(long, value_name = "OBJECT", requires = "tool")]
    json: Option<String>,
    /// Read calls from standard input: {"method": "tools/call", "params": {"name": …, "arguments": {…}}}
    #[arg(long)]
    stdin: bool,
}

/// `false`: a tool answered with an error, which was printed.
pub(super) async fn run(app: &App, asked: &Arguments) -> anyhow::Result<bool> {
    let Some(tool) = &asked.tool else {
        if asked.stdin {
            return answer_lines(app).await;
        }
        output::result(&render::tools(app.toolbox.specs()))?;
        return Ok(true);
    };
    match arguments_for(app, tool, &asked.pairs, asked.json.as_deref()) {
        Ok(arguments) => call(app, tool, arguments).await,
        Err(error) => print(Err(error)),
    }
}

/// What was written as `key=value` and behind `--json`, as a tool takes it.
pub(super) fn arguments_for(app: &App, tool: &str, pairs: &[String], json: Option<&str>) -> Result<Map<String, Value>> {
    let spec = app.toolbox.specs().iter().find(|spec| spec.name == tool);
    let mut object = match json {
        None => Map::new(),
        Some(text) => serde_json::from_str(text).map_err(|error| {
            Error::bad_request(format!("--json is not a JSON object: {error}"))
                .hint(r#"Give one object, such as --json '{"title": "Review budget"}'."#)
        })?,
    };
    object.extend(arguments::from_pairs(pairs, spec.map(|spec| &spec.input_schema))?);
    Ok(object)
}

/// Every call on standard input, one after the other. The lesson's line has neither id nor version, so none is asked.
async fn answer_lines(app: &App) -> anyhow::Result<bool> {
    let mut text = Vec::new();
    stdin().lock().read_to_end(&mut text)?;
    let mut all_well = true;
    let mut calls = 0;
    for value in Deserializer::from_slice(&text).into_iter::<Value>() {
        calls += 1;
        all_well &= match value.map_err(|error| not_a_call(&error.to_string())).and_then(|value| read_call(&value)) {
            Ok((tool, arguments)) => call(app, &tool, arguments).await?,
            Err(error) => print(Err(error))?,
        };
    }
    if calls == 0 {
        return print(Err(not_a_call("it is empty")));
    }
    Ok(all_well)
}

fn read_call(value: &Value) -> Result<(String, Map<String, Value>)> {
    if value.get("method").and_then(Value::as_str) != Some("tools/call") {
        return Err(not_a_call("`method` is not \"tools/call\""));
    }
    let params = value.get("params").ok_or_else(|| not_a_call("`params` is missing"))?;
    let name = params.get("name").and_then(Value::as_str).ok_or_else(|| not_a_call("`params.name` is missing"))?;
    let arguments = match params.get("arguments") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(arguments)) => arguments.clone(),
        Some(_) => return Err(not_a_call("`params.arguments` is not an object")),
    };
    Ok((name.to_owned(), arguments))
}

fn not_a_call(why: &str) -> Error {
    Error::bad_request(format!("Standard input is not a tool call: {why}"))
        .hint(r#"Write {"method": "tools/call", "params": {"name": "list_tasks", "arguments": {}}}."#)
}

async fn call(app: &App, tool: &str, arguments: Map<String, Value>) -> anyhow::Result<bool> {
    let cancel = CancellationToken::new();
    let shows = output::is_for_a_person() && stderr().is_terminal();
    let context = CallContext {
        door: Door::Cli,
        caller: Caller::local(),
        progress: if shows { shown_progress() } else { Arc::new(|_| {}) },
        cancel: cancel.clone(),
    };
    let work = app.toolbox.call(tool, arguments, context);
    tokio::pin!(work);
    let result = tokio::select! {
        result = &mut work => result,
        _ = tokio::signal::ctrl_c() => {
            // What it spent so far is still written down.
            cancel.cancel();
            work.await
        }
    };
    if shows {
        let _ = write!(stderr(), "\r\x1b[2K");
    }
    print(result)
}

/// One line on standard error that is written over.
fn shown_progress() -> ProgressSink {
    const SHOWN: usize = 78;
    Arc::new(|progress| {
        let line: String = progress.to_string().chars().take(SHOWN).collect();
        let mut error = stderr().lock();
        let _ = write!(error, "\r\x1b[2K{line}").and_then(|()| error.flush());
    })
}

/// `false` always: the error that a call ends with, printed as the call's result would have been.
pub(super) fn refused(error: Error) -> anyhow::Result<bool> {
    print(Err(error))
}

fn print(result: Result<Map<String, Value>>) -> anyhow::Result<bool> {
    let well = result.is_ok();
    match result {
        Ok(body) if output::is_for_a_person() => output::result(&render::result(&body))?,
        Err(error) if output::is_for_a_person() => output::failure(&error.into()),
        Ok(body) => output::result(&Value::Object(body).to_string())?,
        Err(error) => output::result(&Value::Object(error_body(&error)).to_string())?,
    }
    Ok(well)
}
