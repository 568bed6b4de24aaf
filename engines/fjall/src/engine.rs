use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base::{AccountId, BoxFuture};
use bytes::Bytes;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode, Readable as _};
use store::{
    Batch, Caps, DISK_RESERVE_BYTES, Dir, Engine, Epoch, Key, KeyRange, Limit, Page, Result,
};

use crate::Error;
use crate::folder::{self, Folder};
use crate::guard::Guard;

/// Blocks kept in memory. Small, for the process is to stay small; the system caches files too.
const CACHE_BYTES: u64 = 16 * 1024 * 1024;
/// Writes kept in memory before they become a table.
const MEMTABLE_BYTES: u64 = 16 * 1024 * 1024;
/// Journal kept before tables are forced out: what a start after a crash must read.
const JOURNAL_BYTES: u64 = 128 * 1024 * 1024;
/// Threads that flush and compact.
const WORKERS: usize = 2;
/// Room for what fjall writes by itself: a journal, a table.
const DISK_FLOOR_BYTES: u64 = 32 * 1024 * 1024;
/// How long a close waits for tables to be written, looking this often.
const CLOSE_WAIT_MAX: Duration = Duration::from_secs(2);
const CLOSE_STEP: Duration = Duration::from_millis(2);
/// What a backup writes at once.
const BACKUP_BATCH_BYTES: usize = 1024 * 1024;

const VERSION_KEY: &[u8] = b"\0v";
const EPOCH_KEY: &[u8] = b"\0e";

/// What may be chosen.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Below this much free space only batches that free space are taken. fjall cannot go on
    /// after a write that found no room, so none may be started that might not find it.
    pub disk_reserve_bytes: u64,
    /// Below this much free space nothing is taken.
    pub disk_floor_bytes: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options { disk_reserve_bytes: DISK_RESERVE_BYTES, disk_floor_bytes: DISK_FLOOR_BYTES }
    }
}

/// An open data folder. The folder stays locked until the last handle is gone.
#[derive(Clone)]
pub struct Fjall(Arc<Inner>);

struct Inner {
    // Dropped in this order: the lock goes last.
    database: Database,
    keyspace: Keyspace,
    guard: Guard,
    writer: Mutex<Writer>,
    path: PathBuf,
    options: Options,
    _folder: Folder,
}

/// What only one commit at a time may touch.
struct Writer {
    version: u64,
    epochs: HashMap<AccountId, Epoch>,
    closed: bool,
}

impl Fjall {
    /// Opens a data folder, made if it is missing.
    pub fn open(path: &Path) -> std::result::Result<Fjall, Error> {
        Fjall::open_with(path, Options::default())
    }

    /// The same with other options.
    pub fn open_with(path: &Path, options: Options) -> std::result::Result<Fjall, Error> {
        let folder = Folder::open(path)?;
        let unopened = |e: fjall::Error| Error::Store { folder: path.into(), why: e.to_string() };
        let (database, keyspace) = open_database(&path.join("kv")).map_err(unopened)?;
        let version = keyspace.get(VERSION_KEY).map_err(unopened)?;
        let version = version.map_or(0, |bytes| number(&bytes));
        let (guard, durable) = Guard::open(path)?;
        if version < durable {
            return Err(Error::Behind { folder: path.into(), durable, found: version });
        }
        let writer = Mutex::new(Writer { version, epochs: HashMap::new(), closed: false });
        let path = path.to_owned();
        let inner = Inner { database, keyspace, guard, writer, path, options, _folder: folder };
        Ok(Fjall(Arc::new(inner)))
    }

    /// Runs what may block for long, such as a sync, away from the threads that serve.
    fn blocking<T: Send + 'static>(
        &self,
        f: impl FnOnce(&Inner) -> Result<T> + Send + 'static,
    ) -> BoxFuture<'static, Result<T>> {
        let inner = self.0.clone();
        Box::pin(async move {
            let ended = tokio::task::spawn_blocking(move || f(&inner)).await;
            ended.unwrap_or_else(|e| {
                Err(store::Error::Io { doing: "run the engine".into(), source: Arc::new(e.into()) })
            })
        })
    }
}

