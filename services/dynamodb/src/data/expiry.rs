//! Time to live: an index of each such table's items in the order in which they expire.
//!
//! | kind | key                                                       | value           |
//! |------|-----------------------------------------------------------|-----------------|
//! | 10   | index number, due second, the item's key behind its table | nothing         |
//! | 11   | index number                                              | [`Index`]       |
//!
//! Each time that a table's time to live is switched on it gets an index with a number of its own,
//! so that what is left of an old one is never taken for the new.

use base::{AccountId, Region};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use store::{Key, Record, Tx};

use crate::data::{Table, items_key, space};
use crate::rules::expiry::due;
use crate::value::Item;

const KIND_DUE: u8 = 10;
const KIND_INDEX: u8 = 11;

/// What a table with time to live has in its record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Expiry {
    pub(crate) attribute: String,
    /// The number of its index.
    pub(crate) index: u64,
}

/// An index of due times.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Index {
    pub(crate) region: Region,
    pub(crate) table: String,
    /// The table's number.
    pub(crate) number: u64,
    /// How far the items have been entered that were there before the index.
    pub(crate) filled: Filled,
}

/// How far a walk through a table's items has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Filled {
    Nothing,
    /// Through the item with this key.
    Through(Bytes),
    Everything,
}

impl Record for Index {
    const VERSION: u8 = 1;
}

pub(crate) fn all_indexes_key(account: &AccountId) -> Key {
    space(account).key(KIND_INDEX)
}

pub(crate) fn index_key(account: &AccountId, index: u64) -> Key {
    all_indexes_key(account).u64(index)
}

/// The entries of an index.
pub(crate) fn entries_key(account: &AccountId, index: u64) -> Key {
    space(account).key(KIND_DUE).u64(index)
}

/// The entry of an item that expires at a second.
pub(crate) fn entry_key(
    account: &AccountId,
    index: u64,
    table: &Table,
    item: &Key,
    second: u64,
) -> Key {
    let local = &item.as_bytes()[items_key(account, table.number).len()..];
    let due = entries_key(account, index).u64(second);
    Key::from_bytes([&due.as_bytes()[..], local].concat())
}

/// The second and the item's key that an entry stands for.
pub(crate) fn entry(
    account: &AccountId,
    index: u64,
    number: u64,
    entry: &Key,
) -> store::Result<(u64, Key)> {
    let prefix = entries_key(account, index);
    let second = entry.after(&prefix)?.u64()?;
    let local = &entry.as_bytes()[prefix.clone().u64(second).len()..];
    let items = items_key(account, number);
    Ok((second, Key::from_bytes([&items.as_bytes()[..], local].concat())))
}

/// Moves an item's entry within the transaction that changes the item.
pub(crate) fn moved(tx: &Tx, table: &Table, key: &Key, old: Option<&Item>, new: Option<&Item>) {
    let Some(Expiry { attribute, index }) = &table.expiry else { return };
    let due = |item: Option<&Item>| item.and_then(|item| due(item, attribute));
    let (old, new) = (due(old), due(new));
    let at = |second| entry_key(tx.account(), *index, table, key, second);
    if let Some(old) = old.filter(|old| new != Some(*old)) {
        tx.delete(at(old));
    }
    if let Some(new) = new {
        tx.put(at(new), Bytes::new());
    }
}
