//! A real Prometheus beside a working taskgate: what it scrapes is clean, equals the ledger, and answers every
//! expression of the dashboards.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::Client;
use crate::ledger::Ledger;
use crate::policies::{Knobs, policy};
use crate::processes::{Process, free_port, http, installed, tell};
use crate::taskgate::Taskgate;
use crate::upstream::{Recorded, Reply, Step, Upstream};

/// A counter has to be seen twice before Prometheus knows how much it rose.
const ROUNDS: usize = 3;

/// From a row in the ledger to an answer of Prometheus: the server's look at the ledger, the scrape, and a busy machine.
const SOON: Duration = Duration::from_secs(30);

/// Panels that this load leaves at zero or empty, and why. Every other one must have something to show.
const QUIET: [(&str, &str); 2] = [
    ("How much is going on right now?", "nothing is, once the load has ended"),
    ("Which limit holds calls back?", "the policy of this test limits nothing that is reached"),
];

#[tokio::test]
async fn what_prometheus_scrapes_is_clean_equals_the_ledger_and_answers_the_dashboards() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = Upstream::start().await;
    let _ = (upstream.on("task-api-model").answer(local_says), upstream.on("gpt-4o").answer(hosted_says));
    let listen = format!("127.0.0.1:{}", free_port());
    let taskgate = Taskgate::new(folder.path(), &policy(&Knobs::default()))
        .with("LITELLM_PROXY_URL", upstream.base_url())
        .with("OPENAI_BASE_URL", upstream.base_url())
        .with("OPENAI_API_KEY", "sk-test")
        .with("TASKGATE_LISTEN", listen.clone());
    let mut serve = Process::start("serve", &mut taskgate.command(&["serve"]), folder.path());
    serve.wait_for(&format!("http://{listen}/readyz"), SOON).await;
    let prometheus = Prometheus::start(folder.path(), &listen).await;
    let ledger = Ledger::open(&taskgate.database()).await;

    let (one, two) = (Client::start(&taskgate, "one").await, Client::start(&taskgate, "two").await);
    for round in 0..ROUNDS {
        let (first, second) = (format!("one, {round}"), format!("two, {round}"));
        tokio::join!(work(&one, &first), work(&two, &second));
        let text = json!({ "task_description": format!("Paint the fence, said a script in round {round}") });
        assert_eq!(taskgate.call("smart_prioritize", text).await["status"], "ok");
        let requests = ledger.number("SELECT count(*) FROM requests").await;
        prometheus.becomes("sum(taskgate_requests_total)", requests).await;
    }
    equals_the_ledger(&prometheus, &ledger).await;
    one.close().await;
    two.close().await;
    every_panel_answers(&prometheus).await;
    equals_the_ledger(&prometheus, &ledger).await;
    scraped_text_is_clean(&listen).await;
}

#[test]
fn the_committed_scrape_configuration_is_valid() {
    let output = promtool(&["check", "config", &committed("prometheus/scrape.yml").display().to_string()], "");
    assert!(output.status.success(), "{output:?}");
}

/// Each way that a request can go, once.
async fn work(client: &Client, mark: &str) {
    let ask = async |what: &str| {
        let text = format!("{what} ({mark})");
        client.call("smart_prioritize", json!({ "task_description": text })).await.result
    };
    client.call("create_task", json!({ "title": format!("Count the boxes ({mark})"), "priority": "high" })).await;
    client.call("list_tasks", json!({})).await;
    assert_eq!(ask("Sweep the yard").await["routing"]["model"], "task-api-model");
    assert_eq!(ask("Sweep the yard").await["routing"]["cached"], true);
    assert_eq!(ask("Rejected, then answered #nonsense").await["routing"]["model"], "gpt-4o");
    assert_eq!(ask("Busy twice, then answered #busy").await["routing"]["model"], "gpt-4o");
    assert_eq!(ask("Rejected by both #nonsense #hopeless").await["status"], "degraded");
    assert_eq!(ask("Answered without a count #uncounted").await["status"], "ok");
}

/// What the two models say depends on a word in the question, so that clients need not take turns.
fn local_says(asked: &Recorded) -> Step {
    let prompt = asked.prompt();
    if prompt.contains("#busy") {
        return Step::status(503);
    }
    let text = if prompt.contains("#nonsense") { "I cannot say.".to_owned() } else { good_priority() };
    let reply = Reply::new(text).usage(110, 40);
    Step::Reply(if prompt.contains("#uncounted") { reply.no_usage() } else { reply })
}

fn hosted_says(asked: &Recorded) -> Step {
    let text = if asked.prompt().contains("#hopeless") { "Nor can I.".to_owned() } else { good_priority() };
    Step::Reply(Reply::new(text).usage(400, 60))
}

fn good_priority() -> String {
    json!({ "priority": "normal", "title": "A task", "effort_hours": 2, "considerations": "None." }).to_string()
}

