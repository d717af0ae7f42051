//! Labels are small closed sets: whatever a caller sends, through every door there is, no series appears that the policy
//! and our own words do not account for, and asking again with other words makes none at all.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use taskgate::policy::{Policy, TOOLS};
use taskgate::request::{AttemptKind, AttemptResult, CacheUse, Door, Endpoint, Limit, RejectionCode, Status};
use taskgate::telemetry::{Period, WarmUp, metric_shapes};

use crate::binary::Session;
use crate::ledger::Ledger;
use crate::policies::{Knobs, policy};
use crate::server::Server;
use crate::taskgate::Taskgate;
use crate::upstream::{Recorded, Reply, Step, Upstream};

#[tokio::test(flavor = "multi_thread")]
async fn no_caller_can_make_a_series() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = Upstream::start().await;
    let _ = (upstream.on("task-api-model").answer(says), upstream.on("gpt-4o").answer(says));
    let text = policy(&Knobs::default());
    let taskgate = Taskgate::new(folder.path(), &text)
        .with("LITELLM_PROXY_URL", upstream.base_url())
        .with("OPENAI_BASE_URL", upstream.base_url())
        .with("OPENAI_API_KEY", "sk-test");
    let server = Server::start(&taskgate);
    let ledger = Ledger::open(&taskgate.database()).await;
    let mut words = Words::of(&Policy::load(Some(&taskgate.policy()), &|_| None).unwrap());

    let begun = series(&server, &ledger).await;
    words.hold(&begun);
    every_door(&taskgate, &server, "first").await;
    let first = series(&server, &ledger).await;
    words.hold(&first);
    // `increase` would never see what is on a counter when it first appears.
    let counter = |line: &&String| line.split('{').next().is_some_and(|name| name.ends_with("_total"));
    let late: Vec<&String> = first.difference(&begun).filter(counter).collect();
    assert!(late.is_empty(), "counters that did not begin at zero:\n{late:#?}");
    every_door(&taskgate, &server, "second").await;
    let second = series(&server, &ledger).await;
    let new: Vec<&String> = second.iter().filter(|line| !first.contains(*line)).collect();
    assert!(new.is_empty(), "other words made other series:\n{new:#?}");
    let escalations = "SELECT count(*) FROM attempts WHERE kind = 'escalation'";
    assert!(ledger.number(escalations).await > 0, "the models were asked");
}

/// Answers that are rejected and answers that pass, by the question.
fn says(asked: &Recorded) -> Step {
    if asked.prompt().contains("#nonsense") {
        return Step::Reply(Reply::new("I cannot say."));
    }
    let good = json!({ "priority": "low", "title": "Sweep", "effort_hours": 1, "considerations": "None." });
    Step::Reply(Reply::new(good.to_string()))
}

async fn every_door(taskgate: &Taskgate, server: &Server, mark: &str) {
    let evil = [mark.to_owned(), format!("{mark}\"}} 1\nx{{y=\"z"), format!("{mark}-{}", "x".repeat(20_000))];
    let command = tokio::process::Command::from(taskgate.command(&["mcp"]));
    let mut session = Session::open(command, &taskgate.folder().join(format!("{mark}.log"))).await;
    for word in &evil {
        for (tool, arguments) in calls(word) {
            let id = session.ask(&tool, arguments).await;
            session.response(id).await;
        }
    }
    session.close().await;
    for (tool, arguments) in calls(&evil[1]) {
        let json = arguments.to_string();
        // Refusals are failures to a shell, and fine here.
        tokio::process::Command::from(taskgate.command(&["call", &tool, "--json", &json])).output().await.unwrap();
    }
    let own = server.address().to_string();
    for request in ["GET /v1/models/", "POST /v1/chat/completions?model=", "PUT /metrics?door=", "GET /mcp/", "X-ODD /"]
    {
        server.ask(&format!("{request}{mark}"), &[("host", &own), ("content-length", "0"), ("user-agent", mark)]);
    }
    server.ask("GET /metrics", &[("host", &format!("{mark}.example"))]);
}

/// A caller's own words wherever a call takes some.
fn calls(word: &str) -> Vec<(String, Value)> {
    let clipped: String = word.chars().take(60).collect();
    let call = |tool: &str, arguments: Value| (tool.to_owned(), arguments);
    vec![
        call(word, json!({})),
        call(&format!("plan_sprint{word}"), json!({})),
        call("create_task", json!({ "title": clipped, "assignee": clipped, "project": clipped, "tags": [clipped] })),
        call("create_task", json!({ "title": word, "assignee": word, "project": word, "priority": word })),
        call("list_tasks", json!({ "status": word, "assignee": word, "project": word, "sort": word })),
        call("get_task", json!({ "task_id": word })),
        call("smart_prioritize", json!({ "task_description": format!("Sweep {clipped}") })),
        call("smart_prioritize", json!({ "task_description": format!("#nonsense {clipped}") })),
        call("smart_prioritize", json!({ "task_description": word, "model": word, "tier": word, "route": word })),
        call("suggest_next_action", json!({ "assignee": word, "model": word })),
        call("plan_sprint", json!({ "sprint_name": word, "team_capacity_hours": 1e308 })),
    ]
}

