use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use base::{AccountId, Sequence, Time};
use bytes::Bytes;
use tokio::sync::{OnceCell, watch};

use crate::fifo::{Fifo, Fifos};
use crate::observe::{Observers, Watch};
use crate::sequencer::{Outcome, Sequencer, Shared};
use crate::tx::scan_all;
use crate::{
    Blobs, Dir, Engine, Error, Key, KeyRange, Limit, Page, Record, Result, Tx, decode, locked,
};

/// How often a transaction is tried before it is given up as [`Error::Busy`].
pub const TRIES_MAX: usize = 1_000;

/// The one place where state is kept. A cheap handle.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    owner: String,
    sequencers: Mutex<HashMap<AccountId, Arc<OnceCell<Arc<Sequencer>>>>>,
    fifos: Fifos,
}

impl Store {
    /// A store on an engine. Shards are acquired for `owner` when they are first written.
    pub async fn open(engine: Arc<dyn Engine>, blobs: Blobs, owner: &str) -> Result<Store> {
        let numbers = crate::numbers::open(&*engine).await?;
        let shared = Arc::new(Shared {
            engine,
            numbers,
            blobs,
            observers: Arc::new(Observers::default()),
            closed: watch::channel(None).0,
        });
        Ok(Store(Arc::new(Inner {
            shared,
            owner: owner.to_owned(),
            sequencers: Mutex::default(),
            fifos: Fifos::default(),
        })))
    }

    /// Runs a function as one serializable transaction on an account's shard.
    ///
    /// The function may run several times and must have no effect but through its `Tx`. When this
    /// returns `Ok` all its writes are durable. When it returns the function's own error, nothing
    /// was written and what the function had read was true.
    pub async fn transact<T, E, Fut>(
        &self,
        shard: &AccountId,
        f: impl Fn(Tx) -> Fut,
    ) -> std::result::Result<T, E>
    where
        E: From<Error>,
        Fut: Future<Output = std::result::Result<T, E>>,
    {
        let sequencer = self.sequencer(shard).await?;
        for _ in 0..TRIES_MAX {
            self.0.shared.check_open()?;
            let tx = Tx::begin(self.0.shared.clone(), sequencer.clone());
            let result = f(tx.clone()).await;
            match tx.finish(result.is_err()).await? {
                Outcome::Committed => return result,
                Outcome::Lost(version) => self.applied(&sequencer, version).await?,
            }
        }
        Err(Error::Busy.into())
    }

    /// A number larger than every one given before and than every one that is stored, and than
    /// those given before `now`, unless the clock was set back since.
    pub fn next_number(&self, now: Time) -> u64 {
        self.0.shared.numbers.next(now)
    }

    /// When the number was given that no later one may be below. It lies ahead of a clock that was
    /// set back.
    pub fn numbered_until(&self) -> Time {
        Sequence::time_of(self.0.shared.numbers.last())
    }

    /// The committed value of a key, outside of any transaction.
    pub async fn get(&self, key: &Key) -> Result<Option<Bytes>> {
        self.0.shared.check_open()?;
        self.0.shared.engine.get(key).await
    }

    /// The committed record of a key, outside of any transaction.
    pub async fn get_record<R: Record>(&self, key: &Key) -> Result<Option<R>> {
        self.get(key).await?.map(|bytes| decode(key, &bytes)).transpose()
    }

    /// Committed entries of a range, outside of any transaction. Fewer than `limit` means that
    /// the range has no more.
    pub async fn scan(&self, range: KeyRange, dir: Dir, limit: usize) -> Result<Vec<(Key, Bytes)>> {
        self.0.shared.check_open()?;
        scan_all(&*self.0.shared.engine, range, dir, limit).await
    }

    /// Committed entries of a range up to a limit, outside of any transaction. `more` says whether
    /// there may be others behind them.
    pub async fn page(&self, range: KeyRange, dir: Dir, limit: Limit) -> Result<Page> {
        self.0.shared.check_open()?;
        self.0.shared.engine.scan(range, dir, limit).await
    }

    /// Wakes after a commit touched a key that begins with `prefix`.
    pub fn watch(&self, prefix: Key) -> Watch {
        Watch::new(self.0.shared.observers.clone(), prefix)
    }

    /// The queue of the entries below a prefix. All handles of one prefix share their claims.
    pub fn fifo(&self, prefix: Key) -> Fifo {
        self.0.fifos.get(&self.0.shared, prefix)
    }

    /// Where large content lives.
    pub fn blobs(&self) -> &Blobs {
        &self.0.shared.blobs
    }

    /// The engine below, for backup.
    pub fn engine(&self) -> &Arc<dyn Engine> {
        &self.0.shared.engine
    }

    /// Resolves when the store is closed: with the reason. After a failed commit that is an I/O
    /// error, and the process should end with it: only a restart tells what the disk has kept.
    pub async fn failed(&self) -> Error {
        let mut closed = self.0.shared.closed.subscribe();
        let why = closed.wait_for(Option::is_some).await;
        why.ok().and_then(|why| why.clone()).unwrap_or(Error::Closed)
    }

    /// Deletes the blobs that earlier runs wrote and never linked to a record. To be run once
    /// after the start, beside other work; gives how many.
    pub async fn sweep(&self) -> Result<usize> {
        crate::body::sweep(self).await
    }

    /// Ends all work and leaves the engine in order. What was not acknowledged by now will not be.
    pub async fn close(&self) -> Result<()> {
        self.0.shared.check_open()?;
        self.0.shared.close(Error::Closed);
        self.0.shared.engine.close().await
    }

    async fn sequencer(&self, shard: &AccountId) -> Result<Arc<Sequencer>> {
        let cell = locked(&self.0.sequencers).entry(shard.clone()).or_default().clone();
        let start = || async {
            let shared = self.0.shared.clone();
            Sequencer::start(shared, shard.clone(), &self.0.owner).await.map(Arc::new)
        };
        cell.get_or_try_init(start).await.cloned()
    }

    /// Waits until a version is visible, so that the next try does not lose to it again.
    async fn applied(&self, sequencer: &Sequencer, version: u64) -> Result<()> {
        let mut applied = sequencer.shard.applied.subscribe();
        let mut closed = self.0.shared.closed.subscribe();
        tokio::select! {
            _ = applied.wait_for(|applied| *applied >= version) => {}
            _ = closed.wait_for(Option::is_some) => return Err(Error::Closed),
        }
        tokio::task::yield_now().await;
        Ok(())
    }
}
