//! Who hears an answer while it comes.

use std::future::ready;

use futures_util::future::BoxFuture;

/// Hears an answer piece by piece. The next piece is read when this one was taken: whoever takes long slows the upstream
/// down, and that time does not count as the upstream's.
pub trait Listener: Send {
    fn hear<'a>(&'a mut self, said: Said<'a>) -> BoxFuture<'a, ()>;
}

/// A piece of an answer.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    /// The data of one event, byte for byte; `None` when the answer did not come as a stream.
    pub chunk: Option<&'a str>,
    /// What it adds to the text.
    pub text: &'a str,
    /// Text, thought or a tool call came: what somebody who reads along waits for.
    pub content: bool,
}

/// A closure hears the text alone.
impl<F: FnMut(&str) + Send> Listener for F {
    fn hear<'a>(&'a mut self, said: Said<'a>) -> BoxFuture<'a, ()> {
        if !said.text.is_empty() {
            self(said.text);
        }
        Box::pin(ready(()))
    }
}