/// The series of ours, once every request of the ledger is counted.
async fn series(server: &Server, ledger: &Ledger) -> BTreeSet<String> {
    let start = Instant::now();
    loop {
        let requests = ledger.number("SELECT count(*) FROM requests").await;
        let text = server.get("/metrics").body;
        let samples = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        let samples: Vec<(&str, &str)> = samples.map(|line| line.rsplit_once(' ').unwrap()).collect();
        let counted = samples.iter().filter(|(name, _)| name.starts_with("taskgate_requests_total"));
        if counted.map(|(_, value)| value.parse::<i64>().unwrap()).sum::<i64>() == requests {
            let ours = samples.iter().filter(|(name, _)| !name.starts_with("process_"));
            return ours.map(|(name, _)| (*name).to_owned()).collect();
        }
        assert!(start.elapsed() < Duration::from_secs(120), "{requests} requests are not counted:\n{text}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// What each label may say under a policy.
struct Words(BTreeMap<&'static str, BTreeSet<String>>);

impl Words {
    fn of(policy: &Policy) -> Self {
        let models = || policy.models.keys().map(|model| model.as_str());
        let tiers = || policy.tiers.iter().map(|tier| tier.name.as_str()).chain(["none"]);
        let results = || AttemptResult::ALL.iter().map(|result| result.as_str());
        let prices = ["free", "priced", "unpriced"];
        let mut words = Self(BTreeMap::new());
        words.add("door", Door::ALL.iter().map(|door| door.as_str()));
        words.add("tool", TOOLS.iter().copied().chain(Endpoint::ALL.iter().map(|endpoint| endpoint.as_str())));
        words.add("route", policy.routes.iter().map(|route| route.name.as_str()));
        words.add("tier", tiers());
        words.add("model", models());
        words.add("gen_ai_request_model", models());
        for label in ["from", "to"] {
            words.add(label, tiers().chain(models()));
        }
        words.add("status", Status::ALL.iter().map(|status| status.as_str()));
        words.add("status", taskgate::tasks::Status::ALL.iter().map(|status| status.as_str()));
        words.add("status", prices.into_iter().chain(["unknown"]));
        words.add("price", prices);
        words.add("kind", AttemptKind::ALL.iter().map(|kind| kind.as_str()));
        words.add("result", results().chain(CacheUse::ALL.iter().map(|cache| cache.as_str())));
        words.add("result", ["taken", "refused"]); // policies that were read
        words.add("result", WarmUp::ALL.iter().map(|result| result.as_str()));
        words.add("reason", results().chain(RejectionCode::ALL.iter().map(|code| code.as_str())));
        words.add("error_type", results());
        words.add("type", ["input", "cached_input", "output"]);
        words.add("gen_ai_token_type", ["input", "output"]);
        words.add("usage", ["reported", "estimated", "unknown"]);
        words.add("limit", Limit::ALL.iter().map(|limit| limit.as_str()));
        words.add("period", Period::ALL.iter().map(|period| period.as_str()));
        words.add("backend", policy.backends.keys().map(|backend| backend.as_str()));
        words.add("gen_ai_provider_name", policy.backends.keys().map(|backend| backend.as_str()).chain(["other"]));
        words.add("gen_ai_operation_name", ["chat"]);
        words.add("location", ["local", "hosted"]);
        words.add("budget", policy.budgets.iter().map(|budget| budget.name.as_str()));
        words.add("hash", [policy.hash.as_str()]);
        words.add("version", [env!("CARGO_PKG_VERSION")]);
        words
    }

    fn add<'a>(&mut self, label: &'static str, words: impl IntoIterator<Item = &'a str>) {
        self.0.entry(label).or_default().extend(words.into_iter().map(str::to_owned));
    }

    /// Each series has known labels with known words, and no metric has more series than these words allow.
    fn hold(&mut self, series: &BTreeSet<String>) {
        for line in series {
            for (label, value) in labels(line).into_iter().filter(|(label, _)| label != "le") {
                let words = self.0.get(label.as_str()).unwrap_or_else(|| panic!("what may `{label}` say? {line}"));
                assert!(words.contains(&value), "{label}={value:?} in {line}");
            }
        }
        let mut bound = 0;
        for metric in metric_shapes() {
            // An absent label is one word more.
            let most = metric.labels.iter().filter_map(|label| self.0.get(label)).map(|words| words.len() + 1);
            let most = most.product::<usize>() * metric.series;
            let own = |line: &&String| line.split('{').next().unwrap().starts_with(metric.name);
            let there = series.iter().filter(own).count();
            assert!(there <= most, "{}: {there} series, {most} are accounted for", metric.name);
            bound += most;
        }
        assert!(series.len() <= bound);
    }
}

/// The labels of `name{a="b",c="d"}`. Our words need no escapes: one that has some is none of them.
fn labels(line: &str) -> Vec<(String, String)> {
    let Some((_, inside)) = line.split_once('{') else { return Vec::new() };
    let parts = inside.trim_end_matches('}').split("\",");
    parts
        .filter_map(|part| part.trim_end_matches('"').split_once("=\""))
        .map(|(l, v)| (l.to_owned(), v.to_owned()))
        .collect()
}

#[test]
fn a_word_that_is_not_accounted_for_is_seen() {
    let policy = Policy::load(None, &|_| None).unwrap();
    let holds = |line: &str| {
        let series = BTreeSet::from([line.to_owned()]);
        std::panic::catch_unwind(|| Words::of(&policy).hold(&series)).is_ok()
    };
    assert!(holds(r#"taskgate_tasks{status="pending"}"#) && holds("taskgate_ledger_failures_total"));
    assert!(!holds(r#"taskgate_tasks{status="mine"}"#) && !holds(r#"taskgate_tasks{owner="pending"}"#));
}
