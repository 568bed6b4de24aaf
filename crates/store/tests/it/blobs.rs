//! Large content is there as long as a record holds it, and no longer.

use std::path::Path;
use std::sync::Arc;

use base::SystemRandom;
use bytes::Bytes;
use engine_memory::Memory;
use store::{BODY_INLINE_BYTES_MAX, BlobId, Blobs, Body, Engine, Error, Store, Tx};

use crate::{account, key, store};

fn large() -> Bytes {
    Bytes::from(vec![7; BODY_INLINE_BYTES_MAX + 1])
}

fn files(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

async fn on_disk(engine: &Arc<Memory>, folder: &Path) -> Store {
    let blobs = Blobs::open(folder, &SystemRandom).unwrap();
    let engine: Arc<dyn Engine> = engine.clone();
    Store::open(engine, blobs, "test").await.unwrap()
}

async fn link(store: &Store, content: Bytes, holders: &[u64]) -> Body {
    let staged = Body::stage(store, account(), content).await.unwrap();
    let staged = &staged;
    let linked = |tx: Tx| async move {
        let bodies = holders.iter().map(|holder| staged.link(&tx, &key(*holder)));
        Ok::<_, Error>(bodies.last().unwrap())
    };
    store.transact(account(), linked).await.unwrap()
}

async fn unlink(store: &Store, body: &Body, holder: u64) {
    let unlink = |tx: Tx| async move { body.unlink(&tx, &key(holder)).await };
    store.transact(account(), unlink).await.unwrap();
}

/// Until what a commit left to a task is done.
async fn settled(folder: &Path, count: usize) {
    for _ in 0..100_000 {
        if files(folder) == count {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("{} files where {count} should be", files(folder));
}

#[tokio::test]
async fn small_content_stays_in_its_record() {
    let store = store().await;
    let body = link(&store, large().slice(1..), &[1]).await;
    assert!(matches!(body, Body::Inline(_)));
    assert_eq!(body.load(&store).await.unwrap(), large().slice(1..));
}

#[tokio::test]
async fn a_blob_goes_with_its_last_holder() {
    let folder = tempfile::tempdir().unwrap();
    let store = on_disk(&Arc::new(Memory::new()), folder.path()).await;
    let body = link(&store, large(), &[1, 2]).await;
    assert_eq!((body.load(&store).await.unwrap(), body.len()), (large(), large().len() as u64));
    unlink(&store, &body, 1).await;
    assert_eq!(body.load(&store).await.unwrap(), large());
    unlink(&store, &body, 2).await;
    settled(folder.path(), 0).await;
    assert!(matches!(body.load(&store).await, Err(Error::Corrupt { .. })));
}

#[tokio::test]
async fn a_sweep_takes_what_an_earlier_run_left_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Arc::new(Memory::new());
    let first = on_disk(&engine, folder.path()).await;
    let kept = link(&first, large(), &[1]).await;
    Body::stage(&first, account(), large()).await.unwrap();
    std::fs::write(folder.path().join("a file of somebody else"), "").unwrap();
    assert_eq!(first.sweep().await.unwrap(), 0, "what this run has staged may yet be linked");
    drop(first);
    let second = on_disk(&engine, folder.path()).await;
    Body::stage(&second, account(), large()).await.unwrap();
    assert_eq!(second.sweep().await.unwrap(), 1);
    assert_eq!(kept.load(&second).await.unwrap(), large());
    assert_eq!(files(folder.path()), 3);
}

#[tokio::test]
async fn a_changed_blob_is_never_served() {
    let folder = tempfile::tempdir().unwrap();
    let store = on_disk(&Arc::new(Memory::new()), folder.path()).await;
    let Body::Blob { id, .. } = link(&store, large(), &[1]).await else { panic!() };
    let path = folder.path().join(id.to_string());
    let mut content = std::fs::read(&path).unwrap();
    content[1000] ^= 1;
    std::fs::write(&path, &content).unwrap();
    assert!(matches!(store.blobs().get(&id).await, Err(Error::Corrupt { .. })));
    std::fs::write(&path, &content[..500]).unwrap();
    assert!(matches!(store.blobs().get(&id).await, Err(Error::Corrupt { .. })));
}

#[test]
fn only_names_that_we_make_are_blob_ids() {
    for text in
        ["", "../../etc/passwd", "000000000000-a-1-x", "000000000000-a/b-1-00000000", "a-b-c-d"]
    {
        assert!(text.parse::<BlobId>().is_err(), "{text}");
    }
    "000000000000-0123456789abcdef-1f-00c0ffee".parse::<BlobId>().unwrap();
}
