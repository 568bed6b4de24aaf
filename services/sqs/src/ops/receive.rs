//! Messages being received.

use std::collections::BTreeMap;
use std::time::Duration;

use base::Time;
use kit::Ctx;
use store::fifo::Claim;

use crate::api;
use crate::data::{Content, Order, sent};
use crate::error::{Error, Result};
use crate::messages::{self, Taken};
use crate::ordered;
use crate::queues::{Live, Queues};
use crate::rules::name::QueueId;
use crate::rules::settings::{VISIBILITY_SECS_MAX, WAIT_SECS_MAX};
use crate::rules::{attributes, digest, order};

const MESSAGES_MAX: usize = 10;
/// Messages that may be in flight from one queue.
const IN_FLIGHT_MAX: i64 = 120_000;
/// Between two looks at a FIFO queue of which so many are.
const FULL_PAUSE: Duration = Duration::from_secs(1);

/// The system attributes of a message on a standard queue.
const SYSTEM: [&str; 6] = [
    "AWSTraceHeader",
    "ApproximateFirstReceiveTimestamp",
    "ApproximateReceiveCount",
    "DeadLetterQueueSourceArn",
    "SenderId",
    "SentTimestamp",
];
/// Those that only messages of FIFO queues have.
const SYSTEM_FIFO: [&str; 3] = ["MessageDeduplicationId", "MessageGroupId", "SequenceNumber"];

pub(crate) async fn receive(
    ctx: &Ctx,
    input: api::ReceiveMessageInput,
) -> Result<api::ReceiveMessageOutput> {
    let queues: &Queues = ctx.state();
    let id = QueueId::from_url(ctx, input.queue_url.as_deref())?;
    let system: Vec<String> =
        [input.attribute_names, input.message_system_attribute_names].concat();
    let known = |name: &str| name == "All" || SYSTEM.contains(&name) || SYSTEM_FIFO.contains(&name);
    if let Some(unknown) = system.iter().find(|name| !known(name)) {
        return Err(Error::InvalidAttributeName(unknown.clone()));
    }
    let attempt = input.receive_request_attempt_id;
    if let Some(attempt) = &attempt {
        if !id.is_fifo() {
            return Err(Error::for_other_type("ReceiveRequestAttemptId"));
        }
        order::check("ReceiveRequestAttemptId", attempt)?;
    }
    let max = input.max_number_of_messages.unwrap_or(1);
    let max = usize::try_from(max).ok().filter(|max| (1..=MESSAGES_MAX).contains(max));
    let max = max.ok_or_else(|| {
        let given = input.max_number_of_messages.unwrap_or_default();
        Error::invalid("MaxNumberOfMessages", given, "Must be between 1 and 10, if provided.")
    })?;
    let within = |given: Option<i64>, name, max: u32, reason| {
        let check = |secs: i64| {
            let checked = u32::try_from(secs).ok().filter(|secs| *secs <= max);
            checked.ok_or_else(|| Error::invalid(name, secs, reason))
        };
        given.map(check).transpose()
    };
    let visibility_secs = within(
        input.visibility_timeout,
        "VisibilityTimeout",
        VISIBILITY_SECS_MAX,
        "Must be >= 0 and <= 43200, if provided.",
    )?;
    let wait_secs = within(
        input.wait_time_seconds,
        "WaitTimeSeconds",
        WAIT_SECS_MAX,
        "Must be >= 0 and <= 20, if provided.",
    )?;
    let wait_secs = match wait_secs {
        Some(secs) => secs,
        None => queues.peek(&id).await?.settings.wait_secs,
    };
    let wait = Duration::from_secs(wait_secs.into());
    let ask = Ask { max, visibility_secs, wait, attempt };
    let arn = id.arn(&ctx.account);
    let mut received = Vec::new();
    for (taken, content) in poll(queues, &id, &ask).await? {
        let chosen = attributes::asked(&content.attributes, &input.message_attribute_names);
        let mut texts = system_attributes(&taken, &content);
        texts.retain(|name, _| system.iter().any(|asked| asked == "All" || asked == name));
        received.push(api::Message {
            md5_of_attributes: digest::of_attributes(chosen.iter().map(|(name, a)| (*name, *a))),
            message_attributes: chosen
                .into_iter()
                .map(|(name, attribute)| (name.clone(), attributes::write(attribute)))
                .collect(),
            receipt_handle: taken.handle.write(&arn),
            message_id: taken.message.id,
            md5_of_body: taken.message.md5_of_body,
            body: content.body,
            attributes: texts,
        });
    }
    Ok(api::ReceiveMessageOutput { messages: received })
}

