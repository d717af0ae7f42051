//! The tools that ask a model: the lesson's sentences, answers that pass and that do not, and what is said without any.

use std::time::Duration;

use super::*;
use crate::error::Kind;
use crate::gateway::fixtures::with_route;
use crate::policy::Location;
use crate::request::Status;

const ANALYSIS: &str = r#"{"assessment": "manageable", "priorities": ["TASK-0001"],
    "analysis": "A quiet week. Fix TASK-0001 first, it holds up TASK-0002."}"#;
const WRONG_ANALYSIS: &str = r#"{"assessment": "manageable", "priorities": ["TASK-0099"],
    "analysis": "A quiet week. Fix TASK-0099 first, it holds up everything."}"#;
const PLAN: &str = r#"Here you are:
{"plan": "Begin with TASK-0001, which unblocks TASK-0002. TASK-0004 fills the rest.", "risks": ["TASK-0002 waits."],
 "swaps": [{"out": "TASK-0001", "in": "TASK-0003", "why": "it is more fun"}]}"#;
const NEXT: &str = r#"{"task_id": "TASK-0001", "suggestion": "Fix the login now, while the morning is quiet.",
    "why": "It is urgent and due tomorrow.", "estimate_minutes": 90, "after": "TASK-0002"}"#;
const PRIORITY: &str = r#"{"priority": "high", "title": "Prepare the board slides", "effort_hours": 3,
    "considerations": ["Figures of the quarter"]}"#;
const SUGGEST: &str = "suggest_next_action";

fn unreachable() -> Vec<Step> {
    vec![Step::Fails(Kind::UpstreamUnreachable); 4]
}

/// Only the local tier.
fn local_only() -> Policy {
    with_route(policy(), |route| route.max_tier = Some("local".into()))
}

#[tokio::test]
async fn without_tasks_the_lessons_sentences_are_said_and_no_model_is_called() {
    let world = World::new([]).await;
    let analysis = world.call("analyze_workload", json!({})).await;
    assert_eq!(analysis["analysis"], "No tasks to analyze. Create some tasks first.");
    assert_eq!((&analysis["summary"], &analysis["status"]), (&json!({"total": 0}), &json!("empty")));
    assert_eq!(analysis["time_horizon"], "week");
    let next = world.call(SUGGEST, json!({})).await;
    assert_eq!(next["suggestion"], "No tasks found. Start by creating some tasks!");
    assert_eq!((&next["reasoning"], &next["task_count"]), (&json!("Empty task list"), &json!(0)));
    let plan = world.call("plan_sprint", json!({"sprint_name": "S1"})).await;
    assert_eq!(
        (&plan["status"], &plan["available_tasks"], &plan["duration_days"]),
        (&json!("empty"), &json!(0), &json!(14))
    );
    assert!(world.script.called().is_empty());
    assert_eq!(world.ledger().await.len(), 3);
}

#[tokio::test]
async fn an_accepted_answer_stands_in_the_lessons_keys() {
    let world =
        World::new([("small", vec![Step::Says(ANALYSIS), Step::Says(NEXT), Step::Says(PRIORITY), Step::Says(PLAN)])]);
    let world = world.await.with_board().await;
    let analysis = world.call("analyze_workload", json!({"time_horizon": "week"})).await;
    assert_eq!(analysis["summary"], json!({"total": 4, "pending": 3, "urgent": 1, "high": 0}));
    assert!(text(&analysis, "analysis").starts_with("A quiet week."));
    assert_eq!((&analysis["status"], &analysis["routing"]["model"]), (&json!("ok"), &json!("small")));
    assert_eq!(analysis["priorities"][0]["id"], "TASK-0001");

    let next = world.call(SUGGEST, json!({})).await;
    assert!(text(&next, "suggestion").starts_with("Fix the login now"));
    assert_eq!((&next["task_count"], &next["task_id"]), (&json!(4), &json!("TASK-0001")));
    assert_eq!(
        (&next["reasoning"], &next["generated_at"]),
        (&json!("It is urgent and due tomorrow."), &json!("2026-11-23T09:30:00.123Z"))
    );

    let priority = world.call("smart_prioritize", json!({"task_description": "Board slides by friday"})).await;
    assert_eq!(priority["input"], "Board slides by friday");
    let recommendation: Value = serde_json::from_str(text(&priority, "recommendation")).unwrap();
    let expected = json!({"priority": "high", "title": "Prepare the board slides", "effort_hours": 3.0, "considerations": "Figures of the quarter"});
    assert_eq!((&recommendation, &priority["suggested"]), (&expected, &expected));

    let plan = world.call("plan_sprint", json!({"sprint_name": "S1", "team_capacity_hours": 40})).await;
    assert_eq!(
        (&plan["sprint"], &plan["capacity_hours"], &plan["available_tasks"]),
        (&json!("S1"), &json!(40), &json!(3))
    );
    assert!(text(&plan, "plan").starts_with("Begin with TASK-0001"));
    let selected: Vec<&str> = plan["selected"].as_array().unwrap().iter().map(|row| text(row, "id")).collect();
    assert_eq!(selected, ["TASK-0001", "TASK-0002", "TASK-0004"]);
    assert_eq!(
        plan["swaps_dropped"],
        json!([{"out": "TASK-0001", "in": "TASK-0003", "reason": "TASK-0003 is not open"}])
    );
}

