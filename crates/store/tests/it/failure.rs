//! What the sequencer does when the engine fails, is slow, or is idle.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use store::{Error, Store, TRIES_MAX, Tx};
use tokio::sync::Semaphore;

use crate::faulty::Faulty;
use crate::{account, delete, key, put, run, store, store_on};

fn io_error() -> Error {
    Error::io("commit", io::Error::other("the disk is gone"))
}

#[tokio::test]
async fn a_failed_commit_closes_the_store_and_acknowledges_nothing() {
    let engine = Arc::new(Faulty::new());
    let store = store_on(engine.clone()).await;
    put(&store, key(1)).await.unwrap();
    *engine.fault.lock().unwrap() = Some(io_error());
    assert!(matches!(put(&store, key(2)).await, Err(Error::Io { .. })));
    assert!(matches!(put(&store, key(3)).await, Err(Error::Closed)));
    assert!(matches!(store.get(&key(1)).await, Err(Error::Closed)));
    assert!(matches!(store.failed().await, Error::Io { .. }));
}

#[tokio::test]
async fn a_full_disk_fails_what_grows_and_lets_what_frees_pass() {
    let engine = Arc::new(Faulty::new());
    let store = store_on(engine.clone()).await;
    put(&store, key(1)).await.unwrap();
    *engine.fault.lock().unwrap() = Some(Error::Full);
    let (grown, freed) = tokio::join!(put(&store, key(2)), delete(&store, key(1)));
    assert!(matches!(grown, Err(Error::Full)), "{grown:?}");
    freed.unwrap();
    assert_eq!(store.get(&key(1)).await.unwrap(), None);
    put(&store, key(2)).await.unwrap();
}

#[tokio::test]
async fn those_that_wait_share_a_commit_and_a_lone_one_does_not_wait() {
    let mut engine = Faulty::new();
    engine.commit_gate = Some(Semaphore::new(0));
    let engine = Arc::new(engine);
    let store = store_on(engine.clone()).await;
    let gate = engine.commit_gate.as_ref().unwrap();
    let tasks: Vec<_> = (0..100)
        .map(|number| {
            let store = store.clone();
            run(async move { put(&store, key(number)).await })
        })
        .collect();
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    // The first went alone, for nobody was waiting yet; or with those that came just then.
    gate.add_permits(2);
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let commits = engine.commits.load(Ordering::Relaxed);
    assert!(commits <= 2, "{commits} commits for 100 transactions");
    gate.add_permits(1);
    put(&store, key(1)).await.unwrap();
}

#[tokio::test]
async fn a_transaction_that_always_loses_ends_as_busy() {
    let store = store().await;
    let tries = AtomicUsize::new(0);
    let (other, tries) = (&store, &tries);
    let lost = store.transact(account(), |tx: Tx| async move {
        tries.fetch_add(1, Ordering::Relaxed);
        tx.get(&key(1)).await?;
        put(other, key(1)).await?;
        tx.put(key(2), "value");
        Ok::<_, Error>(())
    });
    assert!(matches!(lost.await, Err(Error::Busy)));
    assert_eq!(tries.load(Ordering::Relaxed), TRIES_MAX);
}

#[tokio::test]
async fn hooks_run_once_for_the_attempt_that_commits_and_before_it_returns() {
    let store = store().await;
    let (tries, ran) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
    let (other, tries, hooked) = (&store, &tries, &ran);
    let attempt = |tx: Tx| async move {
        let hooked = hooked.clone();
        tx.on_commit(move || {
            hooked.fetch_add(1, Ordering::Relaxed);
        });
        tx.get(&key(1)).await?;
        if tries.fetch_add(1, Ordering::Relaxed) == 0 {
            put(other, key(1)).await?;
        }
        tx.put(key(2), "value");
        Ok::<_, Error>(())
    };
    store.transact(account(), attempt).await.unwrap();
    assert_eq!((tries.load(Ordering::Relaxed), ran.load(Ordering::Relaxed)), (2, 1));
    let failed = store.transact(account(), |tx: Tx| async move {
        tx.on_commit(|| panic!("a transaction that failed has no hooks"));
        tx.put(key(9), "value");
        Err::<(), _>(Error::Unsupported("test"))
    });
    assert!(matches!(failed.await, Err(Error::Unsupported("test"))));
    assert_eq!(store.get(&key(9)).await.unwrap(), None);
}

#[tokio::test]
async fn a_commit_stands_when_the_caller_has_gone() {
    let mut engine = Faulty::new();
    engine.commit_gate = Some(Semaphore::new(0));
    let engine = Arc::new(engine);
    let store = store_on(engine.clone()).await;
    let caller = {
        let store: Store = store.clone();
        run(async move { put(&store, key(1)).await })
    };
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    caller.abort();
    engine.commit_gate.as_ref().unwrap().add_permits(10);
    put(&store, key(2)).await.unwrap();
    assert!(store.get(&key(1)).await.unwrap().is_some());
}

#[tokio::test]
async fn a_closed_store_refuses() {
    let store = store().await;
    put(&store, key(1)).await.unwrap();
    store.close().await.unwrap();
    assert!(matches!(put(&store, key(2)).await, Err(Error::Closed)));
    assert!(matches!(store.close().await, Err(Error::Closed)));
}
