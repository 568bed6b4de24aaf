//! What happens to messages, each within the caller's transaction: they are added, taken,
//! returned, moved and removed. Every change of a message's place goes through here, and so do
//! the counters. What is different on FIFO queues is in [`crate::ordered`].

use std::sync::Arc;
use std::time::Duration;

use base::Time;
use bytes::Bytes;
use store::fifo::Claim;
use store::{Body, Staged, Tx};

use crate::data::{Content, Message, Order, Queue, Return, State, sent};
use crate::error::{Error, Result};
use crate::ordered;
use crate::queues::{Counts, Live, Queues, seq_of};
use crate::rules::digest;
use crate::rules::handle::Handle;
use crate::rules::name::QueueId;
use crate::rules::settings::Redrive;

/// A message on its way into queues; what is large of it is durable already.
pub(crate) struct Draft {
    pub(crate) id: String,
    /// Its number on a standard queue. On a FIFO queue the transaction gives it one.
    seq: u64,
    sender: String,
    md5_of_body: String,
    content: Staged,
    pub(crate) large: bool,
}

impl Draft {
    /// Prepares a message. Comes before the transaction, because it may write a blob.
    pub(crate) async fn new(queues: &Queues, sender: &str, content: Content) -> Result<Draft> {
        let md5_of_body = digest::of_text(&content.body);
        let bytes: Bytes = store::encode(&content)?;
        let large = bytes.len() > store::BODY_INLINE_BYTES_MAX;
        let content = Body::stage(queues.store(), queues.account(), bytes).await?;
        let (id, seq) = (queues.kit.uuid(), queues.kit.next_number());
        Ok(Draft { id, seq, sender: sender.to_owned(), md5_of_body, content, large })
    }

    pub(crate) fn md5_of_body(&self) -> &str {
        &self.md5_of_body
    }

    /// Writes the message itself.
    pub(crate) fn put(
        &self,
        queues: &Queues,
        tx: &Tx,
        live: &Live,
        seq: u64,
        order: Option<Order>,
    ) -> Result<()> {
        let key = queues.keys.message(live.messages, seq);
        let message = Message {
            id: self.id.clone(),
            sender: self.sender.clone(),
            md5_of_body: self.md5_of_body.clone(),
            dead_from: None,
            content: self.content.link(tx, &key),
            order,
        };
        Ok(tx.put_record(key, &message)?)
    }
}

/// Adds a message to a queue, to be received after `delay_secs`.
pub(crate) fn add(
    queues: &Queues,
    tx: &Tx,
    live: &Arc<Live>,
    draft: &Draft,
    delay_secs: u32,
) -> Result<()> {
    draft.put(queues, tx, live, draft.seq, None)?;
    let state = State { large: draft.large, ..State::default() };
    match delay_secs {
        0 => put_ready(queues, tx, live, draft.seq, state),
        _ => {
            let until = queues.kit.now() + Duration::from_secs(delay_secs.into());
            put_away(queues, tx, live, draft.seq, state, until)
        }
    }
}

/// A message that was received.
pub(crate) struct Taken {
    pub(crate) message: Message,
    pub(crate) state: State,
    pub(crate) handle: Handle,
}

impl Taken {
    /// Its content, read back.
    pub(crate) async fn content(&self, queues: &Queues) -> Result<Content> {
        let bytes = self.message.content.load(queues.store()).await?;
        let key = queues.keys.message(self.handle.messages, self.handle.seq);
        Ok(store::decode(&key, &bytes)?)
    }
}

