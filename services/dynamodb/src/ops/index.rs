//! Keeping the entries of indexes in line with the items, within the transaction of the write.

use kit::Ctx;
use store::{Key, Tx};

use crate::data::index::{Index, Projected, entry_key};
use crate::data::{self, Fresh, Stored, Table};
use crate::error::Error;
use crate::ops::Units;
use crate::rules;
use crate::value::{Item, size};

/// What an index has, or is to have, of an item.
struct Entry {
    key: Key,
    content: Item,
}

/// Brings the entries of an item in line with it, and gives the capacity that has used. `fresh` is
/// the item as it is written. An index that would not change is not touched.
pub(crate) async fn follow(
    ctx: &Ctx,
    tx: &Tx,
    table: &Table,
    (old, new): (Option<&Item>, Option<&Item>),
    fresh: Option<&Fresh>,
) -> Result<Units, Error> {
    let mut units = Units::default();
    for index in table.kept_indexes() {
        let entry = |item: Option<&Item>| item.and_then(|item| entry(ctx, table, index, item));
        let (old, new) = (entry(old), entry(new));
        let bytes = |entry: &Entry| size(&entry.content);
        match (&old, &new) {
            (None, None) => {}
            (Some(old), Some(new)) if old.key == new.key => {
                if old.content == new.content {
                    continue;
                }
                take(tx, table, &old.key).await?;
                put(ctx, tx, index, new, fresh).await?;
                units.count(index, rules::write_units(bytes(old).max(bytes(new))));
            }
            _ => {
                if let Some(old) = &old {
                    take(tx, table, &old.key).await?;
                    units.count(index, rules::write_units(bytes(old)));
                }
                if let Some(new) = &new {
                    put(ctx, tx, index, new, fresh).await?;
                    units.count(index, rules::write_units(bytes(new)));
                }
            }
        }
    }
    Ok(units)
}

fn entry(ctx: &Ctx, table: &Table, index: &Index, item: &Item) -> Option<Entry> {
    let key = entry_key(&ctx.account, table, index, item)?;
    Some(Entry { key, content: index.projection_of(&table.schema, item) })
}

/// Removes an entry. It may not be there yet, if its index is still being made.
async fn take(tx: &Tx, table: &Table, key: &Key) -> Result<(), Error> {
    // Without large items there are no blobs to let go of, so there is nothing to look up.
    if table.large
        && let Some(stored) = tx.get_record::<Stored>(key).await?
    {
        return data::replace(tx, key, Some(&stored), None).await;
    }
    tx.delete(key.clone());
    Ok(())
}

/// Writes an entry that is not there. Where it is the whole item, a large one shares its blob.
async fn put(
    ctx: &Ctx,
    tx: &Tx,
    index: &Index,
    entry: &Entry,
    fresh: Option<&Fresh>,
) -> Result<(), Error> {
    match fresh {
        Some(fresh) if index.projection == Projected::All => {
            data::replace(tx, &entry.key, None, Some(fresh)).await
        }
        _ => {
            let fresh = data::stage(ctx, &entry.content).await?;
            data::replace(tx, &entry.key, None, Some(&fresh)).await
        }
    }
}

/// Writes the entry of an item that was there before the index. One that is there already was
/// written with the item, later.
pub(crate) async fn backfill(
    ctx: &Ctx,
    tx: &Tx,
    table: &Table,
    index: &Index,
    item: &Item,
    stored: &Stored,
) -> Result<(), Error> {
    let Some(entry) = entry(ctx, table, index, item) else { return Ok(()) };
    if tx.get(&entry.key).await?.is_some() {
        return Ok(());
    }
    if index.projection == Projected::All {
        let body = stored.body.link(tx, &entry.key);
        tx.put_record(entry.key, &Stored { body })?;
        return Ok(());
    }
    put(ctx, tx, index, &entry, None).await
}
