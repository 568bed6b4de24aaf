//! Records and keys.
//!
//! | kind | key                                               | value              |
//! |------|---------------------------------------------------|--------------------|
//! | 1    | region, table name                                | [`Table`]          |
//! | 2    | table number, SHA-256 of partition key, sort key  | [`Stored`] item    |
//! | 3    | table number                                      | [`Doomed`]         |
//! | 4    | table number, index number, SHA-256 of the index's partition key, [place][index] | [`Stored`] entry |
//! | 5    | table number, index number                        | [`index::Work`]    |
//! | 6    | stream number, shard (u8), number                 | [`stream::Change`] |
//! | 7    | region, table name, label                         | [`stream::Stream`] |
//! | 10.. | see [`expiry`], [`history`], [`copy`], [`policy`] |                    |
//! | 20   | region, token of a request                        | [`token::Token`]   |
//!
//! A table's items are found by its number, not its name: a table deleted and made again under
//! the same name shares nothing with the old one, whose items are removed in the background. The
//! sort key stands at the end of the key as plain bytes, so that a query is one range.

mod cache;
pub(crate) mod copy;
pub(crate) mod expiry;
pub(crate) mod history;
pub(crate) mod index;
pub(crate) mod policy;
pub(crate) mod stream;
pub(crate) mod token;

use std::collections::BTreeMap;

use base::{AccountId, Region, Time};
use bytes::Bytes;
use kit::Ctx;
use serde::{Deserialize, Serialize};
use store::{BODY_INLINE_BYTES_MAX, Body, Key, KeyRange, Record, Space, Staged, Store, Tx};

pub(crate) use crate::data::cache::Tables;
use crate::data::expiry::Expiry;
use crate::data::index::Index;
use crate::data::stream::OfTable;
use crate::error::Error;
use crate::item;
use crate::item::packed::Packed;
use crate::rules::PrimaryKey;
use crate::value::Item;

const KIND_TABLE: u8 = 1;
const KIND_ITEM: u8 = 2;
const KIND_DOOMED: u8 = 3;
const KIND_ENTRY: u8 = 4;
const KIND_INDEX_WORK: u8 = 5;
const KIND_CHANGE: u8 = 6;
const KIND_STREAM: u8 = 7;

/// How often an item is read again whose body was replaced while we fetched it.
const LOADS_MAX: usize = 8;

/// A table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Table {
    pub(crate) name: String,
    /// What its items are found by.
    pub(crate) number: u64,
    /// `TableId`.
    pub(crate) id: String,
    pub(crate) created: Time,
    pub(crate) schema: Schema,
    pub(crate) settings: Settings,
    pub(crate) tags: BTreeMap<String, String>,
    /// It has, or had, an item whose content is a blob. Until then a write need not look at what
    /// it replaces.
    pub(crate) large: bool,
    /// Its secondary indexes, in the order of their making.
    #[serde(default)]
    pub(crate) indexes: Vec<Index>,
    #[serde(default)]
    pub(crate) stream: Option<OfTable>,
    /// Its time to live, if it is on.
    #[serde(default)]
    pub(crate) expiry: Option<Expiry>,
    /// When time to live was last switched.
    #[serde(default)]
    pub(crate) expiry_changed: Option<Time>,
    /// Its point-in-time recovery, if it is on.
    #[serde(default)]
    pub(crate) recovery: Option<Recovery>,
    /// The copies that are being made of it, and the sequence number of the first write that each
    /// does not show.
    #[serde(default)]
    pub(crate) copies: BTreeMap<u64, u64>,
    /// What it is being restored from. Its items are not all there yet.
    #[serde(default)]
    pub(crate) restored: Option<Restored>,
}

/// The point-in-time recovery of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Recovery {
    /// Since when there is a history.
    pub(crate) since: Time,
    pub(crate) days: u64,
}

/// What a table is being restored from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Restored {
    /// The moment it shows.
    pub(crate) at: Time,
    pub(crate) table_arn: String,
    pub(crate) backup_arn: Option<String>,
}

