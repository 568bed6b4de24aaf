//! A worker's two pipes of frames; see `protocol.rs`.

use std::io;
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::pipe;

use crate::Invocation;
use crate::protocol::{self, Reply};
use crate::response::WINDOW_BYTES;

/// What a pipe holds.
pub(crate) const PIPE_BYTES: usize = 64 * 1024;
/// Room for a usual reply; for a larger one `protocol::take` makes as much as it needs.
const REPLY_BYTES: usize = 4 * 1024;

pub(crate) struct Frames {
    events: pipe::Sender,
    replies: pipe::Receiver,
    inbox: BytesMut,
    /// What is still to be written.
    outbox: BytesMut,
    /// It ended before it had read all we wrote.
    refused: bool,
    /// Bytes of responses that came and for which no others were granted.
    unsettled: usize,
    /// Something was heard since [`Frames::take_heard`].
    heard: bool,
}

impl Frames {
    pub(crate) fn new(events: pipe::Sender, replies: pipe::Receiver) -> Frames {
        let (inbox, outbox) = (BytesMut::new(), BytesMut::new());
        Frames { events, replies, inbox, outbox, refused: false, unsettled: 0, heard: false }
    }

    /// Hands events over. An error means that the worker is gone and has seen none of them.
    pub(crate) fn tell<'a>(
        &mut self,
        timeout: Duration,
        events: impl IntoIterator<Item = &'a Invocation>,
    ) -> io::Result<()> {
        let timeout_ms = u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX);
        let mut frames = BytesMut::new();
        for event in events {
            frames.unsplit(protocol::invoke(event, timeout_ms));
        }
        if frames.is_empty() { Ok(()) } else { self.say(frames) }
    }

    /// Sends frames, as much of them as the pipe takes; [`Frames::hear`] sends the rest. An error
    /// means that the worker is gone and has seen nothing of it.
    pub(crate) fn say(&mut self, frames: BytesMut) -> io::Result<()> {
        if self.outbox.is_empty() {
            self.outbox = frames;
        } else {
            self.outbox.unsplit(frames);
        }
        match self.events.try_write(&self.outbox) {
            Ok(bytes) => self.sent(bytes),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Notes that bytes of a response came; false if they are more than the worker may send.
    pub(crate) fn note_sent(&mut self, bytes: usize) -> bool {
        self.unsettled += bytes;
        self.unsettled <= WINDOW_BYTES
    }

    /// Lets the worker send as many bytes of a response as were read; at most what came.
    pub(crate) fn grant(&mut self, bytes: usize) {
        let bytes = bytes.min(self.unsettled);
        self.unsettled -= bytes;
        let Ok(bytes @ 1..) = u32::try_from(bytes) else { return };
        if self.say(protocol::more(bytes)).is_err() {
            // It is gone, and what it said before is still to be heard.
            self.outbox.clear();
        }
    }

    /// Lets the worker send as much as it might at its start.
    pub(crate) fn settle(&mut self) {
        self.grant(self.unsettled);
    }

    fn sent(&mut self, bytes: usize) {
        self.outbox.advance(bytes);
        if self.outbox.is_empty() {
            // Events may be large and slots many: nothing is kept of one that is sent.
            self.outbox = BytesMut::new();
        }
    }

    /// Waits for the next reply; `None` if there will be none, or none that can be trusted. May be
    /// dropped without losing any.
    pub(crate) async fn hear(&mut self) -> Option<Reply> {
        loop {
            match protocol::take(&mut self.inbox) {
                Ok(Some(reply)) => {
                    // A slot that once had a large answer does not keep room for the next.
                    if self.inbox.is_empty() && self.inbox.capacity() > PIPE_BYTES {
                        self.inbox = BytesMut::new();
                    }
                    return Some(reply);
                }
                Ok(None) => {}
                Err(broken) => {
                    tracing::warn!(error = %broken, "worker ended");
                    return None;
                }
            }
            self.inbox.reserve(REPLY_BYTES);
            tokio::select! {
                biased;
                sent = self.events.write(&self.outbox), if !self.outbox.is_empty() => match sent {
                    Ok(bytes) => self.sent(bytes),
                    // It reads no more. What it said before is still to be heard.
                    Err(_broken_pipe) => {
                        self.outbox.clear();
                        self.refused = true;
                    }
                },
                got = self.replies.read_buf(&mut self.inbox) => {
                    self.heard = true;
                    if matches!(got, Ok(0) | Err(_)) {
                        return None;
                    }
                }
            }
        }
    }

    /// The worker is ending: whatever it wrote until then is news.
    pub(crate) fn expect_lines(&mut self) {
        self.heard = true;
    }

    /// Whether anything was read from the pipe since this was asked last.
    pub(crate) fn take_heard(&mut self) -> bool {
        std::mem::take(&mut self.heard)
    }

    /// Whether it is gone without having read the whole of the last frame.
    pub(crate) fn refused(&self) -> bool {
        self.refused
    }
}
