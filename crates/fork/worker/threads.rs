//! The other threads of a process that is forked.
//!
//! They are stopped by a signal, in whose handler they stay: a template runs nothing any more. A
//! copy of the process has their memory but not them; each is made anew, on its own stack and with
//! its own data, at the place where it stopped.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicI32, AtomicUsize, Ordering};

use crate::arch::{self, Place};
use crate::sys;

pub const THREADS_MAX: usize = 128;
/// Behind what the C library and Node use of the real-time signals.
const PARK_SIGNAL_OFFSET: i32 = 5;
/// Where the C library keeps a thread's id lies within so many bytes from the thread pointer.
const TCB_BYTES: usize = 2304;

struct Thread {
    tid: AtomicI32,
    tls: AtomicUsize,
    /// The list of locks the kernel releases when the thread dies.
    robust: AtomicUsize,
    place: UnsafeCell<Place>,
}

// SAFETY: a place is written by its own thread before it counts itself as parked, and read after.
unsafe impl Sync for Thread {}

static THREADS: [Thread; THREADS_MAX] = [const {
    Thread {
        tid: AtomicI32::new(0),
        tls: AtomicUsize::new(0),
        robust: AtomicUsize::new(0),
        place: UnsafeCell::new(Place::NOWHERE),
    }
}; THREADS_MAX];
static COUNT: AtomicUsize = AtomicUsize::new(0);
static PARKED: AtomicI32 = AtomicI32::new(0);
/// Nobody changes it: who waits for it waits for ever.
static NEVER: AtomicI32 = AtomicI32::new(0);
/// Between the thread pointer and the thread's id, which the C library keeps for itself.
static TID_OFFSET: AtomicUsize = AtomicUsize::new(0);

/// Why a process cannot be a template.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    TooMany,
    UnknownLayout,
}

/// The calling thread's id, and where the C library keeps it.
fn own_tid() -> i32 {
    // SAFETY: no arguments.
    i32::try_from(unsafe { sys::syscall(sys::nr::GETTID) }).unwrap_or(0)
}

/// Where the C library keeps the id of the thread whose thread pointer this is.
pub fn tid_of(tls: usize) -> *mut i32 {
    (tls.wrapping_add(TID_OFFSET.load(Ordering::Relaxed))) as *mut i32
}

fn find_tid_offset() -> Result<(), Refusal> {
    // SAFETY: reads the calling thread's own control block, which is longer.
    let tls = unsafe { arch::fork_tls() };
    let tid = own_tid();
    // On x86-64 the control block begins at the thread pointer, on aarch64 it ends there.
    let from = if cfg!(target_arch = "aarch64") { tls.wrapping_sub(TCB_BYTES) } else { tls };
    for offset in (0..TCB_BYTES).step_by(4) {
        // SAFETY: as above.
        if unsafe { ((from + offset) as *const i32).read_volatile() } == tid {
            TID_OFFSET.store((from + offset).wrapping_sub(tls), Ordering::Relaxed);
            return Ok(());
        }
    }
    Err(Refusal::UnknownLayout)
}

fn futex_wait(word: &AtomicI32, value: i32) {
    // SAFETY: the word is static.
    unsafe {
        let wait = sys::FUTEX_WAIT_PRIVATE;
        sys::syscall(sys::nr::FUTEX, word.as_ptr(), wait, value, 0usize, 0usize, 0);
    }
}

extern "C" fn stay() {
    PARKED.fetch_add(1, Ordering::SeqCst);
    // SAFETY: the word is static.
    unsafe {
        sys::syscall(sys::nr::FUTEX, PARKED.as_ptr(), sys::FUTEX_WAKE_PRIVATE, 1, 0usize, 0usize, 0)
    };
    loop {
        futex_wait(&NEVER, 0);
    }
}

extern "C" fn on_park(_signal: i32) {
    // SAFETY: gives the address of a thread-local that is there.
    let errno = sys::errno();
    let tid = own_tid();
    let count = COUNT.load(Ordering::SeqCst).min(THREADS_MAX);
    let Some(me) = THREADS[..count].iter().find(|one| one.tid.load(Ordering::SeqCst) == tid) else {
        return;
    };
    // SAFETY: the place is this thread's; the kernel writes two words.
    unsafe {
        me.tls.store(arch::fork_tls(), Ordering::SeqCst);
        let (mut head, mut length) = (0usize, 0usize);
        sys::syscall(sys::nr::GET_ROBUST_LIST, 0, &raw mut head, &raw mut length);
        me.robust.store(head, Ordering::SeqCst);
        if arch::fork_park(me.place.get(), stay) == 1 {
            sys::syscall(sys::nr::SET_ROBUST_LIST, head, length);
            register_rseq();
        }
        *sys::__errno_location() = errno;
    }
}

