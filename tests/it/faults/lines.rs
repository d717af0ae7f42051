//! Lines that are no messages: each is answered as JSON-RPC wants, and the session goes on.

use serde_json::{Value, json};

use crate::binary::{Home, Session};

use super::first_task;

const PARSE_ERROR: i64 = -32700;
const INVALID_REQUEST: i64 = -32600;

async fn started() -> (Home, Session, Value) {
    let home = Home::new();
    let mut session = home.mcp().await;
    let task = first_task(&mut session).await;
    (home, session, task)
}

async fn lives_on((home, mut session, task): (Home, Session, Value)) {
    assert_eq!(session.call("get_task", json!({"task_id": "TASK-0001"})).await.result()["task"], task);
    let ledger = home.ledger().await;
    assert_eq!(ledger.number("SELECT count(*) FROM requests").await, 2, "what was no request has no row");
    assert_eq!(session.call("list_tasks", json!({})).await.result()["count"], 1);
    assert_eq!(session.close().await.code, Some(0));
}

#[tokio::test]
async fn broken_utf_8() {
    let (home, mut session, task) = started().await;
    let mut line =
        br#"{"jsonrpc": "2.0", "id": 77, "method": "tools/call", "params": {"name": "create_task", "arguments": {"title": ""#
            .to_vec();
    line.extend_from_slice(b"caf\xff\xfe\"}}}\n");
    session.raw(&line).await;
    let told = session.response(77).await;
    assert_eq!(told["error"]["code"], PARSE_ERROR, "{told}");
    assert_eq!(told["error"]["message"], "a line is not UTF-8");
    session.raw(b"\xc3\x28\xa0\xa1\n").await;
    let told = session.response(Value::Null).await;
    assert_eq!(told["error"]["code"], PARSE_ERROR, "{told}");
    lives_on((home, session, task)).await;
}

#[tokio::test]
async fn half_a_line() {
    let (home, mut session, task) = started().await;
    session
        .raw(b"{\"jsonrpc\": \"2.0\", \"id\": 78, \"method\": \"tools/call\", \"params\": {\"name\": \"crea\n")
        .await;
    let told = session.response(Value::Null).await;
    assert_eq!(
        (&told["error"]["code"], &told["error"]["message"]),
        (&json!(PARSE_ERROR), &json!("a line is not JSON"))
    );
    lives_on((home, session, task)).await;
}

#[tokio::test]
async fn half_a_line_at_the_end_of_the_input() {
    let (home, mut session, _) = started().await;
    let asked = session.ask("create_task", json!({"title": "The last one"})).await;
    session.raw(b"{\"jsonrpc\": \"2.0\", \"id\": 79, \"method\": \"tools/ca").await;
    let ended = session.close().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let told: Vec<Value> = ended.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let answered = told.iter().find(|message| message["id"] == asked).expect("what was asked is answered first");
    assert_eq!(answered["result"]["structuredContent"]["task"]["id"], "TASK-0002");
    assert!(told.iter().any(|message| message["error"]["code"] == PARSE_ERROR), "{told:?}");
    let ledger = home.ledger().await;
    assert_eq!(ledger.number("SELECT count(*) FROM tasks").await, 2);
}

#[tokio::test]
async fn a_line_longer_than_any_message() {
    let (home, mut session, task) = started().await;
    let much = "x".repeat(17 * 1024 * 1024);
    let params = json!({"name": "create_task", "arguments": {"title": much}});
    session.line(&json!({"jsonrpc": "2.0", "id": 80, "method": "tools/call", "params": params})).await;
    let told = session.response(Value::Null).await;
    assert_eq!(told["error"]["code"], INVALID_REQUEST, "{told}");
    assert_eq!(told["error"]["message"], "a line is longer than 16 MiB");
    lives_on((home, session, task)).await;
}

#[tokio::test]
async fn json_that_is_no_request() {
    let (home, mut session, task) = started().await;
    for line in ["[]", "{}", "[1, 2]", r#"{"id": 81}"#, r#"{"jsonrpc": "1.0", "id": 81, "method": "tools/call"}"#] {
        session.raw(format!("{line}\n").as_bytes()).await;
        let id = if line.contains("81") { json!(81) } else { Value::Null };
        let told = session.response(id).await;
        assert_eq!(told["error"]["code"], INVALID_REQUEST, "{line}: {told}");
    }
    lives_on((home, session, task)).await;
}

#[tokio::test]
async fn a_command_says_what_is_wrong_with_its_input() {
    let home = Home::new();
    let good = r#"{"method": "tools/call", "params": {"name": "create_task", "arguments": {"title": "Kept"}}}"#;
    let half: &[u8] = br#"{"method": "tools/call", "params": {"name": "crea"#;
    let broken: &[u8] =
        b"{\"method\": \"tools/call\", \"params\": {\"name\": \"create_task\", \"arguments\": {\"title\": \"\xff\"}}}";
    for (bad, reason) in [
        (half, "EOF"),
        (broken, "unicode"),
        (b"hello", "expected"),
        (br#"{"method": "tools/list"}"#, "`method` is not \"tools/call\""),
        (br#"{"method": "tools/call", "params": {"name": "create_task", "arguments": []}}"#, "`params.arguments`"),
    ] {
        let input = [good.as_bytes(), b"\n", bad].concat();
        let ended = home.run(&["call", "--stdin"], &input).await;
        let lines: Vec<Value> = ended.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((ended.code, lines.len()), (Some(1), 2), "{ended:?}");
        assert_eq!(lines[0]["success"], true, "the good call before it stands");
        let error = lines[1]["error"].as_str().unwrap();
        assert!(error.starts_with("Standard input is not a tool call: ") && error.contains(reason), "{error}");
        assert!(lines[1]["hint"].as_str().unwrap().contains("tools/call"), "{ended:?}");
    }
    assert_eq!(home.run(&["call", "list_tasks"], b"").await.json()["count"], 5);
    let empty = home.run(&["call", "--stdin"], b" \n").await;
    assert_eq!((empty.code, empty.json()["success"].clone()), (Some(1), json!(false)));
}
