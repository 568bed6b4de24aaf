//! Deployment packages: kept as zip in the store, unpacked once per content into a tree that
//! functions run from. The trees are a cache: any of them can be made again.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::{self, Cursor, ErrorKind, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::{Random, Time};
use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use zip::ZipArchive;
use zip::result::ZipError;

use crate::error::Error;

/// A package as uploaded.
pub(crate) const ZIP_BYTES_MAX: usize = 50 * 1024 * 1024;
/// A package unpacked.
pub(crate) const UNZIPPED_BYTES_MAX: u64 = 250 * 1024 * 1024;
/// Files and folders of a package. AWS names no limit; ours bounds the work of one upload.
const ENTRIES_MAX: usize = 100_000;
/// A tree that no function uses any more stays this long: events on old code may still run from
/// it, for 15 minutes at most.
const UNUSED_MAX: Duration = Duration::from_secs(20 * 60);

/// The SHA-256 of a package.
pub(crate) type Sha = [u8; 32];

/// Hashes a package.
pub(crate) fn sha256(zip: &[u8]) -> Sha {
    Sha256::digest(zip).into()
}

/// Where packages are unpacked.
pub(crate) struct Trees {
    root: PathBuf,
    /// When each tree was last asked for.
    used: Mutex<HashMap<Sha, Time>>,
}

impl Trees {
    /// An empty cache in a folder. What an earlier run left is set aside, to be deleted by the
    /// first [`Trees::sweep`]: a power failure may have left files in it incomplete, and telling
    /// which would cost a sync per file on each deployment.
    pub(crate) fn open(cache: &Path, random: &dyn Random) -> Trees {
        let root = cache.join("code");
        let aside = cache.join(format!("code-old-{}", base::hex(random, 8)));
        // It fails where there is nothing to set aside.
        let _nothing_there = fs::rename(&root, aside);
        Trees { root, used: Mutex::default() }
    }

    /// The tree of a package, where it is unpacked already.
    pub(crate) fn find(&self, sha: &Sha, now: Time) -> Option<PathBuf> {
        let path = self.path(sha);
        let mut used = self.used();
        let last = used.get_mut(sha).filter(|_| path.is_dir())?;
        *last = now;
        Some(path)
    }

    /// Unpacks a package, all of it or nothing, and gives the tree.
    pub(crate) async fn unpack(
        &self,
        sha: Sha,
        zip: Bytes,
        now: Time,
        temporary: String,
    ) -> Result<PathBuf, Error> {
        let path = self.path(&sha);
        let (work, to) = (self.root.join(temporary), path.clone());
        let unpacked = tokio::task::spawn_blocking(move || {
            let result = unpack(&zip, &work, UNZIPPED_BYTES_MAX).and_then(|()| {
                match fs::rename(&work, &to) {
                    // Someone else unpacked the same content at the same time.
                    Err(_) if to.is_dir() => Ok(()),
                    other => other.map_err(|error| broken(&error)),
                }
            });
            // Gone after the rename; otherwise it is of no use to anyone.
            let _best_effort = fs::remove_dir_all(&work);
            result
        });
        unpacked.await.map_err(kit::Error::internal)??;
        self.used().insert(sha, now);
        Ok(path)
    }

    /// Deletes trees that no function uses, and those set aside. `current` are those in use.
    pub(crate) async fn sweep(&self, current: &HashSet<Sha>, now: Time) -> io::Result<()> {
        let mut unused = Vec::new();
        self.used().retain(|sha, last| {
            let keep = current.contains(sha) || now.since(*last) < UNUSED_MAX;
            if !keep {
                unused.push(self.path(sha));
            }
            keep
        });
        let root = self.root.clone();
        let delete = move || {
            let aside =
                fs::read_dir(root.parent().unwrap_or(&root)).into_iter().flatten().flatten();
            let aside =
                aside.filter(|entry| entry.file_name().to_string_lossy().starts_with("code-old-"));
            let all = aside.map(|entry| entry.path()).chain(unused);
            // All are tried, whatever becomes of one.
            all.map(fs::remove_dir_all).fold(Ok(()), Result::and)
        };
        tokio::task::spawn_blocking(delete).await?
    }

    fn path(&self, sha: &Sha) -> PathBuf {
        self.root.join(hex(sha))
    }

