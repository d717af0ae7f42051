//! A real Prometheus by the committed configuration and rules, and promtool beside it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::ledger::Ledger;
use crate::processes::{Process, free_port, http, installed};

/// From a row in the ledger to an answer of Prometheus: the server's look at the ledger, the scrape, and a busy machine.
pub const SOON: Duration = Duration::from_secs(120);

pub struct Prometheus {
    url: String,
    _process: Process,
}

impl Prometheus {
    /// Changes nothing but the addresses of the targets, and scrapes and evaluates every second.
    pub async fn start(folder: &Path, targets: &[String; 2]) -> Self {
        let config = fs::read_to_string(committed("prometheus/scrape.yml")).unwrap();
        let targets = targets.join("\", \"");
        let changes = [
            ("127.0.0.1:8080", targets.as_str()),
            ("scrape_interval: 15s", "scrape_interval: 1s"),
            ("scrape_timeout: 10s", "scrape_timeout: 1s"),
            ("evaluation_interval: 30s", "evaluation_interval: 1s"),
        ];
        let config = changes.iter().fold(config, |config, (from, to)| {
            assert!(config.contains(from), "{from} is not in {config}");
            config.replace(from, to)
        });
        let file = folder.join("prometheus.yml");
        fs::write(&file, config).unwrap();
        for rules in ["recording.yml", "alerts.yml"] {
            fs::copy(committed("prometheus").join(rules), folder.join(rules)).unwrap();
        }
        let listen = format!("127.0.0.1:{}", free_port());
        let mut command = Command::new(installed("prometheus/prometheus"));
        command.arg(format!("--config.file={}", file.display()));
        command.arg(format!("--storage.tsdb.path={}", folder.join("prometheus").display()));
        command.arg(format!("--web.listen-address={listen}"));
        let mut process = Process::start("prometheus", &mut command, folder);
        process.wait_for(&format!("http://{listen}/-/ready"), SOON).await;
        let new = Self { url: format!("http://{listen}"), _process: process };
        new.becomes("sum(up)", 2).await;
        new
    }

    /// The values of an instant query; an error in the expression fails the test.
    pub async fn ask(&self, expression: &str) -> Vec<f64> {
        let url = format!("{}/api/v1/query", self.url);
        let url = reqwest::Url::parse_with_params(&url, [("query", expression)]).unwrap();
        let answer: Value = http().get(url).send().await.unwrap().json().await.unwrap();
        assert_eq!(answer["status"], "success", "{expression}: {answer}");
        let series = answer["data"]["result"].as_array().unwrap();
        series.iter().map(|one| one["value"][1].as_str().unwrap().parse().unwrap()).collect()
    }

    /// Waits until an expression has exactly that value.
    pub async fn becomes(&self, expression: &str, value: i64) {
        self.follows(expression, async || value).await;
    }

    /// Waits until an expression has the value that the ledger gives at the same moment.
    pub async fn equals(&self, expression: &str, ledger: &Ledger, sql: &'static str) {
        self.follows(expression, async || ledger.number(sql).await).await;
    }

    async fn follows(&self, expression: &str, wanted: impl AsyncFn() -> i64) {
        let start = Instant::now();
        loop {
            let (value, now) = (wanted().await, self.ask(expression).await);
            if now == [value as f64] {
                return;
            }
            assert!(start.elapsed() < SOON, "{expression} is {now:?} and does not become {value}");
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    /// Every rule with its name, once all of them have been evaluated.
    pub async fn rules(&self) -> Vec<(String, Value)> {
        let start = Instant::now();
        loop {
            let url = format!("{}/api/v1/rules", self.url);
            let answer: Value = http().get(url).send().await.unwrap().json().await.unwrap();
            let groups = answer["data"]["groups"].as_array().unwrap();
            let rules = groups.iter().flat_map(|group| group["rules"].as_array().unwrap());
            let named = |rule: &Value| (rule["name"].as_str().unwrap().to_owned(), rule.clone());
            let rules: Vec<(String, Value)> = rules.map(named).collect();
            if rules.iter().all(|(_, rule)| rule["health"] != "unknown") {
                return rules;
            }
            assert!(start.elapsed() < SOON, "not evaluated: {rules:?}");
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }
}

pub fn promtool(arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(installed("prometheus/promtool"));
    let piped = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// A file of the dashboards folder.
pub fn committed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards").join(name)
}
