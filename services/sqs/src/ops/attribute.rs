//! The attributes of queues: those that are set and those that are told.

use kit::Ctx;

use crate::api::{self, Texts};
use crate::data::Queue;
use crate::error::{Error, Result};
use crate::ops::queue::check_redrive;
use crate::queues::Queues;
use crate::rules::name::QueueId;
use crate::rules::settings;

pub(crate) async fn get(
    ctx: &Ctx,
    input: api::GetQueueAttributesInput,
) -> Result<api::GetQueueAttributesOutput> {
    let queues: &Queues = ctx.state();
    let id = QueueId::from_url(ctx, input.queue_url.as_deref())?;
    let queue = queues.peek(&id).await?;
    let names = &input.attribute_names;
    if let Some(unknown) = names.iter().find(|name| !settings::is_known(&queue.settings, name)) {
        return Err(Error::InvalidAttributeName(unknown.clone()));
    }
    let mut attributes = queue.settings.show();
    attributes.extend(told(ctx, queues, &id, &queue).await?);
    if !names.iter().any(|name| name == "All") {
        attributes.retain(|name, _| names.contains(name));
    }
    Ok(api::GetQueueAttributesOutput { attributes })
}

async fn told(ctx: &Ctx, queues: &Queues, id: &QueueId, queue: &Queue) -> Result<Texts> {
    let counts = queues.live_of(queue).await?.counts();
    let attributes = [
        ("ApproximateNumberOfMessages", counts.ready.to_string()),
        ("ApproximateNumberOfMessagesDelayed", counts.delayed.to_string()),
        ("ApproximateNumberOfMessagesNotVisible", counts.in_flight.to_string()),
        ("CreatedTimestamp", queue.created.as_secs().to_string()),
        ("LastModifiedTimestamp", queue.modified.as_secs().to_string()),
        ("QueueArn", id.arn(&ctx.account).to_string()),
    ];
    Ok(attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

pub(crate) async fn set(ctx: &Ctx, input: api::SetQueueAttributesInput) -> Result<api::Nothing> {
    let queues: &Queues = ctx.state();
    let id = &QueueId::from_url(ctx, input.queue_url.as_deref())?;
    if input.attributes.is_empty() {
        return Err(Error::MissingParameter("Attribute.Name"));
    }
    let attributes = &input.attributes;
    queues
        .transact(|tx| async move {
            let (queue, _live) = queues.find(&tx, id).await?;
            let settings = queue.settings.apply(attributes)?;
            if settings.redrive != queue.settings.redrive {
                check_redrive(queues, &tx, id, settings.redrive.as_ref()).await?;
            }
            let queue = Queue { settings, modified: ctx.now(), ..queue };
            Ok(tx.put_record(queues.keys.queue(id), &queue)?)
        })
        .await?;
    Ok(api::Nothing {})
}
