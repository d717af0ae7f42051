//! A guard in front of the event parser: bounds on the stream and on each line, no byte order mark, and only text.
//!
//! eventsource-stream panics on a byte order mark, keeps a line of any length, and holds back everything behind a byte
//! that is no UTF-8 until the stream ends.

use std::future::ready;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};

use super::sender::Bounds;
use super::trouble::Trouble;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Passes on what is whole text so far; the first trouble ends the stream.
pub(super) fn guarded<E: Into<Trouble>>(
    pieces: impl Stream<Item = Result<Bytes, E>>,
    bounds: Bounds,
) -> impl Stream<Item = Result<Bytes, Trouble>> {
    pieces.scan(Some(Guard::new(bounds)), |state, piece| {
        let passed = state.as_mut().map(|guard| piece.map_err(Into::into).and_then(|piece| guard.pass(piece)));
        if matches!(passed, Some(Err(_))) {
            *state = None;
        }
        ready(passed)
    })
}

struct Guard {
    bounds: Bounds,
    total: usize,
    line: usize,
    /// Bytes that may become a character or a mark with the next ones: at most three.
    held: BytesMut,
    started: bool,
}

impl Guard {
    fn new(bounds: Bounds) -> Self {
        Self { bounds, total: 0, line: 0, held: BytesMut::new(), started: false }
    }

    fn pass(&mut self, piece: Bytes) -> Result<Bytes, Trouble> {
        self.measure(&piece)?;
        let mut piece = if self.held.is_empty() {
            piece
        } else {
            self.held.extend_from_slice(&piece);
            self.held.split().freeze()
        };
        if !self.started {
            if piece.len() < BYTE_ORDER_MARK.len() && BYTE_ORDER_MARK.starts_with(&piece) {
                self.held = BytesMut::from(piece);
                return Ok(Bytes::new());
            }
            self.started = true;
            if piece.starts_with(BYTE_ORDER_MARK) {
                piece = piece.slice(BYTE_ORDER_MARK.len()..);
            }
        }
        self.text_of(piece)
    }

    fn measure(&mut self, piece: &[u8]) -> Result<(), Trouble> {
        self.total += piece.len();
        if self.total > self.bounds.stream {
            return Err(Trouble::TooLarge(self.bounds.stream));
        }
        match piece.iter().rposition(|byte| matches!(byte, b'\n' | b'\r')) {
            Some(end) => self.line = piece.len() - end - 1,
            None => self.line += piece.len(),
        }
        if self.line > self.bounds.line { Err(Trouble::TooLarge(self.bounds.line)) } else { Ok(()) }
    }

    fn text_of(&mut self, piece: Bytes) -> Result<Bytes, Trouble> {
        match std::str::from_utf8(&piece) {
            Ok(_) => Ok(piece),
            Err(error) if error.error_len().is_none() => {
                self.held = BytesMut::from(&piece[error.valid_up_to()..]);
                Ok(piece.slice(..error.valid_up_to()))
            }
            Err(_) => Err(Trouble::NotText),
        }
    }
}

#[cfg(test)]
mod tests {
    use eventsource_stream::EventStream;
    use proptest::prelude::*;

    use super::*;

    const BOUNDS: Bounds = Bounds { whole: 1 << 10, stream: 256, line: 64, text: 1 << 10 };

    async fn events(pieces: Vec<Vec<u8>>) -> Vec<Result<String, String>> {
        let pieces = futures_util::stream::iter(pieces.into_iter().map(|piece| Ok::<_, Trouble>(Bytes::from(piece))));
        EventStream::new(Box::pin(guarded(pieces, BOUNDS)))
            .map(|event| event.map(|event| event.data).map_err(|error| error.to_string()))
            .collect()
            .await
    }

    fn run(pieces: Vec<Vec<u8>>) -> Vec<Result<String, String>> {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(events(pieces))
    }

    #[test]
    fn a_byte_order_mark_is_dropped_even_in_pieces() {
        assert_eq!(run(vec![b"\xEF\xBB\xBFdata: a\n\n".to_vec()]), [Ok("a".to_owned())]);
        assert_eq!(run(vec![b"\xEF".to_vec(), b"\xBB".to_vec(), b"\xBFdata: a\n\n".to_vec()]), [Ok("a".to_owned())]);
    }

    #[test]
    fn bytes_that_are_no_text_end_the_stream_at_once() {
        let heard = run(vec![b"data: a\n\n".to_vec(), b"data: \xFF\n\n".to_vec(), b"data: b\n\n".to_vec()]);
        assert_eq!(heard.len(), 2);
        assert!(heard[1].as_ref().is_err_and(|error| error.contains("UTF-8")), "{heard:?}");
    }

    #[test]
    fn a_line_and_a_stream_have_bounds() {
        assert!(run(vec![vec![b'x'; 65]])[0].as_ref().is_err_and(|error| error.contains("64 bytes")));
        let lines = vec![b"data: 0123456789\n\n".to_vec(); 20];
        assert!(run(lines).last().is_some_and(|last| last.as_ref().is_err_and(|error| error.contains("256 bytes"))));
    }

    proptest! {
        #[test]
        fn where_the_network_splits_the_bytes_makes_no_difference(cuts in prop::collection::vec(0usize..40, 0..6)) {
            let whole = "data: {\"ä\":\"→ 🦀\"}\r\n\r\ndata: ß\n\n".as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(whole.len())).collect();
            cuts.extend([0, whole.len()]);
            cuts.sort_unstable();
            let pieces = cuts.windows(2).map(|pair| whole[pair[0]..pair[1]].to_vec()).collect();
            prop_assert_eq!(run(pieces), vec![Ok("{\"ä\":\"→ 🦀\"}".to_owned()), Ok("ß".to_owned())]);
        }
    }
}
