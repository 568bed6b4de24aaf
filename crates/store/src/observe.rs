//! Who wants to know when keys below a prefix change. Looked up by prefix, so that a commit costs
//! a few hash look-ups however many watch, and nothing when nobody does.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, RwLock, Weak};

use tokio::sync::watch;

use crate::{Batch, Key};

/// Told of every committed write below its prefix, after it can be read and before its
/// transaction is acknowledged. Must be quick and must not block.
pub(crate) trait Observer: Send + Sync {
    fn touched(&self, key: &Key, put: bool);
}

#[derive(Default)]
pub(crate) struct Observers(RwLock<Index>);

#[derive(Default)]
struct Index {
    by_prefix: HashMap<Key, Vec<Weak<dyn Observer>>>,
    /// How many prefixes have each length: the only lengths a key need be cut to.
    lengths: BTreeMap<usize, usize>,
}

impl Observers {
    /// Adds an observer; it leaves by being dropped.
    pub(crate) fn add(&self, prefix: Key, observer: Weak<dyn Observer>) {
        let mut index = self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        let len = prefix.len();
        if let Some(list) = index.by_prefix.get_mut(&prefix) {
            list.retain(|known| known.strong_count() > 0);
            list.push(observer);
        } else {
            index.by_prefix.insert(prefix, vec![observer]);
            *index.lengths.entry(len).or_default() += 1;
        }
    }

    /// Forgets the prefix if nobody observes it any more.
    pub(crate) fn prune(&self, prefix: &Key) {
        let mut index = self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        let Some(list) = index.by_prefix.get_mut(prefix) else { return };
        list.retain(|known| known.strong_count() > 0);
        if !list.is_empty() {
            return;
        }
        index.by_prefix.remove(prefix);
        if let Some(count) = index.lengths.get_mut(&prefix.len()) {
            *count -= 1;
            if *count == 0 {
                index.lengths.remove(&prefix.len());
            }
        }
    }

    /// Tells everyone concerned about a committed batch.
    pub(crate) fn notify(&self, batch: &Batch) {
        let index = self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        if index.by_prefix.is_empty() {
            return;
        }
        for (key, value) in batch.iter() {
            for len in index.lengths.keys().take_while(|len| **len <= key.len()) {
                for observer in index.by_prefix.get(&key.as_bytes()[..*len]).into_iter().flatten() {
                    if let Some(observer) = observer.upgrade() {
                        observer.touched(key, value.is_some());
                    }
                }
            }
        }
    }
}

/// Wakes after a commit touched a key below its prefix.
///
/// Make the watch, then look, then wait: a change that comes between the look and the wait is not
/// lost, because the watch has counted from the moment it was made.
pub struct Watch {
    topic: Option<Arc<Topic>>,
    seen: watch::Receiver<()>,
    observers: Arc<Observers>,
    prefix: Key,
}

struct Topic(watch::Sender<()>);

impl Observer for Topic {
    fn touched(&self, _key: &Key, _put: bool) {
        self.0.send_replace(());
    }
}

impl Watch {
    pub(crate) fn new(observers: Arc<Observers>, prefix: Key) -> Watch {
        let (sender, seen) = watch::channel(());
        let topic = Arc::new(Topic(sender));
        let weak: Weak<Topic> = Arc::downgrade(&topic);
        observers.add(prefix.clone(), weak);
        Watch { topic: Some(topic), seen, observers, prefix }
    }

    /// Returns as soon as there was a change since the last return, or since the watch was made.
    pub async fn changed(&mut self) {
        // The sender lives in `topic`, so this cannot end by its loss.
        let _kept = self.seen.changed().await;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.topic = None;
        self.observers.prune(&self.prefix);
    }
}
