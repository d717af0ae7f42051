//! `taskgate simulate` and `taskgate calibrate` over a real database: calls of the built program against a scripted
//! upstream, and many more rows like them.

use serde_json::{Value, json};
use taskgate::request::{Outcome, RequestId};
use taskgate::store::Store;

use crate::binary::{Ended, Home};
use crate::upstream::{Reply, Step, Upstream};

mod through_time;

/// What a good model says of the tasks.
const GOOD: &str = r#"{"assessment": "manageable", "priorities": ["TASK-0001"],
    "analysis": "Nothing is late: begin with TASK-0001."}"#;

/// Names a task that does not exist.
const BAD: &str = r#"{"assessment": "manageable", "priorities": ["TASK-0999"],
    "analysis": "Nothing is late: begin with TASK-0999."}"#;

/// The local model first, for everything.
fn policy(threshold: f64) -> String {
    format!(
        "version: 1
time_zone: Asia/Kathmandu
backends:
  local: {{ base_url: \"${{LITELLM_PROXY_URL}}\", location: local }}
  openai: {{ base_url: \"${{OPENAI_BASE_URL:-https://api.openai.com/v1}}\", api_key: \"${{OPENAI_API_KEY:-}}\", location: hosted }}
models:
  task-api-model:
    backend: local
    context_tokens: 4096
    max_output_tokens: 1024
    capabilities: [json_object]
    price: {{ input: 0, output: 0 }}
  gpt-4o:
    backend: openai
    context_tokens: 128000
    max_output_tokens: 4096
    capabilities: [json_object, json_schema]
    price: {{ input: 2.50, cached_input: 1.25, output: 10.00 }}
tiers:
  local: [task-api-model]
  hosted: [gpt-4o]
classifier: {{ thresholds: {{ hosted: {threshold} }} }}
routes:
  - {{ name: logic, match: {{ tools: [create_task, list_tasks, update_task, get_task, delete_task] }}, tier: none }}
  - {{ name: analysis, match: {{ tools: [\"*\"] }}, tier: auto }}
cache: {{ ttl: 0s }}
"
    )
}

/// A database with real calls in it, repeated; the policy that decided them; and a new one beside it.
struct Ledger {
    home: Home,
    _upstream: Upstream,
}

impl Ledger {
    /// Five calls of `analyze_workload`: three over two tasks, two over twelve, of which the last is rejected at the local
    /// model and accepted at the hosted one. And the calls that made the tasks; all of them so many times.
    async fn filled(times: usize) -> Self {
        let upstream = Upstream::start().await;
        let home = Home::new()
            .with("LITELLM_PROXY_URL", upstream.base_url())
            .with("OPENAI_BASE_URL", upstream.base_url())
            .with("OPENAI_API_KEY", "sk-scripted")
            .policy(&policy(0.9));
        let good = || Step::Reply(Reply::new(GOOD).usage(400, 50));
        let local = upstream.on("task-api-model");
        let local = (0..4).fold(local, |script, _| script.then(good()));
        local.then(Step::Reply(Reply::new(BAD).usage(400, 50)));
        upstream.on("gpt-4o").then(Step::Reply(Reply::new(GOOD).usage(600, 80)));
        let mut session = home.mcp().await;
        for (tasks, calls) in [(2, 3), (10, 2)] {
            for _ in 0..tasks {
                session.call("create_task", json!({ "title": "Review", "estimate_hours": 2 })).await.result();
            }
            for _ in 0..calls {
                let analysis = session.call("analyze_workload", json!({})).await.result();
                assert_eq!(analysis["status"], "ok", "{analysis}");
            }
        }
        assert_eq!(session.close().await.code, Some(0));
        repeat(&home, times).await;
        std::fs::write(home.path("new.yaml"), policy(0.2)).unwrap();
        Self { home, _upstream: upstream }
    }

    async fn simulate(&self, more: &[&str]) -> Ended {
        self.home.run(&[&["simulate", "--policy", "new.yaml"], more].concat(), b"").await
    }
}

/// The same outcomes again under ids of their own.
async fn repeat(home: &Home, times: usize) {
    let store = Store::open(&home.database()).await.unwrap();
    let real: Vec<Outcome> = store.outcomes_after(0, 100).await.unwrap().into_iter().map(|it| it.outcome).collect();
    assert_eq!(real.len(), 17);
    for _ in 1..times {
        let new_id = |outcome: &Outcome| Outcome { id: RequestId(uuid::Uuid::now_v7()), ..outcome.clone() };
        store.record_all(&real.iter().map(new_id).collect::<Vec<_>>()).await.unwrap();
    }
    store.close().await;
}

fn row<'a>(report: &'a Value, subject: &str) -> &'a Value {
    report["rows"].as_array().unwrap().iter().find(|row| row["subject"] == subject).unwrap()
}

fn share(row: &Value, tier: &str) -> f64 {
    let starts = row["starts"].as_array().unwrap();
    starts.iter().find(|start| start["tier"] == tier).map_or(0.0, |start| start["share"].as_f64().unwrap())
}

#[tokio::test]
async fn recorded_calls_are_replayed_beside_the_present_policy_and_the_controls() {
    let ledger = Ledger::filled(40).await;
    let ended = ledger.simulate(&["--json"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let report = ended.json();
    assert_eq!((&report["requests"], &report["questions"], &report["logic"]), (&json!(680), &json!(200), &json!(480)));
    let (new, present, recorded) = (row(&report, "new"), row(&report, "present"), row(&report, "recorded"));
    assert_eq!((share(new, "hosted"), share(present, "hosted"), share(recorded, "hosted")), (0.4, 0.0, 0.0));
    assert_eq!(present["cost_nanousd"], recorded["cost_nanousd"], "the present policy's replay is what happened");
    assert_eq!(present["cost_nanousd"], json!(40 * (600 * 2_500 + 80 * 10_000)));
    assert_eq!((&present["escalations"]["value"], &present["checked"]["value"]), (&json!(0.2), &json!(1.0)));
    assert_eq!(row(&report, "all_lowest")["cost_nanousd"], present["cost_nanousd"]);
    assert_eq!(share(row(&report, "all_highest"), "hosted"), 1.0);
    assert_eq!(report["against_chance"]["verdict"], "better", "the larger questions are the harder ones here");
    let codes: Vec<&str> =
        report["unknowns"].as_array().unwrap().iter().map(|it| it["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["never_asked", "tokens_estimated", "pass_rates", "feedback"]);
}

#[tokio::test]
async fn the_table_for_people() {
    let ledger = Ledger::filled(40).await;
    let ended = ledger.simulate(&[]).await;
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    let present = ledger.home.path("routing.yaml").display().to_string();
    let said = ended.out.replace(&present, "routing.yaml");
    // The column is as wide as the path was; the day is today's.
    let (head, rest) = said.split_once("\n\n").unwrap();
    let head = head.replace('\n', " ");
    assert!(head.starts_with("680 requests since 20") && head.contains(" 00:00 Asia/Kathmandu: 200 could"), "{head}");
    let tight =
        |line: &str| line.split("  ").filter(|part| !part.is_empty()).map(str::trim).collect::<Vec<_>>().join(" | ");
    let rest = rest.lines().map(tight).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!(format!("\n{rest}"));
}

#[tokio::test]
async fn the_policy_before_the_command_is_the_present_one() {
    let ledger = Ledger::filled(1).await;
    let arguments = ["--policy", "new.yaml", "simulate", "--policy", "routing.yaml", "--json"];
    let report = ledger.home.run(&arguments, b"").await.json();
    assert_eq!(
        (&row(&report, "new")["name"], &row(&report, "present")["name"]),
        (&json!("routing.yaml"), &json!("new.yaml"))
    );
    assert_eq!((share(row(&report, "new"), "hosted"), share(row(&report, "present"), "hosted")), (0.0, 0.4));
    // Every other command takes it on either side.
    let behind = ledger.home.run(&["explain", "analyze_workload", "--policy", "new.yaml"], b"").await.json();
    let before = ledger.home.run(&["--policy", "new.yaml", "explain", "analyze_workload"], b"").await.json();
    assert_eq!((&behind["decision"]["tier"], &before["decision"]["tier"]), (&json!("hosted"), &json!("hosted")));
}

#[tokio::test]
async fn a_gate_that_fails_ends_with_3_and_says_by_how_much() {
    let ledger = Ledger::filled(40).await;
    let failed = ledger.simulate(&["--max-cost-increase", "5%", "--min-local-share", "70%", "--json"]).await;
    assert_eq!(failed.code, Some(3), "{failed:?}");
    assert!(failed.err.contains("gate max-cost-increase failed: the expected cost would go from $0.092"), "{failed:?}");
    assert!(failed.err.contains("gate min-local-share failed: 60.0% of the questions"), "{failed:?}");
    assert_eq!(failed.json()["failed_gates"].as_array().unwrap().len(), 2, "{failed:?}");
    let passed = ledger.simulate(&["--max-cost-increase", "900%", "--max-checked-drop", "5%"]).await;
    assert_eq!((passed.code, passed.err.as_str()), (Some(0), ""));

    let unpriced = policy(0.2).replace("    price: { input: 2.50, cached_input: 1.25, output: 10.00 }\n", "");
    std::fs::write(ledger.home.path("new.yaml"), unpriced).unwrap();
    let unknown = ledger.simulate(&["--max-cost-increase", "900%"]).await;
    assert!(unknown.code == Some(3) && unknown.err.contains("--allow-unknown-cost"), "{unknown:?}");
    let allowed = ledger.simulate(&["--max-cost-increase", "900%", "--allow-unknown-cost"]).await;
    assert!(allowed.code == Some(0) && allowed.out.contains("unknown"), "{allowed:?}");
}

#[tokio::test]
async fn mistakes_end_with_1_or_2_and_nothing_recorded_is_no_mistake() {
    let home = Home::new();
    std::fs::write(home.path("new.yaml"), policy(0.5)).unwrap();
    std::fs::write(home.path("broken.yaml"), "version: 1\nmodells: {}\n").unwrap();
    let cases: [(&[&str], i32, &str); 5] = [
        (&["simulate"], 2, "--policy"),
        (&["simulate", "--policy", "new.yaml", "--last", "soon"], 2, "30d, 12h or 2w"),
        (&["simulate", "--policy", "new.yaml", "--max-cost-increase", "5"], 2, "like 5%"),
        (&["simulate", "--policy", "broken.yaml"], 1, "modells"),
        (&["simulate", "--policy", "missing.yaml"], 1, "missing.yaml"),
    ];
    for (arguments, code, said) in cases {
        let ended = home.run(arguments, b"").await;
        assert!(ended.code == Some(code) && ended.err.contains(said), "{arguments:?}: {ended:?}");
    }
    let empty = home.run(&["simulate", "--policy", "new.yaml"], b"").await;
    assert!(empty.code == Some(0) && empty.out.contains("nothing to replay"), "{empty:?}");
    let gated = home.run(&["simulate", "--policy", "new.yaml", "--max-cost-increase", "5%"], b"").await;
    assert!(gated.code == Some(3) && gated.err.contains("nothing is known"), "{gated:?}");
}

#[tokio::test]
async fn calibrate_prints_a_threshold_that_can_be_pasted() {
    let ledger = Ledger::filled(40).await;
    let asked = ["calibrate", "--tier", "hosted", "--share", "25%"];
    let ended = ledger.home.run(&asked, b"").await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for said in [
        "200 questions",
        "threshold 0.2 gives 40.0%, the nearest that equal scores allow",
        "the present threshold 0.9 gives 0.0%",
        "classifier:\n      thresholds: { hosted: 0.2 }",
    ] {
        assert!(ended.out.contains(said), "{said}: {}", ended.out);
    }
    let all = ledger.home.run(&["calibrate", "--tier", "hosted", "--share", "90%", "--json"], b"").await.json();
    let place = &all["places"][0];
    assert_eq!((&place["share"], &place["ties"], &place["questions"]), (&json!(1.0), &json!(120), &json!(200)));
    let threshold = place["threshold"].as_f64().unwrap();
    std::fs::write(ledger.home.path("new.yaml"), policy(threshold)).unwrap();
    assert_eq!(share(row(&ledger.simulate(&["--json"]).await.json(), "new"), "hosted"), 1.0);

    let nobody = ledger.home.run(&["calibrate", "--tier", "cloud", "--share", "25%"], b"").await;
    assert!(nobody.code == Some(1) && nobody.out.contains("`cloud` is not a tier"), "{nobody:?}");
    let nothing = Home::new().run(&asked, b"").await;
    assert!(nothing.code == Some(1) && nothing.out.contains("No recorded question"), "{nothing:?}");
}
