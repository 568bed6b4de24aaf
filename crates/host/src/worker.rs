//! A live worker process: what it says, what it writes to its standard streams, how it ends.

use std::collections::VecDeque;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::Duration;

use base::task;
use bytes::BytesMut;
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe;
use tokio::runtime::Handle;

use crate::assignment::Assignment;
use crate::frames::{Frames, PIPE_BYTES};
use crate::protocol::{self, Reply};
use crate::runtime_api::{Api, SHUTDOWN};
use crate::slot::Surroundings;
use crate::{Dial, Invocation, Limits, Process, Running};

/// The longest line that is kept; the rest of a longer one becomes the next line.
pub(crate) const LINE_BYTES_MAX: usize = 256 * 1024;

/// One worker. Dropping it ends the process and everything it started.
pub(crate) struct Worker {
    talk: Talk,
    output: Output,
    /// Whether it has its function's package before it.
    is_known: bool,
    /// There until it is dropped.
    running: Option<Box<dyn Running>>,
}

/// The two ways to talk to one.
enum Talk {
    Frames(Box<Frames>),
    RuntimeApi(Box<Api>),
}

/// What came from a worker.
pub(crate) enum Heard {
    Reply(Reply),
    /// A line it wrote to standard output or standard error.
    Line(String),
    /// It is ending, or nothing it says can be trusted any more.
    Gone,
}

/// How a process ended, as Lambda words it.
pub(crate) struct End {
    /// `Runtime.ExitError`.
    pub(crate) kind: String,
    pub(crate) how: String,
}

impl Worker {
    /// Must be called within a tokio runtime. `is_known` says whether it is a function's from its
    /// start.
    pub(crate) fn new(process: Process, is_known: bool) -> io::Result<Worker> {
        let events = pipe::Sender::from_owned_fd(process.events)?;
        let replies = pipe::Receiver::from_owned_fd(process.replies)?;
        let talk = match process.runtime_api {
            None => Talk::Frames(Box::new(Frames::new(events, replies))),
            Some(listener) => {
                Talk::RuntimeApi(Box::new(Api::new(listener, events, replies, process.pid)))
            }
        };
        let output = Output::new(pipe::Receiver::from_owned_fd(process.output)?);
        Ok(Worker { talk, output, is_known, running: Some(process.running) })
    }

    /// Shows it the code of the function it is to become, and tells it to. An error means that it
    /// is gone.
    pub(crate) async fn assign(
        &mut self,
        around: Surroundings<'_>,
        assignment: &Assignment,
    ) -> io::Result<()> {
        let spec = &assignment.spec;
        let was_known = std::mem::replace(&mut self.is_known, true);
        if let Some(running) = self.running.as_mut().filter(|_running| !was_known) {
            let pack = assignment.pack.as_ref().and_then(|pack| pack.path.as_deref());
            running.assign(&spec.code, &spec.layers, pack, spec.limits()).await?;
        }
        match &mut self.talk {
            Talk::Frames(frames) => frames.say(assignment.frame()),
            Talk::RuntimeApi(api) => {
                if !was_known {
                    api.become_function(&assignment.env).await?;
                }
                api.begin(spec, around.clock, around.random)
            }
        }
    }

