//! The first process of a slot or sandbox: it waits for the worker to end, says how, and takes
//! care of orphans meanwhile. When it ends the kernel ends everything in its namespace. Told to by
//! SIGTERM, it ends all others, and still says how the worker ended: it may have done so before.
//!
//! `init STATUS_FD WORKER_PID`. Written without any library: there is one per slot.

#![no_std]
#![no_main]

use core::arch::{asm, global_asm};

#[cfg(target_arch = "x86_64")]
global_asm!(".globl _start", "_start:", "mov rdi, rsp", "and rsp, -16", "call {main}", main = sym main);
#[cfg(target_arch = "aarch64")]
global_asm!(".globl _start", "_start:", "mov x0, sp", "bl {main}", main = sym main);

// Where a signal handler returns to.
#[cfg(target_arch = "x86_64")]
global_asm!(".globl restore", "restore:", "mov eax, 15", "syscall");
#[cfg(target_arch = "aarch64")]
global_asm!(".globl restore", "restore:", "mov x8, #139", "svc #0");

unsafe extern "C" {
    fn restore();
}

#[cfg(target_arch = "x86_64")]
mod nr {
    pub const KILL: usize = 62;
    pub const GETPID: usize = 39;
    pub const PRCTL: usize = 157;
    pub const SIGACTION: usize = 13;
    pub const WRITE: usize = 1;
    pub const CLOSE_RANGE: usize = 436;
    pub const WAIT4: usize = 61;
    pub const EXIT: usize = 231;
}
#[cfg(target_arch = "aarch64")]
mod nr {
    pub const KILL: usize = 129;
    pub const GETPID: usize = 172;
    pub const PRCTL: usize = 167;
    pub const SIGACTION: usize = 134;
    pub const WRITE: usize = 64;
    pub const CLOSE_RANGE: usize = 436;
    pub const WAIT4: usize = 260;
    pub const EXIT: usize = 94;
}

fn call(number: usize, one: usize, two: usize, three: usize, four: usize) -> isize {
    let mut result: isize;
    // SAFETY: the calls made here write to nothing but what they are given.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        asm!("syscall", inlateout("rax") number as isize => result, in("rdi") one, in("rsi") two,
            in("rdx") three, in("r10") four, lateout("rcx") _, lateout("r11") _);
    }
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        asm!("svc #0", in("x8") number, inlateout("x0") one as isize => result, in("x1") two,
            in("x2") three, in("x3") four);
    }
    result
}

/// What the kernel is given for a signal.
#[repr(C)]
struct Action {
    handler: usize,
    flags: usize,
    restorer: usize,
    mask: u64,
}

/// Ends all in this namespace but us. Where we are not the first of one, all would be too many.
extern "C" fn end_all(_signal: i32) {
    const SIGKILL: usize = 9;
    if call(nr::GETPID, 0, 0, 0, 0) == 1 {
        call(nr::KILL, usize::MAX, SIGKILL, 0, 0);
    }
}

/// The number an argument is.
unsafe fn number(mut text: *const u8) -> usize {
    let mut value = 0;
    // SAFETY: arguments end with a zero.
    unsafe {
        while (*text).is_ascii_digit() {
            value = value * 10 + usize::from(*text - b'0');
            text = text.add(1);
        }
    }
    value
}

unsafe extern "C" fn main(stack: *const *const u8) -> ! {
    const EINTR: isize = -4;
    // SAFETY: the kernel puts the count, then the arguments there; we are always given two.
    let (status_fd, worker) = unsafe { (number(*stack.add(2)), number(*stack.add(3))) };
    const SIGTERM: usize = 15;
    const SA_RESTORER: usize = 0x0400_0000;
    const PR_SET_DUMPABLE: usize = 4;
    // Nobody looks into us, or takes us over.
    call(nr::PRCTL, PR_SET_DUMPABLE, 0, 0, 0);
    let action = Action {
        handler: end_all as *const () as usize,
        flags: SA_RESTORER,
        restorer: restore as *const () as usize,
        mask: 0,
    };
    call(nr::SIGACTION, SIGTERM, &raw const action as usize, 0, 8);
    // Whoever hears that a pipe is closed must be able to rely on it.
    call(nr::CLOSE_RANGE, 0, status_fd.wrapping_sub(1), 0, 0);
    call(nr::CLOSE_RANGE, status_fd + 1, u32::MAX as usize, 0, 0);
    loop {
        let mut status = 0i32;
        let ended = call(nr::WAIT4, usize::MAX, &raw mut status as usize, 0, 0);
        if ended == worker as isize {
            call(nr::WRITE, status_fd, &raw const status as usize, 4, 0);
            call(nr::EXIT, 0, 0, 0, 0);
        } else if ended < 0 && ended != EINTR {
            call(nr::EXIT, 1, 0, 0, 0);
        }
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {
        call(nr::EXIT, 101, 0, 0, 0);
    }
}
