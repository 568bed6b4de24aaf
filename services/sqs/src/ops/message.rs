//! Messages being sent.

use kit::Ctx;

use crate::api;
use crate::data::{Attribute, Content};
use crate::error::{Error, Result};
use crate::messages::{self, Draft};
use crate::queues::Queues;
use crate::rules::name::QueueId;
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
    append(queues, &id, std::slice::from_ref(&ready)).await?.into_iter().next().transpose()?;
    Ok(ready.sent)
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
            Ok(()) => successful.push(ready.sent),
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
}

/// Checks all that can be checked without the queue.
fn read(input: api::SendMessageInput) -> Result<Outgoing> {
    if input.message_deduplication_id.is_some() {
        return Err(Error::InvalidParameter(
            "The request include parameter MessageDeduplicationId which is not valid for this \
             queue type"
                .into(),
        ));
    }
    if input.message_group_id.is_some() {
        return Err(Error::not_served("sqs.SendMessage with MessageGroupId"));
    }
    let body = input.message_body.filter(|body| !body.is_empty());
    let body = body.ok_or(Error::MissingParameter("MessageBody"))?;
    attributes::check_text(&body)?;
    let delay_secs = input.delay_seconds.map(delay).transpose()?;
    let message_attributes = attributes::read(input.message_attributes)?;
    let trace_header = attributes::read_system(input.message_system_attributes)?;
    let bytes = body.len() + attributes::bytes(&message_attributes);
    check_size(bytes, MESSAGE_BYTES_MAX)?;
    let content = Content { body, attributes: message_attributes, trace_header };
    Ok(Outgoing { id: input.id, content, bytes, delay_secs })
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
    sent: api::SendMessageOutput,
}

impl Ready {
    async fn new(ctx: &Ctx, outgoing: Outgoing) -> Result<Ready> {
        let Outgoing { id, mut content, bytes, delay_secs } = outgoing;
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
        };
        Ok(Ready { draft, bytes, delay_secs, sent })
    }
}

/// Adds messages to a queue, all at once but for those that are too large for it.
async fn append(queues: &Queues, id: &QueueId, all: &[Ready]) -> Result<Vec<Result<()>>> {
    queues
        .transact(|tx| async move {
            let (queue, live) = queues.find(&tx, id).await?;
            let mut results = Vec::with_capacity(all.len());
            for Ready { draft, bytes, delay_secs, .. } in all {
                let fits = check_size(*bytes, queue.settings.size_bytes_max as usize);
                if fits.is_ok() {
                    let delay_secs = delay_secs.unwrap_or(queue.settings.delay_secs);
                    messages::add(queues, &tx, &live, draft, delay_secs)?;
                }
                results.push(fits);
            }
            Ok(results)
        })
        .await
}
