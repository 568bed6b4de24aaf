//! The few functions of the C library and the kernel that are used here, none of which allocates.

#![allow(non_camel_case_types)]

pub use core::ffi::{c_char, c_int, c_long, c_ulong, c_void};

pub const SIGCHLD: c_int = 17;
pub const SIG_DFL: usize = 0;
pub const SIG_IGN: usize = 1;
pub const SA_RESTART: c_int = 0x1000_0000;

pub const CLONE_VM: usize = 0x100;
pub const CLONE_FS: usize = 0x200;
pub const CLONE_FILES: usize = 0x400;
pub const CLONE_SIGHAND: usize = 0x800;
pub const CLONE_THREAD: usize = 0x1_0000;
pub const CLONE_SYSVSEM: usize = 0x4_0000;
pub const CLONE_SETTLS: usize = 0x8_0000;
pub const CLONE_PARENT_SETTID: usize = 0x10_0000;
pub const CLONE_CHILD_CLEARTID: usize = 0x20_0000;
pub const CLONE_CHILD_SETTID: usize = 0x100_0000;
pub const CLONE_NEWUSER: usize = 0x1000_0000;

pub const O_RDONLY: c_int = 0;
pub const O_WRONLY: c_int = 1;
pub const O_ACCMODE: c_int = 3;
pub const O_NONBLOCK: c_int = 0o4000;
pub const O_DIRECTORY: c_int = 0o200_000;
pub const O_CLOEXEC: c_int = 0o2_000_000;

pub const MS_NOSUID: c_ulong = 2;
pub const MS_NODEV: c_ulong = 4;
pub const MS_NOEXEC: c_ulong = 8;

pub const F_GETFD: c_int = 1;
pub const F_SETFD: c_int = 2;
pub const F_GETFL: c_int = 3;
pub const FIONREAD: c_ulong = 0x541B;

pub const EPOLL_CTL_ADD: c_int = 1;
pub const MADV_DOFORK: c_int = 11;
pub const PR_SET_PDEATHSIG: c_int = 1;
pub const FUTEX_WAIT_PRIVATE: c_int = 128;
pub const FUTEX_WAKE_PRIVATE: c_int = 129;
pub const EINTR: c_int = 4;
pub const RLIMIT_NPROC: c_int = 6;

#[repr(C)]
pub struct sigaction {
    pub handler: usize,
    pub mask: [u64; 16],
    pub flags: c_int,
    pub restorer: usize,
}

/// Packed on x86-64, and there alone.
#[derive(Clone, Copy)]
#[cfg_attr(target_arch = "x86_64", repr(C, packed))]
#[cfg_attr(not(target_arch = "x86_64"), repr(C))]
pub struct epoll_event {
    pub events: u32,
    pub data: u64,
}

#[repr(C)]
pub struct iovec {
    pub base: *mut c_void,
    pub len: usize,
}

#[repr(C)]
pub struct msghdr {
    pub name: *mut c_void,
    pub namelen: u32,
    pub iov: *mut iovec,
    pub iovlen: usize,
    pub control: *mut c_void,
    pub controllen: usize,
    pub flags: c_int,
}

#[repr(C)]
pub struct cmsghdr {
    pub len: usize,
    pub level: c_int,
    pub kind: c_int,
}

pub const SOL_SOCKET: c_int = 1;
pub const SCM_RIGHTS: c_int = 1;
pub const MSG_CMSG_CLOEXEC: c_int = 0x4000_0000;
pub const MSG_NOSIGNAL: c_int = 0x4000;

#[repr(C)]
pub struct sockaddr_in {
    pub family: u16,
    /// Big-endian.
    pub port: u16,
    /// Big-endian.
    pub addr: u32,
    pub zero: [u8; 8],
}

#[repr(C)]
pub struct ifreq {
    pub name: [u8; 16],
    pub flags: i16,
    pub rest: [u8; 22],
}

