use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::Confinement;

/// Why a server did not start, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("{address} cannot be listened on: {error}\nhelp: {}", listen_help(address, error))]
    Listen { address: SocketAddr, error: io::Error },
    #[error(
        "the data directory {} cannot be opened: {error}\nhelp: --data names another directory, \
         --memory needs none",
        folder.display()
    )]
    Data { folder: PathBuf, error: engine_fjall::Error },
    #[error(
        "{} cannot be used: {error}\nhelp: name another directory with --data",
        folder.display()
    )]
    Folder { folder: PathBuf, error: io::Error },
    #[error("functions cannot be run: {0}")]
    Host(io::Error),
    #[error("{0}")]
    Debug(String),
    #[error(
        "functions would be confined less than required: {wanted} is, and this is what there is: \
         {found}\nhelp: the documentation of --require-sandbox says what each level needs"
    )]
    Confinement { wanted: Confinement, found: String },
    #[error("the store cannot be opened: {0}{help}", help = store_help(.0))]
    Store(#[from] store::Error),
}

impl StartError {
    pub(crate) fn folder(folder: &Path, error: &io::Error) -> StartError {
        let error = io::Error::new(error.kind(), error.to_string());
        StartError::Folder { folder: folder.to_owned(), error }
    }
}

fn store_help(error: &store::Error) -> String {
    match error {
        store::Error::Full => format!(
            "\nhelp: free {} MB on the disk of the data directory, or name another with --data",
            (store::DISK_RESERVE_BYTES + store::DISK_ASIDE_BYTES) >> 20
        ),
        _ => String::new(),
    }
}

fn listen_help(address: &SocketAddr, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "port {} is in use: end what uses it, or choose another with --port (0 takes a free \
             one)",
            address.port()
        ),
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 need privileges: choose another with --port".to_owned()
        }
        _ => "check --host and --port".to_owned(),
    }
}
