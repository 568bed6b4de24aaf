//! Fills indexes that were added to tables, and empties those that were taken from them, a bounded
//! number of entries at a time.

use std::sync::Arc;

use base::Region;
use kit::Ctx;
use store::{Dir, Key, Tx};

use crate::data::index::{Index, Phase, Work, all_work_key, entries_key};
use crate::data::{self, Stored, Table, Tables};
use crate::error::Error;
use crate::ops::index::backfill;
use crate::work::reap;

/// How many items one transaction adds. Each is at most 64 KB in the store, and so is its entry.
const ITEMS_MAX: usize = 50;
/// How many indexes one tick works on, and how many transactions it runs for each.
const INDEXES_MAX: usize = 100;
const ROUNDS_MAX: usize = 100;

/// One step for each index that comes or goes.
pub(crate) async fn tick(ctx: &Ctx) -> Result<(), Error> {
    let all = all_work_key(&ctx.account);
    let found = ctx.store().scan(all.prefix(), Dir::Forward, INDEXES_MAX).await?;
    for (key, _) in found {
        let mut elements = key.after(&all)?;
        let (table, index) = (elements.u64()?, elements.u64()?);
        for _ in 0..ROUNDS_MAX {
            if step(ctx, &key, table, index).await? {
                tracing::debug!(table, index, "index is as it is to be");
                break;
            }
        }
    }
    Ok(())
}

/// Does one transaction's worth of work; whether it was the last.
async fn step(ctx: &Ctx, key: &Key, table: u64, index: u64) -> Result<bool, Error> {
    ctx.store()
        .transact(&ctx.account, |tx| async move {
            let Some(work) = tx.get_record::<Work>(key).await? else { return Ok(true) };
            let found = find(ctx, &tx, &work, table).await?;
            let Some((table_key, table)) = found else {
                // The entries go with the table.
                tx.delete(key.clone());
                return Ok(true);
            };
            let Some(found) = table.indexes.iter().find(|each| each.number == index) else {
                tx.delete(key.clone());
                return Ok(true);
            };
            let done = match found.phase {
                Phase::Creating => fill(ctx, &tx, (&table, found), (key, work)).await?,
                Phase::Deleting => {
                    reap::remove(&tx, &entries_key(&ctx.account, table.number, found)).await?
                }
                Phase::Active => true,
            };
            if done {
                tx.delete(key.clone());
                ctx.state::<Arc<Tables>>().changed(&tx, &table_key);
                tx.put_record(table_key, &settled(table, index))?;
            }
            Ok(done)
        })
        .await
}

/// The table that work is for, if it is still there.
async fn find(ctx: &Ctx, tx: &Tx, work: &Work, number: u64) -> Result<Option<(Key, Table)>, Error> {
    let Ok(region) = work.region.parse::<Region>() else { return Ok(None) };
    let key = data::table_key(&ctx.account, &region, &work.table);
    let table: Option<Table> = tx.get_record(&key).await?;
    Ok(table.filter(|table| table.number == number).map(|table| (key, table)))
}

/// The table when an index has become what it was to be: there, or gone.
fn settled(mut table: Table, number: u64) -> Table {
    table.indexes.retain(|index| index.number != number || index.phase != Phase::Deleting);
    for index in &mut table.indexes {
        if index.number == number {
            index.phase = Phase::Active;
        }
    }
    // A restored table is there once its indexes are.
    if table.indexes.iter().all(|index| index.phase == Phase::Active) {
        table.restored = None;
    }
    table
}

/// Adds the next items to an index; whether those were the last. Items that come meanwhile are
/// added by the writes themselves.
async fn fill(
    ctx: &Ctx,
    tx: &Tx,
    (table, index): (&Table, &Index),
    (key, work): (&Key, Work),
) -> Result<bool, Error> {
    let mut range = data::items_key(&ctx.account, table.number).prefix();
    if let Some(done) = &work.done {
        range = range.after(&Key::from_bytes(done.clone()));
    }
    // Read outside of the transaction, so that it conflicts with a write to one of these items
    // only. One that is put between them does not need us.
    let found = ctx.store().scan(range, Dir::Forward, ITEMS_MAX).await?;
    for (item_key, _) in &found {
        let Some(stored) = tx.get_record::<Stored>(item_key).await? else { continue };
        let item = data::load(ctx.store(), &stored).await?;
        backfill(ctx, tx, table, index, &item, &stored).await?;
    }
    if found.len() < ITEMS_MAX {
        return Ok(true);
    }
    let done = found.last().map(|(key, _)| key.as_bytes().to_vec());
    tx.put_record(key.clone(), &Work { done, ..work })?;
    Ok(false)
}