/// Receives what was claimed. Fewer come back where a message is gone, expired, or a dead letter
/// by now.
pub(crate) async fn take(
    queues: &Queues,
    tx: &Tx,
    id: &QueueId,
    claims: &[Claim],
    visibility_secs: Option<u32>,
) -> Result<Vec<Taken>> {
    let (queue, live) = queues.find(tx, id).await?;
    let now = queues.kit.now();
    let secs = visibility_secs.unwrap_or(queue.settings.visibility_secs);
    let until = now + Duration::from_secs(secs.into());
    let dead = match &queue.settings.redrive {
        Some(redrive) => dead_letters(queues, tx, redrive, &queue).await?,
        None => None,
    };
    let prefix = queues.keys.all_ready(live.messages);
    let mut taken = Vec::with_capacity(claims.len());
    for claim in claims {
        // Claims of messages that the queue has let go of since are not below its prefix.
        let Ok(seq) = seq_of(claim.key(), &prefix) else { continue };
        // Invisible for no time it stays where it is, and the end of its claim offers it again.
        let value = match secs {
            0 => tx.get(claim.key()).await?,
            _ => claim.consume(tx).await?,
        };
        let Some(value) = value else { continue };
        let state: State = store::decode(claim.key(), &value)?;
        if is_expired(&queue, seq, now) {
            remove(queues, tx, &live, seq, &state).await?;
            continue;
        }
        if let Some((redrive, to)) = &dead
            && state.receives >= redrive.receives_max
        {
            move_dead(queues, tx, id, (&live, to), seq, &state).await?;
            continue;
        }
        let received = state.received(now, queues.kit.next_number());
        if secs == 0 {
            tx.put_record(claim.key().clone(), &received)?;
        } else {
            live.count(tx, -Counts::of(&state));
            put_away(queues, tx, &live, seq, received.clone(), until)?;
        }
        let message = read(queues, tx, &live, seq).await?;
        let handle = Handle { messages: live.messages, seq, receipt: received.receipt };
        taken.push(Taken { message, state: received, handle });
    }
    Ok(taken)
}

/// Deletes a message by the handle of its last receive; an older handle has no effect, as that
/// receiver has lost the message to another. On a FIFO queue the handle must not have expired.
pub(crate) async fn delete(
    queues: &Queues,
    tx: &Tx,
    live: &Arc<Live>,
    handle: &Handle,
) -> Result<()> {
    match find(queues, tx, live, handle).await? {
        Some(state) if state.receipt == handle.receipt => {
            let expired = state.group.is_some() && !state.is_in_flight();
            if expired {
                Err(Error::HandleExpired)
            } else {
                remove(queues, tx, live, handle.seq, &state).await
            }
        }
        Some(State { group: Some(_), .. }) => Err(Error::HandleExpired),
        _ => Ok(()),
    }
}

/// Where a message stands: away, ready, or nowhere any more.
pub(crate) async fn find(
    queues: &Queues,
    tx: &Tx,
    live: &Live,
    handle: &Handle,
) -> Result<Option<State>> {
    if handle.messages != live.messages {
        return Ok(None);
    }
    let Handle { messages, seq, .. } = *handle;
    if let Some(state) = tx.get_record(&queues.keys.away(messages, seq)).await? {
        return Ok(Some(state));
    }
    if !live.is_fifo {
        return Ok(tx.get_record(&queues.keys.ready(messages, seq)).await?);
    }
    let message: Option<Message> = tx.get_record(&queues.keys.message(messages, seq)).await?;
    let Some(Order { group, .. }) = message.and_then(|message| message.order) else {
        return Ok(None);
    };
    Ok(tx.get_record(&queues.keys.waiting(messages, &group, seq)).await?)
}

/// Removes a message that stands in the state given.
pub(crate) async fn remove(
    queues: &Queues,
    tx: &Tx,
    live: &Arc<Live>,
    seq: u64,
    state: &State,
) -> Result<()> {
    match &state.group {
        Some(group) => ordered::leave(queues, tx, live, (seq, group, state)).await?,
        None => leave(queues, tx, live, seq, state),
    }
    erase(queues, tx, live, seq, state.large).await
}

/// Removes a message that stands nowhere any more.
pub(crate) async fn erase(
    queues: &Queues,
    tx: &Tx,
    live: &Live,
    seq: u64,
    large: bool,
) -> Result<()> {
    let key = queues.keys.message(live.messages, seq);
    if large {
        read(queues, tx, live, seq).await?.content.unlink(tx, &key).await?;
    }
    tx.delete(key);
    Ok(())
}

/// Ends the absence of a message: it can be received again.
pub(crate) async fn put_back(
    queues: &Queues,
    tx: &Tx,
    live: &Arc<Live>,
    seq: u64,
    state: &State,
) -> Result<()> {
    if let Some(group) = &state.group {
        return ordered::put_back(queues, tx, live, (seq, group, state), state.clone()).await;
    }
    leave(queues, tx, live, seq, state);
    put_ready(queues, tx, live, seq, state.clone())
}

