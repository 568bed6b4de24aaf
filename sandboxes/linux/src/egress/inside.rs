//! Sockets inside of slots: a thread goes from one network namespace to the next and makes them.
//!
//! A thread of its own, because where we are no superuser there is no way back to the network of
//! the machine, in which all others stay.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::sync::mpsc::{Receiver, Sender, channel};

use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto};

use super::closer::{Closer, Shared};
use super::route::{self, Route};
use crate::sys;

/// What is wanted of the thread.
struct Wanted {
    namespace: OwnedFd,
    make: Make,
}

enum Make {
    Pair { is_v6: bool, is_stream: bool, to: SocketAddr, route: Option<Route> },
    Resolver,
}

/// The thread.
pub(super) struct Inside {
    wanted: Sender<Wanted>,
    made: Receiver<io::Result<Vec<OwnedFd>>>,
    closer: Closer,
}

/// Two sockets of one slot, that are to be connected with each other.
pub(super) struct Pair {
    /// What the function will have.
    pub(super) near: Shared,
    /// Our end, at the address that the function wants to reach.
    pub(super) far: OwnedFd,
}

impl Inside {
    pub(super) fn start(closer: Closer) -> io::Result<Inside> {
        let (wanted, wants) = channel::<Wanted>();
        let (makes, made) = channel();
        std::thread::Builder::new().name("inside".into()).spawn(move || {
            // Between slots it is in a network of its own, so as to keep nobody's alive.
            let home = sys::unshare(libc::CLONE_NEWNET)
                .and_then(|()| Ok(OwnedFd::from(std::fs::File::open("/proc/thread-self/ns/net")?)));
            for Wanted { namespace, make } in wants {
                let result =
                    home.as_ref().map_err(|error| io::Error::new(error.kind(), error.to_string()));
                let result = result.and_then(|home| {
                    enter(&namespace)?;
                    let made = make.make();
                    enter(home)?;
                    made
                });
                if makes.send(result).is_err() {
                    return;
                }
            }
        })?;
        Ok(Inside { wanted, made, closer })
    }

    fn ask(&self, namespace: &OwnedFd, make: Make) -> io::Result<Vec<OwnedFd>> {
        let gone = || io::Error::other("the thread has ended");
        let namespace = namespace.try_clone()?;
        self.wanted.send(Wanted { namespace, make }).map_err(|_| gone())?;
        self.made.recv().map_err(|_| gone())?
    }

    /// Two sockets in a slot's network, the far one at the address `to`. The first time an address
    /// is reached its network needs a `route`.
    pub(super) fn pair(
        &self,
        namespace: &OwnedFd,
        (is_v6, is_stream): (bool, bool),
        to: SocketAddr,
        route: Option<Route>,
    ) -> io::Result<Pair> {
        let made = self.ask(namespace, Make::Pair { is_v6, is_stream, to, route })?;
        let [near, far] = made.try_into().map_err(|_| io::ErrorKind::InvalidData)?;
        Ok(Pair { near: self.closer.share(near), far })
    }

    /// A socket in a slot's network that takes questions about names.
    pub(super) fn resolver(&self, namespace: &OwnedFd) -> io::Result<OwnedFd> {
        let made = self.ask(namespace, Make::Resolver)?;
        made.into_iter().next().ok_or_else(|| io::ErrorKind::InvalidData.into())
    }
}

fn enter(namespace: &OwnedFd) -> io::Result<()> {
    // SAFETY: no memory is involved.
    sys::check(unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) }.into()).map(drop)
}

impl Make {
    fn make(self) -> io::Result<Vec<OwnedFd>> {
        match self {
            Make::Pair { is_v6, is_stream, to, route } => {
                if let Some(route) = route {
                    route::add(to.ip(), route)?;
                }
                let near = socket(is_v6, is_stream)?;
                let far = socket(to.is_ipv6(), is_stream)?;
                rustix::net::sockopt::set_socket_reuseaddr(&far, true)?;
                free_bind(&far, to.ip());
                rustix::net::bind(&far, &to)?;
                Ok(vec![near, far])
            }
            Make::Resolver => {
                let socket = socket(false, false)?;
                rustix::net::bind(&socket, &super::dns::INSIDE)?;
                Ok(vec![socket])
            }
        }
    }
}

pub(super) fn socket(is_v6: bool, is_stream: bool) -> io::Result<OwnedFd> {
    let family = if is_v6 { AddressFamily::INET6 } else { AddressFamily::INET };
    let (kind, protocol) = match is_stream {
        true => (SocketType::STREAM, ipproto::TCP),
        false => (SocketType::DGRAM, ipproto::UDP),
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(rustix::net::socket_with(family, kind, flags, Some(protocol))?)
}

/// Lets a socket be at an address that no device has: the route alone says that it is here.
fn free_bind(far: &OwnedFd, ip: IpAddr) {
    const IPV6_FREEBIND: libc::c_int = 78;
    let (level, name) = match ip {
        IpAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_FREEBIND),
        IpAddr::V6(_) => (libc::IPPROTO_IPV6, IPV6_FREEBIND),
    };
    // If it cannot be set, binding says so.
    super::caller::set(far, level, name, &1i32.to_ne_bytes());
}
