//! An engine that keeps everything in memory: for tests, simulation and `--memory`.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use base::{AccountId, BoxFuture};
use bytes::Bytes;

use store::{Batch, Caps, Dir, Engine, Epoch, Error, Key, KeyRange, Limit, Page, Result};

/// All state, gone with the value.
#[derive(Default)]
pub struct Memory(RwLock<State>);

#[derive(Default)]
struct State {
    entries: BTreeMap<Key, Bytes>,
    epochs: HashMap<AccountId, Epoch>,
}

impl Memory {
    /// An empty engine.
    pub fn new() -> Memory {
        Memory::default()
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine for Memory {
    fn caps(&self) -> Caps {
        Caps { durable: false, backup: false }
    }

    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Bytes>>> {
        Box::pin(async move { Ok(self.read().entries.get(key).cloned()) })
    }

    fn scan(&self, range: KeyRange, dir: Dir, limit: Limit) -> BoxFuture<'_, Result<Page>> {
        Box::pin(async move {
            if range.is_empty() {
                return Ok(Page::default());
            }
            let state = self.read();
            let found = state.entries.range(range.start..range.end);
            let found = found.map(|(key, value)| Ok((key.clone(), value.clone())));
            match dir {
                Dir::Forward => Page::collect(found, limit),
                Dir::Backward => Page::collect(found.rev(), limit),
            }
        })
    }

    fn commit<'a>(
        &'a self,
        shard: &'a AccountId,
        epoch: Epoch,
        batch: Arc<Batch>,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            batch.check()?;
            let mut state = self.write();
            if state.epochs.get(shard) != Some(&epoch) {
                return Err(Error::Fenced);
            }
            for (key, value) in batch.iter() {
                match value {
                    Some(value) => state.entries.insert(key.clone(), value.clone()),
                    None => state.entries.remove(key),
                };
            }
            Ok(())
        })
    }

    fn acquire<'a>(
        &'a self,
        shard: &'a AccountId,
        _owner: &'a str,
    ) -> BoxFuture<'a, Result<Epoch>> {
        Box::pin(async move {
            let mut state = self.write();
            let epoch = state.epochs.entry(shard.clone()).or_insert(Epoch(0));
            epoch.0 += 1;
            Ok(*epoch)
        })
    }

    fn backup<'a>(&'a self, _to: &'a Path) -> BoxFuture<'a, Result<()>> {
        Box::pin(async { Err(Error::Unsupported("backup")) })
    }

    fn close(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async { Ok(()) })
    }
}
