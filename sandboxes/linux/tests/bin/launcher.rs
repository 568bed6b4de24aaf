//! The launcher as a program of its own, for tests.

use std::os::fd::AsFd as _;

fn main() -> std::io::Result<()> {
    let folder = std::env::args_os().nth(1).unwrap_or_default();
    let socket = rustix::io::fcntl_dupfd_cloexec(std::io::stdin().as_fd(), 3)?;
    sandbox_linux::launch(socket, folder.as_ref())
}
