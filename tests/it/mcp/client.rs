//! rmcp's own client in both eras: what is listed, what a call gives, how a refusal reads.

use std::collections::BTreeSet;

use rmcp::model::{CallToolRequestParams, ProtocolVersion, Tool};
use rmcp::service::{ClientLifecycleMode, ClientServiceExt, RunningService};
use rmcp::transport::TokioChildProcess;
use rmcp::{RoleClient, ServiceError};
use serde_json::{Value, json};

use super::{text_of, without_model};
use crate::taskgate::Taskgate;

/// The lesson's names, which every client was told.
const LESSON: [&str; 7] = [
    "create_task",
    "list_tasks",
    "update_task",
    "analyze_workload",
    "smart_prioritize",
    "plan_sprint",
    "suggest_next_action",
];

/// Names, descriptions and input schemas of the core tools together, in bytes by 4.
const CORE_TOKENS: usize = 3_000;

type Client = RunningService<RoleClient, ()>;

fn eras() -> [ClientLifecycleMode; 2] {
    [
        ClientLifecycleMode::Initialize,
        ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] },
    ]
}

async fn connect(taskgate: &Taskgate, era: ClientLifecycleMode) -> Client {
    let command = tokio::process::Command::from(taskgate.command(&["mcp"]));
    ().serve_with_lifecycle(TokioChildProcess::new(command).unwrap(), era).await.unwrap()
}

async fn call(client: &Client, tool: &'static str, arguments: Value) -> Value {
    let Value::Object(arguments) = arguments else { panic!("arguments are an object") };
    let result = client.call_tool(CallToolRequestParams::new(tool).with_arguments(arguments)).await.unwrap();
    serde_json::to_value(result).unwrap()
}

fn schema(tool: &Tool) -> Value {
    Value::Object(tool.output_schema.as_ref().unwrap().as_ref().clone())
}

#[tokio::test]
async fn both_eras_list_the_same_tools_with_all_that_a_host_shows() {
    let folder = tempfile::tempdir().unwrap();
    let taskgate = without_model(folder.path());
    let mut lists = Vec::new();
    for era in eras() {
        let client = connect(&taskgate, era).await;
        lists.push(client.list_all_tools().await.unwrap());
    }
    assert_eq!(lists[0], lists[1]);
    let names: BTreeSet<&str> = lists[0].iter().map(|tool| tool.name.as_ref()).collect();
    assert!(LESSON.iter().all(|name| names.contains(name)), "{names:?}");
    for tool in &lists[0] {
        let hints = tool.annotations.as_ref().unwrap();
        let all = [hints.read_only_hint, hints.destructive_hint, hints.idempotent_hint, hints.open_world_hint];
        assert!(all.iter().all(Option::is_some), "{}", tool.name);
        assert!(tool.title.is_some() && tool.description.as_ref().is_some_and(|text| text.len() > 60), "{}", tool.name);
    }
    let told = |name: &str| lists[0].iter().find(|tool| tool.name == name).unwrap().annotations.clone().unwrap();
    assert_eq!(told("list_tasks").read_only_hint, Some(true));
    assert_eq!(told("delete_task").destructive_hint, Some(true));
    assert_eq!(told("analyze_workload").open_world_hint, Some(true), "its text may go to a hosted model");
    assert_eq!(told("create_task").open_world_hint, Some(false));
}

#[tokio::test]
async fn schemas_are_portable_and_the_list_is_short() {
    let folder = tempfile::tempdir().unwrap();
    let client = connect(&without_model(folder.path()), ClientLifecycleMode::Initialize).await;
    let tools = client.list_all_tools().await.unwrap();
    let mut bytes = 0;
    for tool in &tools {
        let input = serde_json::to_string(&tool.input_schema).unwrap();
        for bad in ["$ref", "$defs", "anyOf", "oneOf", "allOf", "null", "$schema", "\"format\""] {
            assert!(!input.contains(bad), "{}: {bad} in {input}", tool.name);
        }
        let output = schema(tool).to_string();
        assert!(!output.contains("$ref") && !output.contains("anyOf"), "{}: {output}", tool.name);
        jsonschema::validator_for(&schema(tool)).unwrap();
        bytes += tool.name.len() + tool.description.as_ref().unwrap().len() + input.len();
    }
    assert!(bytes / 4 <= CORE_TOKENS, "{} tokens", bytes / 4);
}

#[tokio::test]
async fn a_task_is_created_listed_and_changed_and_every_result_fits_its_schema() {
    let folder = tempfile::tempdir().unwrap();
    for (index, era) in eras().into_iter().enumerate() {
        let client = connect(&without_model(folder.path()), era).await;
        let tools = client.list_all_tools().await.unwrap();
        let id = format!("TASK-{:04}", index + 1);
        let steps = [
            ("create_task", json!({ "title": "Review budget", "priority": "high" })),
            ("list_tasks", json!({ "priority": "high" })),
            ("update_task", json!({ "task_id": id, "status": "completed" })),
            ("get_task", json!({ "task_id": id })),
            ("analyze_workload", json!({})),
            ("smart_prioritize", json!({ "task_description": "Fix the door by friday" })),
            ("plan_sprint", json!({ "sprint_name": "Sprint 1" })),
            ("suggest_next_action", json!({})),
            ("delete_task", json!({ "task_id": id, "confirm": true })),
        ];
        let mut results = Vec::new();
        for (name, arguments) in steps {
            let result = call(&client, name, arguments).await;
            assert_ne!(result["isError"], true, "{name}: {result}");
            let structured = &result["structuredContent"];
            assert_eq!(text_of(&result), structured.to_string(), "{name}: the text is the same, compact");
            let tool = tools.iter().find(|tool| tool.name == name).unwrap();
            let validator = jsonschema::validator_for(&schema(tool)).unwrap();
            let faults: Vec<String> = validator.iter_errors(structured).map(|fault| fault.to_string()).collect();
            assert!(faults.is_empty(), "{name}: {faults:?} in {structured}");
            results.push(structured.clone());
        }
        assert_eq!(results[0]["message"], format!("Created task {id}: Review budget"));
        assert_eq!(results[1]["tasks"][0]["id"], id);
        assert_eq!(results[2]["task"]["status"], "completed");
    }
}

#[tokio::test]
async fn a_refusal_reads_as_the_lesson_wrote_it_and_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let client = connect(&without_model(folder.path()), ClientLifecycleMode::Initialize).await;
    let refused = call(&client, "update_task", json!({ "task_id": "TASK-0042", "status": "completed" })).await;
    assert_eq!(refused["isError"], true);
    assert_eq!(refused.get("structuredContent"), None);
    assert!(
        text_of(&refused).starts_with(r#"{"success":false,"error":"Task TASK-0042 not found","hint":"#),
        "{refused}"
    );
    let refused = call(&client, "create_task", json!({ "titel": "x" })).await;
    assert!(text_of(&refused).contains("did you mean `title`?"), "{refused}");
}

#[tokio::test]
async fn a_tool_that_does_not_exist_is_a_protocol_error() {
    let folder = tempfile::tempdir().unwrap();
    for era in eras() {
        let client = connect(&without_model(folder.path()), era).await;
        let error = client.call_tool(CallToolRequestParams::new("make_coffee")).await.unwrap_err();
        let ServiceError::McpError(error) = error else { panic!("{error}") };
        assert_eq!(error.code.0, -32602);
        assert!(error.message.contains("make_coffee") && error.message.contains("create_task"), "{}", error.message);
    }
}
