//! Lines in, messages out: what is broken is refused, and the end waits for the answers.

use serde_json::json;
use tokio::io::{AsyncReadExt, DuplexStream, duplex, sink};

use super::*;

fn request(id: u32) -> String {
    json!({ "jsonrpc": "2.0", "id": id, "method": "ping" }).to_string()
}

fn response(id: i64) -> ServerJsonRpcMessage {
    serde_json::from_value(json!({ "jsonrpc": "2.0", "id": id, "result": {} })).unwrap()
}

/// The transport over these bytes, the input ended, and the stream that it answers into.
async fn over(input: &[u8]) -> (Lines<std::io::Cursor<Vec<u8>>, DuplexStream>, DuplexStream) {
    let (output, answers) = duplex(1 << 20);
    (Lines::new(std::io::Cursor::new(input.to_vec()), output), answers)
}

/// Reads to the end, answering every request at once; what was received and what was written.
async fn run(input: &[u8]) -> (usize, Vec<Value>) {
    let (mut lines, mut answers) = over(input).await;
    let mut received = 0;
    while let Some(message) = lines.receive().await {
        received += 1;
        if let JsonRpcMessage::Request(request) = message {
            let RequestId::Number(id) = request.id else { panic!("{:?}", request.id) };
            lines.send(response(id)).await.unwrap();
        }
    }
    drop(lines);
    let mut text = String::new();
    answers.read_to_string(&mut text).await.unwrap();
    (received, text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

#[tokio::test]
async fn a_broken_line_is_refused_and_the_next_one_is_read() {
    let mut input = b"{\"jsonrpc\": \"2.0\", \"id\": 1, \"meth\n".to_vec();
    input.extend_from_slice(b"not json at all\n\n");
    input.extend_from_slice(request(2).as_bytes());
    let (received, answers) = run(&input).await;
    assert_eq!(received, 1, "the last line needs no line end");
    assert_eq!(answers[0]["error"]["code"], -32700);
    assert_eq!(answers[1]["error"]["code"], -32700);
    assert_eq!(answers[2]["id"], 2);
    assert_eq!(answers.len(), 3);
}

#[tokio::test]
async fn a_line_that_is_not_utf8_is_refused_by_its_id() {
    let mut input = b"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/call\",\"params\":{\"name\":\"".to_vec();
    input.extend_from_slice(b"\xff\xfe\"}}\n");
    let (received, answers) = run(&input).await;
    assert_eq!(received, 0);
    assert_eq!((&answers[0]["id"], &answers[0]["error"]["code"]), (&json!(7), &json!(-32700)));
}

#[tokio::test]
async fn json_that_is_no_message_is_refused_and_echoes_are_not_answered() {
    let input = br#"{"id": 4, "params": {}}
[]
{"jsonrpc":"2.0","method":"notifications/of/somebody/else"}
{"method":"tools/call","params":{"name":"list_tasks","arguments":{}}}
{"jsonrpc":"2.0","id":9,"error":{"code":-32700}}
42
"#;
    let (received, answers) = run(input).await;
    assert_eq!(received, 0);
    assert_eq!(answers[0]["id"], 4);
    assert!(answers.iter().all(|answer| answer["error"]["code"] == -32600), "{answers:?}");
    assert_eq!(answers.len(), 3, "{answers:?}");
    let lesson = answers[2]["error"]["message"].as_str().unwrap();
    assert!(lesson.contains("taskgate call --stdin"), "{lesson}");
}

#[tokio::test]
async fn a_line_without_end_does_not_fill_the_memory() {
    let mut input = vec![b'x'; LONGEST_LINE + 100_000];
    input.push(b'\n');
    input.extend_from_slice(request(1).as_bytes());
    let (received, answers) = run(&input).await;
    assert_eq!(received, 1);
    assert_eq!(answers[0]["error"]["code"], -32600);
}

#[tokio::test]
async fn the_end_of_the_input_waits_for_every_answer() {
    let input = format!("{}\n{}\n", request(1), request(2));
    let (mut lines, _answers) = over(input.as_bytes()).await;
    assert!(lines.receive().await.is_some() && lines.receive().await.is_some());
    let soon = Duration::from_millis(50);
    assert!(tokio::time::timeout(soon, lines.receive()).await.is_err(), "ended with two unanswered");
    lines.send(response(1)).await.unwrap();
    assert!(tokio::time::timeout(soon, lines.receive()).await.is_err(), "ended with one unanswered");
    lines.send(response(2)).await.unwrap();
    assert!(lines.receive().await.is_none());
}

#[tokio::test]
async fn a_cancelled_request_is_not_waited_for() {
    let init = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "t", "version": "0" } } });
    let cancel = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 1 } });
    let (mut lines, _answers) = over(format!("{init}\n{cancel}\n").as_bytes()).await;
    assert!(lines.receive().await.is_some() && lines.receive().await.is_some());
    assert!(lines.receive().await.is_none());
}

#[tokio::test]
async fn a_notification_before_the_session_opens_does_not_end_it() {
    let early = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    let (received, answers) = run(format!("{early}\n{}\n", request(1)).as_bytes()).await;
    assert_eq!((received, answers.len()), (1, 1));
}

#[tokio::test]
async fn a_dropped_receive_loses_nothing() {
    let (mut writer, input) = duplex(16);
    let mut lines = Lines::new(input, sink());
    let text = format!("{}\n", request(3));
    let (first, second) = text.split_at(10);
    tokio::io::AsyncWriteExt::write_all(&mut writer, first.as_bytes()).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(30), lines.receive()).await.is_err());
    let (written, received) =
        tokio::join!(tokio::io::AsyncWriteExt::write_all(&mut writer, second.as_bytes()), lines.receive());
    written.unwrap();
    assert!(matches!(received, Some(JsonRpcMessage::Request(request)) if request.id == RequestId::Number(3)));
}
