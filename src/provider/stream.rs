//! A streamed reply, read directly: async-openai's reader would buffer without bound, and hides how a stream ended.
//!
//! A stream is complete when the upstream said why it stopped, or said `[DONE]` after some text.

use std::time::Duration;

use async_openai::config::Config;
use eventsource_stream::{Event, EventStream, EventStreamError};
use futures_util::StreamExt;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Method, Response};
use tokio::time::Instant;

use super::address::{Address, CHAT};
use super::clock::{Clock, Waiting};
use super::listener::{Listener, Said};
use super::progress::Progress;
use super::read::{self, ContentType};
use super::sender::{Bounds, Call, Sender};
use super::trouble::Trouble;
use super::wire::{self, Wire};
use super::{connect, sse, whole};

pub(super) async fn send(
    sender: &Sender,
    call: &Call<'_>,
    clock: Clock,
    (progress, listener): (&mut Progress, &mut dyn Listener),
) -> Result<(), Trouble> {
    let opened = open(sender, call, clock, progress);
    let response = clock.wait(Waiting::FirstToken, opened).await??;
    let kind = read::content_type(&response);
    match kind {
        ContentType::Events | ContentType::Missing => {
            let is_stream = kind == ContentType::Events;
            let mut reader = Reader { clock, bounds: sender.bounds(), is_stream, any_event: false, progress, listener };
            reader.read(response).await
        }
        // Some servers know no streams and answer whole: not a word of it is there before its end.
        ContentType::Json => {
            let most = sender.bounds().whole;
            let body = clock.wait(Waiting::FirstToken, read::whole(response, most)).await??;
            whole::hear(Wire::parse(&body)?, progress, most, listener).await
        }
        ContentType::Other => Err(Trouble::WrongType),
    }
}

async fn open(sender: &Sender, call: &Call<'_>, clock: Clock, progress: &Progress) -> Result<Response, Trouble> {
    let address = Address::of(call.backend)?;
    let body = serde_json::to_vec(&wire::body(call)).map_err(|_| Trouble::Internal("the request has no JSON form"))?;
    let request = sender
        .http()
        .request(Method::POST, address.url(CHAT))
        .headers(address.headers())
        .header(CONTENT_TYPE, "application/json")
        .header(ACCEPT, "text/event-stream")
        .body(body)
        .build()?;
    let response = connect::execute(sender.http(), request, clock.connect()).await?;
    read::accepted(response, &progress.status).await
}

struct Reader<'a> {
    clock: Clock,
    bounds: Bounds,
    /// The upstream says so.
    is_stream: bool,
    any_event: bool,
    progress: &'a mut Progress,
    listener: &'a mut dyn Listener,
}

impl Reader<'_> {
    async fn read(&mut self, response: Response) -> Result<(), Trouble> {
        let bytes = sse::guarded(response.bytes_stream(), self.bounds);
        let mut events = EventStream::new(Box::pin(bytes));
        let mut waiting = Waiting::FirstToken;
        loop {
            let event = match self.clock.wait(waiting, events.next()).await {
                Ok(Some(Ok(event))) => event,
                Ok(Some(Err(error))) => return self.broken(trouble(error)),
                Ok(None) => return self.ended(),
                Err(slow) => return self.broken(slow),
            };
            self.any_event = true;
            if event.data.trim() == "[DONE]" {
                return self.done();
            }
            let held = self.clock.held();
            let content = self.take(&event).await?;
            waiting = self.next(waiting, content, self.clock.held() - held);
        }
    }

    /// What is waited for after an event, which waited so long for its reader. One that says nothing is no sign of life:
    /// proxies send them for as long as a connection is open.
    fn next(&self, waiting: Waiting, content: bool, held: Duration) -> Waiting {
        match waiting {
            Waiting::Rest(since) => Waiting::Rest(since + held),
            _ if self.progress.is_finished() => Waiting::Rest(Instant::now()),
            _ if content => Waiting::NextToken(Instant::now()),
            Waiting::NextToken(since) => Waiting::NextToken(since + held),
            Waiting::FirstToken | Waiting::End => waiting,
        }
    }

    /// Whether the event says something. It is handed on before the next one is read.
    async fn take(&mut self, event: &Event) -> Result<bool, Trouble> {
        if matches!(event.event.as_str(), "keepalive" | "ping") {
            return Ok(false);
        }
        if event.event == "error" {
            return Err(Trouble::inside(event.data.as_bytes()));
        }
        let wire = Wire::parse(event.data.as_bytes())?;
        let heard = self.progress.hear(wire, self.bounds.text)?;
        if !heard.text.is_empty() && self.progress.ttft.is_none() {
            self.progress.ttft = Some(self.clock.elapsed());
        }
        let said = Said { chunk: Some(&event.data), text: &heard.text, content: heard.content };
        self.clock.wait_for_reader(self.listener.hear(said)).await?;
        Ok(heard.content)
    }

    /// The stream says that it is complete. Text without a reason to stop is an answer; nothing at all is none.
    fn done(&self) -> Result<(), Trouble> {
        if self.progress.is_empty() { Err(Trouble::Empty) } else { Ok(()) }
    }

    /// The bytes ended in good order.
    fn ended(&self) -> Result<(), Trouble> {
        match (self.any_event, self.is_stream) {
            (true, _) => self.broken(Trouble::Cut),
            (false, true) => Err(Trouble::Empty),
            (false, false) => Err(Trouble::WrongType),
        }
    }

    /// The stream ended without saying so.
    fn broken(&self, trouble: Trouble) -> Result<(), Trouble> {
        if self.progress.is_finished() && !trouble.spoils_a_finished_answer() { self.done() } else { Err(trouble) }
    }
}

fn trouble(error: EventStreamError<Trouble>) -> Trouble {
    match error {
        EventStreamError::Transport(trouble) => trouble,
        // Bytes that are no text are caught before; what is left here is half a character at the end.
        EventStreamError::Utf8(_) => Trouble::Cut,
        EventStreamError::Parser(_) => Trouble::NotText,
    }
}
