//! The server's side of the launcher.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use base::BoxFuture;
use host::{Dial, Egress, Launch, Limits, Process, Running, Sandbox, Shown};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use crate::level::Level;
use crate::message::{self, Report, Request};
use crate::root;

/// Serves what is accepted from a listener, until it is told not to.
pub type Accept = Arc<dyn Fn(TcpListener) -> AbortHandle + Send + Sync>;

/// What the sandbox is made with.
pub struct Config {
    /// Starts the launcher, which is to call [`crate::launch`] with its standard input.
    pub launcher: Command,
    /// The port of the server, and who serves those that come from inside.
    pub port: u16,
    pub accept: Accept,
    /// Where functions may connect to besides.
    pub egress: Egress,
}

/// Workers in namespaces of their own.
#[derive(Clone)]
pub struct LinuxSandbox(Arc<Inner>);

struct Inner {
    socket: OwnedFd,
    level: Level,
    port: u16,
    accept: Accept,
    next: AtomicU64,
    state: Mutex<State>,
    /// Ended with us.
    launcher: Mutex<std::process::Child>,
}

#[derive(Default)]
struct State {
    gone: bool,
    /// Those who wait for an answer.
    asked: HashMap<u64, oneshot::Sender<Answer>>,
    /// How those ended that run, told to whoever waits.
    ends: HashMap<u64, oneshot::Sender<i32>>,
}

type Answer = io::Result<(i32, Vec<OwnedFd>)>;

impl LinuxSandbox {
    /// Starts the launcher.
    ///
    /// # Errors
    /// If it cannot be started, or says nothing.
    pub fn start(mut config: Config) -> io::Result<LinuxSandbox> {
        let flags = SocketFlags::CLOEXEC;
        let pair = rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None);
        let (socket, inside) = pair?;
        // A group of its own: who interrupts the server at a terminal does not interrupt functions.
        config.launcher.env_clear().stdin(Stdio::from(inside)).process_group(0);
        let launcher = config.launcher.spawn()?;
        // Its end is in the child alone: we hear when that is gone.
        drop(config.launcher);
        let begin = Request::Begin { egress: config.egress };
        message::send(&socket, &begin, &[])?;
        let mut buffer = Vec::new();
        let level = match message::receive(&socket, &mut buffer)? {
            Some((Report::Ready(level), _)) => level,
            _ => return Err(io::Error::other("the launcher ended at once")),
        };
        let inner = Arc::new(Inner {
            socket,
            level,
            port: config.port,
            accept: config.accept,
            next: AtomicU64::new(1),
            state: Mutex::default(),
            launcher: Mutex::new(launcher),
        });
        let listening = Arc::downgrade(&inner);
        let heard = rustix::io::fcntl_dupfd_cloexec(&inner.socket, 0)?;
        std::thread::Builder::new().name("launcher".into()).spawn(move || {
            while let Ok(Some((report, descriptors))) = message::receive(&heard, &mut buffer) {
                let Some(inner) = listening.upgrade() else { return };
                inner.hear(report, descriptors);
            }
            if let Some(inner) = listening.upgrade() {
                inner.lose();
            }
        })?;
        Ok(LinuxSandbox(inner))
    }

    /// How much of the sandbox this machine allows.
    pub fn level(&self) -> &Level {
        &self.0.level
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let _gone = rustix::net::shutdown(&self.socket, rustix::net::Shutdown::Both);
        let launcher = self.launcher.get_mut().unwrap_or_else(PoisonError::into_inner);
        let _reaped = launcher.wait();
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hear(&self, report: Report, descriptors: Vec<OwnedFd>) {
        let (id, answer) = match report {
            Report::Ready(_) => return,
            Report::Started { id, pid } => (id, Ok((pid, descriptors))),
            Report::Assigned { id } => (id, Ok((0, Vec::new()))),
            Report::Failed { id, why } => (id, Err(io::Error::other(why))),
            Report::Ended { id, status } => {
                if let Some(waiting) = self.lock().ends.remove(&id) {
                    let _nobody_waits = waiting.send(status);
                }
                return;
            }
        };
        let waiting = self.lock().asked.remove(&id);
        if let Some(waiting) = waiting {
            let _nobody_waits = waiting.send(answer);
        }
    }

    /// The launcher is gone, and all it started.
    fn lose(&self) {
        let mut state = self.lock();
        state.gone = true;
        state.asked.clear();
        state.ends.clear();
        tracing::error!("the launcher has ended: no function can be started any more");
    }

    fn send(&self, request: &Request, descriptors: &[OwnedFd]) -> io::Result<()> {
        let descriptors: Vec<_> = descriptors.iter().map(OwnedFd::as_fd).collect();
        message::send(&self.socket, request, &descriptors)
    }

    async fn ask(&self, id: u64, request: &Request, descriptors: &[OwnedFd]) -> Answer {
        let (told, answer) = oneshot::channel();
        {
            let mut state = self.lock();
            if state.gone {
                return Err(gone());
            }
            state.asked.insert(id, told);
        }
        self.send(request, descriptors)?;
        answer.await.map_err(|_| gone())?
    }

    /// Starts what `request` asks for, with pipes of its own.
    async fn start(
        self: &Arc<Self>,
        runtime_api: bool,
        request: impl FnOnce(u64) -> Request,
    ) -> io::Result<Process> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (events_in, events) = io::pipe()?;
        let (replies, replies_out) = io::pipe()?;
        let (output, output_in) = io::pipe()?;
        let (told, end) = oneshot::channel();
        self.lock().ends.insert(id, told);
        let inside: [OwnedFd; 3] = [events_in.into(), replies_out.into(), output_in.into()];
        let mut starting = Starting { inner: self, id, done: false };
        let started = self.ask(id, &request(id), &inside).await;
        drop(inside);
        starting.done = started.is_ok();
        let (pid, listeners) = started?;
        drop(starting);
        let mut listeners = listeners.into_iter().map(TcpListener::from);
        let door = if self.level.namespaces.is_ok() { listeners.next() } else { None };
        let door = door.map(|door| door.set_nonblocking(true).map(|()| (self.accept)(door)));
        let runtime_api = if runtime_api { listeners.next() } else { None };
        let room =
            Room { inner: Arc::downgrade(self), id, end: Some(end), door: door.transpose()? };
        Ok(Process {
            pid: u32::try_from(pid).unwrap_or(0),
            events: events.into(),
            replies: replies.into(),
            output: output.into(),
            runtime_api,
            running: Box::new(room),
        })
    }
}

