use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use base::{AccountId, BoxFuture};
use bytes::Bytes;
use fjall::config::PartitioningPolicy;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode, Readable as _};
use store::{
    Batch, Caps, DISK_ASIDE_BYTES, DISK_RESERVE_BYTES, Dir, Engine, Epoch, Key, KeyRange, Limit,
    Page, Result,
};

use crate::Error;
use crate::folder::{self, Folder};
use crate::guard::Guard;
use crate::reserve::Reserve;

/// Blocks kept in memory by default, once they have been read: what was read last, with
/// the indexes and filters that led there. The system caches files too.
const CACHE_BYTES: u64 = 64 * 1024 * 1024;
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
    /// Below this much free space the room set aside is given back for those batches, and without
    /// it nothing is taken.
    pub disk_floor_bytes: u64,
    /// Blocks of tables kept in memory: what was read last, at most so much.
    pub cache_bytes: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            disk_reserve_bytes: DISK_RESERVE_BYTES,
            disk_floor_bytes: DISK_FLOOR_BYTES,
            cache_bytes: CACHE_BYTES,
        }
    }
}

/// An open data folder. The folder stays locked until the last handle is gone.
#[derive(Clone)]
pub struct Fjall(Arc<Inner>);

struct Inner {
    // Dropped in this order: the lock goes last.
    /// Missing only if fjall could not be opened again.
    open: RwLock<Option<Open>>,
    guard: Guard,
    writer: Mutex<Writer>,
    path: PathBuf,
    options: Options,
    _folder: Folder,
}

struct Open {
    database: Database,
    keyspace: Keyspace,
}

/// What only one commit at a time may touch.
struct Writer {
    version: u64,
    epochs: HashMap<AccountId, Epoch>,
    closed: bool,
    /// There was no room, and nothing was written since.
    was_full: bool,
    reserve: Reserve,
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
        let open = open_database(path, options.cache_bytes).map_err(unopened)?;
        let version = open.version().map_err(unopened)?;
        let (guard, durable) = Guard::open(path)?;
        if version < durable {
            return Err(Error::Behind { folder: path.into(), durable, found: version });
        }
        let (epochs, reserve) = (HashMap::new(), Reserve::open(path));
        let writer = Writer { version, epochs, closed: false, was_full: false, reserve };
        Ok(Fjall(Arc::new(Inner {
            open: RwLock::new(Some(open)),
            guard,
            writer: Mutex::new(writer),
            path: path.to_owned(),
            options,
            _folder: folder,
        })))
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

fn open_database(folder: &Path, cache_bytes: u64) -> fjall::Result<Open> {
    let database = Database::builder(folder.join("kv"))
        .cache_size(cache_bytes)
        .max_journaling_size(JOURNAL_BYTES)
        .worker_threads(WORKERS)
        .open()?;
    // fjall's default leaves the indexes and filters of its upper levels in one piece, up to a
    // megabyte each. Where the cache does not hold them all, a read of one item read them whole.
    let options = || {
        KeyspaceCreateOptions::default()
            .max_memtable_size(MEMTABLE_BYTES)
            .index_block_partitioning_policy(PartitioningPolicy::new([false, false, true]))
            .filter_block_partitioning_policy(PartitioningPolicy::new([false, true]))
    };
    let keyspace = database.keyspace("kv", options)?;
    Ok(Open { database, keyspace })
}

impl Open {
    /// How many batches it holds.
    fn version(&self) -> fjall::Result<u64> {
        Ok(self.keyspace.get(VERSION_KEY)?.map_or(0, |bytes| number(&bytes)))
    }

    fn copy(&self, to: &Path) -> fjall::Result<()> {
        let snapshot = self.database.snapshot();
        let Open { database, keyspace } = open_database(to, CACHE_BYTES)?;
        let (mut batch, mut bytes) = (database.batch(), 0);
        for found in snapshot.iter(&self.keyspace) {
            let (key, value) = found.into_inner()?;
            bytes += key.len() + value.len();
            batch.insert(&keyspace, key, value);
            if bytes >= BACKUP_BATCH_BYTES {
                std::mem::replace(&mut batch, database.batch()).commit()?;
                bytes = 0;
            }
        }
        batch.commit()?;
        database.persist(PersistMode::SyncAll)
    }
}

impl Engine for Fjall {
    fn caps(&self) -> Caps {
        Caps { durable: true, backup: true }
    }

    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Bytes>>> {
        Box::pin(async move {
            // Without a snapshot fjall shows a batch while it is being written, entry by entry.
            let get = |open: &Open| open.database.snapshot().get(&open.keyspace, key.as_bytes());
            let value = self.0.with(|open| get(open).map_err(|e| io("read", e)))?;
            Ok(value.map(Bytes::from))
        })
    }

