use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::engine::TRANSACTION_BYTES_MAX;
use crate::history::Reads;
use crate::sequencer::{Hook, Outcome, Sequencer, Shared, Submission};
use crate::{Batch, Dir, Error, Key, KeyRange, Limit, Record, Result, decode, encode, locked};

/// One attempt at a transaction: a cheap handle, handed to the function of `Store::transact`.
///
/// It sees committed state and its own writes. What it reads is remembered and checked when it
/// commits: the attempt counts only if all of it was still true then.
#[derive(Clone)]
pub struct Tx(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    sequencer: Arc<Sequencer>,
    start: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    reads: Reads,
    writes: Batch,
    hooks: Vec<Hook>,
    /// Something that may not be done was done: the attempt cannot commit.
    refused: Option<Error>,
    ended: bool,
}

impl Drop for Inner {
    fn drop(&mut self) {
        locked(&self.sequencer.shard.history).end(self.start);
    }
}

impl Tx {
    pub(crate) fn begin(shared: Arc<Shared>, sequencer: Arc<Sequencer>) -> Tx {
        let start = locked(&sequencer.shard.history).begin();
        Tx(Arc::new(Inner { shared, sequencer, start, state: Mutex::default() }))
    }

    /// The value of a key.
    pub async fn get(&self, key: &Key) -> Result<Option<Bytes>> {
        self.check(key)?;
        {
            let mut state = locked(&self.0.state);
            if let Some(written) = state.writes.get(key) {
                return Ok(written.clone());
            }
            state.reads.keys.insert(key.clone());
        }
        self.0.shared.engine.get(key).await
    }

    /// The value of a key, without a claim that it is still the same at the commit. For what
    /// cannot change, or may be a moment old.
    pub async fn get_unchecked(&self, key: &Key) -> Result<Option<Bytes>> {
        self.check(key)?;
        if let Some(written) = locked(&self.0.state).writes.get(key) {
            return Ok(written.clone());
        }
        self.0.shared.engine.get(key).await
    }

    /// Claims that a key's committed value is what the caller has of it in memory: if it is another
    /// one when this commits, the attempt is lost. `false` if the transaction itself has written it.
    ///
    /// What is in memory must be looked up after the transaction has begun, and be forgotten by
    /// `on_commit` of every transaction that writes the key.
    pub fn relies_on(&self, key: &Key) -> Result<bool> {
        self.check(key)?;
        let mut state = locked(&self.0.state);
        if state.writes.get(key).is_some() {
            return Ok(false);
        }
        state.reads.keys.insert(key.clone());
        Ok(true)
    }

    /// The first entries of a range in the given direction. Fewer than `limit` means that the
    /// range has no more.
    pub async fn scan(&self, range: KeyRange, dir: Dir, limit: usize) -> Result<Vec<(Key, Bytes)>> {
        self.check(&range.start)?;
        let own: BTreeMap<Key, Option<Bytes>> = {
            let state = locked(&self.0.state);
            state.writes.range(&range).map(|(k, v)| (k.clone(), v.clone())).collect()
        };
        // Each own delete may hide one committed entry.
        let hidden = own.values().filter(|value| value.is_none()).count();
        // Joined before reading and in full, so that no change can slip in between; narrowed to
        // what was seen afterwards, so that a change behind the page is no conflict.
        let joined = self.join(range.clone());
        let engine = &*self.0.shared.engine;
        let found = scan_all(engine, range.clone(), dir, limit.saturating_add(hidden)).await?;
        let mut merged: BTreeMap<Key, Option<Bytes>> =
            found.into_iter().map(|(key, value)| (key, Some(value))).collect();
        merged.extend(own);
        let live = merged.into_iter().filter_map(|(key, value)| Some((key, value?)));
        let entries: Vec<(Key, Bytes)> = match dir {
            Dir::Forward => live.take(limit).collect(),
            Dir::Backward => live.rev().take(limit).collect(),
        };
        if entries.len() == limit
            && let Some((last, _)) = entries.last()
        {
            self.narrow(
                joined,
                match dir {
                    Dir::Forward => range.before(last.successor()),
                    Dir::Backward => range.from(last.clone()),
                },
            );
        }
        Ok(entries)
    }

    /// Sets a key. A value beyond the limits makes the commit fail with `TooLarge`.
    pub fn put(&self, key: Key, value: impl Into<Bytes>) {
        self.write(key, Some(value.into()));
    }

