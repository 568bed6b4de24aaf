//! No change is missed, and no other one wakes.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use store::Watch;

use crate::{delete, key, prefix, put, run, store};

async fn woken(watch: &mut Watch) -> bool {
    let mut changed = pin!(watch.changed());
    poll_fn(|context| Poll::Ready(changed.as_mut().poll(context).is_ready())).await
}

#[tokio::test]
async fn a_change_between_the_look_and_the_wait_wakes() {
    let store = store().await;
    let mut watch = store.watch(prefix());
    assert!(!woken(&mut watch).await);
    put(&store, key(1)).await.unwrap();
    assert!(woken(&mut watch).await);
    assert!(!woken(&mut watch).await);
    delete(&store, key(1)).await.unwrap();
    assert!(woken(&mut watch).await);
}

#[tokio::test]
async fn only_what_lies_below_the_prefix_wakes() {
    let store = store().await;
    let (mut one, mut all) = (store.watch(key(1)), store.watch(prefix()));
    let mut again = store.watch(key(1));
    put(&store, key(2)).await.unwrap();
    assert!(!woken(&mut one).await && woken(&mut all).await);
    put(&store, key(1).str("below")).await.unwrap();
    assert!(woken(&mut one).await && woken(&mut again).await && woken(&mut all).await);
    drop(one);
    put(&store, key(1)).await.unwrap();
    assert!(woken(&mut again).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_looks_then_waits_sees_every_value() {
    let store = store().await;
    let writer = store.clone();
    let write = run(async move {
        for number in 0..500 {
            put(&writer, key(number)).await.unwrap();
            tokio::task::yield_now().await;
        }
    });
    let mut watch = store.watch(prefix());
    let mut seen = 0;
    while seen < 500 {
        match store.get(&key(seen)).await.unwrap() {
            Some(_) => seen += 1,
            None => watch.changed().await,
        }
    }
    write.await.unwrap();
}
