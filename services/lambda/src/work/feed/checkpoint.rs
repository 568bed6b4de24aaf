//! How far the lanes of a mapping have come. A checkpoint is written when a batch is done with,
//! in the transaction that tells of records given up: so after a crash records may come again, but
//! none is passed over.

use kit::targets::Event;
use store::{Body, Dir, Key, Tx};

use super::Feed;
use super::lane::Lane;
use crate::data::{Checkpoint, Window};
use crate::error::Error;

/// Forgets how far a mapping has come.
pub(crate) async fn forget(tx: &Tx, checkpoints: &Key) -> Result<(), Error> {
    for (key, value) in tx.scan(checkpoints.prefix(), Dir::Forward, usize::MAX).await? {
        let Checkpoint { window, .. } = store::decode(&key, &value)?;
        if let Some(window) = window {
            window.state.unlink(tx, &key).await?;
        }
        tx.delete(key);
    }
    Ok(())
}

/// Sees to it that the checkpoints of each shard are of as many lanes as it is read in. Where the
/// number has changed, all begin where the last of them was, and with no window open.
pub(super) async fn arrange(feed: &Feed, shards: &[String]) -> Result<(), Error> {
    let lanes = feed.0.reading.lanes;
    let store = &feed.0.lambda.kit.store;
    for shard in shards {
        let shard = &feed.0.checkpoints.clone().str(shard);
        store
            .transact(&feed.0.account, |tx| async move {
                let found = tx.scan(shard.prefix(), Dir::Forward, usize::MAX).await?;
                let all = found.iter().map(|(key, value)| store::decode(key, value));
                let all = all.collect::<Result<Vec<Checkpoint>, _>>()?;
                let Some(before) = all.iter().map(|one| one.lanes).find(|n| *n != lanes) else {
                    return Ok(());
                };
                // A lane that has no checkpoint has not begun.
                let begun = all.len() == before as usize;
                let last = all.iter().map(|one| one.next).min().filter(|_| begun);
                let processed = all.iter().any(|one| one.processed);
                forget(&tx, shard).await?;
                feed.stored(&tx).await?;
                let next = last.unwrap_or_else(|| feed.start());
                for lane in 0..lanes {
                    let checkpoint = Checkpoint { next, lanes, processed, window: None };
                    tx.put_record(shard.clone().u64(lane.into()), &checkpoint)?;
                }
                Ok::<_, Error>(())
            })
            .await?;
    }
    Ok(())
}

impl Lane {
    /// Where its checkpoint is.
    pub(super) fn key(&self) -> Key {
        self.feed.0.checkpoints.clone().str(&self.shard).u64(self.number.into())
    }

    /// Notes durably that all before a number is done with, and tells of what was given up.
    pub(super) async fn save(&mut self, next: u64, told: &[Event]) -> Result<(), Error> {
        let feed = &self.feed;
        let (key, kit) = (&self.key(), &feed.0.lambda.kit);
        let fresh = match self.window.as_ref().filter(|window| !window.stored) {
            Some(window) => {
                Some(Body::stage(&kit.store, &feed.0.account, window.state.clone()).await?)
            }
            None => None,
        };
        let (fresh, open) = (fresh.as_ref(), self.window.as_ref());
        let (processed, lanes) = (self.processed, feed.0.reading.lanes);
        kit.store
            .transact(&feed.0.account, |tx| async move {
                feed.stored(&tx).await?;
                let before: Option<Checkpoint> = tx.get_record(key).await?;
                let before = before.and_then(|before| before.window);
                let window = match (open, fresh) {
                    (Some(open), Some(fresh)) => {
                        let state = fresh.link(&tx, key);
                        Some(Window { start: open.start, secs: open.secs, state })
                    }
                    (Some(_), None) => before.clone(),
                    (None, _) => None,
                };
                if let Some(before) = before.filter(|before| window.as_ref() != Some(before)) {
                    before.state.unlink(&tx, key).await?;
                }
                tx.put_record(key.clone(), &Checkpoint { next, lanes, processed, window })?;
                for event in told {
                    let Err(error) = kit.targets.append(&tx, event).await else { continue };
                    // What refuses the record will refuse it again; ours may be over soon.
                    if error.status >= 500 && error.status != 501 {
                        return Err(error.into());
                    }
                    let (from, to) = (&event.from, &event.to);
                    tracing::error!(%from, %to, %error, "what became of records is refused");
                }
                Ok::<_, Error>(())
            })
            .await?;
        self.saved = next;
        self.written = kit.now();
        self.skipped = None;
        if let Some(window) = &mut self.window {
            window.stored = true;
        }
        Ok(())
    }
}
