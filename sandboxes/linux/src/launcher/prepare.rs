//! What the launcher makes once, before it starts anything.

use std::fs;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use host::Egress;
use rustix::net::SocketType;
use rustix::process::{Resource, Rlimit, getegid, geteuid};

use super::{SANDBOX_NAMESPACES, complain, pair};
use crate::cgroup::Parent;
use crate::egress;
use crate::limiter;
use crate::sys::{self, Cloned};

/// Takes as many descriptors as may be had: every sandbox and slot costs some.
pub(super) fn raise_files() -> io::Result<()> {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let wanted = Rlimit { current: limit.maximum, maximum: limit.maximum };
    Ok(rustix::process::setrlimit(Resource::Nofile, wanted)?)
}

/// Starts the process that limits others; gives our end of the socket between us.
pub(super) fn start_limiter(parent: &Parent) -> io::Result<OwnedFd> {
    let (ours, inside) = pair(SocketType::SEQPACKET)?;
    // SAFETY: we have one thread.
    match unsafe { sys::clone(0) }? {
        Cloned::Parent { .. } => Ok(ours),
        Cloned::Child => {
            drop(ours);
            if let Err(error) = limiter::serve(&inside, parent) {
                complain(&format!("limiter: {error}"));
            }
            // SAFETY: ends the process.
            unsafe { libc::_exit(0) }
        }
    }
}

/// Starts the process that connects functions; gives our end of the socket between us.
pub(super) fn start_egress(rules: Egress) -> io::Result<OwnedFd> {
    let (ours, inside) = pair(SocketType::SEQPACKET)?;
    // SAFETY: we have one thread.
    match unsafe { sys::clone(0) }? {
        Cloned::Parent { .. } => Ok(ours),
        Cloned::Child => {
            drop(ours);
            if let Err(error) = egress::serve(inside, rules) {
                complain(&format!("egress: {error}"));
            }
            // SAFETY: ends the process.
            unsafe { libc::_exit(0) }
        }
    }
}

/// Writes what workers need to be forked.
pub(super) fn lay_out(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for (name, bytes) in [("fork.so", fork::LIBRARY), ("init", fork::INIT)] {
        let path = folder.join(name);
        if fs::read(&path).is_ok_and(|present| present == bytes) {
            continue;
        }
        // Another server's launcher may be using the old one.
        let fresh = folder.join(format!("{name}.{}", std::process::id()));
        fs::write(&fresh, bytes)?;
        fs::set_permissions(&fresh, fs::Permissions::from_mode(0o755))?;
        fs::rename(&fresh, &path)?;
    }
    Ok(())
}

/// Goes where mounts of ours are seen by our sandboxes alone.
pub(super) fn enter(folder: &Path) -> io::Result<()> {
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    if sys::unshare(libc::CLONE_NEWNS).is_err() {
        sys::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS)?;
        fs::write("/proc/self/setgroups", "deny")?;
        fs::write("/proc/self/uid_map", format!("{uid} {uid} 1"))?;
        fs::write("/proc/self/gid_map", format!("{gid} {gid} 1"))?;
    }
    sys::propagate(Path::new("/"), libc::MS_REC | libc::MS_PRIVATE)?;
    let stage = folder.join("stage");
    fs::create_dir_all(&stage)?;
    sys::mount("tmpfs", &stage, libc::MS_NOSUID | libc::MS_NODEV, "mode=0755,size=4m")?;
    // What cannot be made once cannot be made later.
    // SAFETY: we have one thread.
    match unsafe { sys::clone(SANDBOX_NAMESPACES) }? {
        // SAFETY: ends the process.
        Cloned::Child => unsafe { libc::_exit(0) },
        Cloned::Parent { pidfd, .. } => {
            rustix::process::waitid(
                rustix::process::WaitId::PidFd(pidfd.as_fd()),
                rustix::process::WaitIdOptions::EXITED,
            )?;
        }
    }
    Ok(())
}
