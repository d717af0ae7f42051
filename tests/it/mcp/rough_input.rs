//! Input that no client should send, and that some do: the process lives on and answers what can be answered.

use serde_json::json;

use super::by_hand::{Session, call, initialize};
use super::{text_of, without_model};

#[tokio::test]
async fn broken_lines_are_refused_and_the_session_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = Session::open(&without_model(folder.path())).await;
    session.write(b"{\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": \"tools/ca\n").await;
    assert_eq!(session.next().await["error"]["code"], -32700);
    session.write(b"\xff\xfe{}\n").await;
    assert_eq!(session.next().await["error"]["code"], -32700);
    let mut line = call(2, "create_task", json!({ "title": "MARK" })).to_string().into_bytes();
    let mark = line.windows(4).position(|window| window == b"MARK").unwrap();
    line[mark] = 0xff;
    line.push(b'\n');
    session.write(&line).await;
    let refused = session.next().await;
    assert_eq!((&refused["id"], &refused["error"]["code"]), (&json!(2), &json!(-32700)), "its sender is told");
    session.send(&json!([{ "jsonrpc": "2.0", "id": 3, "method": "ping" }])).await;
    assert_eq!(session.next().await["error"]["code"], -32600);
    session.send(&json!({ "jsonrpc": "2.0", "id": 4, "method": "tools/call", "params": { "name": 7 } })).await;
    let refused = session.next().await;
    assert_eq!((&refused["id"], &refused["error"]["code"]), (&json!(4), &json!(-32602)));
    session.send(&json!({ "jsonrpc": "2.0", "id": 5, "method": "tools/never" })).await;
    assert_eq!(session.next().await["error"]["code"], -32601);
    let created = session.call(6, "create_task", json!({ "title": "Still here" })).await;
    assert_eq!(created["result"]["structuredContent"]["task"]["id"], "TASK-0001");
}

#[tokio::test]
async fn ten_megabytes_of_arguments_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = Session::open(&without_model(folder.path())).await;
    let huge = "x".repeat(10 << 20);
    let refused = session.call(1, "create_task", json!({ "title": huge })).await;
    assert_eq!(refused["result"]["isError"], true);
    let text = text_of(&refused["result"]);
    assert!(text.contains("title") && text.contains("200") && text.len() < 1_000, "{}", &text[..text.len().min(300)]);
    session.write(&vec![b'x'; 17 << 20]).await;
    session.write(b"\n").await;
    assert_eq!(session.next().await["error"]["code"], -32600);
    let listed = session.call(2, "list_tasks", json!({})).await;
    assert_eq!(listed["result"]["structuredContent"]["count"], 0);
}

#[tokio::test]
async fn whatever_comes_before_the_session_opens_does_not_end_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = Session::start(&without_model(folder.path()));
    session.write(b"hello?\n").await;
    assert_eq!(session.next().await["error"]["code"], -32700);
    session.send(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 9 } })).await;
    // A call of neither era: refused with what is missing.
    session.send(&call(1, "list_tasks", json!({}))).await;
    assert_eq!(session.next().await["error"]["code"], -32602);
    session.send(&initialize()).await;
    assert_eq!(session.next().await["id"], "init");
    let (rest, status) = session.end().await;
    assert!(rest.is_empty() && status.success(), "{rest:?} {status}");
}

#[tokio::test]
async fn a_client_may_probe_for_the_new_era_and_open_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = Session::start(&without_model(folder.path()));
    let meta = json!({ "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {} });
    session
        .send(&json!({ "jsonrpc": "2.0", "id": "probe", "method": "server/discover", "params": { "_meta": meta } }))
        .await;
    let found = session.next().await;
    assert!(found["result"]["supportedVersions"].as_array().unwrap().contains(&json!("2026-07-28")), "{found}");
    session.send(&initialize()).await;
    assert_eq!(session.next().await["result"]["protocolVersion"], "2025-11-25");
    let listed = session.call(1, "list_tasks", json!({})).await;
    assert_eq!(listed["result"]["structuredContent"]["count"], 0);
}
