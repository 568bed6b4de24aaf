//! One connection: a socket in the slot's network, one in the machine's, and what is on its way
//! between them.
//!
//! A function's connection must be pending as long as the real one is, then succeed or fail with
//! it. Its socket (`near`) sends its first packet to our end (`far`), which does not listen: the
//! refusal is dropped by a filter on `near`, so `near` goes on waiting. When the real connection
//! (`outer`) is there, the filter goes and `far` connects to `near`: the two open simultaneously,
//! as RFC 9293 has it. When the real one is refused, `far` is given the state of a connection and
//! resets it, which to `near` is a refusal.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd as _, OwnedFd};

use rustix::io::Errno;
use rustix::net::sockopt::{set_socket_linger, set_tcp_nodelay, socket_error};
use rustix::net::{RecvFlags, SendFlags, Shutdown};

use super::caller::{get, set};
use super::closer::Shared;
use super::inside::{self, Pair};

/// How often one side is read before others have their turn.
const TURNS_MAX: usize = 8;

/// How much of a stream is read at once, and kept while the other side does not take it.
const PENDING_BYTES_MAX: usize = 16 << 10;

const TCP_REPAIR: i32 = 19;
const TCP_REPAIR_QUEUE: i32 = 20;
const TCP_QUEUE_SEQ: i32 = 21;
const RECEIVE_QUEUE: i32 = 1;
const SEND_QUEUE: i32 = 2;
const REPAIR_ON: i32 = 1;
/// Without a word to the other side.
const REPAIR_OFF: i32 = -1;

pub(super) struct Flow {
    pub(super) slot: u64,
    /// Until the function's connection is there.
    pub(super) near: Option<Shared>,
    pub(super) far: OwnedFd,
    /// A datagram's way outside is made when there is a datagram.
    pub(super) outer: Option<OwnedFd>,
    pub(super) stage: Stage,
    /// From inside, and from outside.
    up: Half,
    down: Half,
    /// Where it leads.
    pub(super) to: SocketAddr,
    /// When something was last carried, in seconds.
    pub(super) last: u64,
    /// It waits for its turn.
    pub(super) queued: bool,
    /// The number behind `near`'s first, by which a refusal is known.
    sequence: [u8; 4],
}

/// How far a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The real one is being made.
    Opening,
    /// It is there, and the function's is being made.
    Joining,
    Open,
    Datagrams,
}

#[derive(Default)]
struct Half {
    /// What was read and did not fit.
    pending: Vec<u8>,
    ended: bool,
}

/// What is to become of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// It waits for either side.
    Wait,
    /// There is more to carry at once.
    Again,
    Done,
}

impl Flow {
    /// The beginning of a TCP connection to `seen`, really to `to`.
    pub(super) fn connect(
        slot: u64,
        Pair { near, far }: Pair,
        seen: SocketAddr,
        (outer, to): (OwnedFd, SocketAddr),
    ) -> io::Result<Flow> {
        in_progress(rustix::net::connect(&outer, &to))?;
        set_tcp_nodelay(&outer, true)?;
        set_tcp_nodelay(&far, true)?;
        deaf(&near, true)?;
        in_progress(rustix::net::connect(&near, &for_family_of(&near, seen)?))?;
        let sequence = sequence(&near)?;
        Ok(Flow {
            slot,
            near: Some(near),
            far,
            outer: Some(outer),
            stage: Stage::Opening,
            up: Half::default(),
            down: Half::default(),
            to,
            last: 0,
            queued: false,
            sequence,
        })
    }

    /// Datagrams to one address.
    pub(super) fn datagrams(
        slot: u64,
        Pair { near, far }: Pair,
        to: SocketAddr,
    ) -> io::Result<Flow> {
        rustix::net::connect(&near, &for_family_of(&near, to)?)?;
        rustix::net::connect(&far, &name(&near)?)?;
        Ok(Flow {
            slot,
            near: Some(near),
            far,
            outer: None,
            stage: Stage::Datagrams,
            up: Half::default(),
            down: Half::default(),
            to,
            last: 0,
            queued: false,
            sequence: [0; 4],
        })
    }

