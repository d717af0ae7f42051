//! A real Prometheus beside a working taskgate: what it scrapes is clean, equals the ledger, and answers every
//! expression of the dashboards and the rules.

mod expressions;
mod server;

use std::fs;
use std::time::Duration;

use serde_json::json;

use self::expressions::Windows;
use self::server::{Prometheus, SOON, committed, promtool};
use crate::client::Client;
use crate::ledger::Ledger;
use crate::policies::{Knobs, policy};
use crate::processes::{Process, free_port, http, tell};
use crate::taskgate::Taskgate;
use crate::upstream::{Recorded, Reply, Step, Upstream};

/// One that holds all that the load spends, and one that holds nothing.
const BUDGETS: &str = "budgets:
  - { name: month, limit_usd: 2.00, per: month }
  - { name: suggestions, scope: \"tool:suggest_next_action\", limit_usd: 0.001, per: day, when_spent: free_only }
";

const ESCALATIONS: &str =
    "SELECT tier, count(*) FROM attempts WHERE kind = 'escalation' AND result <> 'skipped' GROUP BY tier";

/// Back over the whole load.
const ALL: Windows = Windows { range: "15m", rate: "10m" };
/// Back over a pause that is longer than that.
const PAUSE: Windows = Windows { range: "4s", rate: "4s" };

/// Panels that this load leaves at zero or empty, and why. Every other one must have something to show.
const QUIET: [(&str, &str); 7] = [
    ("How many models are left alone?", "every breaker is closed, or open for a few seconds only"),
    ("Which models are left alone?", "closed is zero"),
    ("What share of requests fails?", "none does: a failing model leaves an answer from logic"),
    ("Which requests fail?", "none does"),
    ("Were rows lost?", "none is"),
    ("How much processor time does it use?", "it is told in whole seconds, and the load takes less"),
    ("How far behind is the ledger?", "it may be level to the millisecond"),
];

/// Recorded sums that this load leaves empty, and why.
const UNRECORDED: [(&str, &str); 3] = [
    ("taskgate:requests_failed:ratio_rate5m", "no request fails"),
    ("taskgate:requests_failed:ratio_rate1h", "no request fails"),
    ("taskgate:budget_forecast:ratio_median6h", "it wants four hours at least"),
];

/// Alerts that this load may set off, and why.
const FIRING: [(&str, &str); 2] = [
    ("TaskgateBudgetOverrun", "a model writes more than it is allowed to"),
    ("TaskgateBudgetSpent", "the budget of suggestions keeps all of them back"),
];

#[tokio::test]
async fn what_prometheus_scrapes_is_clean_equals_the_ledger_and_answers_the_dashboards() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = Upstream::start().await;
    let _ = (upstream.on("task-api-model").answer(local_says), upstream.on("gpt-4o").answer(hosted_says));
    // Two servers show one ledger: no figure is doubled.
    let listen = [(); 2].map(|()| format!("127.0.0.1:{}", free_port()));
    let taskgate = Taskgate::new(folder.path(), &format!("{}{BUDGETS}", policy(&Knobs::default())))
        .with("LITELLM_PROXY_URL", upstream.base_url())
        .with("OPENAI_BASE_URL", upstream.base_url())
        .with("OPENAI_API_KEY", "sk-test");
    let mut servers = ["first", "second"].into_iter().zip(&listen).map(|(name, listen)| {
        Process::start(name, &mut taskgate.command(&["serve", "--listen", listen]), folder.path())
    });
    let mut servers = [servers.next().unwrap(), servers.next().unwrap()];
    for (server, listen) in servers.iter_mut().zip(&listen) {
        server.wait_for(&format!("http://{listen}/readyz"), SOON).await;
    }
    let prometheus = Prometheus::start(folder.path(), &listen).await;
    let ledger = Ledger::open(&taskgate.database()).await;
    nothing_is_not_a_number(&prometheus, ALL).await;

    let (one, two) = (Client::start(&taskgate, "one").await, Client::start(&taskgate, "two").await);
    // Once only: what Prometheus does not see rise now it never will.
    tokio::join!(work(&one, "one"), work(&two, "two"));
    let text = json!({ "task_description": "Paint the fence, said a script" });
    assert_eq!(taskgate.call("smart_prioritize", text).await["status"], "ok");
    prometheus.equals("sum(taskgate_requests_total)", &ledger, "SELECT count(*) FROM requests").await;
    equals_the_ledger(&prometheus, &ledger).await;
    rises_with_the_ledger(&prometheus, &ledger).await;
    // Histograms begin with what they first measure; the panels of quantiles want more than that.
    tokio::join!(work(&one, "one again"), work(&two, "two again"));
    prometheus.equals("sum(taskgate_requests_total)", &ledger, "SELECT count(*) FROM requests").await;
    one.close().await;
    two.close().await;
    a_policy_is_refused_and_taken(&prometheus, &taskgate).await;
    every_panel_answers(&prometheus).await;
    every_rule_is_well(&prometheus).await;
    prometheus.becomes("count(taskgate:budget_used:ratio)", 2).await;
    equals_the_ledger(&prometheus, &ledger).await;
    for listen in &listen {
        scraped_text_is_clean(listen).await;
    }

    tokio::time::sleep(Duration::from_secs(6)).await;
    nothing_is_not_a_number(&prometheus, PAUSE).await;
}

