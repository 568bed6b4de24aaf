use base::AccountId;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{BlobId, Dir, Key, Result, Space, Store, Tx};

/// Content up to this size is kept inside its record.
pub const BODY_INLINE_BYTES_MAX: usize = 64 * 1024;

/// Key kind of a reference: account, `store`, 1, blob id, SHA-256 of the holder's key → nothing.
const KIND_REFERENCE: u8 = 1;

/// Content of any size as a field of a record: in place if small, else a blob.
///
/// Every record that holds a body is one of its holders, named by the record's key: `link` and
/// `unlink` go with writing and deleting that record, in the same transaction. The blob goes with
/// its last holder. So many records may share one body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body {
    Inline(Bytes),
    Blob { id: BlobId, len: u64 },
}

/// A body that is durable but held by no record yet. It has no way into a record but `link`.
pub struct Staged(Body);

impl Staged {
    /// The body, held from now on by the record of this key.
    pub fn link(&self, tx: &Tx, holder: &Key) -> Body {
        self.0.link(tx, holder)
    }
}

impl Body {
    /// Writes content that is too large to be inline. Comes before the transaction that links it;
    /// if that never happens, the next start sweeps it.
    pub async fn stage(store: &Store, account: &AccountId, content: Bytes) -> Result<Staged> {
        if content.len() <= BODY_INLINE_BYTES_MAX {
            return Ok(Staged(Body::Inline(content)));
        }
        let len = content.len() as u64;
        let id = store.blobs().put(account, content).await?;
        Ok(Staged(Body::Blob { id, len }))
    }

    /// The same body, held by one more record. The transaction must have read the record it was
    /// taken from, or the last holder might go at the same time.
    pub fn link(&self, tx: &Tx, holder: &Key) -> Body {
        if let Body::Blob { id, .. } = self {
            tx.put(reference(tx.account(), id).digest(holder.as_bytes()), Bytes::new());
        }
        self.clone()
    }

    /// The record of this key holds the body no longer. After the last one the blob is deleted,
    /// once that is committed.
    pub async fn unlink(&self, tx: &Tx, holder: &Key) -> Result<()> {
        let Body::Blob { id, .. } = self else { return Ok(()) };
        let references = reference(tx.account(), id);
        tx.delete(references.clone().digest(holder.as_bytes()));
        if tx.scan(references.prefix(), Dir::Forward, 1).await?.is_empty() {
            let (blobs, id) = (tx.blobs().clone(), id.clone());
            tx.on_commit(move || {
                base::task::spawn("blob delete", async move {
                    if let Err(e) = blobs.delete(&id).await {
                        tracing::warn!(error = %e, "blob stays until the next start");
                    }
                });
            });
        }
        Ok(())
    }

    /// The content.
    pub async fn load(&self, store: &Store) -> Result<Bytes> {
        match self {
            Body::Inline(content) => Ok(content.clone()),
            Body::Blob { id, .. } => store.blobs().get(id).await,
        }
    }

    /// How many bytes.
    pub fn len(&self) -> u64 {
        match self {
            Body::Inline(content) => content.len() as u64,
            Body::Blob { len, .. } => *len,
        }
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// See [`Store::sweep`].
pub(crate) async fn sweep(store: &Store) -> Result<usize> {
    let mut swept = 0;
    for id in store.blobs().of_earlier_runs().await? {
        let Some(account) = id.account() else { continue };
        let references = reference(&account, &id).prefix();
        if store.scan(references, Dir::Forward, 1).await?.is_empty() {
            store.blobs().delete(&id).await?;
            swept += 1;
        }
    }
    Ok(swept)
}

fn reference(account: &AccountId, id: &BlobId) -> Key {
    Space::new(account, "store").key(KIND_REFERENCE).str(&id.to_string())
}
