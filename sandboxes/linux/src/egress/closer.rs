//! Closes what functions have a share in, so that no close holds anybody up.
//!
//! Whoever closes a socket last waits until what was sent has arrived, for as long as `SO_LINGER`
//! says, which a function may set at any time, even where nothing else waits on that socket. Only a
//! thread that ends never waits. So, for what is to be closed, a thread with a descriptor table of
//! its own holds all descriptors while they are closed in ours, and ends.

use std::io;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::mpsc::{Sender, channel};

use crate::sys;

/// The thread that closes.
#[derive(Clone)]
pub(super) struct Closer(Sender<OwnedFd>);

/// A descriptor of which a function has a copy, or had.
pub(super) struct Shared {
    fd: ManuallyDrop<OwnedFd>,
    closer: Closer,
}

impl Closer {
    pub(super) fn start() -> io::Result<Closer> {
        let (close, closes) = channel();
        std::thread::Builder::new().name("closer".into()).spawn(move || {
            while let Ok(first) = closes.recv() {
                let all: Vec<OwnedFd> = std::iter::once(first).chain(closes.try_iter()).collect();
                close_all(all);
            }
        })?;
        Ok(Closer(close))
    }

    pub(super) fn share(&self, fd: OwnedFd) -> Shared {
        Shared { fd: ManuallyDrop::new(fd), closer: self.clone() }
    }
}

/// Without waiting for anything but a thread of ours.
fn close_all(all: Vec<OwnedFd>) {
    let (hold, held) = channel();
    let (release, released) = channel::<()>();
    let holder = std::thread::Builder::new().name("holder".into()).spawn(move || {
        let copied = sys::unshare(libc::CLONE_FILES).is_ok();
        if hold.send(copied).is_ok() && copied {
            let _closed = released.recv();
        }
    });
    if !matches!((&holder, held.recv()), (Ok(_), Ok(true))) {
        // The next best: it lingers only if a function is quick to say so again.
        for fd in &all {
            let _no_socket = rustix::net::sockopt::set_socket_linger(fd, None);
        }
    }
    drop(all);
    drop(release);
    if let Ok(holder) = holder {
        let _ended = holder.join();
    }
}

impl Deref for Shared {
    type Target = OwnedFd;

    fn deref(&self) -> &OwnedFd {
        &self.fd
    }
}

impl AsFd for Shared {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: it is taken once, as nothing is used after it is dropped.
        let fd = unsafe { ManuallyDrop::take(&mut self.fd) };
        // The thread lives as long as we do.
        let _closed_here = self.closer.0.send(fd);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::time::Duration;

    use rustix::time::{ClockId, clock_gettime};

    use super::*;

    fn now() -> Duration {
        clock_gettime(ClockId::Monotonic).try_into().unwrap()
    }

    /// A connection whose other end does not read, and which is closed only when it has.
    fn lingering() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (far, _) = listener.accept().unwrap();
        near.set_nonblocking(true).unwrap();
        while near.write(&[0; 65_536]).is_ok() {}
        rustix::net::sockopt::set_socket_linger(&near, Some(Duration::from_secs(3))).unwrap();
        (near, far)
    }

    #[test]
    fn no_close_waits_for_what_was_sent() {
        let closer = Closer::start().unwrap();
        let begun = now();
        let (stuck, _unread) = lingering();
        drop(closer.share(stuck.into()));
        let (near, mut far) = lingering();
        drop(closer.share(near.into()));
        // What was sent arrives, and the end after it: it has been closed.
        far.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        assert!(far.read_to_end(&mut Vec::new()).unwrap() > 65_536);
        assert!(now() - begun < Duration::from_secs(2), "it waited");
    }

    #[test]
    fn a_thread_that_ends_does_not_linger() {
        let (near, far) = lingering();
        let begun = now();
        close_all(vec![near.into()]);
        assert!(now() - begun < Duration::from_secs(2), "it waited");
        drop(far);
        let (near, _far) = lingering();
        let begun = now();
        drop(near);
        assert!(now() - begun > Duration::from_secs(2), "a close that waits, by which to know");
    }
}
