//! A response on its way from a function to whoever asked for it, as it is produced.
//!
//! Between the two lies a window: a function that is faster than its reader is held up when that is
//! full. A reader that leaves holds nobody up: what comes after it is dropped, and the function
//! runs to its end, as on Lambda.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use tokio::sync::Notify;

/// The largest response that is streamed, in bytes: 200 MB, as on Lambda since July 2025.
pub const STREAMED_BYTES_MAX: usize = 200 * 1024 * 1024;
/// How much of a response may lie between a function and its reader. `runtimes/nodejs/pipe.js`
/// counts on the same.
pub(crate) const WINDOW_BYTES: usize = 256 * 1024;
/// A function is told of room when there is so much: not of every byte.
pub(crate) const GRANT_BYTES: usize = WINDOW_BYTES / 4;

/// The function's end of a response.
#[derive(Debug, Clone)]
pub struct ResponseWriter(Arc<Shared>);

/// The reader's end of a response. To drop it is to leave.
#[derive(Debug)]
pub struct ResponseReader(Arc<Shared>);

/// What there is to read.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    Bytes(Bytes),
    /// There will be no more, though the function may still run.
    End,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    to_reader: Notify,
    to_writer: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Known as soon as the response begins.
    content_type: Option<String>,
    queued: BytesMut,
    /// Written in all, dropped bytes included.
    written: usize,
    /// Read or dropped, and not told to the writer yet.
    taken: usize,
    ended: bool,
    reader_gone: bool,
}

/// Both ends of a response that has not begun.
pub fn response() -> (ResponseWriter, ResponseReader) {
    let shared = Arc::new(Shared::default());
    (ResponseWriter(Arc::clone(&shared)), ResponseReader(shared))
}

impl ResponseWriter {
    pub(crate) fn begin(&self, content_type: String) {
        self.0.lock().content_type.get_or_insert(content_type);
        self.0.to_reader.notify_one();
    }

    /// Adds to the response. What is beyond the limit is dropped, and so is all that nobody reads.
    pub(crate) fn push(&self, bytes: &[u8]) {
        let mut state = self.0.lock();
        let room = STREAMED_BYTES_MAX.saturating_sub(state.written);
        let kept = if state.reader_gone { 0 } else { bytes.len().min(room) };
        state.written = state.written.saturating_add(bytes.len());
        state.queued.extend_from_slice(&bytes[..kept]);
        state.taken += bytes.len() - kept;
        let dropped = kept < bytes.len();
        drop(state);
        self.0.to_reader.notify_one();
        if dropped {
            self.0.to_writer.notify_one();
        }
    }

    pub(crate) fn end(&self) {
        self.0.lock().ended = true;
        self.0.to_reader.notify_one();
    }

    /// Whether more was written than a response may have.
    pub(crate) fn is_oversized(&self) -> bool {
        self.0.lock().written > STREAMED_BYTES_MAX
    }

    /// Waits until so much was read that it is worth telling, and says how much.
    pub(crate) async fn taken(&self) -> usize {
        loop {
            {
                let mut state = self.0.lock();
                if state.taken >= GRANT_BYTES || (state.taken > 0 && state.queued.is_empty()) {
                    return std::mem::take(&mut state.taken);
                }
            }
            self.0.to_writer.notified().await;
        }
    }

    /// Waits until the window has room.
    pub(crate) async fn room(&self) {
        loop {
            if self.0.lock().queued.len() < WINDOW_BYTES {
                return;
            }
            self.0.to_writer.notified().await;
        }
    }
}

impl ResponseReader {
    /// Waits until the response begins, and gives its content type. May be dropped and asked again.
    pub async fn begun(&mut self) -> String {
        loop {
            if let Some(content_type) = self.content_type() {
                return content_type;
            }
            self.0.to_reader.notified().await;
        }
    }

    /// The content type of a response that has begun.
    pub fn content_type(&self) -> Option<String> {
        self.0.lock().content_type.clone()
    }

    /// Waits for more. May be dropped without losing any.
    pub async fn next(&mut self) -> Piece {
        loop {
            if let Some(piece) = self.take() {
                return piece;
            }
            self.0.to_reader.notified().await;
        }
    }

    /// What is there at this moment.
    pub fn take(&mut self) -> Option<Piece> {
        let mut state = self.0.lock();
        if state.queued.is_empty() {
            return state.ended.then_some(Piece::End);
        }
        let bytes = std::mem::take(&mut state.queued).freeze();
        state.taken += bytes.len();
        drop(state);
        self.0.to_writer.notify_one();
        Some(Piece::Bytes(bytes))
    }
}

impl Drop for ResponseReader {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.reader_gone = true;
        state.taken += std::mem::take(&mut state.queued).len();
        drop(state);
        self.0.to_writer.notify_one();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_reader_that_leaves_holds_nobody_up() {
        let (writer, reader) = response();
        writer.push(&[0; WINDOW_BYTES]);
        drop(reader);
        writer.room().await;
        writer.push(b"more");
        assert_eq!(writer.taken().await, WINDOW_BYTES + 4);
        assert!(writer.0.lock().queued.is_empty());
    }

    #[tokio::test]
    async fn what_is_beyond_the_limit_is_dropped() {
        let (writer, mut reader) = response();
        writer.0.lock().written = STREAMED_BYTES_MAX - 1;
        writer.push(b"a");
        assert!(!writer.is_oversized());
        writer.push(b"b");
        assert!(writer.is_oversized());
        assert_eq!(reader.next().await, Piece::Bytes("a".into()));
        assert_eq!(reader.take(), None);
        writer.end();
        assert_eq!(reader.next().await, Piece::End);
    }
}
