//! The launcher as a program of its own, for tests.

use std::os::fd::{AsFd as _, OwnedFd};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What the launcher of some hundred sandboxes has open: more than a function may.
const OPEN: usize = 1_100;

fn main() -> std::io::Result<()> {
    let folder = std::env::args_os().nth(1).unwrap_or_default();
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    let null = std::fs::File::open("/dev/null")?;
    let dup = |_| rustix::io::fcntl_dupfd_cloexec(null.as_fd(), 3);
    let _open: Vec<OwnedFd> = (0..OPEN).map(dup).collect::<Result<_, _>>()?;
    let socket = rustix::io::fcntl_dupfd_cloexec(std::io::stdin().as_fd(), 3)?;
    sandbox_linux::launch(socket, folder.as_ref())
}