    /// What became of the real connection.
    pub(super) fn outcome(&self) -> io::Result<()> {
        let Some(outer) = &self.outer else { return Ok(()) };
        socket_error(outer)?.map_err(Into::into)
    }

    /// Makes the function's connection, as the real one is there.
    pub(super) fn join(&mut self) -> io::Result<()> {
        let Some(near) = &self.near else { return Ok(()) };
        let address = name(near)?;
        deaf(near, false)?;
        in_progress(rustix::net::connect(&self.far, &address))?;
        self.stage = Stage::Joining;
        Ok(())
    }

    /// Refuses the function's connection.
    pub(super) fn refuse(self) -> io::Result<()> {
        let Some(near) = &self.near else { return Ok(()) };
        let address = name(near)?;
        let option = |name, value: i32| {
            if set(&self.far, libc::IPPROTO_TCP, name, &value.to_ne_bytes()) {
                return Ok(());
            }
            Err(io::Error::last_os_error())
        };
        option(TCP_REPAIR, REPAIR_ON)?;
        option(TCP_REPAIR_QUEUE, RECEIVE_QUEUE)?;
        option(TCP_QUEUE_SEQ, i32::from_ne_bytes(self.sequence))?;
        rustix::net::connect(&self.far, &address)?;
        deaf(near, false)?;
        option(TCP_REPAIR, REPAIR_OFF)?;
        Ok(set_socket_linger(&self.far, Some(std::time::Duration::ZERO))?)
    }

    /// Ends it so that both sides hear of an error.
    pub(super) fn reset(self) {
        for side in [Some(self.far), self.outer].into_iter().flatten() {
            let _ended = set_socket_linger(&side, Some(std::time::Duration::ZERO));
        }
    }

    /// Whether one side has ended, and the other may never.
    pub(super) fn is_half(&self) -> bool {
        self.up.ended != self.down.ended
    }

    /// Carries what there is, in both directions.
    pub(super) fn carry(&mut self, scratch: &mut [u8]) -> io::Result<Next> {
        if self.stage == Stage::Datagrams {
            return self.carry_datagrams(scratch);
        }
        let Some(outer) = &self.outer else { return Ok(Next::Done) };
        let scratch = &mut scratch[..PENDING_BYTES_MAX];
        let up = pump(&self.far, outer, &mut self.up, scratch)?;
        let down = pump(outer, &self.far, &mut self.down, scratch)?;
        let over = |half: &Half| half.ended && half.pending.is_empty();
        if over(&self.up) && over(&self.down) {
            return Ok(Next::Done);
        }
        Ok(if up || down { Next::Again } else { Next::Wait })
    }

