//! A slot: a copy of the template in namespaces of its own.
//!
//! Two processes are made. The first shares the template's memory and is the first process of the
//! new namespaces, in which it is privileged: it mounts what a slot has for itself. So far the slot
//! is *empty*, and may wait for its event; that is the longer part of the way. Then the first
//! process makes the copy of the template, and becomes `init`. The copy gives all privileges up and
//! goes on as the worker.

use core::ptr::null;
use core::sync::atomic::{AtomicI32, AtomicPtr, AtomicUsize, Ordering};

use crate::arch::{self, Place};
use crate::order::{Order, TEXT_BYTES_MAX};
use crate::{descriptors, message, sys, threads};

/// Where a worker finds its events and puts its replies.
pub const EVENTS_FD: i32 = 3;
pub const REPLIES_FD: i32 = 4;
/// As in a sandbox: see `root.rs` there.
const BYTES_PER_FILE: u64 = 16 << 10;
const STACK_BYTES: usize = 64 * 1024;
/// Slots that are empty, or on the way to it. The launcher orders fewer.
const EMPTY_MAX: usize = 8;
const SIGCHLD: usize = 17;

/// What the first process of a slot has of the template's memory for itself.
#[repr(C, align(64))]
struct Own {
    stack: [u8; STACK_BYTES],
    text: [u8; TEXT_BYTES_MAX],
    job: Option<Job>,
}

static mut OWN: [Own; EMPTY_MAX] =
    [const { Own { stack: [0; STACK_BYTES], text: [0; TEXT_BYTES_MAX], job: None } }; EMPTY_MAX];
/// The processes to which these belong: the kernel writes a zero when one has left our memory.
static OWNERS: [AtomicI32; EMPTY_MAX] = [const { AtomicI32::new(0) }; EMPTY_MAX];
/// Where the template's main thread stands: a slot goes on there.
static mut PLACE: Place = Place::NOWHERE;
/// In a slot: what is for its worker.
static TEXT: AtomicPtr<u8> = AtomicPtr::new(core::ptr::null_mut());
static TEXT_BYTES: AtomicUsize = AtomicUsize::new(0);

struct Job {
    order: Order,
    /// The launcher hears from here which process it is, and at last how it ended. From there comes
    /// what the slot is filled with.
    status: i32,
    /// The launcher's orders come from here.
    control: i32,
    /// The program of a slot's first process, a path that ends with a zero.
    init: *const u8,
}

/// Descriptors that a slot is filled with.
struct Ends {
    events: i32,
    replies: i32,
    output: i32,
}

/// Calls `orders`, which does not return. Returns in each slot, with what is for its worker.
pub fn fork_within(orders: extern "C" fn()) -> &'static [u8] {
    // SAFETY: whoever goes on at the place does so in a copy of this memory, in which the frames
    // above this call are as they are now.
    unsafe {
        arch::fork_park(&raw mut PLACE, orders);
        let text = TEXT.load(Ordering::SeqCst);
        core::slice::from_raw_parts(text, TEXT_BYTES.load(Ordering::SeqCst))
    }
}

/// Makes an empty slot; gives its first process, or a negative error. To be called by the
/// template's main thread while all others are parked.
pub fn make(order: Order, status: i32, control: i32, init: *const u8) -> isize {
    let at = loop {
        let free = |owner: &AtomicI32| owner.load(Ordering::SeqCst) == 0;
        if let Some(at) = OWNERS.iter().position(free) {
            break at;
        }
        // SAFETY: no arguments.
        unsafe { sys::syscall(sys::nr::SCHED_YIELD) };
    };
    let shared = sys::CLONE_VM | sys::CLONE_PARENT_SETTID | sys::CLONE_CHILD_CLEARTID;
    let flags = order.namespaces as usize | shared | SIGCHLD;
    // SAFETY: this is nobody's, and the child's until it has left our memory.
    unsafe {
        let own = &raw mut OWN[at];
        (*own).job = Some(Job { order, status, control, init });
        let stack = (&raw const (*own).stack as usize) + STACK_BYTES;
        arch::fork_child(flags, stack, first, own.cast(), OWNERS[at].as_ptr())
    }
}

