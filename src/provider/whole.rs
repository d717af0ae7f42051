//! A whole reply, through async-openai with an HTTP service of our own: no retry, every read bounded, and status and
//! headers kept.
//!
//! The library sees only successes whose body reads as a reply. It would log any other body, and lose its status.

use std::sync::Arc;
use std::sync::atomic::AtomicU16;
use std::time::Duration;

use async_openai::error::OpenAIError;
use async_openai::middleware::HttpRequestFactory;
use reqwest::Response;

use super::address::Address;
use super::clock::{Clock, Waiting};
use super::connect;
use super::listener::{Listener, Said};
use super::progress::Progress;
use super::read::{self, ContentType};
use super::sender::{Call, Sender};
use super::trouble::Trouble;
use super::wire::{self, Wire};

pub(super) async fn send(
    sender: &Sender,
    call: &Call<'_>,
    clock: Clock,
    (progress, listener): (&mut Progress, &mut dyn Listener),
) -> Result<(), Trouble> {
    let exchange = Exchange {
        http: sender.http().clone(),
        connect: clock.connect(),
        most: sender.bounds().whole,
        status: progress.status.clone(),
    };
    let service = tower::service_fn(move |request: HttpRequestFactory| exchange.clone().run(request));
    let client =
        async_openai::Client::build(sender.http().clone(), Address::of(call.backend)?).with_http_service(service);
    let body = wire::body(call);
    let chat = client.chat();
    let asked = chat.create_byot::<_, Wire>(&body);
    let wire = clock.wait(Waiting::End, asked).await?.map_err(Trouble::from)?;
    hear(wire, progress, sender.bounds().whole, listener).await
}

/// Takes a whole reply; one without a choice, or with nothing in it, is no reply.
pub(super) async fn hear(
    wire: Wire,
    progress: &mut Progress,
    most: usize,
    listener: &mut dyn Listener,
) -> Result<(), Trouble> {
    let heard = progress.hear(wire, most)?;
    listener.hear(Said { chunk: None, text: &heard.text, content: heard.content }).await;
    if heard.choice && !progress.is_empty() { Ok(()) } else { Err(Trouble::Empty) }
}

#[derive(Clone)]
struct Exchange {
    http: reqwest::Client,
    connect: Duration,
    most: usize,
    status: Arc<AtomicU16>,
}

impl Exchange {
    async fn run(self, request: HttpRequestFactory) -> Result<Response, Trouble> {
        let request = request.build().await.map_err(|error: OpenAIError| Trouble::from(error))?;
        let response = connect::execute(&self.http, request, self.connect).await?;
        let response = read::accepted(response, &self.status).await?;
        if !matches!(read::content_type(&response), ContentType::Json | ContentType::Missing) {
            return Err(Trouble::WrongType);
        }
        let body = read::whole(response, self.most).await?;
        Wire::parse(&body)?;
        Ok(Response::from(http::Response::new(body)))
    }
}
