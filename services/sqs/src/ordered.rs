//! Messages of FIFO queues. Each stands in its message group, in the order of the transactions
//! that sent them, and the group stands in line for receivers: so a receive looks at groups that
//! can be received from and at nothing else, however much waits behind what is in flight.
//!
//! All that changes a group reads and writes its record, so two changes of one group never both
//! commit unseen by each other. That also makes the numbers of its messages grow with the order.

use std::sync::Arc;
use std::time::Duration;

use store::fifo::Claim;
use store::{Dir, KeyRange, Tx};

use crate::data::{Attempt, Forget, Group, Message, Order, Queue, Return, Sent, State, Turn};
use crate::error::{Error, Result};
use crate::messages::{self, Draft, Taken, dead_letters, is_expired};
use crate::ops::receive::Ask;
use crate::queues::{Counts, Live, Queues, seq_of};
use crate::rules::handle::Handle;
use crate::rules::name::QueueId;
use crate::rules::settings::Redrive;

/// How long a message is not sent twice, and a receive can be tried again.
const REMEMBERED: Duration = Duration::from_secs(5 * 60);
/// Messages of one group that a receive passes over, because they are expired or dead letters.
const PASSED_MAX: usize = 100;

/// Adds a message behind those of its group; its id and number. One that was sent in the last five
/// minutes is not added again, and these are those of then.
pub(crate) async fn send(
    queues: &Queues,
    tx: &Tx,
    (queue, live): (&Queue, &Arc<Live>),
    draft: &Draft,
    order: &Order,
) -> Result<(String, u64)> {
    let by_group = queue.settings.fifo.as_ref().is_some_and(|fifo| fifo.scope_is_group);
    let scope = by_group.then_some(order.group.as_str());
    let key = queues.keys.sent(queue.sent.unwrap_or_default(), scope, &order.deduplication_id);
    let now = queues.kit.now();
    if let Some(sent) = tx.get_record::<Sent>(&key).await? {
        if now < sent.ticket.due {
            return Ok((sent.id, sent.seq));
        }
        queues.forgetting.cancel(tx, sent.ticket);
    }
    let mut lane = Lane::load(queues, tx, live, &order.group).await?;
    let seq = lane.next_seq().await?;
    let work = Forget { key: key.as_bytes().clone() };
    let ticket = queues.forgetting.schedule(tx, now + REMEMBERED, &work)?;
    tx.put_record(key, &Sent { id: draft.id.clone(), seq, ticket })?;
    draft.put(queues, tx, live, seq, Some(order.clone()))?;
    lane.join(seq, draft.large, queue.settings.delay_secs)?;
    lane.settle().await?;
    Ok((draft.id.clone(), seq))
}

/// Receives from the groups that were claimed, as many messages of each as there is room for.
pub(crate) async fn take(
    queues: &Queues,
    tx: &Tx,
    id: &QueueId,
    claims: &[Claim],
    ask: &Ask,
) -> Result<Vec<Taken>> {
    let (queue, live) = &queues.find(tx, id).await?;
    let secs = ask.visibility_secs.unwrap_or(queue.settings.visibility_secs);
    if let Some(attempt) = &ask.attempt {
        let again = again(queues, tx, live, attempt, secs).await?;
        if !again.is_empty() {
            return Ok(again);
        }
    }
    let dead = match &queue.settings.redrive {
        Some(redrive) => dead_letters(queues, tx, redrive, queue).await?,
        None => None,
    };
    let receive = Receive { id, queue, dead, secs, max: ask.max };
    let prefix = queues.keys.all_turns(live.messages);
    let mut taken = Vec::new();
    for claim in claims {
        // Claims of groups that the queue has let go of since are not below its prefix.
        if taken.len() == ask.max || seq_of(claim.key(), &prefix).is_err() {
            continue;
        }
        let Some(value) = claim.consume(tx).await? else { continue };
        let Turn { group } = store::decode(claim.key(), &value)?;
        let mut lane = Lane::load(queues, tx, live, &group).await?;
        lane.group.turn = None;
        lane.take(&receive, &mut taken).await?;
        lane.settle().await?;
    }
    if let Some(attempt) = &ask.attempt
        && secs > 0
        && !taken.is_empty()
    {
        remember(queues, tx, live, attempt, &taken).await?;
    }
    Ok(taken)
}

/// What the same attempt to receive was given before, invisible for longer. Nothing if there was
/// none, or if not all of it is in flight still.
pub(crate) async fn again(
    queues: &Queues,
    tx: &Tx,
    live: &Arc<Live>,
    attempt: &str,
    secs: u32,
) -> Result<Vec<Taken>> {
    let known: Option<Attempt> =
        tx.get_record(&queues.keys.attempt(live.messages, attempt)).await?;
    let now = queues.kit.now();
    let Some(known) = known.filter(|known| now < known.ticket.due) else { return Ok(Vec::new()) };
    let mut found = Vec::with_capacity(known.taken.len());
    for (seq, receipt) in known.taken {
        let state: Option<State> = tx.get_record(&queues.keys.away(live.messages, seq)).await?;
        match state.filter(|state| state.receipt == receipt) {
            Some(state) => found.push((seq, state)),
            None => return Ok(Vec::new()),
        }
    }
    let mut taken = Vec::with_capacity(found.len());
    for (seq, state) in found {
        match secs {
            0 => messages::put_back(queues, tx, live, seq, &state).await?,
            _ => {
                let until = now + Duration::from_secs(secs.into());
                messages::keep_away(queues, tx, live, seq, &state, until)?;
            }
        }
        let message = messages::read(queues, tx, live, seq).await?;
        let handle = Handle { messages: live.messages, seq, receipt: state.receipt };
        taken.push(Taken { message, state, handle });
    }
    Ok(taken)
}