pub const AF_INET: c_int = 2;
pub const SOCK_STREAM: c_int = 1;
pub const SOCK_CLOEXEC: c_int = O_CLOEXEC;
pub const SIOCSIFFLAGS: c_ulong = 0x8914;
pub const IFF_UP: i16 = 1;

unsafe extern "C" {
    pub fn syscall(number: c_long, ...) -> c_long;
    pub fn open(path: *const c_char, flags: c_int, ...) -> c_int;
    pub fn close(fd: c_int) -> c_int;
    pub fn read(fd: c_int, to: *mut c_void, bytes: usize) -> isize;
    pub fn write(fd: c_int, from: *const c_void, bytes: usize) -> isize;
    pub fn readlink(path: *const c_char, to: *mut c_char, bytes: usize) -> isize;
    pub fn dup3(from: c_int, to: c_int, flags: c_int) -> c_int;
    pub fn dup2(from: c_int, to: c_int) -> c_int;
    pub fn pipe2(fds: *mut c_int, flags: c_int) -> c_int;
    pub fn tee(from: c_int, to: c_int, bytes: usize, flags: u32) -> isize;
    pub fn ioctl(fd: c_int, request: c_ulong, ...) -> c_int;
    pub fn fcntl(fd: c_int, command: c_int, ...) -> c_int;
    pub fn epoll_create1(flags: c_int) -> c_int;
    pub fn epoll_ctl(epoll: c_int, op: c_int, fd: c_int, event: *mut epoll_event) -> c_int;
    pub fn eventfd(count: u32, flags: c_int) -> c_int;
    pub fn madvise(address: *mut c_void, bytes: usize, advice: c_int) -> c_int;
    pub fn sigaction(signal: c_int, new: *const sigaction, old: *mut sigaction) -> c_int;
    pub fn sigfillset(set: *mut u64) -> c_int;
    pub fn sendmsg(fd: c_int, message: *const msghdr, flags: c_int) -> isize;
    pub fn mount(
        source: *const c_char,
        target: *const c_char,
        kind: *const c_char,
        flags: c_ulong,
        data: *const c_void,
    ) -> c_int;
    pub fn socket(domain: c_int, kind: c_int, protocol: c_int) -> c_int;
    pub fn bind(fd: c_int, address: *const sockaddr_in, len: u32) -> c_int;
    pub fn listen(fd: c_int, backlog: c_int) -> c_int;
    pub fn execve(
        path: *const c_char,
        argv: *const *const c_char,
        envp: *const *const c_char,
    ) -> c_int;
    pub fn setrlimit(what: c_int, limits: *const u64) -> c_int;
    pub fn putenv(variable: *mut c_char) -> c_int;
    pub fn prctl(option: c_int, ...) -> c_int;
    pub fn _exit(status: c_int) -> !;
    pub fn __errno_location() -> *mut c_int;
    pub fn __libc_current_sigrtmin() -> c_int;
    pub fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
}

/// The numbers that differ between processors.
#[cfg(target_arch = "x86_64")]
pub mod nr {
    use super::c_long;
    pub const GETTID: c_long = 186;
    pub const GETPID: c_long = 39;
    pub const TGKILL: c_long = 234;
    pub const FUTEX: c_long = 202;
    pub const GETDENTS64: c_long = 217;
    pub const GET_ROBUST_LIST: c_long = 274;
    pub const SET_ROBUST_LIST: c_long = 273;
    pub const RSEQ: c_long = 334;
    pub const CAPSET: c_long = 126;
    pub const RECVMSG: c_long = 47;
    pub const SCHED_YIELD: c_long = 24;
}
#[cfg(target_arch = "aarch64")]
pub mod nr {
    use super::c_long;
    pub const GETTID: c_long = 178;
    pub const GETPID: c_long = 172;
    pub const TGKILL: c_long = 131;
    pub const FUTEX: c_long = 98;
    pub const GETDENTS64: c_long = 61;
    pub const GET_ROBUST_LIST: c_long = 100;
    pub const SET_ROBUST_LIST: c_long = 99;
    pub const RSEQ: c_long = 293;
    pub const CAPSET: c_long = 91;
    pub const RECVMSG: c_long = 212;
    pub const SCHED_YIELD: c_long = 124;
}

