//! What is known of a slot that reaches out.

use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;

use rustix::process::{Pid, PidfdFlags};

use super::caller::Socket;
use super::dns;
use super::route::Route;

/// Addresses a slot's network has routes for. Beyond it has one for all.
const ROUTES_MAX: usize = 4_096;

pub(super) struct Slot {
    /// With its first process a slot ends.
    first: OwnedFd,
    /// Where it asks for names, once it has.
    pub(super) names: Option<OwnedFd>,
    pub(super) flows: usize,
    routes: HashSet<IpAddr>,
    /// Which of the resolvers is asked.
    asks: usize,
}

impl Slot {
    /// The slot of a caller that waits.
    pub(super) fn of(pid: i32, socket: &Socket) -> io::Result<Slot> {
        let gone = || io::Error::from(io::ErrorKind::NotFound);
        let first = crate::processes::first_above(pid).and_then(Pid::from_raw).ok_or_else(gone)?;
        let opened = rustix::process::pidfd_open(first, PidfdFlags::empty())?;
        let network = format!("/proc/{}/ns/net", first.as_raw_nonzero());
        // The number may be another's by now.
        if rustix::fs::stat(network)?.st_ino != socket.slot {
            return Err(gone());
        }
        Ok(Slot { first: opened, names: None, flows: 0, routes: HashSet::new(), asks: 0 })
    }

    pub(super) fn first(&self) -> &OwnedFd {
        &self.first
    }

    /// The route that its network lacks to reach an address.
    pub(super) fn route_to(&mut self, ip: IpAddr) -> Option<Route> {
        if self.routes.contains(&ip) {
            return None;
        }
        if self.routes.len() >= ROUTES_MAX {
            return Some(Route::All);
        }
        self.routes.insert(ip);
        Some(Route::One)
    }

    /// Who is asked for names.
    pub(super) fn resolver(&self) -> SocketAddr {
        let resolvers = dns::resolvers();
        resolvers[self.asks % resolvers.len()]
    }

    /// The one that was asked is not there.
    pub(super) fn ask_another(&mut self) {
        self.asks = self.asks.wrapping_add(1);
    }
}