async fn remember(
    queues: &Queues,
    tx: &Tx,
    live: &Live,
    attempt: &str,
    taken: &[Taken],
) -> Result<()> {
    let key = queues.keys.attempt(live.messages, attempt);
    if let Some(old) = tx.get_record::<Attempt>(&key).await? {
        queues.forgetting.cancel(tx, old.ticket);
    }
    let work = Forget { key: key.as_bytes().clone() };
    let ticket = queues.forgetting.schedule(tx, queues.kit.now() + REMEMBERED, &work)?;
    let taken = taken.iter().map(|taken| (taken.handle.seq, taken.handle.receipt)).collect();
    Ok(tx.put_record(key, &Attempt { taken, ticket })?)
}

/// Takes a message out of its group, wherever in it it stands.
pub(crate) async fn leave(
    queues: &Queues,
    tx: &Tx,
    live: &Arc<Live>,
    (seq, group, state): (u64, &str, &State),
) -> Result<()> {
    let mut lane = Lane::load(queues, tx, live, group).await?;
    lane.leave(seq, state);
    lane.settle().await
}

/// Puts a message back to its place in its group, to wait there as `back`.
pub(crate) async fn put_back(
    queues: &Queues,
    tx: &Tx,
    live: &Arc<Live>,
    (seq, group, state): (u64, &str, &State),
    back: State,
) -> Result<()> {
    let mut lane = Lane::load(queues, tx, live, group).await?;
    lane.leave(seq, state);
    lane.stand(seq, State { ticket: None, ..back })?;
    lane.settle().await
}

/// What a receiver wants, and what the queue says to it.
struct Receive<'a> {
    id: &'a QueueId,
    queue: &'a Queue,
    dead: Option<(&'a Redrive, Arc<Live>)>,
    secs: u32,
    max: usize,
}

/// A group within a transaction. What is changed in it is written by `settle`.
struct Lane<'a> {
    queues: &'a Queues,
    tx: &'a Tx,
    live: &'a Arc<Live>,
    name: &'a str,
    group: Group,
}

