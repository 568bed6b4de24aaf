//! Who calls, with which address, on which socket.
//!
//! Everything is read once, and decided on what was read. The caller's own socket is looked at and
//! never used: what it is given in its place is ours (`inside.rs`).

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt as _;

use libc::{c_int, c_long};

use super::closer::{Closer, Shared};
use crate::notify::{Listener, Question};
use crate::sys;

/// A family and room for an address of IPv6.
const ADDRESS_BYTES_MAX: usize = 28;
/// What the kernel wants of an address of each family.
const V4_BYTES_MIN: usize = 16;
const V6_BYTES_MIN: usize = 24;

/// The address of a call, if it is one of the internet's families.
pub(super) fn address(pid: i32, at: u64, bytes: u64) -> io::Result<Option<SocketAddr>> {
    let mut raw = [0u8; ADDRESS_BYTES_MAX];
    let want = usize::try_from(bytes).unwrap_or(usize::MAX).min(raw.len());
    let local = libc::iovec { iov_base: raw.as_mut_ptr().cast(), iov_len: want };
    let remote = libc::iovec { iov_base: at as *mut libc::c_void, iov_len: want };
    // SAFETY: `raw` has room for what is read; `remote` is of the other process.
    let got = sys::check(unsafe {
        libc::process_vm_readv(pid, &raw const local, 1, &raw const remote, 1, 0) as c_long
    })?;
    Ok(parse(&raw[..usize::try_from(got).unwrap_or(0)]))
}

fn parse(raw: &[u8]) -> Option<SocketAddr> {
    let family = c_int::from(u16::from_ne_bytes(*raw.first_chunk()?));
    let port = u16::from_be_bytes(raw.get(2..4)?.try_into().ok()?);
    match family {
        libc::AF_INET if raw.len() >= V4_BYTES_MIN => {
            let ip: [u8; 4] = raw[4..8].try_into().ok()?;
            Some(SocketAddr::new(ip.into(), port))
        }
        libc::AF_INET6 if raw.len() >= V6_BYTES_MIN => {
            let ip: [u8; 16] = raw[8..24].try_into().ok()?;
            let scope = raw
                .get(24..28)
                .map_or(0, |raw| u32::from_ne_bytes(raw.try_into().unwrap_or_default()));
            match IpAddr::from(Ipv6Addr::from(ip)).to_canonical() {
                IpAddr::V4(ip) => Some(SocketAddr::new(ip.into(), port)),
                IpAddr::V6(ip) => Some(SocketAddrV6::new(ip, port, 0, scope).into()),
            }
        }
        _ => None,
    }
}

/// The caller's socket, and all that is to be known of it.
pub(super) struct Socket {
    fd: Shared,
    /// The network namespace it was made in. A function has one, and so it stands for the slot.
    pub(super) namespace: OwnedFd,
    pub(super) slot: u64,
    pub(super) is_v6: bool,
    pub(super) is_stream: bool,
    pub(super) nonblocking: bool,
    pub(super) cloexec: bool,
}

/// What is copied from the caller's socket to the one in its place.
const COPIED: [(c_int, c_int); 12] = [
    (libc::SOL_SOCKET, libc::SO_KEEPALIVE),
    (libc::SOL_SOCKET, libc::SO_REUSEADDR),
    (libc::SOL_SOCKET, libc::SO_LINGER),
    (libc::SOL_SOCKET, libc::SO_OOBINLINE),
    (libc::SOL_SOCKET, libc::SO_RCVTIMEO),
    (libc::SOL_SOCKET, libc::SO_SNDTIMEO),
    (libc::IPPROTO_TCP, libc::TCP_NODELAY),
    (libc::IPPROTO_TCP, libc::TCP_KEEPIDLE),
    (libc::IPPROTO_TCP, libc::TCP_KEEPINTVL),
    (libc::IPPROTO_TCP, libc::TCP_KEEPCNT),
    (libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT),
    (libc::IPPROTO_IPV6, libc::IPV6_V6ONLY),
];
/// Of these, what is for the way outside too: whether the other end is still there.
const OUTSIDE: [(c_int, c_int); 5] = [
    (libc::SOL_SOCKET, libc::SO_KEEPALIVE),
    (libc::IPPROTO_TCP, libc::TCP_KEEPIDLE),
    (libc::IPPROTO_TCP, libc::TCP_KEEPINTVL),
    (libc::IPPROTO_TCP, libc::TCP_KEEPCNT),
    (libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT),
];
/// Whether a buffer's size was chosen, and which: its number, its bit.
const BUFFERS: [(c_int, c_int); 2] = [(libc::SO_SNDBUF, 1), (libc::SO_RCVBUF, 2)];
const SO_BUF_LOCK: c_int = 72;
/// `TCP_CLOSE`: neither connected nor about to be.
const UNCONNECTED: u8 = 7;

