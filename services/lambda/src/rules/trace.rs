//! The X-Ray header of an event. Whoever traces finds it in `_X_AMZN_TRACE_ID`, and on Lambda it is
//! always there and whole: libraries fail or complain where it is not.

use base::{Random, Time, hex};

const TRACE_BYTES: usize = 12;
const SEGMENT_BYTES: usize = 8;

/// What was given with what it lacks. Nothing is sampled unless the caller wants it.
pub(crate) fn header(given: Option<String>, now: Time, random: &dyn Random) -> String {
    let mut header = given.unwrap_or_default();
    let lacks = |header: &str, name: &str| {
        !header.split(';').any(|part| part.trim().strip_prefix(name).is_some_and(|v| v.len() > 1))
    };
    let add = |header: &mut String, name: &str, value: &dyn Fn() -> String| {
        if lacks(header, name) {
            let separator = if header.is_empty() { "" } else { ";" };
            *header += &format!("{separator}{name}={}", value());
        }
    };
    add(&mut header, "Root", &|| format!("1-{:08x}-{}", now.as_secs(), hex(random, TRACE_BYTES)));
    add(&mut header, "Parent", &|| hex(random, SEGMENT_BYTES));
    add(&mut header, "Sampled", &|| "0".to_owned());
    header
}

#[cfg(test)]
mod tests {
    use base::SystemRandom;

    use super::*;

    #[test]
    fn a_header_is_whole_and_keeps_what_was_given() {
        let of = |given: &str| {
            let given = Some(given.to_owned()).filter(|given| !given.is_empty());
            header(given, Time::from_millis(0x05e6_6d96_f000), &SystemRandom)
        };
        let fresh = of("");
        let parts: Vec<_> = fresh.split(['=', ';', '-']).collect();
        assert_eq!(parts[..2], ["Root", "1"]);
        assert_eq!((parts[3].len(), parts[4]), (24, "Parent"));
        assert_eq!((parts[5].len(), &parts[6..]), (16, &["Sampled", "0"][..]));
        assert_ne!(fresh, of(""));
        let whole = "Root=1-5e66d96f-a;Parent=b;Sampled=1;Lineage=c";
        assert_eq!(of(whole), whole);
        assert!(of("Root=1-5e66d96f-a").starts_with("Root=1-5e66d96f-a;Parent="));
        assert!(of("Self=x; Parent=b").starts_with("Self=x; Parent=b;Root=1-"));
        assert!(of("Root=;Sampled=1").contains(";Root=1-"));
    }
}
