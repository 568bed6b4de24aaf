use std::io;
use std::sync::Arc;

/// The result of everything in this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong with storage. Cloneable, because one failed batch fails many transactions.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// Something read was changed by another transaction. `Store::transact` retries it, so only
    /// code that runs below it ever sees this.
    #[error("the transaction lost against another one")]
    Conflict,
    /// Retried [`crate::TRIES_MAX`] times and lost each time.
    #[error("the transaction lost against others too many times")]
    Busy,
    /// A key, a value or a transaction beyond its limit.
    #[error("{what} has {bytes} bytes where at most {bytes_max} are allowed")]
    TooLarge { what: &'static str, bytes: usize, bytes_max: usize },
    /// Stored bytes do not match their checksum or their form. They are never served.
    #[error("{what} is corrupt: {why}")]
    Corrupt { what: String, why: String },
    /// A transaction touched a key of another account than its own.
    #[error("a transaction of account {shard} touched {key}")]
    Foreign { shard: String, key: String },
    /// Another owner has taken the shard since.
    #[error("the shard has another owner now")]
    Fenced,
    /// No room on the disk. Nothing was written; it may be tried again once there is room.
    #[error("the disk is full")]
    Full,
    /// The engine does not do this.
    #[error("this engine does not support {0}")]
    Unsupported(&'static str),
    /// The disk failed. A store that could not commit is closed and stays so.
    #[error("{doing}: {source}")]
    Io { doing: String, source: Arc<io::Error> },
    /// The store is closed, by us or by a failure.
    #[error("the store is closed")]
    Closed,
}

impl Error {
    /// An I/O error with what was being done. A full disk is its own fact.
    pub fn io(doing: impl Into<String>, source: io::Error) -> Error {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::Full,
            _ => Error::Io { doing: doing.into(), source: Arc::new(source) },
        }
    }

    /// Stored bytes that cannot be what was written.
    pub fn corrupt(what: impl Into<String>, why: impl ToString) -> Error {
        Error::Corrupt { what: what.into(), why: why.to_string() }
    }

    /// Whether the same call may succeed later.
    pub fn retryable(&self) -> bool {
        match self {
            Error::Conflict | Error::Busy | Error::Full | Error::Fenced | Error::Closed => true,
            Error::TooLarge { .. }
            | Error::Corrupt { .. }
            | Error::Foreign { .. }
            | Error::Unsupported(_)
            | Error::Io { .. } => false,
        }
    }
}
