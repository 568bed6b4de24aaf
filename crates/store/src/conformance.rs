//! The suite every engine must pass, alone and below the sequencer.
//!
//! `store::conformance!(name, open)` makes a test module of it, where `open` is a
//! `fn(&Path) -> Arc<dyn Engine>` that opens, or makes, the engine in a folder. The calling crate
//! needs `tokio` with `rt-multi-thread` and `macros`, and `tempfile`, for its tests.
//!
//! A kill is played by copying the folder of an engine that is still open, and opening the copy.

#![expect(clippy::unwrap_used, reason = "a test suite")]

pub mod engines;
pub mod transactions;

use std::path::Path;
use std::sync::{Arc, LazyLock};

use base::AccountId;
use bytes::Bytes;

use crate::{Batch, Blobs, Engine, Epoch, Key, Space, Store, Tx};

/// Opens an engine in a folder.
pub type Open = fn(&Path) -> Arc<dyn Engine>;

/// Makes a test of each function of the suite.
#[macro_export]
macro_rules! conformance {
    ($name:ident, $open:expr) => {
        $crate::conformance!(@each $name, $open,
            engines: keys_come_in_order pages_join_without_gap_or_overlap
            large_values_are_refused a_batch_is_all_or_nothing a_batch_is_seen_whole
            a_fenced_owner_cannot_commit acknowledged_survives_a_kill epochs_survive_a_kill
            a_backup_opens a_flipped_bit_is_never_served;
            transactions: no_update_is_lost no_write_skew no_phantom no_judgement_on_a_mixture
            own_writes_are_seen blind_writes_never_conflict many_transactions_at_once
            a_transaction_stays_in_its_account;);
    };
    (@each $name:ident, $open:expr, $($part:ident: $($test:ident)*;)*) => {
        mod $name {
            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    let folder = ::tempfile::tempdir().unwrap();
                    $crate::conformance::$part::$test($open, folder.path()).await;
                }
            )*)*
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

async fn put(store: &Store, number: u64, value: &'static str) -> crate::Result<()> {
    let write = |tx: Tx| async move {
        tx.put(key(number), value);
        Ok(())
    };
    store.transact(account(), write).await
}

/// Starts a task whose panic fails the test, which the named tasks of `base` would only log.
#[expect(clippy::disallowed_methods, reason = "a test wants the panic")]
fn run(future: impl Future<Output = ()> + Send + 'static) -> tokio::task::JoinHandle<()> {
    tokio::spawn(future)
}
