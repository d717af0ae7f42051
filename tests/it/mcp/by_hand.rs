//! A client that writes lines of its own: the bytes are what is tested.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::taskgate::Taskgate;

/// Reached only when something is broken.
const PATIENCE: Duration = Duration::from_secs(180);

pub struct Session {
    child: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
}

impl Session {
    pub fn start(taskgate: &Taskgate) -> Self {
        let mut command = Command::from(taskgate.command(&["mcp"]));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { input: child.stdin.take(), output, child }
    }

    /// A session of the era of `initialize`.
    pub async fn open(taskgate: &Taskgate) -> Self {
        let mut session = Self::start(taskgate);
        session.send(&initialize()).await;
        let opened = session.next().await;
        assert_eq!(opened["result"]["serverInfo"]["name"], "taskgate");
        session.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await;
        session
    }

    pub async fn send(&mut self, message: &Value) {
        self.write(format!("{message}\n").as_bytes()).await;
    }

    pub async fn write(&mut self, bytes: &[u8]) {
        self.input.as_mut().unwrap().write_all(bytes).await.unwrap();
    }

    /// The next line, which must be JSON: nothing else may stand in standard output.
    pub async fn next(&mut self) -> Value {
        let line = timeout(PATIENCE, self.output.next_line()).await.expect("a line in time").unwrap();
        let line = line.unwrap_or_else(|| panic!("the output ended"));
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error} in `{line}`"))
    }

    /// The answer to this request; what comes before it is returned too.
    pub async fn answer(&mut self, id: u64) -> (Value, Vec<Value>) {
        let mut before = Vec::new();
        loop {
            let message = self.next().await;
            if message["id"] == id {
                return (message, before);
            }
            before.push(message);
        }
    }

    pub async fn call(&mut self, id: u64, tool: &str, arguments: Value) -> Value {
        self.send(&call(id, tool, arguments)).await;
        self.answer(id).await.0
    }

    pub fn close_input(&mut self) {
        self.input = None;
    }

    pub fn id(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// Everything that it still says after its input was closed, and how it ended.
    pub async fn end(mut self) -> (Vec<Value>, ExitStatus) {
        self.close_input();
        let rest = async {
            let mut rest = Vec::new();
            while let Some(line) = self.output.next_line().await.unwrap() {
                rest.push(serde_json::from_str(&line).unwrap());
            }
            (rest, self.child.wait().await.unwrap())
        };
        let ended = timeout(PATIENCE, rest).await;
        ended.unwrap_or_else(|_| panic!("it did not end in {PATIENCE:?}"))
    }

    /// What it logged, once it has ended.
    pub async fn log(&mut self) -> String {
        let mut log = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut log).await.unwrap();
        log
    }
}

pub fn initialize() -> Value {
    json!({ "jsonrpc": "2.0", "id": "init", "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "by hand", "version": "1" } } })
}

pub fn call(id: u64, tool: &str, arguments: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": { "name": tool, "arguments": arguments } })
}
