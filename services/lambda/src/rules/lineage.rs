//! How often an event has passed each function, as its trace says: `Root=…;Parent=…;Sampled=…;
//! Lineage=<function>:<times>|<function>:<times>`. Functions get it with their event, SDKs send it
//! along with what functions ask for, and queues, topics and asynchronous events keep it.

use base::Arn;
use sha2::{Digest as _, Sha256};

/// How often one event may pass a function before it counts as a loop; SEMANTICS 1.3.
pub(crate) const PASSES_MAX: u32 = 16;
/// Functions kept in a lineage. Beyond it, the one passed least is forgotten.
const FUNCTIONS_MAX: usize = 16;
/// Bytes of a function's name in a lineage, written in hexadecimal.
const NAME_BYTES: usize = 4;

/// How often the event has passed the function, of whatever version.
pub(crate) fn passes(trace: Option<&str>, function: &Arn) -> u32 {
    let name = name(function);
    let all = trace.map(lineage).unwrap_or_default();
    all.into_iter().find(|(known, _)| *known == name).map_or(0, |(_, times)| times)
}

/// The trace of an event that passes the function once more.
pub(crate) fn pass(trace: &str, function: &Arn) -> String {
    let is_other = |part: &&str| value(part, "Lineage").is_none();
    let mut parts: Vec<String> = parts(trace).filter(is_other).map(str::to_owned).collect();
    let mut all = lineage(trace);
    let name = name(function);
    let before = all.iter().position(|(known, _)| *known == name).map(|at| all.remove(at));
    if all.len() >= FUNCTIONS_MAX
        && let Some(least) = (0..all.len()).min_by_key(|at| all[*at].1)
    {
        all.remove(least);
    }
    all.push((name, before.map_or(0, |(_, times)| times).saturating_add(1)));
    let all: Vec<String> = all.iter().map(|(name, times)| format!("{name}:{times}")).collect();
    parts.push(format!("Lineage={}", all.join("|")));
    parts.join(";")
}

/// The functions of a trace's lineage. What cannot be read is nothing of ours.
fn lineage(trace: &str) -> Vec<(String, u32)> {
    let listed = parts(trace).find_map(|part| value(part, "Lineage")).unwrap_or_default();
    let read = |one: &str| {
        let (name, times) = one.split_once(':')?;
        let is_name = name.len() == 2 * NAME_BYTES && name.bytes().all(|b| b.is_ascii_hexdigit());
        Some((name.to_owned(), times.parse().ok().filter(|_| is_name)?))
    };
    listed.split('|').filter_map(read).take(FUNCTIONS_MAX).collect()
}

fn parts(trace: &str) -> impl Iterator<Item = &str> {
    trace.split(';').map(str::trim).filter(|part| !part.is_empty())
}

fn value<'a>(part: &'a str, name: &str) -> Option<&'a str> {
    let (given, value) = part.split_once('=')?;
    given.eq_ignore_ascii_case(name).then_some(value)
}

/// A function in few characters: the trace goes along with every message.
fn name(function: &Arn) -> String {
    let resource: Vec<&str> = function.resource.splitn(3, ':').take(2).collect();
    let whole = format!("{}:{}:{}", function.region, function.account, resource.join(":"));
    let digest = Sha256::digest(whole.as_bytes());
    digest[..NAME_BYTES].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(name: &str) -> Arn {
        format!("arn:aws:lambda:us-east-1:000000000000:function:{name}").parse().unwrap()
    }

    #[test]
    fn a_trace_is_carried_on() {
        let own = name(&function("a"));
        let given = "Root=1-a-b;Parent=c;Sampled=1;Self=x";
        let first = pass(given, &function("a"));
        assert_eq!(first, format!("{given};Lineage={own}:1"));
        assert_eq!(pass(&first, &function("a")), format!("{given};Lineage={own}:2"));
    }

    #[test]
    fn each_function_is_counted_whatever_its_version() {
        let mut trace = String::new();
        for name in ["a", "b", "a:7", "a:live", "b"] {
            trace = pass(&trace, &function(name));
        }
        let passes = |name| passes(Some(&trace), &function(name));
        assert_eq!((passes("a"), passes("a:1"), passes("b"), passes("c")), (3, 3, 2, 0));
    }

    #[test]
    fn what_is_no_lineage_counts_nothing_and_a_long_one_forgets_the_least() {
        for odd in ["", "x", "Lineage=", "Lineage=1:2:3|zz:1|a87bd80c:x", "Lineage=|:|a:1"] {
            assert_eq!(lineage(odd), [], "{odd}");
        }
        let mut trace = pass("", &function("loop"));
        for at in 0..100 {
            trace = pass(&trace, &function(&format!("f{at}")));
            trace = pass(&trace, &function("loop"));
        }
        assert_eq!(passes(Some(&trace), &function("loop")), 101);
        assert!(trace.len() < 350, "{trace}");
    }
}
