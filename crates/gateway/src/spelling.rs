//! The names of headers as the client spelled them. The parser makes all of them lower-case and
//! keeps the spelling to itself; REST APIs pass it on, and handlers look names up by it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// The spellings of heads that were read and whose requests have not begun. There are never more
/// than the parser's buffer holds.
#[derive(Clone, Default)]
pub(crate) struct Spellings(Arc<Mutex<VecDeque<Spelling>>>);

impl Spellings {
    /// A head is whole.
    pub(crate) fn push(&self, spelling: Spelling) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(spelling);
    }

    /// The next request begins.
    pub(crate) fn next(&self) -> Spelling {
        let mut heads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heads.pop_front().unwrap_or_default()
    }
}

/// The names of a usual head.
const USUAL_BYTES: usize = 128;

/// The names of one head, each with a line end.
#[derive(Default)]
pub(crate) struct Spelling(Vec<u8>);

impl Spelling {
    /// Notes a name. One in lower case needs no note.
    pub(crate) fn note(&mut self, name: &[u8]) {
        if name.iter().any(u8::is_ascii_uppercase) {
            if self.0.capacity() == 0 {
                self.0.reserve(USUAL_BYTES);
            }
            self.0.extend_from_slice(name);
            self.0.push(b'\n');
        }
    }

    /// How the client spelled a name that is in lower case here.
    pub(crate) fn of<'a>(&'a self, name: &'a str) -> &'a str {
        let found = self.0.split(|byte| *byte == b'\n');
        let found = found.into_iter().find(|noted| noted.eq_ignore_ascii_case(name.as_bytes()));
        found.and_then(|noted| std::str::from_utf8(noted).ok()).unwrap_or(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_as_it_was_spelled() {
        let mut spelling = Spelling::default();
        for name in ["X-Api-KEY", "accept", "Host"] {
            spelling.note(name.as_bytes());
        }
        assert_eq!(spelling.of("x-api-key"), "X-Api-KEY");
        assert_eq!(spelling.of("accept"), "accept");
        assert_eq!(spelling.of("host"), "Host");
        assert_eq!(spelling.of("x-api"), "x-api");
    }
}
