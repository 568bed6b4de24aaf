//! What an engine promises: order, atomicity, durability, fencing, and that damage is noticed.

use std::path::Path;
use std::sync::Arc;

use base::AccountId;
use bytes::Bytes;

use super::{Open, account, batch, engine_with, key, killed, numbers, put, space, store};
use crate::{
    Batch, Blobs, Dir, Epoch, Error, KeyRange, Limit, Record, Space, Store, Tx, VALUE_BYTES_MAX,
};

/// A scan gives keys in order, in both directions, and only those of its range.
pub async fn keys_come_in_order(open: Open, folder: &Path) {
    let (engine, _) = engine_with(open, folder, 300).await;
    let range = KeyRange::new(key(10), key(290));
    let up = engine.scan(range.clone(), Dir::Forward, Limit::items(1000)).await.unwrap();
    assert_eq!(numbers(&up.entries), (10..290).collect::<Vec<_>>());
    assert!(!up.more);
    let down = engine.scan(range, Dir::Backward, Limit::items(1000)).await.unwrap();
    assert_eq!(numbers(&down.entries), (10..290).rev().collect::<Vec<_>>());
    let none = KeyRange::new(key(20), key(10));
    assert!(engine.scan(none, Dir::Forward, Limit::items(9)).await.unwrap().entries.is_empty());
}

/// Pages, cut by items or by bytes, make up the whole in both directions.
pub async fn pages_join_without_gap_or_overlap(open: Open, folder: &Path) {
    let (engine, _) = engine_with(open, folder, 100).await;
    let entry_bytes = key(0).len() + "value".len();
    for limit in [Limit::items(7), Limit { items: 1000, bytes: 7 * entry_bytes }] {
        for dir in [Dir::Forward, Dir::Backward] {
            let (mut seen, mut range) = (Vec::new(), space().prefix());
            loop {
                let page = engine.scan(range.clone(), dir, limit).await.unwrap();
                assert!(page.entries.len() <= 7);
                seen.extend(numbers(&page.entries));
                let Some((last, _)) = page.entries.last() else { break };
                range = match dir {
                    Dir::Forward => range.after(last),
                    Dir::Backward => range.before(last.clone()),
                };
                if !page.more {
                    break;
                }
            }
            if dir == Dir::Backward {
                seen.reverse();
            }
            assert_eq!(seen, (0..100).collect::<Vec<_>>(), "{dir:?} {limit:?}");
        }
    }
}

/// Whoever reads while a batch is committed sees all of it or nothing: who has seen one entry of
/// it sees the others, too.
pub async fn a_batch_is_seen_whole(open: Open, folder: &Path) {
    const ENTRIES: u64 = 300;
    const BATCHES: u64 = 60;
    let (engine, epoch) = engine_with(open, folder, 0).await;
    let writer = Arc::clone(&engine);
    let writing = base::task::spawn("writer", async move {
        for number in 1..=BATCHES {
            let mut batch = Batch::default();
            let value = Bytes::copy_from_slice(&number.to_be_bytes());
            (0..ENTRIES).for_each(|entry| batch.write(key(entry), Some(value.clone())));
            writer.commit(account(), epoch, Arc::new(batch)).await.unwrap();
        }
    });
    let read = async |entry| engine.get(&key(entry)).await.unwrap();
    while !writing.is_finished() {
        for (one, other) in [(0, ENTRIES - 1), (ENTRIES - 1, 0)] {
            let seen = read(one).await;
            assert!(read(other).await >= seen, "a batch is seen in part");
        }
        let all = engine.scan(space().prefix(), Dir::Forward, Limit::items(1000)).await.unwrap();
        let values = all.entries.iter().map(|(_, value)| value);
        assert!(values.clone().all(|value| value == values.clone().next().unwrap()));
    }
    writing.await.unwrap();
}

/// A value beyond the limit is refused, one at the limit is kept.
pub async fn large_values_are_refused(open: Open, folder: &Path) {
    let (engine, epoch) = engine_with(open, folder, 1).await;
    for (bytes, taken) in [(VALUE_BYTES_MAX, true), (VALUE_BYTES_MAX + 1, false)] {
        let mut batch = Batch::default();
        batch.write(key(5), Some(Bytes::from(vec![7; bytes])));
        match engine.commit(account(), epoch, Arc::new(batch)).await {
            Ok(()) => assert!(taken),
            Err(Error::TooLarge { bytes: told, .. }) => assert!(!taken && told == bytes),
            Err(e) => panic!("{e}"),
        }
    }
    assert_eq!(engine.get(&key(5)).await.unwrap().unwrap().len(), VALUE_BYTES_MAX);
    let store = store(open, &folder.join("other")).await;
    let large = Bytes::from(vec![7; VALUE_BYTES_MAX + 1]);
    let put = store.transact(account(), |tx| {
        let large = large.clone();
        async move {
            tx.put(key(1), large);
            Ok::<_, Error>(())
        }
    });
    assert!(matches!(put.await, Err(Error::TooLarge { .. })));
    let endless = store.transact(account(), |tx| async move {
        for number in 0..1000 {
            tx.put(key(number), vec![7; VALUE_BYTES_MAX]);
        }
        Ok::<_, Error>(())
    });
    assert!(matches!(endless.await, Err(Error::TooLarge { what: "transaction", .. })));
}

