use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::ExitStatus;

use base::BoxFuture;

/// A way to confine functions: a folder under `sandboxes/`. What each must do is written as tests
/// in [`crate::conformance!`].
pub trait Sandbox: Send + Sync + 'static {
    /// The folder's name.
    fn name(&self) -> &'static str;

    /// Starts a program. Called on one thread that lives as long as the host, within a tokio
    /// runtime; it may take the time of a fork.
    fn launch(&self, launch: &Launch) -> io::Result<Process>;
}

/// A program to be started: with exactly this environment, nothing open but the pipes of
/// [`Process`], in a process group of its own, and so that it ends when the server does.
#[derive(Debug, Clone)]
pub struct Launch {
    pub program: PathBuf,
    pub args: Vec<OsString>,
    pub env: Vec<(String, String)>,
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
    pub running: Box<dyn Running>,
}

/// A program that runs, or has ended and was not waited for.
pub trait Running: Send {
    /// Ends it and everything it started, without a chance to object. Idempotent.
    fn kill(&mut self);
    /// Resolves when it has ended.
    fn wait(&mut self) -> BoxFuture<'_, io::Result<ExitStatus>>;
}
