//! What makes a worker a template: the library it loads, and the first process of a slot.
//!
//! A template is a process that has loaded a function once and makes copies of itself, slots. The
//! code that does it is under `worker/`; it runs in the worker, not here. This crate carries it and
//! knows how to order a slot.
//!
//! Nothing can be forked but on Linux with glibc on x86-64 or aarch64: elsewhere the library is
//! empty. The first process needs no C library; it is empty on other systems and processors.

/// The library: a Node addon that exports `serve(control, init)`, and the C function
/// `cumulet_serve` for everybody else.
pub const LIBRARY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/fork.so"));

/// The first process of a sandbox or slot: `init STATUS_FD WORKER_PID`, a static program.
pub const INIT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/init"));

/// Whether workers can be forked on this kind of machine.
pub const AVAILABLE: bool = !LIBRARY.is_empty();

/// Where a worker that may become a template finds the socket its orders come from.
pub const CONTROL_FD: i32 = 5;

#[path = "../worker/order.rs"]
mod order;

pub use order::{Order, TEXT_BYTES_MAX};

impl Order {
    /// The message: the order as it lies in memory.
    pub fn encode(&self) -> Vec<u8> {
        let Order { namespaces, uid, gid, pid, tmp_bytes, processes_max, door } = *self;
        let mut message = Vec::with_capacity(size_of::<Order>());
        message.extend([namespaces, uid, gid, pid].map(u32::to_ne_bytes).concat());
        message.extend(tmp_bytes.to_ne_bytes());
        message.extend([processes_max, door].map(u32::to_ne_bytes).concat());
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_sent_as_it_lies_in_memory() {
        let order = Order { tmp_bytes: 7, processes_max: 8, door: 9, ..Order::default() };
        let message = order.encode();
        assert_eq!(message.len(), size_of::<Order>());
        let at = |field: usize| message[field];
        assert_eq!(at(std::mem::offset_of!(Order, tmp_bytes)), 7);
        assert_eq!(at(std::mem::offset_of!(Order, processes_max)), 8);
        assert_eq!(at(std::mem::offset_of!(Order, door)), 9);
    }
}