/// The first process of the slot.
unsafe extern "C" fn first(own: *mut u8) -> ! {
    // SAFETY: it is ours alone.
    let Own { text, job, .. } = unsafe { &mut *own.cast::<Own>() };
    let Some(job) = job else {
        // SAFETY: ends the process.
        unsafe { sys::_exit(1) }
    };
    // SAFETY: system calls on descriptors and memory that are ours.
    unsafe {
        // The template ignores its children; this one's is awaited.
        let usual = sys::sigaction { handler: sys::SIG_DFL, mask: [0; 16], flags: 0, restorer: 0 };
        sys::sigaction(sys::SIGCHLD, &raw const usual, core::ptr::null_mut());
        if job.order.namespaces != 0 {
            furnish(job);
        } else {
            message::send(job.status, b"hello", None);
        }
        // When limits are in place and there is an event, or never.
        let Some((bytes, ends)) = message::receive::<3>(job.status, text) else { sys::_exit(1) };
        let [events, replies, output] = ends;
        let worker = arch::fork_copy(
            SIGCHLD | sys::CLONE_CHILD_SETTID | sys::CLONE_CHILD_CLEARTID,
            threads::tid_of(arch::fork_tls()),
        );
        if worker == 0 {
            become_worker(job, &Ends { events, replies, output });
            TEXT.store(text.as_mut_ptr(), Ordering::SeqCst);
            TEXT_BYTES.store(bytes, Ordering::SeqCst);
            arch::fork_resume(&raw const PLACE);
        }
        if worker < 0 {
            fail(job.status, b"clone");
        }
        let number = sys::Text::<24>::new().number(worker.unsigned_abs() as u64).push(b"\0");
        let status = sys::Text::<24>::new().number(job.status.unsigned_abs().into()).push(b"\0");
        sys::fcntl(job.status, sys::F_SETFD, 0);
        let argv = [job.init, status.as_bytes().as_ptr(), number.as_bytes().as_ptr(), null()];
        let envp = [null()];
        sys::execve(job.init.cast(), argv.as_ptr().cast(), envp.as_ptr());
        fail(job.status, b"execve")
    }
}

/// Sends a word of what failed and why, and ends.
unsafe fn fail(status: i32, what: &[u8]) -> ! {
    let errno = sys::errno();
    let text = sys::Text::<64>::new().push(b"!").push(what).push(b" ");
    let text = text.number(errno.unsigned_abs().into());
    message::send(status, text.as_bytes(), None);
    // SAFETY: it takes a number.
    unsafe { sys::_exit(1) }
}

/// What a slot has for itself: user, network, processes, /tmp.
unsafe fn furnish(job: &Job) {
    let Job { order, status, .. } = job;
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
                fail(*status, b"uid_map");
            }
        }
        let private = sys::MS_NOSUID | sys::MS_NODEV;
        let (proc, tmpfs) = (c"proc".as_ptr(), c"tmpfs".as_ptr());
        if sys::mount(proc, c"/proc".as_ptr(), proc, private | sys::MS_NOEXEC, null()) != 0 {
            fail(*status, b"/proc");
        }
        let options = sys::Text::<64>::new().push(b"mode=1777,size=").number(order.tmp_bytes);
        let options = options.push(b",nr_inodes=").number(order.tmp_bytes / BYTES_PER_FILE);
        let options = options.push(b"\0");
        let options = options.as_bytes().as_ptr().cast();
        if sys::mount(tmpfs, c"/tmp".as_ptr(), tmpfs, private, options) != 0 {
            fail(*status, b"/tmp");
        }
        if order.pid > 1 {
            let last = sys::Text::<24>::new().number(u64::from(order.pid) - 1);
            sys::write_file(b"/proc/sys/kernel/ns_last_pid\0", last.as_bytes());
        }
        loopback_up(*status);
        let door = listen(order.door, *status);
        message::send(*status, b"hello", Some(door));
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

/// The copy of the template, before it goes on: privileges, descriptors, threads.
unsafe fn become_worker(job: &Job, ends: &Ends) {
    let Job { order, status, control, .. } = job;
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
        for fd in [ends.events, ends.replies, ends.output, *status, *control] {
            sys::close(fd);
        }
    }
    threads::revive();
    threads::register_rseq();
}
