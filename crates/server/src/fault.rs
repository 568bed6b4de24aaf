//! A planted bug, for the tests that must find it: commits are acknowledged before they are
//! durable. Chosen by `CUMULET_FAULT=ack-before-commit` and announced loudly; nothing else turns
//! it on.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base::{AccountId, BoxFuture, Clock};
use bytes::Bytes;
use store::{Batch, Caps, Dir, Engine, Epoch, Key, KeyRange, Limit, Page, Result};
use tokio::sync::{OnceCell, mpsc};

/// How long a commit is visible before it is on its way to the disk.
const LATE: Duration = Duration::from_millis(50);
/// Batches on their way to the disk.
const LATE_BATCHES_MAX: usize = 100_000;

/// An engine that answers from memory and writes to the one given a moment later.
pub(crate) fn acknowledging_early(
    durable: Arc<dyn Engine>,
    clock: Arc<dyn Clock>,
) -> Arc<dyn Engine> {
    let (late, mut waiting) = mpsc::channel::<(AccountId, Epoch, Arc<Batch>)>(LATE_BATCHES_MAX);
    let writer = Arc::clone(&durable);
    base::task::spawn("late commits", async move {
        while let Some(first) = waiting.recv().await {
            base::sleep(&*clock, LATE).await;
            let mut next = Some(first);
            while let Some((shard, epoch, batch)) = next {
                if let Err(error) = writer.commit(&shard, epoch, batch).await {
                    tracing::error!(%error, "an acknowledged commit is lost");
                }
                next = waiting.try_recv().ok();
            }
        }
    });
    let visible = engine_memory::Memory::new();
    Arc::new(Early { durable, visible, epoch: OnceCell::new(), late })
}

struct Early {
    durable: Arc<dyn Engine>,
    visible: engine_memory::Memory,
    /// The memory's epoch, once it holds all that is durable.
    epoch: OnceCell<Epoch>,
    late: mpsc::Sender<(AccountId, Epoch, Arc<Batch>)>,
}

impl Early {
    /// Copies what is durable into memory, a page at a time.
    async fn copy(&self, shard: &AccountId) -> Result<Epoch> {
        let epoch = self.visible.acquire(shard, "early").await?;
        let mut from = Key::from_bytes(Bytes::new());
        loop {
            let rest = KeyRange::new(from.clone(), Key::from_bytes(vec![0xff; 64]));
            let page = self.durable.scan(rest, Dir::Forward, Limit::items(1_000)).await?;
            let Some((last, _)) = page.entries.last() else { return Ok(epoch) };
            from = last.successor();
            let mut batch = Batch::default();
            for (key, value) in page.entries {
                batch.write(key, Some(value));
            }
            self.visible.commit(shard, epoch, Arc::new(batch)).await?;
        }
    }
}

impl Engine for Early {
    fn caps(&self) -> Caps {
        self.visible.caps()
    }

    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Bytes>>> {
        match self.epoch.initialized() {
            true => self.visible.get(key),
            false => self.durable.get(key),
        }
    }

    fn scan(&self, range: KeyRange, dir: Dir, limit: Limit) -> BoxFuture<'_, Result<Page>> {
        match self.epoch.initialized() {
            true => self.visible.scan(range, dir, limit),
            false => self.durable.scan(range, dir, limit),
        }
    }

    fn commit<'a>(
        &'a self,
        shard: &'a AccountId,
        epoch: Epoch,
        batch: Arc<Batch>,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let early = *self.epoch.get_or_try_init(|| self.copy(shard)).await?;
            self.visible.commit(shard, early, Arc::clone(&batch)).await?;
            let _ended = self.late.send((shard.clone(), epoch, batch)).await;
            Ok(())
        })
    }

    fn acquire<'a>(&'a self, shard: &'a AccountId, owner: &'a str) -> BoxFuture<'a, Result<Epoch>> {
        Box::pin(async move {
            let epoch = self.durable.acquire(shard, owner).await?;
            self.epoch.get_or_try_init(|| self.copy(shard)).await?;
            Ok(epoch)
        })
    }

    fn backup<'a>(&'a self, to: &'a Path) -> BoxFuture<'a, Result<()>> {
        self.durable.backup(to)
    }

    fn close(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            while self.late.capacity() < LATE_BATCHES_MAX {
                tokio::task::yield_now().await;
            }
            self.durable.close().await
        })
    }
}
