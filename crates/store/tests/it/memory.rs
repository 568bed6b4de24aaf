//! What callers keep in memory of a key can stand for reading it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use store::{Error, Result, Store, Tx};

use crate::{account, key, run, store};

const CHANGES: u64 = 50;
/// How long a hook takes: enough for others to begin meanwhile.
const HOOK: Duration = Duration::from_millis(2);

/// The number in the store under key 0, in memory: changed by hooks alone.
#[derive(Default)]
struct Known(Mutex<u64>);

impl Known {
    fn get(&self) -> u64 {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, number: u64) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = number;
    }
}

async fn change(store: &Store, known: &Arc<Known>, number: u64) -> Result<()> {
    let write = |tx: Tx| {
        let known = Arc::clone(known);
        async move {
            tx.put(key(0), number.to_be_bytes().to_vec());
            tx.on_commit(move || {
                std::thread::sleep(HOOK);
                known.set(number);
            });
            Ok::<_, Error>(())
        }
    };
    store.transact(account(), write).await
}

/// What is in memory, and what is in the store, by one transaction that writes.
async fn both(store: &Store, known: &Known) -> Result<(u64, u64)> {
    let read = |tx: Tx| async move {
        assert!(tx.relies_on(&key(0))?);
        let in_memory = known.get();
        let stored = tx.get(&key(0)).await?.unwrap_or_default();
        tx.put(key(1), "value");
        let stored = stored.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        Ok::<_, Error>((in_memory, stored))
    };
    store.transact(account(), read).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_relied_on_is_what_is_stored() {
    let (store, known) = (store().await, Arc::new(Known::default()));
    let ended = Arc::new(AtomicU64::new(0));
    let writer = {
        let (store, known, ended) = (store.clone(), Arc::clone(&known), Arc::clone(&ended));
        run(async move {
            for number in 1..=CHANGES {
                change(&store, &known, number).await.unwrap();
                tokio::task::yield_now().await;
            }
            ended.store(1, Ordering::Release);
        })
    };
    while ended.load(Ordering::Acquire) == 0 {
        let (in_memory, stored) = both(&store, &known).await.unwrap();
        assert_eq!(in_memory, stored);
    }
    writer.await.unwrap();
}

#[tokio::test]
async fn what_a_transaction_wrote_itself_is_read() {
    let store = store().await;
    let write = |tx: Tx| async move {
        assert!(tx.relies_on(&key(0))?);
        tx.put(key(0), "value");
        assert!(!tx.relies_on(&key(0))?);
        Ok::<_, Error>(())
    };
    store.transact(account(), write).await.unwrap();
}
