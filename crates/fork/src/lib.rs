//! What makes a worker a template: the library it loads, and the first process of a slot.
//!
//! A template is a process that has loaded a function once and makes copies of itself, slots. The
//! code that does it is under `worker/`; it runs in the worker, not here. This crate carries it and
//! knows how to order a slot.
//!
//! Both programs are empty where nothing can be forked: on systems other than Linux with glibc on
//! x86-64 or aarch64.

/// The library: a Node addon that exports `serve(control, init)`, and the C function
/// `cumulet_serve` for everybody else.
pub const LIBRARY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/fork.so"));

/// The first process of a sandbox or slot: `init STATUS_FD WORKER_PID`, a static program.
pub const INIT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/init"));

/// Whether workers can be forked on this kind of machine.
pub const AVAILABLE: bool = !LIBRARY.is_empty();

/// Where a worker that may become a template finds the socket its orders come from.
pub const CONTROL_FD: i32 = 5;

/// The longest order, with the text for the worker.
pub const ORDER_BYTES_MAX: usize = 64 * 1024;

/// One slot, ordered of a template. It goes over the control socket, as one message, with four
/// descriptors: where the slot reads events, writes replies, writes output, and the status socket.
///
/// Over the status socket the slot's first process says `hello`, with the listeners of `ports`; it
/// goes on when it reads one byte; and when the worker has ended, it writes the four bytes of its
/// wait status. A word that begins with `!` says what failed, and the number of the error.
#[derive(Debug, Clone, Copy, Default)]
pub struct Order {
    /// Namespaces as `clone(2)` has them; 0 for none.
    pub namespaces: u32,
    /// The worker's user and group, inside and outside of its namespace.
    pub uid: u32,
    pub gid: u32,
    /// The worker's process id in its namespace. Libraries tell a fork by it, so it must not be the
    /// template's.
    pub pid: u32,
    /// What `/tmp` holds at most.
    pub tmp_bytes: u64,
    /// Ports of the slot's own 127.0.0.1 on which the server is to be reached; 0 for none.
    pub ports: [u16; 4],
    /// Processes and threads the worker may have.
    pub processes_max: u32,
}

impl Order {
    /// The message: as `worker/slot.rs` reads it, and then the text.
    pub fn encode(&self, text: &str) -> Vec<u8> {
        let mut message = Vec::with_capacity(32 + text.len());
        for number in [self.namespaces, self.uid, self.gid, self.pid] {
            message.extend(number.to_ne_bytes());
        }
        message.extend(self.tmp_bytes.to_ne_bytes());
        for port in self.ports {
            message.extend(port.to_ne_bytes());
        }
        message.extend([self.processes_max, 0].map(u32::to_ne_bytes).concat());
        message.extend(text.as_bytes());
        message
    }
}
