//! Pass rates through the built program: what checks said of a model's answers moves where the next process begins.

use std::time::Duration;

use serde_json::Value;

use super::{GOOD, POLICY, Scene, told};
use crate::upstream::Step;

const LOCAL: &str = "task-api-model";
const HOSTED: &str = "gpt-4o";

fn reasons(explained: &Value) -> Vec<&str> {
    explained["decision"]["reasons"].as_array().unwrap().iter().map(|reason| reason["code"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_model_whose_answers_are_rejected_is_not_asked_first_by_the_next_process() {
    let by_complexity = POLICY.replace("match: { tools: [\"*\"] }, tier: local", "match: { tools: [\"*\"] }");
    let mut scene = Scene::both(&format!("{by_complexity}classifier: {{ explore: 0% }}\n")).await;
    for _ in 0..10 {
        // Slow enough to cost more than it saves.
        let rejected = Step::reply("I would rather not say.");
        scene.local_model().then(Step::After(Duration::from_millis(200), Box::new(rejected)));
        scene.hosted_model().reply(GOOD);
        scene.analyze().await;
    }
    let ledger = scene.home.ledger().await;
    let so_far = ledger.attempts().await;
    assert_eq!(told(&so_far[..2]), [(LOCAL, "first", "rejected"), (HOSTED, "escalation", "accepted")]);

    let explained = scene.home.run(&["explain", "analyze_workload"], b"").await.json();
    assert!(reasons(&explained).contains(&"pass_rate"), "{explained}");
    assert_eq!(explained["decision"]["tier"], "hosted");
    let rates = explained["pass_rates"].as_array().unwrap();
    let of = |model: &str| rates.iter().find(|rate| rate["model"] == model).unwrap();
    let (local, hosted) = (of(LOCAL), of(HOSTED));
    assert!(local["rate"].as_f64().unwrap() < 0.25 && hosted["rate"].as_f64().unwrap() > 0.9, "{rates:?}");
    assert!(local["counts"] == true && local["prior"] == 0.75, "{local}");
    assert!((9.9..=10.0).contains(&local["sample"].as_f64().unwrap()), "{local}");

    let mut later = scene.home.mcp().await;
    scene.hosted_model().reply(GOOD);
    let analysis = later.call("analyze_workload", serde_json::json!({})).await.result();
    assert_eq!(analysis["routing"]["model"], HOSTED);
    assert!(analysis["routing"]["reason"].as_str().unwrap().contains("pass their checks lately"), "{analysis}");
    assert_eq!(told(&ledger.attempts().await[so_far.len()..]), [(HOSTED, "first", "accepted")]);
    let other = scene.home.run(&["explain", "suggest_next_action"], b"").await.json();
    assert_eq!(other["decision"]["tier"], "local", "another tool's answers say nothing of it");
}