fn open_database(path: &Path) -> fjall::Result<(Database, Keyspace)> {
    let database = Database::builder(path)
        .cache_size(CACHE_BYTES)
        .max_journaling_size(JOURNAL_BYTES)
        .worker_threads(WORKERS)
        .open()?;
    let options = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES);
    let keyspace = database.keyspace("kv", options)?;
    Ok((database, keyspace))
}

impl Engine for Fjall {
    fn caps(&self) -> Caps {
        Caps { durable: true, backup: true }
    }

    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Bytes>>> {
        Box::pin(async move {
            let value = self.0.keyspace.get(key.as_bytes()).map_err(|e| io("read", e))?;
            Ok(value.map(Bytes::from))
        })
    }

    fn scan(&self, range: KeyRange, dir: Dir, limit: Limit) -> BoxFuture<'_, Result<Page>> {
        Box::pin(async move {
            if range.is_empty() {
                return Ok(Page::default());
            }
            let KeyRange { start, end } = range;
            let found = self.0.keyspace.range::<&Bytes, _>(start.as_bytes()..end.as_bytes());
            match dir {
                Dir::Forward => Page::collect(found.map(entry), limit),
                Dir::Backward => Page::collect(found.rev().map(entry), limit),
            }
        })
    }

    fn commit<'a>(
        &'a self,
        shard: &'a AccountId,
        epoch: Epoch,
        batch: Arc<Batch>,
    ) -> BoxFuture<'a, Result<()>> {
        let shard = shard.clone();
        self.blocking(move |inner| inner.commit(&shard, epoch, &batch))
    }

    fn acquire<'a>(
        &'a self,
        shard: &'a AccountId,
        _owner: &'a str,
    ) -> BoxFuture<'a, Result<Epoch>> {
        let shard = shard.clone();
        self.blocking(move |inner| inner.acquire(shard))
    }

    fn backup<'a>(&'a self, to: &'a Path) -> BoxFuture<'a, Result<()>> {
        let to = to.to_owned();
        self.blocking(move |inner| inner.backup(&to))
    }

    fn close(&self) -> BoxFuture<'_, Result<()>> {
        self.blocking(Inner::close)
    }
}

impl Inner {
    fn commit(&self, shard: &AccountId, epoch: Epoch, batch: &Batch) -> Result<()> {
        batch.check()?;
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if writer.epochs.get(shard) != Some(&epoch) {
            return Err(store::Error::Fenced);
        }
        self.check_room(batch.frees())?;
        let entries = batch.iter().map(|(key, value)| (key.as_bytes().clone(), value.clone()));
        self.write(&mut writer, entries)
    }

