//! The figures that the README quotes: `cargo bench --bench figures`. It prints; it judges nothing.
//!
//! `cargo bench --bench figures -- month PATH [REQUESTS]` only fills a database with a month of made-up traffic;
//! `-- ledger [PATH]` takes the figures of the ledger alone, over such a database.
//!
//! Whole-process figures are taken over a real pipe to the built binary, as an MCP host would see them.

#![expect(clippy::expect_used, clippy::print_stdout, reason = "a bench prints, and stops at the first surprise")]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

mod classify;
mod ledger;
mod month;
mod planner;

const STARTS: usize = 30;
const CALLS: usize = 500;

fn main() {
    let directory = tempfile::tempdir().expect("a scratch directory");
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let month = directory.path().join("month.db");
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["month", path] => ledger::fill(path.as_ref(), ledger::REQUESTS),
        ["month", path, requests] => ledger::fill(path.as_ref(), requests.parse().expect("a number of requests")),
        ["ledger"] => ledger::figures(&month),
        ["ledger", path] => ledger::figures(path.as_ref()),
        _ => all(directory.path(), &month),
    }
}

fn all(directory: &std::path::Path, month: &std::path::Path) {
    let database = directory.join("bench.db");
    let starts = (0..STARTS).map(|_| start(&database).1).collect();
    report("start of `taskgate mcp`, to the answer to initialize", starts);

    let (mut host, _) = start(&database);
    let creates = (0..CALLS).map(|n| host.timed("create_task", json!({"title": format!("Task number {n}")}))).collect();
    report("create_task over stdio", creates);
    let id = |n: usize| format!("TASK-{:04}", n + 1);
    let gets = (0..CALLS).map(|n| host.timed("get_task", json!({"task_id": id(n)}))).collect();
    report("get_task over stdio", gets);
    let updates =
        (0..CALLS).map(|n| host.timed("update_task", json!({"task_id": id(n), "status": "in_progress"}))).collect();
    report("update_task over stdio", updates);
    let lists = (0..CALLS).map(|_| host.timed("list_tasks", json!({"status": "in_progress"}))).collect();
    report("list_tasks over stdio, 20 of 500", lists);
    println!("memory of `taskgate mcp` after {} calls: {:.1} MB resident", 4 * CALLS, host.resident_megabytes());

    report("the planner on 500 tasks", planner::times());
    report("how hard a sprint plan of 500 tasks is", classify::tool_call());
    report("how hard a conversation of 20 KB is", classify::chat());
    drop(host);

    ledger::figures(month);
}

fn report(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100];
    let (unit, scale) = if at(50) < Duration::from_micros(100) { ("µs", 1e6) } else { ("ms", 1e3) };
    let shown = |percent: usize| format!("{:.2} {unit}", at(percent).as_secs_f64() * scale);
    println!("{what}: median {}, p95 {}, {} runs", shown(50), shown(95), times.len());
}

/// An MCP host, as thin as it gets: one line out, one line in.
struct Host {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    next_id: u64,
}

fn start(database: &std::path::Path) -> (Host, Duration) {
    let started = Instant::now();
    let mut process = Command::new(env!("CARGO_BIN_EXE_taskgate"))
        .arg("mcp")
        .env("TASKGATE_DATABASE_URL", database)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts");
    let (input, output) = (process.stdin.take().expect("stdin"), process.stdout.take().expect("stdout"));
    let mut host = Host { process, input, output: BufReader::new(output), next_id: 1 };
    let client = json!({"name": "bench", "version": "1"});
    host.request("initialize", json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client}));
    let took = started.elapsed();
    host.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
    (host, took)
}

impl Host {
    fn timed(&mut self, tool: &str, arguments: Value) -> Duration {
        let started = Instant::now();
        let answer = self.request("tools/call", json!({"name": tool, "arguments": arguments}));
        let took = started.elapsed();
        assert_ne!(answer["result"]["isError"], json!(true), "{answer}");
        assert!(answer["result"].is_object(), "{answer}");
        took
    }

    fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.next_id;
        self.next_id += 1;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        loop {
            let mut line = String::new();
            let read = self.output.read_line(&mut line).expect("an answer");
            assert!(read > 0, "the server ended");
            let message: Value = serde_json::from_str(&line).expect("JSON on standard output");
            if message["id"] == json!(id) {
                return message;
            }
        }
    }

    fn send(&mut self, message: &Value) {
        writeln!(self.input, "{message}").expect("the server reads");
        self.input.flush().expect("the server reads");
    }

    fn resident_megabytes(&self) -> f64 {
        let path = format!("/proc/{}/status", self.process.id());
        let status = std::fs::read_to_string(path).expect("/proc, so Linux");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS");
        let kilobytes: f64 = line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("kB");
        kilobytes / 1_024.0
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
