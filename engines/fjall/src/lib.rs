//! The embedded durable engine: fjall, a log-structured store, in one data folder.
//!
//! ```text
//! format    the number of the layout described here
//! lock      held while a process uses the folder; names the process
//! kv/       fjall's files, one keyspace
//! reserve   room set aside, given back when the disk is full so that deletes go on
//! durable   the newest version known to be synced: the guard against a shortened journal
//! ```
//! Keys that begin with a zero byte are the engine's own: `00 v` is the version, a count of all
//! batches that every batch carries; `00 e <account>` is a shard's epoch. Users' keys begin with
//! a digit, the account.

mod engine;
mod error;
mod folder;
mod guard;
mod reserve;

pub use engine::{Fjall, Options};
pub use error::Error;