    fn acquire(&self, shard: AccountId) -> Result<Epoch> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let key = [EPOCH_KEY, shard.as_str().as_bytes()].concat();
        let last = self.keyspace.get(&key).map_err(|e| io("read", e))?;
        let epoch = last.map_or(0, |bytes| number(&bytes)) + 1;
        let value = Bytes::copy_from_slice(&epoch.to_be_bytes());
        self.write(&mut writer, std::iter::once((Bytes::from(key), Some(value))))?;
        writer.epochs.insert(shard, Epoch(epoch));
        Ok(Epoch(epoch))
    }

    /// The one place that writes: a batch with the next version, synced.
    fn write(
        &self,
        writer: &mut Writer,
        entries: impl Iterator<Item = (Bytes, Option<Bytes>)>,
    ) -> Result<()> {
        if writer.closed {
            return Err(store::Error::Closed);
        }
        let version = writer.version + 1;
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncData));
        batch.insert(&self.keyspace, VERSION_KEY, version.to_be_bytes());
        for (key, value) in entries {
            match value {
                Some(value) => batch.insert(&self.keyspace, key, value),
                None => batch.remove(&self.keyspace, key),
            }
        }
        if let Err(e) = batch.commit() {
            // fjall is poisoned now. Even if the cause was a full disk: what the journal holds is
            // unknown until it is opened again, so this must not look like one may go on.
            writer.closed = true;
            return Err(io("commit", e));
        }
        writer.version = version;
        self.guard.reached(version);
        Ok(())
    }

    fn check_room(&self, frees: bool) -> Result<()> {
        let disk = rustix::fs::statvfs(&self.path)
            .map_err(|e| store::Error::io("ask for free space", e.into()))?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        let Options { disk_reserve_bytes, disk_floor_bytes } = self.options;
        let needed = if frees { disk_floor_bytes } else { disk_reserve_bytes };
        if free < needed { Err(store::Error::Full) } else { Ok(()) }
    }

    /// Copies a snapshot into a new store: no copy of files can be torn, and it comes out compact.
    fn backup(&self, to: &Path) -> Result<()> {
        let doing = format!("back up to {}", to.display());
        let file_error = |e| store::Error::io(&doing, e);
        fs::create_dir_all(to).map_err(file_error)?;
        if fs::read_dir(to).map_err(file_error)?.next().is_some() {
            let e = std::io::Error::new(std::io::ErrorKind::AlreadyExists, "folder is not empty");
            return Err(store::Error::io(&doing, e));
        }
        let store_error = |e| io(&doing, e);
        let snapshot = self.database.snapshot();
        let (database, keyspace) = open_database(&to.join("kv")).map_err(store_error)?;
        let (mut batch, mut bytes) = (database.batch(), 0);
        for found in snapshot.iter(&self.keyspace) {
            let (key, value) = found.into_inner().map_err(store_error)?;
            bytes += key.len() + value.len();
            batch.insert(&keyspace, key, value);
            if bytes >= BACKUP_BATCH_BYTES {
                std::mem::replace(&mut batch, database.batch()).commit().map_err(store_error)?;
                bytes = 0;
            }
        }
        batch.commit().map_err(store_error)?;
        database.persist(PersistMode::SyncAll).map_err(store_error)?;
        // Last: a backup that was cut short has no format and is refused.
        folder::write_format(to).map_err(file_error)
    }

    /// Moves what the journal holds into tables, so that the next opening need not read it. All is
    /// durable already: a flush that cannot end, on a full disk say, is not waited for.
    fn empty_journal(&self) -> Result<()> {
        self.keyspace.rotate_memtable().map_err(|e| io("close", e))?;
        let mut waited = Duration::ZERO;
        while self.keyspace.sealed_memtable_count() > 0 && waited < CLOSE_WAIT_MAX {
            std::thread::sleep(CLOSE_STEP);
            waited += CLOSE_STEP;
        }
        Ok(())
    }

    fn close(&self) -> Result<()> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.closed = true;
        self.database.persist(PersistMode::SyncAll).map_err(|e| io("close", e))?;
        self.empty_journal()?;
        self.guard.close().map_err(|e| store::Error::io("close", e))
    }
}

fn entry(found: fjall::Guard) -> Result<(Key, Bytes)> {
    let (key, value) = found.into_inner().map_err(|e| io("scan", e))?;
    Ok((Key::from_bytes(key), Bytes::from(value)))
}

fn number(bytes: &[u8]) -> u64 {
    bytes.first_chunk::<8>().map_or(0, |array| u64::from_be_bytes(*array))
}

/// Never `Full`: after an error of its own fjall does not go on.
fn io(doing: &str, e: fjall::Error) -> store::Error {
    let source = match e {
        fjall::Error::Io(e) => e,
        e => std::io::Error::other(e.to_string()),
    };
    store::Error::Io { doing: doing.to_owned(), source: Arc::new(source) }
}
