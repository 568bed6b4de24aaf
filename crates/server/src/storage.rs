//! The engines below a server: for state, for logs, and for large bytes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use base::{Clock, Random};
use engine_fjall::{Fjall, Options};
use store::{Blobs, Engine};

use crate::{StartError, Storage, fault};

/// Of logs, which are written far more often than read, no more than this is kept in memory.
const LOGS_CACHE_BYTES: u64 = 16 * 1024 * 1024;

pub(crate) struct Opened {
    pub(crate) state: Arc<dyn Engine>,
    pub(crate) logs: Arc<dyn Engine>,
    pub(crate) blobs: Blobs,
    /// Where files are kept that can be made again.
    pub(crate) cache: PathBuf,
}

pub(crate) fn open(
    storage: &Storage,
    cache_bytes: u64,
    random: &dyn Random,
    acknowledge_early: Option<Arc<dyn Clock>>,
) -> Result<Opened, StartError> {
    let opened = match storage {
        Storage::Memory => Opened {
            state: Arc::new(engine_memory::Memory::new()),
            logs: Arc::new(engine_memory::Memory::new()),
            blobs: Blobs::memory(),
            cache: std::env::temp_dir().join(format!("cumulet-{}", base::hex(random, 8))),
        },
        Storage::Folder(folder) => {
            ours_or_empty(folder)?;
            // The first engine takes the folder's lock; nothing is touched before.
            let state = fjall(folder, folder, Options { cache_bytes, ..Options::default() })?;
            mark(folder).map_err(|error| StartError::folder(folder, &error))?;
            let of_logs = LOGS_CACHE_BYTES.min(cache_bytes);
            let options = Options { cache_bytes: of_logs, ..Options::default() };
            let logs = fjall(folder, &folder.join("telemetry"), options)?;
            let blobs = Blobs::open(&folder.join("blobs"), random).map_err(StartError::Store)?;
            Opened { state, logs, blobs, cache: folder.join("cache") }
        }
    };
    std::fs::create_dir_all(&opened.cache)
        .map_err(|error| StartError::folder(&opened.cache, &error))?;
    Ok(match acknowledge_early {
        Some(clock) => Opened { state: fault::acknowledging_early(opened.state, clock), ..opened },
        None => opened,
    })
}

/// A folder with somebody else's files in it is not written to.
fn ours_or_empty(folder: &Path) -> Result<(), StartError> {
    let Ok(mut entries) = std::fs::read_dir(folder) else { return Ok(()) };
    if entries.next().is_none() || folder.join("format").exists() {
        return Ok(());
    }
    let why = std::io::Error::other("it is not empty and not a data directory");
    Err(StartError::folder(folder, &why))
}

/// Nothing in a marked folder is packaged or watched.
fn mark(folder: &Path) -> std::io::Result<()> {
    let marker = folder.join(store::DATA_MARKER);
    if marker.exists() { Ok(()) } else { std::fs::write(marker, "The data of cumulet.\n") }
}

fn fjall(data: &Path, folder: &Path, options: Options) -> Result<Arc<dyn Engine>, StartError> {
    std::fs::create_dir_all(folder).map_err(|error| StartError::folder(folder, &error))?;
    match Fjall::open_with(folder, options) {
        Ok(engine) => Ok(Arc::new(engine)),
        Err(error) => Err(StartError::Data { folder: data.to_owned(), error }),
    }
}
