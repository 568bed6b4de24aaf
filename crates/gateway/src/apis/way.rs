//! What API Gateway tells a function of a request's way to it, in headers of its own.

use base::{Random, Time};
use http::HeaderMap;

use crate::listen::Origin;

/// The names, in the spelling of REST APIs and of HTTP APIs.
const NAMES: [(&str, &str); 4] = [
    ("X-Forwarded-For", FOR),
    ("X-Forwarded-Port", "x-forwarded-port"),
    ("X-Forwarded-Proto", "x-forwarded-proto"),
    ("X-Amzn-Trace-Id", TRACE),
];
const FOR: &str = "x-forwarded-for";
const TRACE: &str = "x-amzn-trace-id";

/// The values of these headers, in their order.
pub(super) struct Way([String; NAMES.len()]);

impl Way {
    /// A client may say whom it asks for, and which trace the request belongs to; port and
    /// protocol are ours to say.
    pub(super) fn new(origin: &Origin, headers: &HeaderMap, now: Time, random: &dyn Random) -> Way {
        let mut forwarded_for = String::new();
        for before in headers.get_all(FOR).iter().filter_map(|value| value.to_str().ok()) {
            forwarded_for.push_str(before);
            forwarded_for.push_str(", ");
        }
        forwarded_for.push_str(&origin.peer.to_string());
        let trace = headers.get(TRACE).and_then(|trace| trace.to_str().ok()).map_or_else(
            || format!("Root=1-{:08x}-{}", now.as_secs(), base::hex(random, 12)),
            str::to_owned,
        );
        Way([forwarded_for, origin.port.to_string(), "http".to_owned(), trace])
    }

    /// What a function gets as `_X_AMZN_TRACE_ID` too.
    pub(super) fn trace(&self) -> &str {
        &self.0[3]
    }

    /// The headers, spelled as a REST API or as an HTTP API spells them.
    pub(super) fn named(&self, is_rest: bool) -> impl Iterator<Item = (&'static str, &str)> {
        let name = move |(rest, http)| if is_rest { rest } else { http };
        NAMES.iter().zip(&self.0).map(move |(names, value)| (name(*names), value.as_str()))
    }
}

/// Whether a header of the client is replaced by one of these.
pub(super) fn replaces(name: &str) -> bool {
    name.starts_with("x-") && NAMES.iter().any(|(_, known)| *known == name)
}

#[cfg(test)]
mod tests {
    use base::SeededRandom;
    use http::{HeaderName, HeaderValue};

    use super::*;
    use crate::spelling::Spelling;

    fn way(headers: &[(&'static str, &'static str)]) -> Way {
        let origin =
            Origin { peer: [10, 0, 0, 1].into(), port: 4566, spelling: Spelling::default() };
        let header = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        let headers: HeaderMap = headers.iter().map(header).collect();
        Way::new(&origin, &headers, Time::from_millis(0x5e_66_d9_6f * 1000), &SeededRandom::new(1))
    }

    #[test]
    fn a_trace_begins_here_unless_the_client_has_one() {
        let own = way(&[]);
        let rest = own.trace().strip_prefix("Root=1-5e66d96f-").unwrap();
        assert_eq!(rest.len(), 24);
        assert!(rest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{rest}");
        assert_eq!(way(&[(TRACE, "Root=1-a-b;Parent=c")]).trace(), "Root=1-a-b;Parent=c");
    }

    #[test]
    fn the_last_address_is_that_of_the_connection() {
        let first = |way: &Way| way.named(false).next().unwrap().1.to_owned();
        assert_eq!(first(&way(&[])), "10.0.0.1");
        assert_eq!(first(&way(&[(FOR, "1.1.1.1, 2.2.2.2")])), "1.1.1.1, 2.2.2.2, 10.0.0.1");
        assert_eq!(
            first(&way(&[(FOR, "1.1.1.1"), (FOR, "2.2.2.2")])),
            "1.1.1.1, 2.2.2.2, 10.0.0.1"
        );
    }

    #[test]
    fn port_and_protocol_are_not_the_clients_to_say() {
        let way = way(&[("x-forwarded-port", "1"), ("x-forwarded-proto", "https")]);
        let plain: Vec<_> = way.named(false).take(3).skip(1).collect();
        assert_eq!(plain, [("x-forwarded-port", "4566"), ("x-forwarded-proto", "http")]);
        assert!(way.named(true).all(|(name, _)| replaces(&name.to_ascii_lowercase())));
        assert!(!replaces("x-forwarded-host"));
    }
}
