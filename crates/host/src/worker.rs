//! A live worker process and its three pipes.

use std::collections::VecDeque;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::pipe;

use crate::protocol::{self, Reply};
use crate::{FunctionSpec, Limits, Process, Running};

/// The longest line that is kept; the rest of a longer one becomes the next line.
pub(crate) const LINE_BYTES_MAX: usize = 256 * 1024;
/// What a pipe holds.
const PIPE_BYTES: usize = 64 * 1024;
/// Room for a usual reply; for a larger one `protocol::take` makes as much as it needs.
const REPLY_BYTES: usize = 4 * 1024;

/// One worker. Dropping it ends the process and everything it started.
pub(crate) struct Worker {
    events: pipe::Sender,
    replies: pipe::Receiver,
    output: Output,
    inbox: BytesMut,
    /// What is still to be written.
    outbox: BytesMut,
    /// It ended before it had read all we wrote.
    refused: bool,
    /// Something was heard, or it ended, since its output was asked for.
    heard: bool,
    running: Box<dyn Running>,
}

/// What came from a worker.
pub(crate) enum Heard {
    Reply(Reply),
    /// A line it wrote to standard output or standard error.
    Line(String),
    /// It closed its pipe: it is ending, or nothing it says can be trusted any more.
    Gone,
}

impl Worker {
    /// Must be called within a tokio runtime.
    pub(crate) fn new(process: Process) -> io::Result<Worker> {
        Ok(Worker {
            events: pipe::Sender::from_owned_fd(process.events)?,
            replies: pipe::Receiver::from_owned_fd(process.replies)?,
            output: Output::new(pipe::Receiver::from_owned_fd(process.output)?),
            inbox: BytesMut::new(),
            outbox: BytesMut::new(),
            refused: false,
            heard: false,
            running: process.running,
        })
    }

    /// Sends frames, as much of them as the pipe takes; [`Worker::hear`] sends the rest. An error
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

    fn sent(&mut self, bytes: usize) {
        self.outbox.advance(bytes);
        if self.outbox.is_empty() {
            // Events may be large and slots many: nothing is kept of one that is sent.
            self.outbox = BytesMut::new();
        }
    }

    /// Waits for the next thing the worker says. May be dropped without losing any.
    pub(crate) async fn hear(&mut self) -> Heard {
        loop {
            if let Some(line) = self.output.lines.pop_front() {
                return Heard::Line(line);
            }
            match protocol::take(&mut self.inbox) {
                Ok(Some(reply)) => {
                    // A slot that once had a large answer does not keep room for the next.
                    if self.inbox.is_empty() && self.inbox.capacity() > PIPE_BYTES {
                        self.inbox = BytesMut::new();
                    }
                    return Heard::Reply(reply);
                }
                Ok(None) => {}
                Err(broken) => {
                    tracing::warn!(error = %broken, "worker ended");
                    return Heard::Gone;
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
                        return Heard::Gone;
                    }
                }
                () = self.output.read() => {}
            }
        }
    }

    /// Whether it is gone without having read the whole of the last frame, and so without having
    /// acted on it.
    pub(crate) fn refused(&self) -> bool {
        self.refused
    }

    /// All lines written up to now, the last one even if it has not ended. Asks the pipe itself:
    /// what was written before the reply must be told before the reply. Replies that came together
    /// were all written before the pipe was asked for the first of them.
    pub(crate) fn last_lines(&mut self) -> VecDeque<String> {
        if std::mem::take(&mut self.heard) {
            self.output.read_now();
        }
        self.output.end_line();
        std::mem::take(&mut self.output.lines)
    }

    /// Shows it the code of the function it is to become.
    pub(crate) async fn assign(&mut self, spec: &FunctionSpec) -> io::Result<()> {
        self.running.assign(&spec.code, None, spec.limits()).await
    }

    /// Makes a slot of it. The text is for the slot.
    pub(crate) async fn fork(&self, text: String, limits: Limits) -> io::Result<Worker> {
        Worker::new(self.running.fork(text, limits).await?)
    }

    /// Ends the process and everything it started, and says how it ended.
    ///
    /// A process whose pipe is closed because it exits keeps its status: it is fixed before the
    /// descriptors are closed, and a later signal does not change it.
    pub(crate) async fn end(&mut self) -> io::Result<ExitStatus> {
        self.heard = true;
        self.running.kill();
        self.running.wait().await
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.running.kill();
    }
}

/// An end as Lambda words it.
pub(crate) fn describe(status: &io::Result<ExitStatus>) -> String {
    match status {
        Ok(status) if status.success() => "Runtime exited without providing a reason".to_owned(),
        Ok(status) => match (status.code(), status.signal()) {
            (Some(code), _) => format!("Runtime exited with error: exit status {code}"),
            (None, Some(signal)) => {
                format!("Runtime exited with error: signal: {}", signal_name(signal))
            }
            (None, None) => "Runtime exited with error".to_owned(),
        },
        Err(error) => format!("Runtime exited with error: {error}"),
    }
}

fn signal_name(signal: i32) -> String {
    let name = match signal {
        2 => "interrupt",
        4 => "illegal instruction",
        6 => "aborted",
        8 => "floating point exception",
        9 => "killed",
        11 => "segmentation fault",
        15 => "terminated",
        other => return other.to_string(),
    };
    name.to_owned()
}

/// The pipe behind a worker's standard output and standard error, split into lines.
struct Output {
    pipe: pipe::Receiver,
    open: bool,
    /// A line that has not ended yet.
    partial: BytesMut,
    lines: VecDeque<String>,
}

impl Output {
    fn new(pipe: pipe::Receiver) -> Output {
        Output { pipe, open: true, partial: BytesMut::new(), lines: VecDeque::new() }
    }

    /// Waits for output; forever where the pipe is closed.
    async fn read(&mut self) {
        if !self.open {
            return std::future::pending().await;
        }
        self.partial.reserve(PIPE_BYTES);
        match self.pipe.read_buf(&mut self.partial).await {
            Ok(0) | Err(_) => self.open = false,
            Ok(_) => self.split(),
        }
    }

    /// Takes what the pipe holds at this moment, which may be more than tokio was told of.
    fn read_now(&mut self) {
        let mut buffer = [0; 1024];
        // A descendant may write without end: what a pipe holds is what was there before.
        for _ in 0..PIPE_BYTES / buffer.len() {
            match rustix::io::read(&self.pipe, &mut buffer) {
                Ok(0) | Err(_) => break,
                Ok(got) => self.partial.extend_from_slice(&buffer[..got]),
            }
        }
        self.split();
    }

    fn split(&mut self) {
        loop {
            let scope = self.partial.len().min(LINE_BYTES_MAX);
            match self.partial[..scope].iter().position(|byte| *byte == b'\n') {
                Some(end) => {
                    let line = self.partial.split_to(end + 1);
                    self.push(&line[..end]);
                }
                None if scope == LINE_BYTES_MAX => {
                    let line = self.partial.split_to(scope);
                    self.push(&line);
                }
                None => return,
            }
        }
    }

    fn end_line(&mut self) {
        if !self.partial.is_empty() {
            let line = self.partial.split();
            self.push(&line);
        }
    }

    fn push(&mut self, line: &[u8]) {
        self.lines.push_back(String::from_utf8_lossy(line).into_owned());
    }
}
