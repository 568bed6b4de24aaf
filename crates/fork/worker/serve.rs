//! The template's loop: an order comes, an empty slot is made.

use core::ptr::null_mut;
use core::sync::atomic::{AtomicI32, AtomicPtr, Ordering};

use crate::order::Order;
use crate::slot::{self, EVENTS_FD, REPLIES_FD};
use crate::{descriptors, message, sys, threads};

/// Why nothing can be forked here.
pub enum Refused {
    Threads(threads::Refusal),
}

static CONTROL: AtomicI32 = AtomicI32::new(-1);
static INIT: AtomicPtr<u8> = AtomicPtr::new(null_mut());

/// Serves orders from `control` until it is closed, which ends the process. Returns in each slot,
/// with what the launcher has for the worker.
pub fn serve(control: i32, init: *const u8) -> Result<&'static [u8], Refused> {
    prepare_memory();
    threads::park().map_err(Refused::Threads)?;
    descriptors::remember(&[EVENTS_FD, REPLIES_FD, control]);
    CONTROL.store(control, Ordering::SeqCst);
    INIT.store(init.cast_mut(), Ordering::SeqCst);
    let mut before = sys::sigaction { handler: 0, mask: [0; 16], flags: 0, restorer: 0 };
    let ignore = sys::sigaction { handler: sys::SIG_IGN, mask: [0; 16], flags: 0, restorer: 0 };
    // SAFETY: both are whole. From here on until the slot nothing is allocated: a parked thread
    // may hold the lock.
    unsafe { sys::sigaction(sys::SIGCHLD, &raw const ignore, &raw mut before) };
    let text = slot::fork_within(orders);
    // SAFETY: as above.
    unsafe { sys::sigaction(sys::SIGCHLD, &raw const before, null_mut()) };
    Ok(text)
}

extern "C" fn orders() {
    let (control, init) = (CONTROL.load(Ordering::SeqCst), INIT.load(Ordering::SeqCst));
    loop {
        let mut order = [0; size_of::<Order>()];
        let Some((bytes, [status])) = message::receive(control, &mut order) else { end() };
        if bytes != order.len() {
            end();
        }
        // SAFETY: an order is numbers and nothing else, and these are as many bytes.
        let order = unsafe { order.as_ptr().cast::<Order>().read_unaligned() };
        let first = slot::make(order, status, control, init);
        if first < 0 {
            let text = sys::Text::<64>::new().push(b"!clone ").number(first.unsigned_abs() as u64);
            message::send(status, text.as_bytes(), None);
        }
        // SAFETY: it came with the order.
        unsafe { sys::close(status) };
    }
}

fn end() -> ! {
    // SAFETY: ends the process.
    unsafe { sys::_exit(0) }
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