pub fn errno() -> c_int {
    // SAFETY: the C library's own, valid as long as the thread.
    unsafe { *__errno_location() }
}

/// Reads a file into `to`, as much of it as fits. Files of /proc are read in several pieces.
pub fn read_file(path: &[u8], to: &mut [u8]) -> Option<usize> {
    debug_assert!(path.ends_with(b"\0"));
    // SAFETY: the path ends with a zero, and reads go to the rest of `to`.
    unsafe {
        let fd = open(path.as_ptr().cast(), O_RDONLY | O_CLOEXEC);
        if fd < 0 {
            return None;
        }
        let mut have = 0;
        while have < to.len() {
            let got = read(fd, to[have..].as_mut_ptr().cast(), to.len() - have);
            match usize::try_from(got) {
                Ok(0) | Err(_) => break,
                Ok(got) => have += got,
            }
        }
        close(fd);
        Some(have)
    }
}

/// Writes a whole text to a file that is there.
pub fn write_file(path: &[u8], text: &[u8]) -> bool {
    debug_assert!(path.ends_with(b"\0"));
    // SAFETY: the path ends with a zero, and `text` is valid for its length.
    unsafe {
        let fd = open(path.as_ptr().cast(), O_WRONLY | O_CLOEXEC);
        if fd < 0 {
            return false;
        }
        let written = write(fd, text.as_ptr().cast(), text.len());
        close(fd);
        usize::try_from(written) == Ok(text.len())
    }
}

/// Text in a buffer of fixed size; what does not fit is left out.
pub struct Text<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Text<N> {
    pub const fn new() -> Text<N> {
        Text { bytes: [0; N], len: 0 }
    }

    pub fn push(mut self, text: &[u8]) -> Text<N> {
        for byte in text {
            if self.len < N {
                self.bytes[self.len] = *byte;
                self.len += 1;
            }
        }
        self
    }

    pub fn number(self, number: u64) -> Text<N> {
        let mut digits = [0; 20];
        let mut at = digits.len();
        let mut rest = number;
        loop {
            at -= 1;
            digits[at] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.push(&digits[at..])
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// `bytes` from a decimal or hexadecimal number on, and what it is.
pub fn parse(text: &[u8], radix: u64) -> (u64, usize) {
    let mut value = 0u64;
    let mut at = 0;
    while let Some(digit) = text.get(at).and_then(|byte| (*byte as char).to_digit(16)) {
        if u64::from(digit) >= radix {
            break;
        }
        value = value.wrapping_mul(radix).wrapping_add(digit.into());
        at += 1;
    }
    (value, at)
}

/// The names in a folder of numbers, such as `/proc/self/fd`.
pub fn each_number(folder: &[u8], mut each: impl FnMut(c_int)) {
    let mut buffer = [0u64; 512];
    // SAFETY: the path ends with a zero; the kernel writes whole entries into the buffer given.
    unsafe {
        let fd = open(folder.as_ptr().cast(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if fd < 0 {
            return;
        }
        loop {
            let size = core::mem::size_of_val(&buffer);
            let got = syscall(nr::GETDENTS64, fd, buffer.as_mut_ptr(), size);
            let Ok(got @ 1..) = usize::try_from(got) else { break };
            let bytes = core::slice::from_raw_parts(buffer.as_ptr().cast::<u8>(), got);
            let mut at = 0;
            while at + 19 < got {
                let len = usize::from(u16::from_le_bytes([bytes[at + 16], bytes[at + 17]]));
                let name = &bytes[at + 19..at + len];
                if name[0].is_ascii_digit() {
                    let number = c_int::try_from(parse(name, 10).0).unwrap_or(-1);
                    if number != fd {
                        each(number);
                    }
                }
                at += len;
            }
        }
        close(fd);
    }
}
