//! The state of the service: what it keeps in memory about the queues in use. All of it can be
//! made again from the store.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use base::AccountId;
use delivery::{Delivery, Line};
use kit::Kit;
use store::fifo::Fifo;
use store::{Dir, Key, Store, Tx};
use tokio::sync::{OnceCell, watch};

use crate::data::{Garbage, Keys, Queue, State};
use crate::error::{Error, Result};
use crate::rules::name::QueueId;

/// The line on which delays and invisibilities end. Persisted.
const LINE: &str = "sqs.visibility";
/// The line on which what is remembered of FIFO queues is forgotten. Persisted.
const FORGETTING: &str = "sqs.deduplication";
/// Locks that the senders of a FIFO queue share, by message group.
const GATES: usize = 256;
/// Entries counted at once.
const COUNT_PAGE: usize = 1000;

/// All queues. A cheap handle.
#[derive(Clone)]
pub(crate) struct Queues(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) kit: Kit,
    pub(crate) line: Line,
    pub(crate) forgetting: Line,
    pub(crate) keys: Keys,
    live: Mutex<HashMap<u64, Arc<OnceCell<Arc<Live>>>>>,
}

impl std::ops::Deref for Queues {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

/// One `messages` number in use.
pub(crate) struct Live {
    pub(crate) messages: u64,
    pub(crate) is_fifo: bool,
    /// The messages that can be received; of a FIFO queue, the groups.
    pub(crate) ready: Fifo,
    /// Senders of one group wait here for each other, so that their transactions do not undo
    /// each other. The order is that of the transactions, with or without it.
    pub(crate) gates: Box<[tokio::sync::Mutex<()>]>,
    counts: Mutex<Counts>,
    /// No message is older than this: where the search for expired ones begins.
    oldest: AtomicU64,
    /// Held by the one long poll that waits for the next message; the others wait for it.
    pub(crate) turn: tokio::sync::Mutex<()>,
    /// Set once the queue has let go of these messages.
    ended: watch::Sender<bool>,
}

/// How many messages stand where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) ready: i64,
    pub(crate) in_flight: i64,
    pub(crate) delayed: i64,
}

impl Queues {
    pub(crate) fn open(kit: &Kit, delivery: &Delivery) -> Queues {
        let keys = Keys::new(&kit.account);
        let (line, forgetting) = (delivery.line(LINE), delivery.line(FORGETTING));
        let kit = kit.clone();
        Queues(Arc::new(Inner { kit, line, forgetting, keys, live: Mutex::default() }))
    }

    pub(crate) fn account(&self) -> &AccountId {
        &self.kit.account
    }

    pub(crate) fn store(&self) -> &Store {
        &self.kit.store
    }

    /// Runs a transaction on the account's shard.
    pub(crate) async fn transact<T, Fut>(&self, f: impl Fn(Tx) -> Fut) -> Result<T>
    where
        Fut: Future<Output = Result<T>>,
    {
        self.kit.store.transact(self.account(), f).await
    }

    /// The queue and what is known about its messages, within a transaction that fails if the
    /// queue ends meanwhile.
    pub(crate) async fn find(&self, tx: &Tx, id: &QueueId) -> Result<(Queue, Arc<Live>)> {
        let queue: Option<Queue> = tx.get_record(&self.keys.queue(id)).await?;
        let queue = queue.ok_or(Error::QueueDoesNotExist)?;
        let live = self.live_of(&queue).await?;
        Ok((queue, live))
    }

    /// The queue as it is now, outside of a transaction.
    pub(crate) async fn peek(&self, id: &QueueId) -> Result<Queue> {
        let queue = self.store().get_record(&self.keys.queue(id)).await?;
        queue.ok_or(Error::QueueDoesNotExist)
    }

    /// What is known about some messages. Whoever changes messages asks for it first, and the
    /// first one to ask counts them: so nothing can change while they are counted.
    pub(crate) async fn live_of(&self, queue: &Queue) -> Result<Arc<Live>> {
        self.live(queue.messages, queue.settings.fifo.is_some()).await
    }

    /// The same by their number, and whether they are those of a FIFO queue.
    pub(crate) async fn live(&self, messages: u64, is_fifo: bool) -> Result<Arc<Live>> {
        let cell = Arc::clone(self.locked().entry(messages).or_default());
        let live = cell.get_or_try_init(|| async {
            let keys = &self.keys;
            let (standing, ready) = match is_fifo {
                true => (keys.all_waiting(messages), keys.all_turns(messages)),
                false => (keys.all_ready(messages), keys.all_ready(messages)),
            };
            let counts = count(self.store(), [standing, keys.all_away(messages)]).await?;
            Ok::<_, Error>(Arc::new(Live {
                messages,
                ready: self.store().fifo(ready),
                is_fifo,
                gates: (0..if is_fifo { GATES } else { 0 }).map(|_| Default::default()).collect(),
                counts: Mutex::new(counts),
                oldest: AtomicU64::new(0),
                turn: tokio::sync::Mutex::default(),
                ended: watch::Sender::new(false),
            }))
        });
        live.await.cloned()
    }

