//! Routes: whether an address is this machine's own, and how a slot's network comes to have one.

use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

const INET: u8 = 2;
const INET6: u8 = 10;
const NEWROUTE: u16 = 24;
const GETROUTE: u16 = 26;
const ERROR: u16 = 2;
const REQUEST: u16 = 1;
const ACKNOWLEDGE: u16 = 4;
const CREATE: u16 = 0x400;
/// Of routes: one address or many that belong to somebody else; to us.
const UNICAST: u8 = 1;
const LOCAL: u8 = 2;
const TABLE_LOCAL: u8 = 255;
const BOOT: u8 = 3;
const SCOPE_HOST: u8 = 254;
/// Attributes of a route: the destination, the device.
const DESTINATION: u16 = 1;
const DEVICE: u16 = 4;
/// The loopback device is the first of each network.
const LOOPBACK: u32 = 1;
/// Head of a message, and of a route.
const HEAD_BYTES: usize = 16;
const ROUTE_BYTES: usize = 12;
const ANSWER_BYTES_MAX: usize = 4096;

/// What is made to be here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    One,
    /// All addresses of the family.
    All,
}

/// Where the machine would send what is for an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// To itself.
    Own,
    Elsewhere,
}

/// Asks for the way to an address.
///
/// # Errors
/// If there is none, with the kernel's reason.
pub(super) fn way(to: IpAddr) -> io::Result<Way> {
    let (family, bits) = family(to);
    let answer = ask(GETROUTE, 0, [family, bits, 0, 0, 0, 0, 0, 0], &destination(to))?;
    match answer.get(HEAD_BYTES + 7) {
        Some(&UNICAST) => Ok(Way::Elsewhere),
        Some(&LOCAL) => Ok(Way::Own),
        _ => Err(io::Error::from_raw_os_error(libc::ENETUNREACH)),
    }
}

/// Says that an address is here, in the network the calling thread is in.
pub(super) fn add(to: IpAddr, route: Route) -> io::Result<()> {
    let mut attributes = attribute(DEVICE, &LOOPBACK.to_ne_bytes());
    let (family, bits) = family(to);
    let bits = if route == Route::All { 0 } else { bits };
    if route == Route::One {
        attributes.extend(destination(to));
    }
    let head = [family, bits, 0, 0, TABLE_LOCAL, BOOT, SCOPE_HOST, LOCAL];
    ask(NEWROUTE, ACKNOWLEDGE | CREATE, head, &attributes)?;
    Ok(())
}

/// The family of an address, and its bits.
fn family(of: IpAddr) -> (u8, u8) {
    match of {
        IpAddr::V4(_) => (INET, 32),
        IpAddr::V6(_) => (INET6, 128),
    }
}

fn destination(to: IpAddr) -> Vec<u8> {
    match to {
        IpAddr::V4(ip) => attribute(DESTINATION, &ip.octets()),
        IpAddr::V6(ip) => attribute(DESTINATION, &ip.octets()),
    }
}

/// One request about one route, and its answer.
fn ask(kind: u16, flags: u16, head: [u8; 8], attributes: &[u8]) -> io::Result<Vec<u8>> {
    let mut body = head.to_vec();
    body.extend([0; 4]);
    body.extend(attributes);
    let bytes = u32::try_from(HEAD_BYTES + body.len()).map_err(io::Error::other)?;
    let mut message = bytes.to_ne_bytes().to_vec();
    message.extend(kind.to_ne_bytes());
    message.extend((flags | REQUEST).to_ne_bytes());
    message.extend([0; 8]);
    message.extend(body);
    let socket = open()?;
    rustix::net::send(&socket, &message, SendFlags::empty())?;
    let mut answer = vec![0; ANSWER_BYTES_MAX];
    let (got, _) = rustix::net::recv(&socket, &mut answer[..], RecvFlags::empty())?;
    answer.truncate(got);
    let kind = answer.get(4..6).and_then(|kind| kind.try_into().ok()).map(u16::from_ne_bytes);
    if kind == Some(ERROR) {
        let error = answer.get(HEAD_BYTES..HEAD_BYTES + 4).and_then(|error| error.try_into().ok());
        match error.map_or(libc::EIO, |error| -i32::from_ne_bytes(error)) {
            0 | libc::EEXIST => {}
            error => return Err(io::Error::from_raw_os_error(error)),
        }
    } else if answer.len() < HEAD_BYTES + ROUTE_BYTES {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(answer)
}

fn open() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC;
    let (family, kind) = (AddressFamily::NETLINK, SocketType::RAW);
    Ok(rustix::net::socket_with(family, kind, flags, None)?)
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let bytes = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    [&bytes.to_ne_bytes(), &kind.to_ne_bytes(), value].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_our_own() {
        assert_eq!(way("127.0.0.1".parse().unwrap()).unwrap(), Way::Own);
        assert_eq!(way("127.99.1.1".parse().unwrap()).unwrap(), Way::Own);
        assert!(way("255.255.255.255".parse().unwrap()).is_err());
        assert!(way("239.0.0.1".parse().unwrap()).is_err());
    }
}
