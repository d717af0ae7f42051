//! An answer that is handed over while it comes: a bounded way from a request to whoever reads it.
//!
//! A reader that is slow slows the request down, and one that is gone ends it. Whatever happens, a reader hears exactly
//! one ending, and nothing after it.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::chat::Reply;
use crate::error::{Error, Kind};

/// How an answer is handed to its caller.
#[derive(Debug, Default)]
pub enum Delivery {
    /// At once, when it is complete.
    #[default]
    Whole,
    /// Piece by piece, as it comes. From the first piece on nobody else is asked.
    Stream(Sink),
}

/// A piece of a streamed answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece {
    /// The data of one event, byte for byte as the upstream wrote it, fields that nobody here knows included.
    Chunk(Arc<str>),
    /// The whole answer in one piece: it never was a stream.
    Whole(Arc<Reply>),
}

/// What a reader hears.
#[derive(Debug)]
pub enum StreamEvent {
    Piece(Piece),
    /// The answer is complete, and this is its end.
    Complete,
    /// Nothing more comes: there was no answer, or it broke off.
    Broken(Error),
}

/// Where the pieces go to. It belongs into an ask.
#[derive(Debug)]
pub struct Sink {
    to: mpsc::Sender<StreamEvent>,
    /// The place of the ending is kept from the beginning: a request that is over waits for no reader.
    ending: Option<mpsc::OwnedPermit<StreamEvent>>,
}

/// Where the pieces are read. Dropping it tells the request that nobody reads any more.
#[derive(Debug)]
pub struct Stream {
    from: mpsc::Receiver<StreamEvent>,
    ended: bool,
}

/// A way with room for so many pieces that were not read yet; there is always room for one.
pub fn stream(room: usize) -> (Sink, Stream) {
    let (to, from) = mpsc::channel(room.max(1) + 1);
    // There is room: nothing was sent.
    let ending = to.clone().try_reserve_owned().ok();
    (Sink { to, ending }, Stream { from, ended: false })
}

impl Delivery {
    pub(crate) fn sink(&self) -> Option<&Sink> {
        match self {
            Self::Whole => None,
            Self::Stream(sink) => Some(sink),
        }
    }

    /// Ends when whoever was to read a stream is gone. Nobody can leave before a whole answer but the caller itself.
    pub(crate) fn unread(&self) -> impl Future<Output = ()> + Send + 'static {
        let to = self.sink().map(|sink| sink.to.clone());
        async move {
            match to {
                Some(to) => to.closed().await,
                None => std::future::pending().await,
            }
        }
    }
}

impl Sink {
    /// Waits for room. `false`: nobody reads any more.
    pub(crate) async fn push(&self, piece: Piece) -> bool {
        self.to.send(StreamEvent::Piece(piece)).await.is_ok()
    }

    /// Never waits.
    pub(crate) fn end(self, error: Option<Error>) {
        if let Some(place) = self.ending {
            place.send(error.map_or(StreamEvent::Complete, StreamEvent::Broken));
        }
    }
}

impl Stream {
    /// The next piece, or the ending; `None` after that.
    pub async fn next(&mut self) -> Option<StreamEvent> {
        if self.ended {
            return None;
        }
        let event = self.from.recv().await.unwrap_or_else(|| {
            StreamEvent::Broken(Error::new(Kind::Internal, "The request ended without a word about how"))
        });
        self.ended = !matches!(event, StreamEvent::Piece(_));
        Some(event)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn piece(text: &str) -> Piece {
        Piece::Chunk(Arc::from(text))
    }

    #[tokio::test]
    async fn a_reader_that_is_slow_is_waited_for_and_the_ending_has_its_place() {
        let (sink, mut stream) = stream(2);
        assert!(sink.push(piece("a")).await && sink.push(piece("b")).await);
        assert_eq!(sink.push(piece("c")).now_or_never(), None, "there is room for two");
        sink.end(None);
        let mut heard = Vec::new();
        while let Some(event) = stream.next().await {
            heard.push(format!("{event:?}"));
        }
        assert_eq!(heard, ["Piece(Chunk(\"a\"))", "Piece(Chunk(\"b\"))", "Complete"]);
    }

    #[tokio::test]
    async fn a_sink_that_is_lost_is_an_ending_too() {
        let (sink, mut stream) = stream(0);
        assert!(sink.push(piece("a")).await);
        drop(sink);
        assert!(matches!(stream.next().await, Some(StreamEvent::Piece(_))));
        assert!(matches!(stream.next().await, Some(StreamEvent::Broken(error)) if error.kind == Kind::Internal));
        assert!(stream.next().await.is_none());
    }

    #[tokio::test]
    async fn whoever_is_gone_is_not_waited_for() {
        let (sink, stream) = stream(1);
        let delivery = Delivery::Stream(sink);
        let mut gone = Box::pin(delivery.unread());
        assert_eq!((&mut gone).now_or_never(), None);
        drop(stream);
        gone.await;
        assert!(!delivery.sink().unwrap().push(piece("a")).await);
    }
}
