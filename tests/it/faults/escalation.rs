//! Who is asked after whom, whatever goes wrong: exactly what `taskgate explain` said before anything was asked.

use serde_json::{Value, json};

use super::{GOOD, POLICY, Scene, told};
use crate::binary::Home;
use crate::upstream::{Step, Upstream};

const LOCAL: &str = "task-api-model";
const HOSTED: &str = "gpt-4o";

/// Model and kind of an attempt, and how it ended.
type Attempts<'a> = &'a [(&'a str, &'a str, &'a str)];

/// The models that may be asked, in order, and those that may not, with why.
async fn explained(home: &Home) -> (Vec<String>, Vec<(String, String)>) {
    let explained = home.run(&["explain", "analyze_workload"], b"").await.json();
    let (mut asked, mut left_out) = (Vec::new(), Vec::new());
    for candidate in explained["decision"]["candidates"].as_array().unwrap() {
        let model = candidate["model"].as_str().unwrap().to_owned();
        match candidate["excluded"].as_str() {
            None => asked.push(model),
            Some(why) => left_out.push((model, why.to_owned())),
        }
    }
    (asked, left_out)
}

/// Explains, asks, and holds the rows against what was explained: the models in that order, each once, nobody else.
async fn as_explained(scene: &mut Scene, expected: Attempts<'_>) -> (Value, Vec<(String, String)>) {
    let (order, left_out) = explained(&scene.home).await;
    let analysis = scene.analyze().await;
    let (request, attempts) = scene.only_row().await;
    assert_eq!(told(&attempts), expected);
    assert_eq!(request.status, analysis["status"].as_str().unwrap());
    let tried: Vec<&str> = expected.iter().map(|attempt| attempt.0).collect();
    assert_eq!(tried, order[..tried.len()], "explained: {order:?}");
    (analysis, left_out)
}

#[track_caller]
fn answered_by(analysis: &Value, model: &str, escalated: bool) {
    let routing = &analysis["routing"];
    assert_eq!((&analysis["status"], &routing["model"]), (&json!("ok"), &json!(model)), "{analysis}");
    assert_eq!(routing["escalated"], escalated);
}

/// The facts are there, whoever failed.
#[track_caller]
fn degraded(analysis: &Value) {
    assert_eq!((&analysis["status"], &analysis["routing"]["model"]), (&json!("degraded"), &Value::Null), "{analysis}");
    assert_eq!(analysis["priorities"][0]["id"], "TASK-0001");
    assert!(analysis["error"].is_string());
}

#[tokio::test]
async fn the_local_model_is_off() {
    let upstream = Upstream::start().await;
    // Nobody listens where `Home` lets the local model be.
    let home = Home::new().with("OPENAI_BASE_URL", upstream.base_url()).with("OPENAI_API_KEY", "sk-scripted");
    let home = home.policy(POLICY);
    let mut session = home.mcp().await;
    let task = super::first_task(&mut session).await;
    let mut scene = Scene { upstream, home, session, task };
    scene.hosted_model().reply(GOOD);
    let tried = [(LOCAL, "first", "connect"), (HOSTED, "fallback", "accepted")];
    let (analysis, _) = as_explained(&mut scene, &tried).await;
    answered_by(&analysis, HOSTED, false);
}

#[tokio::test]
async fn the_local_model_fails() {
    let mut scene = Scene::both(POLICY).await;
    scene.local_model().then(Step::status(500));
    scene.hosted_model().reply(GOOD);
    let tried = [(LOCAL, "first", "upstream_error"), (HOSTED, "fallback", "accepted")];
    let (analysis, _) = as_explained(&mut scene, &tried).await;
    answered_by(&analysis, HOSTED, false);
}

#[tokio::test]
async fn the_local_models_answer_is_rejected() {
    let mut scene = Scene::both(POLICY).await;
    scene.local_model().reply("I would rather not say.");
    scene.hosted_model().reply(GOOD);
    let tried = [(LOCAL, "first", "rejected"), (HOSTED, "escalation", "accepted")];
    let (analysis, _) = as_explained(&mut scene, &tried).await;
    answered_by(&analysis, HOSTED, true);
}

#[tokio::test]
async fn the_hosted_model_does_not_accept_the_key() {
    let hosted_first =
        POLICY.replace("match: { tools: [\"*\"] }, tier: local", "match: { tools: [\"*\"] }, tier: hosted");
    let mut scene = Scene::both(&hosted_first).await;
    scene.hosted_model().then(Step::status(401));
    scene.local_model().reply(GOOD);
    let tried = [(HOSTED, "first", "auth"), (LOCAL, "fallback", "accepted")];
    let (analysis, _) = as_explained(&mut scene, &tried).await;
    answered_by(&analysis, LOCAL, false);
}

#[tokio::test]
async fn a_cap_holds_whatever_fails() {
    let capped = POLICY.replace("tier: local }", "tier: local, max_tier: local }");
    for (step, ended) in [(Step::status(500), "upstream_error"), (Step::reply("I would rather not say."), "rejected")] {
        let mut scene = Scene::both(&capped).await;
        scene.local_model().then(step);
        let (analysis, left_out) = as_explained(&mut scene, &[(LOCAL, "first", ended)]).await;
        degraded(&analysis);
        assert_eq!(left_out, [(HOSTED.to_owned(), "above_max_tier".to_owned())]);
        assert!(scene.upstream.requests_of(HOSTED).is_empty(), "nothing left the machine");
    }
}

#[tokio::test]
async fn the_ways_that_the_policy_closes_stay_closed() {
    let closed = format!("{POLICY}escalate: {{ on_rejected: false }}\nfallback: {{ upward: false }}\n");
    let mut scene = Scene::both(&closed).await;
    scene.local_model().reply("I would rather not say.");
    let (analysis, left_out) = as_explained(&mut scene, &[(LOCAL, "first", "rejected")]).await;
    degraded(&analysis);
    assert_eq!(left_out, [(HOSTED.to_owned(), "not_allowed".to_owned())]);
}

#[tokio::test]
async fn when_every_answer_is_rejected_the_facts_answer() {
    let mut scene = Scene::both(POLICY).await;
    scene.local_model().reply("I would rather not say.");
    scene.hosted_model().reply(GOOD.replace("TASK-0001", "TASK-0099"));
    let tried = [(LOCAL, "first", "rejected"), (HOSTED, "escalation", "rejected")];
    let (analysis, _) = as_explained(&mut scene, &tried).await;
    degraded(&analysis);
    assert!(!analysis["analysis"].as_str().unwrap().contains("TASK-0099"));
}
