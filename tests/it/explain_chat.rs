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

#[tokio::test]
async fn a_picture_that_no_model_can_see_is_refused_and_every_model_is_told() {
    let picture = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,aa"}});
    let asked = json!({"messages": [{"role": "user", "content": [picture]}]}).to_string();
    let explained = Home::new().run(&["explain", "--prompt", &asked], b"").await.json();
    let reasons = explained["decision"]["reasons"].as_array().unwrap();
    let texts: Vec<&str> = reasons.iter().map(|reason| reason["text"].as_str().unwrap()).collect();
    let told = [
        "The request needs vision, which task-api-model lacks.",
        "gpt-4o is left out: its backend `openai` has no key (set OPENAI_API_KEY).",
        "No model may be called: the request is refused.",
    ];
    assert_eq!(texts[texts.len() - 3..], told);
    let wrong = Home::new().run(&["explain", "--prompt", r#"{"messages": 5}"#], b"").await;
    assert!(wrong.code == Some(1) && wrong.out.contains("`messages` is no list"), "{wrong:?}");
}
