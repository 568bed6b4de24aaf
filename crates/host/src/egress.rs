//! What functions may reach besides the platform: a pure decision about an address.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where functions may connect to. The default is nowhere: the platform alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Egress {
    /// Public addresses.
    pub internet: bool,
    /// Further ones, by name.
    pub allow: Vec<Rule>,
}

/// Addresses that may be reached: `10.1.0.0/16`, `10.1.2.3:5432`, `[fd00::/8]:443`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    address: IpAddr,
    bits: u8,
    port: Option<u16>,
}

impl Egress {
    /// Whether nothing but the platform is reached.
    pub fn is_none(&self) -> bool {
        !self.internet && self.allow.is_empty()
    }

    /// Whether a function may connect there. `own` says that it is an address of this machine.
    ///
    /// A range never opens what is this machine's own, or what only its link knows, as the address
    /// of a cloud's metadata: those are opened by an address given alone.
    pub fn reaches(&self, to: SocketAddr, own: bool) -> bool {
        let ip = to.ip().to_canonical();
        let alone = own || is_near(ip);
        let named = |rule: &Rule| rule.covers(ip, to.port()) && (!alone || rule.is_one());
        self.allow.iter().any(named) || self.internet && !own && is_public(ip)
    }

    /// Whether something on this machine's loopback was named, which a function's own loopback
    /// hides otherwise.
    pub fn names(&self, to: SocketAddr) -> bool {
        let ip = to.ip().to_canonical();
        self.allow.iter().any(|rule| rule.is_one() && rule.covers(ip, to.port()))
    }
}

impl fmt::Display for Egress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.internet { "internet" } else { "none" })?;
        for (at, rule) in self.allow.iter().enumerate() {
            write!(f, "{} {rule}", if at == 0 { ", and" } else { "," })?;
        }
        Ok(())
    }
}

impl Rule {
    fn is_one(&self) -> bool {
        self.bits == if self.address.is_ipv4() { 32 } else { 128 }
    }

    /// Whether it is a range of addresses none of which a range can open.
    fn opens_nothing(&self) -> bool {
        let inside = |(near, bits): &(&str, u8)| {
            near.parse().is_ok_and(|near| self.bits >= *bits && within(self.address, near, *bits))
        };
        !self.is_one() && NEAR.iter().any(inside)
    }

    fn covers(&self, ip: IpAddr, port: u16) -> bool {
        self.port.is_none_or(|only| only == port) && within(ip, self.address, self.bits)
    }
}

impl FromStr for Rule {
    type Err = String;

    fn from_str(text: &str) -> Result<Rule, String> {
        let bad = || format!("{text:?} is no ADDRESS[/BITS][:PORT]; IPv6 has [] before a port");
        let (range, port) = match text.strip_prefix('[') {
            Some(rest) => match rest.split_once(']').ok_or_else(bad)? {
                (range, "") => (range, None),
                (range, port) => (range, Some(port.strip_prefix(':').ok_or_else(bad)?)),
            },
            None if text.matches(':').count() == 1 => {
                text.split_once(':').map(|(range, port)| (range, Some(port))).ok_or_else(bad)?
            }
            None => (text, None),
        };
        let port = port.map(|port| port.parse().map_err(|_| bad())).transpose()?;
        let (address, bits) = match range.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (range, None),
        };
        let address: IpAddr = address.parse().map_err(|_| bad())?;
        let all = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(all), |bits| bits.parse().map_err(|_| bad()))?;
        if bits > all || port == Some(0) {
            return Err(bad());
        }
        if address != masked(address, bits) {
            let range = masked(address, bits);
            return Err(format!("{text:?} has bits behind its range, which is {range}/{bits}"));
        }
        if address.to_canonical() != address {
            return Err(format!("{text:?} is an IPv4 address: write it as one"));
        }
        if address.is_unspecified() && bits == all || address.is_multicast() {
            return Err(format!("{text:?} is nobody's address"));
        }
        if bits == all && address.is_loopback() {
            let Some(port) = port else {
                return Err(format!(
                    "{text:?} would hide all that a function itself has on loopback: name a port"
                ));
            };
            if address == Ipv4Addr::LOCALHOST && INSIDE.contains(&port) {
                return Err(format!(
                    "{text:?} is each function's own: 53 answers for names, 9001 is the Runtime API"
                ));
            }
        }
        let rule = Rule { address, bits, port };
        if rule.opens_nothing() {
            return Err(format!(
                "{text:?} is of addresses of loopback or a link: name each of them alone"
            ));
        }
        Ok(rule)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rule { address, bits, port } = self;
        let range = if self.is_one() { address.to_string() } else { format!("{address}/{bits}") };
        match (port, address) {
            (None, _) => write!(f, "{range}"),
            (Some(port), IpAddr::V4(_)) => write!(f, "{range}:{port}"),
            (Some(port), IpAddr::V6(_)) => write!(f, "[{range}]:{port}"),
        }
    }
}

