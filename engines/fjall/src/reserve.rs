//! Room set aside as real blocks of a file, for what frees space when others have taken the rest.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate};
use store::DISK_ASIDE_BYTES;

/// A file that holds room, or held it.
pub(crate) struct Reserve {
    path: PathBuf,
    state: State,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Whole,
    GivenBack,
    /// The file system cannot set room aside.
    Impossible,
}

impl Reserve {
    /// As the folder has it. A copy may have lost its blocks.
    pub(crate) fn open(folder: &Path) -> Reserve {
        let path = folder.join("reserve");
        let blocks = std::fs::metadata(&path).map_or(0, |about| about.blocks());
        let whole = blocks.saturating_mul(512) >= DISK_ASIDE_BYTES;
        Reserve { path, state: if whole { State::Whole } else { State::GivenBack } }
    }

    /// Whether room is to be set aside before anything else may grow.
    pub(crate) fn is_missing(&self) -> bool {
        self.state == State::GivenBack
    }

    /// Sets the room aside.
    pub(crate) fn take(&mut self) {
        let taken = File::create(&self.path).and_then(|file| {
            fallocate(&file, FallocateFlags::empty(), 0, DISK_ASIDE_BYTES)
                .inspect_err(|_| drop(file.set_len(0)))?;
            Ok(())
        });
        match taken {
            Ok(()) => self.state = State::Whole,
            // Others were faster; there is a next time.
            Err(e) if e.kind() == io::ErrorKind::StorageFull => {}
            Err(error) => {
                tracing::warn!(%error, file = %self.path.display(), "no room can be set aside");
                self.state = State::Impossible;
            }
        }
    }

    /// Gives the room back. Tells whether there was any.
    pub(crate) fn give_back(&mut self) -> bool {
        if self.state != State::Whole {
            return false;
        }
        tracing::warn!("the disk is full: its reserve is used for what frees space");
        self.state = State::GivenBack;
        // File systems with a journal may use blocks again only after it has been written.
        let given = File::create(&self.path).and_then(|file| file.sync_all());
        given.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_taken_kept_and_given_back() {
        let folder = tempfile::tempdir().unwrap();
        let blocks = || std::fs::metadata(folder.path().join("reserve")).unwrap().blocks() * 512;
        let mut reserve = Reserve::open(folder.path());
        assert!(reserve.is_missing() && !reserve.give_back());
        reserve.take();
        assert!(!reserve.is_missing() && blocks() >= DISK_ASIDE_BYTES);
        let mut reserve = Reserve::open(folder.path());
        assert!(!reserve.is_missing());
        assert!(reserve.give_back() && reserve.is_missing() && !reserve.give_back());
        assert_eq!(blocks(), 0);
        assert!(Reserve::open(folder.path()).is_missing());
    }
}
