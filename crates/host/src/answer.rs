//! What a worker answers to one event: whole, or piece by piece.

use bytes::{Bytes, BytesMut};
use serde_json::json;

use crate::invocation::RESULT_BYTES_MAX;
use crate::journal::Journal;
use crate::protocol::Reply;
use crate::response::{GRANT_BYTES, ResponseWriter, STREAMED_BYTES_MAX};
use crate::slot;
use crate::worker::Worker;

/// An answer that is coming in.
pub(crate) struct Answer<'a> {
    /// Where its pieces go; without, they are gathered.
    to: Option<&'a ResponseWriter>,
    /// Whether it comes in pieces.
    began: bool,
    gathered: BytesMut,
    /// Gathered, and not granted to the worker anew.
    due: usize,
    oversized: bool,
}

impl<'a> Answer<'a> {
    pub(crate) fn new(to: Option<&'a ResponseWriter>) -> Answer<'a> {
        Answer { to, began: false, gathered: BytesMut::new(), due: 0, oversized: false }
    }

    /// Whether a part of it has come.
    pub(crate) fn began(&self) -> bool {
        self.began
    }

    /// Waits for the end of the answer, writing down what the worker logs; `None` if the worker
    /// ends instead.
    pub(crate) async fn hear(
        &mut self,
        worker: &mut Worker,
        journal: &mut Journal<'_>,
    ) -> Option<Reply> {
        loop {
            let reply = match self.to.filter(|_writer| self.began) {
                None => slot::hear(worker, journal).await?,
                Some(to) => tokio::select! {
                    biased;
                    reply = slot::hear(worker, journal) => reply?,
                    bytes = to.taken() => {
                        worker.grant(bytes);
                        continue;
                    }
                },
            };
            match reply {
                Reply::Begin(content_type) if !self.began => {
                    self.began = true;
                    if let Some(to) = self.to {
                        to.begin(String::from_utf8_lossy(&content_type).into_owned());
                    }
                }
                Reply::Chunk(bytes) if self.began && worker.note_sent(bytes.len()) => {
                    self.add(worker, &bytes);
                }
                Reply::End if self.began => {
                    if let Some(to) = self.to {
                        to.end();
                    }
                }
                Reply::Begin(_) | Reply::Chunk(_) | Reply::End => {
                    tracing::warn!("a worker sent a response out of turn");
                    return None;
                }
                // It goes on after that.
                Reply::AskTime => return Some(Reply::AskTime),
                last => {
                    worker.settle();
                    return Some(self.conclude(last));
                }
            }
        }
    }

    fn add(&mut self, worker: &mut Worker, bytes: &Bytes) {
        let Some(to) = self.to else {
            self.oversized |= self.gathered.len() + bytes.len() > RESULT_BYTES_MAX;
            if !self.oversized {
                self.gathered.extend_from_slice(bytes);
            }
            self.due += bytes.len();
            if self.due >= GRANT_BYTES {
                worker.grant(std::mem::take(&mut self.due));
            }
            return;
        };
        to.push(bytes);
    }

    /// A result that came in pieces is what was gathered of it; nothing if they were passed on.
    fn conclude(&mut self, last: Reply) -> Reply {
        match last {
            Reply::Result { micros, memory_kb, .. } if self.began => {
                let (oversized, bytes_max) = match self.to {
                    Some(to) => (to.is_oversized(), STREAMED_BYTES_MAX),
                    None => (self.oversized, RESULT_BYTES_MAX),
                };
                if oversized {
                    let payload = too_large(bytes_max);
                    return Reply::Error { micros, memory_kb, exits: false, payload };
                }
                let payload = std::mem::take(&mut self.gathered).freeze();
                Reply::Result { micros, memory_kb, payload }
            }
            other => other,
        }
    }
}

/// The error of a function whose response is larger than it may be.
pub(crate) fn too_large(bytes_max: usize) -> Bytes {
    let message =
        format!("Response payload size exceeded maximum allowed payload size ({bytes_max} bytes).");
    let kind = "Function.ResponseSizeTooLarge";
    Bytes::from(json!({ "errorType": kind, "errorMessage": message }).to_string())
}
