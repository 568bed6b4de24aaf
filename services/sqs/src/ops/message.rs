//! Messages being sent.

use std::sync::Arc;

use kit::Ctx;
use store::Tx;

use crate::api;
use crate::data::{Attribute, Content, Queue};
use crate::error::{Error, Result};
use crate::messages::{self, Draft};
use crate::ordered;
use crate::queues::{Live, Queues};
use crate::rules::name::QueueId;
use crate::rules::order::{self, Given};
use crate::rules::settings::{DELAY_SECS_MAX, MESSAGE_BYTES_MAX};
use crate::rules::{attributes, batch, digest};

pub(crate) async fn send(
    ctx: &Ctx,
    mut input: api::SendMessageInput,
) -> Result<api::SendMessageOutput> {
    let queues: &Queues = ctx.state();
    let id = QueueId::from_url(ctx, input.queue_url.as_deref())?;
    // Whatever comes with a single message, an id is no part of it.
    input.id = None;
    let ready = Ready::new(ctx, read(input)?).await?;
    let results = append(queues, &id, std::slice::from_ref(&ready)).await?;
    let outcome = results.into_iter().next().transpose()?;
    Ok(ready.told(outcome.flatten()))
}

pub(crate) async fn send_batch(
    ctx: &Ctx,
    input: api::BatchInput<api::SendMessageInput>,
) -> Result<api::BatchOutput<api::SendMessageOutput>> {
    let queues: &Queues = ctx.state();
    let id = QueueId::from_url(ctx, input.queue_url.as_deref())?;
    let mut failed = Vec::new();
    let mut good = Vec::new();
    let mut bytes = 0;
    for (entry_id, entry) in batch::check(input.entries)? {
        bytes += size(&entry);
        match read(entry) {
            Ok(outgoing) => good.push(outgoing),
            Err(error) => failed.push(error.in_batch(entry_id)),
        }
    }
    if bytes > MESSAGE_BYTES_MAX {
        return Err(Error::BatchTooLong { max: MESSAGE_BYTES_MAX, sent: bytes });
    }
    let mut ready = Vec::with_capacity(good.len());
    for outgoing in good {
        ready.push(Ready::new(ctx, outgoing).await?);
    }
    let results = append(queues, &id, &ready).await?;
    let mut successful = Vec::with_capacity(ready.len());
    for (ready, result) in ready.into_iter().zip(results) {
        match result {
            Ok(outcome) => successful.push(ready.told(outcome)),
            Err(error) => failed.push(error.in_batch(ready.sent.id.unwrap_or_default())),
        }
    }
    Ok(api::BatchOutput { successful, failed })
}

/// A message that is right in itself.
struct Outgoing {
    id: Option<String>,
    content: Content,
    bytes: usize,
    delay_secs: Option<u32>,
    order: Given,
}

/// Checks all that can be checked without the queue.
fn read(input: api::SendMessageInput) -> Result<Outgoing> {
    let body = input.message_body.filter(|body| !body.is_empty());
    let body = body.ok_or(Error::MissingParameter("MessageBody"))?;
    attributes::check_text(&body)?;
    let delay_secs = input.delay_seconds.map(delay).transpose()?;
    let message_attributes = attributes::read(input.message_attributes)?;
    let trace_header = attributes::read_system(input.message_system_attributes)?;
    let bytes = body.len() + attributes::bytes(&message_attributes);
    check_size(bytes, MESSAGE_BYTES_MAX)?;
    let order = Given::read(input.message_group_id, input.message_deduplication_id, &body)?;
    let content = Content { body, attributes: message_attributes, trace_header };
    Ok(Outgoing { id: input.id, content, bytes, delay_secs, order })
}

fn delay(secs: i64) -> Result<u32> {
    let checked = u32::try_from(secs).ok().filter(|secs| *secs <= DELAY_SECS_MAX);
    checked.ok_or_else(|| {
        Error::invalid("DelaySeconds", secs, "DelaySeconds must be >= 0 and <= 900.")
    })
}

