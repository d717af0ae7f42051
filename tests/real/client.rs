//! An MCP client over stdio, as a desktop application is one: it starts `taskgate mcp`, calls tools, hears progress.

use std::fs::File;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rmcp::model::{CallToolRequestParams, CallToolResult, ProgressNotificationParam};
use rmcp::service::{NotificationContext, RunningService};
use rmcp::transport::TokioChildProcess;
use rmcp::{ClientHandler, RoleClient, ServiceExt};
use serde_json::{Map, Value};

use crate::processes::show_end;
use crate::taskgate::Taskgate;

/// Longer than the deadline of these tests' policies: no call hangs, whatever its models do.
const LONGEST_CALL: Duration = Duration::from_secs(600);

pub struct Client {
    service: RunningService<RoleClient, Listener>,
    listener: Listener,
    log: PathBuf,
}

/// One progress notification, and when it came.
#[derive(Debug, Clone)]
pub struct Heard {
    pub at: Instant,
    pub progress: f64,
    pub message: String,
}

/// What a call gave.
pub struct Answer {
    pub result: Map<String, Value>,
    /// In the order of arrival.
    pub heard: Vec<Heard>,
    pub took: Duration,
}

impl Client {
    pub async fn start(taskgate: &Taskgate, name: &str) -> Self {
        let log = taskgate.folder().join(format!("{name}.log"));
        let command = tokio::process::Command::from(taskgate.command(&["mcp"]));
        let stderr = Stdio::from(File::create(&log).unwrap());
        let (transport, _) = TokioChildProcess::builder(command).stderr(stderr).spawn().unwrap();
        let listener = Listener::default();
        let service = listener.clone().serve(transport).await.unwrap_or_else(|error| {
            show_end(&log);
            panic!("no MCP session with taskgate mcp: {error}")
        });
        Self { service, listener, log }
    }

    /// Calls a tool that must give a result.
    pub async fn call(&self, tool: &'static str, arguments: Value) -> Answer {
        self.listener.heard.lock().unwrap().clear();
        let Value::Object(arguments) = arguments else { panic!("arguments are an object") };
        let start = Instant::now();
        // rmcp's client puts a progress token of its own into every request.
        let call = self.service.call_tool(CallToolRequestParams::new(tool).with_arguments(arguments));
        let result = tokio::time::timeout(LONGEST_CALL, call).await;
        let took = start.elapsed();
        let result = result.unwrap_or_else(|_| panic!("{tool} gave no result within {LONGEST_CALL:?}"));
        let result = structured(tool, result.unwrap_or_else(|error| panic!("{tool}: {error}")));
        Answer { result, heard: self.listener.heard.lock().unwrap().clone(), took }
    }

    /// Ends the session as a host does, by closing the pipe.
    pub async fn close(mut self) {
        self.service.close().await.unwrap();
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if std::thread::panicking() {
            show_end(&self.log);
        }
    }
}

#[derive(Clone, Default)]
struct Listener {
    heard: Arc<Mutex<Vec<Heard>>>,
}

impl ClientHandler for Listener {
    async fn on_progress(&self, told: ProgressNotificationParam, _: NotificationContext<RoleClient>) {
        let message = told.message.unwrap_or_default();
        self.heard.lock().unwrap().push(Heard { at: Instant::now(), progress: told.progress, message });
    }
}

fn structured(tool: &str, result: CallToolResult) -> Map<String, Value> {
    assert!(result.is_error != Some(true), "{tool} was refused: {:?}", result.content);
    match result.structured_content {
        Some(Value::Object(result)) => result,
        other => panic!("{tool} gave no structured result: {other:?}"),
    }
}
