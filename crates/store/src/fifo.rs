//! What is worked off in order: the entries below a prefix, each given to one taker at a time.
//! Queues, timers, streams and the outbox are built on this and on nothing else.
//!
//! A log-structured engine keeps deleted entries for long, so a scan from the prefix wades through
//! everything that was ever worked off. A [`Fifo`] therefore remembers a watermark: every entry
//! below it is gone or claimed. It starts each scan there, and whatever puts an entry below it
//! lowers it again, before that transaction is acknowledged. Nobody has to tell it: it observes
//! the commits.
//!
//! Watermark and claims are in memory. An account has one owner, so they need not be shared, and
//! after a restart every entry is there again, unclaimed.

use std::collections::HashMap;
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
    /// Every entry below is gone or claimed.
    low: Key,
    /// The smallest key that was put or released since the running scan began. The scan may have
    /// passed it before it was there, so its watermark may not go beyond.
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
        let mut items = limit.min(PAGE_ITEMS_MAX);
        while claims.len() < limit {
            let (range, page) = self.page(items, until).await?;
            let mut state = locked(&self.0.state);
            let last = page.entries.last().map(|(key, _)| key.successor());
            let mut passed = if page.more { last } else { Some(range.end) };
            for (key, value) in page.entries {
                if claims.len() == limit {
                    passed = Some(key);
                    break;
                }
                if !state.claimed.contains_key(&key) {
                    let number = state.claim(key.clone());
                    claims.push(Claim { fifo: self.0.clone(), number, key, value });
                }
            }
            state.settle(passed);
            if !page.more {
                break;
            }
            items = (items * 2).min(PAGE_ITEMS_MAX);
        }
        Ok(claims)
    }

    /// The first entry that nobody has claimed: when a timer is due next, for example.
    pub async fn first(&self) -> Result<Option<Key>> {
        let _one_at_a_time = self.0.scanning.lock().await;
        let mut items = 1;
        loop {
            let (range, page) = self.page(items, None).await?;
            let mut state = locked(&self.0.state);
            let free = page.entries.iter().find(|(key, _)| !state.claimed.contains_key(key));
            let last = page.entries.last().map(|(key, _)| key.successor());
            match free {
                Some((key, _)) => {
                    state.settle(Some(key.clone()));
                    return Ok(Some(key.clone()));
                }
                None if page.more => state.settle(last),
                None => {
                    state.settle(Some(range.end));
                    return Ok(None);
                }
            }
            items = (items * 2).min(PAGE_ITEMS_MAX);
        }
    }

    /// Wakes when an entry was put or released. Make it, then claim, then wait.
    pub fn watch(&self) -> Changes {
        Changes { seen: self.0.changed.subscribe(), _fifo: self.0.clone() }
    }

    /// The next entries at the watermark, and the range they are the first of.
    async fn page(&self, items: usize, until: Option<&Key>) -> Result<(KeyRange, Page)> {
        self.0.shared.check_open()?;
        let range = {
            let mut state = locked(&self.0.state);
            state.lowered = None;
            let end = until.map_or(&self.0.range.end, |until| until.min(&self.0.range.end));
            KeyRange::new(state.low.clone(), end.clone())
        };
        if range.is_empty() {
            let end = range.start.clone();
            return Ok((KeyRange::new(end.clone(), end), Page::default()));
        }
        let limit = Limit::items(items);
        let page = self.0.shared.engine.scan(range.clone(), Dir::Forward, limit).await?;
        Ok((range, page))
    }
}

impl State {
    fn claim(&mut self, key: Key) -> u64 {
        self.claims += 1;
        self.claimed.insert(key, self.claims);
        self.claims
    }

    /// Raises the watermark to what a scan has passed, but not beyond what came meanwhile.
    fn settle(&mut self, passed: Option<Key>) {
        let Some(passed) = passed else { return };
        self.low = match self.lowered.take() {
            Some(lowered) => lowered.min(passed),
            None => passed,
        };
    }

    fn lower(&mut self, key: &Key) {
        if *key < self.low {
            self.low = key.clone();
        }
        if self.lowered.as_ref().is_none_or(|lowered| key < lowered) {
            self.lowered = Some(key.clone());
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
        if put {
            locked(&self.state).lower(key);
            self.changed.send_replace(());
        }
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
        let low = range.start.clone();
        let state = State { low, lowered: None, claimed: HashMap::new(), claims: 0 };
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