/// Ports of a function's own 127.0.0.1: the resolver, and the Runtime API.
const INSIDE: [u16; 2] = [53, 9001];

/// Ranges of loopback and of links.
const NEAR: [(&str, u8); 4] =
    [("0.0.0.0", 8), ("127.0.0.0", 8), ("169.254.0.0", 16), ("fe80::", 10)];

fn masked(ip: IpAddr, bits: u8) -> IpAddr {
    let bits = u32::from(bits);
    match ip {
        IpAddr::V4(ip) => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            Ipv4Addr::from_bits(ip.to_bits() & mask).into()
        }
        IpAddr::V6(ip) => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            Ipv6Addr::from_bits(ip.to_bits() & mask).into()
        }
    }
}

fn within(ip: IpAddr, range: IpAddr, bits: u8) -> bool {
    ip.is_ipv4() == range.is_ipv4() && masked(ip, bits) == range
}

/// Addresses that lead to this machine, its link, or to many: loopback, unspecified, link-local,
/// multicast, broadcast.
fn is_near(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            ip.octets()[0] == 0
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_multicast()
                || ip.is_broadcast()
        }
        IpAddr::V6(ip) => {
            ip.is_unspecified()
                || ip.is_loopback()
                || ip.is_unicast_link_local()
                || ip.is_multicast()
        }
    }
}

/// What is assigned to somebody on the internet: all but the ranges that IANA's registries of
/// special-purpose addresses do not call globally reachable, and but those that carry an IPv4
/// address inside (6to4, Teredo, NAT64), which a gateway might turn into a private one.
fn is_public(ip: IpAddr) -> bool {
    let special: &[(&str, u8)] = if ip.is_ipv4() { &SPECIAL_4 } else { &SPECIAL_6 };
    let is_special = |(range, bits): &(&str, u8)| {
        range.parse().is_ok_and(|range: IpAddr| within(ip, range, *bits))
    };
    let assigned = ip.is_ipv4() || within(ip, Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0).into(), 3);
    assigned && !special.iter().any(is_special)
}

const SPECIAL_4: [(&str, u8); 15] = [
    ("0.0.0.0", 8),
    ("10.0.0.0", 8),
    ("100.64.0.0", 10),
    ("127.0.0.0", 8),
    ("169.254.0.0", 16),
    ("172.16.0.0", 12),
    ("192.0.0.0", 24),
    ("192.0.2.0", 24),
    ("192.88.99.0", 24),
    ("192.168.0.0", 16),
    ("198.18.0.0", 15),
    ("198.51.100.0", 24),
    ("203.0.113.0", 24),
    ("224.0.0.0", 4),
    ("240.0.0.0", 4),
];
/// Within 2000::/3, outside of which nothing is assigned.
const SPECIAL_6: [(&str, u8); 4] =
    [("2001::", 23), ("2001:db8::", 32), ("2002::", 16), ("3fff::", 20)];

#[cfg(test)]
mod tests {
    use super::*;

    fn to(text: &str) -> SocketAddr {
        text.parse().unwrap_or_else(|_| SocketAddr::new(text.parse().unwrap(), 443))
    }

