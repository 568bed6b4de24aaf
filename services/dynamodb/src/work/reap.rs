//! Removes the items of deleted tables and the entries of their indexes, a bounded number at a
//! time.

use std::sync::Arc;

use kit::Ctx;
use store::{Dir, Key, Tx};

use crate::data::{self, Doomed, Stored, Tables};
use crate::error::Error;

/// How many items or entries one transaction removes, and how many transactions one tick runs.
const ITEMS_MAX: usize = 500;
const ROUNDS_MAX: usize = 100;

/// One step: of the oldest deleted table, some items, or its last trace.
pub(crate) async fn tick(ctx: &Ctx) -> Result<(), Error> {
    for _ in 0..ROUNDS_MAX {
        let all = data::all_doomed_key(&ctx.account);
        let oldest = ctx.store().scan(all.prefix(), Dir::Forward, 1).await?;
        let Some((key, record)) = oldest.into_iter().next() else { return Ok(()) };
        let number = key.after(&all)?.u64()?;
        if reap(ctx, number).await? {
            ctx.state::<Arc<Tables>>().throttle.forget(number);
            let Doomed { name } = store::decode(&key, &record)?;
            tracing::debug!(table = %name, "items of the deleted table are gone");
        }
    }
    Ok(())
}

/// Removes some items or entries; whether those were the last.
async fn reap(ctx: &Ctx, number: u64) -> Result<bool, Error> {
    ctx.store()
        .transact(&ctx.account, |tx| async move {
            let items = data::items_key(&ctx.account, number);
            let entries = data::index::all_entries_key(&ctx.account, number);
            let last = remove(&tx, &items).await? && remove(&tx, &entries).await?;
            if last {
                tx.delete(data::doomed_key(&ctx.account, number));
            }
            Ok(last)
        })
        .await
}

/// Removes some items or entries below a key; whether those were the last.
pub(crate) async fn remove(tx: &Tx, below: &Key) -> Result<bool, Error> {
    let found = tx.scan(below.prefix(), Dir::Forward, ITEMS_MAX).await?;
    for (key, stored) in &found {
        let stored: Stored = store::decode(key, stored)?;
        data::replace(tx, key, Some(&stored), None).await?;
    }
    Ok(found.len() < ITEMS_MAX)
}