/// Undoes the receive that a handle is of: the message waits as before it. Nothing happens if it
/// is not in flight by that receive any more.
pub(crate) async fn release(
    queues: &Queues,
    tx: &Tx,
    live: &Arc<Live>,
    handle: &Handle,
) -> Result<()> {
    let found = find(queues, tx, live, handle).await?;
    let is_ours = |state: &State| state.receipt == handle.receipt && state.is_in_flight();
    let Some(state) = found.filter(is_ours) else { return Ok(()) };
    let receives = state.receives.saturating_sub(1);
    let first_received = state.first_received.filter(|_| receives > 0);
    // What the receipt was before is not known, and no handle is good for none.
    let before = State { receives, first_received, receipt: 0, ..state.clone() };
    if let Some(group) = &state.group {
        return ordered::put_back(queues, tx, live, (handle.seq, group, &state), before).await;
    }
    leave(queues, tx, live, handle.seq, &state);
    put_ready(queues, tx, live, handle.seq, before)
}

/// Gives the absence of a message in flight another end.
pub(crate) fn keep_away(
    queues: &Queues,
    tx: &Tx,
    live: &Arc<Live>,
    seq: u64,
    state: &State,
    until: Time,
) -> Result<()> {
    live.count(tx, -Counts::of(state));
    if let Some(ticket) = state.ticket {
        queues.line.cancel(tx, ticket);
    }
    put_away(queues, tx, live, seq, state.clone(), until)
}

/// Whether a message has outlived the retention of its queue.
pub(crate) fn is_expired(queue: &Queue, seq: u64, now: Time) -> bool {
    now.since(sent(seq)) >= Duration::from_secs(queue.settings.retention_secs.into())
}

fn put_ready(queues: &Queues, tx: &Tx, live: &Arc<Live>, seq: u64, state: State) -> Result<()> {
    let state = State { ticket: None, ..state };
    live.count(tx, Counts::of(&state));
    Ok(tx.put_record(queues.keys.ready(live.messages, seq), &state)?)
}

/// Lets a message be away until the time given.
pub(crate) fn put_away(
    queues: &Queues,
    tx: &Tx,
    live: &Arc<Live>,
    seq: u64,
    state: State,
    until: Time,
) -> Result<()> {
    let work = Return { messages: live.messages, seq, group: state.group.clone() };
    let ticket = queues.line.schedule(tx, until, &work)?;
    let state = State { ticket: Some(ticket), ..state };
    live.count(tx, Counts::of(&state));
    Ok(tx.put_record(queues.keys.away(live.messages, seq), &state)?)
}

/// Takes a message out of READY or AWAY.
fn leave(queues: &Queues, tx: &Tx, live: &Arc<Live>, seq: u64, state: &State) {
    live.count(tx, -Counts::of(state));
    match state.ticket {
        Some(ticket) => {
            queues.line.cancel(tx, ticket);
            tx.delete(queues.keys.away(live.messages, seq));
        }
        None => tx.delete(queues.keys.ready(live.messages, seq)),
    }
}

/// A message never changes while it stands somewhere, and its place has been read: no claim.
pub(crate) async fn read(queues: &Queues, tx: &Tx, live: &Live, seq: u64) -> Result<Message> {
    let key = queues.keys.message(live.messages, seq);
    let bytes = tx.get_unchecked(&key).await?;
    let bytes = bytes.ok_or_else(|| store::Error::corrupt(key.to_string(), "message is missing"));
    Ok(store::decode(&key, &bytes?)?)
}

/// Where dead letters go. A queue that is gone takes none: its messages stay receivable.
pub(crate) async fn dead_letters<'a>(
    queues: &Queues,
    tx: &Tx,
    redrive: &'a Redrive,
    queue: &Queue,
) -> Result<Option<(&'a Redrive, Arc<Live>)>> {
    let Some(id) = QueueId::from_arn(queues.account(), &redrive.to) else { return Ok(None) };
    match queues.find(tx, &id).await {
        Ok((dead, live)) if dead.messages != queue.messages => Ok(Some((redrive, live))),
        Ok(_) | Err(Error::QueueDoesNotExist) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Moves a message, which keeps its id and the time it was sent, and begins to be counted anew.
async fn move_dead(
    queues: &Queues,
    tx: &Tx,
    id: &QueueId,
    (from, to): (&Arc<Live>, &Arc<Live>),
    seq: u64,
    state: &State,
) -> Result<()> {
    let message = read(queues, tx, from, seq).await?;
    let (old, new) =
        (queues.keys.message(from.messages, seq), queues.keys.message(to.messages, seq));
    let content = message.content.link(tx, &new);
    message.content.unlink(tx, &old).await?;
    let dead_from = Some(id.arn(queues.account()));
    tx.put_record(new, &Message { dead_from, content, ..message })?;
    tx.delete(old);
    leave(queues, tx, from, seq, state);
    to.lower_oldest(tx, seq);
    put_ready(queues, tx, to, seq, State { large: state.large, ..State::default() })
}
