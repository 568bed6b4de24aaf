//! Makes copies of tables: backups, and tables that are restored.

use std::sync::Arc;

use base::AccountId;
use kit::Ctx;
use store::{Dir, Key, Tx};

use crate::data::copy::{
    Backup, Copy, Made, Progress, Source, all_copies_key, backup_key, copy_key,
};
use crate::data::history::{Past, item_of, since};
use crate::data::index::{Work, work_key};
use crate::data::{self, Stored, Table, Tables};
use crate::error::Error;

/// How many items one transaction is about, how many transactions one tick runs for a copy, and
/// how many copies it is about.
const ITEMS_MAX: usize = 50;
const ROUNDS_MAX: usize = 200;
const COPIES_MAX: usize = 100;

/// One step for each copy.
pub(crate) async fn tick(ctx: &Ctx) -> Result<(), Error> {
    let all = all_copies_key(&ctx.account);
    for (key, record) in ctx.store().scan(all.prefix(), Dir::Forward, COPIES_MAX).await? {
        let number = key.after(&all)?.u64()?;
        let Copy { region, made, .. } = store::decode(&key, &record)?;
        let mut ctx = ctx.clone();
        ctx.region = region;
        for _ in 0..ROUNDS_MAX {
            if step(&ctx, number).await? {
                tracing::debug!(copy = ?made, "copy is complete");
                break;
            }
        }
    }
    Ok(())
}

/// Copies some items, or takes back some writes; whether the copy is complete.
async fn step(ctx: &Ctx, number: u64) -> Result<bool, Error> {
    let key = &copy_key(&ctx.account, number);
    ctx.store()
        .transact(&ctx.account, |tx| async move {
            let Some(mut copy) = tx.get_record::<Copy>(key).await? else { return Ok(true) };
            let next = match copy.progress.clone() {
                Progress::Items(last) => {
                    let last = last.map(Key::from_bytes);
                    match (items(&tx, &mut copy, last).await?, copy.until) {
                        (Some(last), _) => Some(Progress::Items(Some(last))),
                        (None, Some(_)) => Some(Progress::History(None)),
                        (None, None) => None,
                    }
                }
                Progress::History(last) => {
                    let last = last.map(Key::from_bytes);
                    let last = history(&tx, &mut copy, last).await?;
                    last.map(|last| Progress::History(Some(last)))
                }
            };
            let Some(next) = next else {
                finish(ctx, &tx, number, &copy).await?;
                tx.delete(key.clone());
                return Ok(true);
            };
            copy.progress = next;
            tx.put_record(key.clone(), &copy)?;
            Ok::<_, Error>(false)
        })
        .await
}

/// Copies some items as they are now; the last of them, if there are more.
async fn items(tx: &Tx, copy: &mut Copy, last: Option<Key>) -> Result<Option<bytes::Bytes>, Error> {
    let all = data::items_key(tx.account(), copy.from);
    let mut range = all.prefix();
    if let Some(last) = last {
        range = range.after(&last);
    }
    let found = tx.scan(range, Dir::Forward, ITEMS_MAX).await?;
    for (key, stored) in &found {
        let stored: Stored = store::decode(key, stored)?;
        let to = moved(tx.account(), key, &all, copy.to);
        put(tx, copy, &to, None, Some(&stored)).await?;
    }
    let more = found.last().filter(|_| found.len() == ITEMS_MAX);
    Ok(more.map(|(last, _)| last.as_bytes().clone()))
}

/// Takes back some writes, the newest first; the last of them, if there are more.
async fn history(
    tx: &Tx,
    copy: &mut Copy,
    last: Option<Key>,
) -> Result<Option<bytes::Bytes>, Error> {
    let mut range = since(tx.account(), copy.from, copy.until.unwrap_or(u64::MAX));
    if let Some(last) = last {
        range = range.before(last);
    }
    let found = tx.scan(range, Dir::Backward, ITEMS_MAX).await?;
    for (key, past) in &found {
        let past: Past = store::decode(key, past)?;
        let to = item_of(tx.account(), copy.from, key, copy.to)?;
        let there = tx.get_record::<Stored>(&to).await?;
        put(tx, copy, &to, there.as_ref(), past.old.as_ref()).await?;
    }
    let more = found.last().filter(|_| found.len() == ITEMS_MAX);
    Ok(more.map(|(last, _)| last.as_bytes().clone()))
}

/// Puts a copy of an item in the place of what is there.
async fn put(
    tx: &Tx,
    copy: &mut Copy,
    to: &Key,
    there: Option<&Stored>,
    item: Option<&Stored>,
) -> Result<(), Error> {
    if let Some(there) = there {
        copy.contents.items -= 1;
        copy.contents.bytes -= there.body.len();
        there.body.unlink(tx, to).await?;
    }
    match item {
        Some(item) => {
            copy.contents.items += 1;
            copy.contents.bytes += item.body.len();
            copy.contents.large |= matches!(item.body, store::Body::Blob { .. });
            Ok(tx.put_record(to.clone(), &item.copied(tx, to))?)
        }
        None => {
            tx.delete(to.clone());
            Ok(())
        }
    }
}

/// The key of an item in another table.
fn moved(account: &AccountId, key: &Key, all: &Key, to: u64) -> Key {
    let local = &key.as_bytes()[all.len()..];
    Key::from_bytes([&data::items_key(account, to).as_bytes()[..], local].concat())
}

/// Lets go of what was copied, and gives what was made to its users.
async fn finish(ctx: &Ctx, tx: &Tx, number: u64, copy: &Copy) -> Result<(), Error> {
    match &copy.source {
        Source::Table(name) => {
            change(ctx, tx, name, copy.from, |table| {
                table.copies.remove(&number);
            })
            .await?;
        }
        Source::Backup(id) => {
            let key = backup_key(&ctx.account, &ctx.region, id);
            if let Some(mut backup) = tx.get_record::<Backup>(&key).await? {
                backup.readers.retain(|reader| *reader != number);
                tx.put_record(key, &backup)?;
            }
        }
    }
    match &copy.made {
        Made::Table(name) => {
            let mut indexes = Vec::new();
            change(ctx, tx, name, copy.to, |table| {
                table.large = copy.contents.large;
                indexes = table.indexes.iter().map(|index| index.number).collect();
                if indexes.is_empty() {
                    table.restored = None;
                }
            })
            .await?;
            // The last index that is filled makes the table one that is there.
            for index in indexes {
                let work = Work { region: ctx.region.to_string(), table: name.clone(), done: None };
                tx.put_record(work_key(&ctx.account, copy.to, index), &work)?;
            }
            Ok(())
        }
        Made::Backup(id) => {
            let key = backup_key(&ctx.account, &ctx.region, id);
            if let Some(mut backup) = tx.get_record::<Backup>(&key).await? {
                backup.contents = Some(copy.contents);
                tx.put_record(key, &backup)?;
            }
            Ok(())
        }
    }
}

async fn change(
    ctx: &Ctx,
    tx: &Tx,
    name: &str,
    number: u64,
    change: impl FnOnce(&mut Table),
) -> Result<(), Error> {
    let key = data::table_key(&ctx.account, &ctx.region, name);
    let table: Option<Table> = tx.get_record(&key).await?;
    if let Some(mut table) = table.filter(|table| table.number == number) {
        change(&mut table);
        ctx.state::<Arc<Tables>>().changed(tx, &key);
        tx.put_record(key, &table)?;
    }
    Ok(())
}
