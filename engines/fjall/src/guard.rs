//! fjall drops what follows the first bad entry of its journal and opens as if that had never
//! been there: right for a torn tail, which nobody was told about, and wrong for commits that were
//! acknowledged. So a small file beside it remembers how far we know to have come.
//!
//! It is written behind the commits, at once after a pause and then at most once a second: a loss
//! in the last second before a crash can go unnoticed, and costs no commit an extra sync.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::Error;

/// The pause between two writes of the guard while commits keep coming.
const PAUSE: Duration = Duration::from_secs(1);
/// Two slots, written in turn, each in a sector of its own: one is whole at any time.
/// A slot is `[version u64 LE][crc32c of it u32 LE]`.
const SLOT_OFFSETS: [u64; 2] = [0, 4096];
const FILE_BYTES: u64 = 8192;

/// Remembers the newest durable version in a file of its own.
pub(crate) struct Guard {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    state: Mutex<State>,
    woken: Condvar,
    file: File,
}

#[derive(Default)]
struct State {
    newest: u64,
    written: u64,
    stop: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Guard {
    /// Opens or makes the file; the version it has seen durable.
    pub(crate) fn open(folder: &Path) -> Result<(Guard, u64), Error> {
        let name = folder.join("durable");
        let doing = || Error::io(format!("open {}", name.display()));
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false);
        let file = options.open(&name).map_err(doing())?;
        let new = file.metadata().map_err(doing())?.len() == 0;
        if new {
            file.set_len(FILE_BYTES).map_err(doing())?;
            write_slot(&file, 0, 0).and_then(|()| write_slot(&file, 1, 0)).map_err(doing())?;
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(doing())?;
        }
        let durable = SLOT_OFFSETS
            .iter()
            .filter_map(|offset| read_slot(&file, *offset))
            .max()
            .ok_or_else(|| Error::Guard { folder: folder.to_owned() })?;
        let state = Mutex::new(State { newest: durable, written: durable, stop: false });
        let shared = Arc::new(Shared { state, woken: Condvar::new(), file });
        let writer = shared.clone();
        let thread = std::thread::Builder::new()
            .name("durable".into())
            .spawn(move || write_behind(&writer))
            .map_err(doing())?;
        Ok((Guard { shared, thread: Mutex::new(Some(thread)) }, durable))
    }

    /// A version has become durable.
    pub(crate) fn reached(&self, version: u64) {
        self.shared.state().newest = version;
        self.shared.woken.notify_one();
    }

    /// Writes the newest version and ends.
    pub(crate) fn close(&self) -> std::io::Result<()> {
        self.stop();
        let mut state = self.shared.state();
        write_newest(&self.shared.file, &mut state)
    }

    fn stop(&self) {
        self.shared.state().stop = true;
        self.shared.woken.notify_one();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _panicked = thread.join();
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.stop();
    }
}

fn write_behind(shared: &Shared) {
    let mut state = shared.state();
    while !state.stop {
        if state.newest == state.written {
            state = shared.woken.wait(state).unwrap_or_else(PoisonError::into_inner);
            continue;
        }
        let mut seen = State { newest: state.newest, written: state.written, stop: false };
        drop(state);
        // Not under the lock: a commit must not wait for this sync.
        let written = write_newest(&shared.file, &mut seen);
        state = shared.state();
        match written {
            Ok(()) => state.written = seen.written,
            Err(e) => tracing::warn!(error = %e, "the newest durable version was not noted"),
        }
        let paused = shared.woken.wait_timeout_while(state, PAUSE, |state| !state.stop);
        state = paused.unwrap_or_else(PoisonError::into_inner).0;
    }
}

fn write_newest(file: &File, state: &mut State) -> std::io::Result<()> {
    if state.newest > state.written {
        // By the parity of what was written before, so that two writes never share a slot.
        let slot = usize::from(read_slot(file, SLOT_OFFSETS[0]) == Some(state.written));
        write_slot(file, slot, state.newest)?;
        state.written = state.newest;
    }
    Ok(())
}

fn write_slot(file: &File, slot: usize, version: u64) -> std::io::Result<()> {
    let mut bytes = [0; 12];
    bytes[..8].copy_from_slice(&version.to_le_bytes());
    bytes[8..].copy_from_slice(&crc32c::crc32c(&version.to_le_bytes()).to_le_bytes());
    file.write_all_at(&bytes, SLOT_OFFSETS[slot])?;
    file.sync_data()
}

fn read_slot(file: &File, offset: u64) -> Option<u64> {
    let mut bytes = [0; 12];
    file.read_exact_at(&mut bytes, offset).ok()?;
    let (version, crc) = bytes.split_first_chunk::<8>()?;
    let intact = crc32c::crc32c(version).to_le_bytes() == crc;
    intact.then(|| u64::from_le_bytes(*version))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reopened(folder: &Path) -> u64 {
        Guard::open(folder).unwrap().1
    }

    #[test]
    fn the_newest_version_survives_a_damaged_slot_and_not_two() {
        let folder = tempfile::tempdir().unwrap();
        let (guard, durable) = Guard::open(folder.path()).unwrap();
        assert_eq!(durable, 0);
        guard.reached(7);
        guard.close().unwrap();
        drop(guard);
        let (guard, _) = Guard::open(folder.path()).unwrap();
        guard.reached(9);
        guard.close().unwrap();
        drop(guard);
        assert_eq!(reopened(folder.path()), 9);

        let file = File::options().write(true).open(folder.path().join("durable")).unwrap();
        let newest = SLOT_OFFSETS.map(|offset| {
            let file = File::open(folder.path().join("durable")).unwrap();
            (read_slot(&file, offset), offset)
        });
        let (_, offset) = newest.into_iter().max().unwrap();
        file.write_all_at(b"torn", offset).unwrap();
        assert_eq!(reopened(folder.path()), 7);
        let other = SLOT_OFFSETS.into_iter().find(|o| *o != offset).unwrap();
        file.write_all_at(b"torn", other).unwrap();
        assert!(matches!(Guard::open(folder.path()), Err(Error::Guard { .. })));
    }

    #[test]
    fn commits_are_noted_without_a_close() {
        let folder = tempfile::tempdir().unwrap();
        let (guard, _) = Guard::open(folder.path()).unwrap();
        guard.reached(3);
        // The first write comes at once; the thread needs its turn.
        for _ in 0..10_000 {
            if guard.shared.state().written == 3 {
                break;
            }
            std::thread::yield_now();
        }
        assert_eq!(
            read_slot(&guard.shared.file, SLOT_OFFSETS[0])
                .into_iter()
                .chain(read_slot(&guard.shared.file, SLOT_OFFSETS[1]))
                .max(),
            Some(3)
        );
    }
}
