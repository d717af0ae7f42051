//! The built program as others start it: with a database, a policy and an environment of its own, as a command or as an
//! MCP server over a pipe.
//!
//! The client here speaks raw JSON-RPC lines, so that it can also say what no client library would.

// Every test module uses its own part of this.
#![allow(dead_code, reason = "a toolbox: no single test module needs all of it")]

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpSocket;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::ledger::Ledger;
use crate::policies::noon;

/// The longest that anything here is waited for: above every deadline of the program, so that only what is broken
/// reaches it.
const PATIENCE: Duration = Duration::from_secs(240);

/// The variables that a developer's shell may hold and that would change what is tested.
const FOREIGN: [&str; 8] = [
    "TASKGATE_POLICY",
    "TASKGATE_DATABASE_URL",
    "TASKGATE_LISTEN",
    "TASKGATE_LOG",
    "LITELLM_PROXY_URL",
    "LITELLM_API_KEY",
    "OPENAI_BASE_URL",
    "OPENAI_API_KEY",
];

/// A home directory for the program. Everything in it is gone when it is dropped.
pub struct Home {
    folder: TempDir,
    variables: HashMap<&'static str, String>,
    /// Calls of tools that its sessions have had a result of, each of which has a row.
    answered: Arc<AtomicI64>,
    /// Bound and not listened on: whoever connects is refused, and nobody else gets the port.
    _closed: TcpSocket,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Home {
    /// The built-in policy, and no model: nothing listens where the local one should be, and there is no key for a
    /// hosted one. No day ends.
    pub fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let closed = TcpSocket::new_v4().unwrap();
        closed.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let nobody = format!("http://{}/v1", closed.local_addr().unwrap());
        let home = Self { folder, variables: HashMap::new(), answered: Arc::default(), _closed: closed };
        let own = home.folder.path().display().to_string();
        let database = home.database().display().to_string();
        let places = ["HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "APPDATA", "LOCALAPPDATA"];
        let home = places.into_iter().fold(home, |home, place| home.with(place, own.clone()));
        home.with("TASKGATE_DATABASE_URL", database).with("LITELLM_PROXY_URL", nobody).with("TZ", noon())
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.variables.insert(name, value.into());
        self
    }

    /// Routes by this policy.
    pub fn policy(self, text: &str) -> Self {
        let file = self.path("routing.yaml");
        fs::write(&file, text).unwrap();
        self.with("TASKGATE_POLICY", file.display().to_string())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn database(&self) -> PathBuf {
        self.path("taskgate.db")
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        self.dressed(Command::new(env!("CARGO_BIN_EXE_taskgate")), arguments)
    }

    /// Another program, such as a shell that starts ours, with the same environment.
    pub fn dressed(&self, mut command: Command, arguments: &[&str]) -> Command {
        for name in FOREIGN {
            command.env_remove(name);
        }
        command.args(arguments).envs(&self.variables).current_dir(self.folder.path()).kill_on_drop(true);
        command
    }

    /// Runs a command to its end.
    pub async fn run(&self, arguments: &[&str], input: &[u8]) -> Ended {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut to = child.stdin.take().unwrap();
        let write = async {
            // A command that does not read its input may be gone by now.
            let _ = to.write_all(input).await;
            drop(to);
        };
        let ended = async { tokio::join!(write, child.wait_with_output()).1.unwrap() };
        let ended = tokio::time::timeout(PATIENCE, ended).await.unwrap_or_else(|_| panic!("{arguments:?} never ended"));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ended { code: ended.status.code(), out: text(&ended.stdout), err: text(&ended.stderr) }
    }

    /// `taskgate mcp`, and the client's half of the opening.
    pub async fn mcp(&self) -> Session {
        let session = Session::open(self.command(&["mcp"]), &self.path("mcp.log")).await;
        Session { answered: self.answered.clone(), ..session }
    }

    /// With all rows of what was answered so far, whenever it is read.
    pub async fn ledger(&self) -> Ledger {
        Ledger::open(&self.database()).await.of(self.answered.clone())
    }
}

impl Ended {
    /// The one line of JSON that was printed.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }
}

/// A client at the other end of a running `taskgate mcp`.
pub struct Session {
    child: Child,
    to: Option<ChildStdin>,
    from: UnboundedReceiver<Value>,
    /// What came while something else was waited for.
    kept: Vec<Value>,
    last_id: i64,
    log: PathBuf,
    answered: Arc<AtomicI64>,
}

impl Session {
    /// Its standard error goes to this file.
    pub async fn open(mut command: Command, log: &Path) -> Self {
        let stderr = Stdio::from(File::create(log).unwrap());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(stderr).spawn().unwrap();
        let to = child.stdin.take();
        let from = read_lines(child.stdout.take().unwrap());
        let mut session =
            Self { child, to, from, kept: Vec::new(), last_id: 0, log: log.to_owned(), answered: Arc::default() };
        let us = json!({ "name": "test", "version": "1" });
        let params = json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": us });
        session.line(&json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params })).await;
        let opened = session.response(0).await;
        assert_eq!(opened["result"]["serverInfo"]["name"], "taskgate", "{opened}");
        session.line(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await;
        session
    }

    pub fn pid(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// How long it has had processors; elsewhere than on Linux, the time of day.
    pub fn worked(&self) -> Duration {
        let told = fs::read_to_string(format!("/proc/{}/stat", self.pid())).ok();
        // Behind the name, which may have blanks in it; in hundredths of a second, as Linux tells everyone.
        let ticks = told.and_then(|told| {
            let fields: Vec<&str> = told.rsplit_once(") ")?.1.split(' ').collect();
            Some(fields[11].parse::<u64>().ok()? + fields[12].parse::<u64>().ok()?)
        });
        ticks.map_or_else(|| UNIX_EPOCH.elapsed().unwrap(), |ticks| Duration::from_millis(10 * ticks))
    }

    /// Ends it without a word, as a crash does.
    pub async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// What it wrote to standard error so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Bytes as they are, also no message at all.
    pub async fn raw(&mut self, bytes: &[u8]) {
        let to = self.to.as_mut().unwrap();
        to.write_all(bytes).await.unwrap();
        to.flush().await.unwrap();
    }

    pub async fn line(&mut self, message: &Value) {
        self.raw(format!("{message}\n").as_bytes()).await;
    }

    /// Asks without waiting for the response; gives the request's id.
    pub async fn ask(&mut self, tool: &str, arguments: Value) -> i64 {
        self.send(tool, arguments, None).await
    }

    /// The same, and wants to be told how it goes.
    pub async fn ask_for_progress(&mut self, tool: &str, arguments: Value) -> i64 {
        self.send(tool, arguments, Some("p")).await
    }

    async fn send(&mut self, tool: &str, arguments: Value, progress: Option<&str>) -> i64 {
        self.last_id += 1;
        let id = self.last_id;
        let mut params = json!({ "name": tool, "arguments": arguments });
        if let Some(token) = progress {
            params["_meta"] = json!({ "progressToken": token });
        }
        self.line(&json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params })).await;
        id
    }

