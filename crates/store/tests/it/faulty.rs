//! An engine that counts what it reads, and that can be made to fail or to wait.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use base::{AccountId, BoxFuture};
use bytes::Bytes;
use engine_memory::Memory;
use store::{Batch, Caps, Dir, Engine, Epoch, Error, Key, KeyRange, Limit, Page, Result};
use tokio::sync::Semaphore;

pub(crate) struct Faulty {
    inner: Memory,
    /// Deleted keys: a log-structured engine wades through them.
    tombstones: Mutex<BTreeSet<Key>>,
    /// Entries given and tombstones waded through.
    pub(crate) visited: AtomicU64,
    pub(crate) scans: AtomicU64,
    pub(crate) commits: AtomicU64,
    /// Entries of all batches.
    pub(crate) written: AtomicU64,
    /// What the next commit answers.
    pub(crate) fault: Mutex<Option<Error>>,
    /// Each commit needs a permit, where there is a gate.
    pub(crate) commit_gate: Option<Semaphore>,
    /// Each scan needs a permit to return, where there is a gate.
    pub(crate) scan_gate: Option<Semaphore>,
}

impl Faulty {
    pub(crate) fn new() -> Faulty {
        Faulty {
            inner: Memory::new(),
            tombstones: Mutex::default(),
            visited: AtomicU64::new(0),
            scans: AtomicU64::new(0),
            commits: AtomicU64::new(0),
            written: AtomicU64::new(0),
            fault: Mutex::default(),
            commit_gate: None,
            scan_gate: None,
        }
    }

    fn bury(&self, batch: &Batch) {
        let mut tombstones = self.tombstones.lock().unwrap();
        for (key, value) in batch.iter() {
            if value.is_some() {
                tombstones.remove(key);
            } else {
                tombstones.insert(key.clone());
            }
        }
    }
}

async fn pass(gate: Option<&Semaphore>) {
    if let Some(gate) = gate {
        gate.acquire().await.unwrap().forget();
    }
}

impl Engine for Faulty {
    fn caps(&self) -> Caps {
        self.inner.caps()
    }

    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Bytes>>> {
        self.inner.get(key)
    }

    fn scan(&self, range: KeyRange, dir: Dir, limit: Limit) -> BoxFuture<'_, Result<Page>> {
        Box::pin(async move {
            let page = self.inner.scan(range.clone(), dir, limit).await?;
            let end = match page.entries.last() {
                Some((last, _)) if page.more => last.successor(),
                _ => range.end,
            };
            let waded = self.tombstones.lock().unwrap().range(range.start..end).count();
            let visited = (waded + page.entries.len()) as u64;
            self.visited.fetch_add(visited, Ordering::Relaxed);
            self.scans.fetch_add(1, Ordering::Relaxed);
            // After reading: what happens while a scan waits here it has not seen.
            pass(self.scan_gate.as_ref()).await;
            Ok(page)
        })
    }

    fn commit<'a>(
        &'a self,
        shard: &'a AccountId,
        epoch: Epoch,
        batch: Arc<Batch>,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            pass(self.commit_gate.as_ref()).await;
            self.commits.fetch_add(1, Ordering::Relaxed);
            if let Some(fault) = self.fault.lock().unwrap().take() {
                return Err(fault);
            }
            self.written.fetch_add(batch.len() as u64, Ordering::Relaxed);
            self.bury(&batch);
            self.inner.commit(shard, epoch, batch).await
        })
    }

    fn acquire<'a>(&'a self, shard: &'a AccountId, owner: &'a str) -> BoxFuture<'a, Result<Epoch>> {
        self.inner.acquire(shard, owner)
    }

    fn backup<'a>(&'a self, to: &'a Path) -> BoxFuture<'a, Result<()>> {
        self.inner.backup(to)
    }

    fn close(&self) -> BoxFuture<'_, Result<()>> {
        self.inner.close()
    }
}