impl<'a> Lane<'a> {
    async fn load(
        queues: &'a Queues,
        tx: &'a Tx,
        live: &'a Arc<Live>,
        name: &'a str,
    ) -> Result<Lane<'a>> {
        let group = tx.get_record(&queues.keys.group(live.messages, name)).await?;
        Ok(Lane { queues, tx, live, name, group: group.unwrap_or_default() })
    }

    /// The number of the next message: larger than those of the group, and no other's. A machine
    /// that was started with its clock set back begins with numbers that were given before.
    async fn next_seq(&self) -> Result<u64> {
        let next = self.queues.kit.next_number();
        let next = next.max(self.group.last.map_or(0, |last| last.saturating_add(1)));
        self.free(next, |seq| self.queues.keys.message(self.live.messages, seq)).await
    }

    /// The first number from the one given on whose key nothing has.
    async fn free(&self, mut number: u64, key: impl Fn(u64) -> store::Key) -> Result<u64> {
        while self.tx.get(&key(number)).await?.is_some() {
            number = number.saturating_add(1);
        }
        Ok(number)
    }

    /// Adds a message at the end. One that is delayed holds up those behind it.
    fn join(&mut self, seq: u64, large: bool, delay_secs: u32) -> Result<()> {
        let ticket = match delay_secs {
            0 => None,
            _ => {
                let until = self.queues.kit.now() + Duration::from_secs(delay_secs.into());
                let (messages, group) = (self.live.messages, Some(self.name.to_owned()));
                let work = Return { messages, seq, group };
                Some(self.queues.line.schedule(self.tx, until, &work)?)
            }
        };
        self.group.last = Some(seq);
        self.stand(seq, State { large, ticket, ..State::default() })
    }

    /// Lets a message wait in its place.
    fn stand(&mut self, seq: u64, state: State) -> Result<()> {
        let state = State { group: Some(self.name.to_owned()), ..state };
        self.live.count(self.tx, Counts::of(&state));
        self.group.first = match self.group.waiting {
            0 => seq,
            _ => self.group.first.min(seq),
        };
        self.group.waiting += 1;
        Ok(self.tx.put_record(self.waiting(seq), &state)?)
    }

    /// Takes a message out of WAITING or AWAY.
    fn leave(&mut self, seq: u64, state: &State) {
        self.live.count(self.tx, -Counts::of(state));
        if let Some(ticket) = state.ticket {
            self.queues.line.cancel(self.tx, ticket);
        }
        if state.is_in_flight() {
            self.group.in_flight = self.group.in_flight.saturating_sub(1);
            self.tx.delete(self.queues.keys.away(self.live.messages, seq));
        } else {
            self.group.waiting = self.group.waiting.saturating_sub(1);
            self.tx.delete(self.waiting(seq));
        }
    }

    async fn take(&mut self, receive: &Receive<'_>, taken: &mut Vec<Taken>) -> Result<()> {
        let mut passed = 0;
        while taken.len() < receive.max && passed < PASSED_MAX {
            let page = self.waiting_first(receive.max - taken.len()).await?;
            let there_was = !page.is_empty();
            for (seq, state) in page {
                if state.ticket.is_some() {
                    return Ok(());
                }
                match self.take_one(receive, seq, &state).await? {
                    Some(one) => taken.push(one),
                    None => passed += 1,
                }
            }
            // What is received for no time stays where it is: the next page is this one.
            if !there_was || receive.secs == 0 {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Receives a message, unless it is expired or a dead letter by now.
    async fn take_one(
        &mut self,
        receive: &Receive<'_>,
        seq: u64,
        state: &State,
    ) -> Result<Option<Taken>> {
        let Lane { queues, tx, live, .. } = *self;
        let now = queues.kit.now();
        if is_expired(receive.queue, seq, now) {
            self.leave(seq, state);
            messages::erase(queues, tx, live, seq, state.large).await?;
            return Ok(None);
        }
        if let Some((redrive, to)) = &receive.dead
            && state.receives >= redrive.receives_max
        {
            self.leave(seq, state);
            self.move_dead(receive.id, to, seq, state).await?;
            return Ok(None);
        }
        let received = state.received(now, queues.kit.next_number());
        if receive.secs == 0 {
            tx.put_record(self.waiting(seq), &received)?;
        } else {
            self.leave(seq, state);
            self.group.in_flight += 1;
            let until = now + Duration::from_secs(receive.secs.into());
            messages::put_away(queues, tx, live, seq, received.clone(), until)?;
        }
        let message = messages::read(queues, tx, live, seq).await?;
        let handle = Handle { messages: live.messages, seq, receipt: received.receipt };
        Ok(Some(Taken { message, state: received, handle }))
    }

    /// Moves a message behind those of its group in the other queue, where its time begins anew.
    async fn move_dead(&self, id: &QueueId, to: &Arc<Live>, seq: u64, state: &State) -> Result<()> {
        let Lane { queues, tx, live, name, .. } = *self;
        let message = messages::read(queues, tx, live, seq).await?;
        let mut lane = Lane::load(queues, tx, to, name).await?;
        let new = lane.next_seq().await?;
        let old_key = queues.keys.message(live.messages, seq);
        let new_key = queues.keys.message(to.messages, new);
        let content = message.content.link(tx, &new_key);
        message.content.unlink(tx, &old_key).await?;
        let dead_from = Some(id.arn(queues.account()));
        tx.put_record(new_key, &Message { dead_from, content, ..message })?;
        tx.delete(old_key);
        lane.join(new, state.large, 0)?;
        lane.settle().await
    }

    /// The first messages that wait.
    async fn waiting_first(&mut self, limit: usize) -> Result<Vec<(u64, State)>> {
        let prefix = self.queues.keys.waiting_of(self.live.messages, self.name);
        // What was before the first is gone, but an engine may keep its traces for long.
        let from = prefix.clone().u64(self.group.first);
        let range = KeyRange { start: from, end: prefix.prefix().end };
        let entries = self.tx.scan(range, Dir::Forward, limit).await?;
        let mut found = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            found.push((seq_of(&key, &prefix)?, store::decode(&key, &value)?));
        }
        Ok(found)
    }

    /// Gives the group its turn if it can be received from, takes it away if not, and writes it.
    async fn settle(mut self) -> Result<()> {
        let key = self.queues.keys.group(self.live.messages, self.name);
        let mut ready = false;
        if self.group.waiting > 0 && self.group.in_flight == 0 {
            let first = self.waiting_first(1).await?.into_iter().next();
            let (seq, state) = first.ok_or_else(|| {
                Error::from(store::Error::corrupt(key.to_string(), "its messages are missing"))
            })?;
            self.group.first = seq;
            ready = state.ticket.is_none();
        }
        let turn = |number| self.queues.keys.turn(self.live.messages, number);
        match (self.group.turn, ready) {
            (None, true) => {
                // A new number each time: the group lines up behind those that wait already.
                let number = self.free(self.queues.kit.next_number(), turn).await?;
                self.tx.put_record(turn(number), &Turn { group: self.name.to_owned() })?;
                self.group.turn = Some(number);
            }
            (Some(number), false) => {
                self.tx.delete(turn(number));
                self.group.turn = None;
            }
            _ => {}
        }
        if self.group.waiting == 0 && self.group.in_flight == 0 {
            self.tx.delete(key);
            return Ok(());
        }
        Ok(self.tx.put_record(key, &self.group)?)
    }

    fn waiting(&self, seq: u64) -> store::Key {
        self.queues.keys.waiting(self.live.messages, self.name, seq)
    }
}