    pub async fn call(&mut self, tool: &str, arguments: Value) -> Answer {
        let id = self.ask(tool, arguments).await;
        Answer { response: self.response(id).await }
    }

    /// Waits for a notice of progress that says this.
    pub async fn told(&mut self, what: &str) {
        let says = |message: &Value| message["params"]["message"].as_str().is_some_and(|told| told.contains(what));
        if self.kept.iter().any(says) {
            return;
        }
        loop {
            let message = tokio::time::timeout(PATIENCE, self.from.recv()).await;
            let message = message.unwrap_or_else(|_| panic!("`{what}` was never told; the log says:\n{}", self.log()));
            let message = message.unwrap_or_else(|| panic!("it ended without telling `{what}`:\n{}", self.log()));
            let told = says(&message);
            self.kept.push(message);
            if told {
                return;
            }
        }
    }

    /// The response with this id; `null` is the id of what could not be read. Everything else is kept.
    pub async fn response(&mut self, id: impl Into<Value>) -> Value {
        let response = self.message(id.into()).await;
        if response["result"].get("content").is_some() {
            self.answered.fetch_add(1, Ordering::Relaxed);
        }
        response
    }

    async fn message(&mut self, id: Value) -> Value {
        let fits =
            |message: &Value| message.get("id").unwrap_or(&Value::Null) == &id && message.get("method").is_none();
        if let Some(at) = self.kept.iter().position(fits) {
            return self.kept.remove(at);
        }
        loop {
            let message = tokio::time::timeout(PATIENCE, self.from.recv()).await;
            let message = message.unwrap_or_else(|_| panic!("no response to {id}; the log says:\n{}", self.log()));
            let message = message.unwrap_or_else(|| panic!("it ended without a response to {id}:\n{}", self.log()));
            if fits(&message) {
                return message;
            }
            self.kept.push(message);
        }
    }

    /// Closes the pipe, as a host does, and waits for the end.
    pub async fn close(mut self) -> Ended {
        drop(self.to.take());
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        let status = ended.unwrap_or_else(|_| panic!("it never ended:\n{}", self.log())).unwrap();
        let mut out: Vec<String> = self.kept.iter().map(Value::to_string).collect();
        while let Some(message) = self.from.recv().await {
            out.push(message.to_string());
        }
        Ended { code: status.code(), out: out.join("\n"), err: self.log() }
    }
}

/// Waits for what is sure to come.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("waited in vain for {what}"));
}

/// Whatever comes is taken at once: the server must never wait for a test that is not reading.
fn read_lines(from: ChildStdout) -> UnboundedReceiver<Value> {
    let (keep, kept) = unbounded_channel();
    tokio::spawn(async move {
        let mut lines = BufReader::new(from).lines();
        while let Some(line) = lines.next_line().await.unwrap() {
            let message = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error} in `{line}`"));
            if keep.send(message).is_err() {
                return;
            }
        }
    });
    kept
}

/// What came back for one call.
pub struct Answer {
    response: Value,
}

impl Answer {
    /// The result of a call that worked, which its text says too.
    #[track_caller]
    pub fn result(self) -> Value {
        let result = &self.response["result"];
        assert!(result["isError"] != true && result["structuredContent"].is_object(), "{}", self.response);
        let text: Value = serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
        assert_eq!(text, result["structuredContent"]);
        text
    }

    /// The text of a call that could not be done: the lesson's keys, and a hint.
    #[track_caller]
    pub fn refusal(self) -> Refusal {
        let result = &self.response["result"];
        assert!(result["isError"] == true, "it was not refused: {}", clipped(&self.response));
        let text = result["content"][0]["text"].as_str().unwrap().to_owned();
        let body: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(body["success"], false, "{text}");
        let word = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
        Refusal { error: word("error"), hint: word("hint"), text }
    }
}

/// Why a call could not be done, and what to do.
#[derive(Debug)]
pub struct Refusal {
    pub error: String,
    pub hint: String,
    /// The whole text.
    pub text: String,
}

fn clipped(value: &Value) -> String {
    value.to_string().chars().take(2_000).collect()
}