impl Table {
    /// Whether what an item was is kept when it is written.
    pub(crate) fn is_recorded(&self) -> bool {
        self.recovery.is_some() || !self.copies.is_empty()
    }

    /// Whether a write must know what it replaces.
    pub(crate) fn needs_old(&self) -> bool {
        let follows = !self.indexes.is_empty() || self.open_stream().is_some();
        self.large || follows || self.expiry.is_some() || self.is_recorded()
    }

    /// Whether its items are still being restored.
    pub(crate) fn is_creating(&self) -> bool {
        self.restored.is_some()
    }
}

impl Record for Table {
    const VERSION: u8 = 1;
}

impl Table {
    /// The index of this name, if the table has it.
    pub(crate) fn index(&self, name: &str) -> Option<&Index> {
        self.indexes.iter().find(|index| index.name == name)
    }

    /// The stream that writes are to tell of.
    pub(crate) fn open_stream(&self) -> Option<&OfTable> {
        self.stream.as_ref().filter(|stream| stream.enabled)
    }

    /// The indexes that writes are to keep in line with the items: all but those on their way out.
    pub(crate) fn kept_indexes(&self) -> impl Iterator<Item = &Index> {
        self.indexes.iter().filter(|index| index.is_kept())
    }
}

/// What can be changed about a table.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Settings {
    /// Read and write capacity units, or none for on-demand tables.
    pub(crate) throughput: Option<(u64, u64)>,
    /// When the table was last made on-demand.
    pub(crate) on_demand_since: Option<Time>,
    pub(crate) deletion_protected: bool,
    pub(crate) class: Option<String>,
    /// `Some` where a key of the user's was asked for: its ARN, or none for the default one.
    pub(crate) encryption: Option<Option<String>>,
    /// The most it may use while it is on demand.
    #[serde(default)]
    pub(crate) maximum: Option<Maximum>,
    /// What it was asked to be ready for, in read and write units a second.
    #[serde(default)]
    pub(crate) warm: Option<(u64, u64)>,
    /// When its capacity was last raised and lowered, and how often lowered on that day.
    #[serde(default)]
    pub(crate) increased: Option<Time>,
    #[serde(default)]
    pub(crate) decreased: Option<Time>,
    #[serde(default)]
    pub(crate) decreases: u64,
}

/// Request units a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Maximum {
    pub(crate) read: Option<u64>,
    pub(crate) write: Option<u64>,
}

/// The primary key of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Schema {
    pub(crate) partition: Attribute,
    pub(crate) sort: Option<Attribute>,
}

/// A key attribute and its type: `S`, `N` or `B`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attribute {
    pub(crate) name: String,
    pub(crate) kind: String,
}

impl Schema {
    /// The partition key and the sort key, if there is one.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = &Attribute> {
        std::iter::once(&self.partition).chain(&self.sort)
    }
}

/// An item as stored: its bytes, in place or as a blob.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stored {
    pub(crate) body: Body,
}

impl Record for Stored {
    const VERSION: u8 = 1;
}

impl Stored {
    /// The same content for one more record, named by its key. The transaction must have read the
    /// record that this was taken from.
    pub(crate) fn copied(&self, tx: &Tx, holder: &Key) -> Stored {
        Stored { body: self.body.link(tx, holder) }
    }
}

/// A table that is gone and whose items are still there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Doomed {
    pub(crate) name: String,
}

impl Record for Doomed {
    const VERSION: u8 = 1;
}

fn space(account: &AccountId) -> Space {
    Space::new(account, "dynamodb")
}

/// The tables of a region.
pub(crate) fn tables_key(account: &AccountId, region: &Region) -> Key {
    space(account).key(KIND_TABLE).str(region.as_str())
}

pub(crate) fn table_key(account: &AccountId, region: &Region, name: &str) -> Key {
    tables_key(account, region).str(name)
}

/// The items of a table.
pub(crate) fn items_key(account: &AccountId, number: u64) -> Key {
    space(account).key(KIND_ITEM).u64(number)
}

/// The items of a table with one partition key.
pub(crate) fn partition_key(account: &AccountId, number: u64, partition: &[u8]) -> Key {
    items_key(account, number).digest(partition)
}