/// A start that is waited for. If it is no more, it is not to come later.
struct Starting<'a> {
    inner: &'a Inner,
    id: u64,
    done: bool,
}

impl Drop for Starting<'_> {
    fn drop(&mut self) {
        if !self.done {
            let mut state = self.inner.lock();
            state.asked.remove(&self.id);
            state.ends.remove(&self.id);
            drop(state);
            let _gone = self.inner.send(&Request::Kill { id: self.id }, &[]);
        }
    }
}

impl Sandbox for LinuxSandbox {
    fn name(&self) -> &'static str {
        "linux"
    }

    fn shown(&self, what: Shown, outside: &Path) -> PathBuf {
        if self.0.level.namespaces.is_err() {
            return outside.to_owned();
        }
        PathBuf::from(match what {
            Shown::Code => root::TASK,
            Shown::Layers => root::LAYERS,
            Shown::Runtimes => root::RUNTIMES,
            Shown::Pack => root::PACK,
        })
    }

    fn endpoint(&self, outside: &str) -> String {
        match self.0.level.namespaces {
            Ok(()) => format!("http://127.0.0.1:{}", self.0.port),
            Err(_) => outside.to_owned(),
        }
    }

    fn hidden(&self) -> &'static [(&'static str, &'static str)] {
        match self.0.level.namespaces {
            Ok(()) => &[(root::LAYERS, "layers"), ("/tmp", "temporary files")],
            Err(_) => &[],
        }
    }

    fn shows_later(&self) -> bool {
        self.0.level.namespaces.is_ok()
    }

    fn forks(&self) -> Result<(), String> {
        if !fork::AVAILABLE {
            return Err("it needs Linux with glibc, on x86-64 or aarch64".to_owned());
        }
        self.0.level.namespaces.clone().map_err(|why| format!("it needs namespaces: {why}"))
    }

    fn launch(&self, launch: Launch) -> BoxFuture<'_, io::Result<Process>> {
        Box::pin(async move {
            let Launch { program, args, env, folders, runtimes, .. } = launch;
            let Launch { code, layers, pack, template, runtime_api, limits, .. } = launch;
            let text = |arg: std::ffi::OsString| {
                arg.into_string()
                    .map_err(|arg| io::Error::other(format!("{} is no text", arg.display())))
            };
            let args = args.into_iter().map(text).collect::<Result<_, _>>()?;
            let door = self.0.port;
            let launch = |id| {
                Request::Launch(Box::new(message::Launch {
                    id,
                    program,
                    args,
                    env,
                    folders,
                    runtimes,
                    code,
                    layers,
                    pack,
                    template,
                    limits,
                    reserved_bytes: launch.reserved_bytes,
                    door,
                    runtime_api,
                }))
            };
            self.0.start(runtime_api, launch).await
        })
    }
}

