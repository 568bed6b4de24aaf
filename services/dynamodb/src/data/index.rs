//! Secondary indexes: what they are, and where their entries stand.
//!
//! An entry's place within its partition is the sort key in groups of eight bytes, so that any
//! bytes are ordered and none is the beginning of another, then the MD5 and the SHA-256 of the
//! item's primary key. The MD5 is that by which AWS orders items whose index keys are equal.

use base::AccountId;
use md5::Md5;
use serde::{Deserialize, Serialize};
use sha2::Digest as _;
use store::{Key, KeyRange, Record};

use crate::data::{Attribute, KIND_ENTRY, KIND_INDEX_WORK, Schema, Table, space};
use crate::rules::{self, PrimaryKey};
use crate::value::Item;

const GROUP_BYTES: usize = 8;
/// Behind a group that another follows. The last group is followed by its length.
const GROUP_GOES_ON: u8 = 9;

/// A secondary index of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Index {
    pub(crate) name: String,
    /// What its entries are found by, within the table.
    pub(crate) number: u64,
    pub(crate) scope: Scope,
    pub(crate) schema: Schema,
    pub(crate) projection: Projected,
    /// Read and write capacity units; none for local indexes and on-demand tables.
    pub(crate) throughput: Option<(u64, u64)>,
    pub(crate) phase: Phase,
}

/// Whether an index's entries are within the item collections of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Scope {
    Local,
    Global,
}

/// What an entry has besides the keys of the table and the index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Projected {
    KeysOnly,
    Include(Vec<String>),
    All,
}

/// Where an index is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Phase {
    /// Items that were there before it are still being added.
    Creating,
    Active,
    /// Its entries are being removed.
    Deleting,
}

/// What the background still has to do for an index that comes or goes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Work {
    pub(crate) region: String,
    pub(crate) table: String,
    /// The last item that has been added.
    pub(crate) done: Option<Vec<u8>>,
}

impl Record for Work {
    const VERSION: u8 = 1;
}

impl Index {
    pub(crate) fn is_global(&self) -> bool {
        self.scope == Scope::Global
    }

    /// Writes keep it in line with the items.
    pub(crate) fn is_kept(&self) -> bool {
        self.phase != Phase::Deleting
    }

    /// Whether entries have an attribute that items have.
    pub(crate) fn projects(&self, table: &Schema, attribute: &str) -> bool {
        let is = |key: &Attribute| key.name == attribute;
        match &self.projection {
            Projected::All => true,
            Projected::KeysOnly => table.attributes().chain(self.schema.attributes()).any(is),
            Projected::Include(more) => {
                table.attributes().chain(self.schema.attributes()).any(is)
                    || more.iter().any(|name| name == attribute)
            }
        }
    }