    /// Removes a key, whether it exists or not.
    pub fn delete(&self, key: Key) {
        self.write(key, None);
    }

    /// The record of a key.
    pub async fn get_record<R: Record>(&self, key: &Key) -> Result<Option<R>> {
        self.get(key).await?.map(|bytes| decode(key, &bytes)).transpose()
    }

    /// Sets a key to a record.
    pub fn put_record<R: Record>(&self, key: Key, record: &R) -> Result<()> {
        self.put(key, encode(record)?);
        Ok(())
    }

    /// Runs after the commit is durable and visible and before `transact` returns; only for the
    /// attempt that commits. Must be quick: the whole shard waits for it.
    pub fn on_commit(&self, hook: impl FnOnce() + Send + 'static) {
        locked(&self.0.state).hooks.push(Box::new(hook));
    }

    /// The account whose shard this transaction is in.
    pub fn account(&self) -> &base::AccountId {
        &self.0.sequencer.shard.account
    }

    pub(crate) fn blobs(&self) -> &crate::Blobs {
        &self.0.shared.blobs
    }

    /// Ends the attempt. If the function failed, its error counts only if what it read is true:
    /// otherwise it may have judged a mixture of two states.
    pub(crate) async fn finish(&self, failed: bool) -> Result<Outcome> {
        let mut state = std::mem::replace(
            &mut *locked(&self.0.state),
            State { ended: true, ..State::default() },
        );
        if failed {
            state.writes = Batch::default();
            state.hooks.clear();
        } else if let Some(refused) = state.refused {
            return Err(refused);
        } else {
            state.writes.check_within(TRANSACTION_BYTES_MAX)?;
        }
        let State { reads, writes, hooks, .. } = state;
        let start = self.0.start;
        let shard = &self.0.sequencer.shard;
        if writes.is_empty() {
            let conflict = locked(&shard.history).conflict(start, &reads);
            if let Some(version) = conflict {
                return Ok(Outcome::Lost(version));
            }
            hooks.into_iter().for_each(|hook| hook());
            return Ok(Outcome::Committed);
        }
        let (outcome, decided) = oneshot::channel();
        let submission = Submission { start, reads, writes, hooks, outcome };
        self.0.sequencer.submit(submission, decided).await
    }

    fn write(&self, key: Key, value: Option<Bytes>) {
        let mut state = locked(&self.0.state);
        debug_assert!(!state.ended, "a write after the transaction ended is lost");
        if key.belongs_to(self.account()) {
            state.writes.write(key, value);
        } else {
            state.refused.get_or_insert_with(|| self.foreign(&key));
        }
        // Refused as soon as it is too large, so that no attempt can collect without bound.
        if state.writes.bytes() > TRANSACTION_BYTES_MAX && state.refused.is_none() {
            state.refused = state.writes.check_within(TRANSACTION_BYTES_MAX).err();
            state.writes = Batch::default();
        }
    }

    fn check(&self, key: &Key) -> Result<()> {
        self.0.shared.check_open()?;
        if key.belongs_to(self.account()) { Ok(()) } else { Err(self.foreign(key)) }
    }

    fn foreign(&self, key: &Key) -> Error {
        Error::Foreign { shard: self.account().to_string(), key: key.to_string() }
    }

    fn join(&self, range: KeyRange) -> usize {
        let ranges = &mut locked(&self.0.state).reads.ranges;
        ranges.push(range);
        ranges.len() - 1
    }

    fn narrow(&self, joined: usize, range: KeyRange) {
        if let Some(known) = locked(&self.0.state).reads.ranges.get_mut(joined) {
            *known = range;
        }
    }
}

/// Scans an engine, page by page, until there are `items` entries or no more.
pub(crate) async fn scan_all(
    engine: &dyn crate::Engine,
    mut range: KeyRange,
    dir: Dir,
    items: usize,
) -> Result<Vec<(Key, Bytes)>> {
    let mut entries = Vec::new();
    while entries.len() < items && !range.is_empty() {
        let limit = Limit::items(items - entries.len());
        let page = engine.scan(range.clone(), dir, limit).await?;
        entries.extend(page.entries);
        match entries.last() {
            Some((last, _)) if page.more => {
                range = match dir {
                    Dir::Forward => range.after(last),
                    Dir::Backward => range.before(last.clone()),
                }
            }
            _ => break,
        }
    }
    Ok(entries)
}
