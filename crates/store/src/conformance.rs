//! The suite every engine must pass, alone and below the sequencer.
//!
//! `store::conformance!(name, open)` makes a test module of it, where `open` is a
//! `fn(&Path) -> Arc<dyn Engine>` that opens, or makes, the engine in a folder. The calling crate
//! needs `tokio` with `rt-multi-thread` and `macros`, and `tempfile`, for its tests.
//!
//! A kill is played by copying the folder of an engine that is still open, and opening the copy.

#![expect(clippy::unwrap_used, reason = "a test suite")]

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use base::AccountId;
use bytes::Bytes;

use crate::{
    Batch, Blobs, Dir, Engine, Epoch, Error, Key, KeyRange, Limit, Record, Space, Store, Tx,
    VALUE_BYTES_MAX,
};

/// Opens an engine in a folder.
pub type Open = fn(&Path) -> Arc<dyn Engine>;

/// Makes a test of each function of the suite.
#[macro_export]
macro_rules! conformance {
    ($name:ident, $open:expr) => {
        $crate::conformance!(@each $name, $open,
            keys_come_in_order pages_join_without_gap_or_overlap large_values_are_refused
            a_batch_is_all_or_nothing a_fenced_owner_cannot_commit acknowledged_survives_a_kill
            epochs_survive_a_kill a_backup_opens no_update_is_lost no_write_skew no_phantom
            no_judgement_on_a_mixture a_flipped_bit_is_never_served own_writes_are_seen
            blind_writes_never_conflict many_transactions_at_once
            a_transaction_stays_in_its_account);
    };
    (@each $name:ident, $open:expr, $($test:ident)*) => {
        mod $name {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    let folder = ::tempfile::tempdir().unwrap();
                    $crate::conformance::$test($open, folder.path()).await;
                }
            )*
        }
    };
}

fn account() -> &'static AccountId {
    static ACCOUNT: LazyLock<AccountId> = LazyLock::new(|| "000000000000".parse().unwrap());
    &ACCOUNT
}

fn space() -> Key {
    Space::new(account(), "test").key(1)
}

fn key(number: u64) -> Key {
    space().u64(number)
}

