//! What the sequencer makes of it: serializable transactions.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base::AccountId;
use bytes::Bytes;

use super::{Open, account, key, numbers, put, run, space, store};
use crate::{Dir, Error, Key, KeyRange, Store, Tx};

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
