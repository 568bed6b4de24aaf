use std::io;
use std::path::PathBuf;

/// Why a data folder cannot be opened. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Written by another version of the program.
    #[error(
        "{} has data format {found}, this program writes format {expected}; use the version of \
         the program that wrote it, or another folder",
        folder.display()
    )]
    Format { folder: PathBuf, found: String, expected: u32 },
    /// Another process has it open.
    #[error(
        "{} is in use by {}; stop it, or use another folder",
        folder.display(),
        pid.as_ref().map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
    )]
    Locked { folder: PathBuf, pid: Option<u32> },
    /// The store has fewer commits than were once durable.
    #[error(
        "{} has lost acknowledged commits: {durable} were durable, {found} are there; restore a \
         backup, or delete {}/durable to go on without what is lost",
        folder.display(),
        folder.display()
    )]
    Behind { folder: PathBuf, durable: u64, found: u64 },
    /// The guard's own file is damaged.
    #[error(
        "{}/durable is damaged, so lost commits could not be noticed; delete it if the disk can \
         be trusted",
        folder.display()
    )]
    Guard { folder: PathBuf },
    /// The store inside the folder refuses.
    #[error("the store in {} cannot be opened: {why}", folder.display())]
    Store { folder: PathBuf, why: String },
    /// The file system refuses.
    #[error("{doing}: {source}")]
    Io { doing: String, source: io::Error },
}

impl Error {
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
        let doing = doing.into();
        move |source| Error::Io { doing, source }
    }
}
