//! The server itself: accepts, reads a request, plays its step, and notices when the other side goes away.

use std::future::pending;
use std::io;
use std::sync::Arc;

use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::http::{self, Recorded};
use super::script::Shared;
use super::step::Step;
use super::stream::{Piece, Stream};

pub async fn accept(listener: TcpListener, shared: Arc<Shared>, stop: CancellationToken) {
    while let Ok((connection, _)) = listener.accept().await {
        let (shared, stop) = (shared.clone(), stop.clone());
        tokio::spawn(async move { stop.run_until_cancelled(serve(connection, &shared)).await });
    }
}

/// One request a connection: the end of an answer is then the end of its connection, and a drop is easy to see.
async fn serve(connection: TcpStream, shared: &Shared) {
    connection.set_nodelay(true).unwrap();
    let (mut from, mut to) = connection.into_split();
    let Some(raw) = http::read_request(&mut from).await else { return };
    if !raw.line.starts_with("POST") {
        let data: Vec<_> = shared.models().iter().map(|id| json!({ "id": id, "object": "model" })).collect();
        let _ = play(Step::json(json!({ "object": "list", "data": data })), None, &mut to).await;
        return;
    }
    if !raw.line.contains("/chat/completions") {
        let _ = play(Step::status_with(404, &[], r#"{"detail":"Not Found"}"#), None, &mut to).await;
        return;
    }
    let (request, step) = shared.take(raw);
    let played = tokio::select! {
        played = play(step, Some(&request), &mut to) => played.is_ok(),
        () = gone(&mut from) => false,
    };
    if !played {
        request.note_drop();
    }
}

/// Ends when the other side has closed the connection.
async fn gone(from: &mut (impl AsyncRead + Unpin)) {
    let mut unexpected = [0; 64];
    while matches!(from.read(&mut unexpected).await, Ok(1..)) {}
}

async fn play(step: Step, request: Option<&Recorded>, to: &mut OwnedWriteHalf) -> io::Result<()> {
    let model = request.map(|request| request.model.as_str()).unwrap_or_default();
    match step {
        Step::Ask(answer) => {
            let step = request.map_or(Step::Hang, |request| answer(request));
            return Box::pin(play(step, request, to)).await;
        }
        Step::After(delay, step) => {
            tokio::time::sleep(delay).await;
            return Box::pin(play(*step, request, to)).await;
        }
        Step::Once(mut told, step) => {
            let _ = told.wait_for(|told| *told).await;
            return Box::pin(play(*step, request, to)).await;
        }
        Step::Reply(reply) if request.is_some_and(Recorded::is_stream) => {
            let wants_usage = request.is_some_and(Recorded::wants_usage);
            stream(Stream::of_reply(&reply, wants_usage), to).await?;
        }
        Step::Reply(reply) => whole(reply.body(model).to_string().as_bytes(), to).await?,
        Step::Stream(events) => stream(events, to).await?,
        Step::Status { code, headers, body } => {
            let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
            let length = body.len();
            let head =
                format!("HTTP/1.1 {code} Scripted\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n");
            to.write_all(head.as_bytes()).await?;
            to.write_all(&body).await?;
        }
        Step::Hang => pending().await,
        Step::HangUp => {}
        Step::Reset => {
            to.as_ref().set_zero_linger()?;
            return Ok(());
        }
        Step::EndlessHead => {
            to.write_all(b"HTTP/1.1 200 OK\r\n").await?;
            endless(b"x-more: and more\r\n", false, to).await?;
        }
        Step::Drip(reply, every) => {
            let body = reply.body(model).to_string();
            to.write_all(json_head(body.len()).as_bytes()).await?;
            for byte in body.bytes() {
                to.write_all(&[byte]).await?;
                tokio::time::sleep(every).await;
            }
        }
        Step::CutBody(reply) => {
            let body = reply.body(model).to_string();
            to.write_all(json_head(body.len()).as_bytes()).await?;
            to.write_all(&body.as_bytes()[..body.len() / 2]).await?;
        }
        Step::HugeBody => {
            to.write_all(json_head(usize::MAX >> 8).as_bytes()).await?;
            to.write_all(br#"{"choices":[{"message":{"content":""#).await?;
            endless(&[b'x'; 4096], false, to).await?;
        }
        Step::Raw(bytes) => to.write_all(&bytes).await?,
    }
    // The other side may be gone by now: it has everything.
    let _ = to.shutdown().await;
    Ok(())
}

async fn whole(body: &[u8], to: &mut OwnedWriteHalf) -> io::Result<()> {
    to.write_all(json_head(body.len()).as_bytes()).await?;
    to.write_all(body).await
}

fn json_head(length: usize) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    )
}

async fn stream(events: Stream, to: &mut OwnedWriteHalf) -> io::Result<()> {
    let framing = if events.unframed { "" } else { "transfer-encoding: chunked\r\n" };
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n{framing}connection: close\r\n\r\n");
    to.write_all(head.as_bytes()).await?;
    let end: &[u8] = if events.unframed { b"" } else { b"0\r\n\r\n" };
    let last = events.pieces.len();
    for (n, piece) in (1..).zip(events.pieces) {
        match piece {
            // The last event and the end go together: who has read the one may close the connection.
            Piece::Bytes(bytes) if n == last => {
                return to.write_all(&[framed(&bytes, !events.unframed), end.to_vec()].concat()).await;
            }
            Piece::Bytes(bytes) => to.write_all(&framed(&bytes, !events.unframed)).await?,
            Piece::Wait(delay) => tokio::time::sleep(delay).await,
            Piece::Endless(bytes) => endless(&bytes, !events.unframed, to).await?,
            Piece::Hang => pending().await,
            Piece::Cut => return Ok(()),
        }
    }
    to.write_all(end).await
}

async fn endless(bytes: &[u8], in_chunks: bool, to: &mut OwnedWriteHalf) -> io::Result<()> {
    let bytes = framed(bytes, in_chunks);
    loop {
        to.write_all(&bytes).await?;
    }
}

fn framed(bytes: &[u8], in_chunks: bool) -> Vec<u8> {
    if in_chunks { [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat() } else { bytes.to_vec() }
}
