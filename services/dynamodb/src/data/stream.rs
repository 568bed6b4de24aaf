//! Streams: what has happened to the items of tables, kept for a day.
//!
//! A stream has as many shards as it was made with; a change stands in that of its item's
//! partition key, so that the changes of an item are in order. Its number is taken in the
//! transaction of the write, after the item was read: whoever changes the item next has read this
//! change, and takes a larger one. Writers share no record, so numbers may be committed in another
//! order than they were taken in. Readers therefore stay below the numbers that are still undecided ([`Pending`]).

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::{AccountId, Region, Sequence, Time};
use kit::Kit;
use serde::{Deserialize, Serialize};
use store::{Body, Key, Record, Tx};
use tokio::sync::watch;

use crate::data::{KIND_CHANGE, KIND_STREAM, Schema, space};

/// The most shards a stream has, and how many those have that were made before it was noted.
pub(crate) const SHARDS_MAX: u8 = 4;
/// How long a change can be read.
pub(crate) const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// The stream of a table, the present one or the last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct OfTable {
    pub(crate) number: u64,
    pub(crate) label: String,
    pub(crate) view: View,
    pub(crate) enabled: bool,
    /// As [`Stream::shards`].
    #[serde(default = "shards_before")]
    pub(crate) shards: u8,
}

fn shards_before() -> u8 {
    SHARDS_MAX
}

/// A stream, which outlives its table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stream {
    /// What its changes are found by. It was taken when the stream was made.
    pub(crate) number: u64,
    pub(crate) table: String,
    pub(crate) label: String,
    pub(crate) view: View,
    pub(crate) schema: Schema,
    pub(crate) created: Time,
    /// The number from which on there are no more changes, once it is disabled.
    pub(crate) end: Option<u64>,
    /// How many shards it has. It stays so: earlier changes are found by it.
    #[serde(default = "shards_before")]
    pub(crate) shards: u8,
}

impl Record for Stream {
    const VERSION: u8 = 1;
}

/// What of an item a change has besides its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum View {
    KeysOnly,
    NewImage,
    OldImage,
    NewAndOldImages,
}

impl View {
    pub(crate) const NAMES: [(&str, View); 4] = [
        ("NEW_IMAGE", View::NewImage),
        ("OLD_IMAGE", View::OldImage),
        ("NEW_AND_OLD_IMAGES", View::NewAndOldImages),
        ("KEYS_ONLY", View::KeysOnly),
    ];

    pub(crate) fn name(self) -> &'static str {
        let found = View::NAMES.iter().find(|(_, view)| *view == self);
        found.map_or("", |(name, _)| name)
    }

    pub(crate) fn has_new(self) -> bool {
        matches!(self, View::NewImage | View::NewAndOldImages)
    }

    pub(crate) fn has_old(self) -> bool {
        matches!(self, View::OldImage | View::NewAndOldImages)
    }
}

/// What a write did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Event {
    Insert,
    Modify,
    Remove,
}

/// A change of an item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Change {
    pub(crate) event: Event,
    /// The item was removed because its time had come.
    pub(crate) expired: bool,
    /// An item of maps: `Keys`, and `OldImage` and `NewImage` where the view has them.
    pub(crate) body: Body,
}

impl Record for Change {
    const VERSION: u8 = 1;
}

/// All streams of a region, by table and label.
pub(crate) fn streams_key(account: &AccountId, region: &Region) -> Key {
    space(account).key(KIND_STREAM).str(region.as_str())
}

pub(crate) fn stream_key(account: &AccountId, region: &Region, table: &str, label: &str) -> Key {
    streams_key(account, region).str(table).str(label)
}

/// The changes of a stream.
pub(crate) fn changes_key(account: &AccountId, stream: u64) -> Key {
    space(account).key(KIND_CHANGE).u64(stream)
}

/// The changes of a shard, in the order of their numbers.
pub(crate) fn shard_key(account: &AccountId, stream: u64, shard: u8) -> Key {
    changes_key(account, stream).u8(shard)
}

/// The number before which changes are no longer kept.
pub(crate) fn horizon(now: Time) -> u64 {
    let kept = u64::try_from(KEPT.as_millis()).unwrap_or(u64::MAX);
    Sequence::first_at(Time::from_millis(now.as_millis().saturating_sub(kept)))
}

/// Numbers of changes whose transactions are not decided yet. In memory: an account has one owner,
/// and no transaction outlives the process.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    numbers: Mutex<BTreeSet<u64>>,
    /// Told of each number that is decided.
    freed: watch::Sender<()>,
}

impl Pending {
    /// Takes the number of a change, and holds readers below it until the transaction is decided.
    pub(crate) fn take(self: &Arc<Self>, kit: &Kit, tx: &Tx) -> u64 {
        let number = {
            let mut pending = self.numbers();
            let number = kit.next_number();
            pending.insert(number);
            number
        };
        // Goes with the attempt, if that fails, or after the commit can be seen.
        let held = Held { number, pending: Arc::clone(self) };
        tx.on_commit(move || drop(held));
        number
    }

    /// The number below which every change is there that ever will be.
    pub(crate) fn decided(&self, kit: &Kit) -> u64 {
        let pending = self.numbers();
        pending.first().copied().unwrap_or_else(|| kit.next_number())
    }

    /// Waits until every number is decided that has been taken by now.
    pub(crate) async fn settled(&self, kit: &Kit) {
        let mut freed = self.freed.subscribe();
        let now = kit.next_number();
        while self.numbers().first().is_some_and(|first| *first < now) {
            // The sender is ours, so this cannot end by its loss.
            let _kept = freed.changed().await;
        }
    }

    fn numbers(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Held {
    number: u64,
    pending: Arc<Pending>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.pending.numbers().remove(&self.number);
        self.pending.freed.send_replace(());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What [`Stream`] was before it noted its shards.
    #[derive(Serialize, Deserialize)]
    struct Before {
        number: u64,
        table: String,
        label: String,
        view: View,
        schema: Schema,
        created: Time,
        end: Option<u64>,
    }

    impl Record for Before {
        const VERSION: u8 = 1;
    }

    #[test]
    fn streams_from_before_have_four_shards() {
        let before = Before {
            number: 7,
            table: "abc".to_owned(),
            label: "now".to_owned(),
            view: View::KeysOnly,
            schema: Schema {
                partition: crate::data::Attribute { name: "a".to_owned(), kind: "S".to_owned() },
                sort: None,
            },
            created: Time::from_millis(1),
            end: None,
        };
        let account = "000000000000".parse().unwrap();
        let key = stream_key(&account, &"us-east-1".parse().unwrap(), "abc", "now");
        let stream: Stream = store::decode(&key, &store::encode(&before).unwrap()).unwrap();
        assert_eq!((stream.number, stream.shards), (7, 4));
    }
}
