//! Numbers that grow, over restarts too, whatever the machine's clock says.
//!
//! Numbers go by the clock, and what is stored is found by them: one that is given again would
//! take the place of another record. So a commit that holds a number beyond the stored mark moves
//! the mark in the same batch, a moment ahead, and a store begins behind its marks.

use std::time::Duration;

use base::{AccountId, Sequence};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::tx::scan_all;
use crate::{Dir, Engine, Key, KeyRange, Record, Result, Space, decode};

/// Key kind: account, `store`, 2 → the mark. Persisted, never reused.
const KIND_MARK: u8 = 2;
/// How far ahead a mark is. More writes fewer marks; and by so much a restart that follows at once
/// may be ahead of the clock.
const AHEAD: Duration = Duration::from_millis(100);

/// No number stored in the account is larger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    pub(crate) number: u64,
}

impl Record for Mark {
    const VERSION: u8 = 1;
}

impl Mark {
    /// The mark for all numbers up to `last`.
    pub(crate) fn beyond(last: u64) -> Mark {
        Mark { number: Sequence::first_at(Sequence::time_of(last) + AHEAD) }
    }

    pub(crate) fn encode(self) -> Bytes {
        crate::encode(&self).expect("a number can be written")
    }
}

pub(crate) fn key(account: &AccountId) -> Key {
    Space::new(account, "store").key(KIND_MARK)
}

/// A sequence that begins behind the marks of all accounts.
pub(crate) async fn open(engine: &dyn Engine) -> Result<Sequence> {
    let numbers = Sequence::default();
    let mut accounts = KeyRange::new(Key::from_bytes("0"), Key::from_bytes(":"));
    while let Some((first, _)) = scan_all(engine, accounts.clone(), Dir::Forward, 1).await?.pop() {
        let account = first.account()?;
        let key = key(&account);
        if let Some(stored) = engine.get(&key).await? {
            numbers.raise(decode::<Mark>(&key, &stored)?.number);
        }
        accounts = accounts.from(Key::of_account(&account).prefix().end);
    }
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_written_before_are_read() {
        let key = key(&"000000000000".parse().unwrap());
        let (written, mark) = (
            b"\x01\xfbo\xc2\x18\x81\xa6number\xcf\x00\x00\x04\x00\x00\x00\x00\x00",
            Mark { number: 1 << 42 },
        );
        assert_eq!(decode::<Mark>(&key, written).unwrap(), mark);
        assert_eq!(mark.encode()[..], written[..]);
    }

    #[test]
    fn a_mark_is_beyond_every_number_of_its_millisecond() {
        for last in [0, 1, (1 << 22) - 1, 1 << 22, u64::MAX >> 1] {
            assert!(Mark::beyond(last).number > last, "{last}");
        }
    }
}