    fn scan(&self, range: KeyRange, dir: Dir, limit: Limit) -> BoxFuture<'_, Result<Page>> {
        Box::pin(async move {
            if range.is_empty() {
                return Ok(Page::default());
            }
            let KeyRange { start, end } = range;
            self.0.with(|open| {
                let range = start.as_bytes()..end.as_bytes();
                let found = open.database.snapshot().range::<&Bytes, _>(&open.keyspace, range);
                match dir {
                    Dir::Forward => Page::collect(found.map(entry), limit),
                    Dir::Backward => Page::collect(found.rev().map(entry), limit),
                }
            })
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
    fn with<T>(&self, f: impl FnOnce(&Open) -> Result<T>) -> Result<T> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        f(open.as_ref().ok_or(store::Error::Closed)?)
    }

    fn commit(&self, shard: &AccountId, epoch: Epoch, batch: &Batch) -> Result<()> {
        batch.check()?;
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if writer.epochs.get(shard) != Some(&epoch) {
            return Err(store::Error::Fenced);
        }
        self.make_room(&mut writer, batch.frees())?;
        // Without the reserve there may be no room at any time, and so for fjall's own threads.
        if std::mem::take(&mut writer.was_full) || writer.reserve.is_missing() {
            self.revive(&mut writer)?;
        }
        let entries = batch.iter().map(|(key, value)| (key.as_bytes().clone(), value.clone()));
        self.write(&mut writer, entries)
    }

    fn acquire(&self, shard: AccountId) -> Result<Epoch> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let key = [EPOCH_KEY, shard.as_str().as_bytes()].concat();
        let last = self.with(|open| open.keyspace.get(&key).map_err(|e| io("read", e)))?;
        let epoch = last.map_or(0, |bytes| number(&bytes)) + 1;
        let value = Bytes::copy_from_slice(&epoch.to_be_bytes());
        // Too small to be refused, but with the reserve it is sure to find room.
        let _tried = self.make_room(&mut writer, true);
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
        let committed = self.with(|Open { database, keyspace }| {
            let mut batch = database.batch().durability(Some(PersistMode::SyncData));
            batch.insert(keyspace, VERSION_KEY, version.to_be_bytes());
            for (key, value) in entries {
                match value {
                    Some(value) => batch.insert(keyspace, key, value),
                    None => batch.remove(keyspace, key),
                }
            }
            batch.commit().map_err(|e| io("commit", e))
        });
        if let Err(e) = committed {
            // fjall is poisoned now. Even if the cause was a full disk: what the journal holds is
            // unknown until it is opened again, so this must not look like one may go on.
            writer.closed = true;
            return Err(e);
        }
        writer.version = version;
        self.guard.reached(version);
        Ok(())
    }

    /// fjall takes no more writes once one of its threads has found no room for a table. All that
    /// was acknowledged is in the journal: with room again, fjall is opened again from there.
    fn revive(&self, writer: &mut Writer) -> Result<()> {
        let probe = |open: &Open| Ok(open.database.persist(PersistMode::Buffer));
        if !matches!(self.with(probe)?, Err(fjall::Error::Poisoned)) {
            return Ok(());
        }
        tracing::warn!(folder = %self.path.display(), "opened again after the disk was full");
        // Whatever fails from here on, fjall is not to be written to.
        writer.closed = true;
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        // The old one holds fjall's own lock.
        drop(open.take());
        let again =
            open_database(&self.path, self.options.cache_bytes).map_err(|e| io("open again", e))?;
        let found = again.version().map_err(|e| io("open again", e))?;
        if found != writer.version {
            let e = format!("{} commits were durable, {found} are there", writer.version);
            return Err(store::Error::io("open again", std::io::Error::other(e)));
        }
        *open = Some(again);
        writer.closed = false;
        Ok(())
    }

