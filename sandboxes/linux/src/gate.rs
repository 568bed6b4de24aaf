//! What a template's `clone` waits for.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};

use crate::sys;

const NOTIF_RECV: libc::Ioctl = 0xc050_2100_u32 as libc::Ioctl;
const NOTIF_SEND: libc::Ioctl = 0xc018_2101_u32 as libc::Ioctl;

/// The call may go on, as it is.
const CONTINUE: u32 = 1;

/// The kernel asks here, once for each call that the filter holds up.
pub(crate) struct Gate(OwnedFd);

impl Gate {
    pub(crate) fn new(listener: OwnedFd) -> Gate {
        Gate(listener)
    }

    /// Answers the question that waits; `allows` is told which process asks. Whether it was let
    /// through.
    pub(crate) fn answer(&self, allows: impl FnOnce(i32) -> bool) -> io::Result<bool> {
        // SAFETY: both structures are whole, and of the sizes that are part of the requests.
        unsafe {
            let mut asked: libc::seccomp_notif = std::mem::zeroed();
            let fd = self.0.as_raw_fd();
            sys::check(libc::c_long::from(libc::ioctl(fd, NOTIF_RECV, &raw mut asked)))?;
            let mut answer: libc::seccomp_notif_resp = std::mem::zeroed();
            answer.id = asked.id;
            let allowed = i32::try_from(asked.pid).is_ok_and(allows);
            if allowed {
                answer.flags = CONTINUE;
            } else {
                answer.error = -libc::EPERM;
            }
            // Whoever asked may be gone by now.
            let sent = libc::ioctl(fd, NOTIF_SEND, &raw mut answer);
            Ok(allowed && sent == 0)
        }
    }
}
