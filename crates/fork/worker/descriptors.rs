//! The descriptors of a process that is forked. What one could hear the other through (epoll,
//! eventfd, a pipe to itself) is made anew in the copy.

use core::sync::atomic::{AtomicUsize, Ordering};

use crate::sys;

const DESCRIPTORS_MAX: usize = 256;
const WATCHED_MAX: usize = 64;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Event,
    Pipe,
    Epoll,
}

#[derive(Clone, Copy)]
struct Watched {
    fd: i32,
    event: sys::epoll_event,
}

#[derive(Clone, Copy)]
struct Descriptor {
    fd: i32,
    kind: Kind,
    /// `O_NONBLOCK` and whether it is read or written.
    flags: i32,
    cloexec: i32,
    /// The count of an eventfd, or what tells one pipe from another.
    number: u64,
    watched: [Watched; WATCHED_MAX],
    watched_len: usize,
}

const NOTHING: Watched = Watched { fd: 0, event: sys::epoll_event { events: 0, data: 0 } };

static mut FOUND: [Descriptor; DESCRIPTORS_MAX] = [Descriptor {
    fd: 0,
    kind: Kind::Event,
    flags: 0,
    cloexec: 0,
    number: 0,
    watched: [NOTHING; WATCHED_MAX],
    watched_len: 0,
}; DESCRIPTORS_MAX];
static COUNT: AtomicUsize = AtomicUsize::new(0);

fn starts(text: &[u8], with: &[u8]) -> bool {
    text.len() >= with.len() && text[..with.len()] == *with
}

/// Remembers what is open, but for what is `ours`. To be called while no other thread runs.
pub fn remember(ours: &[i32]) {
    let mut count = 0;
    sys::each_number(b"/proc/self/fd\0", |fd| {
        if fd < 3 || ours.contains(&fd) || count == DESCRIPTORS_MAX {
            return;
        }
        let Some(found) = look_at(fd) else { return };
        // SAFETY: nobody else runs.
        unsafe { FOUND[count] = found };
        count += 1;
    });
    COUNT.store(count, Ordering::SeqCst);
}

fn look_at(fd: i32) -> Option<Descriptor> {
    let number = u64::from(fd.unsigned_abs());
    let link = sys::Text::<64>::new().push(b"/proc/self/fd/").number(number).push(b"\0");
    let mut name = [0u8; 64];
    // SAFETY: the path ends with a zero, the kernel writes at most what fits.
    let got = unsafe {
        sys::readlink(link.as_bytes().as_ptr().cast(), name.as_mut_ptr().cast(), name.len())
    };
    let name = &name[..usize::try_from(got).ok()?];
    let kind = if starts(name, b"anon_inode:[eventfd]") {
        Kind::Event
    } else if starts(name, b"anon_inode:[eventpoll]") {
        Kind::Epoll
    } else if starts(name, b"pipe:[") {
        Kind::Pipe
    } else {
        return None;
    };
    // SAFETY: asks about a descriptor.
    let (flags, cloexec) = unsafe { (sys::fcntl(fd, sys::F_GETFL), sys::fcntl(fd, sys::F_GETFD)) };
    let mut found = Descriptor {
        fd,
        kind,
        flags,
        cloexec: if cloexec & 1 == 1 { sys::O_CLOEXEC } else { 0 },
        number: sys::parse(&name[name.len().min(6)..], 10).0,
        watched: [NOTHING; WATCHED_MAX],
        watched_len: 0,
    };
    let info = sys::Text::<64>::new().push(b"/proc/self/fdinfo/").number(number).push(b"\0");
    let mut text = [0; 8192];
    let got = sys::read_file(info.as_bytes(), &mut text)?;
    for line in text[..got].split(|byte| *byte == b'\n') {
        match kind {
            Kind::Event if starts(line, b"eventfd-count:") => {
                found.number = field(line, b"eventfd-count:", 16);
            }
            Kind::Epoll if starts(line, b"tfd:") && found.watched_len < WATCHED_MAX => {
                found.watched[found.watched_len] = Watched {
                    fd: i32::try_from(field(line, b"tfd:", 10)).ok()?,
                    event: sys::epoll_event {
                        events: u32::try_from(field(line, b"events:", 16)).ok()?,
                        data: field(line, b"data:", 16),
                    },
                };
                found.watched_len += 1;
            }
            _ => {}
        }
    }
    Some(found)
}

/// The number behind a name, spaces between them.
fn field(line: &[u8], name: &[u8], radix: u64) -> u64 {
    let Some(at) = line.windows(name.len()).position(|window| window == name) else { return 0 };
    let rest = &line[at + name.len()..];
    let spaces = rest.iter().take_while(|byte| **byte == b' ' || **byte == b'\t').count();
    sys::parse(&rest[spaces..], radix).0
}

/// Makes what was remembered anew. To be called in the copy, by its only thread.
pub fn renew() {
    let count = COUNT.load(Ordering::SeqCst);
    for at in 0..count {
        // SAFETY: nobody else runs.
        let one = unsafe { &*(&raw const FOUND[at]) };
        match one.kind {
            Kind::Event => renew_event(one),
            Kind::Pipe => renew_pipe(one, at + 1..count),
            Kind::Epoll => {}
        }
    }
    // Last, because they watch the others.
    for at in 0..count {
        // SAFETY: as above.
        let one = unsafe { &*(&raw const FOUND[at]) };
        if one.kind == Kind::Epoll {
            renew_epoll(one);
        }
    }
}

fn put(fresh: i32, one: &Descriptor) {
    // SAFETY: descriptors of our own.
    unsafe {
        sys::dup3(fresh, one.fd, one.cloexec);
        sys::close(fresh);
    }
}

fn renew_event(one: &Descriptor) {
    let flags = sys::O_CLOEXEC | one.flags & sys::O_NONBLOCK;
    // SAFETY: makes a descriptor.
    put(unsafe { sys::eventfd(u32::try_from(one.number).unwrap_or(1), flags) }, one);
}

/// A pipe both of whose ends are here; one that leads elsewhere still does.
fn renew_pipe(one: &Descriptor, others: core::ops::Range<usize>) {
    for at in others {
        // SAFETY: nobody else runs.
        let other = unsafe { &*(&raw const FOUND[at]) };
        if other.kind != Kind::Pipe || other.number != one.number {
            continue;
        }
        let reads = one.flags & sys::O_ACCMODE == sys::O_RDONLY;
        let (reader, writer) = if reads { (one, other) } else { (other, one) };
        let mut ends = [0; 2];
        // SAFETY: descriptors of our own; `ends` has room for two.
        unsafe {
            sys::pipe2(ends.as_mut_ptr(), sys::O_CLOEXEC | one.flags & sys::O_NONBLOCK);
            let mut waiting = 0;
            sys::ioctl(reader.fd, sys::FIONREAD, &raw mut waiting);
            if let Ok(waiting @ 1..) = usize::try_from(waiting) {
                sys::tee(reader.fd, ends[1], waiting, 0);
            }
        }
        put(ends[0], reader);
        put(ends[1], writer);
        return;
    }
}

fn renew_epoll(one: &Descriptor) {
    // SAFETY: descriptors of our own.
    unsafe {
        let fresh = sys::epoll_create1(sys::O_CLOEXEC);
        for watched in &one.watched[..one.watched_len] {
            let mut event = watched.event;
            sys::epoll_ctl(fresh, sys::EPOLL_CTL_ADD, watched.fd, &raw mut event);
        }
        put(fresh, one);
    }
}
