//! What is worked off in order: the entries below a prefix, each given to one taker at a time.
//! Queues, timers, streams and the outbox are built on this and on nothing else.
//!
//! A log-structured engine keeps deleted entries for long, so a scan from the prefix wades through
//! everything that was ever worked off. A [`Fifo`] therefore remembers a watermark: every entry
//! below it is gone or claimed. It starts each scan there, and whatever puts an entry below it
//! lowers it again, before that transaction is acknowledged. Nobody has to tell it: it observes
//! the commits. And because a scan costs more than what it finds, it reads a few entries ahead and
//! gives them out one after the other.
//!
//! All of this is in memory. An account has one owner, so it need not be shared, and after a
//! restart every entry is there again, unclaimed.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::sync::watch;

use crate::observe::Observer;
use crate::sequencer::Shared;
use crate::{Dir, Key, KeyRange, Limit, Page, Result, Tx, locked};

/// Prefixes whose watermark is remembered. One forgotten costs a longer scan, nothing else.
const FIFOS_MAX: usize = 100_000;
/// The largest page while passing over claimed entries.
const PAGE_ITEMS_MAX: usize = 1024;
/// How far a scan reads ahead, in entries and in bytes. Small, because each prefix may hold them.
const AHEAD_ITEMS: usize = 32;
const AHEAD_BYTES: usize = 8 * 1024;

