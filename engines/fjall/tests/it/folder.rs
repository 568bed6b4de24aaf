//! Who may open a data folder, and what happens when the disk fills.

use std::path::Path;
use std::sync::Arc;

use base::AccountId;
use engine_fjall::{Error, Fjall, Options};
use store::{Blobs, Key, Space, Store, Tx};

fn refused(folder: &Path) -> String {
    Fjall::open(folder).err().unwrap().to_string()
}

#[test]
fn a_folder_in_use_is_refused_and_names_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let open = Fjall::open(folder.path()).unwrap();
    let message = refused(folder.path());
    assert!(message.contains(&format!("in use by process {}", std::process::id())), "{message}");
    drop(open);
    Fjall::open(folder.path()).unwrap();
}

#[test]
fn another_format_is_refused_and_names_both() {
    let folder = tempfile::tempdir().unwrap();
    drop(Fjall::open(folder.path()).unwrap());
    std::fs::write(folder.path().join("format"), "7\n").unwrap();
    let message = refused(folder.path());
    assert!(message.contains("format 7, this program writes format 1"), "{message}");
    std::fs::remove_file(folder.path().join("format")).unwrap();
    let message = refused(folder.path());
    assert!(message.contains("format unknown"), "{message}");
}

#[test]
fn a_folder_that_cannot_be_made_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    let message = refused(&folder.path().join("file").join("data"));
    assert!(message.contains("file/data"), "{message}");
    assert!(matches!(Fjall::open(&folder.path().join("file")), Err(Error::Io { .. })));
}

#[tokio::test]
async fn on_a_full_disk_deleting_goes_on_and_writing_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let full = store(folder.path(), u64::MAX).await;
    // No room for growth: refused as such, together with what frees room, which is not.
    let (put, delete) = tokio::join!(write(&full, 1, Some("value")), write(&full, 2, None));
    assert!(matches!(put, Err(store::Error::Full)), "{put:?}");
    delete.unwrap();
    assert_eq!(full.get(&key(1)).await.unwrap(), None);
    full.close().await.unwrap();
    drop(full);
    // The store did not close itself over it, and with room again writing works.
    let roomy = Options { disk_reserve_bytes: 0, disk_floor_bytes: 0, ..Options::default() };
    let engine = Arc::new(open_when_free(folder.path(), roomy).await);
    let roomy = Store::open(engine, Blobs::memory(), "test").await.unwrap();
    write(&roomy, 1, Some("value")).await.unwrap();
}

async fn store(folder: &Path, disk_reserve_bytes: u64) -> Store {
    let options = Options { disk_reserve_bytes, disk_floor_bytes: 0, ..Options::default() };
    let engine = Fjall::open_with(folder, options).unwrap();
    Store::open(Arc::new(engine), Blobs::memory(), "test").await.unwrap()
}

/// The tasks of a store that was dropped end a moment later, and with them the lock.
async fn open_when_free(folder: &Path, options: Options) -> Fjall {
    for _ in 0..100_000 {
        match Fjall::open_with(folder, options) {
            Err(Error::Locked { .. }) => tokio::task::yield_now().await,
            other => return other.unwrap(),
        }
    }
    panic!("the folder stays locked");
}

fn account() -> AccountId {
    "000000000000".parse().unwrap()
}

fn key(number: u64) -> Key {
    Space::new(&account(), "test").key(1).u64(number)
}

async fn write(store: &Store, number: u64, value: Option<&'static str>) -> store::Result<()> {
    let write = |tx: Tx| async move {
        match value {
            Some(value) => tx.put(key(number), value),
            None => tx.delete(key(number)),
        }
        Ok(())
    };
    store.transact(&account(), write).await
}