async fn equals_the_ledger(prometheus: &Prometheus, ledger: &Ledger) {
    let cost = ledger.number("SELECT sum(cost) FROM attempts").await;
    assert!(cost > 0, "the load costs something");
    prometheus.becomes("sum(taskgate_cost_nanousd_total)", cost).await;
    prometheus.becomes(r#"sum(taskgate_spend_nanousd{period="day"})"#, cost).await;
    prometheus.becomes(r#"sum(taskgate_spend_nanousd{period="month"})"#, cost).await;
    let wasted = ledger.number("SELECT sum(wasted) FROM requests").await;
    assert!(wasted > 0, "the load wastes something");
    prometheus.becomes("sum(taskgate_wasted_cost_nanousd_total)", wasted).await;
    let tokens = ledger.number("SELECT sum(tokens_in + tokens_out) FROM attempts WHERE usage <> 'unknown'").await;
    prometheus.becomes("sum(taskgate_tokens_total)", tokens).await;
    for (model, attempts) in ledger.numbers("SELECT model, count(*) FROM attempts GROUP BY model").await {
        prometheus.becomes(&format!(r#"sum(taskgate_attempts_total{{model="{model}"}})"#), attempts).await;
    }
    for (door, requests) in ledger.numbers("SELECT door, count(*) FROM requests GROUP BY door").await {
        prometheus.becomes(&format!(r#"sum(taskgate_requests_total{{door="{door}"}})"#), requests).await;
    }
}

async fn every_panel_answers(prometheus: &Prometheus) {
    let (mut asked, mut silent) = (0, Vec::new());
    for (title, expression) in dashboard_expressions() {
        let values = prometheus.ask(&expression).await;
        asked += 1;
        let quiet = QUIET.iter().any(|(panel, _)| *panel == title);
        if !quiet && !values.iter().any(|value| value.is_finite() && *value != 0.0) {
            silent.push(format!("{title}\n    {expression}\n    {values:?}"));
        }
    }
    tell(&format!("{asked} expressions of the dashboards answered"));
    assert!(asked > 0, "no dashboard has an expression");
    assert!(silent.is_empty(), "panels with nothing to show:\n{}", silent.join("\n"));
}

async fn scraped_text_is_clean(listen: &str) {
    let text = http().get(format!("http://{listen}/metrics")).send().await.unwrap().text().await.unwrap();
    let output = promtool(&["check", "metrics"], &text);
    let said = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    assert!(output.status.success() && said.is_empty(), "promtool: {}", String::from_utf8_lossy(&said));
}

struct Prometheus {
    url: String,
    _process: Process,
}

impl Prometheus {
    /// Runs by the committed configuration, but for the address of the target and a scrape every second.
    async fn start(folder: &Path, target: &str) -> Self {
        let committed = fs::read_to_string(committed("prometheus/scrape.yml")).unwrap();
        let config = committed.replace("127.0.0.1:8080", target).replace("scrape_interval: 15s", "scrape_interval: 1s");
        let config = config.replace("scrape_timeout: 10s", "scrape_timeout: 1s");
        assert!(config.contains(target) && config.contains("scrape_interval: 1s"), "{config}");
        let file = folder.join("prometheus.yml");
        fs::write(&file, config).unwrap();
        let listen = format!("127.0.0.1:{}", free_port());
        let mut command = Command::new(installed("prometheus/prometheus"));
        command.arg(format!("--config.file={}", file.display()));
        command.arg(format!("--storage.tsdb.path={}", folder.join("prometheus").display()));
        command.arg(format!("--web.listen-address={listen}"));
        let mut process = Process::start("prometheus", &mut command, folder);
        process.wait_for(&format!("http://{listen}/-/ready"), SOON).await;
        let new = Self { url: format!("http://{listen}"), _process: process };
        new.becomes("up", 1).await;
        new
    }

    /// The values of an instant query; an error in the expression fails the test.
    async fn ask(&self, expression: &str) -> Vec<f64> {
        let url = format!("{}/api/v1/query", self.url);
        let url = reqwest::Url::parse_with_params(&url, [("query", expression)]).unwrap();
        let answer: Value = http().get(url).send().await.unwrap().json().await.unwrap();
        assert_eq!(answer["status"], "success", "{expression}: {answer}");
        let series = answer["data"]["result"].as_array().unwrap();
        series.iter().map(|one| one["value"][1].as_str().unwrap().parse().unwrap()).collect()
    }

    /// Waits until an expression has exactly that value.
    async fn becomes(&self, expression: &str, value: i64) {
        let start = Instant::now();
        loop {
            let now = self.ask(expression).await;
            if now == [value as f64] {
                return;
            }
            assert!(start.elapsed() < SOON, "{expression} is {now:?} and does not become {value}");
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }
}

/// Title and expression of every target of every panel of every dashboard, its variables filled in.
fn dashboard_expressions() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for file in fs::read_dir(committed("")).unwrap().map(|entry| entry.unwrap().path()) {
        if file.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let dashboard: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
        for panel in dashboard["panels"].as_array().unwrap() {
            let targets = panel["targets"].as_array().into_iter().flatten();
            let title = panel["title"].as_str().unwrap();
            found.extend(targets.map(|target| (title.to_owned(), filled_in(target["expr"].as_str().unwrap()))));
        }
    }
    found
}

fn filled_in(expression: &str) -> String {
    let known = [("$__rate_interval", "2m"), ("$__range", "5m"), ("$__interval", "5s"), ("$model", ".*")];
    let filled = known.iter().fold(expression.to_owned(), |text, (name, value)| text.replace(name, value));
    assert!(!filled.contains('$'), "a variable that this test does not know: {filled}");
    filled
}

fn promtool(arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(installed("prometheus/promtool"));
    let piped = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// A file of the dashboards folder.
fn committed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards").join(name)
}
