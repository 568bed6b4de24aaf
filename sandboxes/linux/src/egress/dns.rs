//! Names: a slot asks its own 127.0.0.1, and we ask the machine's resolvers.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;

use rustix::net::{RecvFlags, SendFlags};

/// Where a function asks.
pub(super) const INSIDE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 53);
const CONFIGURATION: &str = "/etc/resolv.conf";
/// As many as the C library looks at.
const RESOLVERS_MAX: usize = 3;
/// Questions of one slot that wait; the oldest makes room.
pub(super) const QUESTIONS_MAX: usize = 64;
/// How long an answer is waited for, in seconds: longer than who asks does.
pub(super) const ANSWER_SECONDS: u64 = 15;

/// A question that was passed on.
pub(super) struct Question {
    pub(super) slot: u64,
    pub(super) outer: OwnedFd,
    from: SocketAddr,
    pub(super) since: u64,
}

/// The machine's resolvers, as its configuration has them now.
pub(super) fn resolvers() -> Vec<SocketAddr> {
    parse(&fs::read_to_string(CONFIGURATION).unwrap_or_default())
}

fn parse(text: &str) -> Vec<SocketAddr> {
    let server = |line: &str| {
        let mut words = line.split_whitespace();
        let address =
            words.next().filter(|word| *word == "nameserver").and_then(|_| words.next())?;
        Some(SocketAddr::new(address.parse().ok()?, 53))
    };
    let found: Vec<_> = text.lines().filter_map(server).take(RESOLVERS_MAX).collect();
    if found.is_empty() { vec![INSIDE] } else { found }
}

/// Takes a question from inside and passes it on to a resolver.
pub(super) fn pass_on(
    slot: u64,
    inside: &OwnedFd,
    resolver: SocketAddr,
    scratch: &mut [u8],
) -> io::Result<Option<Question>> {
    let (got, _, from) = match rustix::net::recvfrom(inside, &mut *scratch, RecvFlags::empty()) {
        Ok(got) => got,
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let Some(from) = from.and_then(|from| SocketAddr::try_from(from).ok()) else { return Ok(None) };
    // A socket of its own, and so a port of chance: nobody else answers.
    let outer = super::flow::outside(resolver, false)?;
    rustix::net::connect(&outer, &resolver)?;
    rustix::net::send(&outer, &scratch[..got], SendFlags::NOSIGNAL)?;
    Ok(Some(Question { slot, outer, from, since: 0 }))
}

/// Brings the answer back.
///
/// # Errors
/// If the resolver cannot be asked.
pub(super) fn bring_back(asked: &Question, inside: &OwnedFd, scratch: &mut [u8]) -> io::Result<()> {
    let (got, _) = rustix::net::recv(&asked.outer, &mut *scratch, RecvFlags::empty())?;
    // Whoever asked may be gone.
    let _gone = rustix::net::sendto(inside, &scratch[..got], SendFlags::NOSIGNAL, &asked.from);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolvers_are_those_of_the_machine() {
        let text = "# comment\nsearch example.com\nnameserver 10.0.0.2\nnameserver fd00::53\n\
                    nameserver broken\noptions edns0\nnameserver 1.1.1.1\nnameserver 1.0.0.1\n";
        let expected = ["10.0.0.2:53", "[fd00::53]:53", "1.1.1.1:53"];
        assert_eq!(parse(text), expected.map(|to| to.parse().unwrap()));
        assert_eq!(parse(""), [INSIDE]);
    }
}
