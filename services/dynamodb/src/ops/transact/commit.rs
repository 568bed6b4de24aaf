//! The transaction behind TransactWriteItems and ExecuteTransaction: all writes or none.

use std::sync::Arc;

use kit::Ctx;
use store::Tx;

use crate::data::{self, Fresh, Stored, Table};
use crate::error::Error;
use crate::ops::transact::token::Token;
use crate::ops::transact::{UNITS_FACTOR, all_or_canceled, check_bytes};
use crate::ops::write::{Change, Outcome, Write, current, perform_in};
use crate::ops::{Units, Usage, check_capacity, needs_capacity, take_capacity};
use crate::rules;
use crate::value::size;

/// What a transaction has done.
pub(crate) enum Done {
    /// What each write has done.
    Now(Vec<Outcome>),
    /// Nothing: it was done before, under the same token. How large its items are now.
    Before(Vec<usize>),
}

/// Does all writes, which are of different items, in one transaction. `looks` says whether what
/// was there must be known even where no write depends on it.
pub(crate) async fn commit(
    ctx: &Ctx,
    writes: &[Write<'_>],
    token: Option<&Token>,
    looks: bool,
) -> Result<Done, Error> {
    // Staged before the transaction, which may run several times.
    let mut staged = Vec::new();
    for write in writes {
        staged.push(write.stage(ctx).await?);
    }
    let staged = &staged;
    let looks = looks || writes.iter().any(|write| needs_capacity(ctx, None, write.table));
    let done = ctx
        .store()
        .transact(&ctx.account, |tx| async move {
            if let Some(token) = token {
                if token.is_known(ctx, &tx).await? {
                    return Ok(Done::Before(sizes(ctx, &tx, writes).await?));
                }
                token.remember(ctx, &tx).await?;
            }
            Ok::<_, Error>(Done::Now(attempt(ctx, &tx, writes, staged, looks).await?))
        })
        .await?;
    for (at, write) in writes.iter().enumerate() {
        let (usage, units) = done.used(at);
        take_capacity(ctx, write.table, usage, &units.times(UNITS_FACTOR));
    }
    Ok(done)
}

impl Done {
    /// What one of the writes has used: of writing, or where all was done before, of looking at it
    /// again.
    pub(crate) fn used(&self, at: usize) -> (Usage, Units) {
        match self {
            Done::Now(outcomes) => (Usage::Write, outcomes[at].units()),
            Done::Before(sizes) => (Usage::Read, Units::from(rules::read_units(sizes[at], true))),
        }
    }
}

/// Tries all writes, so that each can say why it fails.
async fn attempt(
    ctx: &Ctx,
    tx: &Tx,
    writes: &[Write<'_>],
    staged: &[Option<Fresh>],
    looks: bool,
) -> Result<Vec<Outcome>, Error> {
    let mut tables: Vec<Arc<Table>> = Vec::new();
    for write in writes {
        if tables.iter().all(|known| known.number != write.table.number) {
            tables.push(current(ctx, tx, write.table).await?);
        }
    }
    let mut outcomes = Vec::new();
    let mut bytes = 0;
    for (write, staged) in writes.iter().zip(staged) {
        let known = tables.iter().find(|known| known.number == write.table.number);
        let table = known.map_or(write.table, |known| &**known);
        let outcome = perform_in(ctx, tx, table, write, staged.as_ref(), looks).await;
        let outcome = outcome.and_then(|outcome| {
            check_capacity(ctx, table, Usage::Write, &outcome.units())?;
            Ok(outcome)
        });
        if let Ok(outcome) = &outcome {
            bytes += touched_bytes(write, outcome);
            check_bytes(bytes)?;
        }
        outcomes.push(outcome);
    }
    all_or_canceled(outcomes)
}

/// What an item counts in the size of its transaction.
fn touched_bytes(write: &Write<'_>, outcome: &Outcome) -> usize {
    match &write.change {
        // The outcome of a blind put has no items.
        Change::Put(item) => size(item),
        _ => outcome.new.as_ref().or(outcome.old.as_ref()).map_or(0, size),
    }
}

/// How large the items are that the writes are about.
async fn sizes(ctx: &Ctx, tx: &Tx, writes: &[Write<'_>]) -> Result<Vec<usize>, Error> {
    let mut sizes = Vec::new();
    for write in writes {
        let key = data::item_key(&ctx.account, write.table.number, &write.key);
        sizes.push(match tx.get_record::<Stored>(&key).await? {
            Some(stored) => size(&data::load(ctx.store(), &stored).await?),
            None => 0,
        });
    }
    Ok(sizes)
}