/// What an entry counts towards the size of its batch, be it right or wrong.
fn size(entry: &api::SendMessageInput) -> usize {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let attributes = entry.message_attributes.iter().map(|(name, value)| {
        let binary = value.binary_value.as_ref().map_or(0, |blob| blob.0.len());
        name.len() + text(&value.data_type) + text(&value.string_value) + binary
    });
    text(&entry.message_body) + attributes.sum::<usize>()
}

/// Messages within the limit of every queue may still be too large for theirs.
pub(crate) fn check_size(bytes: usize, bytes_max: usize) -> Result<()> {
    if bytes <= bytes_max {
        return Ok(());
    }
    Err(Error::InvalidParameter(
        format!(
            "One or more parameters are invalid. Reason: Message must be shorter than {bytes_max} \
             bytes."
        )
        .into(),
    ))
}

/// A message ready to be added, and what its sender is told.
struct Ready {
    draft: Draft,
    bytes: usize,
    delay_secs: Option<u32>,
    order: Given,
    sent: api::SendMessageOutput,
}

impl Ready {
    async fn new(ctx: &Ctx, outgoing: Outgoing) -> Result<Ready> {
        let Outgoing { id, mut content, bytes, delay_secs, order } = outgoing;
        let md5_of_attributes = digest::of_attributes(&content.attributes);
        let md5_of_system_attributes = attributes::of_trace_header(&content.trace_header);
        // Without one of its own, a message goes on with the trace of the request.
        if content.trace_header.is_none() {
            content.trace_header = ctx.trace.clone().map(Attribute::text);
        }
        let draft = Draft::new(ctx.state(), &ctx.caller.user_id, content).await?;
        let sent = api::SendMessageOutput {
            id,
            message_id: draft.id.clone(),
            md5_of_body: draft.md5_of_body().to_owned(),
            md5_of_attributes,
            md5_of_system_attributes,
            sequence_number: None,
        };
        Ok(Ready { draft, bytes, delay_secs, order, sent })
    }
}

impl Ready {
    /// What its sender is told.
    fn told(self, outcome: Option<(String, u64)>) -> api::SendMessageOutput {
        let Some((message_id, seq)) = outcome else { return self.sent };
        let sequence_number = Some(order::sequence_number(seq));
        api::SendMessageOutput { message_id, sequence_number, ..self.sent }
    }
}

/// What became of a message: on a FIFO queue the id and number of what was sent in its place.
type Outcome = Result<Option<(String, u64)>>;

/// Adds messages to a queue, all at once but for those that are not right for it.
async fn append(queues: &Queues, id: &QueueId, all: &[Ready]) -> Result<Vec<Outcome>> {
    let live = match id.is_fifo() {
        true => Some(queues.live_of(&queues.peek(id).await?).await?),
        false => None,
    };
    let groups = all.iter().filter_map(|ready| ready.order.group.as_deref());
    let _turn = match &live {
        Some(live) => live.pass(groups).await,
        None => Vec::new(),
    };
    queues
        .transact(|tx| async move {
            let (queue, live) = queues.find(&tx, id).await?;
            let mut results = Vec::with_capacity(all.len());
            for ready in all {
                match add(queues, &tx, (&queue, &live), ready).await {
                    Err(Error::Other(error)) if error.status >= 500 && error.status != 501 => {
                        return Err(Error::Other(error));
                    }
                    outcome => results.push(outcome),
                }
            }
            Ok(results)
        })
        .await
}

async fn add(
    queues: &Queues,
    tx: &Tx,
    (queue, live): (&Queue, &Arc<Live>),
    ready: &Ready,
) -> Outcome {
    let Ready { draft, bytes, delay_secs, order, .. } = ready;
    let order = order.on(queue)?;
    check_size(*bytes, queue.settings.size_bytes_max as usize)?;
    let Some(order) = order else {
        let delay_secs = delay_secs.unwrap_or(queue.settings.delay_secs);
        messages::add(queues, tx, live, draft, delay_secs)?;
        return Ok(None);
    };
    if let Some(secs) = delay_secs.filter(|secs| *secs > 0) {
        let reason = "The request include parameter that is not valid for this queue type.";
        return Err(Error::invalid("DelaySeconds", secs, reason));
    }
    ordered::send(queues, tx, (queue, live), draft, &order).await.map(Some)
}
