use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use base::{AccountId, Random};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{DISK_RESERVE_BYTES, Error, Result, locked};

/// Content too large for a record: files in one folder, or memory.
///
/// A blob is written and synced before the transaction that refers to it and never changes. Equal
/// content is stored twice on purpose: deleting one blob then never hurts another. Use it through
/// [`crate::Body`], which keeps the references.
#[derive(Clone)]
pub struct Blobs(Arc<Inner>);

struct Inner {
    place: Place,
    /// Random, so that ids are unique and those of earlier runs can be told from ours.
    session: String,
    next: AtomicU64,
}

enum Place {
    Memory(Mutex<HashMap<BlobId, Bytes>>),
    Folder(PathBuf),
}

/// The name of a blob: account, run, number, and the checksum of the content, so that a file
/// carries all that is needed to verify it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BlobId(String);

impl Blobs {
    /// Blobs that end with the process.
    pub fn memory() -> Blobs {
        Blobs::at(Place::Memory(Mutex::default()), "memory".into())
    }

    /// Blobs in a folder, which is made if it is missing.
    pub fn open(folder: &Path, random: &dyn Random) -> Result<Blobs> {
        fs::create_dir_all(folder)
            .and_then(|()| sync_folder(folder.parent().unwrap_or(folder)))
            .map_err(|e| Error::io(format!("create {}", folder.display()), e))?;
        Ok(Blobs::at(Place::Folder(folder.to_owned()), base::hex(random, 8)))
    }

    fn at(place: Place, session: String) -> Blobs {
        Blobs(Arc::new(Inner { place, session, next: AtomicU64::new(0) }))
    }

    /// Stores content. When this returns it is durable.
    pub async fn put(&self, account: &AccountId, content: Bytes) -> Result<BlobId> {
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        let crc = crc32c::crc32c(&content);
        let id = BlobId(format!("{account}-{}-{number:x}-{crc:08x}", self.0.session));
        match &self.0.place {
            Place::Memory(blobs) => {
                locked(blobs).insert(id.clone(), content);
            }
            Place::Folder(folder) => {
                let (folder, path) = (folder.clone(), folder.join(&id.0));
                blocking("write", &id, move || write_synced(&folder, &path, &content)).await?;
            }
        }
        Ok(id)
    }

    /// Content, verified. A missing or changed blob is `Corrupt`.
    pub async fn get(&self, id: &BlobId) -> Result<Bytes> {
        let corrupt = |why: &str| Error::corrupt(format!("blob {id}"), why);
        let content = match &self.0.place {
            Place::Memory(blobs) => locked(blobs).get(id).cloned(),
            Place::Folder(folder) => {
                let path = folder.join(&id.0);
                blocking("read", id, move || missing_is_none(fs::read(path)))
                    .await?
                    .map(Bytes::from)
            }
        };
        let content = content.ok_or_else(|| corrupt("it is missing"))?;
        if Some(crc32c::crc32c(&content)) != id.checksum() {
            return Err(corrupt("its checksum does not match"));
        }
        Ok(content)
    }

    /// Removes a blob. One that is gone already is no error.
    pub async fn delete(&self, id: &BlobId) -> Result<()> {
        match &self.0.place {
            Place::Memory(blobs) => {
                locked(blobs).remove(id);
            }
            Place::Folder(folder) => {
                let path = folder.join(&id.0);
                blocking("delete", id, move || missing_is_none(fs::remove_file(path))).await?;
            }
        }
        Ok(())
    }

    /// Blobs written by earlier runs. Among these, and only these, one without a reference is
    /// garbage: a blob of this run may belong to a transaction that is about to commit.
    pub(crate) async fn of_earlier_runs(&self) -> Result<Vec<BlobId>> {
        let Place::Folder(folder) = &self.0.place else { return Ok(Vec::new()) };
        let (folder, ours) = (folder.clone(), format!("-{}-", self.0.session));
        let list = move || {
            let mut found = Vec::new();
            for entry in fs::read_dir(folder)? {
                let name = entry?.file_name().to_string_lossy().into_owned();
                // A file that is not named like a blob is not ours to delete.
                if !name.contains(&ours) {
                    found.extend(name.parse::<BlobId>().ok());
                }
            }
            Ok(found)
        };
        blocking("list", &"blobs", list).await
    }
}

impl BlobId {
    /// The account that stored it.
    pub fn account(&self) -> Option<AccountId> {
        self.0.split('-').next()?.parse().ok()
    }

    fn checksum(&self) -> Option<u32> {
        u32::from_str_radix(self.0.rsplit('-').next()?, 16).ok()
    }
}

impl FromStr for BlobId {
    type Err = Error;
    /// Takes only what `put` makes: the name becomes a path.
    fn from_str(text: &str) -> Result<BlobId> {
        let id = BlobId(text.to_owned());
        let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let whole = text.split('-').count() == 4;
        if plain && whole && id.account().is_some() && id.checksum().is_some() {
            return Ok(id);
        }
        Err(Error::corrupt(format!("blob id '{}'", text.escape_default()), "not a blob's name"))
    }
}

impl TryFrom<String> for BlobId {
    type Error = Error;
    fn try_from(text: String) -> Result<BlobId> {
        text.parse()
    }
}

impl From<BlobId> for String {
    fn from(id: BlobId) -> String {
        id.0
    }
}

impl fmt::Display for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// No temporary name and no rename: nobody knows the name before this returns, and a file that a
/// crash left half written has no reference and is swept.
fn write_synced(folder: &Path, path: &Path, content: &[u8]) -> std::io::Result<()> {
    let disk = rustix::fs::statvfs(folder)?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if free < DISK_RESERVE_BYTES + content.len() as u64 {
        return Err(std::io::ErrorKind::StorageFull.into());
    }
    let written = fs::File::create_new(path).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()
    });
    if written.is_err() {
        // Makes room again where the disk is full; the sweep gets what this does not.
        let _best_effort = fs::remove_file(path);
    }
    written.and_then(|()| sync_folder(folder))
}

fn sync_folder(folder: &Path) -> std::io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

fn missing_is_none<T>(result: std::io::Result<T>) -> std::io::Result<Option<T>> {
    match result {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

async fn blocking<T: Send + 'static>(
    doing: &str,
    what: &impl fmt::Display,
    f: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T> {
    let result = tokio::task::spawn_blocking(f).await.unwrap_or_else(|e| Err(e.into()));
    result.map_err(|e| Error::io(format!("{doing} {what}"), e))
}
