//! What is stored. All of it lies in one shard: logs need no transactions.
//!
//! | kind | key | value |
//! |---|---|---|
//! | 1 | account, region, group | [`Group`] |
//! | 2 | account, region, group, stream | [`Stream`] |
//! | 3 | account, region, group, number of the first line u64, part u8 | part of a block |
//! | 5 | minute since 1970 u64, account, region, function | [`Minute`](crate::metrics::Minute) |
//! | 4 | number of the first line u64 | [`Aged`]: which block it is, oldest first |
//!
//! Lines are numbered by one sequence for all groups, so numbers order by time.

use base::{AccountId, Region, Time};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use store::{Key, Record, Space};

use crate::{FunctionName, GroupName, StreamName};

const GROUP: u8 = 1;
const STREAM: u8 = 2;
const BLOCK: u8 = 3;
const AGE: u8 = 4;
const MINUTE: u8 = 5;

/// A log group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Group {
    pub created: Time,
    /// Compressed bytes of its blocks.
    pub bytes: u64,
}

impl Record for Group {
    const VERSION: u8 = 1;
}

/// A log stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stream {
    pub created: Time,
    /// Times of the first and the last line, where there is one.
    pub lines: Option<(Time, Time)>,
}

impl Record for Stream {
    const VERSION: u8 = 1;
}

/// One part of a block; a block may be larger than a value may be.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Part {
    /// How many parts the block has.
    pub(crate) parts: u8,
    pub(crate) bytes: Bytes,
}

impl Record for Part {
    const VERSION: u8 = 1;
}

/// A block in the order in which blocks are forgotten.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Aged {
    pub(crate) account: AccountId,
    pub(crate) region: Region,
    pub(crate) group: String,
    pub(crate) parts: u8,
    pub(crate) bytes: u64,
}

impl Record for Aged {
    const VERSION: u8 = 1;
}

/// The one shard.
pub(crate) fn shard() -> AccountId {
    "000000000000".parse().expect("twelve digits")
}

fn kind(kind: u8) -> Key {
    Space::new(&shard(), "telemetry").key(kind)
}

fn within(key: Key, name: &GroupName) -> Key {
    key.str(name.account.as_str()).str(name.region.as_str()).str(&name.name)
}

/// The prefix of all groups of an account and region.
pub(crate) fn groups_key(account: &AccountId, region: &Region) -> Key {
    kind(GROUP).str(account.as_str()).str(region.as_str())
}

pub(crate) fn group_key(name: &GroupName) -> Key {
    within(kind(GROUP), name)
}

/// The prefix of all streams of a group.
pub(crate) fn streams_key(name: &GroupName) -> Key {
    within(kind(STREAM), name)
}

pub(crate) fn stream_key(name: &StreamName) -> Key {
    streams_key(&name.group).str(&name.name)
}

/// The prefix of all blocks of a group.
pub(crate) fn blocks_key(name: &GroupName) -> Key {
    within(kind(BLOCK), name)
}

/// The prefix of all blocks' places in the order of age.
pub(crate) fn ages_key() -> Key {
    kind(AGE)
}

/// The prefix of all minutes of all functions.
pub(crate) fn minutes_key() -> Key {
    kind(MINUTE)
}

pub(crate) fn minute_key(minute: u64, of: &FunctionName) -> Key {
    minutes_key().u64(minute).str(of.account.as_str()).str(of.region.as_str()).str(&of.name)
}

/// What [`minute_key`] made a key of.
pub(crate) fn minute_of(key: &Key) -> store::Result<(u64, FunctionName)> {
    let mut elements = key.after(&minutes_key())?;
    let minute = elements.u64()?;
    let broken = |_| store::Error::corrupt(key.to_string(), "not a function's");
    let account = elements.str()?.parse().map_err(|_| broken(()))?;
    let region = elements.str()?.parse().map_err(|_| broken(()))?;
    Ok((minute, FunctionName { account, region, name: elements.str()? }))
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use store::{decode, encode};

    use super::*;
    use crate::metrics::{Minute, Stat};

    /// What was written by the first version is read by every later one.
    fn check<R: Record + PartialEq + Debug>(record: &R, bytes: &[u8]) {
        let key = Key::from_bytes("fixture");
        assert_eq!(decode::<R>(&key, bytes).unwrap(), *record);
        assert_eq!(encode(record).unwrap(), bytes, "a new form needs a new version and fixture");
    }

    #[test]
    fn records_read_their_old_bytes() {
        let created = Time::from_millis(1_700_000_000_000);
        let group = Group { created, bytes: 7 };
        check(&group, include_bytes!("../tests/fixtures/group.v1"));
        let stream = Stream { created, lines: Some((created, created)) };
        check(&stream, include_bytes!("../tests/fixtures/stream.v1"));
        let part = Part { parts: 2, bytes: Bytes::from_static(b"\x00\xff") };
        check(&part, include_bytes!("../tests/fixtures/part.v1"));
        let aged = Aged {
            account: "000000000000".parse().unwrap(),
            region: "us-east-1".parse().unwrap(),
            group: "/aws/lambda/f".into(),
            parts: 2,
            bytes: 7,
        };
        check(&aged, include_bytes!("../tests/fixtures/aged.v1"));
        let stat = Stat { count: 2, sum: 3.5, min: 1.0, max: 2.5 };
        let minute = Minute { stats: vec![(1, stat), (4, stat)] };
        check(&minute, include_bytes!("../tests/fixtures/minute.v1"));
    }
}
