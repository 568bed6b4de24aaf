//! What items were before they were written: of tables with point-in-time recovery, and of tables
//! that are being copied.
//!
//! | kind | key                                                       | value           |
//! |------|-----------------------------------------------------------|-----------------|
//! | 12   | table number, sequence number, the item's key behind its table | [`Past`]   |
//! | 13   | table number                                              | [`Recorded`]    |

use base::{AccountId, Region};
use serde::{Deserialize, Serialize};
use store::{Key, KeyRange, Record, Tx};

use crate::data::{Stored, Table, items_key, space};
use crate::error::Error;

const KIND_PAST: u8 = 12;
const KIND_RECORDED: u8 = 13;

/// An item as it was before one write.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Past {
    /// `None`: there was no item.
    pub(crate) old: Option<Stored>,
}

impl Record for Past {
    const VERSION: u8 = 1;
}

/// A table that has a history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Recorded {
    pub(crate) region: Region,
    pub(crate) table: String,
}

impl Record for Recorded {
    const VERSION: u8 = 1;
}

/// Notes that a table has a history from now on, so that it is found again when it has none.
pub(crate) fn begin(tx: &Tx, region: &Region, table: &Table) -> Result<(), Error> {
    let recorded = Recorded { region: region.clone(), table: table.name.clone() };
    Ok(tx.put_record(recorded_key(tx.account(), table.number), &recorded)?)
}

pub(crate) fn all_recorded_key(account: &AccountId) -> Key {
    space(account).key(KIND_RECORDED)
}

pub(crate) fn recorded_key(account: &AccountId, number: u64) -> Key {
    all_recorded_key(account).u64(number)
}

/// The history of a table.
pub(crate) fn past_key(account: &AccountId, number: u64) -> Key {
    space(account).key(KIND_PAST).u64(number)
}

/// The part of a table's history from a sequence number on.
pub(crate) fn since(account: &AccountId, number: u64, sequence: u64) -> KeyRange {
    let all = past_key(account, number);
    all.prefix().from(all.u64(sequence))
}

/// The part of a table's history before a sequence number.
pub(crate) fn before(account: &AccountId, number: u64, sequence: u64) -> KeyRange {
    let all = past_key(account, number);
    all.prefix().before(all.u64(sequence))
}

/// The key of the same item in another table, or in a backup.
pub(crate) fn item_of(account: &AccountId, number: u64, past: &Key, to: u64) -> store::Result<Key> {
    let all = past_key(account, number);
    let sequence = past.after(&all)?.u64()?;
    let local = &past.as_bytes()[all.u64(sequence).len()..];
    Ok(Key::from_bytes([&items_key(account, to).as_bytes()[..], local].concat()))
}

/// Keeps what an item was, within the transaction that changes it and before it is changed. The
/// transaction must have read `old`. `sequence` must have been given to this attempt: of two
/// writes of one item the later one then has the larger number.
pub(crate) fn keep(
    tx: &Tx,
    table: &Table,
    key: &Key,
    old: Option<&Stored>,
    sequence: u64,
) -> Result<(), Error> {
    let local = &key.as_bytes()[items_key(tx.account(), table.number).len()..];
    let at = past_key(tx.account(), table.number).u64(sequence);
    let at = Key::from_bytes([&at.as_bytes()[..], local].concat());
    let old = old.map(|old| old.copied(tx, &at));
    Ok(tx.put_record(at, &Past { old })?)
}
