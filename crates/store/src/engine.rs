use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use base::{AccountId, BoxFuture};
use bytes::Bytes;

use crate::{Error, Key, KeyRange, Result};

/// The longest key.
pub const KEY_BYTES_MAX: usize = 2_000;
/// The longest value; larger content is a [`crate::Body`] and lives in the blobs.
pub const VALUE_BYTES_MAX: usize = 90 * 1024;
/// The most one batch may write.
pub const BATCH_BYTES_MAX: usize = 8 * 1024 * 1024;
/// The most one transaction may write: what the store adds to a batch finds room.
pub(crate) const TRANSACTION_BYTES_MAX: usize = BATCH_BYTES_MAX - 1024;

/// Free space that only what frees space may use, so that a full disk can be emptied again.
pub const DISK_RESERVE_BYTES: u64 = 96 * 1024 * 1024;
/// What an engine on a disk takes of it in advance, to have it for what frees space when others
/// have left nothing. Twice what its own threads need at once: the rest is the journal of 100,000
/// deletes and their tables.
pub const DISK_ASIDE_BYTES: u64 = 64 * 1024 * 1024;

/// The file by which a data folder is known, whatever it is called and whichever engine it is of.
pub const DATA_MARKER: &str = ".cumulet-data";

/// A fenced, atomic, durable batch store over ordered keys: all that a folder under `engines/`
/// must be. Transactions, ordering and waiting are made from it by the sequencer, once for all.
pub trait Engine: Send + Sync + 'static {
    /// What this engine is able to do.
    fn caps(&self) -> Caps;

    /// The committed value of a key.
    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Bytes>>>;

    /// Committed entries of a range in the given direction, up to the limit.
    fn scan(&self, range: KeyRange, dir: Dir, limit: Limit) -> BoxFuture<'_, Result<Page>>;

    /// Writes all of the batch or none of it. When it returns the batch is durable, and only then
    /// may a reader see it. [`Error::Fenced`] if the epoch is not the shard's newest, and
    /// [`Error::Full`] if there is no room; after these two, and no other, the engine goes on.
    fn commit<'a>(
        &'a self,
        shard: &'a AccountId,
        epoch: Epoch,
        batch: Arc<Batch>,
    ) -> BoxFuture<'a, Result<()>>;

    /// Makes `owner` the owner of a shard. Whoever held an older epoch can no longer commit.
    fn acquire<'a>(&'a self, shard: &'a AccountId, owner: &'a str) -> BoxFuture<'a, Result<Epoch>>;

    /// Writes a consistent copy into an empty folder, from which the engine can be opened.
    fn backup<'a>(&'a self, to: &'a Path) -> BoxFuture<'a, Result<()>>;

    /// Leaves everything in order for the next opening. Nothing is committed afterwards.
    fn close(&self) -> BoxFuture<'_, Result<()>>;
}

/// What an engine is able to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    /// Commits survive the process and the power.
    pub durable: bool,
    /// `backup` works.
    pub backup: bool,
}

/// The fencing token of a shard's owner; grows with each owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Epoch(pub u64);

/// The direction of a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dir {
    /// From the smallest key up.
    Forward,
    /// From the largest key down.
    Backward,
}

/// How much one page may hold. A page holds at least one entry, however large.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    pub items: usize,
    pub bytes: usize,
}

impl Limit {
    /// At most this many entries, and never more than 1 MB at once: a page is built in one go.
    pub fn items(items: usize) -> Limit {
        Limit { items, bytes: 1024 * 1024 }
    }
}

/// A run of entries in scan order.
#[derive(Debug, Default)]
pub struct Page {
    pub entries: Vec<(Key, Bytes)>,
    /// The limit cut the page: there may be more behind the last entry.
    pub more: bool,
}

impl Page {
    /// Collects entries up to the limit: shared by the engines.
    pub fn collect(
        entries: impl Iterator<Item = Result<(Key, Bytes)>>,
        limit: Limit,
    ) -> Result<Page> {
        let mut page = Page::default();
        let mut bytes = 0;
        for entry in entries {
            if page.entries.len() >= limit.items || (bytes >= limit.bytes && bytes > 0) {
                page.more = true;
                break;
            }
            let (key, value) = entry?;
            bytes += key.len() + value.len();
            page.entries.push((key, value));
        }
        Ok(page)
    }
}

/// Writes that happen together. One write per key; `None` deletes.
#[derive(Debug, Default)]
pub struct Batch {
    writes: BTreeMap<Key, Option<Bytes>>,
    bytes: usize,
}

impl Batch {
    /// Sets or deletes a key; replaces what the batch had for it.
    pub fn write(&mut self, key: Key, value: Option<Bytes>) {
        let len = |value: &Option<Bytes>| value.as_ref().map_or(0, Bytes::len);
        self.bytes += key.len() + len(&value);
        let key_len = key.len();
        if let Some(replaced) = self.writes.insert(key, value) {
            self.bytes -= key_len + len(&replaced);
        }
    }

    /// The write of a key, if the batch has one.
    pub fn get(&self, key: &Key) -> Option<&Option<Bytes>> {
        self.writes.get(key)
    }

    /// The writes within a range, in key order.
    pub fn range(&self, range: &KeyRange) -> impl Iterator<Item = (&Key, &Option<Bytes>)> {
        // BTreeMap::range panics on a range that ends before it starts.
        let range = if range.is_empty() { None } else { Some(range) };
        range.into_iter().flat_map(|r| self.writes.range::<Key, _>(&r.start..&r.end))
    }

    /// All writes, in key order.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, &Option<Bytes>)> {
        self.writes.iter()
    }

    /// Bytes of all keys and values.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many keys are written.
    pub fn len(&self) -> usize {
        self.writes.len()
    }

    /// Whether nothing is written.
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// Whether this mostly takes things away: such a batch may use the reserve of a full disk, so
    /// that deleting and acknowledging go on when nothing else does.
    pub fn frees(&self) -> bool {
        let deletes = self.writes.values().filter(|value| value.is_none()).count();
        let put: usize = self.writes.values().flatten().map(Bytes::len).sum();
        deletes > 0 && put <= deletes * 1024
    }

    /// Refuses what no engine has to take.
    pub fn check(&self) -> Result<()> {
        self.check_within(BATCH_BYTES_MAX)
    }

    /// The same with a limit of its own for all of it.
    pub(crate) fn check_within(&self, bytes_max: usize) -> Result<()> {
        for (key, value) in &self.writes {
            within("key", key.len(), KEY_BYTES_MAX)?;
            within("value", value.as_ref().map_or(0, Bytes::len), VALUE_BYTES_MAX)?;
        }
        within("transaction", self.bytes, bytes_max)
    }
}

fn within(what: &'static str, bytes: usize, bytes_max: usize) -> Result<()> {
    if bytes <= bytes_max { Ok(()) } else { Err(Error::TooLarge { what, bytes, bytes_max }) }
}