    /// What the entry of an item has of it.
    pub(crate) fn projection_of(&self, table: &Schema, item: &Item) -> Item {
        if self.projection == Projected::All {
            return item.clone();
        }
        let kept = item.iter().filter(|(name, _)| self.projects(table, name));
        kept.map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}

/// All entries of a table's indexes.
pub(crate) fn all_entries_key(account: &AccountId, table: u64) -> Key {
    space(account).key(KIND_ENTRY).u64(table)
}

/// The entries of one index.
pub(crate) fn entries_key(account: &AccountId, table: u64, index: &Index) -> Key {
    all_entries_key(account, table).u64(index.number)
}

/// The entries of an index with one partition key.
pub(crate) fn partition_key(
    account: &AccountId,
    table: u64,
    index: &Index,
    partition: &[u8],
) -> Key {
    entries_key(account, table, index).digest(partition)
}

/// Where the entry of an item stands; `None` if the index has none of it, because the item lacks
/// one of its keys or has it in a form that cannot be one.
pub(crate) fn entry_key(
    account: &AccountId,
    table: &Table,
    index: &Index,
    item: &Item,
) -> Option<Key> {
    let PrimaryKey { partition, sort } = rules::key_within(&index.schema, item)?;
    let primary = rules::key_within(&table.schema, item)?;
    let mut key = partition_key(account, table.number, index, &partition);
    if index.schema.sort.is_some() {
        key = with_sort(&key, &sort);
    }
    let tie = Md5::new()
        .chain_update("Outliers")
        .chain_update(&primary.partition)
        .chain_update(&primary.sort)
        .finalize();
    let length = u64::try_from(primary.partition.len()).unwrap_or(u64::MAX).to_be_bytes();
    let whole = [&length[..], &primary.partition, &primary.sort].concat();
    Some(Key::from_bytes([key.as_bytes(), &tie[..]].concat()).digest(&whole))
}

/// The entries of a partition with a sort key.
pub(crate) fn with_sort(partition: &Key, sort: &[u8]) -> Key {
    let mut bytes = partition.as_bytes().to_vec();
    let mut rest = sort;
    while rest.len() > GROUP_BYTES {
        let (group, behind) = rest.split_at(GROUP_BYTES);
        bytes.extend_from_slice(group);
        bytes.push(GROUP_GOES_ON);
        rest = behind;
    }
    bytes.extend_from_slice(rest);
    bytes.resize(bytes.len() + GROUP_BYTES - rest.len(), 0);
    bytes.push(u8::try_from(rest.len()).unwrap_or(GROUP_GOES_ON));
    Key::from_bytes(bytes)
}

/// The entries of a partition whose sort key begins with some bytes.
pub(crate) fn beginning(partition: &Key, start: &[u8]) -> KeyRange {
    let range = partition.prefix().from(with_sort(partition, start));
    let kept = start.iter().rposition(|byte| *byte < u8::MAX);
    match kept {
        Some(last) => {
            let mut next = start[..=last].to_vec();
            next[last] += 1;
            range.before(with_sort(partition, &next))
        }
        None => range,
    }
}

/// The indexes that the background has work with.
pub(crate) fn all_work_key(account: &AccountId) -> Key {
    space(account).key(KIND_INDEX_WORK)
}

pub(crate) fn work_key(account: &AccountId, table: u64, index: u64) -> Key {
    all_work_key(account).u64(table).u64(index)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::value::Value;

    fn partition() -> Key {
        space(&"000000000000".parse().unwrap()).key(KIND_ENTRY)
    }

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        vec(prop_oneof![Just(0), Just(1), Just(0xFE), Just(0xFF), any::<u8>()], 0..20)
    }

    proptest! {
        #[test]
        fn places_are_ordered_as_sort_keys_are(a in bytes(), b in bytes()) {
            let (one, two) = (with_sort(&partition(), &a), with_sort(&partition(), &b));
            prop_assert_eq!(one.cmp(&two), a.cmp(&b));
            // What stands behind a sort key changes nothing about that.
            prop_assert_eq!(one.prefix().contains(&two), a == b);
        }

        #[test]
        fn beginnings_are_ranges(start in bytes(), more in bytes(), other in bytes()) {
            let range = beginning(&partition(), &start);
            let longer = [&start[..], &more].concat();
            prop_assert!(range.contains(&with_sort(&partition(), &longer)));
            let within = range.contains(&with_sort(&partition(), &other));
            prop_assert_eq!(within, other.starts_with(&start));
        }
    }

    #[test]
    fn keys_of_any_length_fit() {
        let attribute = |name: &str| Attribute { name: name.into(), kind: "B".into() };
        let schema = |a, b| Schema { partition: attribute(a), sort: Some(attribute(b)) };
        let index = Index {
            name: "index".into(),
            number: u64::MAX,
            scope: Scope::Global,
            schema: schema("c", "d"),
            projection: Projected::All,
            throughput: None,
            phase: Phase::Active,
        };
        let mut item = Item::new();
        for (name, length) in [("a", 2_048), ("b", 1_024), ("c", 2_048), ("d", 1_024)] {
            item.insert(name.into(), Value::B(vec![0; length]));
        }
        let table: Table = Table {
            name: "table".into(),
            number: u64::MAX,
            id: String::new(),
            created: base::Time::from_millis(0),
            schema: schema("a", "b"),
            settings: crate::data::Settings::default(),
            tags: std::collections::BTreeMap::new(),
            large: false,
            indexes: Vec::new(),
            expiry: None,
            expiry_changed: None,
            recovery: None,
            copies: Default::default(),
            restored: None,
            stream: None,
        };
        let account = "000000000000".parse().unwrap();
        let key = entry_key(&account, &table, &index, &item).unwrap();
        assert!(key.len() <= store::KEY_BYTES_MAX, "{}", key.len());
        item.remove("d");
        assert_eq!(entry_key(&account, &table, &index, &item), None);
    }
}