impl Socket {
    /// The socket that a call is about. Nothing where the kernel may answer as it likes: it is no
    /// TCP or UDP socket, or is connected already.
    pub(super) fn of(
        listener: &Listener,
        asked: &Question,
        closer: &Closer,
    ) -> io::Result<Option<Socket>> {
        let number = i32::try_from(asked.args[0] & 0xffff_ffff).unwrap_or(-1);
        let process = open_process(asked.pid)?;
        // SAFETY: no memory is involved; what the kernel gives is ours.
        let fd = unsafe {
            let fd = libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), number, 0);
            closer.share(OwnedFd::from_raw_fd(i32::try_from(sys::check(fd)?).unwrap_or(-1)))
        };
        let Some((is_v6, is_stream)) = kind(&fd) else { return Ok(None) };
        if is_stream && state(&fd)? != UNCONNECTED {
            return Ok(None);
        }
        let flags = std::fs::read_to_string(format!("/proc/{}/fdinfo/{number}", asked.pid))?;
        let flags = flags.lines().find_map(|line| line.strip_prefix("flags:")).unwrap_or("0");
        let flags = i32::from_str_radix(flags.trim(), 8).unwrap_or(0);
        // SAFETY: no memory is involved; what the kernel gives is ours.
        let namespace = unsafe {
            let fd = libc::ioctl(fd.as_raw_fd(), SIOCGSKNS);
            OwnedFd::from_raw_fd(i32::try_from(sys::check(fd.into())?).unwrap_or(-1))
        };
        let slot = std::fs::File::from(namespace.try_clone()?).metadata()?.ino();
        // All that was found by a number is the caller's if it still waits.
        if !listener.waits(asked.id) {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(Some(Socket {
            fd,
            namespace,
            slot,
            is_v6,
            is_stream,
            nonblocking: flags & libc::O_NONBLOCK != 0,
            cloexec: flags & libc::O_CLOEXEC != 0,
        }))
    }

    /// Sets what was set on this one.
    pub(super) fn copy_to(&self, inside: &OwnedFd, outside: Option<&OwnedFd>) {
        for (level, name) in COPIED {
            copy(&self.fd, inside, level, name);
        }
        for (level, name) in OUTSIDE {
            if let Some(outside) = outside {
                copy(&self.fd, outside, level, name);
            }
        }
        let locked = number(&self.fd, libc::SOL_SOCKET, SO_BUF_LOCK);
        for (name, bit) in BUFFERS {
            if locked & bit != 0 {
                // The kernel doubles what it is given.
                let half = number(&self.fd, libc::SOL_SOCKET, name) / 2;
                set(inside, libc::SOL_SOCKET, name, &half.to_ne_bytes());
            }
        }
    }
}

const SIOCGSKNS: libc::Ioctl = 0x894c;