#[tokio::test]
async fn a_rejected_answer_goes_up_with_the_reason_told() {
    let world = World::new([("small", vec![Step::Says(WRONG_ANALYSIS)]), ("big", vec![Step::Says(ANALYSIS)])]).await;
    let world = world.with_board().await;
    let analysis = world.call("analyze_workload", json!({})).await;
    assert_eq!((&analysis["status"], &analysis["routing"]["escalated"]), (&json!("ok"), &json!(true)));
    assert_eq!((&analysis["routing"]["model"], &analysis["routing"]["attempts"]), (&json!("big"), &json!(2)));
    assert!(world.prompts()[1].contains("The answer named TASK-0099, which does not exist"));
    let told = world.told();
    assert_eq!(told[0], "Analyzing 3 tasks…");
    assert!(told.iter().any(|line| line.contains("TASK-0099, which does not exist; asking big…")), "{told:?}");
}

#[tokio::test]
async fn when_nothing_local_answers_the_facts_do_with_the_lessons_words() {
    let world = World::with_policy(local_only(), [("small", unreachable())]).await.with_board().await;
    let analysis = world.call("analyze_workload", json!({})).await;
    assert_eq!(analysis["status"], "degraded");
    let said = text(&analysis, "analysis");
    assert!(said.starts_with("Model unavailable. Basic summary provided. 3 of 4 tasks are open"), "{said}");
    assert!(said.contains("Focus first on TASK-0001"), "{said}");
    let error = "Could not connect to model server. Ensure LiteLLM proxy and Ollama are running.";
    assert_eq!(text(&analysis, "error"), error);
    assert_eq!((&analysis["routing"]["model"], &analysis["routing"]["tier"]), (&Value::Null, &json!("none")));
}

#[tokio::test]
async fn every_tool_answers_without_a_model() {
    let many = || vec![Step::Fails(Kind::UpstreamUnreachable); 20];
    let world = World::new([("small", many()), ("big", many())]).await.with_board().await;
    let next = world.call(SUGGEST, json!({"available_minutes": 200})).await;
    assert_eq!((&next["status"], &next["task_id"]), (&json!("degraded"), &json!("TASK-0004")));
    let plan = world.call("plan_sprint", json!({"sprint_name": "S1", "team_capacity_hours": 6})).await;
    assert_eq!((&plan["status"], &plan["selected_hours"]), (&json!("degraded"), &json!(6.0)));
    assert!(text(&plan, "plan").contains("- TASK-0001 Fix the login (4 h)"), "{plan}");
    let priority = world.call("smart_prioritize", json!({"task_description": "URGENT: fix the login by friday"})).await;
    assert_eq!((&priority["status"], &priority["suggested"]["priority"]), (&json!("degraded"), &json!("urgent")));
    // By now both have met two refusals in a row: nobody is called, and each is told of.
    assert!(text(&priority, "error").contains("big could not be reached lately"), "{priority}");
    assert_eq!(priority["routing"]["attempts"], 0);
}

#[tokio::test]
async fn a_rejection_at_the_top_ends_degraded_and_says_what_was_wrong() {
    let world =
        World::with_policy(local_only(), [("small", vec![Step::Says("<html>502</html>")])]).await.with_board().await;
    let next = world.call(SUGGEST, json!({})).await;
    assert_eq!(next["status"], "degraded");
    assert_eq!(next["error"], "small answered, but its answer was not accepted: The answer was not a JSON object.");
}