/// The entries below a prefix, in key order. A cheap handle; see `Store::fifo`.
#[derive(Clone)]
pub struct Fifo(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    range: KeyRange,
    /// Held while scanning: two scans at once would hand out the same entries.
    scanning: tokio::sync::Mutex<()>,
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

struct State {
    /// The watermark and where the next scan begins: every entry below is gone, claimed, or in
    /// `ahead`.
    read_to: Key,
    /// Entries that are nobody's, in order.
    ahead: VecDeque<(Key, Bytes)>,
    /// The smallest key that was put or released since the running scan began. The scan may have
    /// passed it before it was there, so the watermark may not go beyond.
    lowered: Option<Key>,
    /// Claimed keys, each with the number of its claim.
    claimed: HashMap<Key, u64>,
    claims: u64,
}

impl Fifo {
    /// Claims up to `limit` of the first entries that nobody has claimed, and that lie before
    /// `until`, if given. An entry stays the caller's until its [`Claim`] is dropped.
    pub async fn claim(&self, limit: usize, until: Option<&Key>) -> Result<Vec<Claim>> {
        let mut claims = Vec::new();
        let _one_at_a_time = self.0.scanning.lock().await;
        let mut items = limit.max(AHEAD_ITEMS);
        loop {
            let ready = {
                let mut state = locked(&self.0.state);
                while claims.len() < limit
                    && let Some((number, key, value)) = state.claim(until)
                {
                    claims.push(Claim { fifo: self.0.clone(), number, key, value });
                }
                claims.len() == limit || !state.ahead.is_empty()
            };
            if ready || !self.read(items, until).await? {
                return Ok(claims);
            }
            items = (items * 2).min(PAGE_ITEMS_MAX);
        }
    }

    /// The first entry that nobody has claimed: when a timer is due next, for example.
    pub async fn first(&self) -> Result<Option<Key>> {
        let _one_at_a_time = self.0.scanning.lock().await;
        let mut items = AHEAD_ITEMS;
        loop {
            let first = locked(&self.0.state).ahead.front().map(|(key, _)| key.clone());
            if first.is_some() || !self.read(items, None).await? {
                return Ok(first);
            }
            items = (items * 2).min(PAGE_ITEMS_MAX);
        }
    }

    /// Wakes when an entry was put or released. Make it, then claim, then wait.
    pub fn watch(&self) -> Changes {
        Changes { seen: self.0.changed.subscribe(), _fifo: self.0.clone() }
    }

    /// Reads on where the last scan ended, as far as `until`. False if there is nothing more.
    async fn read(&self, items: usize, until: Option<&Key>) -> Result<bool> {
        self.0.shared.check_open()?;
        let range = {
            let mut state = locked(&self.0.state);
            state.lowered = None;
            let end = until.map_or(&self.0.range.end, |until| until.min(&self.0.range.end));
            KeyRange::new(state.read_to.clone(), end.clone())
        };
        if range.is_empty() {
            return Ok(false);
        }
        let limit = Limit { items, bytes: AHEAD_BYTES };
        let page = self.0.shared.engine.scan(range.clone(), Dir::Forward, limit).await?;
        let there_was = page.more || !page.entries.is_empty();
        locked(&self.0.state).settle(range, page);
        Ok(there_was)
    }
}

impl State {
    /// The first entry of those read ahead, if it lies before `until`.
    fn claim(&mut self, until: Option<&Key>) -> Option<(u64, Key, Bytes)> {
        let due = |(key, _): &mut (Key, Bytes)| until.is_none_or(|until| *key < *until);
        let (key, value) = self.ahead.pop_front_if(due)?;
        self.claims += 1;
        self.claimed.insert(key.clone(), self.claims);
        Some((self.claims, key, value))
    }

    /// Takes over what a scan of `range` found, as far as nothing came meanwhile.
    fn settle(&mut self, range: KeyRange, page: Page) {
        if self.read_to != range.start {
            return; // Something came before all of it.
        }
        let last = page.entries.last().filter(|_| page.more).map(|(key, _)| key.successor());
        let passed = last.unwrap_or(range.end);
        self.read_to = match self.lowered.take() {
            Some(lowered) => lowered.min(passed),
            None => passed,
        };
        for (key, value) in page.entries {
            if key < self.read_to && !self.claimed.contains_key(&key) {
                self.ahead.push_back((key, value));
            }
        }
    }

    /// An entry was put, or is nobody's again.
    fn lower(&mut self, key: &Key) {
        if *key < self.read_to {
            let first = self.ahead.front().map_or(key, |(first, _)| first.min(key));
            self.read_to = first.clone();
            self.ahead.clear();
        }
        if self.lowered.as_ref().is_none_or(|lowered| key < lowered) {
            self.lowered = Some(key.clone());
        }
    }

    /// An entry was deleted. One that a running scan finds nevertheless is given out, and found to
    /// be gone by who consumes it.
    fn forget(&mut self, key: &Key) {
        if let Ok(index) = self.ahead.binary_search_by(|(ahead, _)| ahead.cmp(key)) {
            self.ahead.remove(index);
        }
    }
}

impl Inner {
    /// Ends a claim; false if it had ended before.
    fn end(&self, key: &Key, number: u64, release: bool) {
        let mut state = locked(&self.state);
        if state.claimed.get(key) != Some(&number) {
            return;
        }
        state.claimed.remove(key);
        if release {
            state.lower(key);
            drop(state);
            self.changed.send_replace(());
        }
    }
}

impl Observer for Inner {
    fn touched(&self, key: &Key, put: bool) {
        let mut state = locked(&self.state);
        if !put {
            return state.forget(key);
        }
        state.lower(key);
        drop(state);
        self.changed.send_replace(());
    }
}

/// An entry that is its holder's alone. Dropped without being consumed, it is given to the next.
pub struct Claim {
    fifo: Arc<Inner>,
    number: u64,
    key: Key,
    value: Bytes,
}

impl Claim {
    /// The whole key of the entry.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The value at the time of the claim.
    pub fn value(&self) -> &Bytes {
        &self.value
    }

    /// Removes the entry with the transaction and gives its present value. `None`: somebody else
    /// has deleted it, a purge for example, and there is nothing to do.
    pub async fn consume(&self, tx: &Tx) -> Result<Option<Bytes>> {
        let Some(value) = tx.get(&self.key).await? else { return Ok(None) };
        tx.delete(self.key.clone());
        let (fifo, key, number) = (self.fifo.clone(), self.key.clone(), self.number);
        tx.on_commit(move || fifo.end(&key, number, false));
        Ok(Some(value))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.fifo.end(&self.key, self.number, true);
    }
}

/// Wakes when there may be something to claim.
pub struct Changes {
    seen: watch::Receiver<()>,
    _fifo: Arc<Inner>,
}

impl Changes {
    /// Returns as soon as an entry was put or released since the last return, or since this was
    /// made.
    pub async fn changed(&mut self) {
        // The sender lives as long as the fifo, which this holds.
        let _kept = self.seen.changed().await;
    }
}

/// All fifos of a store, by prefix.
#[derive(Default)]
pub(crate) struct Fifos(Mutex<HashMap<Key, Arc<Inner>>>);

impl Fifos {
    pub(crate) fn get(&self, shared: &Arc<Shared>, prefix: Key) -> Fifo {
        let mut known = locked(&self.0);
        if let Some(fifo) = known.get(&prefix) {
            return Fifo(fifo.clone());
        }
        if known.len() >= FIFOS_MAX {
            // Those with a handle or a claim outside must stay: their claims count.
            known.retain(|_, fifo| Arc::strong_count(fifo) > 1);
        }
        let range = prefix.prefix();
        let state = State {
            read_to: range.start.clone(),
            ahead: VecDeque::new(),
            lowered: None,
            claimed: HashMap::new(),
            claims: 0,
        };
        let fifo = Arc::new(Inner {
            shared: shared.clone(),
            range,
            scanning: tokio::sync::Mutex::default(),
            state: Mutex::new(state),
            changed: watch::channel(()).0,
        });
        let weak: std::sync::Weak<Inner> = Arc::downgrade(&fifo);
        shared.observers.add(prefix.clone(), weak);
        known.insert(prefix, fifo.clone());
        Fifo(fifo)
    }
}
