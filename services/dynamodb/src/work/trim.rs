//! Removes changes that are older than a day, and streams that have none any more.

use kit::Ctx;
use store::{Dir, Key, Tx};

use crate::data::stream::{Change, Stream, horizon, shard_key, streams_key};
use crate::error::Error;

/// How many streams one tick takes up at a time, and how many changes one transaction removes.
const STREAMS_MAX: usize = 100;
const CHANGES_MAX: usize = 500;
/// How many transactions one tick runs for a stream.
const ROUNDS_MAX: usize = 20;

/// One step for each stream.
pub(crate) async fn tick(ctx: &Ctx) -> Result<(), Error> {
    let mut range = streams_key(&ctx.account, &ctx.region).prefix();
    loop {
        let found = ctx.store().scan(range.clone(), Dir::Forward, STREAMS_MAX).await?;
        for (key, record) in &found {
            let stream: Stream = store::decode(key, record)?;
            for _ in 0..ROUNDS_MAX {
                if trim(ctx, key, &stream).await? {
                    break;
                }
            }
        }
        match found.last() {
            Some((last, _)) if found.len() == STREAMS_MAX => range = range.after(last),
            _ => return Ok(()),
        }
    }
}

/// Removes some changes, and the stream if it is over; whether there is no more to do.
async fn trim(ctx: &Ctx, key: &Key, stream: &Stream) -> Result<bool, Error> {
    let horizon = horizon(ctx.now());
    // Looked for outside of a transaction: mostly there is nothing.
    let mut old = Vec::new();
    for shard in 0..stream.shards {
        let shard = shard_key(&ctx.account, stream.number, shard);
        let range = shard.prefix().before(shard.u64(horizon));
        let left = CHANGES_MAX - old.len();
        old.extend(ctx.store().scan(range, Dir::Forward, left).await?);
    }
    let is_over = old.len() < CHANGES_MAX && stream.end.is_some_and(|end| end < horizon);
    if old.is_empty() && !is_over {
        return Ok(true);
    }
    let old = &old;
    ctx.store()
        .transact(&ctx.account, |tx| async move {
            remove(&tx, old.iter().map(|(key, _)| key)).await?;
            if is_over {
                tx.delete(key.clone());
            }
            Ok::<_, Error>(())
        })
        .await?;
    Ok(old.len() < CHANGES_MAX)
}

async fn remove(tx: &Tx, keys: impl Iterator<Item = &Key>) -> Result<(), Error> {
    for key in keys {
        if let Some(change) = tx.get_record::<Change>(key).await? {
            change.body.unlink(tx, key).await?;
            tx.delete(key.clone());
        }
    }
    Ok(())
}
