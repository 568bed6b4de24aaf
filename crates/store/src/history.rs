//! What one shard committed recently: the memory against which transactions are checked.

use std::collections::{BTreeMap, HashSet, VecDeque};

use crate::{Batch, Key, KeyRange};

/// Changed keys that are remembered. A transaction that began before the oldest of them loses.
const CHANGES_MAX: usize = 256 * 1024;

/// What a transaction has read.
#[derive(Default)]
pub(crate) struct Reads {
    pub(crate) keys: HashSet<Key>,
    pub(crate) ranges: Vec<KeyRange>,
}

impl Reads {
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.ranges.is_empty()
    }
}

/// Versions count the shard's writing transactions since it was opened.
///
/// A transaction that begins at version `s` may have seen any state from `s` on. If nothing it
/// read has changed after `s`, all it saw is the state at the version it gets: serializable.
#[derive(Default)]
pub(crate) struct History {
    /// The newest version given out; beyond `applied` lies the batch being committed.
    newest: u64,
    /// The newest version that readers see.
    applied: u64,
    /// Changes up to this version may have been forgotten.
    forgotten: u64,
    changes: VecDeque<(u64, Vec<Key>)>,
    changes_len: usize,
    /// The newest version that changed each remembered key.
    last: BTreeMap<Key, u64>,
    /// How many running transactions began at each version.
    running: BTreeMap<u64, usize>,
}

impl History {
    /// A transaction begins: its start version.
    pub(crate) fn begin(&mut self) -> u64 {
        *self.running.entry(self.applied).or_default() += 1;
        self.applied
    }

    /// A transaction that began at `start` is over.
    pub(crate) fn end(&mut self, start: u64) {
        if let Some(count) = self.running.get_mut(&start) {
            *count -= 1;
            if *count == 0 {
                self.running.remove(&start);
                self.forget_unneeded();
            }
        }
    }

    /// The version after which a transaction that lost may try again; `None` if it did not lose.
    pub(crate) fn conflict(&self, start: u64, reads: &Reads) -> Option<u64> {
        if reads.is_empty() {
            return None;
        }
        if start < self.forgotten {
            return Some(self.forgotten);
        }
        let by_key = reads.keys.iter().filter_map(|key| self.last.get(key).copied());
        let by_range = reads.ranges.iter().filter(|range| !range.is_empty()).flat_map(|range| {
            self.last.range::<Key, _>(&range.start..&range.end).map(|(_, version)| *version)
        });
        by_key.chain(by_range).filter(|version| *version > start).max()
    }

    /// Gives a transaction its version and remembers what it changes.
    pub(crate) fn record(&mut self, writes: &Batch) -> u64 {
        self.newest += 1;
        let keys: Vec<Key> = writes.iter().map(|(key, _)| key.clone()).collect();
        for key in &keys {
            self.last.insert(key.clone(), self.newest);
        }
        self.changes_len += keys.len();
        self.changes.push_back((self.newest, keys));
        self.newest
    }

    /// Everything recorded can be seen by readers now.
    pub(crate) fn applied(&mut self) -> u64 {
        self.applied = self.newest;
        self.forget_unneeded();
        self.applied
    }

    fn forget_unneeded(&mut self) {
        let needed_after = self.running.keys().next().copied().unwrap_or(self.applied);
        while let Some((version, _)) = self.changes.front() {
            let unneeded = *version <= needed_after.min(self.applied);
            if !unneeded && self.changes_len <= CHANGES_MAX {
                break;
            }
            let Some((version, keys)) = self.changes.pop_front() else { break };
            self.forgotten = version;
            self.changes_len -= keys.len();
            for key in keys {
                if self.last.get(&key) == Some(&version) {
                    self.last.remove(&key);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use base::AccountId;

    use super::*;
    use crate::Space;

    fn key(name: &str) -> Key {
        let account: AccountId = "000000000000".parse().unwrap();
        Space::new(&account, "test").key(1).str(name)
    }

    fn write(name: &str) -> Batch {
        let mut batch = Batch::default();
        batch.write(key(name), None);
        batch
    }

    fn reads(name: &str) -> Reads {
        Reads { keys: HashSet::from([key(name)]), ranges: vec![] }
    }

    #[test]
    fn a_change_after_the_start_is_a_conflict_and_one_before_is_not() {
        let mut history = History::default();
        history.record(&write("a"));
        let before = history.begin();
        history.applied();
        let after = history.begin();
        assert_eq!(history.conflict(before, &reads("a")), Some(1));
        assert_eq!(history.conflict(after, &reads("a")), None);
        assert_eq!(history.conflict(before, &reads("b")), None);
    }

    #[test]
    fn only_what_a_running_transaction_may_need_is_kept() {
        let mut history = History::default();
        let start = history.begin();
        for n in 0..100 {
            history.record(&write(&n.to_string()));
            history.applied();
        }
        assert_eq!(history.last.len(), 100);
        history.end(start);
        assert_eq!((history.last.len(), history.changes.len()), (0, 0));
    }

    #[test]
    fn a_transaction_older_than_the_memory_loses() {
        let mut history = History::default();
        let old = history.begin();
        for n in 0..=CHANGES_MAX {
            history.record(&write(&n.to_string()));
            history.applied();
        }
        assert_eq!(history.last.len(), CHANGES_MAX);
        assert_eq!(history.conflict(old, &reads("never written")), Some(1));
        let young = history.begin();
        assert_eq!(history.conflict(young, &reads("never written")), None);
    }
}