    fn egress(internet: bool, allow: &[&str]) -> Egress {
        Egress { internet, allow: allow.iter().map(|rule| rule.parse().unwrap()).collect() }
    }

    #[test]
    fn none_is_the_default_and_reaches_nothing() {
        assert!(Egress::default().is_none());
        assert!(!Egress::default().reaches(to("1.1.1.1"), false));
    }

    #[test]
    fn the_internet_is_what_is_public() {
        let internet = egress(true, &[]);
        for public in [
            "1.1.1.1",
            "172.15.0.1",
            "172.32.0.1",
            "100.128.0.1",
            "2606:4700::1111",
            "::ffff:1.1.1.1",
            "2001:4860::8888",
            "169.253.255.255",
            "223.255.255.255",
        ] {
            assert!(internet.reaches(to(public), false), "{public}");
        }
        for private in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.8.8.8",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.0.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "::10.0.0.1",
            "fe80::1",
            "fec0::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:20::1",
            "2001:db8::1",
            "2002:a00:1::",
            "3fff::1",
            "4000::1",
        ] {
            assert!(!internet.reaches(to(private), false), "{private}");
        }
        assert!(!internet.reaches(to("1.1.1.1"), true), "a public address of this machine");
    }

    #[test]
    fn what_is_named_is_reached_and_nothing_else() {
        let some = egress(false, &["10.1.0.0/16:5432", "[fd00::/8]:443", "192.168.1.7"]);
        for (address, reached) in [
            ("10.1.2.3:5432", true),
            ("10.1.2.3:5433", false),
            ("10.2.0.1:5432", false),
            ("[fd12::1]:443", true),
            ("[fd12::1]:80", false),
            ("192.168.1.7:1", true),
            ("192.168.1.8:1", false),
            ("1.1.1.1:443", false),
            ("[::ffff:10.1.2.3]:5432", true),
        ] {
            assert_eq!(some.reaches(to(address), false), reached, "{address}");
        }
    }

    #[test]
    fn a_range_does_not_open_this_machine_or_its_link() {
        let all = egress(true, &["0.0.0.0/0", "::/0"]);
        assert!(all.reaches(to("10.0.0.1"), false));
        assert!(!all.reaches(to("10.0.0.1"), true));
        for near in ["127.0.0.1", "::1", "169.254.169.254", "fe80::1", "224.0.0.1", "0.0.0.0"] {
            assert!(!all.reaches(to(near), false), "{near}");
        }
        let named = egress(false, &["127.0.0.1:5432", "169.254.169.254:80", "10.0.0.1"]);
        assert!(named.reaches(to("127.0.0.1:5432"), true));
        assert!(named.names(to("127.0.0.1:5432")) && !named.names(to("127.0.0.1:22")));
        assert!(!named.reaches(to("127.0.0.1:22"), true));
        assert!(named.reaches(to("169.254.169.254:80"), false));
        assert!(named.reaches(to("10.0.0.1"), true));
    }

    #[test]
    fn rules_are_written_as_they_are_read() {
        for text in [
            "10.0.0.0/8",
            "10.1.2.3",
            "10.1.2.3:80",
            "fd00::/8",
            "[fd00::/8]:443",
            "::/0",
            "[fd00::1]:5",
            "127.0.0.1:9002",
            "127.0.0.53:53",
            "[::1]:9001",
        ] {
            assert_eq!(text.parse::<Rule>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "10",
            "10.0.0.0/33",
            "10.0.0.1/8",
            "10.0.0.0/8:",
            "10.0.0.0/8:0",
            "10.0.0.0/8:70000",
            "fd00::/129",
            "[fd00::1",
            "[fd00::1]80",
            "example.com",
            "0.0.0.0",
            "[::]:80",
            "224.0.0.1",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "fe80::/10",
            "127.0.0.1",
            "127.0.0.53",
            "::1",
            "127.0.0.1:53",
            "127.0.0.1:9001",
            "::ffff:10.0.0.1",
            "10.0.0.0/-1",
        ] {
            assert!(text.parse::<Rule>().is_err(), "{text}");
        }
    }
}
