//! `taskgate serve`, the built binary over a real socket: what it tells, and whom it refuses.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::policies::{Knobs, policy};
use crate::taskgate::Taskgate;
use crate::upstream::Upstream;

pub struct Server {
    child: Child,
    address: SocketAddr,
}

pub struct Answer {
    pub status: u16,
    head: String,
    pub body: String,
}

impl Server {
    /// On a free port, which its log names.
    pub fn start(taskgate: &Taskgate) -> Self {
        let mut command = taskgate.command(&["serve", "--listen", "127.0.0.1:0"]);
        let mut child = command.env("TASKGATE_LOG", "info").stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let line = log.by_ref().map(Result::unwrap).find(|line| line.contains("listening on")).unwrap();
        let address = serde_json::from_str::<Value>(&line).unwrap()["address"].as_str().unwrap().parse().unwrap();
        // A full pipe would stop the server.
        std::thread::spawn(move || log.for_each(drop));
        Self { child, address }
    }

    pub fn ask(&self, request_line: &str, headers: &[(&str, &str)]) -> Answer {
        let mut stream = TcpStream::connect(self.address).unwrap();
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        write!(stream, "{request_line} HTTP/1.1\r\n{headers}connection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    pub fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path}"), &[("host", &self.address.to_string())])
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// As a supervisor ends it.
    #[cfg(unix)]
    fn end(mut self) {
        let told = std::process::Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        let ended = self.child.wait().unwrap();
        assert!(told.success() && ended.success(), "{told} {ended}");
    }

    /// Waits until the metrics have this line.
    fn shows(&self, line: &str) {
        let start = Instant::now();
        while !self.get("/metrics").body.lines().any(|shown| shown == line) {
            let text = self.get("/metrics").body;
            assert!(start.elapsed() < Duration::from_secs(120), "no `{line}` in:\n{text}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn taskgate(folder: &Path) -> Taskgate {
    Taskgate::new(folder, &policy(&Knobs::default()))
}

#[test]
fn it_lives_is_ready_and_shows_metrics() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&taskgate(folder.path()));
    assert_eq!(server.get("/healthz").body, r#"{"status":"ok"}"#);
    assert_eq!(server.get("/readyz").body, r#"{"status":"ready"}"#);
    let metrics = server.get("/metrics");
    assert!(metrics.head.contains("content-type: text/plain; version=0.0.4"), "{}", metrics.head);
    assert!(
        metrics.body.contains("taskgate_build_info{version=") && metrics.body.contains("process_start_time_seconds")
    );
}

#[test]
fn the_page_comes_with_strict_headers_and_is_sent_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&taskgate(folder.path()));
    for path in ["/", "/page.css", "/page.js", "/icon.svg", "/api/overview"] {
        let answer = server.get(path);
        assert_eq!(answer.status, 200, "{path}");
        let strict = ["content-security-policy: default-src 'none';", "x-content-type-options: nosniff"];
        for header in strict.into_iter().chain(["referrer-policy: no-referrer", "cache-control: no-cache"]) {
            assert!(answer.head.contains(header), "{path} without {header}: {}", answer.head);
        }
        assert!(!answer.head.contains("unsafe"), "{}", answer.head);
        let etag = answer.head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap().trim();
        let host = server.address.to_string();
        let again = server.ask(&format!("GET {path}"), &[("host", &host), ("if-none-match", etag)]);
        assert_eq!((again.status, again.body.as_str()), (304, ""), "{path}");
    }
    let page = server.get("/").body;
    for inline in ["<style", "style=", "onclick", "https://", "http://", "//cdn"] {
        assert!(!page.contains(inline), "the page has {inline}");
    }
}

#[test]
fn what_is_not_there_is_told_as_json() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&taskgate(folder.path()));
    let missing = server.get("/v2/nothing");
    assert_eq!(missing.status, 404);
    assert_eq!(serde_json::from_str::<Value>(&missing.body).unwrap()["error"]["code"], "not_found");
    let posted = server.ask("POST /metrics", &[("host", "localhost"), ("content-length", "0")]);
    assert_eq!((posted.status, posted.body.contains("method_not_allowed")), (405, true));
}

#[test]
fn another_host_or_a_foreign_page_is_refused_on_every_route() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&taskgate(folder.path()));
    for path in ["/", "/page.js", "/api/overview", "/metrics", "/healthz", "/readyz", "/nothing"] {
        let get = format!("GET {path}");
        let rebound = server.ask(&get, &[("host", "evil.example:8080")]);
        assert_eq!((rebound.status, rebound.body.contains("foreign_host")), (403, true), "{path}");
        let page = server.ask(&get, &[("host", "localhost"), ("origin", "http://evil.example")]);
        assert_eq!((page.status, page.body.contains("foreign_origin")), (403, true), "{path}");
    }
    let own = server.ask("GET /healthz", &[("host", "localhost"), ("origin", "http://127.0.0.1:3000")]);
    assert_eq!(own.status, 200);
}

#[test]
fn an_address_that_is_taken_or_reaches_too_far_stops_the_start_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let taskgate = taskgate(folder.path());
    let server = Server::start(&taskgate);
    for (listen, told) in [(server.address.to_string(), "Cannot listen on"), ("0.0.0.0:0".to_owned(), "127.0.0.1")] {
        let output = taskgate.command(&["serve", "--listen", &listen]).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(
            output.status.code() == Some(1) && error.contains(told) && error.contains("hint:"),
            "{listen}: {error}"
        );
    }
}

/// A process that binds no port is counted by the server on the same database, once, however the servers change.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn calls_of_other_processes_are_counted_once() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = Upstream::start().await;
    let good = json!({ "priority": "low", "title": "Sweep", "effort_hours": 1, "considerations": "None." });
    let _ = upstream.on("gpt-4o").reply(good.to_string());
    let routes = "  - name: best\n    match: { tools: [smart_prioritize] }\n    tier: hosted\n";
    let taskgate = Taskgate::new(folder.path(), &policy(&Knobs { routes, ..Knobs::default() }))
        .with("OPENAI_BASE_URL", upstream.base_url())
        .with("OPENAI_API_KEY", "sk-test");
    let ask = async |what: &str| taskgate.call("smart_prioritize", json!({ "task_description": what })).await;
    let first = Server::start(&taskgate);
    // 20 tokens in at 2.50 and 10 out at 10.00 dollars per million.
    let cost = 20 * 2_500 + 10 * 10_000;
    assert_eq!(ask("Sweep the yard").await["routing"]["model"], "gpt-4o");
    first.shows(&format!(r#"taskgate_cost_nanousd_total{{model="gpt-4o",route="best"}} {cost}"#));
    first.shows(&format!(r#"taskgate_spend_nanousd{{model="gpt-4o",period="day"}} {cost}"#));
    first.end();
    let second = Server::start(&taskgate);
    ask("Sweep the other yard").await;
    second.shows(&format!(r#"taskgate_cost_nanousd_total{{model="gpt-4o",route="best"}} {cost}"#));
    second.shows(&format!(r#"taskgate_spend_nanousd{{model="gpt-4o",period="day"}} {}"#, 2 * cost));
    // Long enough for a look or two at rows that were counted already.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    second.shows(&format!(r#"taskgate_cost_nanousd_total{{model="gpt-4o",route="best"}} {cost}"#));
}