pub(crate) fn item_key(account: &AccountId, number: u64, key: &PrimaryKey) -> Key {
    with_sort(&partition_key(account, number, &key.partition), &key.sort)
}

/// Puts a sort key, or the beginning of one, behind a partition's key.
pub(crate) fn with_sort(partition: &Key, sort: &[u8]) -> Key {
    Key::from_bytes([partition.as_bytes(), sort].concat())
}

/// The part of a table's items, or of an index's entries, that is one of `total` segments of a
/// parallel scan.
pub(crate) fn segment(items: &Key, segment: u64, total: u64) -> KeyRange {
    // Digests are spread evenly, so equal shares of their range are equal shares of the items.
    let border = |index: u64| {
        let border = (u128::from(index) << 64) / u128::from(total.max(1));
        u64::try_from(border).ok().map(|border| items.clone().u64(border))
    };
    let mut range = items.prefix();
    if let Some(start) = border(segment) {
        range = range.from(start);
    }
    if let Some(end) = border(segment + 1) {
        range = range.before(end);
    }
    range
}

pub(crate) fn all_doomed_key(account: &AccountId) -> Key {
    space(account).key(KIND_DOOMED)
}

pub(crate) fn doomed_key(account: &AccountId, number: u64) -> Key {
    all_doomed_key(account).u64(number)
}

/// The bytes of an item that is not in its table yet.
pub(crate) struct Fresh {
    staged: Staged,
    /// They are a blob, durable already.
    pub(crate) large: bool,
}

impl Fresh {
    /// The bytes, held from now on by the record of this key.
    pub(crate) fn link(&self, tx: &Tx, key: &Key) -> Body {
        self.staged.link(tx, key)
    }
}

/// Prepares an item to be written.
pub(crate) async fn stage(ctx: &Ctx, item: &Item) -> Result<Fresh, Error> {
    let bytes = Bytes::from(item::encode(item));
    let large = bytes.len() > BODY_INLINE_BYTES_MAX;
    Ok(Fresh { staged: Body::stage(ctx.store(), &ctx.account, bytes).await?, large })
}

/// Puts something in an item's place, or nothing.
pub(crate) async fn replace(
    tx: &Tx,
    key: &Key,
    old: Option<&Stored>,
    new: Option<&Fresh>,
) -> Result<(), Error> {
    if let Some(old) = old {
        old.body.unlink(tx, key).await?;
    }
    match new {
        Some(new) => tx.put_record(key.clone(), &Stored { body: new.staged.link(tx, key) })?,
        None => tx.delete(key.clone()),
    }
    Ok(())
}

/// The item behind a record.
pub(crate) async fn load(store: &Store, stored: &Stored) -> Result<Item, Error> {
    Ok(item::decode(&stored.body.load(store).await?)?)
}

/// The committed item of a key, as it is stored.
pub(crate) async fn get_packed(
    store: &Store,
    key: &Key,
    schema: &Schema,
) -> Result<Option<Packed>, Error> {
    let Some(stored) = store.get_record::<Stored>(key).await? else { return Ok(None) };
    packed(store, key, stored, schema).await
}

/// The same of a record that was read outside a transaction.
pub(crate) async fn packed(
    store: &Store,
    key: &Key,
    stored: Stored,
    schema: &Schema,
) -> Result<Option<Packed>, Error> {
    let Some(bytes) = content(store, key, stored).await? else { return Ok(None) };
    let sort = schema.sort.as_ref().map(|sort| sort.name.as_str());
    Ok(Some(Packed::new(bytes, sort)?))
}

/// The committed item of a key.
pub(crate) async fn get(store: &Store, key: &Key) -> Result<Option<Item>, Error> {
    match store.get_record::<Stored>(key).await? {
        Some(stored) => {
            let bytes = content(store, key, stored).await?;
            Ok(bytes.map(|bytes| item::decode(&bytes)).transpose()?)
        }
        None => Ok(None),
    }
}

