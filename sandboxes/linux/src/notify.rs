//! Where the kernel asks about calls that a filter holds up.

use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};

use crate::sys;

/// The call may go on, as it is. The kernel reads its arguments anew, so this is for calls that are
/// harmless whatever they have become meanwhile.
const CONTINUE: u32 = 1;

/// The listener of a filter: all processes that have the filter are asked about here.
pub(crate) struct Listener(OwnedFd);

/// A call that waits for an answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question {
    pub(crate) id: u64,
    /// The thread that calls.
    pub(crate) pid: i32,
    pub(crate) call: libc::c_long,
    pub(crate) args: [u64; 6],
}

impl Listener {
    pub(crate) fn new(listener: OwnedFd) -> Listener {
        Listener(listener)
    }

    /// Takes the question that waits. To be called when there is one: it may be gone by then.
    pub(crate) fn receive(&self) -> io::Result<Question> {
        // SAFETY: the structure is whole, and zero as the kernel wants it.
        let asked = unsafe {
            let mut asked: libc::seccomp_notif = std::mem::zeroed();
            self.ioctl(libc::SECCOMP_IOCTL_NOTIF_RECV, &mut asked)?;
            asked
        };
        Ok(Question {
            id: asked.id,
            pid: i32::try_from(asked.pid).map_err(io::Error::other)?,
            call: asked.data.nr.into(),
            args: asked.data.args,
        })
    }

    /// Whether the caller still waits. What was learned of it by its number before is of it then.
    pub(crate) fn waits(&self, id: u64) -> bool {
        let mut id = id;
        self.ioctl(libc::SECCOMP_IOCTL_NOTIF_ID_VALID, &mut id).is_ok()
    }

    /// Lets the call go on; whether it was still there.
    pub(crate) fn go_on(&self, id: u64) -> bool {
        self.send(libc::seccomp_notif_resp { id, val: 0, error: 0, flags: CONTINUE })
    }

    /// Answers in the kernel's stead: 0, or an error.
    pub(crate) fn answer(&self, id: u64, error: i32) -> bool {
        self.send(libc::seccomp_notif_resp { id, val: 0, error: -error, flags: 0 })
    }

    fn send(&self, mut answer: libc::seccomp_notif_resp) -> bool {
        self.ioctl(libc::SECCOMP_IOCTL_NOTIF_SEND, &mut answer).is_ok()
    }

    /// Puts a copy of a descriptor at a number of the caller's.
    pub(crate) fn put(
        &self,
        id: u64,
        fd: BorrowedFd<'_>,
        at: u32,
        cloexec: bool,
    ) -> io::Result<()> {
        let mut put = libc::seccomp_notif_addfd {
            id,
            flags: u32::try_from(libc::SECCOMP_ADDFD_FLAG_SETFD).unwrap_or(1),
            srcfd: fd.as_raw_fd().unsigned_abs(),
            newfd: at,
            newfd_flags: if cloexec { libc::O_CLOEXEC.unsigned_abs() } else { 0 },
        };
        self.ioctl(libc::SECCOMP_IOCTL_NOTIF_ADDFD, &mut put)
    }

    fn ioctl<T>(&self, request: libc::Ioctl, value: &mut T) -> io::Result<()> {
        // SAFETY: each request above is given the structure that its number is made of.
        let done = unsafe { libc::ioctl(self.0.as_raw_fd(), request, std::ptr::from_mut(value)) };
        sys::check(libc::c_long::from(done)).map(drop)
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
