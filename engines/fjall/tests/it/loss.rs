//! What a damaged disk may not do unnoticed.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base::AccountId;
use bytes::Bytes;
use engine_fjall::{Error, Fjall};
use store::{Batch, Dir, Engine, Key, Limit, Space};

const ENTRIES: u64 = 20;

fn account() -> AccountId {
    "000000000000".parse().unwrap()
}

fn kind() -> Key {
    Space::new(&account(), "test").key(1)
}

/// A folder with twenty commits, as a kill leaves it once the guard knows of all of them: files
/// of a store that is still open, and the guard that its close wrote.
async fn written() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let engine = Fjall::open(folder.path()).unwrap();
    let epoch = engine.acquire(&account(), "test").await.unwrap();
    for number in 0..ENTRIES {
        let mut batch = Batch::default();
        let value = format!("value number {number:04}").repeat(20);
        batch.write(kind().u64(number), Some(Bytes::from(value)));
        engine.commit(&account(), epoch, Arc::new(batch)).await.unwrap();
    }
    let killed = tempfile::tempdir().unwrap();
    copy(folder.path(), killed.path());
    engine.close().await.unwrap();
    std::fs::copy(folder.path().join("durable"), killed.path().join("durable")).unwrap();
    killed
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (from, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            std::fs::copy(from, to).unwrap();
        }
    }
}

fn journal(folder: &Path) -> PathBuf {
    let files = std::fs::read_dir(folder.join("kv")).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|ext| ext == "jnl")).max().unwrap()
}

/// Where the text begins in the journal.
fn find(journal: &Path, text: &str) -> u64 {
    let bytes = std::fs::read(journal).unwrap();
    bytes.windows(text.len()).position(|window| window == text.as_bytes()).unwrap() as u64
}

async fn entries(engine: &Fjall) -> usize {
    let limit = Limit::items(1000);
    engine.scan(kind().prefix(), Dir::Forward, limit).await.unwrap().entries.len()
}

fn refused_as_behind(folder: &Path, durable_commits: u64) {
    match Fjall::open(folder) {
        Err(e @ Error::Behind { durable, .. }) => {
            // One more for the acquisition.
            assert_eq!(durable, durable_commits + 1);
            assert!(e.to_string().contains("restore a backup"), "{e}");
        }
        other => panic!("{:?}", other.map(|_| ())),
    }
}

#[tokio::test]
async fn a_clean_close_leaves_nothing_to_replay_and_loses_nothing() {
    let folder = written().await;
    let engine = Fjall::open(folder.path()).unwrap();
    engine.close().await.unwrap();
    drop(engine);
    // Even with nothing in the journal everything is there.
    File::create(journal(folder.path())).unwrap();
    assert_eq!(entries(&Fjall::open(folder.path()).unwrap()).await as u64, ENTRIES);
}

#[tokio::test]
async fn a_torn_tail_that_nobody_was_told_about_is_dropped() {
    let folder = written().await;
    let end = File::open(journal(folder.path())).unwrap().metadata().unwrap().len();
    let file = File::options().write(true).open(journal(folder.path())).unwrap();
    // The journal is as long as was reserved for it; a batch cut short stands after the last.
    let last = find(&journal(folder.path()), &format!("value number {:04}", ENTRIES - 1));
    assert!(last < end);
    let start_of_a_batch = {
        let bytes = std::fs::read(journal(folder.path())).unwrap();
        let used = bytes.iter().rposition(|byte| *byte != 0).unwrap() as u64 + 1;
        file.write_all_at(&bytes[..40], used).unwrap();
        used
    };
    assert!(start_of_a_batch > last);
    let engine = Fjall::open(folder.path()).unwrap();
    assert_eq!(entries(&engine).await as u64, ENTRIES);
}

#[tokio::test]
async fn a_journal_cut_below_what_was_acknowledged_is_refused() {
    let folder = written().await;
    let cut = find(&journal(folder.path()), "value number 0012");
    let file = File::options().write(true).open(journal(folder.path())).unwrap();
    file.set_len(cut).unwrap();
    refused_as_behind(folder.path(), ENTRIES);
    // The remedy that the message names.
    std::fs::remove_file(folder.path().join("durable")).unwrap();
    assert_eq!(entries(&Fjall::open(folder.path()).unwrap()).await, 12);
}

#[tokio::test]
async fn zeros_in_the_journal_are_refused() {
    let folder = written().await;
    let at = find(&journal(folder.path()), "value number 0012");
    let file = File::options().write(true).open(journal(folder.path())).unwrap();
    file.write_all_at(&[0; 4096], at).unwrap();
    let opened = Fjall::open(folder.path());
    assert!(matches!(opened, Err(Error::Behind { .. } | Error::Store { .. })));
}

#[tokio::test]
async fn a_bit_flipped_in_the_journal_is_refused() {
    let folder = written().await;
    let at = find(&journal(folder.path()), "value number 0012");
    let file = File::options().write(true).open(journal(folder.path())).unwrap();
    file.write_all_at(b"V", at).unwrap();
    let opened = Fjall::open(folder.path());
    assert!(matches!(opened, Err(Error::Behind { .. } | Error::Store { .. })));
}

#[tokio::test]
async fn a_store_that_is_gone_is_refused() {
    let folder = written().await;
    std::fs::remove_dir_all(folder.path().join("kv")).unwrap();
    refused_as_behind(folder.path(), ENTRIES);
}
