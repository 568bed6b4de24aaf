use std::fs::{self, File};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use crate::Error;

/// The layout this program reads and writes. A new number needs a migration and a fixture.
pub(crate) const FORMAT: u32 = 1;

/// A data folder that is ours until this is dropped.
pub(crate) struct Folder {
    _lock: File,
}

impl Folder {
    /// Makes the folder if it is missing, takes it, and checks that we can read it.
    pub(crate) fn open(path: &Path) -> Result<Folder, Error> {
        fs::create_dir_all(path).map_err(Error::io(format!("create {}", path.display())))?;
        let lock = lock(path)?;
        check_format(path)?;
        Ok(Folder { _lock: lock })
    }
}

/// The lock is the kernel's and ends with the process, however it ends; the file stays.
fn lock(path: &Path) -> Result<File, Error> {
    let name = path.join("lock");
    let doing = || Error::io(format!("lock {}", name.display()));
    let mut options = File::options();
    let mut file =
        options.read(true).write(true).create(true).truncate(false).open(&name).map_err(doing())?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let mut text = String::new();
            let _unknown = file.read_to_string(&mut text);
            return Err(Error::Locked { folder: path.to_owned(), pid: text.trim().parse().ok() });
        }
        Err(e) => return Err(doing()(e.into())),
    }
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .map_err(doing())?;
    Ok(file)
}

fn check_format(path: &Path) -> Result<(), Error> {
    let name = path.join("format");
    let doing = || Error::io(format!("read {}", name.display()));
    match fs::read_to_string(&name) {
        Ok(text) if text.trim() == FORMAT.to_string() => Ok(()),
        Ok(text) => Err(wrong_format(path, text.trim())),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            if path.join("kv").exists() {
                return Err(wrong_format(path, "unknown"));
            }
            write_format(path).map_err(doing())
        }
        Err(e) => Err(doing()(e)),
    }
}

fn wrong_format(path: &Path, found: &str) -> Error {
    Error::Format { folder: path.to_owned(), found: found.to_owned(), expected: FORMAT }
}

/// Writes the format number, durable before any data is.
pub(crate) fn write_format(path: &Path) -> std::io::Result<()> {
    let new = path.join("format.new");
    let mut file = File::create(&new)?;
    writeln!(file, "{FORMAT}")?;
    file.sync_all()?;
    fs::rename(&new, path.join("format"))?;
    File::open(path)?.sync_all()
}
