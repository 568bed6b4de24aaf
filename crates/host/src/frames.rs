//! A worker's two pipes of frames; see `protocol.rs`.

use std::collections::VecDeque;
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
    /// How many bytes were to be written ever, and how many were.
    queued: u64,
    written: u64,
    /// Where each event ends, among all bytes, that was told and not answered.
    told: VecDeque<u64>,
    /// It reads no more.
    broken: bool,
    /// Bytes of responses that came and for which no others were granted.
    unsettled: usize,
    /// Something was heard since [`Frames::take_heard`].
    heard: bool,
}

impl Frames {
    pub(crate) fn new(events: pipe::Sender, replies: pipe::Receiver) -> Frames {
        Frames {
            events,
            replies,
            inbox: BytesMut::new(),
            outbox: BytesMut::new(),
            queued: 0,
            written: 0,
            told: VecDeque::new(),
            broken: false,
            unsettled: 0,
            heard: false,
        }
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
            self.told.push_back(self.queued + frames.len() as u64);
        }
        if frames.is_empty() { Ok(()) } else { self.say(frames) }
    }

    /// Sends frames, as much of them as the pipe takes; [`Frames::hear`] sends the rest. An error
    /// means that the worker is gone and has seen nothing of it.
    pub(crate) fn say(&mut self, frames: BytesMut) -> io::Result<()> {
        self.queued += frames.len() as u64;
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
            self.give_up();
        }
    }

    /// Lets the worker send as much as it might at its start.
    pub(crate) fn settle(&mut self) {
        self.grant(self.unsettled);
    }

    /// It reads no more. What it said before is still to be heard.
    fn give_up(&mut self) {
        self.outbox.clear();
        self.broken = true;
    }

    fn sent(&mut self, bytes: usize) {
        self.written += bytes as u64;
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
                    if matches!(reply, Reply::Result { .. } | Reply::Error { .. }) {
                        self.told.pop_front();
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
                    Err(_broken_pipe) => self.give_up(),
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

    /// Whether it is gone without having read the whole of the event that is to run.
    pub(crate) fn refused(&self) -> bool {
        self.broken && self.told.front().is_some_and(|end| *end > self.written)
    }
}