/// What a receiver wants.
pub(crate) struct Ask {
    pub(crate) max: usize,
    /// The queue's own, if none is given.
    pub(crate) visibility_secs: Option<u32>,
    pub(crate) wait: Duration,
    /// Names the receive, on a FIFO queue, so that it can be tried again.
    pub(crate) attempt: Option<String>,
}

/// Receives up to `max` messages, waiting for the first if there is none.
pub(crate) async fn poll(
    queues: &Queues,
    id: &QueueId,
    ask: &Ask,
) -> Result<Vec<(Taken, Content)>> {
    let until = queues.kit.now() + ask.wait;
    if ask.attempt.is_some() {
        let before = take(queues, id, ask, &[]).await?;
        if !before.is_empty() {
            return Ok(before);
        }
    }
    loop {
        let live = queues.live_of(&queues.peek(id).await?).await?;
        if live.counts().in_flight >= IN_FLIGHT_MAX {
            if !live.is_fifo {
                return Err(Error::OverLimit(id.name.clone()));
            }
            // A FIFO queue just gives nothing more.
            let now = queues.kit.now();
            if now >= until || queues.kit.closing().begun() {
                return Ok(Vec::new());
            }
            queues.kit.clock.sleep_until(until.min(now + FULL_PAUSE)).await;
            continue;
        }
        let mut claims = live.ready.claim(ask.max, None).await?;
        if claims.is_empty() && !ask.wait.is_zero() {
            // Looked up again: had the queue been purged just before, nothing would end the wait.
            if queues.peek(id).await?.messages != live.messages {
                continue;
            }
            claims = wait(queues, &live, ask.max, until).await?;
        }
        if claims.is_empty() {
            // After a purge the same queue has other messages to wait for.
            if live.has_ended() && queues.kit.now() < until {
                continue;
            }
            return Ok(Vec::new());
        }
        let received = take(queues, id, ask, &claims).await?;
        if !received.is_empty() {
            return Ok(received);
        }
        // All that was claimed had expired or was dead letters: there may be more.
    }
}

async fn take(
    queues: &Queues,
    id: &QueueId,
    ask: &Ask,
    claims: &[Claim],
) -> Result<Vec<(Taken, Content)>> {
    queues
        .transact(|tx| async move {
            let taken = match id.is_fifo() {
                true => ordered::take(queues, &tx, id, claims, ask).await?,
                false => messages::take(queues, &tx, id, claims, ask.visibility_secs).await?,
            };
            let mut received = Vec::with_capacity(taken.len());
            for taken in taken {
                // Read before the commit: a message that goes meanwhile makes it a conflict.
                let content = taken.content(queues).await?;
                received.push((taken, content));
            }
            Ok(received)
        })
        .await
}

/// Waits for messages until the time given. Polls stand in line and only the first one watches
/// the queue, so that a message wakes one of them and not all.
async fn wait(queues: &Queues, live: &Live, max: usize, until: Time) -> Result<Vec<Claim>> {
    let mut closing = queues.kit.closing();
    let first_claim = async {
        let _turn = live.turn.lock().await;
        let mut changes = live.ready.watch();
        loop {
            let claims = live.ready.claim(max, None).await?;
            if !claims.is_empty() {
                return Ok(claims);
            }
            changes.changed().await;
        }
    };
    tokio::select! {
        biased;
        claims = first_claim => claims,
        () = queues.kit.clock.sleep_until(until) => Ok(Vec::new()),
        () = live.ended() => Ok(Vec::new()),
        () = closing.wait() => Ok(Vec::new()),
    }
}

/// All system attributes that a received message has.
pub(crate) fn system_attributes(taken: &Taken, content: &Content) -> BTreeMap<String, String> {
    let Taken { message, state, handle } = taken;
    let first = state.first_received.unwrap_or_else(|| sent(handle.receipt));
    let mut all = BTreeMap::from([
        ("ApproximateFirstReceiveTimestamp".to_owned(), first.as_millis().to_string()),
        ("ApproximateReceiveCount".to_owned(), state.receives.to_string()),
        ("SenderId".to_owned(), message.sender.clone()),
        ("SentTimestamp".to_owned(), sent(handle.seq).as_millis().to_string()),
    ]);
    if let Some(Order { group, deduplication_id }) = &message.order {
        all.insert("MessageGroupId".to_owned(), group.clone());
        all.insert("MessageDeduplicationId".to_owned(), deduplication_id.clone());
        all.insert("SequenceNumber".to_owned(), order::sequence_number(handle.seq));
    }
    if let Some(from) = &message.dead_from {
        all.insert("DeadLetterQueueSourceArn".to_owned(), from.to_string());
    }
    if let Some(crate::data::Attribute { value: crate::data::Value::Text(text), .. }) =
        &content.trace_header
    {
        all.insert("AWSTraceHeader".to_owned(), text.clone());
    }
    all
}