    fn used(&self) -> MutexGuard<'_, HashMap<Sha, Time>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many bytes the files of some trees have together.
pub(crate) async fn tree_bytes(trees: Vec<PathBuf>) -> Result<u64, Error> {
    let count = move || {
        let (mut folders, mut bytes) = (trees, 0);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder)? {
                let entry = entry?;
                match entry.metadata()? {
                    about if about.is_dir() => folders.push(entry.path()),
                    about => bytes += about.len(),
                }
            }
        }
        io::Result::Ok(bytes)
    };
    let counted = tokio::task::spawn_blocking(count).await.map_err(kit::Error::internal)?;
    Ok(counted.map_err(kit::Error::internal)?)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Unpacks into a folder that does not exist yet. Nothing is written outside of it: names that
/// lead out are refused, and so are links.
fn unpack(zip: &[u8], to: &Path, bytes_max: u64) -> Result<(), Error> {
    let mut archive = ZipArchive::new(Cursor::new(zip)).map_err(|error| bad_zip(&error))?;
    if archive.is_empty() {
        return Err(Error::parameter("Uploaded file must be a non-empty zip"));
    }
    if archive.len() > ENTRIES_MAX {
        let text = format!("The package has more than {ENTRIES_MAX} files and folders.");
        return Err(Error::parameter(text));
    }
    fs::create_dir_all(to).map_err(|error| broken(&error))?;
    let mut left = bytes_max;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(|error| bad_zip(&error))?;
        let path = entry.enclosed_name().ok_or_else(could_not_unzip)?;
        if entry.is_symlink() {
            let text = format!("The package has a symbolic link, {}.", path.display());
            return Err(kit::Error::not_served(text).into());
        }
        let path = to.join(path);
        if entry.is_dir() {
            fs::create_dir_all(&path).map_err(|error| broken(&error))?;
            continue;
        }
        fs::create_dir_all(path.parent().unwrap_or(to)).map_err(|error| broken(&error))?;
        // Files are read-only, as on Lambda. Folders are not, so that whoever owns the data
        // directory can delete it by ordinary means.
        let mode =
            if entry.unix_mode().is_some_and(|mode| mode & 0o111 != 0) { 0o555 } else { 0o444 };
        let mut options = fs::OpenOptions::new();
        let file = options.write(true).create_new(true).mode(mode).open(&path);
        let mut file = file.map_err(|error| broken(&error))?;
        // Counted as written: the size an entry claims may be a lie.
        let written = io::copy(&mut entry.by_ref().take(left + 1), &mut file);
        let written = written.map_err(|error| broken(&error))?;
        left = left.checked_sub(written).ok_or_else(|| {
            let text = format!("Unzipped size must be smaller than {bytes_max} bytes");
            Error::parameter(text)
        })?;
    }
    Ok(())
}

fn could_not_unzip() -> Error {
    Error::parameter(
        "Could not unzip uploaded file. Please check your file, then try to upload again.",
    )
}

fn bad_zip(error: &ZipError) -> Error {
    tracing::debug!(%error, "package refused");
    could_not_unzip()
}