fn gone() -> io::Error {
    io::Error::other("the launcher has ended")
}

/// One sandbox or slot.
struct Room {
    /// Gone when the sandbox is, and then so is the room.
    inner: Weak<Inner>,
    id: u64,
    end: Option<oneshot::Receiver<i32>>,
    /// Who serves what comes from inside.
    door: Option<AbortHandle>,
}

impl Drop for Room {
    fn drop(&mut self) {
        if let Some(door) = &self.door {
            door.abort();
        }
    }
}

impl Running for Room {
    fn kill(&mut self) {
        if self.end.is_some()
            && let Some(inner) = self.inner.upgrade()
        {
            let _gone = inner.send(&Request::Kill { id: self.id }, &[]);
        }
    }

    fn wait(&mut self) -> BoxFuture<'_, io::Result<ExitStatus>> {
        Box::pin(async {
            let status = match self.end.as_mut() {
                Some(end) => end.await.map_err(|_| gone())?,
                None => return Err(io::Error::other("its end was told already")),
            };
            self.end = None;
            Ok(ExitStatus::from_raw(status))
        })
    }

    fn assign<'a>(
        &'a mut self,
        code: &'a Path,
        layers: &'a [PathBuf],
        pack: Option<&'a Path>,
        limits: Limits,
    ) -> BoxFuture<'a, io::Result<()>> {
        let id = self.id;
        let (code, layers) = (code.to_owned(), layers.to_vec());
        let pack = pack.map(Path::to_owned);
        Box::pin(async move {
            let inner = self.inner.upgrade().ok_or_else(gone)?;
            let request = Request::Assign { id, code, layers, pack, limits };
            inner.ask(id, &request, &[]).await.map(|_| ())
        })
    }

    fn fork(&self, text: String, limits: Limits) -> BoxFuture<'_, io::Result<Process>> {
        let template = self.id;
        Box::pin(async move {
            let inner = self.inner.upgrade().ok_or_else(gone)?;
            let door = inner.port;
            let fork = |id| Request::Fork { id, template, text, limits, door };
            inner.start(false, fork).await
        })
    }

    /// Where there are no namespaces its network is the machine's.
    fn dial(&self) -> Dial {
        let (inner, room) = (self.inner.clone(), self.id);
        Arc::new(move |port| {
            let inner = inner.clone();
            Box::pin(async move {
                let inner = inner.upgrade().ok_or_else(gone)?;
                if inner.level.namespaces.is_err() {
                    let connected = tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port));
                    return connected.await?.into_std();
                }
                let id = inner.next.fetch_add(1, Ordering::Relaxed);
                let (_, sockets) = inner.ask(id, &Request::Dial { id, room, port }, &[]).await?;
                let socket = sockets.into_iter().next();
                socket.map(TcpStream::from).ok_or_else(|| io::Error::other("no connection came"))
            })
        })
    }

    fn freeze(&mut self, frozen: bool) {
        if let Some(inner) = self.inner.upgrade() {
            let _gone = inner.send(&Request::Freeze { id: self.id, frozen }, &[]);
        }
    }
}