    /// Refuses what there is no room for. What frees space may have the reserve, which is set aside
    /// again before anything else may grow.
    fn make_room(&self, writer: &mut Writer, frees: bool) -> Result<()> {
        let Options { disk_reserve_bytes, disk_floor_bytes, .. } = self.options;
        let mut free = self.free_bytes()?;
        if writer.reserve.is_missing()
            && free >= disk_reserve_bytes.saturating_add(DISK_ASIDE_BYTES)
        {
            writer.reserve.take();
            free = self.free_bytes()?;
        }
        let enough = if frees {
            free >= disk_floor_bytes
        } else {
            free >= disk_reserve_bytes && !writer.reserve.is_missing()
        };
        if enough {
            return Ok(());
        }
        writer.was_full = true;
        if frees && writer.reserve.give_back() && self.free_bytes()? >= disk_floor_bytes {
            return Ok(());
        }
        Err(store::Error::Full)
    }

    fn free_bytes(&self) -> Result<u64> {
        let disk = rustix::fs::statvfs(&self.path)
            .map_err(|e| store::Error::io("ask for free space", e.into()))?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
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
        self.with(|open| open.copy(to).map_err(|e| io(&doing, e)))?;
        // Last: a backup that was cut short has no format and is refused.
        folder::write_format(to).map_err(file_error)
    }

    /// Moves what the journal holds into tables, so that the next opening need not read it. All is
    /// durable already: a flush that cannot end, on a full disk say, is not waited for.
    fn empty_journal(&self) -> Result<()> {
        let keyspace = self.with(|open| Ok(open.keyspace.clone()))?;
        keyspace.rotate_memtable().map_err(|e| io("close", e))?;
        let mut waited = Duration::ZERO;
        while keyspace.sealed_memtable_count() > 0 && waited < CLOSE_WAIT_MAX {
            std::thread::sleep(CLOSE_STEP);
            waited += CLOSE_STEP;
        }
        Ok(())
    }

    fn close(&self) -> Result<()> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.closed = true;
        let persist = |open: &Open| open.database.persist(PersistMode::SyncAll);
        self.with(|open| persist(open).map_err(|e| io("close", e)))?;
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

#[cfg(test)]
mod tests {
    use store::Space;

    use super::*;

    #[tokio::test]
    async fn a_table_that_found_no_room_stops_nobody_once_there_is_room() {
        let folder = tempfile::tempdir().unwrap();
        // What grows finds no room; what frees room does.
        let full =
            Options { disk_reserve_bytes: u64::MAX, disk_floor_bytes: 0, ..Options::default() };
        let engine = Fjall::open_with(folder.path(), full).unwrap();
        let account: AccountId = "000000000000".parse().unwrap();
        let epoch = engine.acquire(&account, "test").await.unwrap();
        let key = |number| Space::new(&account, "test").key(1).u64(number);
        let commit = async |number, value: Option<&'static str>| {
            let mut batch = Batch::default();
            batch.write(key(number), value.map(Bytes::from));
            // Deletes in the way of what frees room.
            (100..103).for_each(|other| batch.write(key(other), None));
            engine.commit(&account, epoch, Arc::new(batch)).await
        };
        commit(1, Some("kept")).await.unwrap();

        // A table cannot be written: to fjall this is as a full disk is.
        let keyspaces = std::fs::read_dir(folder.path().join("kv/keyspaces")).unwrap();
        let tables: Vec<PathBuf> =
            keyspaces.map(|entry| entry.unwrap().path().join("tables")).collect();
        let aside = |table: &PathBuf| table.with_file_name("aside");
        tables.iter().for_each(|table| std::fs::rename(table, aside(table)).unwrap());
        engine.0.with(|open| Ok(open.keyspace.rotate_memtable().unwrap())).unwrap();
        let poisoned = |open: &Open| Ok(open.database.persist(PersistMode::Buffer).is_err());
        while !engine.0.with(poisoned).unwrap() {
            std::thread::yield_now();
        }
        tables.iter().for_each(|table| std::fs::rename(aside(table), table).unwrap());

        let mut growing = Batch::default();
        growing.write(key(2), Some("value".into()));
        let refused = engine.commit(&account, epoch, Arc::new(growing)).await;
        assert!(matches!(refused, Err(store::Error::Full)), "{refused:?}");
        commit(3, Some("new")).await.unwrap();
        for (number, value) in [(1, Some("kept")), (2, None), (3, Some("new"))] {
            assert_eq!(engine.get(&key(number)).await.unwrap(), value.map(Bytes::from));
        }
    }
}
