//! A slot: a copy of the template in namespaces of its own.
//!
//! Two processes are made. The first shares the template's memory and is the first process of the
//! new namespaces, in which it is privileged: it mounts what a slot has for itself, makes the
//! copy of the template, and becomes `init`. The copy gives all privileges up and goes on as the
//! worker.

use core::ptr::null;

use crate::arch::{self, Place};
use crate::order::Order;
use crate::{descriptors, sys, threads};

/// Descriptors that come with an order.
#[derive(Clone, Copy)]
pub struct Ends {
    pub events: i32,
    pub replies: i32,
    pub output: i32,
    /// The launcher hears from here which process it is, and at last how it ended.
    pub status: i32,
}

pub const ENDS: usize = 4;
/// Where a worker finds its events and puts its replies.
pub const EVENTS_FD: i32 = 3;
pub const REPLIES_FD: i32 = 4;
/// As in a sandbox: see `root.rs` there.
const BYTES_PER_FILE: u64 = 16 << 10;
const STACK_BYTES: usize = 64 * 1024;

#[repr(align(64))]
struct Stack(#[expect(dead_code, reason = "it is addressed, not named")] [u8; STACK_BYTES]);

static mut STACK: Stack = Stack([0; STACK_BYTES]);
static mut PLACE: Place = Place::NOWHERE;

struct Job {
    order: Order,
    ends: Ends,
    /// The launcher's orders come from here.
    control: i32,
    /// The program of a slot's first process, a path that ends with a zero.
    init: *const u8,
}

/// What becomes of a fork.
pub enum Forked {
    /// In the template: the first process of the slot, or the error.
    Template(isize),
    /// In the slot.
    Slot,
}

/// Makes a slot. To be called by the template's main thread while all others are parked.
pub fn fork(order: Order, ends: Ends, control: i32, init: *const u8) -> Forked {
    let mut job = Job { order, ends, control, init };
    let flags = order.namespaces as usize | sys::CLONE_VM | sys::CLONE_VFORK | 17;
    // SAFETY: the stack is for nobody else: we do not go on before the child has left our memory.
    let pid = unsafe {
        let stack = (&raw const STACK as usize) + STACK_BYTES;
        arch::fork_child(flags, stack, first, (&raw mut job).cast(), &raw mut PLACE)
    };
    if pid == 0 { Forked::Slot } else { Forked::Template(pid) }
}

/// The first process of the slot.
unsafe extern "C" fn first(job: *mut u8) -> ! {
    // SAFETY: the template waits with this on its stack.
    let job = unsafe { &*job.cast::<Job>() };
    // SAFETY: system calls on descriptors and memory that are ours.
    unsafe {
        // The template ignores its children; this one's is awaited.
        let usual = sys::sigaction { handler: sys::SIG_DFL, mask: [0; 16], flags: 0, restorer: 0 };
        sys::sigaction(sys::SIGCHLD, &raw const usual, core::ptr::null_mut());
        if job.order.namespaces != 0 {
            furnish(job);
        } else {
            hello(job.ends.status, None);
        }
        // The launcher says when: when limits are in place.
        let mut go = 0u8;
        if sys::read(job.ends.status, (&raw mut go).cast(), 1) != 1 {
            sys::_exit(1);
        }
        let worker = arch::fork_copy(
            17 | sys::CLONE_CHILD_SETTID | sys::CLONE_CHILD_CLEARTID,
            threads::tid_of(arch::fork_tls()),
        );
        if worker == 0 {
            become_worker(job);
            arch::fork_resume(&raw const PLACE);
        }
        if worker < 0 {
            fail(job.ends.status, b"clone");
        }
        let number = sys::Text::<24>::new().number(worker.unsigned_abs() as u64).push(b"\0");
        let status =
            sys::Text::<24>::new().number(job.ends.status.unsigned_abs().into()).push(b"\0");
        sys::fcntl(job.ends.status, sys::F_SETFD, 0);
        let argv = [job.init, status.as_bytes().as_ptr(), number.as_bytes().as_ptr(), null()];
        let envp = [null()];
        sys::execve(job.init.cast(), argv.as_ptr().cast(), envp.as_ptr());
        fail(job.ends.status, b"execve")
    }
}

/// Sends a word of what failed and why, and ends.
unsafe fn fail(status: i32, what: &[u8]) -> ! {
    let errno = sys::errno();
    let text = sys::Text::<64>::new().push(b"!").push(what).push(b" ");
    let text = text.number(errno.unsigned_abs().into());
    // SAFETY: the text is valid for its length.
    unsafe {
        let text = text.as_bytes();
        sys::write(status, text.as_ptr().cast(), text.len());
        sys::_exit(1);
    }
}

/// What a slot has for itself: user, network, processes, /tmp.
unsafe fn furnish(job: &Job) {
    let Job { order, ends, .. } = job;
    // SAFETY: system calls with paths that end with a zero.
    unsafe {
        if order.namespaces as usize & sys::CLONE_NEWUSER != 0 {
            let map = |id: u32| {
                let text = sys::Text::<64>::new().number(id.into()).push(b" ");
                text.number(id.into()).push(b" 1")
            };
            sys::write_file(b"/proc/self/setgroups\0", b"deny");
            if !sys::write_file(b"/proc/self/uid_map\0", map(order.uid).as_bytes())
                || !sys::write_file(b"/proc/self/gid_map\0", map(order.gid).as_bytes())
            {
                fail(ends.status, b"uid_map");
            }
        }
        let private = sys::MS_NOSUID | sys::MS_NODEV;
        let (proc, tmpfs) = (c"proc".as_ptr(), c"tmpfs".as_ptr());
        if sys::mount(proc, c"/proc".as_ptr(), proc, private | sys::MS_NOEXEC, null()) != 0 {
            fail(ends.status, b"/proc");
        }
        let options = sys::Text::<64>::new().push(b"mode=1777,size=").number(order.tmp_bytes);
        let options = options.push(b",nr_inodes=").number(order.tmp_bytes / BYTES_PER_FILE);
        let options = options.push(b"\0");
        let options = options.as_bytes().as_ptr().cast();
        if sys::mount(tmpfs, c"/tmp".as_ptr(), tmpfs, private, options) != 0 {
            fail(ends.status, b"/tmp");
        }
        if order.pid > 1 {
            let last = sys::Text::<24>::new().number(u64::from(order.pid) - 1);
            sys::write_file(b"/proc/sys/kernel/ns_last_pid\0", last.as_bytes());
        }
        loopback_up(ends.status);
        let door = listen(order.door, ends.status);
        hello(ends.status, Some(door));
        sys::close(door);
    }
}

unsafe fn loopback_up(status: i32) {
    // SAFETY: the request is of the size the kernel reads and writes.
    unsafe {
        let socket = sys::socket(sys::AF_INET, sys::SOCK_STREAM | sys::SOCK_CLOEXEC, 0);
        let mut request = sys::ifreq { name: [0; 16], flags: sys::IFF_UP, rest: [0; 22] };
        request.name[..2].copy_from_slice(b"lo");
        if sys::ioctl(socket, sys::SIOCSIFFLAGS, &raw mut request) != 0 {
            fail(status, b"lo");
        }
        sys::close(socket);
    }
}

/// Listens on a port of the slot's own loopback address; the server will accept.
unsafe fn listen(port: u32, status: i32) -> i32 {
    const BACKLOG: i32 = 1024;
    // SAFETY: the address is of the size given.
    unsafe {
        let kind = sys::SOCK_STREAM | sys::SOCK_CLOEXEC | sys::O_NONBLOCK;
        let socket = sys::socket(sys::AF_INET, kind, 0);
        let address = sys::sockaddr_in {
            family: 2,
            port: u16::try_from(port).unwrap_or(0).to_be(),
            addr: 0x7f00_0001_u32.to_be(),
            zero: [0; 8],
        };
        if sys::bind(socket, &raw const address, 16) != 0 || sys::listen(socket, BACKLOG) != 0 {
            fail(status, b"listen");
        }
        socket
    }
}

/// Tells the launcher that we are there, and gives it our door; the kernel says who we are.
unsafe fn hello(status: i32, door: Option<i32>) {
    #[repr(C)]
    struct Control {
        head: sys::cmsghdr,
        descriptor: i32,
    }
    let mut control = Control {
        head: sys::cmsghdr {
            len: size_of::<sys::cmsghdr>() + size_of::<i32>(),
            level: sys::SOL_SOCKET,
            kind: sys::SCM_RIGHTS,
        },
        descriptor: door.unwrap_or(-1),
    };
    let mut word = *b"hello";
    let mut iov = sys::iovec { base: word.as_mut_ptr().cast(), len: word.len() };
    let some = door.is_some();
    let message = sys::msghdr {
        name: core::ptr::null_mut(),
        namelen: 0,
        iov: &raw mut iov,
        iovlen: 1,
        control: if some { (&raw mut control).cast() } else { core::ptr::null_mut() },
        controllen: if some { size_of::<Control>() } else { 0 },
        flags: 0,
    };
    // SAFETY: everything the message points to is here.
    unsafe { sys::sendmsg(status, &raw const message, sys::MSG_NOSIGNAL) };
}

/// The copy of the template, before it goes on: privileges, descriptors, threads.
unsafe fn become_worker(job: &Job) {
    let Job { order, ends, control, .. } = job;
    // SAFETY: system calls on what is ours.
    unsafe {
        if order.namespaces as usize & sys::CLONE_NEWUSER != 0 {
            let (head, sets) = ([0x2008_0522_u32, 0], [0u32; 6]);
            sys::syscall(sys::nr::CAPSET, head.as_ptr(), sets.as_ptr());
        }
        sys::prctl(sys::PR_SET_PDEATHSIG, 9);
        let processes = [u64::from(order.processes_max); 2];
        sys::setrlimit(sys::RLIMIT_NPROC, processes.as_ptr());
        descriptors::renew();
        sys::dup2(ends.output, 1);
        sys::dup2(ends.output, 2);
        // Close on exec: what the function starts has no business with the host.
        sys::dup3(ends.events, EVENTS_FD, sys::O_CLOEXEC);
        sys::dup3(ends.replies, REPLIES_FD, sys::O_CLOEXEC);
        for fd in [ends.events, ends.replies, ends.output, ends.status, *control] {
            sys::close(fd);
        }
    }
    threads::revive();
    threads::register_rseq();
}