/// Of a batch that is refused nothing is there; deletes and puts of one that is taken both are.
pub async fn a_batch_is_all_or_nothing(open: Open, folder: &Path) {
    let (engine, epoch) = engine_with(open, folder, 3).await;
    let mut refused = Batch::default();
    refused.write(key(7), Some(Bytes::from("small")));
    refused.write(key(8), Some(Bytes::from(vec![0; VALUE_BYTES_MAX + 1])));
    engine.commit(account(), epoch, Arc::new(refused)).await.unwrap_err();
    assert_eq!(engine.get(&key(7)).await.unwrap(), None);
    let writes = batch([(0, None), (1, Some("new")), (9, None)]);
    engine.commit(account(), epoch, writes).await.unwrap();
    assert_eq!(engine.get(&key(0)).await.unwrap(), None);
    assert_eq!(engine.get(&key(1)).await.unwrap(), Some(Bytes::from("new")));
    let page = engine.scan(space().prefix(), Dir::Forward, Limit::items(9)).await.unwrap();
    assert_eq!(numbers(&page.entries), [1, 2]);
}

/// Once a shard has a new owner, the former cannot commit to it, and to others it can.
pub async fn a_fenced_owner_cannot_commit(open: Open, folder: &Path) {
    let store = store(open, folder).await;
    put(&store, 1, "before").await.unwrap();
    let epoch = store.engine().acquire(account(), "another").await.unwrap();
    assert!(matches!(put(&store, 1, "fenced").await, Err(Error::Fenced)));
    assert_eq!(store.get(&key(1)).await.unwrap(), Some(Bytes::from("before")));
    store.engine().commit(account(), epoch, batch([(1, Some("after"))])).await.unwrap();
    let older = Epoch(epoch.0 - 1);
    let late = store.engine().commit(account(), older, batch([(1, Some("late"))])).await;
    assert!(matches!(late, Err(Error::Fenced)));
    assert_eq!(store.get(&key(1)).await.unwrap(), Some(Bytes::from("after")));
    let other: AccountId = "111111111111".parse().unwrap();
    let in_other = store.transact(&other, |tx| async move {
        tx.put(Space::new(tx.account(), "test").key(1), "value");
        Ok::<_, Error>(())
    });
    in_other.await.unwrap();
}

/// After a kill all that was acknowledged is there and nothing that was deleted.
pub async fn acknowledged_survives_a_kill(open: Open, folder: &Path) {
    let store = store(open, folder).await;
    if !store.engine().caps().durable {
        return;
    }
    for number in 0..50 {
        put(&store, number, "value").await.unwrap();
    }
    let delete = |tx: Tx| async move {
        tx.delete(key(25));
        Ok::<_, Error>(())
    };
    store.transact(account(), delete).await.unwrap();
    let again = open(&killed(folder));
    let page = again.scan(space().prefix(), Dir::Forward, Limit::items(99)).await.unwrap();
    assert_eq!(numbers(&page.entries), (0..50).filter(|n| *n != 25).collect::<Vec<_>>());
}

/// Epochs go on growing after a kill, or an owner from before it could commit.
pub async fn epochs_survive_a_kill(open: Open, folder: &Path) {
    let (engine, epoch) = engine_with(open, folder, 1).await;
    if !engine.caps().durable {
        return;
    }
    let again = open(&killed(folder));
    let stale = again.commit(account(), epoch, batch([(1, Some("stale"))])).await;
    assert!(matches!(stale, Err(Error::Fenced)));
    assert!(again.acquire(account(), "suite").await.unwrap() > epoch);
}

/// A backup holds what was there when it was made, and opens. It is refused into a used folder.
pub async fn a_backup_opens(open: Open, folder: &Path) {
    let (engine, epoch) = engine_with(open, folder, 500).await;
    let to = folder.join("backup");
    if !engine.caps().backup {
        assert!(matches!(engine.backup(&to).await, Err(Error::Unsupported("backup"))));
        return;
    }
    engine.backup(&to).await.unwrap();
    engine.commit(account(), epoch, batch([(1000, Some("later"))])).await.unwrap();
    engine.backup(&to).await.unwrap_err();
    let copy = open(&to);
    let page = copy.scan(space().prefix(), Dir::Forward, Limit::items(1000)).await.unwrap();
    assert_eq!(numbers(&page.entries), (0..500).collect::<Vec<_>>());
    assert!(copy.acquire(account(), "suite").await.unwrap() > epoch);
}

/// A record that differs in any single bit from what was written is an error.
pub async fn a_flipped_bit_is_never_served(open: Open, folder: &Path) {
    let (engine, epoch) = engine_with(open, folder, 1).await;
    let written = crate::encode(&Text("as it was written".into())).unwrap();
    for bit in 0..written.len() * 8 {
        let mut flipped = written.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let mut batch = Batch::default();
        batch.write(key(bit as u64), Some(flipped.into()));
        engine.commit(account(), epoch, Arc::new(batch)).await.unwrap();
    }
    let store = Store::open(engine, Blobs::memory(), "suite").await.unwrap();
    for bit in 0..written.len() * 8 {
        match store.get_record::<Text>(&key(bit as u64)).await {
            Err(Error::Corrupt { what, .. }) => assert!(what.contains("test kind 1"), "{what}"),
            other => panic!("bit {bit}: {other:?}"),
        }
    }
}

#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Text(String);

impl Record for Text {
    const VERSION: u8 = 1;
}
