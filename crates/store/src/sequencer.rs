//! One task per shard turns an engine that can only commit batches into transactions.
//!
//! It takes all transactions that are waiting, checks what each has read against what was
//! committed since it began, folds those that win into one batch, commits it once, and then
//! acknowledges all. While the disk syncs, the next ones gather: that is the group commit. A lone
//! transaction finds nobody waiting and is committed at once.

use std::sync::{Arc, Mutex};

use base::{AccountId, Sequence};
use tokio::sync::{mpsc, oneshot, watch};

use crate::engine::TRANSACTION_BYTES_MAX;
use crate::history::{History, Reads};
use crate::numbers::{self, Mark};
use crate::observe::Observers;
use crate::{Batch, Blobs, Engine, Epoch, Error, Result, locked};

/// Transactions that may wait for the sequencer of one shard; the next ones wait to wait.
const WAITING_MAX: usize = 4096;

pub(crate) type Hook = Box<dyn FnOnce() + Send>;

/// A transaction that wants to commit.
pub(crate) struct Submission {
    pub(crate) start: u64,
    pub(crate) reads: Reads,
    pub(crate) writes: Batch,
    pub(crate) hooks: Vec<Hook>,
    pub(crate) outcome: oneshot::Sender<Result<Outcome>>,
}

/// How a transaction ended that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Committed,
    /// It lost. It may try again once this version is applied.
    Lost(u64),
}

/// The part of a shard that its transactions and its sequencer share.
pub(crate) struct Shard {
    pub(crate) account: AccountId,
    pub(crate) history: Mutex<History>,
    pub(crate) applied: watch::Sender<u64>,
}

/// The way into a shard's sequencer. When the last one is dropped, the sequencer ends.
pub(crate) struct Sequencer {
    pub(crate) shard: Arc<Shard>,
    queue: mpsc::Sender<Submission>,
}

/// What the sequencers of a store have in common.
pub(crate) struct Shared {
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) blobs: Blobs,
    pub(crate) numbers: Sequence,
    pub(crate) observers: Arc<Observers>,
    /// Why nothing works any more; set once.
    pub(crate) closed: watch::Sender<Option<Error>>,
}

impl Shared {
    pub(crate) fn check_open(&self) -> Result<()> {
        if self.closed.borrow().is_some() { Err(Error::Closed) } else { Ok(()) }
    }

    pub(crate) fn close(&self, why: Error) {
        self.closed.send_if_modified(|closed| {
            let first = closed.is_none();
            if first {
                *closed = Some(why);
            }
            first
        });
    }
}

impl Sequencer {
    /// Becomes the shard's owner and starts its task.
    pub(crate) async fn start(
        shared: Arc<Shared>,
        account: AccountId,
        owner: &str,
    ) -> Result<Sequencer> {
        let epoch = shared.engine.acquire(&account, owner).await?;
        let (queue, waiting) = mpsc::channel(WAITING_MAX);
        let history = Mutex::new(History::default());
        let shard = Arc::new(Shard { account, history, applied: watch::channel(0).0 });
        let task = Task { shared, shard: shard.clone(), epoch, waiting, held: None, marked: 0 };
        base::task::spawn("sequencer", task.run());
        Ok(Sequencer { shard, queue })
    }

    /// Hands a transaction in and waits until it is durable or has lost.
    pub(crate) async fn submit(
        &self,
        submission: Submission,
        outcome: oneshot::Receiver<Result<Outcome>>,
    ) -> Result<Outcome> {
        self.queue.send(submission).await.map_err(|_| Error::Closed)?;
        outcome.await.unwrap_or(Err(Error::Closed))
    }
}

struct Task {
    shared: Arc<Shared>,
    shard: Arc<Shard>,
    epoch: Epoch,
    waiting: mpsc::Receiver<Submission>,
    /// Taken from the queue but too large for the last batch: first in the next.
    held: Option<Submission>,
    /// No number that was committed is larger.
    marked: u64,
}

/// A sequencer that ends by a panic must not leave a store that seems to work.
impl Drop for Task {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.shared.close(Error::Closed);
        }
    }
}

impl Task {
    async fn run(mut self) {
        while let Some(first) = self.next().await {
            let group = self.gather(first);
            if let Err(e) = self.shared.check_open() {
                group.into_iter().for_each(|tx| answer(tx.outcome, Err(e.clone())));
                continue;
            }
            self.commit(group).await;
        }
    }

