//! Code packs: what workers made of a function's code, so that those that load it later are quicker.
//!
//! A pack is made in the background, by a worker that loads the function and gets no events: its
//! template, or one for this purpose alone. To us it is so many bytes that came out of a sandbox:
//! we keep them, and show them to workers of the same revision of the same function, who judge
//! them.

use std::collections::{HashMap, HashSet};
use std::fs::DirEntry;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::Arn;
use sha2::{Digest as _, Sha256};
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::{Notify, Semaphore};

use crate::FunctionSpec;
use crate::journal::Journal;
use crate::protocol::Reply;
use crate::slot;
use crate::worker::Worker;

/// A pack larger than this is not kept.
const PACK_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Workers that load a function for its pack alone at the same time.
const MAKING_MAX: usize = 1;
/// Where packs are until they are whole.
const UNFINISHED: &str = "unfinished";
/// Bytes of a digest that name a function or a revision.
const NAME_BYTES: usize = 16;

pub(crate) struct Packs {
    folder: Option<PathBuf>,
    pub(crate) making: Semaphore,
    state: Mutex<HashMap<Arc<FunctionSpec>, State>>,
    /// Told when one was made, or could not be.
    changed: Notify,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Making,
    There,
    /// It could not be made, or would be of no use.
    Absent,
}

/// What a worker is told of its function's pack.
#[derive(Debug, Clone)]
pub(crate) struct Pack {
    /// Where it is; nowhere if the worker is to make it.
    pub(crate) path: Option<PathBuf>,
    /// Of which revision of which function it is: also the name of its file.
    pub(crate) name: String,
}

impl Packs {
    /// Those in a folder, where there is one; else there are none.
    pub(crate) fn new(folder: Option<PathBuf>) -> Packs {
        if let Some(folder) = &folder {
            let _there_was_none = std::fs::remove_dir_all(folder.join(UNFINISHED));
        }
        let (making, state) = (Semaphore::new(MAKING_MAX), Mutex::default());
        Packs { folder, making, state, changed: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<FunctionSpec>, State>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pack of a revision, if there is one.
    pub(crate) fn find(&self, spec: &Arc<FunctionSpec>) -> Option<Pack> {
        let (name, path) = self.place(spec)?;
        let mut state = self.lock();
        let known = state.get(spec).copied();
        if known.is_none() && path.is_file() {
            state.insert(Arc::clone(spec), State::There);
        } else if known != Some(State::There) {
            return None;
        }
        Some(Pack { path: Some(path), name })
    }

    /// Waits while the pack of a revision is being made; whether there is one.
    pub(crate) async fn made(&self, spec: &Arc<FunctionSpec>) -> bool {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if self.find(spec).is_some() {
                return true;
            }
            if self.lock().get(spec) != Some(&State::Making) {
                return false;
            }
            changed.await;
        }
    }

    /// The order to make the pack of a revision, if that is to be done now; the caller then does.
    pub(crate) fn claim(&self, spec: &Arc<FunctionSpec>) -> Option<Pack> {
        let (name, _) = self.place(spec)?;
        if self.find(spec).is_some() {
            return None;
        }
        let mut state = self.lock();
        if state.contains_key(spec) {
            return None;
        }
        state.insert(Arc::clone(spec), State::Making);
        Some(Pack { path: None, name })
    }

    /// An order was not carried out, and is not to be given again or is.
    pub(crate) fn give_up(&self, spec: &FunctionSpec, again: bool) {
        let mut state = self.lock();
        if let Some(entry @ State::Making) = state.get_mut(spec) {
            *entry = State::Absent;
            if again {
                state.remove(spec);
            }
        }
        drop(state);
        self.changed.notify_waiters();
    }

    /// Waits until a worker that loads a function answers, and keeps the pack it makes, if it was
    /// to make one.
    pub(crate) async fn hear(
        &self,
        worker: &mut Worker,
        journal: &mut Journal<'_>,
        (spec, pack): (&Arc<FunctionSpec>, Option<&Pack>),
    ) -> Option<Reply> {
        let mut draft = Draft::default();
        let reply = loop {
            match slot::hear(worker, journal).await {
                Some(Reply::Pack(piece)) => self.add(&mut draft, pack, &piece).await,
                Some(Reply::Packed { used: true }) => {}
                Some(Reply::Packed { used: false }) => self.refuse(spec, true),
                reply => break reply,
            }
        };
        if pack.is_some_and(|pack| pack.path.is_none()) {
            self.keep(spec, draft).await;
        }
        reply
    }

    async fn add(&self, draft: &mut Draft, pack: Option<&Pack>, piece: &[u8]) {
        let ordered = pack.filter(|pack| pack.path.is_none()).zip(self.folder.as_deref());
        let added = match ordered {
            Some((pack, folder)) if draft.error.is_none() => draft.add(folder, pack, piece).await,
            _ => return,
        };
        draft.error = added.err();
    }

    /// Keeps what was made, where it is whole and still wanted.
    async fn keep(&self, spec: &Arc<FunctionSpec>, mut draft: Draft) {
        let finished = draft.finish().await;
        if let Err(error) = &finished {
            tracing::debug!(function = spec.name, %error, "no code pack");
        }
        let mut state = self.lock();
        // It may have been replaced while it was loaded.
        let Some(entry @ State::Making) = state.get_mut(spec) else { return };
        let kept = match (finished, self.place(spec)) {
            (Ok(Some(from)), Some((_, to))) => move_to(&from, &to).is_ok(),
            _ => false,
        };
        *entry = if kept { State::There } else { State::Absent };
        drop(state);
        self.changed.notify_waiters();
    }

    /// Deletes a pack that is of no use. It is made anew where a worker could make nothing of it,
    /// as it is damaged or of another version; not where a worker ended over it.
    pub(crate) fn refuse(&self, spec: &FunctionSpec, again: bool) {
        tracing::debug!(function = spec.name, again, "the code pack is of no use");
        let mut state = self.lock();
        if let Some(entry @ State::There) = state.get_mut(spec) {
            *entry = State::Absent;
            if again {
                state.remove(spec);
            }
            if let Some((_, path)) = self.place(spec) {
                let _gone_already = std::fs::remove_file(path);
            }
        }
    }

    /// Deletes those of all revisions of a function but one.
    pub(crate) fn retire(&self, function: &Arn, keep: Option<&str>) {
        let mut state = self.lock();
        state.retain(|spec, _| spec.arn != *function || keep == Some(spec.revision.as_str()));
        let Some(folder) = &self.folder else { return };
        let folder = folder.join(digest(&function.to_string()));
        let Some(keep) = keep.map(digest) else {
            let _there_was_none = std::fs::remove_dir_all(folder);
            return;
        };
        for entry in entries(&folder) {
            if entry.file_name() != *keep {
                let _gone_already = std::fs::remove_file(entry.path());
            }
        }
    }

    /// Deletes those of all revisions but these, which earlier runs may have left.
    pub(crate) fn sweep(&self, revisions: &HashSet<String>) -> io::Result<()> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let mut kept: HashSet<_> = revisions.iter().map(|revision| digest(revision)).collect();
        // A function that is about to be deployed has one already.
        kept.extend(self.lock().keys().map(|spec| digest(&spec.revision)));
        for function in entries(folder).filter(|entry| entry.file_name() != *UNFINISHED) {
            for pack in entries(&function.path()) {
                if !kept.contains(&*pack.file_name().to_string_lossy()) {
                    std::fs::remove_file(pack.path())?;
                }
            }
            let _others_are_in_it = std::fs::remove_dir(function.path());
        }
        Ok(())
    }