    /// Tells it to load a function, whose code it sees already.
    pub(crate) fn assign_known(&mut self, assignment: &Assignment) -> io::Result<()> {
        match &mut self.talk {
            Talk::Frames(frames) => frames.say(assignment.frame()),
            Talk::RuntimeApi(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Answers what time is left of the event that runs. That it has ended is heard of.
    pub(crate) fn tell_time(&mut self, left: Duration) {
        let left_ms = u32::try_from(left.as_millis()).unwrap_or(u32::MAX);
        if let Talk::Frames(frames) = &mut self.talk {
            let _gone = frames.say(protocol::time(left_ms));
        }
    }

    /// How it is reached from outside.
    pub(crate) fn dial(&self) -> Option<Dial> {
        self.running.as_ref().map(|running| running.dial())
    }

    /// Gives it no processor, or gives it back.
    pub(crate) fn freeze(&mut self, frozen: bool) {
        if let Some(running) = &mut self.running {
            running.freeze(frozen);
        }
    }

    /// Makes a slot of it. The text is for the slot.
    pub(crate) async fn fork(&self, text: String, limits: Limits) -> io::Result<Worker> {
        match &self.running {
            Some(running) => Worker::new(running.fork(text, limits).await?, true),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Hands events over. An error means that it is gone and has seen none of them.
    pub(crate) fn tell<'a>(
        &mut self,
        timeout: Duration,
        events: impl IntoIterator<Item = &'a Invocation>,
    ) -> io::Result<()> {
        match &mut self.talk {
            Talk::Frames(frames) => frames.tell(timeout, events),
            Talk::RuntimeApi(api) => api.tell(events),
        }
    }

    /// Waits for the next thing the worker says. May be dropped without losing any.
    pub(crate) async fn hear(&mut self) -> Heard {
        loop {
            if let Some(line) = self.output.lines.pop_front() {
                return Heard::Line(line);
            }
            let talk = async {
                match &mut self.talk {
                    Talk::Frames(frames) => frames.hear().await,
                    Talk::RuntimeApi(api) => api.hear().await,
                }
            };
            tokio::select! {
                biased;
                reply = talk => return reply.map_or(Heard::Gone, Heard::Reply),
                () = self.output.read() => {}
            }
        }
    }

    /// Notes that bytes of a response came; false if they are more than the worker may send.
    pub(crate) fn note_sent(&mut self, bytes: usize) -> bool {
        match &mut self.talk {
            Talk::Frames(frames) => frames.note_sent(bytes),
            // What comes by HTTP is read as fast as its reader reads.
            Talk::RuntimeApi(_) => true,
        }
    }

    /// Lets it send as many bytes of a response as were read.
    pub(crate) fn grant(&mut self, bytes: usize) {
        if let Talk::Frames(frames) = &mut self.talk {
            frames.grant(bytes);
        }
    }

    /// Lets it send as much of the next response as it might of the first.
    pub(crate) fn settle(&mut self) {
        if let Talk::Frames(frames) = &mut self.talk {
            frames.settle();
        }
    }

    /// Whether it is gone without having taken this event, and so without having acted on it.
    pub(crate) fn refused(&self, request_id: &str) -> bool {
        match &self.talk {
            Talk::Frames(frames) => frames.refused(),
            Talk::RuntimeApi(api) => api.refused(request_id),
        }
    }

    /// All lines written up to now, the last one even if it has not ended. Asks the pipe itself:
    /// what was written before the reply must be told before the reply. Replies that came together
    /// were all written before the pipe was asked for the first of them.
    pub(crate) fn last_lines(&mut self) -> VecDeque<String> {
        let heard = match &mut self.talk {
            Talk::Frames(frames) => frames.take_heard(),
            Talk::RuntimeApi(_) => true,
        };
        if heard {
            self.output.read_now();
        }
        self.output.end_line();
        std::mem::take(&mut self.output.lines)
    }

    /// Ends the process and everything it started, and says how it ended.
    ///
    /// A process whose pipe is closed because it exits keeps its status: it is fixed before the
    /// descriptors are closed, and a later signal does not change it.
    pub(crate) async fn end(&mut self) -> End {
        if let Talk::Frames(frames) = &mut self.talk {
            frames.expect_lines();
        }
        let status = match &mut self.running {
            Some(running) => {
                running.kill();
                running.wait().await
            }
            None => Err(io::Error::other("it has ended already")),
        };
        if let Talk::RuntimeApi(api) = &self.talk
            && let Some((kind, how)) = api.invalid()
        {
            return End { kind: kind.clone(), how: how.clone() };
        }
        End { kind: "Runtime.ExitError".to_owned(), how: describe(&status) }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let Some(mut running) = self.running.take() else { return };
        // Extensions that wish to be told have some time to end by themselves.
        if let Talk::RuntimeApi(api) = &mut self.talk
            && Handle::try_current().is_ok()
            && let Some((clock, api)) = api.shut_down()
        {
            let mut output = std::mem::take(&mut self.output);
            task::spawn("host.shutdown", async move {
                // What they write now belongs to no event, but they must be able to write it.
                let reading = async {
                    loop {
                        output.read().await;
                        output.lines.clear();
                    }
                };
                tokio::select! {
                    () = reading => {}
                    () = base::sleep(&*clock, SHUTDOWN) => {}
                }
                drop(api);
                running.kill();
            });
            return;
        }
        running.kill();
    }
}

/// A status as Lambda words it.
fn describe(status: &io::Result<ExitStatus>) -> String {
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
#[derive(Default)]
struct Output {
    /// None once it is closed.
    pipe: Option<pipe::Receiver>,
    /// A line that has not ended yet.
    partial: BytesMut,
    lines: VecDeque<String>,
}

impl Output {
    fn new(pipe: pipe::Receiver) -> Output {
        Output { pipe: Some(pipe), partial: BytesMut::new(), lines: VecDeque::new() }
    }

    /// Waits for output; forever where the pipe is closed.
    async fn read(&mut self) {
        let Some(pipe) = &mut self.pipe else { return std::future::pending().await };
        self.partial.reserve(PIPE_BYTES);
        match pipe.read_buf(&mut self.partial).await {
            Ok(0) | Err(_) => self.pipe = None,
            Ok(_) => self.split(),
        }
    }

    /// Takes what the pipe holds at this moment, which may be more than tokio was told of.
    fn read_now(&mut self) {
        let Some(pipe) = &self.pipe else { return };
        let mut buffer = [0; 1024];
        // A descendant may write without end: what a pipe holds is what was there before.
        for _ in 0..PIPE_BYTES / buffer.len() {
            match rustix::io::read(pipe, &mut buffer) {
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
