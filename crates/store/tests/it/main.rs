//! The store on the memory engine: what does not depend on the engine below.

#![expect(clippy::unwrap_used, reason = "tests, and what they share")]

mod blobs;
mod failure;
mod faulty;
mod fifo;
mod key;
mod memory;
mod numbers;
mod record;
mod watch;

use std::sync::{Arc, LazyLock};

use base::AccountId;
use engine_memory::Memory;
use store::{Blobs, Engine, Error, Key, Result, Space, Store, Tx};

fn account() -> &'static AccountId {
    static ACCOUNT: LazyLock<AccountId> = LazyLock::new(|| "000000000000".parse().unwrap());
    &ACCOUNT
}

fn prefix() -> Key {
    Space::new(account(), "test").key(1)
}

fn key(number: u64) -> Key {
    prefix().u64(number)
}

async fn store() -> Store {
    store_on(Arc::new(Memory::new())).await
}

async fn store_on(engine: Arc<dyn Engine>) -> Store {
    Store::open(engine, Blobs::memory(), "test").await.unwrap()
}

async fn put(store: &Store, key: Key) -> Result<()> {
    let write = |tx: Tx| {
        let key = key.clone();
        async move {
            tx.put(key, "value");
            Ok::<_, Error>(())
        }
    };
    store.transact(account(), write).await
}

async fn delete(store: &Store, key: Key) -> Result<()> {
    let write = |tx: Tx| {
        let key = key.clone();
        async move {
            tx.delete(key);
            Ok::<_, Error>(())
        }
    };
    store.transact(account(), write).await
}

/// Starts a task whose panic fails the test that awaits it.
#[expect(clippy::disallowed_methods, reason = "a test wants the panic")]
fn run<T: Send + 'static>(
    future: impl Future<Output = T> + Send + 'static,
) -> tokio::task::JoinHandle<T> {
    tokio::spawn(future)
}