    fn carry_datagrams(&mut self, scratch: &mut [u8]) -> io::Result<Next> {
        let mut more = false;
        let Some(outer) = &self.outer else { return Ok(Next::Wait) };
        for (from, to) in [(&self.far, outer), (outer, &self.far)] {
            for turn in 0..TURNS_MAX {
                match rustix::net::recv(from, &mut *scratch, RecvFlags::empty()) {
                    // What does not fit is lost, as datagrams are.
                    Ok((got, _)) => {
                        let _lost = rustix::net::send(to, &scratch[..got], SendFlags::NOSIGNAL);
                        more |= turn + 1 == TURNS_MAX;
                    }
                    Err(Errno::AGAIN) => break,
                    Err(Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(if more { Next::Again } else { Next::Wait })
    }
}

/// Carries from one side to the other; whether there may be more at once.
fn pump(from: &OwnedFd, to: &OwnedFd, half: &mut Half, scratch: &mut [u8]) -> io::Result<bool> {
    for _ in 0..TURNS_MAX {
        if !half.pending.is_empty() {
            let sent = send(to, &half.pending)?;
            half.pending.drain(..sent);
            if !half.pending.is_empty() {
                return Ok(false);
            }
            half.pending = Vec::new();
            if half.ended {
                rustix::net::shutdown(to, Shutdown::Write)?;
            }
        }
        if half.ended {
            return Ok(false);
        }
        let got = match rustix::net::recv(from, &mut *scratch, RecvFlags::empty()) {
            Ok((got, _)) => got,
            Err(Errno::AGAIN) => return Ok(false),
            Err(Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        };
        if got == 0 {
            half.ended = true;
            rustix::net::shutdown(to, Shutdown::Write)?;
            return Ok(false);
        }
        let sent = send(to, &scratch[..got])?;
        half.pending.extend_from_slice(&scratch[sent..got]);
    }
    Ok(true)
}

fn send(to: &OwnedFd, bytes: &[u8]) -> io::Result<usize> {
    match rustix::net::send(to, bytes, SendFlags::NOSIGNAL) {
        Ok(sent) => Ok(sent),
        Err(Errno::AGAIN | Errno::INTR) => Ok(0),
        Err(error) => Err(error.into()),
    }
}

fn in_progress(connected: rustix::io::Result<()>) -> io::Result<()> {
    match connected {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The address of a socket's own end.
fn name(socket: &OwnedFd) -> io::Result<SocketAddr> {
    let name = SocketAddr::try_from(rustix::net::getsockname(socket)?)?;
    Ok(SocketAddr::new(name.ip().to_canonical(), name.port()))
}

/// An address as a socket of IPv6 takes it, if it is one.
fn for_family_of(socket: &OwnedFd, to: SocketAddr) -> io::Result<SocketAddr> {
    let is_v6 = rustix::net::sockopt::socket_domain(socket)? == rustix::net::AddressFamily::INET6;
    Ok(match to.ip() {
        IpAddr::V4(ip) if is_v6 => SocketAddr::new(ip.to_ipv6_mapped().into(), to.port()),
        _ => to,
    })
}

/// Lets a socket drop all it gets, or no more.
fn deaf(socket: &OwnedFd, deaf: bool) -> io::Result<()> {
    let nothing = libc::sock_filter { code: 0x06, jt: 0, jf: 0, k: 0 };
    let program = libc::sock_fprog { len: 1, filter: (&raw const nothing).cast_mut() };
    // SAFETY: the program is whole, and plain memory.
    let bytes = unsafe {
        std::slice::from_raw_parts((&raw const program).cast::<u8>(), size_of_val(&program))
    };
    let name = if deaf { libc::SO_ATTACH_FILTER } else { libc::SO_DETACH_FILTER };
    if set(socket, libc::SOL_SOCKET, name, bytes) {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// The number that the next byte of a connection will have.
fn sequence(near: &OwnedFd) -> io::Result<[u8; 4]> {
    let option = |name, value: i32| set(near, libc::IPPROTO_TCP, name, &value.to_ne_bytes());
    let mut sequence = [0; 4];
    let ready = option(TCP_REPAIR, REPAIR_ON) && option(TCP_REPAIR_QUEUE, SEND_QUEUE);
    let asked = match ready {
        true => get(near, libc::IPPROTO_TCP, TCP_QUEUE_SEQ, &mut sequence).map(drop),
        false => Err(io::Error::last_os_error()),
    };
    option(TCP_REPAIR, REPAIR_OFF);
    asked.map(|()| sequence)
}

/// A socket of the machine's own network, on the way to an address.
pub(super) fn outside(to: SocketAddr, is_stream: bool) -> io::Result<OwnedFd> {
    inside::socket(to.is_ipv6(), is_stream)
}

/// Whether the function's socket is connected, once `far` is ready to write.
pub(super) fn joined(far: &OwnedFd) -> io::Result<()> {
    socket_error(far.as_fd())?.map_err(Into::into)
}
