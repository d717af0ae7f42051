//! `taskgate explain --prompt`: what a chat request would do, decided as any other request is.

use serde_json::{Value, json};

use crate::binary::Home;

fn models(explained: &Value) -> Vec<(&str, &Value)> {
    let candidates = explained["decision"]["candidates"].as_array().unwrap();
    candidates.iter().map(|candidate| (candidate["model"].as_str().unwrap(), &candidate["excluded"])).collect()
}

#[tokio::test]
async fn words_a_file_and_standard_input_are_decided_alike() {
    let home = Home::new().with("OPENAI_API_KEY", "sk-scripted");
    let words = "Compare two plans for 3 people, then explain which one must win.";
    let file = home.path("prompt.txt");
    std::fs::write(&file, words).unwrap();
    let said = home.run(&["explain", "--prompt", words], b"").await.json();
    assert_eq!((&said["decision"]["route"], &said["decision"]["tier"]), (&json!("chat"), &json!("local")));
    assert_eq!(models(&said), [("task-api-model", &Value::Null), ("gpt-4o", &Value::Null)]);
    assert_eq!(said["signals"]["conversation"]["reasoning"], 2);
    let read = home.run(&["explain", "--prompt", "-"], words.as_bytes()).await.json();
    let filed = home.run(&["explain", "--prompt-file", file.to_str().unwrap()], b"").await.json();
    assert!(read == said && filed == said, "{read} {filed}");
    let text = home.run(&["explain", "--prompt", words], b"").await.out;
    assert!(!text.contains("two plans"), "numbers are kept of a prompt, never its words");
}

#[tokio::test]
async fn what_a_request_needs_and_holds_rules_models_out() {
    let home = Home::new().with("OPENAI_API_KEY", "sk-scripted");
    let long = json!({"messages": [{"role": "user", "content": "word ".repeat(4_000)}]}).to_string();
    let explained = home.run(&["explain", "--prompt", "-"], long.as_bytes()).await.json();
    assert_eq!(models(&explained), [("gpt-4o", &Value::Null), ("task-api-model", &json!("too_long"))]);
    let reasons = explained["decision"]["reasons"].to_string();
    assert!(reasons.contains("task-api-model has room for 3072"), "{reasons}");
    let tools = json!({"messages": [{"role": "user", "content": "Hi"}], "tools": [{"type": "function"}]}).to_string();
    let explained = home.run(&["explain", "--prompt", &tools], b"").await.json();
    assert_eq!(models(&explained)[1], ("task-api-model", &json!("missing_capability")));
}

#[tokio::test]
async fn a_prompt_that_is_not_there_is_told() {
    let home = Home::new();
    let missing = home.run(&["explain", "--prompt-file", "nowhere.txt"], b"").await;
    assert!(missing.code == Some(1) && missing.out.contains("nowhere.txt"), "{missing:?}");
    let empty = home.run(&["explain", "--prompt", "-"], b" \n").await;
    assert!(empty.code == Some(1) && empty.out.contains("empty"), "{empty:?}");
}
