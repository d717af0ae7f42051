//! `taskgate usage` through the built program: its sums are the ledger's, however they are told apart.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};

use crate::binary::Home;
use crate::faults::GOOD;
use crate::ledger::Ledger;
use crate::upstream::{Step, Upstream};

/// A local model with a price, and nobody above it.
const POLICY: &str = "version: 1
time_zone: Asia/Kathmandu
backends:
  local: { base_url: \"${LITELLM_PROXY_URL}\", location: local }
models:
  task-api-model:
    backend: local
    context_tokens: 32000
    max_output_tokens: 512
    price: { input: 2.50, output: 10.00 }
    capabilities: [json_object]
tiers: { local: [task-api-model] }
routes:
  - { name: logic, match: { tools: [create_task, list_tasks] }, tier: none }
  - { name: all, tier: local }
retry: { max_per_model: 1 }
cache: { ttl: 0s }
";

/// The same question twice is one call and one answer of the cache.
#[tokio::test]
async fn what_the_cache_saved_is_the_ledgers_too() {
    let upstream = Upstream::start().await;
    let policy = POLICY.replace("ttl: 0s", "ttl: 10m");
    let home = Home::new().with("LITELLM_PROXY_URL", upstream.base_url()).policy(&policy);
    let mut session = home.mcp().await;
    upstream.on("task-api-model").answer(|_| Step::reply(GOOD));
    session.call("create_task", json!({"title": "Task 1"})).await.result();
    for _ in 0..2 {
        session.call("analyze_workload", json!({})).await.result();
    }
    assert_eq!(session.close().await.code, Some(0));
    let ledger = home.ledger().await;
    let saved = ledger.number("SELECT sum(saved) FROM requests").await;
    assert!(saved > 0 && saved == ledger.number("SELECT sum(cost) FROM attempts").await, "{saved}");
    for what in ["model", "tool", "route", "caller", "tier", "day"] {
        let report = by(&home, what).await;
        let rows: i64 = column(&report, "cache_saved_nanousd").iter().map(|(_, value)| value).sum();
        assert_eq!((&report["total"]["cache_saved_nanousd"], rows), (&json!(saved), saved), "by {what}");
    }
    let told = home.run(&["usage"], b"").await.out;
    assert!(told.contains("The cache saved $") && told.contains("cache saved"), "{told}");
}

async fn used(upstream: &Upstream) -> Home {
    let home = Home::new().with("LITELLM_PROXY_URL", upstream.base_url()).policy(POLICY);
    let mut session = home.mcp().await;
    for n in 0..3 {
        session.call("create_task", json!({"title": format!("Task {n}")})).await.result();
    }
    let model = upstream.on("task-api-model");
    model.answer(|_| Step::reply(GOOD));
    for _ in 0..2 {
        session.call("analyze_workload", json!({})).await.result();
    }
    upstream.on("task-api-model").answer(|_| Step::reply("no answer at all"));
    session.call("suggest_next_action", json!({})).await.result();
    assert_eq!(session.close().await.code, Some(0));
    home
}

/// Name and figure of each row that has one.
fn column(report: &Value, figure: &str) -> Vec<(String, i64)> {
    let rows = report["rows"].as_array().unwrap().iter();
    let mut column: Vec<(String, i64)> =
        rows.map(|row| (row["name"].as_str().unwrap().to_owned(), row[figure].as_i64().unwrap())).collect();
    column.sort();
    column
}

async fn by(home: &Home, what: &str) -> Value {
    let ended = home.run(&["usage", "--json", "--by", what], b"").await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.json()
}

/// Every total is the sum of its rows, and the ledger's own.
async fn adds_up(report: &Value, ledger: &Ledger) {
    for (figure, sql) in [
        ("requests", "SELECT count(*) FROM requests"),
        ("calls", "SELECT count(*) FROM attempts WHERE result <> 'skipped'"),
        ("input_tokens", "SELECT sum(tokens_in) FROM attempts"),
        ("output_tokens", "SELECT sum(tokens_out) FROM attempts"),
        ("cost_nanousd", "SELECT sum(cost) FROM attempts"),
        ("wasted_nanousd", "SELECT sum(wasted) FROM requests"),
    ] {
        let total = report["total"][figure].as_i64().unwrap();
        assert_eq!(total, ledger.number(sql).await, "{figure}");
        assert_eq!(total, column(report, figure).iter().map(|(_, value)| value).sum::<i64>(), "{figure}");
    }
}

#[tokio::test]
async fn its_sums_are_the_ledgers() {
    let upstream = Upstream::start().await;
    let home = used(&upstream).await;
    let ledger = home.ledger().await;
    assert!(
        ledger.number("SELECT sum(wasted) FROM requests").await > 0,
        "one answer was of no use, and cost something"
    );
    for what in ["model", "tool", "route", "caller", "tier", "day"] {
        adds_up(&by(&home, what).await, &ledger).await;
    }
    let tools = by(&home, "tool").await;
    let costs = "SELECT tool, sum(cost) FROM requests GROUP BY 1 ORDER BY 1";
    assert_eq!(column(&tools, "cost_nanousd"), ledger.numbers(costs).await);
    let counts = "SELECT tool, count(*) FROM requests GROUP BY 1 ORDER BY 1";
    assert_eq!(column(&tools, "requests"), ledger.numbers(counts).await);
    assert_eq!(tools["time_zone"], "Asia/Kathmandu");
    assert_eq!((&tools["answered"]["local"], &tools["answered"]["logic"]), (&json!(2), &json!(3)));
    // The only priced model is the highest tier too: nothing was saved, and the useless answer came on top.
    let (total, wasted) = (&tools["total"], tools["total"]["wasted_nanousd"].as_i64().unwrap());
    assert_eq!(total["saved_nanousd"], -wasted, "{total}");
}

#[tokio::test]
async fn it_is_read_by_people_and_by_spreadsheets() {
    let upstream = Upstream::start().await;
    let home = used(&upstream).await;
    let told = home.run(&["usage"], b"").await;
    assert_eq!(told.code, Some(0));
    for part in ["spent on 6 requests", "Routing took", "task-api-model", "no model", "total"] {
        assert!(told.out.contains(part), "`{part}` is missing in\n{}", told.out);
    }
    let csv = home.run(&["usage", "--csv", "--by", "tool", "--last", "12h"], b"").await.out;
    assert_eq!(csv.lines().count(), 4, "{csv}");
    assert!(csv.starts_with("tool,requests,calls,") && csv.contains("\ncreate_task,3,0,"), "{csv}");
}

/// It is where people look when a lock makes trouble.
#[tokio::test]
async fn who_only_looks_does_not_wait_for_one_who_holds_the_database() {
    let upstream = Upstream::start().await;
    let home = used(&upstream).await;
    let id = home.ledger().await.requests().await.remove(0).id;
    let options = SqliteConnectOptions::new().filename(home.database());
    let mut other = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let commands: [&[&str]; 4] = [
        &["usage"],
        &["explain", "--request", &id],
        &["explain", "analyze_workload"],
        &["calibrate", "--tier", "local", "--share", "20%"],
    ];
    for arguments in commands {
        let begun = Instant::now();
        let ended = home.run(arguments, b"").await;
        // Who needs the lock waits for ten seconds and fails.
        assert!(!ended.err.contains("error:") && !ended.out.is_empty(), "{ended:?}");
        assert!(begun.elapsed() < Duration::from_secs(9), "{arguments:?} took {:?}", begun.elapsed());
    }
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    let only_lookers = "SELECT count(*) FROM processes WHERE command IN ('usage', 'explain', 'calibrate')";
    assert_eq!(home.ledger().await.number(only_lookers).await, 0);
}

#[tokio::test]
async fn an_empty_ledger_and_a_period_that_makes_no_sense_say_what_to_do() {
    let home = Home::new();
    let told = home.run(&["usage"], b"").await;
    assert_eq!(told.code, Some(0));
    assert!(told.out.contains("nothing was asked") && told.out.contains("taskgate call"), "{}", told.out);
    let refused = home.run(&["usage", "--since", "2026-02-02", "--until", "2026-02-01"], b"").await;
    assert_eq!(refused.code, Some(1));
    assert!(refused.out.contains("before it begins") && refused.out.contains("--since"), "{}", refused.out);
    assert_eq!(home.run(&["usage", "--last", "soon"], b"").await.code, Some(2));
}