/// Whether a thread keeps our signal away from itself.
fn is_deaf(tid: i32, signal: i32) -> bool {
    let path =
        sys::Text::<64>::new().push(b"/proc/self/task/").number(u64::from(tid.unsigned_abs()));
    let path = path.push(b"/status\0");
    let mut text = [0; 4096];
    let Some(got) = sys::read_file(path.as_bytes(), &mut text) else { return true };
    let name = b"\nSigBlk:\t";
    let found = text[..got].windows(name.len()).position(|window| window == name);
    let mask = found.map_or(0, |at| sys::parse(&text[at + name.len()..got], 16).0);
    mask >> (signal - 1) & 1 == 1
}

/// Stops every other thread for ever, but for those that do not listen: they are not in the
/// copies.
pub fn park() -> Result<usize, Refusal> {
    find_tid_offset()?;
    // SAFETY: the handler does what handlers may: system calls and atomics.
    let signal = unsafe {
        let signal = sys::__libc_current_sigrtmin() + PARK_SIGNAL_OFFSET;
        let mut action = sys::sigaction {
            handler: on_park as *const () as usize,
            mask: [0; 16],
            flags: sys::SA_RESTART,
            restorer: 0,
        };
        sys::sigfillset(action.mask.as_mut_ptr());
        sys::sigaction(signal, &raw const action, core::ptr::null_mut());
        signal
    };
    let me = own_tid();
    let mut count = 0;
    sys::each_number(b"/proc/self/task\0", |tid| {
        if tid != me && !is_deaf(tid, signal) {
            if count < THREADS_MAX {
                THREADS[count].tid.store(tid, Ordering::SeqCst);
            }
            count += 1;
        }
    });
    if count > THREADS_MAX {
        return Err(Refusal::TooMany);
    }
    COUNT.store(count, Ordering::SeqCst);
    PARKED.store(0, Ordering::SeqCst);
    // SAFETY: signals to threads of our own.
    unsafe {
        let pid = sys::syscall(sys::nr::GETPID);
        for thread in &THREADS[..count] {
            sys::syscall(sys::nr::TGKILL, pid, thread.tid.load(Ordering::SeqCst), signal);
        }
    }
    loop {
        let parked = PARKED.load(Ordering::SeqCst);
        if usize::try_from(parked) == Ok(count) {
            return Ok(count);
        }
        futex_wait(&PARKED, parked);
    }
}

/// Makes the threads anew in a copy of the process. To be called by its only thread.
pub fn revive() {
    let flags = sys::CLONE_VM
        | sys::CLONE_FS
        | sys::CLONE_FILES
        | sys::CLONE_SIGHAND
        | sys::CLONE_THREAD
        | sys::CLONE_SYSVSEM
        | sys::CLONE_SETTLS
        | sys::CLONE_PARENT_SETTID
        | sys::CLONE_CHILD_CLEARTID;
    let count = COUNT.swap(0, Ordering::SeqCst);
    for thread in &THREADS[..count] {
        let tls = thread.tls.load(Ordering::SeqCst);
        // SAFETY: the thread parked itself at this place, on a stack that is ours alone now.
        unsafe { arch::fork_thread(flags, tid_of(tls), tls, thread.place.get()) };
    }
}

/// Tells the kernel again where this thread keeps its restartable sequences; a copy of a process
/// that shared its memory has lost that.
pub fn register_rseq() {
    const SIGNATURE: u32 = if cfg!(target_arch = "aarch64") { 0xd428_bc00 } else { 0x5305_3053 };
    const BYTES_MIN: usize = 32;
    // SAFETY: the three symbols are the C library's, and of these types, where it has them.
    unsafe {
        let offset = sys::dlsym(core::ptr::null_mut(), c"__rseq_offset".as_ptr());
        let size = sys::dlsym(core::ptr::null_mut(), c"__rseq_size".as_ptr());
        if offset.is_null() || size.is_null() || *size.cast::<u32>() == 0 {
            return;
        }
        let area = arch::fork_tls().wrapping_add_signed(*offset.cast::<isize>());
        let bytes = (*size.cast::<u32>() as usize).next_multiple_of(BYTES_MIN);
        sys::syscall(sys::nr::RSEQ, area, bytes, 0, SIGNATURE);
    }
}