/// The process of a thread.
fn open_process(thread: i32) -> io::Result<OwnedFd> {
    const PIDFD_THREAD: c_int = libc::O_EXCL;
    let open = |pid: i32, flags: c_int| {
        // SAFETY: no memory is involved; what the kernel gives is ours.
        unsafe {
            let fd = sys::check(libc::syscall(libc::SYS_pidfd_open, pid, flags))?;
            Ok(OwnedFd::from_raw_fd(i32::try_from(fd).unwrap_or(-1)))
        }
    };
    // Before Linux 6.9 only processes are opened.
    open(thread, PIDFD_THREAD).or_else(|_: io::Error| {
        let status = std::fs::read_to_string(format!("/proc/{thread}/status"))?;
        open(crate::processes::field(&status, "Tgid:").unwrap_or(thread), 0)
    })
}

/// Whether it is of IPv6, and of TCP, if it is a socket of either and TCP or UDP.
fn kind(fd: &OwnedFd) -> Option<(bool, bool)> {
    let ask = |name| number(fd, libc::SOL_SOCKET, name);
    let (family, kind, protocol) =
        (ask(libc::SO_DOMAIN), ask(libc::SO_TYPE), ask(libc::SO_PROTOCOL));
    let is_v6 = match family {
        libc::AF_INET => false,
        libc::AF_INET6 => true,
        _ => return None,
    };
    match (kind, protocol) {
        (libc::SOCK_STREAM, libc::IPPROTO_TCP | libc::IPPROTO_MPTCP) => Some((is_v6, true)),
        (libc::SOCK_DGRAM, libc::IPPROTO_UDP) => Some((is_v6, false)),
        _ => None,
    }
}

fn state(fd: &OwnedFd) -> io::Result<u8> {
    let mut info = [0u8; 1];
    get(fd, libc::IPPROTO_TCP, libc::TCP_INFO, &mut info).map(|_| info[0])
}

fn copy(from: &OwnedFd, to: &OwnedFd, level: c_int, name: c_int) {
    let (mut old, mut new) = ([0u8; 16], [0u8; 16]);
    // Of another family there may be no such thing.
    if let (Ok(bytes), Ok(_)) = (get(from, level, name, &mut old), get(to, level, name, &mut new))
        && old != new
    {
        set(to, level, name, &old[..bytes]);
    }
}

fn number(fd: &OwnedFd, level: c_int, name: c_int) -> c_int {
    let mut value = [0u8; 4];
    if get(fd, level, name, &mut value).is_err() {
        return 0;
    }
    c_int::from_ne_bytes(value)
}

pub(super) fn get(fd: &OwnedFd, level: c_int, name: c_int, to: &mut [u8]) -> io::Result<usize> {
    let mut bytes = libc::socklen_t::try_from(to.len()).unwrap_or(0);
    // SAFETY: the kernel writes at most as many bytes as there are.
    let done = unsafe {
        libc::getsockopt(fd.as_raw_fd(), level, name, to.as_mut_ptr().cast(), &raw mut bytes)
    };
    sys::check(done.into()).map(|_| bytes as usize)
}

/// Sets an option; where it cannot be set, it stays as it is.
pub(super) fn set(fd: &OwnedFd, level: c_int, name: c_int, value: &[u8]) -> bool {
    let bytes = libc::socklen_t::try_from(value.len()).unwrap_or(0);
    // SAFETY: the value is as long as said.
    unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, value.as_ptr().cast(), bytes) == 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_the_kernel_reads_them() {
        let v4 = [2, 0, 1, 187, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(parse(&v4), Some("10.0.0.1:443".parse().unwrap()));
        assert_eq!(parse(&v4[..15]), None);
        assert_eq!(parse(&[]), None);
        let mut v6 = vec![10, 0, 1, 187, 0, 0, 0, 0];
        v6.extend("2001:4860::8888".parse::<Ipv6Addr>().unwrap().octets());
        assert_eq!(parse(&v6), Some("[2001:4860::8888]:443".parse().unwrap()));
        assert_eq!(parse(&v6[..23]), None);
        v6[8..24].copy_from_slice(&"::ffff:127.0.0.1".parse::<Ipv6Addr>().unwrap().octets());
        assert_eq!(parse(&v6), Some("127.0.0.1:443".parse().unwrap()));
        assert_eq!(parse(&[1, 0, 47, 116, 109, 112]), None, "a path");
    }
}