fn batch(writes: impl IntoIterator<Item = (u64, Option<&'static str>)>) -> Arc<Batch> {
    let mut batch = Batch::default();
    for (number, value) in writes {
        batch.write(key(number), value.map(Bytes::from));
    }
    Arc::new(batch)
}

async fn engine_with(open: Open, folder: &Path, numbers: u64) -> (Arc<dyn Engine>, Epoch) {
    let engine = open(&folder.join("data"));
    let epoch = engine.acquire(account(), "suite").await.unwrap();
    let writes = (0..numbers).rev().map(|number| (number, Some("value")));
    engine.commit(account(), epoch, batch(writes)).await.unwrap();
    (engine, epoch)
}

async fn store(open: Open, folder: &Path) -> Store {
    let engine = open(&folder.join("data"));
    Store::open(engine, Blobs::memory(), "suite").await.unwrap()
}

/// What a kill would leave: the files as they are now, in a folder nobody has open.
fn killed(folder: &Path) -> std::path::PathBuf {
    fn copy(from: &Path, to: &Path) {
        std::fs::create_dir_all(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let (entry, to) =
                (entry.as_ref().unwrap(), to.join(entry.as_ref().unwrap().file_name()));
            if entry.file_type().unwrap().is_dir() {
                copy(&entry.path(), &to);
            } else {
                std::fs::copy(entry.path(), to).unwrap();
            }
        }
    }
    let copied = folder.join("killed");
    copy(&folder.join("data"), &copied);
    copied
}

fn numbers(entries: &[(Key, Bytes)]) -> Vec<u64> {
    entries.iter().map(|(key, _)| key.after(&space()).unwrap().u64().unwrap()).collect()
}

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

/// Eight tasks count up one number: none of their steps is lost.
pub async fn no_update_is_lost(open: Open, folder: &Path) {
    let store = store(open, folder).await;
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let store = store.clone();
            run(async move {
                for _ in 0..25 {
                    store.transact(account(), |tx| add(tx, key(0), 1)).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(count(&store, 0).await, 200);
}

/// Two that each read both and change one: only one may find that both are there.
pub async fn no_write_skew(open: Open, folder: &Path) {
    let store = store(open, folder).await;
    for round in 0..20 {
        let (left, right) = (key(2 * round), key(2 * round + 1));
        let leave = |mine: Key, other: Key| {
            let store = store.clone();
            async move {
                let attempt = |tx: Tx| {
                    let (mine, other) = (mine.clone(), other.clone());
                    async move {
                        let (mine_is, other_is) = (tx.get(&mine).await?, tx.get(&other).await?);
                        tokio::task::yield_now().await;
                        if mine_is.is_none() && other_is.is_none() {
                            tx.put(mine, "left");
                        }
                        Ok::<_, Error>(())
                    }
                };
                store.transact(account(), attempt).await.unwrap();
            }
        };
        let one = run(leave(left.clone(), right.clone()));
        let two = run(leave(right.clone(), left.clone()));
        one.await.unwrap();
        two.await.unwrap();
        let gone = [store.get(&left).await.unwrap(), store.get(&right).await.unwrap()];
        assert_eq!(gone.iter().flatten().count(), 1, "round {round}");
    }
}

/// Entries that appear in a range after it was read are a conflict, at either end of a page; those
/// behind the page are none.
pub async fn no_phantom(open: Open, folder: &Path) {
    let store = store(open, folder).await;
    for number in [10, 20, 30, 40] {
        put(&store, number, "value").await.unwrap();
    }
    for (dir, inserted, again) in [
        (Dir::Forward, 15, true),
        (Dir::Forward, 5, true),
        (Dir::Forward, 35, false),
        (Dir::Backward, 36, true),
        (Dir::Backward, 45, true),
        (Dir::Backward, 6, false),
    ] {
        let tries = AtomicUsize::new(0);
        let (other, tries) = (&store, &tries);
        // Ends before the own write, which must not lie in what is scanned.
        let range = KeyRange::new(key(0), key(100));
        let attempt = |tx: Tx| {
            let range = range.clone();
            async move {
                tx.scan(range, dir, 2).await?;
                if tries.fetch_add(1, Ordering::Relaxed) == 0 {
                    put(other, inserted, "phantom").await?;
                }
                tx.put(key(1000), "decided");
                Ok::<_, Error>(())
            }
        };
        store.transact(account(), attempt).await.unwrap();
        let expected = if again { 2 } else { 1 };
        assert_eq!(tries.load(Ordering::Relaxed), expected, "{dir:?} {inserted}");
        store
            .transact(account(), |tx| async move {
                tx.delete(key(inserted));
                Ok::<_, Error>(())
            })
            .await
            .unwrap();
    }
}

/// An error that a function returns after it saw a mixture of two states does not count.
pub async fn no_judgement_on_a_mixture(open: Open, folder: &Path) {
    let store = store(open, folder).await;
    let tries = AtomicUsize::new(0);
    let (other, tries) = (&store, &tries);
    // Two numbers that are always changed together are found to differ.
    let compared = store.transact(account(), |tx| async move {
        let left = tx.get(&key(1)).await?;
        if tries.fetch_add(1, Ordering::Relaxed) == 0 {
            let both = |tx: Tx| async move {
                tx.put(key(1), "new");
                tx.put(key(2), "new");
                Ok::<_, Error>(())
            };
            other.transact(account(), both).await?;
        }
        let right = tx.get(&key(2)).await?;
        if left == right { Ok(()) } else { Err(Error::corrupt("pair", "its halves differ")) }
    });
    compared.await.unwrap();
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

/// A transaction sees its own puts and deletes, in gets and in scans, and others only when it
/// has committed.
pub async fn own_writes_are_seen(open: Open, folder: &Path) {
    let store = store(open, folder).await;
    for number in [10, 20, 30, 40] {
        put(&store, number, "old").await.unwrap();
    }
    let outside = &store;
    let see = store.transact(account(), |tx| async move {
        tx.delete(key(10));
        tx.delete(key(30));
        tx.put(key(15), "new");
        tx.put(key(40), "new");
        assert_eq!(tx.get(&key(10)).await?, None);
        assert_eq!(tx.get(&key(40)).await?, Some(Bytes::from("new")));
        let range = space().prefix();
        let up = tx.scan(range.clone(), Dir::Forward, 2).await?;
        assert_eq!(numbers(&up), [15, 20]);
        let down = tx.scan(range.clone(), Dir::Backward, 9).await?;
        assert_eq!(numbers(&down), [40, 20, 15]);
        assert_eq!(outside.get(&key(15)).await?, None);
        Ok::<_, Error>(())
    });
    see.await.unwrap();
    let all = store.scan(space().prefix(), Dir::Forward, 9).await.unwrap();
    assert_eq!(numbers(&all), [15, 20, 40]);
}

/// Transactions that read nothing are tried once, however many others write the same.
pub async fn blind_writes_never_conflict(open: Open, folder: &Path) {
    let store = store(open, folder).await;
    let tries = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let (store, tries) = (store.clone(), tries.clone());
            run(async move {
                let write = |tx: Tx| {
                    tries.fetch_add(1, Ordering::Relaxed);
                    async move {
                        tx.put(key(0), "value");
                        Ok::<_, Error>(())
                    }
                };
                store.transact(account(), write).await.unwrap();
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(tries.load(Ordering::Relaxed), 50);
}

/// 64 tasks move money between ten accounts and look at all of them: the sum is always the same.
pub async fn many_transactions_at_once(open: Open, folder: &Path) {
    let store = store(open, folder).await;
    let tasks: Vec<_> = (0..64u64)
        .map(|task| {
            let store = store.clone();
            run(async move {
                for step in 0..10 {
                    let (from, to) = (key((task + step) % 10), key((task * step + 3) % 10));
                    let transfer = |tx: Tx| {
                        let (from, to) = (from.clone(), to.clone());
                        async move {
                            add(tx.clone(), from, -5).await?;
                            add(tx, to, 5).await
                        }
                    };
                    store.transact(account(), transfer).await.unwrap();
                    let sum = store.transact(account(), |tx| async move {
                        let all = tx.scan(space().prefix(), Dir::Forward, 100).await?;
                        Ok::<_, Error>(
                            all.iter().map(|(_, value)| number(Some(value))).sum::<i64>(),
                        )
                    });
                    assert_eq!(sum.await.unwrap(), 0);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

/// Keys of another account can be neither read nor written.
pub async fn a_transaction_stays_in_its_account(open: Open, folder: &Path) {
    let store = store(open, folder).await;
    let other: AccountId = "111111111111".parse().unwrap();
    let write = store.transact(&other, |tx| async move {
        tx.put(key(1), "value");
        Ok::<_, Error>(())
    });
    assert!(matches!(write.await, Err(Error::Foreign { .. })));
    let read = store.transact(&other, |tx| async move { tx.get(&key(1)).await });
    assert!(matches!(read.await, Err(Error::Foreign { .. })));
    assert_eq!(store.get(&key(1)).await.unwrap(), None);
}

#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Text(String);

impl Record for Text {
    const VERSION: u8 = 1;
}

async fn put(store: &Store, number: u64, value: &'static str) -> crate::Result<()> {
    let write = |tx: Tx| async move {
        tx.put(key(number), value);
        Ok(())
    };
    store.transact(account(), write).await
}

async fn add(tx: Tx, key: Key, by: i64) -> crate::Result<()> {
    let sum = number(tx.get(&key).await?.as_ref()) + by;
    tx.put(key, Bytes::copy_from_slice(&sum.to_be_bytes()));
    Ok(())
}

fn number(value: Option<&Bytes>) -> i64 {
    value.map_or(0, |bytes| i64::from_be_bytes(bytes.as_ref().try_into().unwrap()))
}

async fn count(store: &Store, at: u64) -> i64 {
    number(store.get(&key(at)).await.unwrap().as_ref())
}

/// Starts a task whose panic fails the test, which the named tasks of `base` would only log.
#[expect(clippy::disallowed_methods, reason = "a test wants the panic")]
fn run(future: impl Future<Output = ()> + Send + 'static) -> tokio::task::JoinHandle<()> {
    tokio::spawn(future)
}
