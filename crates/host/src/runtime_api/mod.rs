//! The Lambda Runtime API: how programs that bring their own runtime get events and answer them.
//!
//! One HTTP server per worker, on a listener that only this worker knows. `boot.sh` of
//! `runtimes/provided` tells on its reply pipe which extensions it has started, waits on its event
//! pipe until they have registered, and becomes the function's `bootstrap`. What is said by HTTP
//! changes [`state::State`], which is where all is decided; `hear` gives the host the outcome in
//! the words that other workers use.

mod answer;
mod extensions;
mod http;
mod state;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::{Clock, Random, task};
use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::pipe;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::protocol::Reply;
use crate::{FunctionSpec, Invocation};
use state::State;

/// How long extensions may take to end when their worker is not needed any more.
pub(crate) const SHUTDOWN: Duration = Duration::from_secs(2);
/// What `boot.sh` says is a few lines.
const BOOT_BYTES_MAX: usize = 16 * 1024;

/// The host's side of one worker.
pub(crate) struct Api {
    /// Until the worker becomes a function's.
    listener: Option<TcpListener>,
    shared: Option<Arc<Shared>>,
    server: Option<Server>,
    events: pipe::Sender,
    replies: pipe::Receiver,
    inbox: BytesMut,
    gone: bool,
    /// Whether the runtime is to be told that it may start.
    owes_start: bool,
    /// Why there was nothing to run: an error's type and message.
    invalid: Option<(String, String)>,
    pid: u32,
}

/// What the server's tasks and the host look at.
pub(crate) struct Shared {
    spec: Arc<FunctionSpec>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    state: Mutex<State>,
    /// Told when there is something for the host.
    to_host: Notify,
    /// Told when there may be something for whoever waits for its next event.
    to_worker: Notify,
}

impl Api {
    pub(crate) fn new(
        listener: TcpListener,
        events: pipe::Sender,
        replies: pipe::Receiver,
        pid: u32,
    ) -> Api {
        Api {
            listener: Some(listener),
            shared: None,
            server: None,
            events,
            replies,
            inbox: BytesMut::new(),
            gone: false,
            owes_start: false,
            invalid: None,
            pid,
        }
    }

    /// Tells a worker that was booted before it was known whose it would be what the environment of
    /// its function is: `boot.sh` reads it.
    pub(crate) async fn become_function(
        &mut self,
        env: &BTreeMap<String, String>,
    ) -> io::Result<()> {
        let mut text = String::new();
        for (name, value) in env {
            // Where a line would not do, the value is for `printf %b`.
            let _infallible = if value.contains('\n') {
                let value = value.replace('\\', "\\\\").replace('\n', "\\n");
                writeln!(text, "={name}={value}")
            } else {
                writeln!(text, "{name}={value}")
            };
        }
        text.push('\n');
        self.events.write_all(text.as_bytes()).await
    }

    /// Begins to serve what the worker, which is running already, has been asking for.
    pub(crate) fn begin(
        &mut self,
        spec: &Arc<FunctionSpec>,
        clock: &Arc<dyn Clock>,
        random: &Arc<dyn Random>,
    ) -> io::Result<()> {
        let Some(listener) = self.listener.take() else { return Ok(()) };
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let shared = Arc::new(Shared {
            spec: Arc::clone(spec),
            clock: Arc::clone(clock),
            random: Arc::clone(random),
            state: Mutex::new(State::new(self.pid)),
            to_host: Notify::new(),
            to_worker: Notify::new(),
        });
        self.shared = Some(Arc::clone(&shared));
        let server = task::spawn("host.runtime_api", http::serve(listener, shared));
        self.server = Some(Server(server));
        Ok(())
    }

    /// Hands over events, to be given to the runtime in this order.
    pub(crate) fn tell<'a>(
        &mut self,
        events: impl IntoIterator<Item = &'a Invocation>,
    ) -> io::Result<()> {
        let Some(shared) = &self.shared else { return Ok(()) };
        if self.gone {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        shared.lock().tell(events);
        shared.to_worker.notify_waiters();
        Ok(())
    }

    /// The next answer; `None` if the process has ended. May be dropped without losing any.
    pub(crate) async fn hear(&mut self) -> Option<Reply> {
        loop {
            while self.owes_start {
                // Nothing else is written to this pipe, and a byte fits.
                let _gone = self.events.writable().await;
                let written = self.events.try_write(b"\n");
                self.owes_start = written.is_err_and(|e| e.kind() == io::ErrorKind::WouldBlock);
            }
            let shared = self.shared.clone()?;
            let changed = shared.to_host.notified();
            if let Some(reply) = shared.lock().take_reply() {
                return Some(reply);
            }
            if self.gone {
                return shared.lock().take_last_answer();
            }
            tokio::select! {
                () = changed => {}
                got = self.replies.read_buf(&mut self.inbox) => {
                    self.gone = matches!(got, Ok(0) | Err(_)) || self.inbox.len() > BOOT_BYTES_MAX;
                    self.read_boot(&shared);
                }
            }
            if shared.lock().extensions.may_start_runtime() {
                self.owes_start = true;
            }
        }
    }

    /// Reads what `boot.sh` has said.
    fn read_boot(&mut self, shared: &Shared) {
        while let Some(end) = self.inbox.iter().position(|byte| *byte == b'\n') {
            let line = self.inbox.split_to(end);
            self.inbox.advance(1);
            let line = String::from_utf8_lossy(&line);
            match line.split_once(' ').unwrap_or((&line, "")) {
                // Said by `boot.sh`; what runs after it may write here too, to no effect.
                ("extension", name) => shared.lock().extensions.expect(name),
                ("booted", _) => shared.lock().all_expected(),
                ("invalid", why) => {
                    let (kind, message) = why.split_once(' ').unwrap_or((why, ""));
                    self.invalid = Some((kind.to_owned(), message.to_owned()));
                }
                _ => {}
            }
        }
        shared.to_worker.notify_waiters();
    }

    /// Whether the process, which is gone, has not taken this event.
    pub(crate) fn refused(&self, request_id: &str) -> bool {
        self.shared.as_ref().is_some_and(|shared| shared.lock().waits(request_id))
    }

    pub(crate) fn invalid(&self) -> Option<&(String, String)> {
        self.invalid.as_ref()
    }

    /// Tells the extensions that they are not needed any more. Where there is one that wished to be
    /// told, gives the clock to wait by, and the server to keep for so long.
    pub(crate) fn shut_down(&mut self) -> Option<(Arc<dyn Clock>, Server)> {
        let shared = self.shared.as_ref().filter(|_shared| !self.gone)?;
        let deadline = shared.clock.now() + SHUTDOWN;
        let any = shared.lock().extensions.shut_down(deadline);
        shared.to_worker.notify_waiters();
        if any { Some((Arc::clone(&shared.clock), self.server.take()?)) } else { None }
    }
}

/// The task that accepts connections. Dropping it ends it.
pub(crate) struct Server(JoinHandle<()>);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