/// An I/O error while unpacking: the package's fault where its names or bytes make no sense.
fn broken(error: &io::Error) -> Error {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => store::Error::Full.into(),
        ErrorKind::InvalidData
        | ErrorKind::InvalidInput
        | ErrorKind::UnexpectedEof
        | ErrorKind::NotADirectory
        | ErrorKind::IsADirectory
        | ErrorKind::AlreadyExists
        | ErrorKind::InvalidFilename => could_not_unzip(),
        _ => kit::Error::internal(format_args!("unpacking: {error}")).into(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use base::SeededRandom;
    use zip::write::{SimpleFileOptions, ZipWriter};

    use super::*;

    const BYTES_MAX: u64 = 4 * 1024 * 1024;

    fn packed(write: impl FnOnce(&mut ZipWriter<Cursor<Vec<u8>>>)) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        write(&mut zip);
        zip.finish().unwrap().into_inner()
    }

    fn file(name: &str, content: &[u8]) -> Vec<u8> {
        packed(|zip| {
            zip.start_file(name, SimpleFileOptions::default()).unwrap();
            zip.write_all(content).unwrap();
        })
    }

    /// Unpacks into a fresh folder; nothing may appear beside it.
    fn check(zip: &[u8], expected: &str) {
        let folder = tempfile::tempdir().unwrap();
        let unpacked = unpack(zip, &folder.path().join("a/b"), BYTES_MAX);
        let error: kit::Error = unpacked.expect_err(expected).into();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(error.status == 400 || error.status == 501, "{error}");
        let beside = fs::read_dir(folder.path()).unwrap().count();
        assert!(beside <= 1, "something was written beside the tree");
    }

    #[test]
    fn hostile_packages_are_refused() {
        check(b"", "Could not unzip");
        check(b"PK\x05\x06 not a zip", "Could not unzip");
        check(&packed(|_| ()), "non-empty zip");
        for name in ["../evil", "a/../../evil", "a/../../../evil", "nul\0byte"] {
            check(&file(name, b"x"), "Could not unzip");
        }
        check(&file(&"n".repeat(300), b"x"), "Could not unzip");
        let link = packed(|zip| {
            zip.add_symlink("link", "/etc/passwd", SimpleFileOptions::default()).unwrap();
        });
        check(&link, "symbolic link, link");
        let twice = packed(|zip| {
            zip.start_file("a", SimpleFileOptions::default()).unwrap();
            zip.start_file("a/b", SimpleFileOptions::default()).unwrap();
        });
        check(&twice, "Could not unzip");
        let mut damaged = file("index.js", &b"exports.handler = 1".repeat(100));
        damaged[40] ^= 0xff;
        check(&damaged, "Could not unzip");
    }

    #[test]
    fn a_name_from_the_root_stays_in_the_tree() {
        let folder = tempfile::tempdir().unwrap();
        unpack(&file("/etc/evil", b"x"), &folder.path().join("tree"), BYTES_MAX).unwrap();
        assert_eq!(fs::read(folder.path().join("tree/etc/evil")).unwrap(), b"x");
    }

    #[test]
    fn a_bomb_stops_at_the_limit() {
        let bomb = packed(|zip| {
            zip.start_file("zeros", SimpleFileOptions::default()).unwrap();
            let zeros = vec![0; 1024 * 1024];
            for _ in 0..5 {
                zip.write_all(&zeros).unwrap();
            }
        });
        assert!(bomb.len() < 10 * 1024);
        check(&bomb, "Unzipped size must be smaller than 4194304 bytes");
    }

    #[tokio::test]
    async fn a_tree_is_made_once_kept_while_used_and_swept() {
        let folder = tempfile::tempdir().unwrap();
        let random = SeededRandom::new(1);
        let trees = Trees::open(folder.path(), &random);
        let zip = packed(|zip| {
            let script = SimpleFileOptions::default().unix_permissions(0o755);
            zip.add_directory("lib", SimpleFileOptions::default()).unwrap();
            zip.start_file("lib/run.sh", script).unwrap();
            zip.write_all(b"echo").unwrap();
            zip.start_file("index.js", SimpleFileOptions::default()).unwrap();
        });
        let (sha, start) = (sha256(&zip), Time::from_millis(0));
        assert_eq!(trees.find(&sha, start), None);
        let path = trees.unpack(sha, zip.into(), start, "t1".into()).await.unwrap();
        assert_eq!(trees.find(&sha, start).as_ref(), Some(&path));
        assert_eq!(fs::read(path.join("lib/run.sh")).unwrap(), b"echo");
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |name: &str| fs::metadata(path.join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("lib/run.sh"), mode("index.js")), (0o555, 0o444));

        trees.sweep(&HashSet::from([sha]), start + UNUSED_MAX).await.unwrap();
        assert!(path.is_dir());
        trees.sweep(&HashSet::new(), start + UNUSED_MAX / 2).await.unwrap();
        assert!(path.is_dir());
        trees.sweep(&HashSet::new(), start + UNUSED_MAX).await.unwrap();
        assert!(!path.exists());

        // A later run starts empty and deletes what the earlier one left.
        trees.unpack(sha, file("a", b"a").into(), start, "t2".into()).await.unwrap();
        let later = Trees::open(folder.path(), &random);
        assert_eq!(later.find(&sha, start), None);
        later.sweep(&HashSet::new(), start).await.unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
