//! Removes the messages of queues that were purged or deleted, a page at a time.

use kit::Ctx;
use store::{Dir, Tx};

use crate::data::{Message, State};
use crate::error::Result;
use crate::queues::{Queues, seq_of};

/// Entries of each kind removed in one transaction. Messages may be 64 KB each.
const PAGE: usize = 100;
/// Transactions in one tick.
const PAGES_MAX: usize = 50;

pub(crate) async fn tick(ctx: &Ctx) -> Result<()> {
    let queues: &Queues = ctx.state();
    let prefix = queues.keys.all_garbage();
    for _ in 0..PAGES_MAX {
        let first = queues.store().scan(prefix.prefix(), Dir::Forward, 1).await?;
        let Some((key, _)) = first.first() else { return Ok(()) };
        let messages = seq_of(key, &prefix)?;
        queues.transact(|tx| async move { sweep(queues, &tx, messages).await }).await?;
    }
    Ok(())
}

/// Removes one page; after the last one also the record that there is something to remove.
async fn sweep(queues: &Queues, tx: &Tx, messages: u64) -> Result<()> {
    let store = queues.store();
    let mut left = false;
    // Read outside the transaction: nobody but this sweeper touches messages without a queue.
    for (key, _) in store.scan(queues.keys.all_ready(messages).prefix(), Dir::Forward, PAGE).await?
    {
        left = true;
        tx.delete(key);
    }
    for (key, value) in
        store.scan(queues.keys.all_away(messages).prefix(), Dir::Forward, PAGE).await?
    {
        left = true;
        let state: State = store::decode(&key, &value)?;
        if let Some(ticket) = state.ticket {
            queues.line.cancel(tx, ticket);
        }
        tx.delete(key);
    }
    for (key, value) in
        store.scan(queues.keys.all_messages(messages).prefix(), Dir::Forward, PAGE).await?
    {
        left = true;
        let message: Message = store::decode(&key, &value)?;
        message.content.unlink(tx, &key).await?;
        tx.delete(key);
    }
    if !left {
        tx.delete(queues.keys.garbage(messages));
    }
    Ok(())
}