/// The bytes behind a record that was read outside a transaction. If its blob has been replaced
/// since, those of the item as it is now.
async fn content(store: &Store, key: &Key, mut stored: Stored) -> Result<Option<Bytes>, Error> {
    for _ in 0..LOADS_MAX {
        let failed = match stored.body.load(store).await {
            Ok(bytes) => return Ok(Some(bytes)),
            Err(failed) => failed,
        };
        match store.get_record::<Stored>(key).await? {
            Some(now) if now == stored => return Err(failed.into()),
            Some(now) => stored = now,
            None => return Ok(None),
        }
    }
    Err(store::Error::Busy.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> AccountId {
        "000000000000".parse().unwrap()
    }

    #[test]
    fn segments_share_all_items() {
        for total in [1u64, 2, 3, 7, 1_000] {
            for partition in [&b"a"[..], b"b", b"orders", b""] {
                let key = partition_key(&account(), 7, partition);
                let owners = (0..total)
                    .filter(|n| segment(&items_key(&account(), 7), *n, total).contains(&key));
                assert_eq!(owners.count(), 1, "{total}");
            }
        }
        let all = items_key(&account(), 7).prefix();
        assert_eq!(segment(&items_key(&account(), 7), 0, 3).start.len(), all.start.len() + 8);
        assert_eq!(segment(&items_key(&account(), 7), 2, 3).end, all.end);
        assert_eq!(
            segment(&items_key(&account(), 7), 0, 3).end,
            segment(&items_key(&account(), 7), 1, 3).start
        );
    }

    #[test]
    fn keys_of_any_length_fit() {
        let key = PrimaryKey { partition: vec![0; 2_048], sort: vec![0; 1_024] };
        assert!(item_key(&account(), u64::MAX, &key).len() <= store::KEY_BYTES_MAX);
    }

    /// What version 1 wrote. These bytes are on disks, so they must stay readable.
    const OLD_ITEM: &str = "01534c1ed481a4626f647981a6496e6c696e65c40801016101036f6c64";

    #[test]
    fn old_records_are_read() {
        let stored = Stored { body: Body::Inline(Bytes::from_static(b"\x01\x01a\x01\x03old")) };
        let hex: String =
            store::encode(&stored).unwrap().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, OLD_ITEM);
        let bytes: Vec<u8> = (0..OLD_ITEM.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&OLD_ITEM[at..at + 2], 16).unwrap())
            .collect();
        let key = items_key(&account(), 1);
        assert_eq!(store::decode::<Stored>(&key, &bytes).unwrap(), stored);
    }

    /// A table as it was written before it could expire, recover or be restored.
    #[derive(Serialize, Deserialize)]
    struct Before {
        name: String,
        number: u64,
        id: String,
        created: Time,
        schema: Schema,
        settings: SettingsBefore,
        tags: BTreeMap<String, String>,
        large: bool,
    }

    #[derive(Serialize, Deserialize)]
    struct SettingsBefore {
        throughput: Option<(u64, u64)>,
        on_demand_since: Option<Time>,
        deletion_protected: bool,
        class: Option<String>,
        encryption: Option<Option<String>>,
    }

    impl Record for Before {
        const VERSION: u8 = 1;
    }

    #[test]
    fn tables_from_before_are_read() {
        let schema = Schema {
            partition: Attribute { name: "a".to_owned(), kind: "S".to_owned() },
            sort: None,
        };
        let before = Before {
            name: "abc".to_owned(),
            number: 7,
            id: "id".to_owned(),
            created: Time::from_millis(5),
            schema,
            settings: SettingsBefore {
                throughput: Some((5, 6)),
                on_demand_since: None,
                deletion_protected: true,
                class: None,
                encryption: None,
            },
            tags: BTreeMap::new(),
            large: true,
        };
        let key = doomed_key(&account(), 7);
        let table: Table = store::decode(&key, &store::encode(&before).unwrap()).unwrap();
        assert_eq!((table.number, table.settings.throughput), (7, Some((5, 6))));
        assert!(table.expiry.is_none() && !table.is_recorded() && !table.is_creating());
    }
}