    /// Leaves the messages to the sweeper, within the transaction by which their queue lets go
    /// of them.
    pub(crate) fn discard(&self, tx: &Tx, messages: u64) -> Result<()> {
        tx.put_record(self.keys.garbage(messages), &Garbage {})?;
        self.forget(tx, messages);
        Ok(())
    }

    /// Ends what is known about some messages, and the polls that wait for them, once the
    /// transaction is committed.
    pub(crate) fn forget(&self, tx: &Tx, messages: u64) {
        let queues = self.clone();
        tx.on_commit(move || {
            let cell = queues.locked().remove(&messages);
            if let Some(live) = cell.as_ref().and_then(|cell| cell.get()) {
                live.ended.send_replace(true);
            }
        });
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Arc<OnceCell<Arc<Live>>>>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Live {
    pub(crate) fn counts(&self) -> Counts {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a change once the transaction is committed.
    pub(crate) fn count(self: &Arc<Live>, tx: &Tx, change: Counts) {
        let live = Arc::clone(self);
        tx.on_commit(move || {
            let mut counts = live.counts.lock().unwrap_or_else(PoisonError::into_inner);
            counts.ready += change.ready;
            counts.in_flight += change.in_flight;
            counts.delayed += change.delayed;
        });
    }

    /// A message older than those here comes in, once the transaction is committed.
    pub(crate) fn lower_oldest(self: &Arc<Live>, tx: &Tx, seq: u64) {
        let live = Arc::clone(self);
        tx.on_commit(move || {
            live.oldest.fetch_min(seq, Ordering::Relaxed);
        });
    }

    pub(crate) fn oldest(&self) -> u64 {
        self.oldest.load(Ordering::Relaxed)
    }

    /// There was none older than `to` when all had been looked through from `from` on.
    pub(crate) fn raise_oldest(&self, from: u64, to: u64) {
        // If an older one has come meanwhile, the next search begins where it did.
        let _unless_lowered =
            self.oldest.compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Waits until no other sends to these groups.
    pub(crate) async fn pass<'a>(
        &self,
        groups: impl Iterator<Item = &'a str>,
    ) -> Vec<tokio::sync::MutexGuard<'_, ()>> {
        // In their order, so that no two wait for each other.
        let gates: BTreeSet<usize> =
            groups.map(|group| crc32c::crc32c(group.as_bytes()) as usize % GATES).collect();
        let mut passed = Vec::with_capacity(gates.len());
        for gate in gates.into_iter().filter_map(|gate| self.gates.get(gate)) {
            passed.push(gate.lock().await);
        }
        passed
    }

    pub(crate) fn has_ended(&self) -> bool {
        *self.ended.borrow()
    }

    /// Resolves when the queue has let go of these messages.
    pub(crate) async fn ended(&self) {
        let mut ended = self.ended.subscribe();
        let _sender_is_ours = ended.wait_for(|ended| *ended).await;
    }
}

impl std::ops::Neg for Counts {
    type Output = Counts;
    fn neg(self) -> Counts {
        Counts { ready: -self.ready, in_flight: -self.in_flight, delayed: -self.delayed }
    }
}

impl Counts {
    /// A message in the state given.
    pub(crate) fn of(state: &State) -> Counts {
        match (state.ticket, state.is_delayed()) {
            (None, _) => Counts { ready: 1, ..Counts::default() },
            (Some(_), true) => Counts { delayed: 1, ..Counts::default() },
            (Some(_), false) => Counts { in_flight: 1, ..Counts::default() },
        }
    }

    pub(crate) fn plus(self, other: Counts) -> Counts {
        Counts {
            ready: self.ready + other.ready,
            in_flight: self.in_flight + other.in_flight,
            delayed: self.delayed + other.delayed,
        }
    }
}

async fn count(store: &Store, places: [Key; 2]) -> Result<Counts> {
    let mut counts = Counts::default();
    for prefix in places {
        let mut range = prefix.prefix();
        loop {
            let page = store.scan(range.clone(), Dir::Forward, COUNT_PAGE).await?;
            for (key, value) in &page {
                let state: State = store::decode(key, value)?;
                counts = counts.plus(Counts::of(&state));
            }
            match page.last() {
                Some((last, _)) if page.len() == COUNT_PAGE => range = range.after(last),
                _ => break,
            }
        }
    }
    Ok(counts)
}

/// The element behind the prefix of a key, a number.
pub(crate) fn seq_of(key: &Key, prefix: &Key) -> store::Result<u64> {
    key.after(prefix)?.u64()
}
