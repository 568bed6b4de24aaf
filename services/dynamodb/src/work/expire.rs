//! Removes items that have expired, and keeps the indexes by which they are found.

use kit::Ctx;
use store::{Dir, Key, Tx};

use crate::data::expiry::{Filled, Index, all_indexes_key, entries_key, entry, index_key, moved};
use crate::data::{self, Stored, Table};
use crate::error::Error;
use crate::ops::write::{Change, Guard, Returns, Write, perform_as};
use crate::rules;
use crate::rules::expiry::{due, is_expired};

/// How many items one transaction is about, and how many transactions one tick runs for a table.
const ITEMS_MAX: usize = 50;
const ROUNDS_MAX: usize = 200;
/// How many tables with time to live are read at once.
const INDEXES_MAX: usize = 1_000;

/// One step for each index.
pub(crate) async fn tick(ctx: &Ctx) -> Result<(), Error> {
    let all = all_indexes_key(&ctx.account);
    let mut range = all.prefix();
    loop {
        let page = ctx.store().scan(range.clone(), Dir::Forward, INDEXES_MAX).await?;
        for (key, record) in &page {
            let number = key.after(&all)?.u64()?;
            let index: Index = store::decode(key, record)?;
            let mut ctx = ctx.clone();
            ctx.region = index.region.clone();
            work_off(&ctx, number, index).await?;
        }
        match page.last() {
            Some((last, _)) if page.len() == INDEXES_MAX => range = range.after(last),
            _ => return Ok(()),
        }
    }
}

/// Brings one index forward as far as one tick may.
async fn work_off(ctx: &Ctx, number: u64, mut index: Index) -> Result<(), Error> {
    for _ in 0..ROUNDS_MAX {
        if index.filled != Filled::Everything {
            match fill(ctx, number).await? {
                Some(now) => index = now,
                None => return drop_entries(ctx, number).await,
            }
        } else if !expire(ctx, number, &index).await? {
            return match owner(ctx, None, number, &index).await? {
                Some(_) => Ok(()),
                None => drop_entries(ctx, number).await,
            };
        }
    }
    Ok(())
}

/// The table that uses an index, if one still does.
async fn owner(
    ctx: &Ctx,
    tx: Option<&Tx>,
    number: u64,
    index: &Index,
) -> Result<Option<Table>, Error> {
    let key = data::table_key(&ctx.account, &ctx.region, &index.table);
    let table: Option<Table> = match tx {
        Some(tx) => tx.get_record(&key).await?,
        None => ctx.store().get_record(&key).await?,
    };
    let uses = |table: &Table| table.expiry.as_ref().is_some_and(|e| e.index == number);
    Ok(table.filter(|table| table.number == index.number && uses(table)))
}

/// Enters some of the items that were there before the index. Writes since then have entered
/// theirs. `None` if no table uses the index any more.
async fn fill(ctx: &Ctx, number: u64) -> Result<Option<Index>, Error> {
    let key = &index_key(&ctx.account, number);
    ctx.store()
        .transact(&ctx.account, |tx| async move {
            let Some(mut index) = tx.get_record::<Index>(key).await? else { return Ok(None) };
            let Some(table) = owner(ctx, Some(&tx), number, &index).await? else {
                return Ok(None);
            };
            let mut items = data::items_key(&ctx.account, index.number).prefix();
            if let Filled::Through(last) = &index.filled {
                items = items.after(&Key::from_bytes(last.clone()));
            }
            let found = tx.scan(items, Dir::Forward, ITEMS_MAX).await?;
            for (key, stored) in &found {
                let stored: Stored = store::decode(key, stored)?;
                let item = data::load(ctx.store(), &stored).await?;
                moved(&tx, &table, key, None, Some(&item));
            }
            index.filled = match found.last() {
                Some((last, _)) if found.len() == ITEMS_MAX => {
                    Filled::Through(last.as_bytes().clone())
                }
                _ => Filled::Everything,
            };
            tx.put_record(key.clone(), &index)?;
            Ok(Some(index))
        })
        .await
}

/// Removes some items that have expired; whether there may be more.
async fn expire(ctx: &Ctx, number: u64, index: &Index) -> Result<bool, Error> {
    let entries = entries_key(&ctx.account, number);
    let until = entries.clone().u64(ctx.now().as_secs().saturating_add(1));
    let claims = ctx.store().fifo(entries).claim(ITEMS_MAX, Some(&until)).await?;
    if claims.is_empty() {
        return Ok(false);
    }
    let claims = &claims;
    ctx.store()
        .transact(&ctx.account, |tx| async move {
            let Some(table) = owner(ctx, Some(&tx), number, index).await? else {
                return Ok(false);
            };
            for claim in claims {
                if claim.consume(&tx).await?.is_some() {
                    let (_, key) = entry(&ctx.account, number, index.number, claim.key())?;
                    remove(ctx, &tx, &table, &key).await?;
                }
            }
            Ok::<_, Error>(true)
        })
        .await
}

/// Removes an item, if it has still expired. One that was written again has another entry.
async fn remove(ctx: &Ctx, tx: &Tx, table: &Table, key: &Key) -> Result<(), Error> {
    let Some(stored) = tx.get_record::<Stored>(key).await? else { return Ok(()) };
    let item = data::load(ctx.store(), &stored).await?;
    let due = table.expiry.as_ref().and_then(|expiry| due(&item, &expiry.attribute));
    if !due.is_some_and(|second| is_expired(second, ctx.now())) {
        return Ok(());
    }
    let write = Write {
        table,
        key: rules::key_of_item(&table.schema, &item)?,
        change: Change::Delete(rules::key_attributes(&table.schema, &item)),
        guard: Guard { condition: None, tells_item: false },
        returns: Returns::AllOld,
    };
    perform_as(ctx, tx, table, &write, None, true, true).await?;
    Ok(())
}

/// Removes an index that no table uses any more, a part at a time.
async fn drop_entries(ctx: &Ctx, number: u64) -> Result<(), Error> {
    let range = &entries_key(&ctx.account, number).prefix();
    for _ in 0..ROUNDS_MAX {
        let is_empty = ctx
            .store()
            .transact(&ctx.account, |tx| async move {
                let found = tx.scan(range.clone(), Dir::Forward, ITEMS_MAX).await?;
                let is_empty = found.is_empty();
                for (key, _) in found {
                    tx.delete(key);
                }
                if is_empty {
                    tx.delete(index_key(&ctx.account, number));
                }
                Ok::<_, Error>(is_empty)
            })
            .await?;
        if is_empty {
            return Ok(());
        }
    }
    Ok(())
}
