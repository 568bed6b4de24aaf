//! The template's loop: an order comes, a slot is made.

use core::ptr::null_mut;

use crate::order::Order;
use crate::slot::{self, ENDS, EVENTS_FD, Ends, Forked, REPLIES_FD};
use crate::{descriptors, sys, threads};

/// The longest message: an order and what is for the worker.
pub const MESSAGE_BYTES_MAX: usize = 64 * 1024;

static mut MESSAGE: [u8; MESSAGE_BYTES_MAX] = [0; MESSAGE_BYTES_MAX];

/// Why nothing can be forked here.
pub enum Refused {
    Threads(threads::Refusal),
}

/// Serves orders from `control` until it is closed, which ends the process. Returns in each slot,
/// with what the launcher has for the worker.
pub fn serve(control: i32, init: *const u8) -> Result<&'static [u8], Refused> {
    prepare_memory();
    threads::park().map_err(Refused::Threads)?;
    descriptors::remember(&[EVENTS_FD, REPLIES_FD, control]);
    let mut before = sys::sigaction { handler: 0, mask: [0; 16], flags: 0, restorer: 0 };
    let ignore = sys::sigaction { handler: sys::SIG_IGN, mask: [0; 16], flags: 0, restorer: 0 };
    // SAFETY: both are whole. From here on until the slot nothing is allocated: a parked thread
    // may hold the lock.
    unsafe { sys::sigaction(sys::SIGCHLD, &raw const ignore, &raw mut before) };
    loop {
        let Some((order, ends, rest)) = receive(control) else {
            // SAFETY: ends the process.
            unsafe { sys::_exit(0) }
        };
        match slot::fork(order, ends, control, init) {
            Forked::Slot => {
                // SAFETY: as above.
                unsafe { sys::sigaction(sys::SIGCHLD, &raw const before, null_mut()) };
                return Ok(rest);
            }
            Forked::Template(pid) => {
                if pid < 0 {
                    let text =
                        sys::Text::<64>::new().push(b"!clone ").number(pid.unsigned_abs() as u64);
                    let text = text.as_bytes();
                    // SAFETY: the text is valid for its length.
                    unsafe { sys::write(ends.status, text.as_ptr().cast(), text.len()) };
                }
                for fd in [ends.events, ends.replies, ends.output, ends.status] {
                    // SAFETY: they came with the order.
                    unsafe { sys::close(fd) };
                }
            }
        }
    }
}

/// One order; nothing at the end, and for what is no order.
fn receive(control: i32) -> Option<(Order, Ends, &'static [u8])> {
    #[repr(C, align(8))]
    struct Control([u8; 128]);
    let mut space = Control([0; 128]);
    // SAFETY: the buffer is used by nobody else, what the kernel is given is as long as said, and
    // what is read was written by it.
    unsafe {
        let mut iov = sys::iovec { base: (&raw mut MESSAGE).cast(), len: MESSAGE_BYTES_MAX };
        let mut message = sys::msghdr {
            name: null_mut(),
            namelen: 0,
            iov: &raw mut iov,
            iovlen: 1,
            control: (&raw mut space).cast(),
            controllen: size_of::<Control>(),
            flags: 0,
        };
        let got = loop {
            let got = sys::recvmsg(control, &raw mut message, sys::MSG_CMSG_CLOEXEC);
            if got >= 0 || sys::errno() != sys::EINTR {
                break usize::try_from(got).ok()?;
            }
        };
        let head = size_of::<Order>();
        let cmsg = &*(&raw const space).cast::<sys::cmsghdr>();
        let expected = size_of::<sys::cmsghdr>() + 4 * ENDS;
        if got < head || message.controllen < expected || cmsg.len != expected {
            return None;
        }
        let order = (&raw const MESSAGE).cast::<Order>().read_unaligned();
        let fds = (&raw const space).cast::<u8>().add(size_of::<sys::cmsghdr>()).cast::<i32>();
        let ends = Ends {
            events: fds.read(),
            replies: fds.add(1).read(),
            output: fds.add(2).read(),
            status: fds.add(3).read(),
        };
        let bytes = core::slice::from_raw_parts((&raw const MESSAGE).cast::<u8>(), got);
        Some((order, ends, &bytes[head..]))
    }
}

/// V8 keeps parts of its memory out of forks; a slot needs them.
fn prepare_memory() {
    const BYTES: usize = 1 << 20;
    static mut MAPS: [u8; BYTES] = [0; BYTES];
    // SAFETY: nobody else uses it; advice on mappings of our own.
    unsafe {
        let maps = &mut *(&raw mut MAPS);
        let got = sys::read_file(b"/proc/self/maps\0", maps).unwrap_or(0);
        for line in maps[..got].split(|byte| *byte == b'\n') {
            let (from, at) = sys::parse(line, 16);
            if line.get(at) == Some(&b'-') {
                let (to, _) = sys::parse(&line[at + 1..], 16);
                let address = from as usize as *mut sys::c_void;
                sys::madvise(address, (to - from) as usize, sys::MADV_DOFORK);
            }
        }
    }
}
