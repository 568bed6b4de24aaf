use std::ffi::OsString;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;

use base::BoxFuture;
use serde::{Deserialize, Serialize};

/// A way to confine functions: a folder under `sandboxes/`. What each must do is written as tests
/// in [`crate::conformance!`].
pub trait Sandbox: Send + Sync + 'static {
    /// The folder's name.
    fn name(&self) -> &'static str;

    /// Where a function finds what is at `outside`.
    fn shown(&self, what: Shown, outside: &Path) -> PathBuf;

    /// Folders of the machine in whose places a function finds others, and what those are.
    fn hidden(&self) -> &'static [(&'static str, &'static str)];

    /// Where a function reaches the server, which is at `outside`.
    fn endpoint(&self, outside: &str) -> String;

    /// Whether a worker that runs already can be shown code: see [`Running::assign`]. If not, none is
    /// booted before it is known what function it will be.
    fn shows_later(&self) -> bool;

    /// Whether a worker can be forked here; if not, why.
    fn forks(&self) -> Result<(), String>;

    /// Starts a program. Called within a tokio runtime.
    fn launch(&self, launch: Launch) -> BoxFuture<'_, io::Result<Process>>;
}

/// Connects to a port of a program's own 127.0.0.1.
pub type Dial = Arc<dyn Fn(u16) -> BoxFuture<'static, io::Result<TcpStream>> + Send + Sync>;

/// What a function is shown of the machine's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// Its package.
    Code,
    /// One of its layers: in a sandbox all lie over each other at one place.
    Layers,
    /// Our bootstraps.
    Runtimes,
    /// Its code pack.
    Pack,
}

/// A program to be started: with exactly this environment but for variables of the sandbox's own,
/// `CUMULET_…`; with nothing open but the pipes of [`Process`], in a process group of its own, and
/// so that it ends when the server does.
#[derive(Debug, Clone)]
pub struct Launch {
    pub program: PathBuf,
    pub args: Vec<OsString>,
    pub env: Vec<(String, String)>,
    /// Folders it reads besides the system's: where its interpreter is installed.
    pub folders: Vec<PathBuf>,
    /// Our bootstraps.
    pub runtimes: PathBuf,
    /// The package and the layers, if it is known already whose they are: see [`Running::assign`].
    pub code: Option<PathBuf>,
    /// A later layer lies over an earlier one.
    pub layers: Vec<PathBuf>,
    /// A file, if it has one. That it is gone by now is no error.
    pub pack: Option<PathBuf>,
    /// Whether it is to be forked: see [`Running::fork`].
    pub template: bool,
    /// Whether it speaks the Runtime API. It finds the address in `AWS_LAMBDA_RUNTIME_API`.
    pub runtime_api: bool,
    pub limits: Limits,
    /// What its interpreter may write to besides the function's memory, without ever doing so.
    pub reserved_bytes: u64,
}

/// What a slot may use, all its processes together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    pub memory_bytes: u64,
    /// Processes and threads.
    pub processes_max: u32,
    /// Of `/tmp`.
    pub tmp_bytes: u64,
}

impl Default for Limits {
    /// As of a function of which nothing is known yet.
    fn default() -> Limits {
        Limits { memory_bytes: 10_240 << 20, processes_max: 1_024, tmp_bytes: 512 << 20 }
    }
}

/// A started program and our ends of its pipes.
pub struct Process {
    pub pid: u32,
    /// What we write here it reads from descriptor 3.
    pub events: OwnedFd,
    /// What it writes to descriptor 4.
    pub replies: OwnedFd,
    /// What it writes to its standard output and standard error, in the order written.
    pub output: OwnedFd,
    /// Where it asks for events, if it speaks the Runtime API.
    pub runtime_api: Option<TcpListener>,
    pub running: Box<dyn Running>,
}

/// A program that runs, or has ended and was not waited for. Dropping it does not end it.
pub trait Running: Send + Sync {
    /// Ends it and everything it started, without a chance to object. Idempotent.
    fn kill(&mut self);

    /// Resolves when it has ended.
    fn wait(&mut self) -> BoxFuture<'_, io::Result<ExitStatus>>;

    /// Shows it the package of the function it is to become, and its code pack if it has one, and
    /// limits it. At most once, and only where the launch named no code.
    fn assign<'a>(
        &'a mut self,
        code: &'a Path,
        layers: &'a [PathBuf],
        pack: Option<&'a Path>,
        limits: Limits,
    ) -> BoxFuture<'a, io::Result<()>>;

    /// Makes a slot of a worker that was launched as a template and has said that it is one. The
    /// text is for the slot.
    fn fork(&self, text: String, limits: Limits) -> BoxFuture<'_, io::Result<Process>>;

    /// How it is reached from outside, as long as it runs.
    fn dial(&self) -> Dial;

    /// Gives it no processor, or gives it back.
    fn freeze(&mut self, frozen: bool);
}