#[test]
fn the_committed_configuration_and_rules_are_valid() {
    let path = |name: &str| committed(name).display().to_string();
    let (config, tests) = (path("prometheus/scrape.yml"), path("prometheus/tests/alerts.yml"));
    let (recording, alerts) = (path("prometheus/recording.yml"), path("prometheus/alerts.yml"));
    let checks: [&[&str]; 3] = [
        &["check", "config", "--lint=all", "--lint-fatal", &config],
        &["check", "rules", "--lint=all", "--lint-fatal", &recording, &alerts],
        &["test", "rules", &tests],
    ];
    for arguments in checks {
        let output = promtool(arguments, "");
        let said = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
        assert!(output.status.success(), "promtool {arguments:?}: {}", String::from_utf8_lossy(&said));
    }
}

async fn a_policy_is_refused_and_taken(prometheus: &Prometheus, taskgate: &Taskgate) {
    let good = fs::read_to_string(taskgate.policy()).unwrap();
    fs::write(taskgate.policy(), format!("{good}mistake: true\n")).unwrap();
    prometheus.becomes("max(taskgate_config_last_reload_successful)", 0).await;
    prometheus.becomes(r#"sum(taskgate_config_reloads_total{result="refused"})"#, 2).await;
    let new = format!("{good}# read again\n");
    fs::write(taskgate.policy(), &new).unwrap();
    prometheus.becomes("min(taskgate_config_last_reload_successful)", 1).await;
    let hash = &blake3::hash(new.as_bytes()).to_hex()[..12];
    prometheus.becomes(&format!("sum(taskgate_config_info{{hash=\"{hash}\"}})"), 2).await;
    prometheus.becomes("count(taskgate_config_info)", 2).await;
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
    assert_eq!(ask("Rejected, then answered #nonsense").await["routing"]["cached"], true);
    assert_eq!(ask("Busy twice, then answered #busy").await["routing"]["model"], "gpt-4o");
    assert_eq!(ask("Rejected by both #nonsense #hopeless").await["status"], "degraded");
    assert_eq!(ask("Answered by more than was allowed #nonsense #greedy").await["routing"]["model"], "gpt-4o");
    assert_eq!(client.call("suggest_next_action", json!({})).await.result["status"], "degraded");
    assert_eq!(ask("Answered without a count #uncounted").await["status"], "ok");
}

/// What the two models say depends on a word in the question, so that clients need not take turns.
fn local_says(asked: &Recorded) -> Step {
    let prompt = asked.prompt();
    if prompt.contains("#busy") {
        return Step::status_with(503, &[("retry-after", "0")], "");
    }
    let text = if prompt.contains("#nonsense") { "I cannot say.".to_owned() } else { good_priority() };
    let reply = Reply::new(text).usage(110, 40);
    Step::Reply(if prompt.contains("#uncounted") { reply.no_usage() } else { reply })
}

fn hosted_says(asked: &Recorded) -> Step {
    let text = if asked.prompt().contains("#hopeless") { "Nor can I.".to_owned() } else { good_priority() };
    // More than the model may write by the policy.
    let output = if asked.prompt().contains("#greedy") { 6_000 } else { 60 };
    Step::Reply(Reply::new(text).usage(400, output))
}

fn good_priority() -> String {
    json!({ "priority": "normal", "title": "A task", "effort_hours": 2, "considerations": "None." }).to_string()
}

/// By the policy's clocks everything happens about noon of one day.
async fn equals_the_ledger(prometheus: &Prometheus, ledger: &Ledger) {
    let positive = async |sql| assert!(ledger.number(sql).await > 0, "the load leaves nothing to compare: {sql}");
    let cost = "SELECT sum(cost) FROM attempts";
    positive(cost).await;
    prometheus.equals("sum(taskgate_cost_nanousd_total)", ledger, cost).await;
    prometheus.equals("sum(taskgate_tool_cost_nanousd_total)", ledger, cost).await;
    // Read from the ledger by each server, so not to be added up.
    for spent in [
        r#"sum(max by (model) (taskgate_spend_nanousd{period="day"}))"#,
        r#"sum(max by (model) (taskgate_spend_nanousd{period="month"}))"#,
        r#"max(taskgate_budget_spent_nanousd{budget="month"})"#,
    ] {
        prometheus.equals(spent, ledger, cost).await;
    }
    let wasted = "SELECT sum(wasted) FROM requests";
    positive(wasted).await;
    prometheus.equals("sum(taskgate_wasted_cost_nanousd_total)", ledger, wasted).await;
    let counterfactual = "SELECT sum(counterfactual) FROM requests";
    positive(counterfactual).await;
    prometheus.equals("sum(taskgate_counterfactual_cost_nanousd_total)", ledger, counterfactual).await;
    let tokens = "SELECT sum(tokens_in + tokens_out) FROM attempts WHERE usage <> 'unknown'";
    prometheus.equals("sum(taskgate_tokens_total)", ledger, tokens).await;
    let each = [
        ("taskgate_attempts_total", "model", "SELECT model, count(*) FROM attempts GROUP BY model"),
        ("taskgate_requests_total", "door", "SELECT door, count(*) FROM requests GROUP BY door"),
        ("taskgate_escalations_total", "to", ESCALATIONS),
        (
            "taskgate_budget_refusals_total",
            "budget",
            "SELECT budget, count(*) FROM attempts WHERE budget IS NOT NULL GROUP BY budget",
        ),
        ("taskgate_requests_total", "status", "SELECT status, count(*) FROM requests GROUP BY status"),
        ("taskgate_tool_cost_nanousd_total", "tool", "SELECT tool, sum(cost) FROM requests GROUP BY tool"),
        ("taskgate_cost_nanousd_total", "route", "SELECT route, sum(cost) FROM requests GROUP BY route"),
    ];
    for (metric, label, sql) in each {
        for (word, number) in ledger.numbers(sql).await {
            prometheus.becomes(&format!(r#"sum({metric}{{{label}="{word}"}})"#), number).await;
        }
    }
}

/// `increase` knows the whole load, though it was the first. Prometheus adds what may have come before and after its
/// samples: of those that it has by now, three at least, half as much again. What is counted twice is beyond that.
async fn rises_with_the_ledger(prometheus: &Prometheus, ledger: &Ledger) {
    for (metric, sql) in [
        ("taskgate_requests_total", "SELECT count(*) FROM requests"),
        (r#"taskgate_requests_total{status="degraded"}"#, "SELECT count(*) FROM requests WHERE status = 'degraded'"),
        ("taskgate_attempts_total", "SELECT count(*) FROM attempts"),
        (r#"taskgate_checks_total{result="rejected"}"#, "SELECT count(*) FROM attempts WHERE result = 'rejected'"),
        (
            "taskgate_escalations_total",
            "SELECT count(*) FROM attempts WHERE kind = 'escalation' AND result <> 'skipped'",
        ),
        ("taskgate_fallbacks_total", "SELECT count(*) FROM attempts WHERE kind = 'fallback' AND result <> 'skipped'"),
        (r#"taskgate_cache_requests_total{result="hit"}"#, "SELECT count(*) FROM requests WHERE cache = 'hit'"),
        ("taskgate_cost_nanousd_total", "SELECT sum(cost) FROM attempts"),
        ("taskgate_wasted_cost_nanousd_total", "SELECT sum(wasted) FROM requests"),
        ("taskgate_counterfactual_cost_nanousd_total", "SELECT sum(counterfactual) FROM requests"),
        ("taskgate_tokens_total", "SELECT sum(tokens_in + tokens_out) FROM attempts WHERE usage <> 'unknown'"),
        ("taskgate_budget_refusals_total", "SELECT count(*) FROM attempts WHERE budget IS NOT NULL"),
    ] {
        let expression = format!("sum(increase({metric}[{}]))", ALL.range);
        let (wanted, rise) = (ledger.number(sql).await as f64, prometheus.ask(&expression).await);
        assert!(wanted > 0.0, "the load leaves nothing to compare: {sql}");
        let known = (wanted * 0.99)..=(wanted * 1.5);
        assert!(rise.len() == 1 && known.contains(&rise[0]), "{expression} is {rise:?}, not {wanted}");
    }
}

/// Also before the first request and long after the last one: nothing divides by zero.
async fn nothing_is_not_a_number(prometheus: &Prometheus, windows: Windows) {
    let mut odd = Vec::new();
    for (title, expression) in expressions::of_panels(windows).into_iter().chain(expressions::of_rules()) {
        let values = prometheus.ask(&expression).await;
        if values.iter().any(|value| !value.is_finite()) {
            odd.push(format!("{title}\n    {expression}\n    {values:?}"));
        }
    }
    assert!(odd.is_empty(), "{}", odd.join("\n"));
}

async fn every_panel_answers(prometheus: &Prometheus) {
    let (mut asked, mut silent) = (0, Vec::new());
    for (title, expression) in expressions::of_panels(ALL) {
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

/// All are evaluated without an error, every sum is recorded, and nobody is called for a load like this.
async fn every_rule_is_well(prometheus: &Prometheus) {
    let rules = prometheus.rules().await;
    assert_eq!(rules.len(), expressions::of_rules().len());
    for (name, rule) in rules {
        let expected = FIRING.iter().any(|(alert, _)| *alert == name);
        assert!(rule["health"] == "ok" && (expected || rule["state"] != "firing"), "{rule}");
        let empty = UNRECORDED.iter().any(|(recorded, _)| *recorded == name);
        if rule["type"] == "recording" && !empty {
            assert!(!prometheus.ask(&name).await.is_empty(), "{name} has recorded nothing: {rule}");
        }
    }
}

async fn scraped_text_is_clean(listen: &str) {
    let text = http().get(format!("http://{listen}/metrics")).send().await.unwrap().text().await.unwrap();
    let output = promtool(&["check", "metrics"], &text);
    let said = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    assert!(output.status.success() && said.is_empty(), "promtool: {}", String::from_utf8_lossy(&said));
}