    async fn next(&mut self) -> Option<Submission> {
        match self.held.take() {
            Some(held) => Some(held),
            None => self.waiting.recv().await,
        }
    }

    /// All that wait now, as far as they fit into one batch.
    fn gather(&mut self, first: Submission) -> Vec<Submission> {
        let mut bytes = first.writes.bytes();
        let mut group = vec![first];
        while group.len() < WAITING_MAX
            && let Ok(next) = self.waiting.try_recv()
        {
            bytes += next.writes.bytes();
            if bytes > TRANSACTION_BYTES_MAX {
                self.held = Some(next);
                break;
            }
            group.push(next);
        }
        group
    }

    async fn commit(&mut self, group: Vec<Submission>) {
        let (mut winners, mut losers) = self.judge(group);
        let mark = self.next_mark();
        let mut batch = self.fold(&winners, mark);
        let mut result = self.engine_commit(&batch).await;
        if matches!(result, Err(Error::Full)) {
            // No room, and nothing was written. What frees room may use the engine's reserve.
            let (freeing, growing): (Vec<_>, Vec<_>) =
                winners.into_iter().partition(|tx| tx.writes.frees());
            growing.into_iter().for_each(|tx| answer(tx.outcome, Err(Error::Full)));
            winners = freeing;
            batch = self.fold(&winners, mark);
            result = self.engine_commit(&batch).await;
        }
        match &result {
            Ok(()) | Err(Error::Full | Error::Fenced) => {}
            Err(e) => {
                // Whether the batch will be there after a restart is unknown, and a second sync
                // would tell nothing (SEMANTICS 0.6): from here on nothing may be acknowledged.
                tracing::error!(error = %e, "commit failed, the store is closed");
                self.shared.close(e.clone());
            }
        }
        if result.is_ok() {
            self.marked = mark.filter(|_| !batch.is_empty()).map_or(self.marked, |m| m.number);
            self.shared.observers.notify(&batch);
            winners.iter_mut().flat_map(|tx| tx.hooks.drain(..)).for_each(|hook| hook());
        }
        // After the hooks: a transaction that begins with this version finds nothing in memory that
        // it has replaced (`Tx::relies_on`); one that began before, and found it, has lost.
        let applied = locked(&self.shard.history).applied();
        self.shard.applied.send_replace(applied);
        for tx in winners {
            answer(tx.outcome, result.clone().map(|()| Outcome::Committed));
        }
        for (tx, version) in losers.drain(..) {
            answer(tx.outcome, Ok(Outcome::Lost(version)));
        }
    }

    /// Checks the transactions in the order they came, each against those before it too.
    fn judge(&self, group: Vec<Submission>) -> (Vec<Submission>, Vec<(Submission, u64)>) {
        let mut history = locked(&self.shard.history);
        let (mut winners, mut losers) = (Vec::with_capacity(group.len()), Vec::new());
        for tx in group {
            match history.conflict(tx.start, &tx.reads) {
                Some(version) => losers.push((tx, version)),
                None => {
                    history.record(&tx.writes);
                    winners.push(tx);
                }
            }
        }
        (winners, losers)
    }

    /// A mark, if numbers beyond the stored one were given.
    fn next_mark(&self) -> Option<Mark> {
        // Every number in a transaction was given before that was handed in.
        let last = self.shared.numbers.last();
        (last > self.marked).then(|| Mark::beyond(last))
    }

    fn fold(&self, winners: &[Submission], mark: Option<Mark>) -> Arc<Batch> {
        let mut batch = Batch::default();
        for tx in winners {
            for (key, value) in tx.writes.iter() {
                batch.write(key.clone(), value.clone());
            }
        }
        if let Some(mark) = mark
            && !batch.is_empty()
        {
            batch.write(numbers::key(&self.shard.account), Some(mark.encode()));
        }
        Arc::new(batch)
    }

    async fn engine_commit(&mut self, batch: &Arc<Batch>) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        self.shared.engine.commit(&self.shard.account, self.epoch, batch.clone()).await
    }
}

fn answer(outcome: oneshot::Sender<Result<Outcome>>, result: Result<Outcome>) {
    // Whoever asked may have gone away meanwhile; the commit stands all the same.
    let _gone = outcome.send(result);
}
