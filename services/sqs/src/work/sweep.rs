//! Removes the messages of queues that were purged or deleted, a page at a time.

use kit::Ctx;
use store::{Dir, Key, Tx};

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
    if !remove_page(queues, tx, messages).await? {
        tx.delete(queues.keys.garbage(messages));
        // A request that was late may have asked about them again.
        queues.forget(tx, messages);
    }
    Ok(())
}

/// Removes a page of messages that their queue lets go of, or has; false if there were none.
///
/// Read outside the transaction: what others do with the same messages meanwhile fails when it
/// finds their queue changed, or leaves something to the next page.
pub(crate) async fn remove_page(queues: &Queues, tx: &Tx, messages: u64) -> Result<bool> {
    let (store, keys) = (queues.store(), &queues.keys);
    let page = |place: Key| store.scan(place.prefix(), Dir::Forward, PAGE);
    let ready = page(keys.all_ready(messages)).await?;
    let away = page(keys.all_away(messages)).await?;
    let contents = page(keys.all_messages(messages)).await?;
    // Of a FIFO queue.
    let waiting = page(keys.all_waiting(messages)).await?;
    let groups = page(keys.all_groups(messages)).await?;
    let turns = page(keys.all_turns(messages)).await?;
    let all = [&ready, &away, &contents, &waiting, &groups, &turns];
    let found = all.into_iter().any(|page| !page.is_empty());
    for (key, value) in away.into_iter().chain(waiting) {
        let state: State = store::decode(&key, &value)?;
        if let Some(ticket) = state.ticket {
            queues.line.cancel(tx, ticket);
        }
        tx.delete(key);
    }
    for (key, value) in contents {
        let message: Message = store::decode(&key, &value)?;
        message.content.unlink(tx, &key).await?;
        tx.delete(key);
    }
    for (key, _) in ready.into_iter().chain(groups).chain(turns) {
        tx.delete(key);
    }
    Ok(found)
}
