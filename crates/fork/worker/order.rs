//! An order, as both sides have it: it is sent as it lies in memory.

/// The longest text for a worker.
pub const TEXT_BYTES_MAX: usize = 64 * 1024;

/// An empty slot, ordered of a template. It goes over the control socket, as one message, with the
/// slot's status socket, which keeps messages apart.
///
/// Over that the slot's first process says `hello`, with the listener of its door. It is filled by
/// one message: a text for the worker, with the descriptors where it reads events, writes replies,
/// and writes output. When the worker has ended, it writes the four bytes of its wait status. A
/// word that begins with `!` says what failed, and the number of the error.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Order {
    /// Namespaces as `clone(2)` has them; none where users may not make any.
    pub namespaces: u32,
    /// The worker's user and group, inside and outside of its namespace.
    pub uid: u32,
    pub gid: u32,
    /// The worker's process id in its namespace. Libraries tell a fork by it, so it must not be the
    /// template's.
    pub pid: u32,
    /// What `/tmp` holds at most.
    pub tmp_bytes: u64,
    /// Processes and threads the worker may have.
    pub processes_max: u32,
    /// The port of the slot's own 127.0.0.1 on which the server is to be reached.
    pub door: u32,
}
