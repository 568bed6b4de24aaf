//! Messages over a socket, with descriptors beside them.

use core::ptr::null_mut;

use crate::sys;

/// Descriptors with one message.
const DESCRIPTORS_MAX: usize = 4;

#[repr(C)]
struct Control {
    head: sys::cmsghdr,
    descriptors: [i32; DESCRIPTORS_MAX],
}

impl Control {
    fn with(descriptors: &[i32]) -> Control {
        let mut control = Control {
            head: sys::cmsghdr {
                len: size_of::<sys::cmsghdr>() + size_of_val(descriptors),
                level: sys::SOL_SOCKET,
                kind: sys::SCM_RIGHTS,
            },
            descriptors: [-1; DESCRIPTORS_MAX],
        };
        control.descriptors[..descriptors.len()].copy_from_slice(descriptors);
        control
    }
}

/// Takes the next message and its descriptors, and gives its length; nothing at the end, and for
/// what has not as many descriptors.
pub fn receive<const N: usize>(from: i32, to: &mut [u8]) -> Option<(usize, [i32; N])> {
    let mut control = Control::with(&[]);
    let mut iov = sys::iovec { base: to.as_mut_ptr().cast(), len: to.len() };
    let mut message = sys::msghdr {
        name: null_mut(),
        namelen: 0,
        iov: &raw mut iov,
        iovlen: 1,
        control: (&raw mut control).cast(),
        controllen: size_of::<Control>(),
        flags: 0,
    };
    let got = loop {
        // The C library's own `recvmsg` notes in the thread's data that it waits, which is not ours
        // alone here: a slot's first process has that of its template.
        // SAFETY: everything the message points to is here, and as long as said.
        let got = unsafe {
            sys::syscall(sys::nr::RECVMSG, from, &raw mut message, sys::MSG_CMSG_CLOEXEC)
        };
        if got >= 0 || sys::errno() != sys::EINTR {
            break usize::try_from(got).ok()?;
        }
    };
    let expected = size_of::<sys::cmsghdr>() + N * size_of::<i32>();
    let whole = got > 0 && message.controllen >= expected && control.head.len == expected;
    whole.then(|| (got, core::array::from_fn(|at| control.descriptors[at])))
}

/// Sends a word, with at most one descriptor.
pub fn send(to: i32, word: &[u8], descriptor: Option<i32>) {
    let mut control = Control::with(descriptor.as_slice());
    let mut iov = sys::iovec { base: word.as_ptr().cast_mut().cast(), len: word.len() };
    let message = sys::msghdr {
        name: null_mut(),
        namelen: 0,
        iov: &raw mut iov,
        iovlen: 1,
        control: if descriptor.is_some() { (&raw mut control).cast() } else { null_mut() },
        controllen: if descriptor.is_some() { control.head.len.next_multiple_of(8) } else { 0 },
        flags: 0,
    };
    // SAFETY: everything the message points to is here.
    unsafe { sys::sendmsg(to, &raw const message, sys::MSG_NOSIGNAL) };
}
