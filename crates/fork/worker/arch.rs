//! What only assembly can do: to remember where a thread stands, to make a process or thread that
//! goes on there, and to make one that begins on a stack of its own.
//!
//! To the compiler `fork_park` is a function that returns once in every process: what is remembered
//! is the place behind its call, with the registers that a call preserves, and as long as `wait`
//! does not return nothing changes what its caller has on the stack.

use core::arch::global_asm;

/// Where a thread goes on.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Place {
    registers: [u64; 24],
}

impl Place {
    pub const NOWHERE: Place = Place { registers: [0; 24] };
}

unsafe extern "C" {
    /// Remembers the place behind this call and calls `wait`. Gives 0 when `wait` returned, and 1
    /// in who goes on there by `fork_thread` or `fork_resume`.
    pub fn fork_park(place: *mut Place, wait: extern "C" fn()) -> i32;
    /// `clone(2)` of a thread that goes on at `place` with the thread pointer `tls`; its id is
    /// written to `tid`, and cleared there when it ends.
    pub fn fork_thread(flags: usize, tid: *mut i32, tls: usize, place: *const Place) -> isize;
    /// `clone(2)`: the child calls `run(argument)` on the stack given. Gives the child's id, or a
    /// negative error. The id is written to `tid`, and cleared there when the child has left this
    /// memory.
    pub fn fork_child(
        flags: usize,
        stack: usize,
        run: unsafe extern "C" fn(*mut u8) -> !,
        argument: *mut u8,
        tid: *mut i32,
    ) -> isize;
    /// `clone(2)` as `fork(2)` does it: gives 0 in the child, on a copy of the same stack. The
    /// child's id is written to its `tid`, and cleared there when it ends.
    pub fn fork_copy(flags: usize, tid: *mut i32) -> isize;
    /// Goes on at a place.
    pub fn fork_resume(place: *const Place) -> !;
    /// Where the thread's own data is: the register that `clone` sets.
    pub fn fork_tls() -> usize;
}

#[cfg(target_arch = "x86_64")]
global_asm!(
    ".hidden fork_park, fork_thread, fork_child, fork_copy, fork_resume, fork_tls",
    ".globl fork_park, fork_thread, fork_child, fork_copy, fork_resume, fork_tls",
    "fork_park:",
    "mov [rdi], rbx",
    "mov [rdi + 8], rbp",
    "mov [rdi + 16], r12",
    "mov [rdi + 24], r13",
    "mov [rdi + 32], r14",
    "mov [rdi + 40], r15",
    "lea rax, [rsp + 8]",
    "mov [rdi + 48], rax",
    "mov rax, [rsp]",
    "mov [rdi + 56], rax",
    "sub rsp, 8",
    "call rsi",
    "add rsp, 8",
    "xor eax, eax",
    "ret",
    "fork_thread:",
    "mov r8, rdx",  // tls
    "mov r9, rcx",  // place
    "mov r10, rsi", // child tid
    "mov rdx, rsi", // parent tid
    "mov rsi, [r9 + 48]",
    "mov eax, 56",
    "syscall",
    "test eax, eax",
    "jnz 2f",
    "mov rdi, r9",
    "jmp fork_resume",
    "2:",
    "ret",
    "fork_resume:",
    "mov eax, 1",
    "mov rbx, [rdi]",
    "mov rbp, [rdi + 8]",
    "mov r12, [rdi + 16]",
    "mov r13, [rdi + 24]",
    "mov r14, [rdi + 32]",
    "mov r15, [rdi + 40]",
    "mov rsp, [rdi + 48]",
    "jmp [rdi + 56]",
    "fork_child:",
    "mov r9, rdx", // run
    "mov rdx, r8", // parent tid
    "mov r10, r8", // child tid
    "mov r8, rcx", // argument, where a new thread's data would be
    "mov eax, 56",
    "syscall",
    "test eax, eax",
    "jnz 2f",
    "xor ebp, ebp",
    "mov rdi, r8",
    "call r9",
    "ud2",
    "2:",
    "ret",
    "fork_copy:",
    "mov r10, rsi",
    "xor esi, esi",
    "xor edx, edx",
    "xor r8d, r8d",
    "mov eax, 56",
    "syscall",
    "ret",
    "fork_tls:",
    "mov rax, fs:[0]",
    "ret",
);

// clone(flags, stack, parent tid, tls, child tid) is the order of the kernel's arguments here.
#[cfg(target_arch = "aarch64")]
global_asm!(
    ".hidden fork_park, fork_thread, fork_child, fork_copy, fork_resume, fork_tls",
    ".globl fork_park, fork_thread, fork_child, fork_copy, fork_resume, fork_tls",
    "fork_park:",
    "stp x19, x20, [x0]",
    "stp x21, x22, [x0, #16]",
    "stp x23, x24, [x0, #32]",
    "stp x25, x26, [x0, #48]",
    "stp x27, x28, [x0, #64]",
    "stp x29, x30, [x0, #80]",
    "mov x10, sp",
    "str x10, [x0, #96]",
    "stp d8, d9, [x0, #104]",
    "stp d10, d11, [x0, #120]",
    "stp d12, d13, [x0, #136]",
    "stp d14, d15, [x0, #152]",
    "stp x29, x30, [sp, #-16]!",
    "blr x1",
    "ldp x29, x30, [sp], #16",
    "mov w0, #0",
    "ret",
    "fork_thread:",
    "mov x9, x3",
    "mov x3, x2",
    "mov x2, x1",
    "mov x4, x1",
    "ldr x1, [x9, #96]",
    "mov x8, #220",
    "svc #0",
    "cbnz x0, 2f",
    "mov x0, x9",
    "b fork_resume",
    "2:",
    "ret",
    "fork_resume:",
    "mov x1, x0",
    "mov x0, #1",
    "ldp x19, x20, [x1]",
    "ldp x21, x22, [x1, #16]",
    "ldp x23, x24, [x1, #32]",
    "ldp x25, x26, [x1, #48]",
    "ldp x27, x28, [x1, #64]",
    "ldp x29, x30, [x1, #80]",
    "ldp d8, d9, [x1, #104]",
    "ldp d10, d11, [x1, #120]",
    "ldp d12, d13, [x1, #136]",
    "ldp d14, d15, [x1, #152]",
    "ldr x10, [x1, #96]",
    "mov sp, x10",
    "ret",
    "fork_child:",
    "mov x11, x2",
    "mov x12, x3",
    "mov x2, x4",
    "mov x3, #0",
    "mov x8, #220",
    "svc #0",
    "cbnz x0, 2f",
    "mov x29, #0",
    "mov x0, x12",
    "blr x11",
    "brk #1",
    "2:",
    "ret",
    "fork_copy:",
    "mov x4, x1",
    "mov x1, #0",
    "mov x2, #0",
    "mov x3, #0",
    "mov x8, #220",
    "svc #0",
    "ret",
    "fork_tls:",
    "mrs x0, tpidr_el0",
    "ret",
);
