//! From a trouble on the wire to the crate's error: its kind, a message that is safe to show, and a hint.
//!
//! A message has our words, names from the policy, and at most one word of the upstream's. Never a body, a URL, a key
//! or a prompt.

use std::error::Error as _;
use std::io;
use std::time::Duration;

use secrecy::ExposeSecret;

use super::clock::Waiting;
use super::refusal::{self, Advice};
use super::sender::Call;
use super::trouble::{Refused, Trouble};
use crate::chat::Format;
use crate::error::{Error, Kind};
use crate::policy::{Backend, Location};

pub(super) fn explain(trouble: Trouble, call: &Call<'_>) -> Error {
    let who = format!("{} at {}", call.model.spec.name, call.backend.name);
    let protocol = |what: &str| {
        Error::new(Kind::UpstreamProtocol, format!("{who} {what}")).hint(advice(Advice::CheckBaseUrl, call))
    };
    match trouble {
        Trouble::Refused(refused) => refusal(&refused, &who, call),
        Trouble::Transport(error) => transport(error, &who, call),
        Trouble::TooLarge(most) => Error::new(Kind::UpstreamProtocol, format!("{who} answered more than {most} bytes")),
        Trouble::WrongType => protocol("answered something that is neither JSON nor a stream of events"),
        Trouble::NotJson => protocol("answered JSON that is broken or of an unknown shape"),
        Trouble::NotText => Error::new(Kind::UpstreamProtocol, format!("{who} answered bytes that are no text")),
        Trouble::Empty => Error::new(Kind::UpstreamProtocol, format!("{who} answered without an answer inside"))
            .hint("Some servers do this when the prompt is longer than the context that they were started with."),
        Trouble::Cut => cut(&who),
        Trouble::Slow(waiting, limit) => Error::new(Kind::UpstreamTimeout, slow(&who, waiting, limit)),
        Trouble::Unread(limit) => Error::new(
            Kind::Cancelled,
            format!("The answer of {who} was read too slowly: it took longer than {limit:?}"),
        ),
        Trouble::BadKey => {
            Error::new(Kind::UpstreamAuth, format!("The key of {} cannot be sent in a header", call.backend.name))
                .hint(advice(Advice::CheckKey, call))
        }
        Trouble::Cancelled => Error::new(Kind::Cancelled, "The request was cancelled"),
        Trouble::Internal(what) => Error::new(Kind::Internal, format!("{who} could not be called: {what}")),
    }
}

fn refusal(refused: &Refused, who: &str, call: &Call<'_>) -> Error {
    let body = refusal::Body::read(&refused.body);
    let row = refusal::meaning(refused.status, &body, call.request.format != Format::Text);
    let word = body.word.as_deref().filter(|word| !is_secret(word, call)).map(|word| format!(", {word}"));
    let wait = refused.retry_after.map(|wait| format!(", and asks for a wait of {}s", wait.as_secs_f64().ceil()));
    let (word, wait) = (word.unwrap_or_default(), wait.unwrap_or_default());
    let message = format!("{who} {} (status {}{word}){wait}", row.says, refused.status);
    // A web page where an API was expected: there is nothing wrong with the fields or the model's name.
    let misplaced = body.is_html && (400..500).contains(&refused.status) && row.kind == Kind::UpstreamFailed;
    let advised = if misplaced { Advice::CheckBaseUrl } else { row.advice };
    let kind = match row.kind {
        _ if misplaced => Kind::UpstreamProtocol,
        // An overload that names its end is worth the wait; any other is a failure.
        Kind::UpstreamFailed if matches!(refused.status, 503 | 529) && refused.retry_after.is_some() => {
            Kind::UpstreamBusy
        }
        kind => kind,
    };
    let error = Error::new(kind, message).retry_after(refused.retry_after);
    match advised {
        Advice::None => error,
        advised => error.hint(advice(advised, call)),
    }
}

