//! Removes history that nobody can ask for any more.

use base::Sequence;
use kit::Ctx;
use store::{Dir, Tx};

use crate::data::history::{Past, Recorded, all_recorded_key, before, recorded_key};
use crate::data::{self, Table};
use crate::error::Error;
use crate::ops::recovery::bounds;

/// How many entries one transaction removes, how many transactions one tick runs for a table, and
/// how many tables are read at once.
const ENTRIES_MAX: usize = 100;
const ROUNDS_MAX: usize = 100;
const TABLES_MAX: usize = 1_000;

/// One step for each table that has a history.
pub(crate) async fn tick(ctx: &Ctx) -> Result<(), Error> {
    let all = all_recorded_key(&ctx.account);
    let mut range = all.prefix();
    loop {
        let page = ctx.store().scan(range.clone(), Dir::Forward, TABLES_MAX).await?;
        for (key, record) in &page {
            let number = key.after(&all)?.u64()?;
            let recorded: Recorded = store::decode(key, record)?;
            let mut ctx = ctx.clone();
            ctx.region = recorded.region.clone();
            let mut rounds = 0;
            while rounds < ROUNDS_MAX && trim(&ctx, number, &recorded.table).await? {
                rounds += 1;
            }
        }
        match page.last() {
            Some((last, _)) if page.len() == TABLES_MAX => range = range.after(last),
            _ => return Ok(()),
        }
    }
}

/// Removes some entries; whether there may be more.
async fn trim(ctx: &Ctx, number: u64, name: &str) -> Result<bool, Error> {
    ctx.store()
        .transact(&ctx.account, |tx| async move {
            let needed = needed(ctx, &tx, number, name).await?;
            let range = before(&ctx.account, number, needed.unwrap_or(u64::MAX));
            let found = tx.scan(range, Dir::Forward, ENTRIES_MAX).await?;
            for (key, past) in &found {
                let past: Past = store::decode(key, past)?;
                if let Some(old) = &past.old {
                    old.body.unlink(&tx, key).await?;
                }
                tx.delete(key.clone());
            }
            let more = found.len() == ENTRIES_MAX;
            if !more && needed.is_none() {
                tx.delete(recorded_key(&ctx.account, number));
            }
            Ok::<_, Error>(more)
        })
        .await
}

/// The sequence number from which on the history of a table is needed; none if all of it is not.
async fn needed(ctx: &Ctx, tx: &Tx, number: u64, name: &str) -> Result<Option<u64>, Error> {
    let key = data::table_key(&ctx.account, &ctx.region, name);
    let table: Option<Table> = tx.get_record(&key).await?;
    let Some(table) = table.filter(|table| table.number == number) else { return Ok(None) };
    let earliest = table.recovery.map(|recovery| bounds(recovery, ctx.now()).0);
    let needed = earliest.map(Sequence::first_at).into_iter().chain(table.copies.into_values());
    Ok(needed.min())
}
