//! Removes messages that have outlived the retention of their queue. They are not received any
//! more in any case; this frees their room.

use std::sync::Arc;
use std::time::Duration;

use base::{Region, Sequence};
use kit::Ctx;
use store::{Dir, KeyRange};

use crate::data::Queue;
use crate::error::Result;
use crate::messages::{self, is_expired};
use crate::queues::{Live, Queues, seq_of};
use crate::rules::handle::Handle;
use crate::rules::name::QueueId;

/// Queues looked at in one page.
const QUEUES_PAGE: usize = 1000;
/// Messages of one queue removed in one transaction, from each of the places they stand in.
const EXPIRED_MAX: usize = 500;
/// The same of a FIFO queue, whose messages are read for it: they may be 64 KB each.
const EXPIRED_FIFO_MAX: usize = 100;
/// Transactions of one queue in one tick. What is left after them is the next tick's, so that no
/// queue waits for ever for another.
const PAGES_MAX: usize = 200;

pub(crate) async fn tick(ctx: &Ctx) -> Result<()> {
    let queues: &Queues = ctx.state();
    let prefix = queues.keys.queues();
    let mut range = prefix.prefix();
    loop {
        let page = queues.store().scan(range.clone(), Dir::Forward, QUEUES_PAGE).await?;
        for (key, value) in &page {
            let mut elements = key.after(&prefix)?;
            let region: Region = elements.str()?.parse().map_err(kit::Error::internal)?;
            let id = QueueId { region, name: elements.str()? };
            let queue: Queue = store::decode(key, value)?;
            for _ in 0..PAGES_MAX {
                if !expire(queues, &id, &queue).await? {
                    break;
                }
            }
        }
        match page.last() {
            Some((last, _)) if page.len() == QUEUES_PAGE => range = range.after(last),
            _ => return Ok(()),
        }
    }
}

/// Removes one page of a queue's expired messages; whether there may be more.
async fn expire(queues: &Queues, id: &QueueId, queue: &Queue) -> Result<bool> {
    let live = queues.live_of(queue).await?;
    let now = queues.kit.now();
    let retention = Duration::from_secs(queue.settings.retention_secs.into());
    let (from, to) =
        (live.oldest(), Sequence::first_at(now - retention + Duration::from_millis(1)));
    let (mut expired, mut done, mut more) = (Vec::new(), to, false);
    let keys = &queues.keys;
    // In the groups of a FIFO queue messages do not stand by time.
    let (places, max) = match live.is_fifo {
        true => (vec![keys.all_messages(live.messages)], EXPIRED_FIFO_MAX),
        false => (vec![keys.all_ready(live.messages), keys.all_away(live.messages)], EXPIRED_MAX),
    };
    for place in places {
        let range = KeyRange::new(place.clone().u64(from), place.clone().u64(to));
        if range.is_empty() {
            return Ok(false);
        }
        let page = queues.store().scan(range, Dir::Forward, max).await?;
        for (key, _) in &page {
            expired.push(seq_of(key, &place)?);
        }
        if page.len() == max {
            more = true;
            done = done.min(expired.last().map_or(from, |seq| *seq));
        }
    }
    if !expired.is_empty() && !remove_all(queues, id, &live, &expired).await? {
        return Ok(false);
    }
    live.raise_oldest(from, done);
    Ok(more)
}

/// Removes messages; false if they are not the queue's any more, or not expired.
async fn remove_all(
    queues: &Queues,
    id: &QueueId,
    live: &Arc<Live>,
    expired: &[u64],
) -> Result<bool> {
    queues
        .transact(|tx| async move {
            let (queue, live_now) = queues.find(&tx, id).await?;
            if !Arc::ptr_eq(live, &live_now) {
                return Ok(false);
            }
            // The retention may have been made longer meanwhile.
            let now = queues.kit.now();
            if !expired.iter().all(|seq| is_expired(&queue, *seq, now)) {
                return Ok(false);
            }
            for seq in expired {
                let handle = Handle { messages: live.messages, seq: *seq, receipt: 0 };
                let state = messages::find(queues, &tx, live, &handle).await?;
                if let Some(state) = state {
                    messages::remove(queues, &tx, live, *seq, &state).await?;
                }
            }
            Ok(true)
        })
        .await
}