fn is_secret(word: &str, call: &Call<'_>) -> bool {
    call.backend.api_key.as_ref().is_some_and(|key| key.expose_secret().contains(word))
}

fn transport(error: reqwest::Error, who: &str, call: &Call<'_>) -> Error {
    // A base URL may hold a password.
    let error = error.without_url();
    if error.is_connect() {
        return Error::new(Kind::UpstreamUnreachable, format!("{who} cannot be reached"))
            .hint(advice(Advice::StartServer, call))
            .source(error);
    }
    if error.is_builder() {
        return Error::new(Kind::UpstreamProtocol, format!("{who} has an address that cannot be called"))
            .hint(advice(Advice::CheckBaseUrl, call))
            .source(error);
    }
    if error.is_decode() && is_no_gzip(&error) {
        return Error::new(Kind::UpstreamProtocol, format!("{who} answered bytes that do not decompress"))
            .source(error);
    }
    if is_no_http(&error) {
        return Error::new(Kind::UpstreamProtocol, format!("{who} does not speak HTTP as expected"))
            .hint(advice(Advice::CheckBaseUrl, call))
            .source(error);
    }
    cut(who).source(error)
}

fn cut(who: &str) -> Error {
    Error::new(Kind::UpstreamCut, format!("The connection to {who} ended before the answer did"))
}

fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    std::iter::successors(error.source(), |&error| error.source())
}

/// The client calls every trouble with a body one of decoding, also a cut.
fn is_no_gzip(error: &reqwest::Error) -> bool {
    causes(error)
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|error| matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput))
}

/// The HTTP library tells this only in words, at the end of the chain of causes.
fn is_no_http(error: &reqwest::Error) -> bool {
    const WORDS: [&str; 4] = ["invalid HTTP", "head is too large", "invalid header", "received unexpected message"];
    causes(error).any(|cause| {
        let told = cause.to_string();
        WORDS.iter().any(|word| told.contains(word))
    })
}

fn slow(who: &str, waiting: Waiting, limit: Duration) -> String {
    let limit = rounded(limit);
    match waiting {
        Waiting::FirstToken => format!("{who} said nothing within {limit:?}"),
        Waiting::NextToken(_) | Waiting::Rest(_) => format!("{who} paused for longer than {limit:?}"),
        Waiting::End => format!("{who} was not done within {limit:?}"),
    }
}

/// What was left of a request's time is known to the nanosecond, which says nothing to anyone.
fn rounded(time: Duration) -> Duration {
    let step: u128 = if time < Duration::from_secs(1) { 1 } else { 100 };
    let millis = (time.as_millis() + step / 2) / step * step;
    Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
}

fn advice(advice: Advice, call: &Call<'_>) -> String {
    let Backend { name, key_variable, key_file, location, .. } = call.backend;
    match (advice, key_variable, location) {
        (Advice::None, ..) => String::new(),
        (Advice::CheckKey, Some(variable), _) => format!("Check the key in {variable}."),
        (Advice::CheckKey, None, _) if key_file.is_some() => {
            format!("Check the key in the api_key_file of backend {name}.")
        }
        (Advice::CheckKey, None, _) => format!("Set the key that backend {name} wants in routing.yaml."),
        (Advice::CheckAccount, ..) => format!("Check the plan and the billing of the account at backend {name}."),
        (Advice::CheckBaseUrl, ..) => format!("Is base_url of backend {name} right? It usually ends in /v1."),
        (Advice::CheckModelName, ..) => {
            format!("Check the name of {} that backend {name} knows.", call.model.spec.name)
        }
        (Advice::CheckFields, ..) => {
            format!(
                "Does {} take all fields that were sent? The log of backend {name} says more.",
                call.model.spec.name
            )
        }
        (Advice::StartServer, _, Location::Local) => {
            format!("Start the model server of backend {name}, or correct its base_url in routing.yaml.")
        }
        (Advice::StartServer, _, Location::Hosted) => {
            format!("Check the network, and base_url of backend {name} in routing.yaml.")
        }
    }
}
