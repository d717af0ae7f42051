//! `taskgate explain`: what a tool call would do now, and why. Nothing is called, changed or written down.
//!
//! On a terminal it is laid out for reading; otherwise it is JSON on one line.

use std::sync::Arc;

use clap::Args;
use tokio_util::sync::CancellationToken;

use super::call::{self, arguments_for};
use super::{output, story};
use crate::app::App;
use crate::request::{Caller, Door};
use crate::tools::CallContext;

#[derive(Args)]
pub(super) struct Arguments {
    /// The tool's name
    #[arg(value_name = "TOOL")]
    tool: String,
    /// The tool's arguments as key=value; lists are separated by commas
    #[arg(value_name = "KEY=VALUE")]
    pairs: Vec<String>,
    /// The tool's arguments as one JSON object; key=value pairs are laid over it
    #[arg(long, value_name = "OBJECT")]
    json: Option<String>,
}

/// `false`: the call would be refused; why was printed.
pub(super) async fn run(app: &App, asked: &Arguments) -> anyhow::Result<bool> {
    let rehearsal = match arguments_for(app, &asked.tool, &asked.pairs, asked.json.as_deref()) {
        Ok(arguments) => app.toolbox.explain(&asked.tool, arguments, context()).await,
        Err(error) => Err(error),
    };
    match rehearsal {
        Err(error) => call::refused(error),
        Ok(rehearsal) if output::is_for_a_person() => {
            output::result(&story::rehearsal(&rehearsal, &app.policy))?;
            Ok(true)
        }
        Ok(rehearsal) => {
            output::result(&serde_json::to_string(&rehearsal)?)?;
            Ok(true)
        }
    }
}

fn context() -> CallContext {
    CallContext {
        door: Door::Cli,
        caller: Caller::local(),
        progress: Arc::new(|_| {}),
        cancel: CancellationToken::new(),
    }
}
