//! Copies of all items of a table, made in the background: backups, and tables restored from one
//! or from a point in time.
//!
//! | kind | key                        | value          |
//! |------|----------------------------|----------------|
//! | 14   | region, backup id          | [`Backup`]     |
//! | 15   | copy number                | [`Copy`]       |
//!
//! A backup's items are kept as a table's are, under a table number that no table has. A copy walks
//! through the items as they are at that moment, and afterwards through the history of what was
//! written since the moment it is to show, backwards: what is there at the end is what was there
//! before the first write after that moment.

use base::{AccountId, Region, Time};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use store::{Key, Record};

use crate::data::{Table, space};

const KIND_BACKUP: u8 = 14;
const KIND_COPY: u8 = 15;

/// A backup.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Backup {
    /// The end of its ARN.
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) created: Time,
    /// The table as it was.
    pub(crate) table: Table,
    /// What its items are found by.
    pub(crate) number: u64,
    /// Known once it is complete.
    pub(crate) contents: Option<Contents>,
    /// The copies that read it: so long it cannot be deleted.
    pub(crate) readers: Vec<u64>,
}

impl Record for Backup {
    const VERSION: u8 = 1;
}

/// How much has been copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Contents {
    pub(crate) items: u64,
    pub(crate) bytes: u64,
    /// There was an item whose content is a blob.
    pub(crate) large: bool,
}

/// A copy that is being made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Copy {
    pub(crate) region: Region,
    /// The number of the items to be copied.
    pub(crate) from: u64,
    /// The sequence number of the first write that it does not show; none where nothing writes.
    pub(crate) until: Option<u64>,
    /// The number of the copied items.
    pub(crate) to: u64,
    pub(crate) source: Source,
    pub(crate) made: Made,
    pub(crate) progress: Progress,
    pub(crate) contents: Contents,
}

impl Record for Copy {
    const VERSION: u8 = 1;
}

/// What is copied, held for as long as that takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Source {
    /// A table of this name.
    Table(String),
    /// The backup with this id.
    Backup(String),
}

/// What a copy becomes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Made {
    /// A table of this name.
    Table(String),
    /// The backup with this id.
    Backup(String),
}

/// How far a copy has come. Keys are those that were done last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Progress {
    Items(Option<Bytes>),
    History(Option<Bytes>),
}

/// The backups of a region, in the order in which they were made.
pub(crate) fn backups_key(account: &AccountId, region: &Region) -> Key {
    space(account).key(KIND_BACKUP).str(region.as_str())
}

pub(crate) fn backup_key(account: &AccountId, region: &Region, id: &str) -> Key {
    backups_key(account, region).str(id)
}

pub(crate) fn all_copies_key(account: &AccountId) -> Key {
    space(account).key(KIND_COPY)
}

pub(crate) fn copy_key(account: &AccountId, number: u64) -> Key {
    all_copies_key(account).u64(number)
}