#[tokio::test]
async fn a_broken_stream_is_shown_as_far_as_it_came() {
    let cut =
        r#"{"assessment": "heavy", "priorities": ["TASK-0001"], "analysis": "Much to do, begin with TASK-0001 and"#;
    let world = World::with_policy(local_only(), [("small", vec![Step::Cut(cut); 4])]).await.with_board().await;
    let analysis = world.call("analyze_workload", json!({})).await;
    assert_eq!(analysis["status"], "partial");
    assert_eq!(analysis["analysis"], "Much to do, begin with TASK-0001 and…");
    assert_eq!(analysis["facts"]["open"], 3);

    let wrong = r#"{"plan": "Begin with TASK-0077 and"#;
    let world = World::with_policy(local_only(), [("small", vec![Step::Cut(wrong); 4])]).await.with_board().await;
    let plan = world.call("plan_sprint", json!({"sprint_name": "S1"})).await;
    assert_eq!(plan["status"], "degraded");
}

#[tokio::test]
async fn an_equal_question_is_answered_from_the_cache_unless_fresh() {
    let kept = with_route(policy(), |route| route.cache_ttl = Duration::from_secs(60));
    let world =
        World::with_policy(kept, [("small", vec![Step::Says(NEXT), Step::Says(NEXT)])]).await.with_board().await;
    world.call(SUGGEST, json!({})).await;
    let again = world.call(SUGGEST, json!({})).await;
    assert_eq!((&again["status"], &again["routing"]["cached"]), (&json!("ok"), &json!(true)));
    let fresh = world.call(SUGGEST, json!({"fresh": true})).await;
    assert_eq!(fresh["routing"]["cached"], false);
    assert_eq!(world.script.called().len(), 2);
}

#[tokio::test]
async fn a_cancelled_call_is_an_error_with_one_row() {
    let world = World::new([("small", vec![Step::Never])]).await.with_board().await;
    let before = world.ledger().await.len();
    let cancel = world.cancel.clone();
    let (error, ()) = tokio::join!(world.error(SUGGEST, json!({})), async move {
        tokio::time::sleep(Duration::from_millis(50)).await;
        cancel.cancel();
    });
    assert_eq!(error.kind, Kind::Cancelled);
    let rows = world.ledger().await;
    assert_eq!((rows.len() - before, rows.last().unwrap().outcome.status), (1, Status::Cancelled));
}

#[tokio::test]
async fn a_missing_key_is_named() {
    let mut keyless = policy();
    for backend in keyless.backends.values_mut() {
        backend.location = Location::Hosted;
        backend.api_key = None;
        backend.key_variable = Some("OPENAI_API_KEY".into());
    }
    let world = World::with_policy(keyless, []).await.with_board().await;
    let analysis = world.call("analyze_workload", json!({})).await;
    assert!(text(&analysis, "error").contains("set OPENAI_API_KEY"), "{analysis}");
}

#[tokio::test]
async fn bad_arguments_are_refused_before_any_model_is_asked() {
    let world = World::new([]).await.with_board().await;
    let cases = [
        (
            "analyze_workload",
            json!({"time_horizon": "year"}),
            "`time_horizon` must be one of day, week, month, not \"year\"",
        ),
        ("plan_sprint", json!({}), "`sprint_name` is missing"),
        (
            "plan_sprint",
            json!({"sprint_name": "", "duration_days": 1}),
            "`sprint_name` must be text of 1 to 100 characters, not of 0",
        ),
        (
            "plan_sprint",
            json!({"sprint_name": "S", "duration_days": "two weeks"}),
            "`duration_days` must be a whole number from 1 to 365, not \"two weeks\"",
        ),
        (
            "smart_prioritize",
            json!({"task_description": " "}),
            "`task_description` must be text of 1 to 10000 characters, not of 0",
        ),
        (SUGGEST, json!({"available_minutes": 0}), "`available_minutes` must be a whole number from 1 to 1440, not 0"),
    ];
    for (tool, arguments, message) in cases {
        assert_eq!(world.error(tool, arguments).await.message, message);
    }
    assert!(world.script.called().is_empty());
}

#[tokio::test]
async fn a_person_without_ready_tasks_is_told_so() {
    let world = World::new([]).await.with_board().await;
    world.call("update_task", json!({"task_id": "2", "assignee": "Ana"})).await;
    let blocked = world.call(SUGGEST, json!({"assignee": "ana"})).await;
    assert_eq!((&blocked["status"], &blocked["reasoning"]), (&json!("empty"), &json!("All open tasks are blocked")));
    let nobody = world.call(SUGGEST, json!({"assignee": "Zoe"})).await;
    assert_eq!(nobody["reasoning"], "No open tasks");
}
