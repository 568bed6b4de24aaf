//! The face of storage: engines, keys, transactions, records, fifo, watch, blobs.
//!
//! An [`Engine`] commits durable batches; a folder under `engines/` each. The sequencer makes
//! serializable, group-committed transactions of it, the same on every engine: [`Store`] and
//! [`Tx`]. [`Key`] is an ordered tuple, [`Record`] a versioned and checksummed value. [`fifo`] is
//! the base of everything that is worked off in order, [`Blobs`] holds what is too large.

mod blobs;
mod body;
pub mod conformance;
mod engine;
mod error;
pub mod fifo;
mod history;
mod key;
mod numbers;
mod observe;
mod record;
mod sequencer;
mod store;
mod tx;

pub use blobs::{BlobId, Blobs};
pub use body::{BODY_INLINE_BYTES_MAX, Body, Staged};
pub use engine::{
    BATCH_BYTES_MAX, Batch, Caps, DATA_MARKER, DISK_ASIDE_BYTES, DISK_RESERVE_BYTES, Dir, Engine,
    Epoch, KEY_BYTES_MAX, Limit, Page, VALUE_BYTES_MAX,
};
pub use error::{Error, Result};
pub use key::{Elements, Key, KeyRange, Space};
pub use observe::Watch;
pub use record::{Record, decode, encode};
pub use store::{Store, TRIES_MAX};
pub use tx::Tx;

/// A lock that a panicked holder does not poison: all states behind our locks are whole between
/// any two statements.
fn locked<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