    /// The name of a revision's pack, and its file.
    fn place(&self, spec: &FunctionSpec) -> Option<(String, PathBuf)> {
        let name = format!("{}/{}", digest(&spec.arn.to_string()), digest(&spec.revision));
        let path = self.folder.as_ref()?.join(&name);
        Some((name, path))
    }
}

/// A pack that is being made. What is not kept of it is deleted.
#[derive(Default)]
struct Draft {
    file: Option<(File, PathBuf)>,
    bytes: usize,
    error: Option<io::Error>,
}

impl Draft {
    async fn add(&mut self, folder: &Path, pack: &Pack, piece: &[u8]) -> io::Result<()> {
        self.bytes += piece.len();
        if self.bytes > PACK_BYTES_MAX {
            return Err(io::Error::other(format!("it has more than {PACK_BYTES_MAX} bytes")));
        }
        if self.file.is_none() {
            let folder = folder.join(UNFINISHED);
            tokio::fs::create_dir_all(&folder).await?;
            let path = folder.join(pack.name.replace('/', "-"));
            self.file = Some((File::create(&path).await?, path));
        }
        let Some((file, _)) = &mut self.file else { return Ok(()) };
        file.write_all(piece).await
    }

    /// The file, whole; none if nothing was said.
    async fn finish(&mut self) -> io::Result<Option<PathBuf>> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        let Some((file, path)) = &mut self.file else { return Ok(None) };
        file.flush().await?;
        // Sandboxes read it as users of their own.
        file.set_permissions(std::fs::Permissions::from_mode(0o444)).await?;
        Ok(Some(path.clone()))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Some((_, path)) = &self.file {
            let _kept_elsewhere = std::fs::remove_file(path);
        }
    }
}

/// What is in a folder, as far as it can be read.
fn entries(folder: &Path) -> impl Iterator<Item = DirEntry> {
    std::fs::read_dir(folder).into_iter().flatten().flatten()
}

fn move_to(from: &Path, to: &Path) -> io::Result<()> {
    if let Some(folder) = to.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::rename(from, to)
}

/// A name for a file, of a text of any length.
fn digest(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest[..NAME_BYTES].iter().map(|byte| format!("{byte:02x}")).collect()
}
